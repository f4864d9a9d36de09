from __future__ import annotations

from core.language import hash_of, look
from core.world import LAYOUT
from kahnd.core.graph import Graph
from kahnd.core.intake import CONTENT, CONTESTED, GONE, MEMBERS, NEW, RECIPE, Intake, Noticed
from kahnd.core.model import DocumentId, Facts, OutputPath, Problem, Sighting, Snapshot, Stat, Status

ALL = DocumentId("/docs/*.md")


class Looked:
    """An intake over a graph, shown texts."""

    def __init__(self) -> None:
        self.graph = Graph(LAYOUT, Snapshot())
        self.intake = Intake(self.graph)

    def see(self, texts: dict[str, str | None]) -> Noticed:
        return self.intake.observe([_sighting(path, text) for path, text in texts.items()])

    def finish(self, document: str, output: str) -> None:
        facts = self.graph[DocumentId(document)].facts
        done = Facts(
            facts.id,
            Status.DONE,
            content_hash=facts.content_hash,
            last_rendered_hash=facts.content_hash,
            recipe_hash=facts.recipe_hash,
            last_recipe_hash=facts.recipe_hash,
            output=OutputPath(output),
        )
        self.graph.put(done)


def _sighting(path: str, text: str | None) -> Sighting:
    if text is None:
        return Sighting(DocumentId(path))
    return Sighting(DocumentId(path), hash_of(text), Stat(0, 0, 0, 0, 0), look(text))


def test_a_new_document_is_a_change_of_content() -> None:
    noticed = Looked().see({"docs/a.md": "one"})
    (change,) = noticed.changes.values()
    assert (change.facts.status, change.content, noticed.reasons) == (Status.DIRTY, True, {"docs/a.md": NEW})
    assert change.facts.content_hash == hash_of("one")


def test_new_bytes_replace_the_edges() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "include docs/p.txt", "docs/p.txt": "", "docs/q.txt": ""})
    noticed = looked.see({"docs/a.md": "include docs/q.txt"})
    edges = noticed.changes[DocumentId("docs/a.md")].edges
    assert ([each.target for each in edges.add], list(edges.drop)) == (["docs/q.txt"], ["docs/p.txt"])
    assert noticed.reasons == {"docs/a.md": CONTENT}


def test_the_same_bytes_with_another_stat_are_no_change_but_kept() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "one"})
    stat = Stat(3, 7, 7, 7, 7)
    noticed = looked.intake.observe([Sighting(DocumentId("docs/a.md"), hash_of("one"), stat)])
    assert noticed.changes == {}
    assert [result.facts.stat for result in noticed.touched] == [stat]


def test_another_recipe_is_no_change_of_content() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "one"})
    looked.finish("docs/a.md", "site/a.html")
    looked.graph.layout = type(LAYOUT)(LAYOUT.sources, LAYOUT.output, ())
    looked.graph.put(looked.graph[DocumentId("docs/a.md")].facts)
    noticed = looked.see({"docs/a.md": "one"})
    assert noticed.reasons == {"docs/a.md": RECIPE}
    assert not noticed.changes[DocumentId("docs/a.md")].content


def test_what_is_depended_on_and_not_there_is_born_missing_and_forgotten() -> None:
    looked = Looked()
    noticed = looked.see({"docs/a.md": "include docs/p.txt"})
    born = noticed.changes[DocumentId("docs/p.txt")]
    assert (born.facts.status, born.forget) == (Status.MISSING, False)
    noticed = looked.see({"docs/a.md": "nothing"})
    assert noticed.changes[DocumentId("docs/p.txt")].forget
    assert DocumentId("docs/p.txt") not in looked.graph


def test_a_document_that_goes_and_is_needed_stays_as_missing() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "include docs/p.txt", "docs/p.txt": ""})
    noticed = looked.see({"docs/p.txt": None})
    change = noticed.changes[DocumentId("docs/p.txt")]
    assert (change.facts, change.forget, change.content) == (
        Facts(DocumentId("docs/p.txt"), Status.MISSING),
        False,
        True,
    )


def test_a_document_that_goes_and_is_not_needed_is_forgotten() -> None:
    looked = Looked()
    looked.see({"docs/a.md": ""})
    noticed = looked.see({"docs/a.md": None})
    assert noticed.changes[DocumentId("docs/a.md")].forget
    assert noticed.reasons == {"docs/a.md": GONE}
    assert not list(looked.graph)


def test_the_end_of_what_was_never_there_is_nothing() -> None:
    assert Looked().see({"docs/a.md": None}).changes == {}


def test_a_document_that_can_not_be_read_has_its_problem_and_no_hash() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "one"})
    problem = Problem("can't be read")
    noticed = looked.intake.observe([Sighting(DocumentId("docs/a.md"), problem=problem)])
    facts = noticed.changes[DocumentId("docs/a.md")].facts
    assert (facts.content_hash, facts.problem) == (None, problem)


def test_a_collection_is_born_with_its_members_and_follows_them() -> None:
    looked = Looked()
    noticed = looked.see({"docs/a.md": "", "docs/x.txt": "pages docs/*.md"})
    assert noticed.changes[ALL].content
    assert looked.intake.members(ALL) == ("docs/a.md",)
    noticed = looked.see({"docs/b.md": "", "docs/deep/c.md": ""})
    assert noticed.reasons[ALL] == MEMBERS
    assert looked.intake.members(ALL) == ("docs/a.md", "docs/b.md")
    looked.see({"docs/a.md": None})
    assert looked.intake.members(ALL) == ("docs/b.md",)


def test_a_collection_whose_members_stay_is_no_change() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "", "docs/x.txt": "pages docs/*.md"})
    assert ALL not in looked.see({"docs/a.md": "edited"}).changes


def test_a_collection_that_nothing_needs_is_forgotten() -> None:
    looked = Looked()
    looked.see({"docs/x.txt": "pages docs/*.md"})
    assert looked.see({"docs/x.txt": ""}).changes[ALL].forget
    assert ALL not in looked.graph


def test_a_collection_of_an_earlier_life_is_gathered() -> None:
    snapshot = Snapshot((Facts(DocumentId("docs/a.md")), Facts(ALL), Facts(DocumentId("docs/b.md"), Status.MISSING)))
    assert Intake(Graph(LAYOUT, snapshot)).members(ALL) == ("docs/a.md",)


def test_an_output_claimed_by_a_second_makes_the_first_dirty() -> None:
    looked = Looked()
    looked.see({"docs/a.md": ""})
    noticed = looked.see({"docs/a.alt": ""})
    assert noticed.reasons == {"docs/a.alt": NEW, "docs/a.md": CONTESTED}
    assert not noticed.changes[DocumentId("docs/a.md")].content


def test_the_end_of_a_claim_makes_the_other_dirty_and_removes_what_only_it_has_made() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "", "docs/a.alt": ""})
    looked.finish("docs/a.md", "site/a.html")
    noticed = looked.see({"docs/a.md": None})
    assert noticed.reasons["docs/a.alt"] == CONTESTED  # type: ignore[index]
    assert noticed.removed == [("site/a.html", "docs/a.md")]
