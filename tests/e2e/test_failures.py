"""A failure stays where it is: its dependents are blocked, all others go on, and mending it mends just that."""

from __future__ import annotations

import pytest

from e2e.harness import Corner, Project

SOUND, BROKEN = 'echo sound > "$1"', "echo broken >&2; exit 7"
DOCUMENTS = {
    "culprit.sh": BROKEN,
    "near.sum": "needs culprit.sh",
    "far.sum": "needs near.sum",
    "bystander.txt": "well",
}


@pytest.fixture
def built(project: Project) -> Project:
    """`culprit.sh` fails; `near.sum` needs it, `far.sum` needs that; `bystander.txt` needs nothing."""
    project.write_all({f"docs/{name}": content for name, content in DOCUMENTS.items()})
    project.kahnd("build", code=1)
    return project


def test_a_failure_is_told_with_the_commands_own_words(project: Project) -> None:
    project.write("docs/culprit.sh", BROKEN)
    told = project.kahnd("build", code=1).told
    assert all(word in told for word in ("docs/culprit.sh", "broken", "7"))
    (failed,) = project.log("document.failed")
    assert failed["document"] == "docs/culprit.sh"
    assert "broken" in str(failed)


def test_each_build_tells_what_is_failed_and_what_is_blocked_by_whom(built: Project) -> None:
    answer = built.build(code=1)
    assert [each["document"] for each in answer["failed"]] == ["docs/culprit.sh"]
    blocked = {each["document"]: each["because"] for each in answer["blocked"]}
    assert blocked == {"docs/near.sum": "docs/culprit.sh", "docs/far.sum": "docs/culprit.sh"}
    assert {each["document"] for each in built.log("document.blocked")} == set(blocked)


def test_a_later_build_renders_exactly_the_mended_and_the_blocked(built: Project) -> None:
    built.write("docs/culprit.sh", SOUND)
    assert sorted(built.build()["rendered"]) == ["docs/culprit.sh", "docs/far.sum", "docs/near.sum"]


def test_a_good_target_succeeds_despite_other_failures(built: Project) -> None:
    assert built.build("docs/bystander.txt")["failed"] == []


# In a daemon


@pytest.fixture
def failing(corner: Corner) -> Corner:
    """The same documents under a daemon, all well before one breaks."""
    corner.write_all(DOCUMENTS | {"culprit.sh": SOUND})
    corner.wait()
    corner.write("culprit.sh", 'echo half > "$1"; echo broken >&2; exit 7')
    corner.wait(code=1)
    return corner


def test_status_tells_the_failure_until_it_is_mended(failing: Corner) -> None:
    status = failing.project.status()
    assert [each["document"] for each in status["failures"]] == [failing.document("culprit.sh")]
    assert "7" in status["failures"][0]["error"]
    assert (status["documents"]["failed"], status["documents"]["blocked"]) == (1, 2)
    with failing.renders("culprit.sh", "near.sum", "far.sum"):
        failing.write("culprit.sh", "echo better > $1")
    status = failing.project.status()
    assert status["failures"] == []
    assert (status["documents"]["failed"], status["documents"]["blocked"]) == (0, 0)


def test_the_last_good_output_stays(failing: Corner) -> None:
    assert failing.output("culprit.out") == "sound\n"
    assert set(failing.outputs()) == {"culprit.out", "near.cksum", "far.cksum", "bystander.txt"}
    failing.write("culprit.sh", SOUND)
    failing.wait()


def test_an_edit_taken_back_mends_without_rendering_what_is_good(failing: Corner) -> None:
    """The outputs are still the ones of these inputs: nothing but the status has to change."""
    mark = failing.project.mark()
    failing.write("culprit.sh", SOUND)
    failing.wait()
    assert failing.document("far.sum") not in failing.project.rendered(mark)


def test_others_go_on_while_something_is_broken(failing: Corner) -> None:
    with failing.renders("new.txt", "bystander.txt", code=1):
        failing.write_all({"new.txt": "new", "bystander.txt": "better"})
    with failing.renders(code=1):
        failing.write("near.sum", "needs culprit.sh too")
    failing.remove("culprit.sh")
    assert {each["because"] for each in failing.wait(code=1)["blocked"]} == {failing.document("culprit.sh")}
    failing.write("culprit.sh", SOUND)
    failing.wait()


@pytest.mark.parametrize(
    "reference", ['{{ data("gone.csv")[0].x }}', '{{ output("t.txt").text }}', '{{ code("gone.py") }}']
)
def test_what_a_partial_uses_on_a_condition_blocks_no_page_that_does_not_meet_it(
    corner: Corner, reference: str
) -> None:
    partial = f"before{{% if page.get('shown') %}}{reference}{{% endif %}}\n"
    corner.write_all({"_p.md": partial, "a.md": '{% include "_p.md" %}\n', "t.txt": "{{ nothing }}"})
    corner.wait(code=1)
    assert "before" in corner.output("a.html")
    corner.write("a.md", '---\nshown: true\n---\n{% include "_p.md" %}\n')
    report = corner.wait(code=1)
    assert corner.document("a.md") in {each["document"] for each in [*report["failed"], *report["blocked"]]}
