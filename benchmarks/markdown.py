"""Compares Markdown libraries on the same texts: their features and their speed.

    python benchmarks/markdown.py [FILE.md …]

Without files, it uses a text of about 15 kB with every feature that a page needs. Prints a Markdown table with the
milliseconds per text (the best of several rounds, without highlighting) and the supported features. Libraries that are
not installed are shown as absent; `pip install cmarkgfm comrak markdown-it-py mdit-py-plugins mistune` installs them.
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
    """Converts as for a page, with heading ids and highlighted code."""
    return import_module("kahnd.render.markdown.convert").Markdown().convert(text).content  # type: ignore[no-any-return]


def again() -> Convert:
    """Returns the same conversion for a page that was rendered before, with its highlighted code cached."""
    markdown = import_module("kahnd.render.markdown.convert").Markdown()
    return lambda text: markdown.convert(text).content


def milliseconds(convert: Convert, texts: list[str]) -> float:
    """Returns the time for one text in the best round."""
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
