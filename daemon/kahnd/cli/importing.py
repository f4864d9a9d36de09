"""Turns sites of MkDocs and mdBook into kahnd projects: functions from texts to texts, but for `read`.

Each option without an equivalent in kahnd is reported with its file and line, for people to look at.
"""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from kahnd.core.model import Problem
from kahnd.core.project_files import CONFIG_FILE
from kahnd.errors import UsageError

SITE_DATA: Final = "data/site.yaml"
_LAYOUT: Final = "kahnd:page.html"
_THEME_RULE: Final = {"match": "theme/*.{css,js,json,xml}", "renderer": "template", "output": "{name}"}


@dataclass(frozen=True, slots=True)
class Site:
    """A site as it was found: the text of its configuration and its place, the pages' texts by path, the folders."""

    config: str
    config_file: str
    pages: Mapping[str, str]
    folders: Container[str] = ()


@dataclass(slots=True)
class Imported:
    """A project in the making: the texts of its files by path, and a note for each option that could not be taken over.

    `pages` is the folder of pages, `read` are other folders that pages take files from. `page` and `markdown` are keys
    of the rule for pages; `data` is the content of data/site.yaml. `files` are pages that could not stay as they are,
    and what is beside them; `copied` are folders whose files go into the output.
    """

    pages: str
    read: list[str] = field(default_factory=list)
    clean_urls: bool = False
    page: dict[str, Any] = field(default_factory=dict)
    markdown: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    copied: list[str] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def note(self, message: str, place: tuple[str, int], remedy: str) -> None:
        """Tells people of something to look at."""
        self.notes.append(Problem(message, *place, remedy))

    def texts(self, output: str) -> dict[str, str]:
        """Returns all files, with the configuration."""
        data = {"title": "Untitled", **self.data, "pages": f"/{self._below_pages}**/*.md"}
        return {
            CONFIG_FILE: self._config(output),
            SITE_DATA: yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100),
        }

    @property
    def _below_pages(self) -> str:
        """The beginning of all paths of pages."""
        return "" if self.pages == "." else f"{self.pages}/"

    def _config(self, output: str) -> str:
        place = {} if self.clean_urls else {"output": "{dir}/{stem}.html"}
        clean = {"clean_urls": True} if self.clean_urls else {}
        match = {"match": f"{self._below_pages}**/*.md", "renderer": "page"}
        rule = {**match, **place, "template": _LAYOUT, **clean, **self.page}
        options = f"markdown = {{ {', '.join(_keys(self.markdown).splitlines())} }}\n" if self.markdown else ""
        sources = [self.pages, *self.read, *self.copied, "data", "theme"]
        return "\n".join(
            [
                f"[project]\n{_keys({'sources': sources, 'output': output})}",
                f"# Every page. Its layout comes with kahnd; title and navigation are in {SITE_DATA}.",
                f"[[rules]]\n{_keys(rule)}{options}",
                "# The theme's style sheet, scripts, search index, feed and site map.",
                f"[[rules]]\n{_keys(_THEME_RULE)}",
                "# Images, downloads and all else.",
                *(
                    f"[[rules]]\n{_keys({'match': f'{below}**/*', 'renderer': 'copy'})}"
                    for below in (self._below_pages, *(f"{folder}/" for folder in self.copied))
                ),
            ]
        )


def _keys(values: Mapping[str, Any]) -> str:
    """Returns TOML lines; JSON's texts, numbers, truth values and lists are TOML's, too."""
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())


def read(kind: str, folder: Path) -> Imported:
    """Reads a site of that kind ("mkdocs" or "mdbook") in a folder, and takes it over. Raises UsageError."""
    names, take = _KINDS[kind]
    found = next((name for name in names if (folder / name).is_file()), None)
    if found is None:
        message, remedy = f"{folder} has no {names[0]}", f"give the folder with {names[0]}: kahnd import {kind} DIR"
        raise UsageError(Problem(message, remedy=remedy))
    pages = {}
    for path in sorted(folder.rglob("*.md")):
        name = path.relative_to(folder).as_posix()
        if not any(part.startswith(".") for part in name.split("/")) and path.is_file():
            pages[name] = read_text(path, name)
    folders = frozenset(each.name for each in folder.iterdir() if each.is_dir())
    site = Site(read_text(folder / found, found), found, pages, folders)
    project = take(site)
    if not (folder / project.pages).is_dir():
        message = f"{folder} has no folder {project.pages}, where its pages should be"
        raise UsageError(Problem(message, *_line_of(site, project.pages), "correct the path, or create the folder"))
    return project


def folder_of_pages(given: str, key: str, place: tuple[str, int]) -> str:
    """Returns the normalised path of the folder that a key of a configuration names. Raises UsageError."""
    path = posixpath.normpath(given)
    if path.startswith(("/", "../")) or path == "..":
        message = f"`{key}` is {given}, which is not below the folder of {posixpath.basename(place[0])}"
        remedy = f"a project has all its files below its folder: move the pages there, or {place[0]} above them"
        raise UsageError(Problem(message, *place, remedy))
    return path


def read_text(path: Path, name: str) -> str:
    """Returns the text of a file that messages call by a name. Raises UsageError."""
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(Problem(f"it can't be read: {error}", name, 0, "correct it")) from None


# MkDocs

_MKDOCS_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "admonition": {"admonitions": True},
    "attr_list": {"attributes": True},
    "def_list": {"definition_lists": True},
    "pymdownx.arithmatex": {"math": True},
    "pymdownx.blocks.admonition": {"admonitions": True},
    "pymdownx.blocks.details": {"admonitions": True},
    "pymdownx.details": {"admonitions": True},
    "pymdownx.highlight": {"code": True},
    "pymdownx.smartsymbols": {"smart_quotes": True},
    "smarty": {"smart_quotes": True},
    "toc": {"toc": True},
    "wikilinks": {"wiki_links": True},
}
_MKDOCS_BUILT_IN: Final = frozenset(
    {"fenced_code", "footnotes", "pymdownx.superfences", "pymdownx.tasklist", "sane_lists", "tables"}
)
_MKDOCS_TAGS: Final = frozenset({"tags", "material/tags"})
_MKDOCS_PLUGINS: Final = _MKDOCS_TAGS | {"search", "material/search", "offline", "minify", "redirects"}
_MKDOCS_TAKEN: Final = frozenset(
    {"copyright", "docs_dir", "edit_uri", "markdown_extensions", "nav", "plugins"}
    | {"repo_name", "repo_url", "site_description", "site_dir", "site_name", "site_url", "theme", "use_directory_urls"}
)
_MKDOCS_REMEDIES: Final = {
    "extra_css": 'take the files in at the end of theme/style.css: {% include "/docs/extra.css" %}',
    "extra_javascript": 'name them in theme/head.html, after {% include "kahnd:head.html" %}',
}
_MKDOCS_TEXTS: Final = (
    (re.compile(r"^\s*(?:-{1,3}8<-{1,3}|;-{2,}8<)"), "a snippet (--8<--)", 'write ```python file="/src/x.py"'),
    (re.compile(r"^\s*=== +[\"']"), "content tabs (===)", "write headings, or blocks of HTML"),
    (re.compile(r"^\[TAGS\]|<!-- material/tags"), "a list of tags", "remove the page: kahnd makes one of all tags"),
    (re.compile(r"^\s*::: +\S"), "documentation from source code (:::)", "write a python rule that makes the page"),
)


class _AnyTag(yaml.SafeLoader):
    """Reads YAML in which tags such as `!!python/name:` and `!ENV` stand for nothing."""


_AnyTag.add_multi_constructor("", lambda _loader, _suffix, _node: None)


def from_mkdocs(site: Site) -> Imported:
    """Takes over `mkdocs.yml`. Raises UsageError if it can't be read."""
    given = _parse_yaml(site)
    docs = folder_of_pages(text_of(given, "docs_dir") or "docs", "docs_dir", _line_of(site, "docs_dir"))
    project = Imported(docs, clean_urls=given.get("use_directory_urls") is not False)
    project.page["templating"] = False
    _mkdocs_data(project, given, docs)
    for name in _names(given.get("markdown_extensions")):
        if name in _MKDOCS_OPTIONS:
            project.markdown |= _MKDOCS_OPTIONS[name]
        elif name not in _MKDOCS_BUILT_IN:
            remedy = "see the options of Markdown in kahnd's reference, or write a hook (`before`, `after`)"
            project.note(f"the extension {name} has no equivalent", _line_of(site, name), remedy)
    for old, new in _redirects_of(given.get("plugins")).items():
        moved = posixpath.splitext(str(old))[0].removesuffix("index").removesuffix("/")
        place = f"{moved}/" if project.clean_urls else f"{posixpath.splitext(str(old))[0]}.html"
        _note_redirect(project, site, place, posixpath.join(docs, str(new)), written=str(old))
    plugins = dict.fromkeys(_names(given.get("plugins")))
    project.data |= {"tags": "tags.md"} if _MKDOCS_TAGS & plugins.keys() else {}
    for name in plugins:
        if name not in _MKDOCS_PLUGINS:
            remedy = "write a python rule, or a hook"
            project.note(f"the plug-in {name} has no equivalent", _line_of(site, name), remedy)
    for key in (each for each in given if each not in _MKDOCS_TAKEN):
        remedy = _MKDOCS_REMEDIES.get(key, f"see whether {SITE_DATA} or a rule can")
        project.note(f"`{key}` is not taken over", _line_of(site, f"{key}:"), remedy)
    _note_texts(project, site.pages, _MKDOCS_TEXTS)
    return project


def _mkdocs_data(project: Imported, given: Mapping[str, Any], docs: str) -> None:
    theme = given.get("theme") if isinstance(given.get("theme"), Mapping) else {}
    repository, edit = text_of(given, "repo_url").rstrip("/"), text_of(given, "edit_uri")
    texts = {
        "title": text_of(given, "site_name"),
        "description": text_of(given, "site_description"),
        "url": text_of(given, "site_url").rstrip("/"),
        "edit": f"{repository}/{edit.strip('/').removesuffix(docs).strip('/')}/{{path}}" if repository and edit else "",
        "footer": text_of(given, "copyright"),
        "language": text_of(theme or {}, "language"),
        "logo": _below(docs, text_of(theme or {}, "logo")),
        "icon": _below(docs, text_of(theme or {}, "favicon")),
    }
    project.data |= {key: value for key, value in texts.items() if value}
    if isinstance(nav := given.get("nav"), list):
        project.data["nav"] = [_entry(each) for each in nav]


def _entry(given: object) -> object:
    """Returns an entry of `nav`. A section without a title has its first page's, as kahnd's theme spells it."""
    if not isinstance(given, Mapping) or len(given) != 1:
        return given
    ((title, value),) = given.items()
    if not isinstance(value, list):
        return {title: value}
    first, *others = value or [""]
    if not title and isinstance(first, str):
        return {first: [_entry(each) for each in others]}
    return {title: [_entry(each) for each in value]}


def _names(listed: object) -> Iterator[str]:
    """Yields the names of extensions or plug-ins: a list of names and of mappings, or a mapping."""
    for each in listed if isinstance(listed, list | Mapping) else ():
        yield str(next(iter(each), "")) if isinstance(each, Mapping) else str(each)


def _redirects_of(plugins: object) -> Mapping[str, Any]:
    """Returns the new page of each old one, as the plug-in `redirects` has them."""
    options = [each for each in plugins if isinstance(each, Mapping)] if isinstance(plugins, list) else [plugins]
    found = [table_of(each, "redirects", "redirect_maps") for each in options if isinstance(each, Mapping)]
    return next((each for each in found if each), {})


# mdBook

_MDBOOK_TAKEN: Final = frozenset({"title", "authors", "description", "src", "language"})
_MDBOOK_HTML: Final = frozenset({"git-repository-url", "edit-url-template", "search", "default-theme", "redirect"})
_MDBOOK_FILES: Final = re.compile(r"\{\{#(?:include|rustdoc_include|playground)\s+([^\s:}]+)")
_MDBOOK_TEXTS: Final = (
    (
        re.compile(r"\{\{#(?!include\b|rustdoc_include\b|playground\b|title\b)\w+"),
        "a directive of a preprocessor",
        "add it to tools/mdbook.py",
    ),
)


def from_mdbook(site: Site) -> Imported:
    """Takes over `book.toml` and the chapters' list in SUMMARY.md. Raises UsageError if it can't be read."""
    given = _parse_toml(site)
    book, html = table_of(given, "book"), table_of(given, "output", "html")
    pages = folder_of_pages(text_of(book, "src") or "src", "src", _line_of(site, "src"))
    project = Imported(pages)
    project.page |= {"templating": False, "before": "tools/mdbook.py:expand"}
    project.markdown |= {"code": True, "admonitions": True}
    repository = text_of(html, "git-repository-url").rstrip("/")
    edit = text_of(html, "edit-url-template") or (f"{repository}/edit/main/{{path}}" if repository else "")
    texts = {
        "title": text_of(book, "title"),
        "description": text_of(book, "description"),
        "language": text_of(book, "language"),
        "edit": edit,
        "footer": ", ".join(str(each) for each in book.get("authors") or ()),
    }
    project.data |= {key: value for key, value in texts.items() if value}
    project.data["nav"] = f"/{pages}/SUMMARY.md"
    project.read = sorted(each for each in _folders_read(pages, site.pages) if each in site.folders)
    for key in [*(book.keys() - _MDBOOK_TAKEN), *(html.keys() - _MDBOOK_HTML)]:
        project.note(f"`{key}` is not taken over", _line_of(site, key), f"see whether {SITE_DATA} or theme/ can")
    for name in table_of(given, "preprocessor"):
        project.note(f"the preprocessor {name} is not run", _line_of(site, name), "write it into tools/mdbook.py")
    for old, new in table_of(html, "redirect").items():
        target = posixpath.normpath(posixpath.join("/", posixpath.dirname(old), str(new))).removeprefix("/")
        _note_redirect(project, site, old, posixpath.join(pages, f"{posixpath.splitext(target)[0]}.md"), written=old)
    _note_texts(project, site.pages, _MDBOOK_TEXTS)
    return project


def _folders_read(pages: str, texts: Mapping[str, str]) -> set[str]:
    """Returns the folders outside of the pages' own that directives take files from."""
    found = (
        posixpath.normpath(posixpath.join(posixpath.dirname(path), target[1]))
        for path, text in texts.items()
        for target in _MDBOOK_FILES.finditer(text)
    )
    tops = {each.partition("/")[0] for each in found}
    return tops - {pages.partition("/")[0], "..", "."}


_KINDS: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Site], Imported]]]] = {
    "mkdocs": (("mkdocs.yml", "mkdocs.yaml"), from_mkdocs),
    "mdbook": (("book.toml",), from_mdbook),
}
"""For each kind of site, the names that its configuration may have, and the function that takes it over."""


# Shared by both


def _parse_toml(site: Site) -> Mapping[str, Any]:
    """Returns the keys of a configuration in TOML. Raises UsageError."""
    try:
        return tomllib.loads(site.config)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(site, str(error)) from None


def _parse_yaml(site: Site) -> Mapping[str, Any]:
    """Returns the keys of a configuration in YAML. Raises UsageError."""
    try:
        given = yaml.load(site.config, _AnyTag)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise _unreadable(site, str(error).partition("\n")[0]) from None
    if not isinstance(given, Mapping):
        raise _unreadable(site, "it holds no keys")
    return given


def _note_redirect(project: Imported, site: Site, old: str, page: str, *, written: str) -> None:
    """Tells how a page gets the address that redirected to it: it has to say so itself."""
    old = f"/{old.removeprefix('/')}"
    if page in site.pages:
        message = f"{page} is not at its old address {old} yet"
        remedy = f"write `aliases: [{json.dumps(old, ensure_ascii=False)}]` into its front matter"
    else:
        message, remedy = f"the redirect of {old} leads to no page", "write a page there that links to its target"
    project.note(message, _line_of(site, written), remedy)


def _unreadable(site: Site, reason: str) -> UsageError:
    return UsageError(Problem(f"it can't be read: {reason}", site.config_file, 0, "correct it"))


def table_of(given: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """Returns a nested table; an empty one if there is none."""
    for key in keys:
        inner = given.get(key)
        given = inner if isinstance(inner, Mapping) else {}
    return given


def text_of(given: Mapping[str, Any], key: str) -> str:
    """Returns a text; an empty one if there is none."""
    value = given.get(key)
    return value if isinstance(value, str) else ""


def _below(folder: str, path: str) -> str:
    return f"/{folder}/{path}" if path else ""


def _line_of(site: Site, word: str) -> tuple[str, int]:
    """Returns the place in the configuration that names something; line 0 if it can't be found."""
    return site.config_file, line_with(word, site.config)


def line_with(word: str, text: str) -> int:
    """Returns the number of the first line that has a word; 0 if there is none."""
    return next(_lines_with(re.compile(re.escape(word)), text), 0)


def _note_texts(
    project: Imported, pages: Mapping[str, str], patterns: Sequence[tuple[re.Pattern[str], str, str]]
) -> None:
    """Tells of what stands in pages and has no equivalent: the first place of each, and how many there are."""
    for pattern, what, remedy in patterns:
        places = [(path, number) for path, text in pages.items() for number in _lines_with(pattern, text)]
        if places:
            project.note(f"{what}: {len(places)} of them, here the first", places[0], remedy)


def _lines_with(pattern: re.Pattern[str], text: str) -> Iterator[int]:
    """Yields the numbers of lines in which something stands."""
    return (number for number, line in enumerate(text.split("\n"), 1) if pattern.search(line))
