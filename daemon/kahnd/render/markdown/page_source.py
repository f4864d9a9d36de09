r"""A page's Markdown as Jinja takes it: where the two would read the same characters otherwise, Markdown's text stays.

- `{#` opens a comment only where it can be nothing else: not in code, not after `$` or as a part of LaTeX, with a `#}`
  and no other `{#` before that; and it goes on with a blank or `-`, or ends in the same line with no brace in between.
  In code by indentation one that is alone on its lines is a comment, since templates are indented, too.
  So `# Title {#id}`, `${#files[@]}`, and `\frac{#1}{#2}` keep their text.
- A tag takes the end of its line with it only where the line holds nothing but tags.
- An `{% include %}` alone on its line stands for lines: each of them gets what stands before the tag.

`as_template` writes that out in Jinja's own terms, without moving a line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kahnd.render.fast.inclusions import COMMENT_END, COMMENT_START, CONTINUED, INDENTED

_STRING: Final = r""""(?:\\.|[^"\\])*+(?:"|\Z)|'(?:\\.|[^'\\])*+(?:'|\Z)"""
TAGS: Final = rf"""
    \{{(?:
      (?P<raw>%[-+]?\s*+raw\s*+-?%\}}.*?(?:\{{%[-+]?\s*+endraw\s*+[-+]?%\}}|\Z))
    | (?P<block>%(?:{_STRING}|[^%'"]|%(?!\}}))*+(?:%\}}|\Z))
    | (?P<print>\{{(?:{_STRING}|[^}}'"]|\}}(?!\}}))*+(?:\}}\}}|\Z))
    | (?P<comment>\#))
"""
"""The one of these that begins first ends before another can begin; one that is not closed ends with the text."""
FENCES: Final = r"""
    ^(?P<before>[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)*+)(?P<fence>`{3,}+|~{3,}+)(?P<info>[^\n]*+)
"""
_TAG: Final = re.compile(TAGS, re.DOTALL | re.MULTILINE | re.VERBOSE)
_TAG_OR_FENCE: Final = re.compile(f"{TAGS}|{FENCES}", re.DOTALL | re.MULTILINE | re.VERBOSE)
_LATEX: Final = re.compile(r"\\(?:[A-Za-z]+\*?(?:\[[^\]\n]*\]|\{[^{}\n]*\})*)?\Z")
_LATEX_REACH: Final = 200
_BLANK_LINE: Final = re.compile(r"^[ \t>]*$", re.MULTILINE)
_END_OF_QUOTE: Final = re.compile(r"\n(?![ \t]*>)")
_TICKS: Final = re.compile(r"`+")
_INCLUDE: Final = re.compile(r"\{%\+?\s*include\b[^\n]*(?<![-+])%\}\Z", re.DOTALL)
_MARKERS: Final = re.compile(
    r"(?:\[\^[^\]\s]+\]:[ \t]+)?[ \t]*(?:>[ \t]?)*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:\[[ xX]\][ \t]+)?(?:>[ \t]?)*"
)
_FOOTNOTE: Final = re.compile(r"\[\^.*?\]:[ \t]+")
_TASK_BOX: Final = re.compile(r"\[[ xX]\][ \t]+")
_RAW: Final = re.compile(r"(\{%[-+]?\s*raw\s*-?%\})(.*?)(\{%[-+]?\s*endraw\s*[-+]?%\}|\Z)", re.DOTALL)
_TO_LINE_END: Final = re.compile(r"[ \t]*+(?:\n|\Z)")
_CODE_INDENT: Final = 4
_FOOTNOTE_INDENT: Final = 4 * " "
LIST_ITEM: Final = re.compile(r"(?:[-*+]|\d{1,9}[.)])\s|\[\^")
"""A footnote's text may be indented too."""
LIST_MARKER: Final = re.compile(r"[-*+\d.)]")
_LINE_END: Final = re.compile(r"\r\n?")


@dataclass(frozen=True, slots=True)
class _Token:
    """A tag, an expression, a comment, or what is between `{% raw %}` tags."""

    kind: str
    start: int
    end: int
    in_code: bool = False


def as_template(body: str, lines: int = 0) -> str:
    """A page's body as a template for the environment of pages; `lines` is the number of lines before it."""
    text = _LINE_END.sub("\n", body)
    above = f"{COMMENT_START}{lines * chr(10)}{COMMENT_END}" if lines else ""
    pieces = [above]
    end = 0
    for line in _logical_lines(text, list(_tokens(text))):
        for start, stop, replaced in line.changes(text):
            pieces += text[end:start], replaced
            end = stop
    return "".join((*pieces, text[end:]))


def has_jinja(body: str) -> bool:
    """Tell whether a page's body contains tags, expressions or comments of Jinja."""
    return "{{" in body or "{%" in body or ("{#" in body and any(_tokens(body)))


def without_comments(body: str) -> str:
    """A page's body without its template comments, and otherwise unchanged."""
    if "{#" not in body:
        return body
    pieces: list[str] = []
    end = 0
    for token in _tokens(body):
        if token.kind == "comment":
            pieces.append(body[end : token.start])
            end = token.end
    return "".join((*pieces, body[end:]))


def is_in_code(body: str, line: int) -> bool:
    """Tell whether a line of the body, counted from 1, has tags in code."""
    lines = body.split("\n")
    start = sum(len(each) + 1 for each in lines[: line - 1])
    end = start + len("".join(lines[line - 1 : line]))
    return any(each.in_code and each.start <= end and each.end >= start for each in _tokens(body, code=True))


def _tokens(text: str, *, code: bool = False) -> Iterator[_Token]:
    """The tokens of Jinja in a text, in order; with `code`, each knows whether it is in code."""
    fences, comments, spans, indented_code = Fences(text), _Comments(text), Spans(text), IndentedCode(text)
    position = 0
    # Fences matter to comments only, and looking for them takes several times as long.
    expression = _TAG_OR_FENCE if code or "{#" in text else _TAG
    while found := expression.search(text, position):
        kind, position = found.lastgroup or "", found.end()
        if kind == "info":
            position = fences.read(found)
        elif kind != "comment":
            in_code = code and any(each.holds(found.start()) for each in (fences, spans, indented_code))
            yield _Token(kind, found.start(), position, in_code)
        elif (
            (close := comments.close(found.start()))
            and not (fences.holds(found.start()) or spans.holds(found.start()))
            and (indented_code.is_filled(found.start(), close) or not indented_code.holds(found.start()))
        ):
            position = close
            yield _Token(kind, found.start(), close)


class Fences:
    """Follows the text's code fences."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._mark = ""
        self._until = len(text)
        self._quote_end = -1

    def holds(self, position: int) -> bool:
        """Tell whether a position after all fences so far is in code. A fence in a quotation ends with it."""
        if self._mark and position > self._until:
            self._mark = ""
        return bool(self._mark)

    def read(self, found: re.Match[str]) -> int:
        """Read a line that may open or close a fence; return the position to continue from."""
        mark, info = found["fence"], found["info"]
        if self.holds(found.start()):
            closes = mark[0] == self._mark[0] and len(mark) >= len(self._mark) and not info.strip()
            if closes and not LIST_MARKER.search(found["before"]):
                self._mark = ""
        elif mark[0] == "~" or "`" not in info:
            self._mark = mark
            self._until = self._end_of_quote(found.start()) if ">" in found["before"] else len(self._text)
        return found.end("fence")

    def _end_of_quote(self, start: int) -> int:
        if self._quote_end < start:
            found = _END_OF_QUOTE.search(self._text, start)
            self._quote_end = found.start() if found else len(self._text)
        return self._quote_end


@dataclass(slots=True)
class _Comments:
    """Tells comments from text."""

    text: str
    _close: int = -1

    def close(self, start: int) -> int:
        """The end of the comment that begins at `start`; 0 if its characters show that it is no comment."""
        text, inner = self.text, start + 2
        if self._close < inner:
            self._close = text.find("#}", inner) if self._close != len(text) else len(text)
            self._close = len(text) if self._close < 0 else self._close
        if self._close == len(text):
            return 0
        following = text.find("{#", inner, self._close + 1)
        if following >= 0 or (start and text[start - 1] == "$"):
            return 0
        first, content = text[inner], text[inner : self._close]
        is_tight = not ("\n" in content or "{" in content or "}" in content)
        if not (first.isspace() or first == "-" or is_tight):
            return 0
        before = text[max(start - _LATEX_REACH, 0) : start].rpartition("\n")[2]
        return 0 if "\\" in before and _LATEX.search(before) else self._close + 2


class Spans:
    """Finds code between backticks, in one paragraph at a time, on request."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends: list[int] | None = None
        self._paragraph = (0, -1)
        self._spans: list[tuple[int, int]] = []

    def holds(self, position: int) -> bool:
        """Tell whether a placement is in such code."""
        if not self._paragraph[0] <= position < self._paragraph[1]:
            self._go_to(position)
        at = bisect_right(self._spans, (position, len(self._text))) - 1
        return at >= 0 and position < self._spans[at][1]

    def _go_to(self, position: int) -> None:
        if self._ends is None:
            self._ends = [0, *(each.start() for each in _BLANK_LINE.finditer(self._text)), len(self._text) + 1]
        at = bisect_right(self._ends, position)
        self._paragraph = start, end = self._ends[at - 1], self._ends[at]
        self._spans = list(_spans(self._text, start, end))


class IndentedCode:
    """Finds code indented by four spaces after a blank line, outside of lists, whose text is indented too."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._code: list[tuple[int, int]] | None = None

    def holds(self, position: int) -> bool:
        """Tell whether a placement is in such code."""
        start, end = self._line(position)
        return start <= position < end

    def is_filled(self, start: int, end: int) -> bool:
        """Tell whether a part of the text fills whole lines of such code."""
        return self._line(start)[0] == start and _TO_LINE_END.match(self._text, end) is not None

    def _line(self, position: int) -> tuple[int, int]:
        if self._code is None:
            self._code = list(_indented_code(self._text))
        at = bisect_right(self._code, (position, len(self._text))) - 1
        return self._code[at] if at >= 0 else (-1, -1)


def _indented_code(text: str) -> Iterator[tuple[int, int]]:
    """The beginning, after the indentation, and end of each line of indented code."""
    in_list, after_blank = False, True
    position = 0
    for line in text.split("\n"):
        content = line.lstrip(" ")
        is_indented = len(line) - len(content) >= _CODE_INDENT or content.startswith("\t")
        if not line.strip():
            after_blank = True
        elif not is_indented or not after_blank:
            in_list = bool(LIST_ITEM.match(content)) or (in_list and not (after_blank and content == line))
            after_blank = False
        elif not in_list:
            yield position + len(line) - len(line.lstrip()), position + len(line)
        position += len(line) + 1


def _spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The spans of code between backticks: as many close it as have opened it."""
    runs = [each.span() for each in _TICKS.finditer(text, start, end)]
    following: dict[int, list[int]] = {}
    for at in range(len(runs) - 1, -1, -1):
        following.setdefault(runs[at][1] - runs[at][0], []).append(at)
    at = 0
    while at < len(runs):
        first, last = runs[at]
        first += first > 0 and text[first - 1] == "\\"
        closing = following.get(last - first, [])
        while closing and closing[-1] <= at:
            closing.pop()
        if closing and first < last:
            yield first, runs[closing[-1]][1]
            at = closing[-1]
        at += 1


@dataclass(frozen=True, slots=True)
class _Line:
    """Tokens without a line end between them; from `start` to `end`, without the line end."""

    start: int
    end: int
    tokens: list[_Token]

    def changes(self, text: str) -> Iterator[tuple[int, int, str]]:
        """The replacements as (start, end, text), in order."""
        before = text[self.start : self.tokens[0].start]
        only_tags = self._only_tags(text)
        trims = only_tags and not before.strip()
        placement = (
            _IncludePosition(before, trims, self.end < len(text))
            if only_tags and self._fits_lines(text, before)
            else None
        )
        for number, token in enumerate(self.tokens):
            given = text[token.start : token.end]
            if token.kind == "raw":
                yield token.start, token.end, _raw_as_written(token, text)
                continue
            source = given
            if not only_tags and not number and before and not before.strip():
                source = _keeping_start(source)
            if not trims and text[token.end : token.end + 1] == "\n":
                source = _keeping_end(source)
            if token.kind == "comment":
                yield token.start, token.end, f"{COMMENT_START}{source[2:-2]}{COMMENT_END}"
            elif placement and _INCLUDE.match(given):
                yield token.start, token.end, self._put(source, placement, number, text)
            elif token.kind == "block" and source != given:
                yield token.start, token.end, source
        if placement and trims and text[self.tokens[-1].end : self.end]:
            yield self.tokens[-1].end, self.end, ""

    def _fits_lines(self, text: str, before: str) -> bool:
        """Tell whether included lines fit here: after spaces and Markdown's markers only, without `-` and `+`."""
        tags = (text[each.start : each.end] for each in self.tokens)
        signs = ({tag[2:3], tag[-3:-2]} & {"-", "+"} for tag in tags if not _INCLUDE.match(tag))
        return _MARKERS.fullmatch(before) is not None and not any(signs)

    def _only_tags(self, text: str) -> bool:
        """Tell whether there are only tags and comments from the first token on."""
        gaps = zip(self.tokens, [*(each.start for each in self.tokens[1:]), self.end], strict=True)
        return all(each.kind in {"block", "comment"} and not text[each.end : stop].strip() for each, stop in gaps)

    def _put(self, tag: str, placement: _IncludePosition, number: int, text: str) -> str:
        """An include with the filter around it; adjacent includes share one filter."""
        opens, closes = not self._is_include(number - 1, text), not self._is_include(number + 1, text)
        end = "+%}" if tag.endswith("+%}") else "%}"
        inner = f"{{%{tag[2:].removeprefix('+').removesuffix(end)}%}}"
        return f"{placement.opening if opens else ''}{inner}{'{% endfilter ' + end if closes else ''}"

    def _is_include(self, number: int, text: str) -> bool:
        token = self.tokens[number] if 0 <= number < len(self.tokens) else None
        return token is not None and _INCLUDE.match(text[token.start : token.end]) is not None


@dataclass(frozen=True, slots=True)
class _IncludePosition:
    """The position of an include: the text before it, whether the tags take that away, whether its line ends."""

    before: str
    trims: bool
    ended: bool

    @property
    def opening(self) -> str:
        """The filter tag that gives all included lines the same prefix."""
        rest = LIST_MARKER.sub(" ", _TASK_BOX.sub("", _FOOTNOTE.sub(_FOOTNOTE_INDENT, self.before)))
        call = f'{INDENTED}("{rest}"{"" if self.ended else ", False"})' if self.trims else f'{CONTINUED}("{rest}")'
        return f"{{% filter {call} %}}"


def _raw_as_written(token: _Token, text: str) -> str:
    """The raw block with its two tags changed to keep the blanks and line ends around them, as other tags do."""
    found = _RAW.fullmatch(text, token.start, token.end)
    if found is None or not found[3]:
        return text[token.start : token.end]
    opening, inner, closing = found.groups()
    above = text[text.rfind("\n", 0, token.start) + 1 : token.start]
    first, line_end, _ = inner.partition("\n")
    if above and not above.strip() and (first.strip() or not line_end):
        opening = _keeping_start(opening)
    last = inner.rpartition("\n")[2]
    is_alone = line_end and not last.strip() and _TO_LINE_END.match(text, token.end)
    if not is_alone:
        closing = _keeping_start(closing) if line_end and last and not last.strip() else closing
        closing = _keeping_end(closing) if text[token.end : token.end + 1] == "\n" else closing
    return f"{opening}{inner}{closing}"


def _keeping_start(tag: str) -> str:
    """The tag or comment, made to keep the spaces before it unless it has a sign of its own."""
    return tag if tag[2] in "-+" else f"{tag[:2]}+{tag[2:]}"


def _keeping_end(tag: str) -> str:
    """The tag or comment, made to keep the end of its line unless it has a sign of its own."""
    signed = tag[-3] in "-+"
    return tag if signed else f"{tag[:-2]}+{tag[-2:]}"


def _logical_lines(text: str, tokens: list[_Token]) -> Iterator[_Line]:
    tokens_of_line: list[_Token] = []
    for token in tokens:
        if tokens_of_line and "\n" in text[tokens_of_line[-1].end : token.start]:
            yield _line(text, tokens_of_line)
            tokens_of_line = []
        tokens_of_line.append(token)
    if tokens_of_line:
        yield _line(text, tokens_of_line)


def _line(text: str, tokens: list[_Token]) -> _Line:
    end = text.find("\n", tokens[-1].end)
    return _Line(text.rfind("\n", 0, tokens[0].start) + 1, end if end >= 0 else len(text), tokens)
