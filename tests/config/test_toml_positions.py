from __future__ import annotations

import tomllib
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kahnd.config.validation import KeyPath, locate

TEXT = '''\
# a comment with [brackets] and = signs
name = "x"  # another
"quoted key" = 1
dotted.inner."third part" = [
    "# no comment",
    """two
lines = here""",
  { a = 1, b.c = [
     2 ] },
]

[table]
text = \'\'\'
[not.a.table]
key = 1\'\'\'
[ spaced . "out" ]
x = 1979-05-27 07:32:00
[[rules]]
match = "a"
[rules.deeper]
k = 0xff
[[rules]]
match = 'b'
scan = ["(", ']']
[[rules.inner]]
[[rules.inner]]
z = true
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("quoted key",), 3),
        (("dotted",), 4),
        (("dotted", "inner", "third part"), 4),
        (("dotted", "inner", "third part", 0), 5),
        (("dotted", "inner", "third part", 1), 6),
        (("dotted", "inner", "third part", 2), 8),
        (("dotted", "inner", "third part", 2, "b", "c"), 8),
        (("dotted", "inner", "third part", 2, "b", "c", 0), 9),
        (("table",), 12),
        (("table", "text"), 13),
        (("spaced",), 16),
        (("spaced", "out", "x"), 17),
        (("rules",), 18),
        (("rules", 0, "match"), 19),
        (("rules", 0, "deeper", "k"), 21),
        (("rules", 1), 22),
        (("rules", 1, "scan", 1), 24),
        (("rules", 1, "inner", 1, "z"), 27),
    ],
)
def test_each_key_and_element_has_its_line(path: KeyPath, line: int) -> None:
    assert locate(TEXT)[path] == line


def test_windows_line_ends_count_once() -> None:
    assert locate("a = 1\r\n\r\n[b]\r\nc = 2\r\n")["b", "c"] == 4


KEYS = ("k{0}", "K-{0}_", '"q {0}.\\"#[="', "'l {0} \\ ]'", '"\\u00e9{0}"')
SCALARS = ('"<{0}>"', "'<{0}>#'", '"""<{0}>\n = "" \\""" ]"""', "'''<{0}>\n[x]\n'''", '"<{0}>\\\\\\" # "', "{0}")


@st.composite
def documents(draw: st.DrawFn) -> str:  # noqa: C901 (a grammar, a function a rule)
    """A valid TOML text in which every scalar is unique, so that it marks its line."""
    number = count(1)

    def key() -> str:
        return draw(st.sampled_from(KEYS)).format(next(number))

    def scalar() -> str:
        return draw(st.sampled_from(SCALARS)).format(1_000_000 + next(number))

    def blank() -> str:
        return draw(st.sampled_from(["", " ", "\n", "\n  # [x] = ]\n", "\t"]))

    def blank_line() -> str:
        return draw(st.sampled_from(["", "# c = 1", "   "]))

    def value(depth: int) -> str:
        form = draw(st.integers(0, 3)) if depth else 0
        if form == 1:
            items = [f"{blank()}{value(depth - 1)}{blank()}" for _ in range(draw(st.integers(0, 2)))]
            comma = "," if draw(st.booleans()) and items else ""
            return f"[{','.join(items)}{comma}{blank()}]"
        if form == 2:
            return "{" + ", ".join(pair(depth - 1) for _ in range(draw(st.integers(0, 3)))) + "}"
        return scalar()

    def pair(depth: int) -> str:
        keys = " . ".join(key() for _ in range(draw(st.integers(1, 3))))
        return f"{keys} = {value(depth)}"

    def pairs() -> Iterator[str]:
        for _ in range(draw(st.integers(0, 2))):
            shared = key()
            yield from [f"{shared}.{pair(2)}" for _ in range(draw(st.integers(0, 2)))]
            yield blank_line()

    def tables(outer: str, depth: int) -> Iterator[str]:
        for _ in range(draw(st.integers(0, 2)) if depth else 0):
            name = f"{outer}{key()}"
            copies = draw(st.integers(0, 2))
            for _ in range(copies or 1):
                yield f"[[{name}]]" if copies else f"[ {name} ] # c"
                yield from pairs()
                yield from tables(f"{name}.", depth - 1)

    return "\n".join([*pairs(), *tables("", 3)])


def _paths(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    if path:
        yield path, value
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _paths(inner, (*path, key))


def _mark(value: str | int) -> str:
    return value.partition(">")[0] + ">" if isinstance(value, str) else str(value)


@settings(deadline=None)
@given(documents())
def test_positions_agree_with_tomllib(text: str) -> None:
    found = locate(text)
    expected = dict(_paths(tomllib.loads(text)))
    assert found.keys() == expected.keys()
    lines = text.split("\n")
    for path, value in expected.items():
        if isinstance(value, str | int):
            (line,) = [number for number, each in enumerate(lines, 1) if _mark(value) in each]
            assert found[path] == line
