"""Markdown pages for kahnd and for Hugo, with the same texts, includes and layout.

There are three corpora: `layers` (small pages that include one another, and an index that links to the top ones),
`heavy` (pages of about 10 kB with tables and fenced code, no two alike) and `hub` (one partial that every page
includes). kahnd includes with `{% include %}`; for Hugo, `for_hugo` writes a shortcode instead.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from suite.corpora.corpus import Corpus, numbered, put, seeded_random, words

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
    """A page without a tool's syntax: its text, the pages it includes, and the pages it links to."""

    title: str
    text: str
    includes: tuple[str, ...] = ()
    links: tuple[str, ...] = field(default=())


Pages = Mapping[str, Page]


def layers(documents: int) -> Pages:
    """Returns 60 % leaves, 30 % that include two leaves each, the rest with three of those each, and an index."""
    rng = seeded_random()
    leaves = numbered("leaf", documents * 6 // 10, "md")
    mids = numbered("mid", documents * 3 // 10, "md")
    tops = numbered("top", documents - len(leaves) - len(mids) - 1, "md")
    pages = {name: _small(name, rng) for name in leaves}
    pages |= {name: _small(name, rng, tuple(rng.sample(leaves, 2))) for name in mids}
    pages |= {name: _small(name, rng, tuple(rng.sample(mids, 3))) for name in tops}
    return pages | {"docs/contents.md": Page("contents", "All of them.", links=tuple(tops))}


def hub(documents: int) -> Pages:
    """Returns small pages that all include one partial."""
    rng = seeded_random()
    partial = {HUB: Page("", f"The *hub*: {words(rng, 20)}")}
    return partial | {name: _small(name, rng, (HUB,)) for name in numbered("page", documents, "md")}


def heavy(documents: int) -> Pages:
    """Returns pages of about 10 kB: prose, lists, three tables, and code blocks in three languages."""
    rng = seeded_random()
    return {name: _heavy(Path(name).stem, rng) for name in numbered("page", documents, "md")}


def for_kahnd(root: Path, sort: str, pages: Pages) -> Corpus:
    """Writes a project for kahnd."""
    put(root, ((name, _for_kahnd(page)) for name, page in pages.items()))
    put(root, [("kahnd.toml", _CONFIG), ("templates/page.html", KAHND_LAYOUT)])
    return _corpus(root, sort, pages)


def _for_kahnd(page: Page) -> str:
    includes = "".join(f'{{% include "/{each}" %}}\n\n' for each in page.includes)
    links = "".join(f'- <{{{{ output("/{each}") }}}}>\n' for each in page.links)
    return _spelt(page, includes + links)


def for_hugo(root: Path, sort: str, pages: Pages) -> Corpus:
    """Writes a site for Hugo: an include is the other page's content; the hub is a shortcode with its text."""
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


def _small(name: str, rng: random.Random, includes: tuple[str, ...] = ()) -> Page:
    return Page(Path(name).stem, words(rng, 60), includes)


def _heavy(title: str, rng: random.Random) -> Page:
    return Page(title, "\n\n".join(part for language in _CODE for part in _section(language, rng)))


def _section(language: str, rng: random.Random) -> Iterator[str]:
    yield f"## About {rng.randrange(1 << 20)}"
    yield from (words(rng, 105) for _ in range(2))
    yield "\n".join(f"- *{words(rng, 3)}* and `{words(rng, 1)}`" for _ in range(6))
    rows = (f"| {words(rng, 2)} | {rng.randrange(1000)} | [{words(rng, 1)}](#here) |" for _ in range(8))
    yield "\n".join(("| what | how many | where |", "|---|---:|---|", *rows))
    body = "\n".join(_CODE[language].replace("NAME", f"n{words(rng, 1)}") for _ in range(2))
    yield f"```{language}\n{body}\n```"


_CODE: Final = {
    "python": '''def NAME(path: Path, limit: int = 12) -> list[str]:
    """The lines of a file."""
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
