"""Markdown libraries on the same texts: what each can do by itself, and how long it takes.

    python benchmarks/markdown.py [FILE.md …]

Without files, a text of some 15 kB is made of every feature a page needs. Prints a Markdown table: milliseconds a
text (the best of several rounds, no highlighting), and which features come out. Candidates that are not installed
are said to be absent; `pip install cmarkgfm comrak markdown-it-py mdit-py-plugins mistune` brings them.
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Convert = Callable[[str], str]

SAMPLE = """# Heading *number* {n}

A paragraph with *emphasis*, **strength**, `code`, a [link](https://example.org "title") and a note.[^{n}]

| Month | Tables | Chairs |
|-------|-------:|-------:|
| May   |      4 |     22 |

- [x] done
- [ ] open
    1. nested ~~gone~~

> Quoted & escaped < text

```python
def answer() -> int:
    return 6 * {n}
```

[^{n}]: The note.
"""
FEATURES = {
    "tables": "<td",
    "footnotes": "footnote",
    "task lists": "checkbox",
    "strikethrough": "<del>|<s>",
    "heading ids": '<h1 id="',
}
ROUNDS, SECONDS_A_ROUND = 5, 0.2


def pyromark() -> Convert:
    library = import_module("pyromark")
    options = library.Options
    chosen = options.ENABLE_TABLES | options.ENABLE_FOOTNOTES | options.ENABLE_TASKLISTS | options.ENABLE_STRIKETHROUGH
    return library.Markdown(options=chosen).html  # type: ignore[no-any-return]


def comrak() -> Convert:
    library = import_module("comrak")
    extensions, output = library.ExtensionOptions(), library.RenderOptions()
    extensions.table = extensions.footnotes = extensions.tasklist = extensions.strikethrough = True
    extensions.header_id_prefix = ""
    output.unsafe_ = True
    return lambda text: library.render_markdown(text, extension_options=extensions, render_options=output)


def cmarkgfm() -> Convert:
    library, options = import_module("cmarkgfm"), import_module("cmarkgfm.cmark").Options
    chosen = options.CMARK_OPT_FOOTNOTES | options.CMARK_OPT_UNSAFE
    return lambda text: library.github_flavored_markdown_to_html(text, chosen)


def markdown_it_py() -> Convert:
    plugins: Any = import_module("mdit_py_plugins")
    parser = import_module("markdown_it").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for name in ("footnote", "tasklists", "anchors"):
        module = import_module(f"{plugins.__name__}.{name}")
        parser.use(getattr(module, f"{name}_plugin"))
    return parser.render  # type: ignore[no-any-return]


def mistune() -> Convert:
    library = import_module("mistune")
    plugins = ["table", "footnotes", "task_lists", "strikethrough"]
    return library.create_markdown(escape=False, plugins=plugins)  # type: ignore[no-any-return]


CANDIDATES: dict[str, Callable[[], Convert]] = {
    "pyromark": pyromark,
    "comrak": comrak,
    "cmarkgfm": cmarkgfm,
    "markdown-it-py": markdown_it_py,
    "mistune": mistune,
}


def first_time(text: str) -> str:
    """The whole of what a page goes through: with ids and with code coloured."""
    return import_module("kahnd.render.markdown").Markdown().convert(text).content  # type: ignore[no-any-return]


def again() -> Convert:
    """The same for a page that was rendered before: coloured code is kept."""
    markdown = import_module("kahnd.render.markdown").Markdown()
    return lambda text: markdown.convert(text).content


def milliseconds(convert: Convert, texts: list[str]) -> float:
    """The time for one text, the best of the rounds."""
    timer = timeit.Timer(lambda: [convert(text) for text in texts])
    once = max(min(timer.repeat(3, 1)), 1e-6)
    number = max(1, int(SECONDS_A_ROUND / once))
    return min(timer.repeat(ROUNDS, number)) / number / len(texts) * 1000


def row(name: str, convert: Convert, texts: list[str]) -> str:
    html = convert(SAMPLE.format(n=1))
    marks = [("yes" if any(mark in html for mark in marks.split("|")) else "no") for marks in FEATURES.values()]
    return f"| {name} | {milliseconds(convert, texts):.3f} | {' | '.join(marks)} |"


def candidate(name: str, make: Callable[[], Convert], texts: list[str]) -> str:
    try:
        return row(f"{name} {version(name)}", make(), texts)
    except (ImportError, PackageNotFoundError):
        return f"| {name} | absent |{' |' * len(FEATURES)}"


def main() -> None:
    texts = [Path(each).read_text() for each in sys.argv[1:]] or ["".join(SAMPLE.format(n=n) for n in range(1, 43))]
    size = sum(len(text.encode()) for text in texts) / len(texts)
    print(f"{len(texts)} text(s) of {size / 1000:.1f} kB on average\n")
    print(f"| library | ms a text | {' | '.join(FEATURES)} |")
    print(f"|---|---:|{'---|' * len(FEATURES)}")
    for name, make in CANDIDATES.items():
        print(candidate(name, make, texts))
    print(row("kahnd (pyromark, ids, Pygments)", first_time, texts))
    print(row("the same, again", again(), texts))


if __name__ == "__main__":
    main()
