"""`kahnd import` makes a project of a site of MkDocs or mdBook that builds, and tells what it could not take over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from config.helpers import schemas
from kahnd.cli.main import run
from kahnd.config.loader import load
from kahnd.core.model import DocumentId

MKDOCS = """\
site_name: Cheese
site_url: https://cheese.example/
repo_url: https://git.example/me/cheese
edit_uri: edit/main/docs/
nav:
- Home: index.md
- '':
  - kinds/index.md
  - kinds/brie.md
markdown_extensions:
- admonition
- tables
- pymdownx.keys
- pymdownx.emoji:
    emoji_index: !!python/name:material.extensions.emoji.twemoji
plugins: [search, macros]
extra: {version: 1}
extra_css: [more.css]
"""
MDBOOK = '[book]\ntitle = "Cheese"\nauthors = ["Me"]\n[output.html.redirect]\n"old.html" = "new.html"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "site"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def mkdocs(folder: Path) -> None:
    pages = {"docs/index.md": "# Home\n", "docs/kinds/index.md": "# Kinds\n", "docs/kinds/brie.md": "# Brie {{ x }}\n"}
    write(folder, {"mkdocs.yml": MKDOCS, **pages})


def mdbook(folder: Path) -> None:
    summary = "# Summary\n\n- [One](one.md)\n  - [Two](sub/two.md)\n"
    one = "# One\n\n```rust\n{{#include ../code/main.rs:part}}\n```\n"
    write(
        folder,
        {"book.toml": MDBOOK, "src/SUMMARY.md": summary, "src/one.md": one, "src/sub/two.md": "# Two\n"}
        | {"code/main.rs": "// ANCHOR: part\nfn part() {}\n// ANCHOR_END: part\nfn rest() {}\n"},
    )


def imported(kind: str, folder: Path) -> None:
    assert run(["-C", str(folder), "import", kind]) == 0


def built(folder: Path) -> dict[str, str]:
    assert run(["-C", str(folder), "build"]) == 0
    return {str(each.relative_to(folder / "site")): each.read_text() for each in (folder / "site").rglob("*.html")}


def test_a_site_of_mkdocs_keeps_its_addresses_its_title_and_its_navigation(folder: Path) -> None:
    mkdocs(folder)
    imported("mkdocs", folder)
    layout = load(folder, schemas(), {}).layout
    assert layout.output_of(DocumentId("docs/kinds/brie.md")) == "site/kinds/brie/index.html"
    assert layout.output_of(DocumentId("docs/kinds/index.md")) == "site/kinds/index.html"
    data = yaml.safe_load((folder / "data/site.yaml").read_text())
    assert data["title"] == "Cheese"
    assert data["edit"] == "https://git.example/me/cheese/edit/main/{path}"
    assert data["nav"] == [{"Home": "index.md"}, {"kinds/index.md": ["kinds/brie.md"]}]


def test_what_mkdocs_has_and_kahnd_has_not_is_told_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mkdocs(folder)
    assert run(["-C", str(folder), "import", "mkdocs", "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert {(each["line"], each["message"]) for each in notes} == {
        (13, "the extension pymdownx.keys has no equivalent"),
        (14, "the extension pymdownx.emoji has no equivalent"),
        (16, "the plug-in macros has no equivalent"),
        (17, "`extra` is not taken over"),
        (18, "`extra_css` is not taken over"),
    }


REDIRECTS = {
    "mkdocs": (
        "mkdocs.yml",
        "plugins:\n- redirects:\n    redirect_maps:\n      old/brie.md: kinds/brie.md\n      old.md: https://x.org\n",
        {"docs/kinds/brie.md is not at its old address /old/brie/ yet", "the redirect of /old/ leads to no page"},
    ),
    "mdbook": (
        "book.toml",
        '[output.html.redirect]\n"/old/one.html" = "../one.html"\n"/old.html" = "https://x.org"\n',
        {"src/one.md is not at its old address /old/one.html yet", "the redirect of /old.html leads to no page"},
    ),
}


@pytest.mark.parametrize("kind", REDIRECTS)
def test_the_alias_that_keeps_an_old_address_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    (mkdocs if kind == "mkdocs" else mdbook)(folder)
    name, config, expected = REDIRECTS[kind]
    write(folder, {name: config})
    assert run(["-C", str(folder), "import", kind, "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert all(each["line"] for each in notes)
    assert {each["message"] for each in notes} == expected


def test_a_site_of_mkdocs_builds_with_its_braces_as_text(folder: Path) -> None:
    mkdocs(folder)
    imported("mkdocs", folder)
    pages = built(folder)
    assert "Brie {{ x }}" in pages["kinds/brie/index.html"]
    assert 'href="../../"' in pages["kinds/brie/index.html"]


def test_a_book_of_mdbook_builds_with_the_code_that_it_includes(folder: Path) -> None:
    mdbook(folder)
    imported("mdbook", folder)
    page = built(folder)["one.html"]
    assert "part" in page
    assert "ANCHOR" not in page
    assert "rest" not in page
    assert 'href="sub/two.html"' in page


def test_an_anchor_that_is_not_there_fails_with_the_line_of_the_directive(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mdbook(folder)
    imported("mdbook", folder)
    (folder / "code/main.rs").write_text("fn part() {}\n")
    assert run(["-C", str(folder), "build"]) == 1
    assert "src/one.md:4: code/main.rs has no anchor part" in capsys.readouterr().out


def test_no_file_of_a_site_is_changed_or_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mkdocs(folder)
    write(folder, {"data/site.yaml": "mine"})
    assert run(["-C", str(folder), "import", "mkdocs"]) == 2
    assert "data/site.yaml" in capsys.readouterr().err
    assert (folder / "data/site.yaml").read_text() == "mine"
    assert not (folder / "kahnd.toml").exists()


def test_outputs_stay_out_of_the_folder_that_another_generator_has_filled(folder: Path) -> None:
    mkdocs(folder)
    write(folder, {"site/index.html": "made by MkDocs"})
    imported("mkdocs", folder)
    assert load(folder, schemas(), {}).layout.output == "public"


@pytest.mark.parametrize(("kind", "name"), [("mkdocs", "mkdocs.yml"), ("mdbook", "book.toml")])
def test_a_folder_without_such_a_site_and_a_broken_configuration_are_errors(
    folder: Path, kind: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir()
    assert run(["-C", str(folder), "import", kind]) == 2
    assert f"has no {name}" in capsys.readouterr().err
    write(folder, {name: "[: broken"})
    assert run(["-C", str(folder), "import", kind]) == 2
    assert name in capsys.readouterr().err


OUTSIDE = {
    "mkdocs": ("mkdocs.yml", "site_name: Cheese\ndocs_dir: {}\n", "docs_dir", 2),
    "mdbook": ("book.toml", '[book]\nsrc = "{}"\n', "src", 2),
    "hugo": ("hugo.toml", 'title = "Cheese"\n\ncontentDir = "{}"\n', "contentDir", 3),
}


@pytest.mark.parametrize("kind", OUTSIDE)
@pytest.mark.parametrize("place", ["../pages", "/srv/pages", "a/../../pages", ".."])
def test_pages_that_are_not_below_the_folder_are_told_with_the_line(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str, place: str
) -> None:
    name, config, key, line = OUTSIDE[kind]
    write(folder, {name: config.format(place), "../pages/index.md": "# Home\n"})
    assert run(["-C", str(folder), "import", kind]) == 2
    told = capsys.readouterr().err
    assert f"{name}:{line}: `{key}` is {place}, which is not below the folder of {name}" in told
    assert f"move the pages there, or {name} above them" in told
    assert not (folder / "kahnd.toml").exists()


def test_a_folder_of_pages_that_is_not_there_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"mkdocs.yml": "site_name: Cheese\ndocs_dir: pages\n"})
    assert run(["-C", str(folder), "import", "mkdocs"]) == 2
    assert "mkdocs.yml:2: " in (told := capsys.readouterr().err)
    assert "has no folder pages, where its pages should be" in told


def test_chapters_beside_the_configuration_can_be_imported(folder: Path) -> None:
    texts = {"SUMMARY.md": "- [One](one.md)\n- [Two](sub/two.md)\n", "one.md": "# One\n", "sub/two.md": "# Two\n"}
    write(folder, {"book.toml": '[book]\nsrc = "."\n', **texts})
    imported("mdbook", folder)
    found = built(folder)
    assert {"one.html", "sub/two.html"} <= found.keys()
    assert '<a href="sub/two.html">Two</a>' in found["one.html"]


def test_the_tags_of_mkdocs_have_pages(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = {"docs/index.md": "---\ntags: [Soft]\n---\n# Home\n", "docs/tags.md": "# Tags\n\n[TAGS]\n"}
    write(folder, {"mkdocs.yml": "site_name: Cheese\nplugins: [search, tags]\n", **pages})
    imported("mkdocs", folder)
    assert "docs/tags.md:3: a list of tags" in capsys.readouterr().out
    (folder / "docs/tags.md").unlink()
    found = built(folder)
    assert '<a href="../">Home</a>' not in found["tags/index.html"].partition("<article>")[2]
    assert '<a href="soft/">Soft</a> (1)' in found["tags/index.html"]
    assert '<a rel="tag" href="tags/soft/">Soft</a>' in found["index.html"]
