"""`kahnd open`: which programs may open an address, and how the preview is asked for one."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kahnd.cli.commands.preview import openers, page_url
from kahnd.errors import NoDaemonError, UsageError


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that alone is searched for programs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER", raising=False)
    return tmp_path


def add(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


def test_the_browser_that_is_set_comes_before_the_desktops(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(programs, "firefox", "xdg-open")
    monkeypatch.setenv("BROWSER", "no-such-browser:firefox --new-window %s:'unclosed")
    assert list(openers()) == [["firefox", "--new-window"], ["xdg-open"]]


def test_without_any_there_is_none(programs: Path) -> None:
    assert programs.exists()
    assert list(openers()) == []


@contextmanager
def answering(status: int, headers: dict[str, str], body: str = "") -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server that always answers this; yields its address, and the paths and tokens that it was asked with."""
    asked: list[tuple[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("X-Kahnd-Token", "")))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
            """Says nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


def test_the_page_is_where_the_preview_says() -> None:
    with answering(302, {"Location": "../a%20b/"}) as (preview, asked):
        assert page_url(preview, "docs/a b.md") == f"{preview}a%20b/"
        assert page_url(f"{preview}?token=s3cret", "docs/a b.md") == f"{preview}a%20b/?token=s3cret"
    assert asked == [("/_kahnd/open?document=docs%2Fa+b.md", ""), ("/_kahnd/open?document=docs%2Fa+b.md", "s3cret")]


def test_what_the_preview_refuses_is_told() -> None:
    with answering(404, {}, "docs/x.md is no document") as (preview, _), pytest.raises(UsageError, match="no document"):
        page_url(preview, "docs/x.md")


def test_a_preview_that_is_gone_is_no_daemon() -> None:
    with answering(200, {}) as (preview, _):
        pass
    with pytest.raises(NoDaemonError, match="does not answer"):
        page_url(preview, "")
