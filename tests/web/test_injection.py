"""The client's tag in a page's HTML."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.web.injection import PageTag, with_tag

TAG = b"<script src=x></script>"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            "<!doctype html><html><head><title>t</title></head><body>",
            "<!doctype html><html><head><title>t</title>@</head><body>",
        ),
        ("<HTML><HEAD></HEAD ><BODY>", "<HTML><HEAD>@</HEAD ><BODY>"),
        ("<!doctype html><title>t</title><body class=x>", "<!doctype html><title>t</title>@<body class=x>"),
        ("<!doctype html><p>no head", "<!doctype html>@<p>no head"),
        ("plain", "@plain"),
        ("", "@"),
        ("<!-- </head> --><head></head>", "<!-- </head> --><head>@</head>"),
        ("<!--><head></head>", "<!--><head>@</head>"),
        ("<script>'</head>'</script></head>", "<script>'</head>'</script>@</head>"),
        ("<title></head></title></head>", "<title></head></title>@</head>"),
        ("<template><body></template></head>", "<template><body></template>@</head>"),
        ("<head><base href='https://x/'></head>", "<head>@<base href='https://x/'></head>"),
        ("<header></header><bodyguard></head>", "<header></header><bodyguard>@</head>"),
        ('<head><meta content="the <body> tag"></head>', '<head><meta content="the <body> tag">@</head>'),
        ("<head><meta content = '</head >'></head>", "<head><meta content = '</head >'>@</head>"),
        ("<head><meta content=5\"><body title='\"'>", "<head><meta content=5\">@<body title='\"'>"),
        ("<script title='</script>'>'</head>'</script></head>", "<script title='</script>'>'</head>'</script>@</head>"),
        ("<p title='<body>", "@<p title='<body>"),
        ("<!-- c -->\n<!doctype html>text", "<!-- c -->\n<!doctype html>@text"),
        ("<script>'</head>'", "@<script>'</head>'"),
        ("<!doctype html><!-- </head>", "<!doctype html>@<!-- </head>"),
    ],
)
def test_the_tag_is_at_the_end_of_the_head(page: str, expected: str) -> None:
    assert with_tag(page.encode(), TAG) == expected.replace("@", TAG.decode()).encode()


def test_a_byte_order_mark_stays_first() -> None:
    assert with_tag(b"\xef\xbb\xbf<p>", TAG) == b"\xef\xbb\xbf" + TAG + b"<p>"


@pytest.mark.parametrize("page", ["<head></head>".encode("utf-16"), b"\xfe\xff\0<"])
def test_a_page_in_utf_16_has_no_tag(page: bytes) -> None:
    assert with_tag(page, TAG) == page


PIECES = [
    "<head>",
    "</head>",
    "<!--",
    "-->",
    "<script>",
    "</script>",
    "<title>",
    "</title>",
    "<body>",
    "<base>",
    "x<",
    ">",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=60))
def test_the_rest_of_the_page_stays_as_it_is(text: str) -> None:
    page = text.encode(errors="replace")
    marked = with_tag(page, TAG)
    assert marked.count(TAG) == 1
    assert marked.replace(TAG, b"") == page


def test_a_large_page_of_open_comments_takes_no_long_time() -> None:
    page = b"<!--" * 500_000
    assert with_tag(page, TAG) == TAG + page
    assert with_tag(b"<script" * 500_000, TAG).startswith(TAG)
    assert with_tag(b"<p title='" * 500_001, TAG).startswith(TAG)
    assert with_tag(b"<p>" * 500_000, TAG).startswith(TAG)


def test_names_are_text_in_the_tag() -> None:
    """Whatever a document is called, its name ends no attribute."""
    name = """a"><script>alert(1)</script>'&.md"""
    seen: list[dict[str, str | None]] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append(dict(attrs))

    Parser().feed(PageTag(name, name, "00ff", "d", "t").html("../../").decode())
    (attributes,) = seen
    assert attributes["data-kahnd-document"] == name
    assert attributes["data-kahnd-path"] == name
    assert attributes["src"] == "../../_kahnd/assets/client.js"
    assert (attributes["data-kahnd-hash"], attributes["data-kahnd-daemon"]) == ("00ff", "d")
    assert attributes["data-kahnd-token"] == "t"
