"""Draws projects and edits. Most references lead to later documents, so that few make a cycle."""

from __future__ import annotations

import posixpath
from typing import Any, Final

from hypothesis import strategies as st

from agreement import blocks, configuration, plugin, steps
from agreement import language as la

SHEETS: Final = ("shared/s.json", "shared/t.csv", "docs/a/u.csv")
ODD_PAGE: Final = "docs/b/ö $(x) #1 é.md"
ODD_SCRIPT: Final = "docs/b/ö $(x) #1 'é'.cat"
"""Names that are special to shells, URLs or encodings."""
PARTIALS: Final = ("shared/_one.txt", "shared/_two.txt", "docs/_part.txt", "docs/a/_part.md", "docs/b/_part.cat")
LAYOUTS: Final = ("shared/page.html", "shared/wide.html")
SCRIPTS: Final = (
    "docs/m.mk",
    "docs/a/m.mk",
    "docs/c.cat",
    "docs/a/c.cat",
    "docs/b/p.plug",
    "docs/p.plug",
    ODD_SCRIPT,
)
TEXTS: Final = ("docs/t.txt", "docs/a/t.txt", "docs/b/t.txt")
PAGES: Final = (
    "docs/b/four.md",
    "docs/a/two.alt",
    "docs/a/three.md",
    "docs/a/two.md",
    "docs/a/index.md",
    ODD_PAGE,
    "docs/a.md",
    "docs/one.md",
)
GENERATED: Final = (
    "docs/b/gen/x.txt",
    "docs/b/gen/y.md",
    "docs/gen/x.txt",
    "docs/gen/y.md",
    "docs/gen/z.plug",
    "docs/gen/gen/y.md",
)
"""Documents that plug-ins declare, each in a folder beside it."""
PATHS: Final = (*SHEETS, *PARTIALS, *LAYOUTS, *SCRIPTS, *TEXTS, *PAGES)
FOLDERS: Final = ("docs/a", "docs/b", "docs/c")
INDEXES: Final = ("/docs/a/", "/docs/", "/old/", "/sub/p1/")
"""Folders, as links name the index page in them, or an output."""
NAMED: Final = ("print", "print", "md", "too")
"""Endings of outputs that rules beside others make, and others may."""
IGNORABLE: Final = "docs/b"
PATTERNS: Final = ("/docs/**/*.md", "/docs/a/*.md", "*.md", "/docs/**/*.txt")
LOWER_TO_ANY: Final = 8
"""How many times more likely a reference is to a later document than to any."""

words = st.sampled_from(["w0", "w1", "w2", "हिन्दी"])
titles = words | st.sampled_from(["1.10", "No", "2026-1-5", "0123"])
dates = st.sampled_from(["", *la.DATES])
times = st.sampled_from([None, None, None, -1_000_000_000, 0, 10_000_000_000, 1_767_225_600_000])
"""In the years 1938, 1970 and 2286, and one later than any file system can store."""
sheets = st.sampled_from([f"/{each}" for each in SHEETS])
facets = st.sampled_from(["title", "rank", "url", "text"])
patterns = st.sampled_from(PATTERNS)
sorts = st.sampled_from(["path", "title", "rank", "-rank", "date", "-date"])
anchors = st.sampled_from(["w0", "w1"])
of_plugs = st.sampled_from(["", "words", "print", "v0/0", "v0/1"])
rarely = st.sampled_from([False] * 9 + [True])


NAMES: Final = (*PATHS[: PATHS.index(TEXTS[0])], *GENERATED, *PATHS[PATHS.index(TEXTS[0]) :])
"""All documents that may be referred to, with those that others declare before the texts."""


def _targets(path: str, among: tuple[str, ...] = NAMES) -> st.SearchStrategy[str]:
    """Draws references from a document to others."""
    place = NAMES.index(path) if path in NAMES else 0
    lower = [each for each in among if NAMES.index(each) < place]
    return st.builds(_reference, st.just(path), st.sampled_from([*lower * LOWER_TO_ANY, *among]), rarely)


def _reference(path: str, target: str, relative: bool) -> str:  # noqa: FBT001 - a strategy
    return posixpath.relpath(target, posixpath.dirname(path)) if relative else f"/{target}"


def _items(path: str) -> st.SearchStrategy[la.Item]:
    texts = _targets(path, (*PARTIALS, *SCRIPTS, *GENERATED, *TEXTS, *PAGES))
    rendered = _targets(path, (*SCRIPTS, *GENERATED, *TEXTS, *PAGES, "docs/a/u.csv"))
    pages = _targets(path, (*GENERATED, *TEXTS, *PAGES))
    plugs = _targets(path, tuple(each for each in SCRIPTS if each.endswith(".plug")))
    return st.one_of(
        st.builds(la.Word, words),
        st.builds(la.Include, _targets(path, PARTIALS)),
        st.builds(la.Cell, sheets),
        st.builds(la.Column, sheets, st.sampled_from(la.COLUMNS)),
        st.builds(la.Include, texts, st.booleans()),
        st.builds(la.IncludeIf, sheets, texts),
        st.builds(la.IncludeNamed, sheets),
        st.builds(la.OfPage, pages, facets),
        st.builds(la.OfPages, patterns, facets, sorts),
        st.builds(la.OfOutput, rendered, st.sampled_from(["url", "text"]), st.sampled_from(["", "", *NAMED])),
        st.builds(la.Link, _targets(path) | st.sampled_from(INDEXES), st.sampled_from(["", "w0", "w1"])),
        st.builds(la.OfOutput, plugs, st.sampled_from(["url", "text"]), of_plugs),
        st.builds(la.Own, st.sampled_from(["title", "url"])),
        _blocks(path),
        _blocks(path),
        st.builds(la.Marked, anchors, words) | st.just(la.Hooked()),
        st.builds(la.Filtered if path.endswith(".alt") else la.Word, words),
    )


def _blocks(path: str) -> st.SearchStrategy[la.Item]:
    """Draws blocks of Markdown, which a page extends as its rule says."""
    wiki = st.sampled_from(["two", "a/two", "one", "four", "a", "b/four", "index", "w9"])
    files = _targets(path).filter(lambda target: target.startswith("/"))
    return st.one_of(
        st.builds(blocks.Heading, words),
        st.builds(blocks.Wiki, wiki),
        st.just(blocks.Contents()),
        st.builds(blocks.Code, files, anchors | st.just(""), st.sampled_from(["1-1", "1-2"])),
        st.builds(blocks.Drawing, words),
        st.builds(blocks.Note, words),
        st.builds(blocks.Formula, words),
        st.builds(blocks.Picture, _targets(path)),
    )


def _matters(path: str) -> st.SearchStrategy[la.Matter]:
    return st.builds(
        la.Matter,
        title=st.just("") | titles,
        rank=st.integers(0, 2),
        date=dates,
        depends_on=st.lists(_targets(path), max_size=1).map(tuple) if path in PAGES else st.just(()),
        template=st.sampled_from(["", "", "", *(f"/{each}" for each in LAYOUTS)]) if path in PAGES else st.just(""),
        draft=rarely,
        slug=_seldom("s0", "sub/s1"),
        permalink=_seldom("/p0.html", "/sub/p1/"),
        aliases=_seldom(("/old/",), ("older.html", "/old/x.html")) if path in PAGES else st.just(()),
    )


def _seldom(*values: Any) -> st.SearchStrategy[Any]:
    """Draws one of the values, or mostly an empty one."""
    return st.sampled_from([type(values[0])()] * 6 * len(values) + list(values))


def _texts(path: str) -> st.SearchStrategy[la.Document]:
    items = st.lists(_items(path), max_size=3).map(tuple)
    if path in LAYOUTS:
        return st.builds(la.Text, items.map(lambda drawn: (la.Own("title"), la.Content(), *drawn)))
    if la.is_page(path):
        return st.builds(la.Text, items, _matters(path), st.just("") | words)
    return st.builds(la.Text, items.map(lambda drawn: (la.Word("w0"), *drawn)))


def _scripts(path: str) -> st.SearchStrategy[la.Document]:
    plain = st.sampled_from([each for each in (*SHEETS, *PARTIALS) if not each.startswith(IGNORABLE)])
    verbs: dict[str, list[st.SearchStrategy[tuple[str, str]]]] = {
        ".mk": [st.tuples(st.just("read"), plain), st.tuples(st.just("maybe"), plain)],
        ".cat": [st.tuples(st.just("needs"), _targets(path))],
        ".plug": [
            st.tuples(st.just("read"), _targets(path)),
            st.tuples(st.just("output"), _targets(path, (*SCRIPTS, *TEXTS))),
            st.tuples(st.just("depends"), _targets(path)),
            st.tuples(st.just("source"), _targets(path)),
            st.tuples(st.just("title"), _targets(path, (*TEXTS, *PAGES))),
            st.tuples(st.just("titles"), patterns),
            st.tuples(st.just("warn"), words),
        ],
    }
    lines = st.one_of(st.tuples(st.just("word"), words), *verbs[posixpath.splitext(path)[1]])
    declares = _declares(path) if path.endswith(".plug") else st.just(())
    return st.builds(la.Script, st.lists(lines, min_size=1, max_size=3).map(tuple), declares=declares)


def _declares(path: str) -> st.SearchStrategy[tuple[la.Declared, ...]]:
    """Draws what a plug-in declares: those of the generated documents that lie in the folder beside it."""
    folder = posixpath.dirname(path)
    own = (each for each in GENERATED if posixpath.dirname(each) == f"{folder}/gen")
    declared = ((st.just(posixpath.relpath(each, folder)), _documents(each)) for each in own)
    drawn = st.tuples(*(st.none() | st.builds(la.Declared, *each) for each in declared))
    return drawn.map(lambda them: tuple(each for each in them if each))


def _sheets(path: str) -> st.SearchStrategy[la.Document]:
    names = st.sampled_from([f"/{each}" for each in (*PARTIALS[:3], *TEXTS)])
    return st.builds(la.Sheet, words, st.booleans(), names)


def _documents(path: str) -> st.SearchStrategy[la.Document]:
    if path in SHEETS:
        return _sheets(path)
    return _scripts(path) if path.endswith((".mk", ".cat", ".plug")) else _texts(path)


DOCUMENTS: Final = {path: _documents(path) for path in PATHS}


def writes(*among: str) -> st.SearchStrategy[steps.Write]:
    """Draws a write of one of these documents."""
    return st.sampled_from(among).flatmap(lambda path: st.builds(steps.Write, st.just(path), DOCUMENTS[path], rarely))


def linked_writes(*among: str) -> st.SearchStrategy[steps.WriteThroughLink]:
    """Draws a write of one of these documents through another hard link."""
    return st.sampled_from(among).flatmap(
        lambda path: st.builds(steps.WriteThroughLink, st.just(path), DOCUMENTS[path])
    )


def _projects() -> st.SearchStrategy[dict[str, la.Document]]:
    """Draws most of the documents, with all layouts and data."""
    drawn = {path: each if path in {*SHEETS, *LAYOUTS} else _mostly(each) for path, each in DOCUMENTS.items()}
    return st.fixed_dictionaries(drawn).map(lambda project: {path: each for path, each in project.items() if each})


def _mostly(documents: st.SearchStrategy[la.Document]) -> st.SearchStrategy[la.Document | None]:
    return st.sampled_from([False, *[True] * 5]).flatmap(lambda there: documents if there else st.none())


def _cycles() -> st.SearchStrategy[tuple[steps.Write, ...]]:
    """Draws two or three texts that include one another in a ring."""
    rings = st.lists(st.sampled_from((*PARTIALS[:4], *TEXTS, *PAGES)), min_size=1, max_size=3, unique=True)
    return rings.map(
        lambda ring: tuple(
            steps.Write(path, la.Text((la.Include(f"/{after}"),)))
            for path, after in zip(ring, [*ring[1:], ring[0]], strict=True)
        )
    )


def _rules() -> st.SearchStrategy[tuple[configuration.Rule, ...]]:
    """Draws most of the rules, each in one of its variants."""
    kept = st.sampled_from([True] * 11 + [False])
    each = {ending: st.tuples(kept, st.integers(0, len(them) - 1)) for ending, them in configuration.WAYS.items()}
    return st.fixed_dictionaries(each).map(
        lambda drawn: tuple(configuration.Rule(ending, way) for ending, (kept, way) in drawn.items() if kept)
    )


paths = st.sampled_from(PATHS)
projects = _projects()
cycles = _cycles()
renames = st.one_of(
    *(
        st.builds(steps.Rename, st.sampled_from(group), st.sampled_from(group))
        for group in (TEXTS, PAGES, SHEETS[1:], PARTIALS[:3], SCRIPTS[:2], SCRIPTS[2:4], SCRIPTS[4:6], LAYOUTS)
    ),
    st.builds(steps.Rename, st.just("docs/a/three.md"), st.just("docs/a/_draft.md")),
    st.builds(steps.Rename, st.just("docs/a/_draft.md"), st.just("docs/a/three.md")),
)
folder_moves = st.builds(steps.MoveFolder, st.sampled_from(FOLDERS), st.sampled_from(FOLDERS))
breaks = st.builds(steps.Break, paths, st.integers(0, 3))
configs = st.builds(
    configuration.Config,
    _rules(),
    st.sampled_from(["site"] * 5 + ["public"]),
    st.sampled_from([(), (), (), (IGNORABLE,)]),
    rarely,
)
versions = st.sampled_from(["v0", "v1"])
plugins = st.builds(plugin.Plugin, versions, versions, st.sampled_from(["", "", "", "", "syntax", "missing"]))
spoils = st.builds(steps.SpoilOutput, st.sampled_from(NAMES), st.sampled_from(["delete", "alter"]))
pauses: st.SearchStrategy[Any] = st.sampled_from([True, True, False])
"""Draws whether everything is rendered after an edit, or the next one follows at once."""
