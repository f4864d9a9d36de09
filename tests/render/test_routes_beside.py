"""The route in a document's front matter, where several rules apply to it."""

from __future__ import annotations

from kahnd.core.model import DocumentId
from kahnd.core.renderings import rendering_id
from kahnd.core.rules import Layout, Rule
from kahnd.render.frontmatter import route_in

PAGE = Rule(0, "docs/*.md", "page", "{stem}.html")
PDF = Rule(1, "docs/*.md", "command", "{meta.year}/{stem}.pdf", also=True)
LAYOUT = Layout(("docs",), "site", (PAGE, PDF))
A = DocumentId("docs/a.md")
BESIDE = rendering_id(A, "{meta.year}/{stem}.pdf")


def claims(front_matter: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    route = route_in(f"---\nyear: 2026\n{front_matter}\n---\n".encode(), A, LAYOUT)
    assert route is not None
    assert route.problem is None, route.problem
    return LAYOUT.claims_by(PAGE, A, route), LAYOUT.claims_by(PDF, BESIDE, route)


def test_a_slug_and_values_count_for_all_renderings() -> None:
    assert claims("slug: b") == (("site/b.html",), ("site/2026/b.pdf",))


def test_a_permalink_and_aliases_are_for_the_first_rule() -> None:
    own, beside = claims("permalink: /x/y.html\naliases: [/old.html]")
    assert own == ("site/x/y.html", "site/old.html")
    assert beside == ("site/2026/y.pdf",)


def test_outputs_can_leave_out_those_of_a_rule_beside() -> None:
    assert claims("outputs: [html]") == (("site/a.html",), ())
    assert claims("outputs: [html, pdf]") == (("site/a.html",), ("site/2026/a.pdf",))


def test_outputs_that_leave_out_the_first_rule_are_a_mistake() -> None:
    route = route_in(b"---\nyear: 2026\noutputs: [pdf]\n---\n", A, LAYOUT)
    assert route is not None
    assert route.problem is not None
    assert "leaves out all that its first rule makes" in route.problem.message
