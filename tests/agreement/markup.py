"""The HTML of a page's Markdown, by the rules of the language alone: blocks, headings, and links."""

from __future__ import annotations

import html
import posixpath
import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from agreement.blocks import AFTER, BEFORE
from agreement.configuration import Way
from agreement.facets import NotDoneError, anchors_of
from agreement.language import Text
from agreement.names import Reference, locate

if TYPE_CHECKING:  # which uses this
    from agreement.rendering import Reading

_BLOCK: Final = re.compile(f"(?<={BEFORE[:-1]}){BEFORE[-1]}(.+?){AFTER[:2]}(?={AFTER[2:]}\n)", re.DOTALL)
_CONTENTS: Final = "<p>[TOC]</p>"
_ID: Final = re.compile(r' id="([^"]*)"')


@dataclass
class Markup:
    """Converts one page, by one way, for one rendering, whose reads and warnings it adds to."""

    reading: Reading
    way: Way
    _ids: Counter[str] = field(default_factory=Counter)
    _headings: list[tuple[int, str, str]] = field(default_factory=list)
    """The level, id and text of each heading."""
    _own_parts: dict[str, str] = field(default_factory=dict)
    """The first link to each part of this page."""

    def html(self, text: str) -> str:
        """Returns the HTML of a body, without its layout."""
        plugin = self.reading.evaluation.tree.plugin
        word = plugin.word
        if self.way.hooks and plugin.broken:
            raise NotDoneError
        if self.way.hooks:
            text = text.replace("@v@", word)
        text = re.sub(r"\A# (\S+)\n", lambda found: self._heading(1, found[1]), text)
        text = _BLOCK.sub(lambda found: self._block(found[1]), text)
        if "toc" in self.way.options:
            text = text.replace(_CONTENTS, self._contents(), 1)
        text += f"after {word}\n" if self.way.hooks else ""
        return re.sub('((?:href|src)=")([^"#]*)(#?[^"]*)', self._link, text)

    def check(self, page: str) -> None:
        """Warns of the links to parts of this page that it does not have."""
        ids = set(map(unquote, _ID.findall(page)))
        self._warn(*(f"link {url}" for part, url in self._own_parts.items() if part and part not in ids))

    def _warn(self, *messages: str) -> None:
        self.reading.warnings.update((message, 0) for message in messages)

    def _block(self, block: str) -> str:  # noqa: PLR0911 - a line a block
        options = self.way.options
        kind, _, rest = block.partition(" ")
        if kind == "##":
            return self._heading(2, rest)
        if kind == "```words":
            return f'<pre><code class="language-words">{html.escape(self._code(rest), quote=False)}</code></pre>\n'
        if block.startswith("```draw"):
            code = block.split("\n")[1] + "\n"
            word = self.reading.evaluation.tree.plugin.word
            drawn = f"<b>{word} {code}</b>\n"
            return drawn if self.way.hooks else f'<pre><code class="language-draw">{code}</code></pre>\n'
        if kind == "!!!" and "admonitions" in options:
            word = rest.split()[-1]
            return f'<div class="admonition note">\n<p class="admonition-title">{word}</p>\n<p>{word}</p>\n</div>\n'
        if block.startswith("$") and "math" in options:
            return f'<p><span class="math inline">\\({html.escape(block[1:-1], quote=False)}\\)</span></p>\n'
        if block.startswith("[[") and "wiki_links" in options:
            return f"<p>{self._wiki(block[2:-2])}</p>\n"
        if block.startswith("!["):
            return f'<p><img src="{block[5:-1]}" alt="x" /></p>\n'
        return f"<p>{html.escape(block, quote=False).replace(chr(10) + '    ', chr(10))}</p>\n"

    # Headings

    def _heading(self, level: int, word: str) -> str:
        name = f"{word}-{self._ids[word]}" if self._ids[word] else word
        self._ids[word] += 1
        self._headings.append((level, name, word))
        return f'<h{level} id="{name}">{word}</h{level}>\n'

    def _contents(self) -> str:
        shown = [(level, f'<a href="#{name}">{word}</a>') for level, name, word in self._headings]
        lower = _listed([entry for level, entry in shown if level > 1])
        top = [entry for level, entry in shown if level == 1]
        if top and self.way.options["toc"] is True:
            return f'<div class="toc">{_listed([top[0] + lower])}\n</div>'
        return f'<div class="toc">{lower}\n</div>'

    # Code from files

    def _code(self, given: str) -> str:
        if "code" not in self.way.options:
            return ""
        found = re.fullmatch(r'file="(.*)" (anchor|lines)="(.*)"\n```', given)
        assert found is not None
        target = locate(found[1], self.reading.document)
        if target is None:
            raise NotDoneError
        self.reading.need("data", target)
        lines = self.reading.evaluation.source_of(target).splitlines()
        kept = _between(lines, found[3]) if found[2] == "anchor" else _range(lines, found[3])
        return textwrap.dedent("".join(f"{line}\n" for line in kept if "ANCHOR" not in line))

    # Links

    def _wiki(self, name: str) -> str:
        """Returns a wiki link as a link to a source: of the page in the same folder, else of the first that fits."""
        names, document = self.reading.evaluation, self.reading.document
        patterns = [rule.of.match for rule in names.tree.config.rules if rule.of.renderer == "page"]
        self.reading.reads.update(Reference("members", pattern) for pattern in patterns)
        pages = sorted(
            {page for pattern in patterns for page in names.members(pattern, document) if names.rule_of(page)}
        )
        pages = [page for page in pages if names.is_written_as_page(page)]
        found = [page for page in pages if any(f"/{each}".endswith(f"/{name}") for each in _wiki_names(page))]
        near = locate(name, document)
        exact = [page for page in found if near in _wiki_names(page)]
        found = exact if len(exact) == 1 else found
        if len(found) != 1:
            self._warn(f"{'wikis' if found else 'wiki'} {name}")
        if not found:
            return f"[[{name}]]"
        address = posixpath.relpath(found[0], posixpath.dirname(document))
        return f'<a href="{quote(address)}">{name}</a>'

    def _link(self, found: re.Match[str]) -> str:
        """Returns a link to a source as one to its output; any other stays. It asks for nothing to be done."""
        written, part = found[2], found[3]
        if not written:
            return found[0]
        document, names = self.reading.document, self.reading.evaluation
        index = f"index{posixpath.splitext(document)[1]}" if written.endswith("/") else ""
        target = locate(unquote(written) + index, document)
        if target is None:
            self._check_output(written, part)
            return found[0]
        if target == document:
            self._own_parts.setdefault(part[1:], written + part)
            return f"{found[1]}{self.reading.url(target)}{part}"
        self.reading.reads.add(Reference("link", target))
        if target not in names.claims:
            self._warn(f"link {written}{part}")
            return found[0]
        if part and names.is_written_as_page(target):
            self._check_part(target, written, part)
        return f"{found[1]}{self.reading.url(target)}{part}"

    def _check_output(self, written: str, part: str) -> None:
        """Looks for an output, as browsers find it from the top or from the page."""
        names = self.reading.evaluation
        own, top = names.claims[self.reading.rendering], names.tree.config.output
        base = top if written.startswith("/") else posixpath.dirname(own)
        place = posixpath.normpath(f"{base}/{written}{'index.html' if written.endswith('/') else ''}")
        if place == own:
            self._own_parts.setdefault(part[1:], written + part)
            return
        self.reading.reads.add(Reference("place", place))
        if not names.makers_of(place):
            self._warn(f"link {written}{part}")

    def _check_part(self, target: str, written: str, part: str) -> None:
        self.reading.reads.add(Reference(f"anchor {part[1:]}", target))
        names = self.reading.evaluation
        rule, own = names.rule_of(target), names.tree.documents[self.reading.document]
        if rule is None or rule.of.hooks or not isinstance(own, Text):
            return
        try:
            headings, is_template, template = anchors_of(target, names.tree.documents[target])
        except NotDoneError:
            return  # that is told where it matters
        all_shown = template == own.matter.template and not (is_template and rule.of.templating)
        if all_shown and part[1:] not in headings:
            self._warn(f"link {written}{part}")


def url_between(path: str, origin: str) -> str:
    """Returns the URL of a path from the output at another one."""
    way = posixpath.relpath(path, posixpath.dirname(origin))
    return quote(f"{way}/" if path.endswith("/") else way)


def redirect(url: str) -> str:
    """Returns the page at an alias."""
    return f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Moved</title>
<link rel="canonical" href="{html.escape(url)}">
<meta name="robots" content="noindex">
<meta http-equiv="refresh" content="0; url={html.escape(url)}">
<p>This page is <a href="{html.escape(url)}">here</a> now.</p>
</html>
"""


def _listed(items: list[str]) -> str:
    lines = "\n".join(f"<li>{each}</li>" for each in items)
    return f"\n<ul>\n{lines}\n</ul>" if items else ""


def _between(lines: list[str], anchor: str) -> list[str]:
    try:
        start = lines.index(f"ANCHOR: {anchor}")
        return lines[start + 1 : lines.index(f"ANCHOR_END: {anchor}", start)]
    except ValueError:
        raise NotDoneError from None


def _range(lines: list[str], given: str) -> list[str]:
    first, _, last = given.partition("-")
    if int(last) > len(lines):
        raise NotDoneError
    return lines[int(first) - 1 : int(last)]


def _wiki_names(page: str) -> list[str]:
    path = page.removesuffix(".md").casefold().replace(" ", "-")
    folder, _, stem = path.rpartition("/")
    return [path, folder] if stem == "index" else [path]
