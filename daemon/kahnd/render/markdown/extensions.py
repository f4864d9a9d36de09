r"""Extensions of CommonMark that pyromark does not have, as Markdown that it passes on: math, attributes, wiki links.

Text that Markdown and templates must not touch is *masked*: written as hexadecimal digits between two characters that
Unicode reserves for internal use. So it survives Jinja, includes and the parser as one word, and `finished`
puts it back into the HTML. Masked text keeps its lines, and a text that is masked twice is the same as one masked once.

`$…$` follows Pandoc: no blank after the first `$` and none before the last one, which no digit follows. No formula
spans a blank line. `$` is text in code, after `\`, and before `{{` or `{%`, where templates insert a number.

"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from kahnd.render.markdown import MarkdownOptions
from kahnd.render.markdown.page_source import (
    FENCES,
    TAGS,
    Fences,
    IndentedCode,
    Spans,
)

START, END = "\ufdd2", "\ufdd3"
FORMULA, PART, ATTRIBUTES, ADMONITION, INFO = "m", "p", "a", "d", "i"
"""The kinds of masked text: last and earlier lines of formulas, attributes, first lines of admonitions and fences."""
DIGITS: Final = "(?:[0-9a-fA-F]{2})*+"
MASK: Final = re.compile(f"{START}([mpadi])({DIGITS}){END}")


def masked(kind: str, text: str) -> str:
    """The text, hidden from templates and Markdown."""
    return f"{START}{kind}{text.encode(errors='surrogatepass').hex()}{END}"


def unmasked(found: re.Match[str]) -> str:
    """The text that a mask hides."""
    return decoded(found[2])


def decoded(digits: str) -> str:
    """The text that a mask's digits stand for."""
    return bytes.fromhex(digits).decode(errors="replace")


def restored(text: str) -> str:
    """The text with all masked parts as they were written."""
    return MASK.sub(unmasked, text) if START in text else text


_LINE_END: Final = r"\n(?![ \t>]*(?:\n|\Z))"
_ATOM: Final = rf"\\text\w*+\{{[^{{}}\n{START}]*+\}}|\\(?:[^\n]|(?=\n))|[^\\$\n{START}]|{_LINE_END}"
_IN_PARENTHESES: Final = rf"[^\\\n{START}]|\\\\|\\(?![()])|{_LINE_END}"
_IN_BRACKETS: Final = rf"[^\\\n{START}]|\\\\|\\(?![\[\]])|{_LINE_END}"
_MATH: Final = rf"""
    (?P<math>\$\$(?:{_ATOM}|\$(?!\$))++\$\$
    | \$(?![\s$]|\{{[{{%])(?:{_ATOM})++(?<!\s)\$(?!\d)
    | \\\((?:{_IN_PARENTHESES})++\\\)
    | \\\[(?:{_IN_BRACKETS})++\\\])
"""
_ESCAPE: Final = r"(?P<escape>\\[^\n]|\$\$?)"
_PAIR: Final = r"""(?:[.\#][\w:-]+|[\w:-]+=(?:"[^"\n{}]*"|'[^'\n{}]*'|[^\s"'{}=]+))"""
_ATTRIBUTES: Final = rf"""
    (?P<attributes>(?<=[)\]`*_\s])\{{:?[ ]*{_PAIR}(?:[ ]+{_PAIR})*[ ]*\}})
"""
_QUOTED_VALUE: Final = re.compile(r"""(?<==)(?:"[^"]*"|'[^']*')""")
_WIKI: Final = r"""
    (?P<taken_in>!)?\[\[(?P<wiki>[^\[\]\n|#\\]*)(?P<part>\#[^\[\]\n|\\]*)?(?:\\?\|(?P<label>[^\[\]\n]*))?\]\]
"""
_FLAGS: Final = re.DOTALL | re.MULTILINE | re.VERBOSE
_IN_TEMPLATE: Final = re.compile(f"{FENCES}|{TAGS}|{_MATH}|{_ESCAPE}", _FLAGS)


def protected(body: str) -> str:
    """A page's body with its formulas masked, before it is a template."""
    return _Inline(body, _IN_TEMPLATE, None).rewritten() if _may_have_math(body) else body


def _may_have_math(text: str) -> bool:
    return "$" in text or "\\(" in text or "\\[" in text


class Target(NamedTuple):
    """Where a wiki link leads: an address, and whether that is an image to be shown."""

    address: str
    is_shown: bool = False


Resolve = Callable[[str, str, bool], Target | None]
"""From the page and the part that a wiki link names, and whether it is to be taken in; None leaves it as text."""


def prepared(text: str, options: MarkdownOptions, resolve: Resolve | None) -> str:
    """The Markdown that pyromark converts."""
    kinds = [
        *([_MATH] if options.math and _may_have_math(text) else []),
        *([_ATTRIBUTES] if options.attributes and "{" in text else []),
        *([_WIKI] if resolve and "[[" in text else []),
    ]
    if not kinds:
        return text
    return _Inline(text, re.compile("|".join((FENCES, *kinds, _ESCAPE)), _FLAGS), resolve).rewritten()


class _Inline:
    """Rewrites what stands in lines, outside of code."""

    def __init__(self, text: str, expression: re.Pattern[str], resolve: Resolve | None) -> None:
        self._text = text
        self._expression = expression
        self._resolve = resolve
        self._fences, self._spans, self._indented = Fences(text), Spans(text), IndentedCode(text)

    def rewritten(self) -> str:
        """The text, rewritten."""
        text, pieces, end, position = self._text, list[str](), 0, 0
        while found := self._expression.search(text, position):
            kind = found.lastgroup or ""
            if kind == "info":
                position = self._fences.read(found)
            elif kind in _REWRITES and (self._is_in_code(found.start()) or self._spans.holds(found.end() - 1)):
                position = found.start() + 1
            else:
                position = found.end()
                new = self._new(kind, found)
                if new is not None:
                    pieces += text[end : found.start()], new
                    end = position
        return "".join((*pieces, text[end:]))

    def _is_in_code(self, position: int) -> bool:
        return any(each.holds(position) for each in (self._fences, self._spans, self._indented))

    def _new(self, kind: str, found: re.Match[str]) -> str | None:
        """The replacement for a match; None leaves it."""
        match kind:
            case "math":
                return self._formula(found)
            case "attributes":
                return self._attributes(found)
            case "wiki" | "part" | "label":
                return self._link(found)
            case _:
                return None

    def _before(self, found: re.Match[str]) -> str:
        """The text before a match in its line."""
        return self._text[self._text.rfind("\n", 0, found.start()) + 1 : found.start()]

    def _attributes(self, found: re.Match[str]) -> str | None:
        """Attributes of what stands right before them, of a heading, or, alone in the last line, of a paragraph."""
        before = self._before(found)
        if before and not before[-1].isspace():
            return masked(ATTRIBUTES, found[0])
        if before.lstrip(" ").startswith("#"):  # pyromark's own, but for quotes
            return _QUOTED_VALUE.sub(lambda value: masked(ATTRIBUTES, value[0][1:-1]), found[0].replace("{:", "{", 1))
        is_alone = not before.strip(" \t>") and not self._text[found.end() :].partition("\n")[0].strip()
        return masked(ATTRIBUTES, found[0]) if is_alone else None

    def _formula(self, found: re.Match[str]) -> str:
        """A formula, line by line: what a line of Markdown begins with stays."""
        first, *others = found[0].split("\n")
        begins = _QUOTED if self._before(found).lstrip().startswith(">") else _BLANKS
        kept = [(begins.match(each) or found)[0] for each in others]
        lines = [first, *(each[len(blanks) :] for each, blanks in zip(others, kept, strict=True))]
        pieces = [masked(PART, each) for each in lines[:-1]] + [masked(FORMULA, lines[-1])]
        return "\n".join(f"{blanks}{piece}" for blanks, piece in zip(("", *kept), pieces, strict=True))

    def _link(self, found: re.Match[str]) -> str | None:
        page, part = found["wiki"].strip(), (found["part"] or "")[1:].strip()
        if self._resolve is None or not (page or part):
            return None
        target = self._resolve(page, part, bool(found["taken_in"]))
        if target and target.is_shown:
            return _image(target.address, found["label"] or "", posixpath.splitext(posixpath.basename(page))[0])
        label = found["label"] or (f"{page}#{part}" if page and part else page or part)
        return None if target is None else f"[{label.strip()}](<{target.address}>)"


def _image(address: str, label: str, name: str) -> str:
    """An image, as Obsidian labels it: `text`, `300`, `300x200`, `text|300`; its text is else its name."""
    text, _, size = label.rpartition("|")
    sizes = _SIZE.fullmatch(size.strip())
    text = (text if sizes else label).strip() or name
    height = f" height={sizes[2]}" if sizes and sizes[2] else ""
    return f"![{text}](<{address}>)" + (masked(ATTRIBUTES, f"{{width={sizes[1]}{height}}}") if sizes else "")


_SIZE: Final = re.compile(r"(\d{1,5})(?:x(\d{1,5}))?")
_REWRITES: Final = frozenset(("math", "attributes", "wiki", "part", "label"))
_BLANKS: Final = re.compile(r"[ \t]*")
_QUOTED: Final = re.compile(r"[ \t>]*")


_SOURCE: Final = re.compile(
    rf"""
    <!--.*?(?:-->|\Z)
    | <(?P<raw>script|style|textarea|title|pre|code)(?=[\s>]).*?(?:</(?P=raw)\s*>|\Z)
    | <[A-Za-z/][^<>]*+>
    | (?P<formula>(?:{START}p{DIGITS}{END}\s*+)*+{START}m{DIGITS}{END})
    | {START}[mpadi]{DIGITS}{END}
    """,
    re.DOTALL | re.VERBOSE,
)
Render = Callable[[Sequence[tuple[str, bool]]], Sequence[str]]
"""From formulas, and whether each is displayed, to their HTML."""


def finished(content: str) -> str:
    """The HTML with all masked text put back, formulas as KaTeX and MathJax find them."""
    if START not in content:
        return content
    return _SOURCE.sub(_put_back, _with_attributes(content))


def _put_back(found: re.Match[str]) -> str:
    """A formula; or an element, attribute or comment with masked text as it was written."""
    if not found["formula"]:
        return MASK.sub(lambda mask: html.escape(unmasked(mask)), found[0]) if START in found[0] else found[0]
    written = "\n".join(map(unmasked, MASK.finditer(found["formula"])))
    width = 1 if written[0] == "$" and written[1:2] != "$" else 2
    tex = html.escape(written[width:-width], quote=False)
    if written[:2] in {"$$", "\\["}:
        return f'<span class="math display">\\[{tex}\\]</span>'
    return f'<span class="math inline">\\({tex}\\)</span>'


_FORMULA: Final = re.compile(r'<span class="math (?:inline">\\\((.*?)\\\)|display">\\\[(.*?)\\\])</span>', re.DOTALL)


def with_formulas(content: str, render: Render) -> str:
    """The HTML with other HTML in place of the formulas."""
    found = list(_FORMULA.finditer(content))
    formulas = [(html.unescape(each[1] or each[2] or ""), each[2] is not None) for each in found]
    pieces: list[str] = []
    end = 0
    for each, made in zip(found, render(formulas) if formulas else (), strict=True):
        pieces += content[end : each.start()], made
        end = each.end()
    return "".join((*pieces, content[end:]))


class FormulaError(Exception):
    """A formula is no TeX that can be rendered. `tex` is the formula, `at` the position in it, `message` the reason."""

    def __init__(self, tex: str, at: int, message: str) -> None:
        super().__init__(message)
        self.tex = tex
        self.at = at


_LONGEST: Final = 20_000
"""Characters of a formula."""
_DEEPEST: Final = 100
"""The limits on nested groups, and on commands one after another, each of which may be the argument of the one before:
math-core's parser takes stack for each."""
_EXPANSIONS: Final = 10
_COMMANDS: Final = re.compile(rf"(?:\\[A-Za-z]+\s*+){{{_DEEPEST},}}")
_GROUPS: Final = re.compile(r"\\[{}]|(?P<opens>[{]|\\left\b|\\begin\b)|(?P<closes>[}]|\\right\b|\\end\b)")
_AT: Final = re.compile(r"(\d+): (.*)", re.DOTALL)


def as_mathml(formulas: Sequence[tuple[str, bool]]) -> Sequence[str]:
    """Formulas as MathML, with equations numbered throughout. Raises FormulaError."""
    import math_core  # noqa: PLC0415 - an extra

    converter = math_core.LatexToMathML(fancy_error=False, max_expansions=_EXPANSIONS)
    for tex, _ in formulas:
        _check_size(tex)
    try:
        return converter.convert_all(list(formulas))
    except math_core.LatexError as error:
        reason = str(error)
    for tex, is_displayed in formulas:
        try:
            converter.convert_with_global_state(tex, displaystyle=is_displayed)
        except math_core.LatexError as error:
            found = _AT.fullmatch(str(error))
            raise FormulaError(tex, int(found[1]) if found else 0, found[2] if found else str(error)) from None
    raise FormulaError(formulas[0][0], 0, reason)


def _check_size(tex: str) -> None:
    if len(tex) > _LONGEST:
        raise FormulaError(tex, 0, f"it is longer than {_LONGEST:,} characters")
    depth = 0
    for each in _GROUPS.finditer(tex):
        depth += (each["opens"] is not None) - (each["closes"] is not None)
        if depth > _DEEPEST:
            raise FormulaError(tex, each.start(), f"it is nested more than {_DEEPEST} levels deep")
    if found := _COMMANDS.search(tex):
        raise FormulaError(tex, found.start(), f"it has {_DEEPEST} commands in a row")


_GIVEN: Final = re.compile(rf"\n?{START}a({DIGITS}){END}")
_OWNER: Final = re.compile(r"(?:<(img)[^<>]*/>|</(a|code|em|strong|del)>)\Z")
_REACH: Final = 10_000
"""Characters; the most between the beginning of an element and its attributes."""
_NAMED: Final = re.compile(r"""([\w:-]+)=(?:"([^"]*)"|'([^']*)'|([^\s"'{}]+))|([.#])([\w:-]+)""")
_OWN: Final = re.compile(r"([\w:-]+)=\"([^\"]*)\"")


def _with_attributes(content: str) -> str:
    """The HTML with masked attributes in the tags that they belong to; others stay masked."""
    tags: dict[int, str] = {}
    cuts: list[tuple[int, int, str]] = []
    for found in _GIVEN.finditer(content):
        start = _owner(content, found)
        if start >= 0:
            tag = tags.get(start) or content[start : content.index(">", start) + 1]
            tags[start] = _merged(tag, decoded(found[1]))
            cuts.append((found.start(), found.end(), ""))
    cuts += [(start, content.index(">", start) + 1, tag) for start, tag in tags.items()]
    pieces: list[str] = []
    end = 0
    for start, stop, text in sorted(cuts):
        pieces += content[end:start], text
        end = stop
    return "".join((*pieces, content[end:]))


def _owner(content: str, found: re.Match[str]) -> int:
    """The position of the tag that attributes belong to; -1 if there is none."""
    least, most = max(found.start() - _REACH, 0), found.start()
    if found[0][0] == "\n":
        return content.rfind("<p>", least, most) if content.startswith("</p>", found.end()) else -1
    start = content.rfind("<", least, most)
    owner = _OWNER.match(content, start, most) if start >= 0 else None
    name = (owner[1] or owner[2]) if owner else ""
    starts = (content.rfind(f"<{name}{follows}", least, most) for follows in (" ", ">"))
    return max(starts) if owner else -1


def _merged(tag: str, given: str) -> str:
    """A tag with attributes as written between braces; classes are added, others replaced."""
    name, own = re.split(r"[\s>]", tag[1:], maxsplit=1)
    kept = {each[1]: each[2] for each in _OWN.finditer(own)}
    for each in _NAMED.finditer(given):
        if each[5] == ".":
            kept["class"] = f"{kept.get('class', '')} {each[6]}".strip()
        else:
            value = next((value for value in each.group(2, 3, 4) if value is not None), "")
            kept[each[1] or "id"] = html.escape(value or each[6] or "")
    written = "".join(f' {key}="{value}"' for key, value in kept.items())
    return f"<{name}{written}{' />' if tag.endswith('/>') else '>'}"
