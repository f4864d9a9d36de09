"""Files copied as they are."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kahnd.core.hashing import hash_bytes
from kahnd.core.model import Failed, Kind, Rendered, Unmet
from kahnd.render.renderers.parameters import CopyParameters, Parameters, TemplateParameters
from render.workshop import Workshop


@pytest.mark.parametrize("content", [b"", bytes(range(256)) * 9000])
def test_a_copy_has_the_same_bytes(shop: Workshop, content: bytes) -> None:
    shop.write("docs/a.css", content)
    job = shop.job("docs/a.css")
    assert shop.run(job) == Rendered(hash_bytes(content))
    assert (shop.root / job.stage).read_bytes() == content


def test_a_file_that_changed_or_went_meanwhile_is_to_be_looked_at_again(shop: Workshop) -> None:
    file = shop.write("docs/a.css", "old")
    job = shop.job("docs/a.css")
    shop.write("docs/a.css", "new")
    for _ in range(2):
        outcome = shop.run(job)
        assert isinstance(outcome, Unmet)
        assert (outcome.needs.target, outcome.needs.kind) == ("docs/a.css", Kind.DISCOVERED)
        file.unlink(missing_ok=True)


def test_a_copy_does_not_write_through_a_link_that_stands_in_its_stage(shop: Workshop) -> None:
    shop.write("docs/a.css", "style")
    job = shop.job("docs/a.css")
    (shop.root / job.stage).symlink_to(shop.write("precious", "kept"))
    assert isinstance(shop.run(job), Rendered)
    assert (shop.root / "precious").read_text() == "kept"


@pytest.mark.parametrize("parameters", [CopyParameters(), TemplateParameters()])
def test_an_output_whose_name_is_too_long_is_told_with_what_to_do(shop: Workshop, parameters: Parameters) -> None:
    shop.by(("docs/*.txt", parameters))
    shop.write("docs/a.txt", "text")
    job = shop.job("docs/a.txt")
    outcome = shop.run(replace(job, stage=f"{job.stage}{'x' * 256}"))
    assert isinstance(outcome, Failed)
    assert "File name too long" in outcome.problem.message
    assert "shorter name" in outcome.problem.remedy
    assert not outcome.problem.passing
