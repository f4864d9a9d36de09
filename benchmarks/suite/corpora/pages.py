"""Markdown pages, for kahnd and for Hugo: the same texts, the same includes, the same layout.

Three corpora: `layers` (small pages that include one another, and an index that links to the top ones), `heavy` (pages
of some 10 kB with tables and fenced code, no two alike) and `hub` (one partial that every page includes). A page
includes by kahnd's `{% include %}`; Hugo has a shortcode for it, so `for_hugo` writes its own spelling of the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from suite.corpora.corpus import Corpus, dice, numbered, put, words

HUB: Final = "docs/_partials/hub.md"
HUGO_HUB: Final = "layouts/shortcodes/hub.html"
_CONFIG: Final = """[project]
name = "corpus"
sources = ["docs", "templates"]

[[rules]]
match = "docs/**/*.md"
renderer = "page"
output = "{dir}/{stem}/index.html"
template = "templates/page.html"
"""
_LAYOUT: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>%s</title></head>
<body><main>%s</main><footer>A footer</footer></body>
</html>
"""
KAHND_LAYOUT: Final = _LAYOUT % ("{{ page.title }}", "{{ content }}")
HUGO_LAYOUT: Final = _LAYOUT % ("{{ .Title }}", "{{ .Content }}")


@dataclass(frozen=True)
class Page:
    """A page before it is spelt for either: its text, what it includes, and what it links to."""

    title: str
    text: str
    includes: tuple[str, ...] = ()
    links: tuple[str, ...] = field(default=())


Pages = Mapping[str, Page]


def layers(documents: int) -> Pages:
    """60 % leaves, 30 % that include two leaves each, the rest three of those each, and one index linking to them."""
    chance = dice()
    leaves = numbered("leaf", documents * 6 // 10, "md")
    mids = numbered("mid", documents * 3 // 10, "md")
    tops = numbered("top", documents - len(leaves) - len(mids) - 1, "md")
    pages = {name: _small(name, chance) for name in leaves}
    pages |= {name: _small(name, chance, tuple(chance.sample(leaves, 2))) for name in mids}
    pages |= {name: _small(name, chance, tuple(chance.sample(mids, 3))) for name in tops}
    return pages | {"docs/contents.md": Page("contents", "All of them.", links=tuple(tops))}


def hub(documents: int) -> Pages:
    """Small pages that all include the one partial."""
    chance = dice()
    partial = {HUB: Page("", f"The *hub*: {words(chance, 20)}")}
    return partial | {name: _small(name, chance, (HUB,)) for name in numbered("page", documents, "md")}


def heavy(documents: int) -> Pages:
    """Pages of some 10 kB: prose, lists, three tables and three blocks of code in three languages."""
    chance = dice()
    return {name: _heavy(Path(name).stem, chance) for name in numbered("page", documents, "md")}


def for_kahnd(root: Path, sort: str, pages: Pages) -> Corpus:
    """Write a project for kahnd."""
    put(root, ((name, _for_kahnd(page)) for name, page in pages.items()))
    put(root, [("kahnd.toml", _CONFIG), ("templates/page.html", KAHND_LAYOUT)])
    return _corpus(root, sort, pages)


def _for_kahnd(page: Page) -> str:
    includes = "".join(f'{{% include "/{each}" %}}\n\n' for each in page.includes)
    links = "".join(f'- <{{{{ output("/{each}") }}}}>\n' for each in page.links)
    return _spelt(page, includes + links)


def for_hugo(root: Path, sort: str, pages: Pages) -> Corpus:
    """Write a site for Hugo: an include is a page's own content, the hub's a shortcode with the text in it."""
    content = {name: _for_hugo(page) for name, page in pages.items() if name != HUB}
    put(root, ((name, text) for name, text in content.items()))
    put(root, _HUGO)
    if HUB in pages:
        put(root, [(HUGO_HUB, pages[HUB].text)])
    return _corpus(root, sort, pages)


def _corpus(root: Path, sort: str, pages: Pages) -> Corpus:
    needs = {name: page.includes for name, page in pages.items()}
    return Corpus(root, sort, needs, frozenset(pages.keys() & {HUB}), "/index.html")


_HUGO_CONFIG: Final = """contentDir = "docs"
disableKinds = ["taxonomy", "term", "RSS", "sitemap", "section", "home", "404"]

[markup.goldmark.renderer]
unsafe = true

[markup.highlight]
noClasses = false
"""
_HUGO: Final = (
    ("config.toml", _HUGO_CONFIG),
    ("layouts/_default/single.html", HUGO_LAYOUT),
    ("layouts/shortcodes/include.html", "{{ with site.GetPage (.Get 0) }}{{ .Content }}{{ end }}"),
)


def _for_hugo(page: Page) -> str:
    includes = "".join(_hugo_include(each) for each in page.includes)
    links = "".join(f'- <{{{{< relref "/{each.removeprefix("docs/")}" >}}}}>\n' for each in page.links)
    return _spelt(page, includes + links)


def _hugo_include(page: str) -> str:
    return "{{% hub %}}\n\n" if page == HUB else f'{{{{< include "/{page.removeprefix("docs/")}" >}}}}\n\n'


def _spelt(page: Page, rest: str) -> str:
    head = f"---\ntitle: {page.title}\n---\n# {page.title}\n\n" if page.title else ""
    return f"{head}{page.text}\n\n{rest}"


def _small(name: str, chance: random.Random, includes: tuple[str, ...] = ()) -> Page:
    return Page(Path(name).stem, words(chance, 60), includes)


def _heavy(title: str, chance: random.Random) -> Page:
    return Page(title, "\n\n".join(part for language in _CODE for part in _section(language, chance)))


def _section(language: str, chance: random.Random) -> Iterator[str]:
    yield f"## About {chance.randrange(1 << 20)}"
    yield from (words(chance, 105) for _ in range(2))
    yield "\n".join(f"- *{words(chance, 3)}* and `{words(chance, 1)}`" for _ in range(6))
    rows = (f"| {words(chance, 2)} | {chance.randrange(1000)} | [{words(chance, 1)}](#here) |" for _ in range(8))
    yield "\n".join(("| what | how many | where |", "|---|---:|---|", *rows))
    body = "\n".join(_CODE[language].replace("NAME", f"n{words(chance, 1)}") for _ in range(2))
    yield f"```{language}\n{body}\n```"


_CODE: Final = {
    "python": '''def NAME(path: Path, limit: int = 12) -> list[str]:
    """What is read from a file, line by line."""
    with path.open() as lines:
        found = [line.strip() for line in lines if line and not line.startswith("#")]
    if len(found) > limit:
        raise ValueError(f"{path}: {len(found)} lines, {limit} at most")
    return sorted(found, key=lambda line: (len(line), line))
''',
    "go": """func NAME(path string, limit int) ([]string, error) {
	file, err := os.Open(path) // closed below
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", path, err)
	}
	defer file.Close()
	for scanner := bufio.NewScanner(file); scanner.Scan() && limit > 0; limit-- {
		lines = append(lines, strings.TrimSpace(scanner.Text()))
	}
	return lines, nil
}
""",
    "bash": """NAME() {
  local path="$1" limit="${2:-12}"
  # only what is no comment
  grep --invert-match '^#' "$path" | head -n "$limit" | while read -r line; do
    if [[ -n "$line" ]]; then echo "${line%% *}"; fi
  done
}
""",
}
