"""A cycle is told with its path; the rest goes on; breaking it is enough. Content dependencies make none."""

from __future__ import annotations

from e2e.harness import Daemon, Project, eventually


def _turned(cycle: list[str]) -> list[str]:
    """The same cycle, begun at its least member."""
    assert cycle[0] == cycle[-1]
    ring = cycle[:-1]
    start = ring.index(min(ring))
    return [*ring[start:], *ring[:start], ring[start]]


def test_an_include_cycle_is_reported_with_its_path_and_the_rest_rendered(project: Project) -> None:
    project.write_all(
        {
            "docs/a.txt": '{% include "b.txt" %}',
            "docs/b.txt": '{% include "c.txt" %}',
            "docs/c.txt": '{% include "a.txt" %}',
            "docs/after.txt": '{% include "a.txt" %}',
            "docs/well.txt": "well",
        }
    )
    answer = project.build(code=3)
    assert [_turned(each) for each in answer["cycles"]] == [["docs/a.txt", "docs/b.txt", "docs/c.txt", "docs/a.txt"]]
    assert {each["document"] for each in answer["failed"]} == {"docs/a.txt", "docs/b.txt", "docs/c.txt"}
    assert [each["document"] for each in answer["blocked"]] == ["docs/after.txt"]
    assert project.outputs() == {"well.txt": b"well"}


def test_the_path_is_told_in_words_and_logged(project: Project) -> None:
    project.write_all({"docs/a.sum": "needs b.sum", "docs/b.sum": "needs a.sum"})
    told = project.kahnd("build", code=3).told
    assert "docs/a.sum → docs/b.sum → docs/a.sum" in told or "docs/b.sum → docs/a.sum → docs/b.sum" in told
    assert project.log("cycle.found")


def test_a_document_that_depends_on_itself_is_a_cycle_of_one(project: Project) -> None:
    project.write_all(
        {
            "docs/include.txt": '{% include "include.txt" %}',
            "docs/declared.md": "---\ndepends_on: [declared.md]\n---\n",
            "docs/scanned.sum": "needs scanned.sum",
            "docs/well.txt": "well",
        }
    )
    answer = project.build(code=3)
    assert sorted(answer["cycles"]) == [
        ["docs/declared.md", "docs/declared.md"],
        ["docs/include.txt", "docs/include.txt"],
        ["docs/scanned.sum", "docs/scanned.sum"],
    ]
    assert answer["rendered"] == ["docs/well.txt"]


def test_a_cycle_through_plain_documents_is_one(project: Project) -> None:
    project.write_all(
        {
            "docs/a.txt": '{% include "_b.txt" %}',
            "docs/_b.txt": '{% include "_c.txt" %}',
            "docs/_c.txt": '{% include "_b.txt" %}',
        }
    )
    answer = project.build(code=3)
    assert [_turned(each) for each in answer["cycles"]] == [["docs/_b.txt", "docs/_c.txt", "docs/_b.txt"]]
    assert [each["document"] for each in answer["blocked"]] == ["docs/a.txt"]


def test_pages_that_name_each_other_are_no_cycle(project: Project) -> None:
    project.write_all(
        {
            "docs/a.md": '# A\n\n[{{ page("b.md").title }}]({{ page("b.md").url }})\n',
            "docs/b.md": '# B\n\n[{{ page("a.md").title }}]({{ page("a.md").url }}) {{ page("b.md").title }}\n',
        }
    )
    answer = project.build()
    assert sorted(answer["rendered"]) == ["docs/a.md", "docs/b.md"]
    assert answer["cycles"] == []


def test_an_index_whose_posts_link_back_is_no_cycle(project: Project) -> None:
    link = '[{{ page("index.md").title }}]({{ page("index.md").url }})'
    project.write_all(
        {
            "docs/index.md": '# All\n\n{% for post in pages("*.md") %}{{ post.title }};{% endfor %}\n',
            "docs/first.md": f"# First\n\n{link}\n",
            "docs/second.md": f"# Second\n\n{link}\n",
        }
    )
    answer = project.build()
    assert len(answer["rendered"]) == 3
    assert "First;" in project.output("index.html")
    assert "All" in project.output("first.html")


def test_a_cycle_made_in_a_running_daemon_is_reported_and_breaking_it_recovers(live: Daemon) -> None:
    project = live.project
    project.write_all(
        {
            "docs/ring/a.sum": "A",
            "docs/ring/b.sum": "needs a.sum",
            "docs/ring/c.sum": "needs b.sum",
            "docs/ring/after.sum": "needs c.sum",
        }
    )
    project.wait()
    before = project.outputs()
    project.write("docs/ring/a.sum", "needs c.sum")
    answer = project.wait(code=3)
    assert [_turned(each) for each in answer["cycles"]] == [
        ["docs/ring/a.sum", "docs/ring/c.sum", "docs/ring/b.sum", "docs/ring/a.sum"]
    ]
    assert [each["document"] for each in answer["blocked"]] == ["docs/ring/after.sum"]
    assert project.outputs() == before
    with project.renders("docs/ring/unaffected.txt", code=3):
        project.write("docs/ring/unaffected.txt", "still alive")
    project.write("docs/ring/a.sum", "A, mended")
    answer = project.wait()
    assert answer["cycles"] == []
    assert project.status()["documents"]["failed"] == 0
    eventually(lambda: project.output("ring/after.cksum") != before["ring/after.cksum"].decode(), "the end is new")


def test_a_cycle_is_broken_by_a_deletion(live: Daemon) -> None:
    project = live.project
    project.write_all({"docs/two/a.sum": "needs b.sum", "docs/two/b.sum": "needs a.sum", "docs/two/c.sum": "C"})
    assert project.wait(code=3)["cycles"]
    project.remove("docs/two/b.sum")
    answer = project.wait(code=1)
    assert answer["cycles"] == []
    assert answer["blocked"][0]["because"] == "docs/two/b.sum"
    project.remove("docs/two/a.sum")
    project.wait()
