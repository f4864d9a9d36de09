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


class SheetError(ValueError):
    """A sheet that can't be read; `line` counts from 1, and is 0 where it is not known."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


def rows_of(text: str, separator: str = "") -> list[dict[str, str]]:
    """The rows by column. Raises SheetError.

    Without a separator: what a first line `sep=;` says, else a comma; a semicolon or a tab where no comma is in the
    first line, and every row has the same number of values by it.
    """
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SheetError("it has a NUL byte: it is damaged, or no UTF-8", line)
    told = _SEPARATOR_LINE.match(text)
    if told:
        return _named(_Lines(text[told.end() :], told[1], 1))
    if separator:
        return _named(_Lines(text, separator))
    first = re.match(r"[^\r\n]*", text)
    for each in _OTHERS if first and "," not in first[0] else ():
        if each in text and (lines := _table(text, each)):
            return _named(lines)
    return _named(_Lines(text, ","))


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
            raise SheetError(f"{len(row)} values for {_columns(lines)}", line)
    kept = _kept(lines)
    if len(kept) == len(lines.names):
        return [dict(zip(lines.names, row, strict=True)) for row, _ in lines.rows]
    return [{lines.names[place]: row[place] for place in kept} for row, _ in lines.rows]


def _columns(lines: _Lines) -> str:
    names = ", ".join(each if len(each) <= _SHOWN else f"{each[:_SHOWN]}…" for each in lines.names[:_SHOWN])
    more = ", …" if len(lines.names) > _SHOWN else ""
    return f"{len(lines.names)} columns ({names}{more})"


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
