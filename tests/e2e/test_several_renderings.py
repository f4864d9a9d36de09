"""Rules with `also = true`, by the installed command and a running daemon."""

from __future__ import annotations

import json

import pytest

from e2e.harness import Project
from e2e.rules import PAGES, command, rule

ALSO = "also = true\n"
UPPER = 'grep -q BAD "$1" && { echo "$1:3: bad word" >&2; exit 1; }; head -n 1 "$1" | tr a-z A-Z > "$2"'
UPPERS = rule(
    "docs/**/*.md", "command", "{dir}/{stem}.upper", command("sh", "-c", UPPER, "sh", "{source}", "{output}", more=ALSO)
)
COPIES = rule("docs/**/*.md", "copy", "sources/{dir}/{name}", ALSO)


@pytest.fixture
def printed(project: Project) -> Project:
    project.configure(PAGES, UPPERS, COPIES)
    project.write_all(
        {
            "docs/a.md": "alpha\n\ntext\n",
            "docs/b.md": "beta\n\n[alpha](a.md), [upper](a.upper)\n",
            "docs/_part.md": "a partial",
            "docs/up.md": "{{ output('a.md', format='upper').text }} {{ output('a.md', format='upper') }}",
        }
    )
    return project


def no_ids(project: Project) -> None:
    """Nothing that a user sees names a rendering."""
    answers = [
        project.kahnd(*words, "--json", code=None).told
        for words in (["status"], ["graph"], ["plan"], ["history"], ["why", "docs/a.md"], ["why", "site/a.upper"])
    ]
    assert "//{" not in "".join(answers) + json.dumps(project.log())


def test_each_rendering_is_made_and_cut_off_by_itself(printed: Project) -> None:
    with printed.daemon():
        assert {"a.html", "a.upper", "sources/a.md", "up.upper"} <= set(printed.outputs())
        assert "ALPHA" in printed.output("up.html")
        assert 'href="a.upper"' in printed.output("b.html")
        assert printed.status()["documents"]["total"] == 4
        with printed.renders("docs/a.md", "docs/a.md", "docs/a.md"):
            printed.write("docs/a.md", "alpha\n\nother text\n")  # its upper case is as before
        with printed.renders("docs/a.md", "docs/a.md", "docs/a.md", "docs/up.md"):
            printed.write("docs/a.md", "gamma\n\nother text\n")
        assert "GAMMA" in printed.output("up.html")
        mark = printed.mark()
        report = printed.build("--force", "docs/a.md")
        assert report["rendered"] == ["docs/a.md"]
        assert {each["output"] for each in printed.log("document.rendered", mark)} == {
            "site/a.html",
            "site/a.upper",
            "site/sources/a.md",
        }
        with printed.renders("docs/a.md"):
            printed.remove("site/a.upper")
        (node,) = (each for each in printed.graph()["nodes"] if each["id"] == "docs/a.md")
        assert node["outputs"] == ["site/a.html", "site/a.upper", "site/sources/a.md"]
        why = printed.kahnd("why", "docs/a.md", "--json").json
        assert {each["output"] for each in why["reasons"]} == set(node["outputs"])
        assert len(printed.kahnd("history", "docs/a.md", "--json").json) == 13
        no_ids(printed)
    assert printed.outputs() == printed.fresh_outputs()


def test_one_rendering_fails_and_is_mended(printed: Project) -> None:
    with printed.daemon():
        with printed.renders("docs/a.md", "docs/a.md", code=1):
            printed.write("docs/a.md", "alpha\n\nBAD\n")
        (failure,) = printed.status()["failures"]
        assert (failure["document"], failure["line"]) == ("docs/a.md", 3)
        assert failure["message"] == "site/a.upper: sh failed with exit code 1: bad word"
        (line,) = printed.log("document.failed")
        assert line["error"].startswith("docs/a.md:3: site/a.upper: sh failed")
        assert [each["because"] for each in printed.status()["blocked"]] == ["docs/a.md"]
        assert printed.status()["documents"] | {"failed": 1, "blocked": 1, "done": 2} == printed.status()["documents"]
        assert "BAD" in printed.output("a.html")
        assert [each["document"] for each in printed.wait("docs/a.md", code=1)["failed"]] == ["docs/a.md"]
        no_ids(printed)
        with printed.renders("docs/a.md", "docs/a.md", "docs/a.md", "docs/up.md"):
            printed.write("docs/a.md", "beta\n\ngood\n")
    assert printed.outputs() == printed.fresh_outputs()


def test_rules_come_and_go_under_a_daemon(printed: Project) -> None:
    with printed.daemon():
        printed.configure(PAGES, UPPERS)
        printed.wait()
        assert not printed.exists("site/sources/a.md")
        printed.configure(PAGES)
        report = printed.wait(code=1)
        assert [each["document"] for each in report["failed"]] == ["docs/up.md"]
        assert "has no output named 'upper'" in report["failed"][0]["error"]
        assert not printed.exists("site/a.upper")
        printed.configure(PAGES, UPPERS.replace(".upper", ".big.upper"), COPIES)
        printed.wait()
        assert "a.big.upper" in printed.output("up.html")
        printed.remove("docs/b.md")
        printed.wait()
        assert not [each for each in printed.outputs() if "b." in each and "big" not in each]
        no_ids(printed)
    assert printed.outputs() == printed.fresh_outputs()


def test_a_name_that_another_rule_makes_ambiguous_fails_until_that_rule_goes(printed: Project) -> None:
    other = rule("docs/a.md", "template", "capitals/{stem}.upper", ALSO)
    with printed.daemon():
        printed.configure(PAGES, UPPERS, COPIES, other)
        (failed,) = printed.wait(code=1)["failed"]
        assert (failed["document"], "several outputs named 'upper'" in failed["error"]) == ("docs/up.md", True)
        printed.configure(PAGES, UPPERS, COPIES)
        printed.wait()
        assert printed.outputs() == printed.fresh_outputs()


def test_after_a_kill_each_rendering_is_as_its_document_is(printed: Project) -> None:
    with printed.daemon() as daemon:
        printed.write("docs/a.md", "delta\n\ntext\n")
        daemon.kill()
    printed.write("docs/b.md", "epsilon\n")
    printed.build()
    assert printed.outputs() == printed.fresh_outputs()
    assert printed.build()["rendered"] == []
    printed.remove("docs/b.md")
    printed.build()
    assert printed.outputs() == printed.fresh_outputs()


def test_doctor_names_a_rule_beside_others_that_never_gets_a_document(printed: Project) -> None:
    printed.configure(PAGES, UPPERS, COPIES.replace("*.md", "*.none"))
    checks = printed.kahnd("doctor", "--json", code=None).json["checks"]
    (unused,) = (each["message"] for each in checks if each["name"] == "rule")
    assert unused.endswith("the rule for docs/**/*.none matches no document")


def test_a_plugin_that_can_not_be_imported_is_one_failure_whichever_outputs_it_makes(project: Project) -> None:
    project.configure(PAGES, rule("docs/**/*.md", "python", "{stem}.txt", f'function = "plug:make"\n{ALSO}'))
    project.write("plug.py", "import there_is_no_such_module\n")
    project.write_all({f"docs/{each}.md": each for each in "abcd"})
    told = project.kahnd("build", code=1).told
    assert told.count("No module named 'there_is_no_such_module'") == 1
    assert "in 4 documents: docs/a.md, docs/b.md, docs/c.md, …" in told
