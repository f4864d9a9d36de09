"""Why a document is rendered, what was, and failed ones again; with a daemon and without."""

from __future__ import annotations

import re
from typing import Any

import pytest

from e2e.harness import Corner, Project

FLAKY = 'test -e docs/.mended || { echo "not today" >&2; exit 1; }\necho well > "$1"\n'


def _mend(project: Project) -> None:
    """The file that the flaky script waits for; it is no document, so it causes no event."""
    project.path("docs/.mended").touch()


@pytest.fixture
def flaky(project: Project) -> Project:
    """`flaky.sh` failed and blocks `above.sum`; `other.txt` is fine. Both will go well when they are tried again."""
    ignoring = project.read("kahnd.toml").replace('output = "site"', 'output = "site"\nignore = [".*"]')
    project.write("kahnd.toml", ignoring)
    project.write_all({"docs/flaky.sh": FLAKY, "docs/above.sum": "needs flaky.sh", "docs/other.txt": "fine"})
    project.build(code=1)
    _mend(project)
    return project


def test_history_is_newest_first_and_tells_what_came_of_it(project: Project) -> None:
    project.write_all({"docs/a.txt": "one", "docs/b.sh": "exit 3"})
    project.build(code=1)
    project.write("docs/a.txt", "two")
    project.build(code=1)
    entries = project.kahnd("history", "--json").json
    assert [each["document"] for each in entries].count("docs/a.txt") == 2
    assert [each["started_at"] for each in entries] == sorted((each["started_at"] for each in entries), reverse=True)
    newest = next(each for each in entries if each["document"] == "docs/a.txt")
    assert newest.keys() >= {"document", "build", "cause", "status", "started_at", "duration_ms", "error"}
    assert (newest["status"], newest["error"], newest["cause"]) == ("DONE", None, "build")
    failed = next(each for each in entries if each["document"] == "docs/b.sh")
    assert failed["status"] == "FAILED"
    assert "3" in failed["error"]


def test_history_of_one_document_or_its_output_is_as_long_as_asked(project: Project) -> None:
    for text in ("one", "two", "three"):
        project.write_all({"docs/a.txt": text, "docs/b.txt": text})
        project.build()
    entries = project.kahnd("history", "docs/a.txt", "--json").json
    assert [each["document"] for each in entries] == ["docs/a.txt"] * 3
    assert project.kahnd("history", "site/a.txt", "-n", "2", "--json").json == entries[:2]
    assert "docs/a.txt" in project.kahnd("history", "-n", "1", "docs/a.txt").stdout


def test_history_outlives_the_document_and_knows_no_others(project: Project) -> None:
    project.write("docs/gone.txt", "soon")
    assert project.kahnd("history", "--json").json == []
    project.build()
    project.remove("docs/gone.txt")
    project.build()
    assert len(project.kahnd("history", "docs/gone.txt", "--json").json) == 1
    assert "neither a document" in project.kahnd("history", "docs/gnoe.txt", code=2).told


def test_a_daemon_tells_history(corner: Corner) -> None:
    corner.write("a.txt", "one")
    corner.wait()
    (entry,) = corner.project.kahnd("history", corner.document("a.txt"), "--json").json
    assert entry["cause"] == f"{corner.document('a.txt')} saved"


def test_retry_renders_the_failed_and_what_they_block_and_no_more(flaky: Project) -> None:
    flaky.append("docs/other.txt", "changed")
    report = flaky.kahnd("retry", "--json").json
    assert sorted(report["rendered"]) == ["docs/above.sum", "docs/flaky.sh"]
    assert (report["failed"], report["blocked"]) == ([], [])
    assert flaky.output("other.txt") == "fine"
    assert flaky.build()["rendered"] == ["docs/other.txt"]


def test_retry_of_documents_leaves_other_failures(flaky: Project) -> None:
    flaky.write("docs/worse.sh", "exit 1")
    flaky.build("docs/worse.sh", code=1)
    assert flaky.kahnd("retry", "docs/above.sum", "--json").json["rendered"] == ["docs/flaky.sh", "docs/above.sum"]
    assert [each["document"] for each in flaky.kahnd("retry", "--json", code=1).json["failed"]] == ["docs/worse.sh"]
    assert flaky.kahnd("retry", "docs/other.txt", "--json").json["rendered"] == []


def test_retry_where_nothing_failed(project: Project) -> None:
    project.write("docs/a.txt", "fine")
    assert "nothing to try again" in project.kahnd("retry").stdout
    assert not project.exists("site")


def test_what_failed_and_is_gone_is_not_tried_again(flaky: Project) -> None:
    flaky.remove("docs/flaky.sh")
    assert flaky.kahnd("retry", "--json", code=1).json["blocked"][0]["because"] == "docs/flaky.sh"


def test_a_daemon_tries_again(flaky: Project) -> None:
    with flaky.daemon():
        report = flaky.kahnd("retry", "--json").json
        assert sorted(report["rendered"]) == ["docs/above.sum", "docs/flaky.sh"]
        assert flaky.kahnd("retry", "--json").json["rendered"] == []
        assert flaky.output("flaky.out") == "well\n"


STEPS = {
    "docs/_inner.md": "inner",
    "docs/_outer.md": '{% include "_inner.md" %}',
    "docs/page.md": '{% include "_outer.md" %}',
    "docs/sum.sum": "needs page.md",
    "docs/top.sum": "needs sum.sum",
    "docs/other.md": "untouched",
}
CHAIN = ["docs/_inner.md", "docs/_outer.md", "docs/page.md", "docs/sum.sum", "docs/top.sum"]
HASH = re.compile(r"[0-9a-f]{32}")


def _why(project: Project, document: str) -> Any:
    return project.kahnd("why", document, "--json").json


def _kinds(answer: Any) -> list[tuple[str, str]]:
    return [(each["kind"], each["document"]) for each in answer["reasons"]]


@pytest.fixture
def stepped(project: Project) -> Project:
    """A partial in a partial in a page that a command sums, whose sum another one sums; all up to date."""
    project.write_all(STEPS)
    project.build()
    return project


def test_a_chain_leads_from_the_edited_file_through_plain_and_rendered_documents(stepped: Project) -> None:
    stepped.write("docs/_inner.md", "edited")
    would = _why(stepped, "docs/top.sum")
    assert (would["document"], would["status"]) == ("docs/top.sum", "DIRTY")
    assert _kinds(would) == [("dependency", "docs/sum.sum")]
    assert HASH.fullmatch(would["reasons"][0]["before"])
    assert would["chain"] == CHAIN
    stepped.build()
    was = _why(stepped, "docs/top.sum")
    assert (was["status"], _kinds(was), was["chain"]) == ("DONE", _kinds(would), CHAIN)
    (reason,) = was["reasons"]
    assert reason["before"] == would["reasons"][0]["before"]
    assert HASH.fullmatch(reason["after"])
    assert reason["after"] != reason["before"]


def test_each_step_tells_the_hashes_it_hangs_on(stepped: Project) -> None:
    stepped.write("docs/_inner.md", "edited")
    stepped.build()
    page, above = _why(stepped, "docs/page.md"), _why(stepped, "site/sum.cksum")
    assert ("dependency", "docs/_outer.md") in _kinds(page)
    assert above["document"] == "docs/sum.sum"
    assert above["chain"] == CHAIN[:-1]


def test_the_reasons_are_those_of_the_last_render_also_after_quiet_builds(stepped: Project) -> None:
    assert _kinds(_why(stepped, "docs/other.md")) == [("new", "docs/other.md")]
    stepped.append("docs/other.md", "more")
    stepped.build()
    stepped.build()
    answer = _why(stepped, "docs/other.md")
    assert _kinds(answer) == [("content", "docs/other.md")]
    assert all(HASH.fullmatch(answer["reasons"][0][name]) for name in ("before", "after"))
    assert answer["chain"] == ["docs/other.md"]


def test_a_recipe_and_a_lost_output_are_reasons(stepped: Project) -> None:
    stepped.remove("site/other.html")
    assert _kinds(_why(stepped, "docs/other.md")) == [("output", "docs/other.md")]
    stepped.build()
    assert _kinds(_why(stepped, "docs/other.md")) == [("output", "docs/other.md")]
    stepped.write("kahnd.toml", stepped.read("kahnd.toml").replace('["cksum",', '["sum",'))
    assert _kinds(_why(stepped, "docs/sum.sum")) == [("recipe", "docs/sum.sum")]
    stepped.build()
    assert ("recipe", "docs/top.sum") in _kinds(_why(stepped, "docs/top.sum"))
    assert _kinds(_why(stepped, "docs/other.md")) == [("output", "docs/other.md")]


def test_a_new_member_of_a_collection_is_where_a_chain_begins(project: Project) -> None:
    listed = '{% for post in pages("posts/*.md") %}{{ post.title }}{% endfor %}'
    project.write_all({"docs/index.md": listed, "docs/posts/a.md": "# A"})
    project.build()
    project.write("docs/posts/b.md", "# B")
    project.build()
    answer = _why(project, "docs/index.md")
    assert ("dependency", "docs/posts/b.md") in _kinds(answer)
    assert answer["chain"] == ["docs/posts/b.md", "docs/index.md"]


def test_failed_and_blocked_documents_name_the_culprit(flaky: Project) -> None:
    blocked = _why(flaky, "docs/above.sum")
    assert (blocked["status"], _kinds(blocked)) == ("BLOCKED", [("failed", "docs/flaky.sh")])
    assert blocked["chain"] == ["docs/flaky.sh", "docs/above.sum"]
    flaky.kahnd("retry")
    assert ("failed", "docs/flaky.sh") in _kinds(_why(flaky, "docs/flaky.sh"))
    assert _kinds(_why(flaky, "docs/above.sum")) == [("new", "docs/above.sum")]


def test_why_of_what_is_not_there_is_an_error(stepped: Project) -> None:
    assert "did you mean docs/other.md" in stepped.kahnd("why", "docs/othr.md", code=2).told


def test_a_daemon_tells_why(corner: Corner) -> None:
    corner.write_all({"_part.md": "one", "page.md": '{% include "_part.md" %}'})
    corner.wait()
    corner.write("_part.md", "two")
    corner.wait()
    answer = _why(corner.project, corner.document("page.md"))
    assert _kinds(answer) == [("dependency", corner.document("_part.md"))]
    assert answer["chain"] == [corner.document("_part.md"), corner.document("page.md")]
    told = corner.project.kahnd("why", corner.document("page.md")).stdout
    assert answer["reasons"][0]["before"] in told
    assert " → ".join(answer["chain"]) in told


def test_only_what_was_rendered_since_is_explained_after_a_restart(stepped: Project) -> None:
    """The hashes of the last good render outlive the process that rendered."""
    with stepped.daemon():
        pass
    stepped.write("docs/_inner.md", "edited")
    with stepped.daemon():
        assert _kinds(_why(stepped, "docs/sum.sum")) == [("dependency", "docs/page.md")]
