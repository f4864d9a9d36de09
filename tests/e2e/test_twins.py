"""A reference that misses by the form of an accent, or by case, names the file that it nearly meets."""

from __future__ import annotations

import unicodedata

import pytest

from e2e.harness import Project
from e2e.rules import FIRST_LINES, PAGES, SUMS

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
BY_CASE, BY_FORM = "differs by case", "NFC and NFD"


@pytest.mark.parametrize(
    ("there", "page", "told"),
    [
        ("docs/_About.md", "{% include '_about.md' %}", BY_CASE),
        (f"docs/_{DECOMPOSED}.md", f"{{% include '_{COMPOSED}.md' %}}", BY_FORM),
        (f"docs/_{COMPOSED}.md", f"{{% include '_{DECOMPOSED}.md' %}}", BY_FORM),
        ("docs/Sales.csv", "{{ data('sales.csv') }}", BY_CASE),
        ("docs/Other.md", "{{ page('other.md').title }}", BY_CASE),
        ("docs/Fig.head", "{{ output('fig.head') }}", BY_CASE),
        ("docs/FIG.HEAD", "{{ output('fig.head') }}", BY_CASE),
        ("docs/fig.head", "{{ output('fig.HEAD') }}", BY_CASE),
        ("docs/Other.md", "---\ndepends_on: [other.md]\n---\n", BY_CASE),
        ("docs/Layout.html", "---\ntemplate: layout.html\n---\n", BY_CASE),
        ("docs/_Base.md", "{% extends '_base.md' %}", BY_CASE),
        ("docs/Sub/_x.md", "{% include 'sub/_x.md' %}", BY_CASE),
        ("docs/_x.md", "{% include '/Docs/_x.md' %}", BY_CASE),
    ],
)
def test_a_pages_missing_reference_suggests_the_similar_file(
    project: Project, there: str, page: str, told: str
) -> None:
    project.write(there, "x: 1\n")
    project.write("docs/index.md", page)
    said = project.kahnd("build", code=1).told
    assert told in said
    assert there.removeprefix("docs/_x") in said


def test_a_missing_template_and_a_missing_sheet_suggest_the_similar_file(project: Project) -> None:
    project.configure(PAGES + 'template = "docs/page.html"\n', SUMS, FIRST_LINES)
    project.write("docs/Page.html", "{{ content }}")
    project.write("docs/Sheet.csv", "1")
    project.write("docs/a.md", "# a")
    project.write("docs/b.sum", "needs sheet.csv")
    said = project.kahnd("build", code=1).told
    assert "there is docs/Page.html, which differs by case" in said
    assert "there is docs/Sheet.csv, which differs by case" in said


@pytest.mark.parametrize("command", ["build", "plan", "why", "graph", "retry"])
def test_an_unknown_target_suggests_the_similar_document(project: Project, command: str) -> None:
    project.write("docs/about.md", "# about")
    project.build()
    said = project.kahnd(command, "docs/ABOUT.md", code=2).told
    assert "there is docs/about.md, which differs by case" in said


def test_a_missing_module_and_a_missing_fallback_suggest_the_similar_file(project: Project) -> None:
    project.configure(
        PAGES.replace('"page"', '"python"\nfunction = "tools.plug:run"'),
        FIRST_LINES.replace('"head", "-n", "1"', '"no-such-program"') + 'fallback = "docs/none.svg"\n',
    )
    for name in ("tools/Plug.py", "docs/None.svg", "docs/a.md", "docs/b.head"):
        project.write(name, "")
    said = project.kahnd("build", code=1).told
    assert "there is tools/Plug.py, which differs by case" in said
    assert "there is docs/None.svg, which differs by case" in said
