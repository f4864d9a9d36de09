"""`kahnd import hugo` writes the pages of a site of Hugo anew, and tells what it could not take over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from cli.test_importing import built, imported, write
from config.helpers import schemas
from kahnd.cli.main import run
from kahnd.config.loader import load
from kahnd.core.model import DocumentId

CONFIG = """\
baseURL = "https://cheese.example/"
title = "Cheese"
languageCode = "en-GB"
timeZone = "Europe/Oslo"

[params]
description = "All about it"
maker = { name = "Ada" }

[[menus.main]]
name = "Kinds"
pageRef = "/kinds"
weight = 2

[[menus.main]]
name = "Start"
pageRef = "/"
weight = 1

[[menus.main]]
name = "Source"
url = "https://git.example/"
"""
HOME = """\
---
title: Cheese
---
Start with [brie]({{< ref "kinds/brie.md#taste" >}}), then [gouda]({{< relref "gouda" >}}), by {{< param maker.name >}}.

{{< details summary="More" >}}
Some *text*.
{{< /details >}}

{{< figure src="/images/wheel.svg" alt="A wheel" caption="Round" >}}

{{< highlight go >}}
fmt.Println("{{ x }}")
{{< /highlight >}}

{{< youtube abc123 >}}
"""
BRIE = """\
+++
title = "Brie"
weight = 2
date = 2020-01-02
publishDate = 2020-02-03T10:00:00Z
aliases = ["/old/brie/"]
tags = ["soft"]
expiryDate = 2099-01-01
[params]
origin = "France"
+++
# Brie

## Taste

{{% note "Beware" %}}
It *smells*.
{{% /note %}}

Write `{{</* note */>}}` for a note.
"""
SITE = {
    "hugo.toml": CONFIG,
    "content/_index.md": HOME,
    "content/kinds/_index.md": "---\ntitle: Kinds\nweight: 1\noutputs: [html, rss]\n---\n",
    "content/kinds/brie.md": BRIE,
    "content/kinds/gouda/index.md": '{\n  "title": "Gouda",\n  "url": "/dutch/",\n'
    '  "aliases": ["/old/brie/", "/dutch/", "/old/gouda/"]\n}\n![Picture](gouda.svg)\n',
    "content/kinds/gouda/gouda.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "content/kinds/Blue Cheese.md": "# Blue\n\n```` {.toml file=hugo.toml}\nx = 1\n````\n",
    "content/kinds/later.md": "---\ntitle: Later\ndraft: true\n---\n",
    "static/images/wheel.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "layouts/shortcodes/note.html": "<b>{{ .Inner }}</b>",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "site", SITE)
    return tmp_path / "site"


def front_of(folder: Path, page: str) -> dict[str, object]:
    front: dict[str, object] = yaml.safe_load((folder / page).read_text().split("---\n")[1])
    return front


def test_the_configuration_and_the_menu_become_the_data_of_the_site(folder: Path) -> None:
    imported("hugo", folder)
    data = yaml.safe_load((folder / "data/site.yaml").read_text())
    assert data == {
        "title": "Cheese",
        "description": "All about it",
        "url": "https://cheese.example",
        "language": "en-GB",
        "tags": "tags.md",
        "nav": [{"Start": "index.md"}, {"Kinds": "kinds/"}, {"Source": "https://git.example/"}],
        "pages": "/docs/**/*.md",
    }
    layout = load(folder, schemas(), {}).layout
    assert layout.output_of(DocumentId("docs/kinds/brie.md")) == "site/kinds/brie/index.html"
    assert layout.output_of(DocumentId("static/images/wheel.svg")) == "site/images/wheel.svg"


def test_front_matter_becomes_yaml_with_the_names_that_kahnd_knows(folder: Path) -> None:
    imported("hugo", folder)
    brie = front_of(folder, "docs/kinds/brie.md")
    assert (brie["title"], brie["order"], brie["aliases"], brie["tags"]) == ("Brie", 2, ["/old/brie/"], ["soft"])
    assert str(brie["date"]).startswith("2020-02-03")
    assert front_of(folder, "docs/kinds/gouda/index.md") == {
        "title": "Gouda",
        "permalink": "/dutch/",
        "aliases": ["/old/gouda/"],
    }
    assert front_of(folder, "docs/kinds/index.md") == {"title": "Kinds", "order": 1}
    assert front_of(folder, "docs/kinds/later.md")["draft"] is True


def test_shortcodes_of_hugo_become_markdown_and_links_to_sources(folder: Path) -> None:
    imported("hugo", folder)
    home = (folder / "docs/index.md").read_text()
    assert "Start with [brie](kinds/brie.md#taste), then [gouda](kinds/gouda/index.md), by Ada." in home
    assert "<summary>More</summary>\n\nSome *text*.\n\n</details>" in home
    assert '```go\nfmt.Println("{{ x }}")\n```' in home
    assert "<https://www.youtube.com/watch?v=abc123>" in home


def test_the_site_builds_and_a_shortcode_of_its_own_is_a_warning_until_somebody_writes_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported("hugo", folder)
    pages = built(folder)
    assert "docs/kinds/brie.md:17: the shortcode note is not in SHORTCODES" in capsys.readouterr().out
    assert "It <em>smells</em>." in pages["kinds/brie/index.html"]
    assert "{{&lt; note &gt;}}" in pages["kinds/brie/index.html"]
    assert 'href="kinds/brie/#taste"' in pages["index.html"]
    assert 'src="/images/wheel.svg"' in pages["index.html"]
    assert "hugo.toml" in pages["kinds/blue-cheese/index.html"]
    assert 'src="../kinds/gouda/gouda.svg"' in pages["dutch/index.html"]
    assert "kinds/brie/" in pages["old/brie/index.html"]
    assert not any(".md" in page for page in pages.values())
    hook = folder / "tools/hugo.py"
    written = 'SHORTCODES = {"note": lambda document, given, inner: f"**{given[\'0\']}** {inner}"}'
    hook.write_text(hook.read_text().replace('SHORTCODES = {}  # {"note": note}, for example', written))
    assert "<strong>Beware</strong>" in built(folder)["kinds/brie/index.html"]
    assert "note is not" not in capsys.readouterr().out


def test_what_is_not_taken_over_is_told_with_its_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-C", str(folder), "import", "hugo", "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert [(each["file"], each["line"], each["message"]) for each in notes] == [
        ("hugo.toml", 4, "`timezone` is not taken over"),
        ("content/kinds/brie.md", 16, "the shortcode note, once"),
        ("content/kinds/brie.md", 1, "`expiryDate` in front matter is not taken over, once"),
        ("content/kinds/_index.md", 1, "`outputs` in front matter is not taken over, once"),
        (
            "content/kinds/gouda/index.md",
            1,
            "an alias of which there are two, or that is a page, is not taken over, 2 times, here the first",
        ),
        ("layouts", 0, "templates are not taken over"),
    ]


def test_the_site_itself_stays_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported("hugo", folder)
    assert {name: (folder / name).read_text() for name in SITE} == SITE
    (folder / "kahnd.toml").unlink()
    assert run(["-C", str(folder), "import", "hugo"]) == 2
    assert "already has" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "has no hugo.toml"),
        ({"hugo.toml": "[: broken"}, "hugo.toml"),
        ({"config/_default/hugo.yaml": "title: [", "content/a.md": ""}, "config/_default/hugo.yaml"),
        ({"config.json": "{}"}, "has no content"),
    ],
)
def test_a_folder_without_a_site_and_a_broken_configuration_are_errors(
    tmp_path: Path, files: dict[str, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, files)
    assert run(["-C", str(tmp_path), "import", "hugo"]) == 2
    assert told in capsys.readouterr().err


def test_a_page_with_broken_front_matter_is_told_and_copied(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"content/broken.md": "+++\ntitle = \n+++\ntext\n"})
    assert run(["-C", str(folder), "import", "hugo"]) == 0
    assert "content/broken.md:1: it can't be read" in capsys.readouterr().out
    assert (folder / "docs/broken.md").read_text().endswith("text\n")
