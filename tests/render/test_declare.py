"""Documents that templates and plug-ins declare: their bytes and places, and what their own rendering sees of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.hashing import hash_bytes
from kahnd.core.model import Failed, Kind, Rendered
from kahnd.core.output_paths import stage_of_declared
from kahnd.plugins import Document, render
from kahnd.render.data.ordering import groupby_each
from kahnd.render.files import document_at, place_of
from kahnd.render.frontmatter import declared_bytes, split
from render.test_frontmatter import VALUES
from render.workshop import Workshop


@given(st.dictionaries(st.text(), VALUES | st.floats(allow_nan=False, allow_infinity=False), max_size=4), st.text())
def test_declared_front_matter_is_read_back(meta: dict[str, object], body: str) -> None:
    content = declared_bytes(body, meta)
    parts = split(content.decode(), "a.md")
    assert parts.meta == meta
    assert not meta or parts.body == body
    assert declared_bytes(body, dict(reversed(meta.items()))) == content


def test_values_of_declared_front_matter_are_those_of_yaml() -> None:
    meta = {"date": dt.date(2026, 1, 2), "at": dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC), "list": [1, {"a": None}]}
    assert split(declared_bytes("", meta).decode(), "a.md").meta == meta
    for wrong in ({"a": object()}, {1: "a"}, "text"):
        with pytest.raises(TypeError):
            declared_bytes("", wrong)


def test_what_a_template_declares_is_staged_with_its_line(shop: Workshop) -> None:
    shop.write("docs/a.md", 'A\n\n{{ declare("t/x.md", "X", {"title": "T"}) }}{{ declare("/docs/b.txt", "B") }}')
    job = shop.job("docs/a.md")
    outcome = shop.run(job)
    assert isinstance(outcome, Rendered)
    contents = [(shop.root / stage_of_declared(job, number)).read_bytes() for number in range(2)]
    assert contents == [b"B", b'---\n"title": "T"\n---\nX']
    assert outcome.declared == (
        ("docs/b.txt", hash_bytes(contents[0]), 3),
        ("docs/t/x.md", hash_bytes(contents[1]), 3),
    )


def test_a_rendering_sees_what_it_has_declared_before(shop: Workshop) -> None:
    shop.write(
        "docs/a.md",
        '{{ pages("t/*.md") | length }}{{ declare("t/x.md", "X", {"title": "T"}) }}'
        '{{ declare("t/_y.md", "") }}{{ declare("t/z.md", "", {"draft": true}) }}'
        '{{ pages("t/*.md") | map(attribute="title") | join }} {{ page("t/x.md").url }} [x](t/x.md) [z](t/z.md)',
    )
    outcome = shop.outcome("docs/a.md", "docs/t/*.md")
    assert isinstance(outcome, Rendered)
    assert {each.dependency.target for each in outcome.reads if each.dependency.kind is Kind.PAGE} == {"docs/t/x.md"}
    assert [str(each.message) for each in outcome.warnings if "t/z.md" in each.message]
    text = shop.text("docs/a.md", "docs/t/*.md")
    assert '0T t/x.html <a href="t/x.html">x</a>' in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('declare("x.md", 1)', "its text is no text, but a int"),
        ('declare("x.md", "", {"a": page})', "is no value of front matter"),
        ('declare("x.md", "1") ~ declare("x.md", "2")', "it is declared twice"),
        (
            'declare("x", "1") ~ declare("x/y.md", "2")',
            "can't declare docs/x/y.md: it and another one that is declared can't both exist",
        ),
        ('declare("x.md", nothing)', "'nothing' is undefined"),
    ],
)
def test_what_can_t_be_declared_fails(shop: Workshop, text: str, said: str) -> None:
    shop.write("docs/a.md", f"{{{{ {text} }}}}")
    outcome = shop.outcome("docs/a.md")
    assert isinstance(outcome, Failed)
    assert said in str(outcome.problem)


def test_the_file_of_a_document_is_its_own_or_the_generated_one(shop: Workshop) -> None:
    shop.write(".kahnd/generated/docs/x.md", "generated")
    assert place_of(shop.root, "docs/x.md") == ".kahnd/generated/docs/x.md"
    assert document_at(".kahnd/generated/docs/x.md") == document_at("docs/x.md") == "docs/x.md"
    shop.write("docs/x.md", "real")
    assert place_of(shop.root, "docs/x.md") == "docs/x.md"


class _Page:
    def __init__(self, path: str, **meta: object) -> None:
        self.path, self._meta = path, meta

    def get(self, key: str, default: object = None) -> object:
        return self._meta.get(key, default)


def test_pages_are_grouped_by_each_value() -> None:
    pages = [_Page("a", tags=["b", "A", "b"]), _Page("b", tags="c"), _Page("c"), _Page("d", tags=["A", 1])]
    grouped = [(value, [page.path for page in found]) for value, found in groupby_each(pages, "tags")]  # type: ignore[type-var]
    assert grouped == [("1", ["d"]), ("A", ["a", "d"]), ("b", ["a"]), ("c", ["b"])]


def test_the_helper_for_plug_ins_shows_what_is_declared(tmp_path: Path) -> None:
    def months(document: Document) -> str:
        document.declare("months/1.md", "January", {"title": "1"})
        document.declare("1.bin", b"\x00")
        return ""

    (tmp_path / "all.list").write_text("")
    made = render(months, "all.list", project=tmp_path)
    assert made.declared == {"1.bin": b"\x00", "months/1.md": b'---\n"title": "1"\n---\nJanuary'}
