"""Coloured code is Pygments' own, byte for byte."""

from __future__ import annotations

import re
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import RegexLexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Name, Punctuation

from kahnd.render.fast.highlighting import ASCII, fast_lexer, first_set
from kahnd.render.markdown.highlight import Highlighter

COLOURING = Highlighter()
LANGUAGES = [
    "python",
    "pycon",
    "numpy",
    "go",
    "rust",
    "bash",
    "console",
    "c",
    "cpp",
    "csharp",
    "java",
    "kotlin",
    "swift",
    "javascript",
    "typescript",
    "jsx",
    "html",
    "xml",
    "css",
    "scss",
    "php",
    "jinja",
    "json",
    "yaml",
    "toml",
    "ini",
    "sql",
    "postgresql",
    "lua",
    "ruby",
    "perl",
    "r",
    "haskell",
    "ocaml",
    "elixir",
    "clojure",
    "elisp",
    "makefile",
    "cmake",
    "docker",
    "nginx",
    "diff",
    "rst",
    "tex",
    "md",
    "text",
    "powershell",
    "awk",
    "nix",
    "zig",
    "fortran",
    "http",
]
FRAGMENTS = (
    'def f(x: int = 12) -> str:\n    """Doc.\n\n    More."""\n',
    "class A extends B {",
    "#!/bin/sh\n",
    "# comment\n",
    "// comment\n",
    "/* one\n\n two */",
    "<!-- x -->",
    "<a href='b'>c &amp; d</a>",
    "<script>let a = 1;</script>",
    "{% if a %}{{ b|c }}{% endif %}",
    'f"{a!r:>{w}} {b}"',
    "rb'\\x00'",
    "`a ${b} c`",
    '"\\u00e9 \\" unfinished\n',
    "'x'",
    "'''y\n'''",
    "$HOME ${a%% *} $(b) $1",
    "0x1F 0b1 0o7 1_000 1e-5 .5 1.5f 'c'",
    "a.b->c::d<e>(f)[g];",
    "if while for return import from in is not and or lambda None True self len",
    "func main() { fmt.Println(`x`) }\n",
    "select * from t where a = 'b';\n",
    "key: [value, *anchor]\n",
    "@decorator\n",
    "\\begin{x} %c\n",
    "$ ls\nout\n",
    ">>> 1\n1\n",
    "+ added\n- removed\n",
    "<<EOF\nx\nEOF\n",
    "café naïve ÄÖ Ж 中 \N{KELVIN SIGN} \N{LATIN SMALL LETTER LONG S}",
    "\x1c \x1f \0 \x7f\t\v\f\r\n\r",
    "\ufeff",
    "==>= != := << >> ** // ?. ?? => -> ... && || !",
    "\n",
    "\n\n\n",
    "  ",
    "    indented\n",
    "}",
    ")",
    "]",
    '"',
    "'",
    "`",
)
CODE = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=8)), max_size=12).map("".join)


@pytest.mark.parametrize("language", LANGUAGES)
def test_colours_are_those_of_pygments(language: str) -> None:
    lexer, formatter = get_lexer_by_name(language), HtmlFormatter[str](cssclass="highlight", wrapcode=True)

    @given(CODE)
    def same(code: str) -> None:
        assert COLOURING.colour(language, code) == highlight(code, lexer, formatter)

    same()


def test_an_unknown_language_has_no_colours() -> None:
    assert COLOURING.colour("no-such-language", "x") is None


class Nested(RegexLexer):
    """Goes back from where it may not have been."""

    tokens: ClassVar = {
        "root": [
            (r"\(", Punctuation, "inner"),
            (r"\)", Punctuation, "#pop:2"),
            (r"x", Name, ("#push", "#pop", "inner")),
        ],
        "inner": [(r"\(", Punctuation, "#push"), (r"\)", Punctuation, "#pop:3"), (r"x", Name, ("#pop", "#pop"))],
    }


@given(st.text("()x\n a"))
def test_no_state_is_left_that_is_the_first(code: str) -> None:
    assert list(fast_lexer(Nested()).get_tokens(code)) == list(Nested().get_tokens(code))


@pytest.mark.parametrize(
    ("expression", "beginning"),
    [
        ("ab|cd", "ac"),
        ("a?b", "ab"),
        ("a{2}b", "a"),
        (r"(?<!x)\b(a|b+)c", "ab"),
        ("(?i)ab", "aA"),
        ("(?i:a)|b", "aAb"),
        ("(?i)(?-i:a)", "a"),
        ("[b-d_]", "bcd_"),
        ("(?i)[b-d]", "bcdBCD"),
        (r"\d", "0123456789"),
        ("(?x) a  # the letter", "a"),
        ("(?>a|b)c", set(ASCII)),
        ("(?i)\N{KELVIN SIGN}", set(ASCII)),
        ("a*", set(ASCII)),
        ("", set(ASCII)),
        ("é", ""),
        (r"[^\w\s]", {each for each in ASCII if not re.match(r"[\w\s]", each)} | set("\x1c\x1d\x1e\x1f")),
    ],
)
def test_what_a_match_begins_with_is_read_from_the_expression(expression: str, beginning: str | set[str]) -> None:
    assert first_set(re.compile(expression)) == set(beginning)


EXPRESSIONS = (
    r"[^\S\n]+",
    r"(?a:\s)x",
    r"(?a)[^\s]",
    r"(?i)[^a-c]",
    r"(?i)s+|[k-m]",
    r"[^é]",
    r".",
    r"(?s).",
    r"(a)?(?(1)b|c)",
    r"(?=a)\w",
    r"(?:a|)b",
    r"\W\D",
    r"[^\W\d]",
    r"(?:)*x",
    r"x*?y",
    r"x++y",
    r"^\s*#",
    r"\Z|a",
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_no_match_begins_otherwise(expression: str) -> None:
    compiled = re.compile(expression, re.MULTILINE)
    beginning = first_set(compiled)
    for first in ASCII - beginning:
        assert not any(compiled.match(first + rest) for rest in ("", "a", "b", "c", "x", "y", "0", " ", "#", "-"))
