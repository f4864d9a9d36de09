"""A failure stays where it is: its dependents are blocked, all others go on, and mending it mends just that."""

from __future__ import annotations

import pytest

from e2e.harness import Daemon, Project

SOUND, BROKEN = 'echo sound > "$1"', "echo broken >&2; exit 7"


@pytest.fixture
def failing(project: Project) -> Project:
    """`culprit.sh` fails; `near.sum` needs it, `far.sum` needs that; `bystander.txt` needs nothing."""
    project.write_all(
        {
            "docs/culprit.sh": BROKEN,
            "docs/near.sum": "needs culprit.sh",
            "docs/far.sum": "needs near.sum",
            "docs/bystander.txt": "well",
        }
    )
    return project


def test_dependents_are_blocked_with_the_culprits_name_and_others_rendered(failing: Project) -> None:
    answer = failing.build(code=1)
    assert answer["rendered"] == ["docs/bystander.txt"]
    assert [each["document"] for each in answer["failed"]] == ["docs/culprit.sh"]
    blocked = {each["document"]: each["because"] for each in answer["blocked"]}
    assert blocked == {"docs/near.sum": "docs/culprit.sh", "docs/far.sum": "docs/culprit.sh"}


def test_a_commands_own_words_are_in_the_error(failing: Project) -> None:
    told = failing.kahnd("build", code=1).told
    assert "docs/culprit.sh" in told
    assert "broken" in told
    assert "7" in told
    assert "broken" in str(failing.log("document.failed"))


def test_exactly_the_failed_and_the_blocked_are_rendered_once_mended(failing: Project) -> None:
    failing.build(code=1)
    failing.write("docs/culprit.sh", SOUND)
    assert sorted(failing.build()["rendered"]) == ["docs/culprit.sh", "docs/far.sum", "docs/near.sum"]


def test_a_build_without_a_change_still_reports_the_failure(failing: Project) -> None:
    failing.build(code=1)
    answer = failing.build(code=1)
    assert [each["document"] for each in answer["failed"]] == ["docs/culprit.sh"]
    assert len(answer["blocked"]) == 2


def test_a_target_that_is_well_is_not_judged_by_others(failing: Project) -> None:
    assert failing.build("docs/bystander.txt")["rendered"] == ["docs/bystander.txt"]


def test_the_last_good_output_stays(failing: Project) -> None:
    failing.write("docs/culprit.sh", SOUND)
    failing.build()
    good = failing.outputs()
    failing.write("docs/culprit.sh", 'echo half > "$1"; exit 1')
    failing.build(code=1)
    assert failing.outputs() == good


def test_an_edit_taken_back_mends_without_rendering_what_is_good(failing: Project) -> None:
    """The outputs are still the ones of these inputs: nothing but the status has to change."""
    failing.write("docs/culprit.sh", SOUND)
    failing.build()
    failing.write("docs/culprit.sh", BROKEN)
    failing.build(code=1)
    failing.write("docs/culprit.sh", SOUND)
    assert "docs/far.sum" not in failing.build()["rendered"]


def test_a_daemon_reports_a_failure_and_its_end(live: Daemon) -> None:
    project = live.project
    project.write_all({"docs/fails/a.sh": BROKEN, "docs/fails/b.sum": "needs a.sh", "docs/fails/c.txt": "well"})
    project.wait(code=1)
    status = project.status()
    assert [each["document"] for each in status["failures"]] == ["docs/fails/a.sh"]
    assert "7" in status["failures"][0]["error"]
    assert (status["documents"]["failed"], status["documents"]["blocked"]) == (1, 1)
    assert project.output("fails/c.txt") == "well"
    with project.renders("docs/fails/a.sh", "docs/fails/b.sum"):
        project.write("docs/fails/a.sh", SOUND)
    status = project.status()
    assert status["failures"] == []
    assert (status["documents"]["failed"], status["documents"]["blocked"]) == (0, 0)


def test_a_failure_is_logged_with_its_document_and_a_blocked_one_with_its_cause(failing: Project) -> None:
    failing.build(code=1)
    (failed,) = failing.log("document.failed")
    assert failed["document"] == "docs/culprit.sh"
    assert failed["error"]
    assert {each["document"] for each in failing.log("document.blocked")} == {"docs/near.sum", "docs/far.sum"}
