"""What the preview refuses, asked with raw sockets; after each of these tests the daemon still answers.

The holes of other development servers are named where a test is about them.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from e2e.harness import DEADLINE_S, Daemon, Project
from e2e.previewed import SERVED, Answer, Preview
from e2e.rules import COPIES, PAGES, TEXTS

ROUTES = [
    "/",
    "/a.txt",
    "/page.html",
    "/no-such-page",
    "/_kahnd",
    "/_kahnd/",
    "/_kahnd/open",
    "/_kahnd/live",
    "/_kahnd/metrics",
    "/_kahnd/assets/client.js",
    "/_kahnd/api/anything",
    "/%5fkahnd/live",
]
SECRET = "nobody may read this"  # noqa: S105 - of nothing


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = Project(tmp_path_factory.mktemp("safety") / "project", env=dict(SERVED))
    project.configure(PAGES, TEXTS, COPIES)
    project.write_all({"docs/a.txt": "text", "docs/page.md": "# Page", "docs/deep/b.txt": "below"})
    project.root.with_name("secret.txt").write_text(SECRET)
    with project.daemon() as daemon:
        yield daemon


@pytest.fixture
def preview(live: Daemon) -> Iterator[Preview]:
    preview = Preview.of(live.project)
    yield preview
    assert preview.ask("/a.txt").body == b"text", "the daemon lives"


def shows_nothing(answer: Answer, *statuses: int) -> None:
    """It is refused with one of these statuses; no other origin may read even that."""
    assert answer.status in statuses, (answer.status, answer.body)
    assert answer.body != b"text"
    assert answer.status in {200, 404} or b"data-kahnd" not in answer.body, "no token either"
    assert SECRET.encode() not in answer.body
    allows_no_other_origin(answer)


def allows_no_other_origin(answer: Answer) -> None:
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.smoke
@pytest.mark.parametrize("route", ROUTES)
def test_a_foreign_host_is_refused(preview: Preview, route: str) -> None:
    """DNS rebinding. GHSA-67mh-4wv8-2f99, CVE-2025-24010."""
    for host in (
        "evil.example",
        f"evil.example:{preview.port}",
        "127.0.0.1:1",
        "192.168.0.7",
        "localhost.evil.example",
    ):
        for method in ("GET", "HEAD", "POST"):
            shows_nothing(preview.ask(route, method, Host=host), 403)


@pytest.mark.parametrize("route", ROUTES)
def test_a_foreign_origin_is_refused(preview: Preview, route: str) -> None:
    """CVE-2025-30360: origins with an IP address; CVE-2026-27977: `null`."""
    port = preview.port
    foreign = [
        "https://evil.example",
        f"http://evil.example:{port}",
        f"http://192.168.0.7:{port}",
        f"http://[::1]:{port}",
        f"http://localhost:{port}",
        f"https://127.0.0.1:{port}",
        "http://127.0.0.1",
        "null",
    ]
    for origin in foreign:
        shows_nothing(preview.ask(route, Origin=origin), 403)
        shows_nothing(preview.ask(route, "OPTIONS", Origin=origin, Access_Control_Request_Method="POST"), 403, 405)


@pytest.mark.parametrize("route", ROUTES)
def test_no_answer_allows_another_origin_to_read_it(preview: Preview, route: str) -> None:
    for headers in ({}, {"Origin": preview.origin}, {"Range": "bytes=0-1"}, {"If_None_Match": "*"}):
        answer = preview.ask(route, **headers)
        allows_no_other_origin(answer)
        assert answer.header("Cross-Origin-Resource-Policy") == "same-origin"
        assert answer.header("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize("route", ROUTES)
def test_an_upgrade_needs_the_exact_origin_and_the_token(preview: Preview, route: str) -> None:
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    token = preview.own_token()
    assert token
    shows_nothing(preview.ask(f"{route}?token={token}", **upgrade), 403)
    shows_nothing(preview.ask(route, **upgrade, Origin=preview.origin), 403)
    shows_nothing(preview.ask(f"{route}?token=wrong", **upgrade, Origin=preview.origin), 403)
    for origin in ("null", "https://evil.example", f"http://localhost:{preview.port}", preview.origin.upper() + "x"):
        shows_nothing(preview.ask(f"{route}?token={token}", **upgrade, Origin=origin), 400, 403)
    shows_nothing(
        preview.ask(f"{route}?token={token}", **upgrade, Origin=preview.origin, Sec_Fetch_Site="cross-site"), 403
    )


@pytest.mark.parametrize("route", ROUTES)
def test_what_may_change_something_needs_the_token_and_the_same_origin(preview: Preview, route: str) -> None:
    own, token = {"Origin": preview.origin}, preview.own_token()
    shows_nothing(preview.ask(route, "POST"), 403)
    shows_nothing(preview.ask(route, "POST", **own), 403)
    shows_nothing(preview.ask(route, "POST", **own, X_Kahnd_Token=token[1:]), 403)
    shows_nothing(preview.ask(route, "POST", X_Kahnd_Token=token), 403)
    shows_nothing(preview.ask(route, "POST", Origin="https://evil.example", X_Kahnd_Token=token), 403)
    shows_nothing(preview.ask(route, "POST", Origin="null", X_Kahnd_Token=token), 403)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
        shows_nothing(preview.ask(route, method, **own, X_Kahnd_Token=token), 405)
    assert preview.ask("/a.txt", "POST", **own, X_Kahnd_Token=token).status == 405
    assert preview.ask("/a.txt", "POST", "x" * 100_000, **own, X_Kahnd_Token=token).status == 413


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("route", ROUTES)
def test_pages_of_other_sites_load_nothing_and_may_lead_here(preview: Preview, route: str, site: str) -> None:
    """CVE-2025-30359: a classic `<script>` needs no permission to be loaded."""
    for destination in (
        "script",
        "style",
        "image",
        "font",
        "empty",
        "worker",
        "sharedworker",
        "object",
        "embed",
        "video",
    ):
        asked = preview.ask(route, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest=destination)
        shows_nothing(asked, 403)
    visit = preview.ask(route, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document")
    assert visit.status != 403


GARBAGE = [
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}:80:80\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: http://{host}\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: gar bage\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: http://\x01\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: \xff\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nOrigin: http://{host}\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nNo colon\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\n: empty\r\n\r\n",
    b"GET \xff HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET /a b HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET a.txt HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET ../kahnd.toml HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET http://{host}/a.txt HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


SILENT = {b"\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"}
"""These are waited for to go on, until the connection is ended."""


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_a_bad_request(preview: Preview, garbage: bytes) -> None:
    """CVE-2026-14631: a Host that is none ended the server."""
    told = preview.raw(garbage.replace(b"{host}", preview.host.encode()))
    assert re.match(rb"HTTP/1\.[01] (400|405|414|431) ", told) or garbage in SILENT, told[:200]
    assert b"access-control" not in told.lower()
    assert b"Traceback" not in told


TRICKS = [
    "/../secret.txt",
    "/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/%2E%2E%2Fsecret.txt",
    "/..%2fsecret.txt",
    "/..%2f..%2fsecret.txt",
    "/..%5csecret.txt",
    "/..\\secret.txt",
    "/%252e%252e/secret.txt",
    "/%252e%252e%252fsecret.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/deep/../../secret.txt",
    "/deep/%2e%2e/%2e%2e/secret.txt",
    "/.%00./secret.txt",
    "/a.txt%00",
    "/a.txt%00.html",
    "/a.txt/",
    "/a.txt/../a.txt",
    "//a.txt",
    "/./a.txt",
    "/deep//b.txt",
    "/deep%2fb.txt",
    "/deep%2Fb.txt",
    "/deep\\b.txt",
    "/deep%5Cb.txt",
    "/@fs/etc/passwd",
    "/a.txt%3fraw",
    "//etc/passwd",
    "/%2fetc%2fpasswd",
    "/file:///etc/passwd",
    "/C:/Windows/win.ini",
    "/.kahnd/log/kahnd.jsonl",
    "/..;/secret.txt",
    "/site/a.txt",
    "/A.TXT",
    "/a.txt.",
    "/a.txt%20",
    "/a.txt::$DATA",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_address_leads_to_what_was_not_published(preview: Preview, trick: str) -> None:
    """CVE-2025-30208, CVE-2026-53571, CVE-2026-6414, GHSA-g7r4-m6w7-qqqr."""
    shows_nothing(preview.ask(trick), 400, 404)


def test_a_query_changes_nothing(preview: Preview) -> None:
    for query in ("?raw", "?raw??", "?import&raw", "?url", "?../../secret.txt", "?%00", "?&&&==="):
        assert preview.ask(f"/a.txt{query}").body == b"text"


def test_a_link_in_an_outputs_place_is_not_followed(live: Daemon, preview: Preview) -> None:
    """Neither a file that leads out, nor a folder on the way; also not within the output folder."""
    project = live.project
    project.write_all({"docs/linked.txt": "own", "docs/folder/inner.txt": "own"})
    project.wait()
    output, folder = project.path("site/linked.txt"), project.path("site/folder")
    secret, outside = project.root.with_name("secret.txt"), project.root.with_name("outside")
    outside.mkdir()
    (outside / "inner.txt").write_text(SECRET)
    for target in (secret, project.path("kahnd.toml"), project.path("site/a.txt")):
        put_link(output, target)
        shows_nothing(preview.ask("/linked.txt"), 404)
    output.unlink()
    os.mkfifo(output)
    shows_nothing(preview.ask("/linked.txt"), 404)
    output.unlink()
    folder.rename(project.root.with_name("moved"))
    put_link(folder, outside)
    shows_nothing(preview.ask("/folder/inner.txt"), 404)
    folder.unlink()
    project.build()
    assert preview.ask("/linked.txt").body == preview.ask("/folder/inner.txt").body == b"own"


def put_link(path: Path, target: Path) -> None:
    """Puts a link in the place of a file in one step: the daemon restores an output that is gone."""
    fresh = path.with_name("fresh-link")
    fresh.symlink_to(target)
    fresh.rename(path)


def test_a_client_that_sends_no_request_is_disconnected(preview: Preview) -> None:
    with preview.connect() as silent, preview.connect() as slow:
        slow.sendall(f"GET /a.txt HTTP/1.1\r\nHost: {preview.host}\r\n".encode())
        for each in (silent, slow):
            each.settimeout(DEADLINE_S)
            with suppress(ConnectionResetError):
                assert each.recv(100) == b""


def test_many_connections_do_not_keep_others_out(preview: Preview) -> None:
    """More than a hundred pages are open, and none of them asks for anything."""
    connections: list[socket.socket] = []
    try:
        connections += (preview.connect() for _ in range(200))
        began = time.monotonic()
        assert preview.ask("/a.txt").body == b"text"
        assert time.monotonic() - began < DEADLINE_S
    finally:
        for each in connections:
            each.close()


def test_errors_and_names_are_text_in_pages(live: Daemon, preview: Preview) -> None:
    project = live.project
    name = "<img src=x onerror=alert(1)>"
    project.write(f"docs/{name}.md", "{% for %}<b id=injected>")
    project.wait(code=1)
    page = preview.ask("/%3Cimg%20src=x%20onerror=alert(1)%3E.html", Sec_Fetch_Dest="document")
    assert page.status == 404
    assert "This page failed" in page.text
    assert "<img" not in page.text
    assert "<b id" not in page.text
    project.remove(f"docs/{name}.md")
    project.wait()


def test_kahnds_own_pages_run_only_kahnds_scripts(preview: Preview) -> None:
    policy = preview.ask("/no-such-page", Sec_Fetch_Dest="document").header("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
