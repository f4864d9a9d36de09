"""Makefile-style lists of dependencies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.render.programs.reported_paths import dependencies

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\\|"), min_size=1)


def _escaped(name: str) -> str:
    return name.replace("$", "$$").replace(" ", "\\ ").replace("#", "\\#").replace(":", "\\:")


@given(st.lists(NAMES, min_size=1), st.lists(NAMES), st.sampled_from([" ", "\t", " \\\n ", "\\\r\n  "]))
def test_what_is_written_is_read_back(targets: list[str], names: list[str], between: str) -> None:
    text = " ".join(map(_escaped, targets)) + ": " + between.join(map(_escaped, names)) + "\n"
    assert dependencies(text) == list(dict.fromkeys(names))


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    dependencies(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("out.o: a.c \\\n  b.h \\\n  c.h\n\nb.h:\n\nc.h:\n", ["a.c", "b.h", "c.h"]),
        ("out.o out.d: a.c\nother: a.c b.c", ["a.c", "b.c"]),
        ("c:/odd.o: c:/a.c", ["c:/a.c"]),
        ("out:a.c\n", []),
        ("out.o:\\\n a.c", ["a.c"]),
        ("out: a.c | b.c", ["a.c", "b.c"]),
        ("out: a.c # as said before\n", ["a.c"]),
        ("out: a.c#1\n", ["a.c#1"]),
        ("out: a.c \\", ["a.c"]),
        ("out: a.c \\\n", ["a.c"]),
        ("out: a\\ \n", ["a "]),
        ("out: un\u00a0deux.c trois\u2028quatre.c\n", ["un\u00a0deux.c", "trois\u2028quatre.c"]),
        ("", []),
    ],
)
def test_what_compilers_write(text: str, expected: list[str]) -> None:
    assert dependencies(text) == expected
