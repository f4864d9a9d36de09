from __future__ import annotations

from msgspec.structs import replace

from core.language import hash_of, look
from core.world import LAYOUT, PAGE_RULE, with_recipe
from kahnd.core.changes import CONTENT, CONTESTED, GONE, MEMBERS, NEW, RECIPE, ChangeIntake, ChangeSet
from kahnd.core.graph import Graph
from kahnd.core.model import (
    Change,
    Digest,
    DocumentId,
    Facet,
    Facets,
    Facts,
    Observation,
    OutputPath,
    Problem,
    Scan,
    Snapshot,
    Stat,
    Status,
)

ALL = DocumentId("/docs/*.md")


class Looked:
    """A ChangeIntake over a graph, which observes texts."""

    def __init__(self) -> None:
        self.graph = Graph(LAYOUT, Snapshot())
        self.intake = ChangeIntake(self.graph)

    def see(self, texts: dict[str, str | None]) -> ChangeSet:
        return self.intake.observe([_observation(path, text) for path, text in texts.items()])

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


def _observation(path: str, text: str | None) -> Observation:
    if text is None:
        return Observation(DocumentId(path))
    return Observation(DocumentId(path), hash_of(text), Stat(0, 0, 0, 0, 0), look(text))


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


def test_a_new_stat_of_the_same_bytes_is_kept_and_is_no_change() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "one"})
    stat = Stat(3, 7, 7, 7, 7)
    noticed = looked.intake.observe([Observation(DocumentId("docs/a.md"), hash_of("one"), stat)])
    assert noticed.changes == {}
    assert [looked.graph[each].facts.stat for each in noticed.touched] == [stat]


def test_a_new_recipe_is_no_change_of_content() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "one"})
    looked.finish("docs/a.md", "site/a.html")
    looked.graph.layout = type(LAYOUT)(LAYOUT.sources, LAYOUT.output, ())
    looked.graph.put(looked.graph[DocumentId("docs/a.md")].facts)
    noticed = looked.see({"docs/a.md": "one"})
    assert noticed.reasons == {"docs/a.md": RECIPE}
    assert not noticed.changes[DocumentId("docs/a.md")].content


def test_a_new_recipe_by_which_a_page_has_another_title_or_other_anchors_reaches_those_that_use_them() -> None:
    page, moved = DocumentId("docs/a.md"), with_recipe(PAGE_RULE, "2")

    def noticed(*facets: Facets) -> Change:
        looked = Looked()
        looked.graph.put(Facts(page, content_hash=hash_of("a"), last_rendered_hash=hash_of("a"), facets=facets[0]))
        recipe = looked.graph.recipe_of(page, Scan())
        output = OutputPath("site/a.html")
        before = looked.graph[page].facts
        looked.graph.put(
            replace(before, status=Status.DONE, recipe_hash=recipe, last_recipe_hash=recipe, output=output)
        )
        looked.graph.layout = moved
        changes = looked.intake.observe([Observation(page, hash_of("a"), Stat(0, 0, 0, 0, 0), Scan(facets=facets[1]))])
        return changes.changes[page]

    same, title, anchors = (
        Facets(Digest("f"), Digest("t"), Digest(title), Digest(anchors)) for title, anchors in ("ab", "xb", "ay")
    )
    seen = [noticed(same, each) for each in (same, title, anchors)]
    assert [(each.content, each.facets, each.linked) for each in seen] == [
        (False, None, False),
        (True, frozenset({Facet.TITLE}), False),
        (False, None, True),
    ]


def test_a_dependency_that_does_not_exist_is_added_as_missing_and_later_forgotten() -> None:
    looked = Looked()
    noticed = looked.see({"docs/a.md": "include docs/p.txt"})
    born = noticed.changes[DocumentId("docs/p.txt")]
    assert (born.facts.status, born.forget) == (Status.MISSING, False)
    noticed = looked.see({"docs/a.md": "nothing"})
    assert noticed.changes[DocumentId("docs/p.txt")].forget
    assert DocumentId("docs/p.txt") not in looked.graph


def test_a_removed_document_with_dependents_stays_as_missing() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "include docs/p.txt", "docs/p.txt": ""})
    noticed = looked.see({"docs/p.txt": None})
    change = noticed.changes[DocumentId("docs/p.txt")]
    assert (change.facts, change.forget, change.content) == (
        Facts(DocumentId("docs/p.txt"), Status.MISSING),
        False,
        True,
    )


def test_a_removed_document_without_dependents_is_forgotten() -> None:
    looked = Looked()
    looked.see({"docs/a.md": ""})
    noticed = looked.see({"docs/a.md": None})
    assert noticed.changes[DocumentId("docs/a.md")].forget
    assert noticed.reasons == {"docs/a.md": GONE}
    assert not list(looked.graph)


def test_the_removal_of_an_unknown_document_changes_nothing() -> None:
    assert Looked().see({"docs/a.md": None}).changes == {}


def test_an_unreadable_document_has_a_problem_and_no_hash() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "one"})
    problem = Problem("can't be read")
    noticed = looked.intake.observe([Observation(DocumentId("docs/a.md"), problem=problem)])
    facts = noticed.changes[DocumentId("docs/a.md")].facts
    assert (facts.content_hash, facts.problem) == (None, problem)


def test_a_new_collection_has_its_members_and_follows_them() -> None:
    looked = Looked()
    noticed = looked.see({"docs/a.md": "", "docs/x.txt": "pages docs/*.md"})
    assert noticed.changes[ALL].content
    assert looked.intake.members(ALL) == ("docs/a.md",)
    noticed = looked.see({"docs/b.md": "", "docs/deep/c.md": ""})
    assert noticed.reasons[ALL] == MEMBERS
    assert looked.intake.members(ALL) == ("docs/a.md", "docs/b.md")
    looked.see({"docs/a.md": None})
    assert looked.intake.members(ALL) == ("docs/b.md",)


def test_a_collection_with_the_same_members_is_no_change() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "", "docs/x.txt": "pages docs/*.md"})
    assert ALL not in looked.see({"docs/a.md": "edited"}).changes


def test_a_collection_without_dependents_is_forgotten() -> None:
    looked = Looked()
    looked.see({"docs/x.txt": "pages docs/*.md"})
    assert looked.see({"docs/x.txt": ""}).changes[ALL].forget
    assert ALL not in looked.graph


def test_a_collection_of_an_earlier_session_is_collected_again() -> None:
    snapshot = Snapshot((Facts(DocumentId("docs/a.md")), Facts(ALL), Facts(DocumentId("docs/b.md"), Status.MISSING)))
    assert ChangeIntake(Graph(LAYOUT, snapshot)).members(ALL) == ("docs/a.md",)


def test_a_second_claim_to_an_output_makes_the_first_document_dirty() -> None:
    looked = Looked()
    looked.see({"docs/a.md": ""})
    noticed = looked.see({"docs/a.alt": ""})
    assert noticed.reasons == {"docs/a.alt": NEW, "docs/a.md": CONTESTED}
    assert not noticed.changes[DocumentId("docs/a.md")].content


def test_a_dropped_claim_makes_the_rival_dirty_and_removes_the_output() -> None:
    looked = Looked()
    looked.see({"docs/a.md": "", "docs/a.alt": ""})
    looked.finish("docs/a.md", "site/a.html")
    noticed = looked.see({"docs/a.md": None})
    assert noticed.reasons["docs/a.alt"] == CONTESTED  # type: ignore[index]
    assert noticed.removed == [("site/a.html", "docs/a.md")]
