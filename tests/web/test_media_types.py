"""The media types of outputs."""

from __future__ import annotations

import pytest

from kahnd.web.media_types import is_html, media_type


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("A.HTM", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("app.mjs", "text/javascript; charset=utf-8"),
        ("data.json", "application/json; charset=utf-8"),
        ("app.js.map", "application/json; charset=utf-8"),
        ("logo.svg", "image/svg+xml; charset=utf-8"),
        ("feed.xml", "text/xml; charset=utf-8"),
        ("notes.txt", "text/plain; charset=utf-8"),
        ("LICENSE", "text/plain; charset=utf-8"),
        ("photo.jpg", "image/jpeg"),
        ("photo.webp", "image/webp"),
        ("font.woff2", "font/woff2"),
        ("app.wasm", "application/wasm"),
        ("film.mp4", "video/mp4"),
        ("paper.pdf", "application/pdf"),
        ("site.tar.gz", "application/gzip"),
        ("favicon.ico", "image/x-icon"),
    ],
)
def test_the_ending_of_the_name_decides(path: str, expected: str) -> None:
    assert media_type(path, b"text").lower() == expected


def test_a_text_in_another_encoding_has_no_charset() -> None:
    assert media_type("old.html", "<meta charset=latin1>é".encode("latin-1")) == "text/html"


def test_bytes_of_no_known_kind_are_downloaded() -> None:
    assert media_type("dump", b"\0\1") == "application/octet-stream"
    assert media_type("dump.unknown", None) == "application/octet-stream"


def test_only_html_takes_the_tag() -> None:
    assert is_html("a/index.html")
    assert not is_html("a.xhtml")
    assert not is_html("a.svg")
    assert not is_html("a.html.gz")
