"""Sheets of values parsed, csv and tsv: rows by the names in the first line, of which no value is lost."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from typing import Final

_OTHERS: Final = (";", "\t")
_SEPARATOR_LINE: Final = re.compile(r"\"?sep=([^\"\r\n])\"?[ \t]*(?:\r\n?|\n|\Z)", re.IGNORECASE)
_SHOWN: Final = 20
_NAMES: Final = {",": "commas", ";": "semicolons", "\t": "tabs"}
_TELL: Final = "name the separator in a line above, `sep=;`, or `sep=,` for one column"


class SheetError(ValueError):
    """A sheet that can't be read; `line` counts from 1, and is 0 where it is not known."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


def rows_of(text: str, separator: str = "") -> list[dict[str, str]]:
    """The rows by column. Raises SheetError, also where more than one separator would do.

    Without a separator: the one that a first line `sep=;` names. Else a comma, a semicolon or a tab: the one that
    divides the first line, and every other line into as many values. A first line with none of them is one column.
    """
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SheetError("it has a NUL byte: it is damaged, or no UTF-8", line)
    told = _SEPARATOR_LINE.match(text)
    if told:
        return _named(_Lines(text[told.end() :], told[1], 1))
    return _named(_Lines(text, separator) if separator else _divided(text))


def _divided(text: str) -> _Lines:
    """The lines by the separator that fits them."""
    first = re.match(r"[^\r\n]*", text)
    others = [each for each in _OTHERS if first and each in first[0]]
    if not others:
        return _Lines(text, ",")
    found = [lines for each in (",", *others) if (lines := _table(text, each))]
    if found and (len(found) == 1 or not found[0].rows):
        return found[0]
    if found:
        told = " and ".join(_NAMES[each.separator] for each in found)
        raise SheetError(f"{told} would divide it alike: {_TELL}", 1)
    by_comma = _Lines(text, ",")
    if len(by_comma.names) == 1:
        for each in others:
            _refuse_uneven(text, each)
    return by_comma


def _refuse_uneven(text: str, separator: str) -> None:
    """Raise SheetError where this divides the first line and some others, but not all alike."""
    try:
        lines = _Lines(text, separator)
    except SheetError:
        return
    if len(lines.names) > 1 and any(len(row) > 1 for row, _ in lines.rows):
        row, line = next(each for each in lines.rows if len(each[0]) != len(lines.names))
        raise SheetError(f"{_values(row)} by {_NAMES[separator]} for {_columns(lines)}: {_TELL}", line)


def _table(text: str, separator: str) -> _Lines | None:
    """The lines by this separator, where all have the same number of values, and more than one."""
    try:
        lines = _Lines(text, separator)
    except SheetError:
        return None
    return lines if len(lines.names) > 1 and all(len(row) == len(lines.names) for row, _ in lines.rows) else None


class _Lines:
    """A sheet taken apart: its first line, and the others with the number of the line that each begins on."""

    def __init__(self, text: str, separator: str, above: int = 0) -> None:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
        self.separator = separator
        self.above = above
        self.rows: list[tuple[list[str], int]] = []
        before = csv.field_size_limit(max(len(text), 1))  # cells are as long as they are; the limit is the process's
        line = 1
        try:
            self.names = next(reader, [])
            line = reader.line_num + 1
            for row in reader:
                if row:
                    self.rows.append((row, above + line))
                line = reader.line_num + 1
        except csv.Error as error:
            unclosed = "unexpected end" in str(error)
            reason = "a quotation mark in the row that begins here is not closed" if unclosed else str(error)
            raise SheetError(reason, above + (line if unclosed else reader.line_num)) from error
        finally:
            csv.field_size_limit(before)


def _named(lines: _Lines) -> list[dict[str, str]]:
    for row, line in lines.rows:
        if len(row) != len(lines.names):
            raise SheetError(f"{_values(row)} for {_columns(lines)}", line)
    kept = _kept(lines)
    if len(kept) == len(lines.names):
        return [dict(zip(lines.names, row, strict=True)) for row, _ in lines.rows]
    return [{lines.names[place]: row[place] for place in kept} for row, _ in lines.rows]


def _columns(lines: _Lines) -> str:
    names = ", ".join(each if len(each) <= _SHOWN else f"{each[:_SHOWN]}…" for each in lines.names[:_SHOWN])
    more = ", …" if len(lines.names) > _SHOWN else ""
    return f"{_counted(len(lines.names), 'column')} ({names}{more})"


def _values(row: list[str]) -> str:
    return _counted(len(row), "value")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _kept(lines: _Lines) -> list[int]:
    """The columns by place: spreadsheets leave empty ones at the end, which have neither a name nor a value."""
    unnamed = [place for place, name in enumerate(lines.names) if not name]
    empty = {place for place in unnamed if len(unnamed) > 1 and not any(row[place] for row, _ in lines.rows)}
    kept = [place for place in range(len(lines.names)) if place not in empty]
    twice = [name for name, count in Counter(lines.names[place] for place in kept).items() if count > 1]
    if twice:
        told = f"two columns are named {twice[0]!r}" if twice[0] else "two columns have no name"
        raise SheetError(f"{told}: give each a name of its own", lines.above + 1)
    return kept
