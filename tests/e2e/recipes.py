"""The recipes of `kahnd init --recipe`: what each needs, edits of every kind of source it has, and mistakes in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Change:
    """Replaces the text `old` of a file by `new`, or the whole file, if there is one, by a copy of `instead`."""

    file: str
    old: str = ""
    new: str = ""
    instead: str = ""


@dataclass(frozen=True)
class Edit(Change):
    """`renders`: the documents that it renders."""

    renders: tuple[str, ...] = field(kw_only=True)


@dataclass(frozen=True)
class Mistake(Change):
    """`places`: by document that fails, the file and line that it names."""

    places: Mapping[str, str] = field(kw_only=True)


@dataclass(frozen=True)
class Recipe:
    """A folder of `kahnd/cli/starters/recipes`. `programs`: those that have to be installed."""

    name: str
    programs: tuple[str, ...]
    edits: tuple[Edit, ...]
    mistakes: tuple[Mistake, ...]


def _in_typst(place: str) -> Mapping[str, str]:
    return {"paper/paper.typ": f"paper/{place}"}


_FIGURES: Final = "docs/figures"

DIAGRAMS: Final = Recipe(
    "diagrams",
    ("dot", "plantuml"),
    (
        Edit("docs/index.md", "The machines", "All machines", renders=("docs/index.md",)),
        # index.md only links to the picture.
        Edit(f"{_FIGURES}/network.dot", "-> mail", "-> mail -> queue", renders=(f"{_FIGURES}/network.dot",)),
        # login.md contains the picture.
        Edit(f"{_FIGURES}/login.puml", "a cookie", "a token", renders=(f"{_FIGURES}/login.puml", "docs/login.md")),
        Edit(  # an include of an include
            f"{_FIGURES}/_colours.puml",
            "#eef4fa",
            "#ffeecc",
            renders=(f"{_FIGURES}/login.puml", f"{_FIGURES}/order.puml", "docs/login.md"),
        ),
    ),
    (
        Mistake(
            f"{_FIGURES}/network.dot",
            "web -> shop",
            "web -> > shop",
            places={f"{_FIGURES}/network.dot": f"{_FIGURES}/network.dot:6"},
        ),
        Mistake(
            f"{_FIGURES}/_style.puml",
            "skinparam shadowing",
            "skin shadowing",
            places=dict.fromkeys((f"{_FIGURES}/login.puml", f"{_FIGURES}/order.puml"), f"{_FIGURES}/_style.puml:3"),
        ),
        Mistake("docs/login.md", "login.puml", "logout.puml", places={"docs/login.md": "docs/login.md:9"}),
    ),
)

_ASSETS: Final = "docs/assets"

STYLES: Final = Recipe(
    "styles",
    ("sassc", "esbuild"),
    (
        Edit("docs/index.md", "## Colours", "## The colours", renders=("docs/index.md",)),
        Edit("templates/page.html", "<body>", '<body class="page">', renders=("docs/index.md", "docs/print.md")),
        # The pages only link to the style sheets.
        Edit(f"{_ASSETS}/_palette.scss", "#222", "#333", renders=(f"{_ASSETS}/site.scss", f"{_ASSETS}/print.scss")),
        # An import of an import, in both languages.
        Edit(f"{_ASSETS}/parts/_shapes.scss", "0.4rem", "0.5rem", renders=(f"{_ASSETS}/site.scss",)),
        Edit(f"{_ASSETS}/lib/dom.js", "textContent", "innerText", renders=(f"{_ASSETS}/site.js",)),
    ),
    (
        Mistake(
            f"{_ASSETS}/parts/_buttons.scss",
            "$accent",
            "$no-such-colour",
            places={f"{_ASSETS}/site.scss": f"{_ASSETS}/parts/_buttons.scss:5"},
        ),
        Mistake(
            f"{_ASSETS}/site.scss",
            "parts/_buttons",
            "parts/_no_buttons",
            places={f"{_ASSETS}/site.scss": f"{_ASSETS}/site.scss:2"},
        ),
        Mistake(
            f"{_ASSETS}/parts/_buttons.scss",
            "_shapes.scss",
            "_no_shapes.scss",
            places={f"{_ASSETS}/site.scss": f"{_ASSETS}/parts/_buttons.scss:1"},
        ),
        Mistake(
            f"{_ASSETS}/lib/dom.js",
            "const made",
            "const",
            places={f"{_ASSETS}/site.js": f"{_ASSETS}/lib/dom.js:2"},
        ),
    ),
)

_PHOTOS: Final = "docs/photos"

THUMBNAILS: Final = Recipe(
    "thumbnails",
    ("convert",),
    (
        Edit("docs/captions.yaml", "at noon", "in the morning", renders=("docs/index.md",)),
        Edit(f"{_PHOTOS}/sailing.jpg", instead=f"{_PHOTOS}/evening.jpg", renders=(f"{_PHOTOS}/sailing.jpg",)),
        Edit(  # the gallery follows the folder
            f"{_PHOTOS}/another.jpg",
            instead=f"{_PHOTOS}/mountain.jpg",
            renders=(f"{_PHOTOS}/another.jpg", "docs/index.md"),
        ),
        Edit("docs/style.css", "60rem", "70rem", renders=("docs/style.css",)),
    ),
    (
        Mistake("docs/captions.yaml", "A mountain", "A: mountain", places={"docs/index.md": "docs/captions.yaml:2"}),
        Mistake(
            f"{_PHOTOS}/sailing.jpg",
            instead="docs/captions.yaml",
            places={f"{_PHOTOS}/sailing.jpg": f"{_PHOTOS}/sailing.jpg:0"},
        ),
    ),
)

_PAPER: Final = ("paper/paper.tex",)

LATEX: Final = Recipe(
    "latex",
    ("latexmk", "pdflatex", "bibtex", "dot"),
    (
        Edit("paper/paper.tex", "On saving", "About saving", renders=_PAPER),
        Edit("paper/letter.tex", "enclosed", "attached", renders=("paper/letter.tex",)),
        Edit("paper/chapters/introduction.tex", "The idea", "This idea", renders=_PAPER),
        Edit("paper/tables/times.tex", "0.001", "0.002", renders=_PAPER),  # an include of an include
        Edit("paper/references.bib", "Stuart I.", "S. I.", renders=_PAPER),
        Edit(
            "paper/figures/graph.dot",
            "chapters -> figure",
            "chapters -> figures",
            renders=("paper/figures/graph.dot", *_PAPER),
        ),
    ),
    (
        Mistake(
            "paper/tables/times.tex",
            "\\hline",
            "\\hlime",
            places={"paper/paper.tex": "paper/tables/times.tex:5"},
        ),
        Mistake(
            "paper/chapters/method.tex",
            "tables/times",
            "tables/no-times",
            places={"paper/paper.tex": "paper/chapters/method.tex:12"},
        ),
        Mistake(
            "paper/paper.tex", "chapters/method", "chapters/no-method", places={"paper/paper.tex": "paper/paper.tex:13"}
        ),
        Mistake("paper/references.bib", "volume  =", "volume  ", places={"paper/paper.tex": "paper/references.bib:5"}),
        Mistake(
            "paper/figures/graph.dot",
            "paper -> references",
            "paper -> > references",
            places={"paper/figures/graph.dot": "paper/figures/graph.dot:5"},
        ),
    ),
)

_TYPST: Final = ("paper/paper.typ",)

TYPST: Final = Recipe(
    "typst",
    ("typst", "dot"),
    (
        Edit("paper/paper.typ", "On saving", "About saving", renders=_TYPST),
        Edit("paper/letter.typ", "enclosed", "attached", renders=("paper/letter.typ",)),
        Edit("paper/_template.typ", "1.6em", "1.8em", renders=_TYPST),
        Edit("paper/chapters/introduction.typ", "The idea", "This idea", renders=_TYPST),
        Edit("paper/tables/times.csv", "0.001", "0.002", renders=_TYPST),  # read by an import of an include
        Edit("paper/references.bib", "A Program", "A Tool", renders=_TYPST),
        Edit("paper/figures/graph.dot", "-> figure", "-> figures", renders=("paper/figures/graph.dot", *_TYPST)),
    ),
    (
        Mistake("paper/_template.typ", "align(center)", "align(centre)", places=_in_typst("_template.typ:5")),
        Mistake("paper/tables/_times.typ", "times.csv", "no-times.csv", places=_in_typst("tables/_times.typ:1")),
        Mistake("paper/tables/times.csv", "hash,0.002", "hash", places=_in_typst("tables/times.csv:2")),
        Mistake("paper/references.bib", "volume  =", "volume", places=_in_typst("references.bib:5")),
        Mistake("paper/paper.typ", "chapters/method", "chapters/no-method", places=_in_typst("paper.typ:6")),
    ),
)

_NOTEBOOK: Final = ("notebooks/harvest.ipynb", "docs/index.md")

NOTEBOOKS: Final = Recipe(
    "notebooks",
    ("jupyter-nbconvert",),
    (
        Edit("docs/about.md", "is written", "was written", renders=("docs/about.md",)),
        Edit("notebooks/harvest.ipynb", "The numbers", "All numbers", renders=_NOTEBOOK),
        Edit("data/harvest.csv", "apples,12", "apples,13", renders=_NOTEBOOK),
        # The picture is a file of its own, to which the page only links.
        Edit("notebooks/charts.py", "#205080", "#802050", renders=_NOTEBOOK[:1]),
    ),
    (
        Mistake("notebooks/charts.py", "max(", "mux(", places={_NOTEBOOK[0]: "notebooks/charts.py:6"}),
        Mistake("notebooks/harvest.ipynb", "DictReader", "Reader", places={_NOTEBOOK[0]: "notebooks/harvest.ipynb:0"}),
    ),
)


def _in_manual(place: str) -> Mapping[str, str]:
    return {"docs/index.rst": f"docs/{place}"}


_MANUAL: Final = ("docs/index.rst",)

SPHINX: Final = Recipe(
    "sphinx",
    ("sphinx-build",),
    (
        Edit("docs/guide/install.rst", "Then", "And then", renders=_MANUAL),
        Edit("docs/guide/settings.csv", "blue", "red", renders=_MANUAL),
        Edit("docs/_includes/version.rst", "version 3", "version 4", renders=_MANUAL),  # an include of an include
        Edit("docs/_static/manual.css", "sans-serif", "serif", renders=_MANUAL),
        Edit("docs/conf.py", "A manual", "The manual", renders=_MANUAL),
    ),
    (
        Mistake(
            "docs/_includes/requirements.rst",
            ".. include",
            ".. inclde",
            places=_in_manual("_includes/requirements.rst:3"),
        ),
        Mistake("docs/guide/use.rst", ":ref:`install`", ":ref:`instal`", places=_in_manual("guide/use.rst:6")),
        Mistake("docs/conf.py", "project = ", "project := ", places=_in_manual("conf.py:6")),
    ),
)

_BOOK: Final = ("book/book.md",) * 3
"""Once for each format."""

PANDOC: Final = Recipe(
    "pandoc",
    ("pandoc", "dot", "python3"),
    (
        Edit("book/chapters/introduction.md", "The idea", "This idea", renders=_BOOK),
        Edit("book/chapters/times.md", "0.001", "0.002", renders=_BOOK),  # an include of an include
        Edit("book/references.bib", "A Program", "A Tool", renders=_BOOK),
        Edit("book/figures/graph.dot", "-> figure", "-> figures", renders=("book/figures/graph.dot", *_BOOK)),
        Edit("book/_pandoc.yaml", "toc: true", "toc: false", renders=_BOOK),
    ),
    (
        Mistake("book/references.bib", "volume  =", "volume", places={_BOOK[0]: "book/references.bib:5"}),
        Mistake("book/chapters/method.md", "/times.md", "/no.md", places={_BOOK[0]: "book/chapters/method.md:8"}),
        Mistake("book/book.md", "/introduction.md", "/no.md", places={_BOOK[0]: "book/book.md:10"}),
        Mistake(
            "book/figures/graph.dot",
            "paper -> references",
            "paper -> > references",
            places={"book/figures/graph.dot": "book/figures/graph.dot:5"},
        ),
    ),
)

RECIPES: Final = (DIAGRAMS, STYLES, THUMBNAILS, LATEX, TYPST, PANDOC, NOTEBOOKS, SPHINX)
