"""Turns a site of Hugo into a kahnd project: its pages written anew into `docs`, with the files beside them.

They have YAML as front matter, and none of Hugo's own shortcodes. The site itself stays as it is.
"""

from __future__ import annotations

import html
import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from kahnd.cli.importing import Imported, folder_of_pages, line_with, read_text, table_of, text_of
from kahnd.core.model import Problem
from kahnd.errors import UsageError

PAGES: Final = "docs"
_FORMS: Final = ("toml", "yaml", "yml", "json")
_TAG: Final = re.compile(
    r"""\{\{[<%]\s*(?P<end>/?)\s*(?P<name>[\w./-]*\w)\s*
    (?P<given>(?:"(?:\\.|[^"\\])*+"|`[^`]*+`|[^"`])*?)\s*(?P<alone>/?)\s*[>%]\}\}""",
    re.VERBOSE,
)
_GIVEN: Final = re.compile(r"""(?:([\w-]+)\s*=\s*)?(?:"((?:\\.|[^"\\])*+)"|`([^`]*+)`|([^\s"`=]+))""")
_FILE_OF_FENCE: Final = re.compile(r"^([ \t>]*+(?:`{3,}+|~{3,}+)[^\n`]*?[{\s])file\s*=\s*", re.MULTILINE)
"""For Hugo, a `file` of a code fence is a name that is shown; for kahnd, the code is in that file."""
_FRONT: Final = (
    (re.compile(r"\A\+\+\+[ \t]*\r?\n(.*?)^\+\+\+[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE), "toml"),
    (re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE), "yaml"),
    (re.compile(r"\A(\{\s*\n.*?^\})[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE), "json"),
)
_RENAMED: Final = {"weight": "order", "url": "permalink", "lastmod": "updated"}
_UNKNOWN_KEYS: Final = frozenset({"cascade", "expirydate", "headless", "layout", "menu", "menus", "outputs", "type"})
_TAKEN: Final = frozenset(
    {"title", "baseurl", "languagecode", "locale", "defaultcontentlanguage", "contentdir", "copyright", "params"}
    | {"menu", "menus", "uglyurls", "languages", "enablerobotstxt", "theme", "builddrafts", "disablepathtolower"}
)
Given = Mapping[str, str]


@dataclass(slots=True)
class _Page:
    """A page that is read: its path in the site, its place in the project, its front matter and its text."""

    path: str
    place: str
    meta: dict[str, Any]
    text: str
    first_line: int


@dataclass(slots=True)
class _Hugo:
    """A site being read. `pages` by their places, `unknown`: where shortcodes of its own are, by name."""

    config: Mapping[str, Any]
    config_file: str
    project: Imported
    pages: dict[str, _Page] = field(default_factory=dict)
    unknown: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    keys: dict[str, list[tuple[str, int]]] = field(default_factory=dict)


def read(folder: Path) -> Imported:
    """Takes over the site in a folder. Raises UsageError if it has no configuration, or that can't be read."""
    config, config_file = _config_of(folder)
    ugly = config.get("uglyurls") is True
    project = Imported(PAGES, clean_urls=not ugly, page={"templating": False, "before": "tools/hugo.py:expand"})
    project.markdown = {"attributes": True, "code": True, "definition_lists": True, "admonitions": True}
    site = _Hugo(config, config_file, project)
    place = config_file, line_with("contentdir", read_text(folder / config_file, config_file).lower())
    content = folder_of_pages(_content_of(folder, config), "contentDir", place)
    if not (folder / content).is_dir():
        raise UsageError(Problem(f"{folder} has no {content}", remedy="give the folder of the site"))
    for file in sorted(path for path in (folder / content).rglob("*") if path.is_file()):
        _take(site, folder, file, file.relative_to(folder / content).as_posix())
    _settle_aliases(site)
    for page in site.pages.values():
        body = _FILE_OF_FENCE.sub(r"\1title=", _expanded(site, page))
        front = yaml.safe_dump(page.meta, sort_keys=False, allow_unicode=True, width=100) if page.meta else ""
        project.files[page.place] = (f"---\n{front}---\n{body}" if front else body).encode()
    if (folder / "static").is_dir():
        project.copied.append("static")
    _take_config(site)
    _tell(site, folder)
    return project


def _config_of(folder: Path) -> tuple[Mapping[str, Any], str]:
    """Returns the configuration, with the files in `config/_default` that are parts of it, and its file."""
    names = [f"{stem}.{form}" for stem in ("hugo", "config") for form in _FORMS]
    found = [each for each in (*names, *(f"config/_default/{name}" for name in names)) if (folder / each).is_file()]
    if not found:
        message = f"{folder} has no {names[0]}, and no config/_default/{names[0]}"
        raise UsageError(Problem(message, remedy="give the folder with it: kahnd import hugo DIR"))
    config = _lowered(_parsed(read_text(folder / found[0], found[0]), Path(found[0]).suffix[1:], found[0]))
    for part in ("params", "menus", "languages"):
        for name, form in ((f"config/_default/{part}.{form}", form) for form in _FORMS):
            if (folder / name).is_file():
                config[part] = _parsed(read_text(folder / name, name), form, name)
    return config, found[0]


def _parsed(text: str, form: str, name: str, line: int = 0) -> dict[str, Any]:
    """Returns the keys of a text in TOML, YAML or JSON. Raises UsageError."""
    try:
        value = tomllib.loads(text) if form == "toml" else json.loads(text) if form == "json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(Problem(f"it can't be read: {reason}", name, line, "correct it")) from None
    if value is not None and not isinstance(value, dict):
        raise UsageError(Problem("it can't be read: it holds no keys", name, line, "correct it"))
    return value or {}


def _lowered(given: Mapping[str, Any]) -> dict[str, Any]:
    """The keys in small letters, since Hugo does not tell `baseURL` from `baseurl`."""
    return {str(key).lower(): value for key, value in given.items()}


def _content_of(folder: Path, config: Mapping[str, Any]) -> str:
    """Returns the folder of the pages in the site's own language."""
    language = text_of(config, "defaultcontentlanguage") or "en"
    content = text_of(config, "contentdir") or "content"
    given = text_of(_lowered(table_of(config, "languages", language)), "contentdir")
    return given or (f"{content}/{language}" if (folder / content / language).is_dir() else content)


def _take(site: _Hugo, folder: Path, file: Path, inner: str) -> None:
    """Takes a page, or a file beside one."""
    path, keeps_case = file.relative_to(folder).as_posix(), site.config.get("disablepathtolower") is True
    above, _, name = inner.rpartition("/")
    place = posixpath.join(PAGES, above if keeps_case else _lower(above), name)
    others = table_of(site.config, "languages").keys() - {text_of(site.config, "defaultcontentlanguage") or "en"}
    stem, extension = posixpath.splitext(name)
    if posixpath.splitext(stem)[1][1:] in others:
        site.keys.setdefault("a translation", []).append((path, 0))
        return
    if extension not in {".md", ".markdown"}:
        site.project.files[place] = file.read_bytes()
        return
    place = f"{posixpath.dirname(place)}/{stem if keeps_case else _lower(stem)}.md"
    if stem == "_index":
        place = f"{posixpath.dirname(place)}/index.md"
    text = read_text(file, path)
    found = next(((found, form) for pattern, form in _FRONT if (found := pattern.match(text))), None)
    if found is None:
        site.pages[place] = _Page(path, place, {}, text, 1)
        return
    front, form = found
    try:
        meta = _parsed(front[1], form, path, 1)
    except UsageError as error:
        site.project.notes.extend(error.problems)
        site.project.files[place] = text.encode()
        return
    line = front[0].count("\n") + 1
    site.pages[place] = _Page(path, place, _front_matter(site, meta, place, path), text[front.end() :], line)


def _lower(path: str) -> str:
    """As Hugo makes URLs of names."""
    return path.lower().replace(" ", "-")


def _front_matter(site: _Hugo, meta: Mapping[str, Any], place: str, path: str) -> dict[str, Any]:
    """Returns the front matter with kahnd's names of keys; all others stay."""
    given = {_RENAMED.get(key.lower(), key): value for key, value in meta.items()}
    names = {key.lower(): key for key in given}
    published = given.pop(names.get("publishdate", ""), None)
    if published is not None and _later(published, given.get("date")):
        given["date"] = published
    slug, stem = given.get("slug"), posixpath.basename(place)
    if slug and stem == "index.md":  # the folder's name is what it replaces
        above = posixpath.dirname(posixpath.dirname(place)).removeprefix(PAGES)
        given["permalink"] = f"{above}/{given.pop('slug')}/"
    for key in _UNKNOWN_KEYS & names.keys():
        site.keys.setdefault(f"`{names[key]}` in front matter", []).append((path, 1))
    given.pop(names.get("outputs", ""), None)  # which names kahnd's outputs by their extensions
    return given


def _settle_aliases(site: _Hugo) -> None:
    """Leaves out aliases at which there is a page, or another's alias: for kahnd two of them are an error."""
    taken = {_own_url(page) for page in site.pages.values()}
    for page in site.pages.values():
        aliases, kept = page.meta.get("aliases"), []
        for alias in aliases if isinstance(aliases, list) else ():
            url = _url_at(f"/{_own_url(page)}", str(alias))
            if url in taken:
                site.keys.setdefault("an alias of which there are two, or that is a page,", []).append((page.path, 1))
            else:
                taken.add(url)
                kept.append(alias)
        if isinstance(aliases, list):
            page.meta["aliases"] = kept


def _own_url(page: _Page) -> str:
    """Returns the path of a page's URL, without slashes around it."""
    if given := page.meta.get("permalink"):
        return str(given).strip("/")
    path = page.place.removeprefix(f"{PAGES}/").removesuffix(".md")
    path = path.removesuffix("index").rstrip("/") if posixpath.basename(path) == "index" else path
    slug = page.meta.get("slug")
    return posixpath.join(posixpath.dirname(path), str(slug)) if slug else path


def _url_at(page: str, alias: str) -> str:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), alias)).strip("/")
    return path.removesuffix("index.html").removesuffix(".html").strip("/")


def _later(one: object, other: object) -> bool:
    return other is None or _day(one) > _day(other)


def _day(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


# Shortcodes


def _expanded(site: _Hugo, page: _Page) -> str:
    """Returns the text of a page with Hugo's own shortcodes in Markdown and HTML; others stay, for the hook."""
    closers = [(tag["name"], tag.start()) for tag in _TAG.finditer(page.text) if tag["end"]]
    pieces: list[list[str]] = [[]]
    opened: list[re.Match[str]] = []
    end = 0
    for tag in _TAG.finditer(page.text):
        pieces[-1].append(page.text[end : tag.start()])
        end = tag.end()
        if tag["end"] and any(each["name"] == tag["name"] for each in opened):
            while opened[-1]["name"] != tag["name"]:
                inner, start = "".join(pieces.pop()), opened.pop()
                pieces[-1].append(_made(site, page, start, None) + inner)
            inner, start = "".join(pieces.pop()), opened.pop()
            pieces[-1].append(_made(site, page, start, inner, tag[0]))
        elif not (tag["end"] or tag["alone"]) and any(each == tag["name"] and at > end for each, at in closers):
            opened.append(tag)
            pieces.append([])
        else:
            pieces[-1].append(tag[0] if tag["end"] else _made(site, page, tag, None))
    while opened:
        inner, start = "".join(pieces.pop()), opened.pop()
        pieces[-1].append(_made(site, page, start, None) + inner)
    return "".join((*pieces[0], page.text[end:]))


def _made(site: _Hugo, page: _Page, tag: re.Match[str], inner: str | None, closer: str = "") -> str:
    """Returns what stands for a shortcode with what is in it: itself, if it is none of Hugo's own."""
    name, written = tag["name"], f"{tag[0]}{inner or ''}{closer}"
    found = _GIVEN.findall(tag["given"])
    given = {key or str(at): quoted or raw or word for at, (key, quoted, raw, word) in enumerate(found)}
    place = (page.path, page.first_line + page.text.count("\n", 0, tag.start()))
    if name in {"ref", "relref"}:
        target = _target(site, page, given.get("0") or given.get("path", ""))
        if target is None:
            site.keys.setdefault(f"a `{name}` that leads to no page", []).append(place)
        return target or written
    if name == "param":
        value = _value(page.meta, given.get("0", "")) or _value(table_of(site.config, "params"), given.get("0", ""))
        return str(value) if value is not None else written
    if name in _BUILT_IN:
        return _BUILT_IN[name](given, inner or "")
    site.unknown.setdefault(name, []).append(place)
    return written


def _target(site: _Hugo, page: _Page, reference: str) -> str | None:
    """Returns the way from a page to the source of another, as a link; None if there is none of that name."""
    path, mark, fragment = reference.partition("#")
    if not path:
        return f"#{fragment}" if mark else None
    stem = posixpath.splitext(path)[0] if path.endswith((".md", ".markdown")) else path
    stem = stem if site.config.get("disablepathtolower") is True else _lower(stem)
    stem = f"{stem.removesuffix('_index')}index" if stem.endswith("_index") else stem.rstrip("/")
    near = posixpath.normpath(posixpath.join(posixpath.dirname(page.place), stem.lstrip("/")))
    top = posixpath.normpath(f"{PAGES}/{stem.lstrip('/')}")
    bases = (top,) if path.startswith("/") else (near, top)
    wanted = [f"{base}{end}" for base in bases for end in (".md", "/index.md")]
    found = next((each for each in wanted if each in site.pages), None)
    if found is None and "/" not in stem:
        named = [each for each in site.pages if each.endswith((f"/{stem}.md", f"/{stem}/index.md"))]
        found = named[0] if len(named) == 1 else None
    way = found and posixpath.relpath(found, posixpath.dirname(page.place))
    return f"{way}{mark}{fragment}" if way else None


def _value(given: Mapping[str, Any], name: str) -> object:
    """Returns the value of a key such as `author.name`; None if there is none."""
    value: Any = {**given, **table_of(given, "params")}
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _figure(given: Given, _inner: str) -> str:
    image = f'<img src="{html.escape(given.get("src", ""))}" alt="{html.escape(given.get("alt", ""))}">'
    image = f'<a href="{html.escape(given["link"])}">{image}</a>' if "link" in given else image
    title = f"<strong>{given['title']}</strong> " if "title" in given else ""
    caption = f"{title}{given.get('caption', '')}".strip()
    return f"<figure>\n{image}\n{f'<figcaption>{caption}</figcaption>' if caption else ''}\n</figure>"


def _details(given: Given, inner: str) -> str:
    opened = " open" if given.get("open") == "true" else ""
    return f"<details{opened}>\n<summary>{given.get('summary', 'Details')}</summary>\n\n{inner.strip()}\n\n</details>"


def _link_to(pattern: str) -> Callable[[Given, str], str]:
    def written(given: Given, _inner: str) -> str:
        values = [given.get("id") or given.get("user") or given.get("0", ""), given.get("id") or given.get("1", "")]
        return f"<{pattern.format(*values)}>"

    return written


_BUILT_IN: Final[Mapping[str, Callable[[Given, str], str]]] = {
    "details": _details,
    "figure": _figure,
    "gist": _link_to("https://gist.github.com/{0}/{1}"),
    "highlight": lambda given, inner: f"```{given.get('0', '')}\n{inner.strip(chr(10))}\n```",
    "instagram": _link_to("https://www.instagram.com/p/{0}/"),
    "vimeo": _link_to("https://vimeo.com/{0}"),
    "x": _link_to("https://x.com/{0}/status/{1}"),
    "youtube": _link_to("https://www.youtube.com/watch?v={0}"),
}


# The configuration


def _take_config(site: _Hugo) -> None:
    config, params = site.config, _lowered(table_of(site.config, "params"))
    texts = {
        "title": text_of(config, "title"),
        "description": text_of(params, "description"),
        "url": text_of(config, "baseurl").rstrip("/") if text_of(config, "baseurl").startswith("http") else "",
        "language": text_of(config, "languagecode") or text_of(config, "locale"),
        "footer": text_of(config, "copyright"),
        "tags": "tags.md" if any("tags" in page.meta for page in site.pages.values()) else "",
        "author": text_of(params, "author") or text_of(table_of(params, "author"), "name"),
    }
    site.project.data |= {key: value for key, value in texts.items() if value}
    menus = table_of(config, "menus") or table_of(config, "menu")
    entries = [each for each in menus.get("main") or () if isinstance(each, Mapping)]
    listed = [found for each in sorted(map(_lowered, entries), key=_weight) if (found := _entry(site, each))]
    if listed:
        site.project.data["nav"] = listed


def _weight(entry: Mapping[str, Any]) -> float:
    weight = entry.get("weight")
    return float(weight) if isinstance(weight, int | float) and weight else float("inf")


def _entry(site: _Hugo, given: Mapping[str, Any]) -> dict[str, str] | None:
    """Returns an entry of a menu as one of `nav`: a section with all its pages, a page, or a link to elsewhere."""
    reference, name = text_of(given, "pageref") or text_of(given, "url"), text_of(given, "name")
    if not name or not reference:
        return None
    if re.match(r"[a-z][a-z0-9+.-]*:", reference):
        return {name: reference}
    path = reference.split("#")[0].strip("/")
    if path and any(each.startswith(f"{PAGES}/{path}/") for each in site.pages):
        return {name: f"{path}/"}
    found = [each for each in (f"{path}.md", f"{path}/index.md".lstrip("/")) if f"{PAGES}/{each}" in site.pages]
    return {name: found[0]} if found else None


def _tell(site: _Hugo, folder: Path) -> None:
    """Tells of everything that is not taken over, each once, with the first place and the number of them."""
    config = read_text(folder / site.config_file, site.config_file).lower()
    for key in sorted(site.config.keys() - _TAKEN):
        place = site.config_file, line_with(key, config)
        site.project.note(f"`{key}` is not taken over", place, "see the guide for moving from Hugo")
    for name, places in _counted(site.unknown):
        remedy = "write it in tools/hugo.py; until then, pages are rendered with a warning"
        site.project.note(f"the shortcode {name}, {places}", site.unknown[name][0], remedy)
    for what, places in _counted(site.keys):
        site.project.note(f"{what} is not taken over, {places}", site.keys[what][0], "see whether the page needs it")
    if (folder / "layouts").is_dir():
        remedy = "pages have kahnd's theme; its parts can be replaced in theme/"
        site.project.note("templates are not taken over", ("layouts", 0), remedy)


def _counted(found: Mapping[str, list[tuple[str, int]]]) -> Iterator[tuple[str, str]]:
    for name in sorted(found):
        count = len(found[name])
        yield name, f"{count} times, here the first" if count > 1 else "once"
