"""`benchmarks/sites.py` on small sites with the features of the Rust book and of FastAPI's documentation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SITES = Path(__file__).parents[2] / "benchmarks" / "sites.py"
BOOK = {
    "book.toml": '[book]\ntitle = "Rust"\nauthors = ["We"]\n\n[output.html]\nadditional-css = ["ferris.css"]\n\n'
    '[preprocessor.trpl-note]\ncommand = "cargo"\n\n[rust]\nedition = "2024"\n',
    "ferris.css": "pre { margin: 0 }\n",
    "ferris.js": "",
    "theme/listing.css": ".listing { margin: 0 }\n",
    "src/SUMMARY.md": "# Rust\n\n[Foreword](foreword.md)\n\n- [Owning](ch04-00-ownership.md)\n"
    "  - [What It Is](ch04-01-what-is-ownership.md)\n",
    "src/foreword.md": "# Foreword\n\nSee [ownership][own] and [the next](ch04-01-what-is-ownership.md).\n\n"
    "[own]: ch04-00-ownership.html\n",
    "src/ch04-00-ownership.md": "# Owning\n\n> Note: `{{ braces }}` are text.\n\n> Quoted.\n\n"
    "See [the heap](ch04-01-what-is-ownership.md#the-heap).\n",
    "src/ch04-01-what-is-ownership.md": "<!-- Old headings. Do not remove or links may break. -->\n\n"
    "## What Is Ownership?\n\n"
    '<Listing number="4-1" file-name="src/main.rs" caption="A `String`, moved into <em>s2</em>">\n\n'
    "```rust,ignore,does_not_compile\n{{#rustdoc_include ../listings/ch04/src/main.rs:here}}\n```\n\n</Listing>\n\n"
    "### The Heap\n\nSee [the foreword](foreword.md).\n",
    "listings/ch04/src/main.rs": "fn main() {\n    // ANCHOR: here\n    let s2 = s1;\n    // ANCHOR_END: here\n}\n",
}
FASTAPI = {
    "docs/en/mkdocs.yml": "site_name: FastAPI\nsite_url: https://fastapi.example/\ntheme:\n  name: material\n"
    "nav:\n- FastAPI: index.md\n- '':\n  - tutorial/index.md\n  - tutorial/first-steps.md\n"
    "markdown_extensions:\n  zensical.extensions.macros: null\n  attr_list: null\n  mdx_include: null\n"
    "  pymdownx.blocks.admonition: null\n  pymdownx.blocks.details: null\n"
    "  pymdownx.emoji:\n    emoji_index: !!python/name:material.extensions.emoji.twemoji ''\n",
    "docs/en/data/sponsors.yml": "gold: [{url: https://sponsor.example, title: A sponsor}]\n",
    "docs/en/docs/index.md": "---\ninclude_yaml:\n  sponsors: data/sponsors.yml\n---\n\n# FastAPI { #fastapi }\n\n"
    '{% for one in sponsors.gold -%}\n<a href="{{ one.url }}">{{ one.title }}</a>\n{% endfor %}\n',
    "docs/en/docs/tutorial/index.md": "# Tutorial { #tutorial }\n\n"
    "/// tip | A tip\n\nSee [First](first-steps.md).\n\n///\n",
    "docs/en/docs/tutorial/first-steps.md": "# First Steps { #first-steps }\n\n"
    "{* ../../docs_src/first.py ln[1,3:4] hl[3] *}\n\n//// tab | Python\n\nSee [it](./index.md#tutorial).\n\n////\n\n"
    "/// details | More\n\n`{{ braces }}` are text.\n\n///\n\n![A picture](img/one.svg)\n",
    "docs/en/docs/tutorial/img/one.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "docs_src/first.py": "import this\n\napp = 1\nprint(app)\n",
    "fastapi/__init__.py": "",
}


def checkout(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def measured(folder: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    (folder / "no-peers").mkdir()
    words = [sys.executable, SITES, "--edits", "1", *options]
    alone = {**os.environ, "PATH": str(folder / "no-peers")}
    return subprocess.run(words, capture_output=True, text=True, timeout=290, check=False, env=alone)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_both_sites_build_unchanged_and_an_edit_renders_what_shows_it(tmp_path: Path) -> None:
    book, fastapi = checkout(tmp_path / "book", BOOK), checkout(tmp_path / "fastapi", FASTAPI)
    ended = measured(tmp_path, "--book", book, "--fastapi", fastapi)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("not told of: 0") == 2
    assert "| the Rust book | mdbook serve | no mdbook here | |" in ended.stdout
    assert (book / "src/foreword.md").read_text() == BOOK["src/foreword.md"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_not_as_it_should_be_is_told(tmp_path: Path) -> None:
    broken = {"src/foreword.md": "# Foreword\n\n{{#include ../gone.rs}}\n"}
    ended = measured(tmp_path, "--book", checkout(tmp_path / "book", BOOK | broken))
    assert ended.returncode == 1
    assert "the Rust book: failed: 2" in ended.stderr  # that page, and the search index that waits for it
