"""The preview: what is served, and as what."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import xxhash

from e2e.harness import DEADLINE_S, Corner, Daemon, Project, eventually
from e2e.previewed import SERVED, Preview
from e2e.rules import COPIES, PAGES, SCRIPTS, SUMS, TEXTS, rule
from e2e.terminal import Terminal

LARGE = 9 << 20
"""More bytes than are read whole."""
VERSIONS = 5
CLEAN_URLS = rule("docs/**/*.page", "page", "{dir}/{stem}/index.html")
STYLES = rule("docs/**/*.{css,html}", "copy", "{dir}/{name}")
VISIT = {"Sec_Fetch_Dest": "document", "Sec_Fetch_Mode": "navigate", "Accept": "text/html"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that serves, for a module's tests; each keeps to a folder of its own in `docs/`."""
    project = Project(tmp_path_factory.mktemp("served") / "project", env=dict(SERVED))
    project.configure(PAGES, TEXTS, SUMS, SCRIPTS, COPIES, CLEAN_URLS, STYLES)
    project.write("docs/index.md", "# First page")
    with project.daemon() as daemon:
        yield daemon


@pytest.fixture
def preview(live: Daemon) -> Preview:
    return Preview.of(live.project)


def without_tag(page: bytes) -> bytes:
    """The page as it is on disk."""
    return re.sub(rb"<script src=\"[^\"]*_kahnd/assets/client\.js\"[^>]*></script>", b"", page, count=1)


@pytest.mark.smoke
def test_an_output_is_served_as_it_is_with_its_hash_as_its_tag(corner: Corner, preview: Preview) -> None:
    corner.write("a.txt", "hello")
    corner.wait()
    answer = preview.ask(f"/{corner.name}/a.txt")
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.header("ETag") == f'"{xxhash.xxh3_128_hexdigest(b"hello")}"'
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"
    assert answer.header("Cache-Control") == "no-cache"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    head = preview.ask(f"/{corner.name}/a.txt", "HEAD")
    assert (head.status, head.body, head.header("Content-Length")) == (200, b"", "5")
    known = preview.ask(f"/{corner.name}/a.txt", If_None_Match=answer.header("ETag"))
    assert (known.status, known.body) == (304, b"")
    corner.write("a.txt", "goodbye")
    corner.wait()
    assert preview.ask(f"/{corner.name}/a.txt", If_None_Match=answer.header("ETag")).body == b"goodbye"


def test_a_page_has_the_clients_tag_when_it_is_served_and_never_on_disk(corner: Corner, preview: Preview) -> None:
    corner.write("deep/a.md", "# Hello")
    corner.wait()
    answer = preview.ask(f"/{corner.name}/deep/a.html")
    on_disk = corner.output("deep/a.html")
    assert "kahnd" not in on_disk
    assert without_tag(answer.body).decode() == on_disk
    assert 'src="../../_kahnd/assets/client.js"' in answer.text
    assert f'data-kahnd-document="{corner.document("deep/a.md")}"' in answer.text
    assert f'data-kahnd-path="{corner.name}/deep/a.html"' in answer.text
    assert f'data-kahnd-hash="{xxhash.xxh3_128_hexdigest(on_disk.encode())}"' in answer.text
    assert answer.header("ETag") != f'"{xxhash.xxh3_128_hexdigest(on_disk.encode())}"', "it is of other bytes"
    assert int(answer.header("Content-Length")) == len(answer.body)
    assert preview.ask(f"/{corner.name}/deep/a.html", If_None_Match=answer.header("ETag")).status == 304


def test_a_folder_is_shown_by_its_index_and_reached_without_its_slash(corner: Corner, preview: Preview) -> None:
    corner.write("first.page", "# First")
    corner.wait()
    assert b"First" in preview.ask(f"/{corner.name}/first/").body
    redirect = preview.ask(f"/{corner.name}/first?a=1")
    assert (redirect.status, redirect.header("Location")) == (302, "./first/?a=1")
    assert b"First page" in preview.ask("/").body


def test_ranges_are_served(corner: Corner, preview: Preview) -> None:
    content = bytes(range(256)) * 4
    corner.write("a.bin", content)
    corner.wait()
    path = f"/{corner.name}/a.bin"
    tag = preview.ask(path).header("ETag")
    part = preview.ask(path, Range="bytes=10-19")
    assert (part.status, part.body) == (206, content[10:20])
    assert part.header("Content-Range") == f"bytes 10-19/{len(content)}"
    assert preview.ask(path, Range="bytes=10-19", If_Range=tag).status == 206
    stale = preview.ask(path, Range="bytes=10-19", If_Range='"stale"')
    assert (stale.status, stale.body) == (200, content)
    several = preview.ask(path, Range="bytes=0-1,4-5")
    assert (several.status, several.body) == (200, content)
    beyond = preview.ask(path, Range=f"bytes={len(content)}-")
    assert (beyond.status, beyond.header("Content-Range")) == (416, f"bytes */{len(content)}")
    assert preview.ask(path, "HEAD", Range="bytes=10-19").status == 200


def test_a_large_output_is_served_in_pieces(corner: Corner, preview: Preview) -> None:
    content = hashlib.shake_128(b"seed").digest(LARGE)
    corner.write("a.bin", content)
    corner.wait()
    path = f"/{corner.name}/a.bin"
    answer = preview.ask(path)
    assert answer.body == content
    assert answer.header("ETag") == f'"{xxhash.xxh3_128_hexdigest(content)}"'
    assert preview.ask(path, Range="bytes=-100").body == content[-100:]
    assert preview.ask(path, "HEAD").header("Content-Length") == str(LARGE)
    assert preview.ask(path, If_None_Match=answer.header("ETag")).status == 304


def test_no_answer_is_of_other_bytes_than_its_tag_says(corner: Corner, preview: Preview) -> None:
    """Outputs change while they are asked for: each answer is one whole version, and its tag that of these bytes."""
    path = f"/{corner.name}/a.bin"
    corner.write("a.bin", b"0" * 200_000)
    corner.wait()
    ended = threading.Event()

    def save() -> None:
        number = 0
        while not ended.wait(0.1):
            number += 1
            corner.write("a.bin", f"{number % 10}".encode() * (200_000 + number))

    saving = threading.Thread(target=save)
    saving.start()
    seen: set[str] = set()
    until = time.monotonic() + DEADLINE_S
    while len(seen) < VERSIONS and time.monotonic() < until:
        answer = preview.ask(path)
        assert answer.status == 200
        assert len(set(answer.body)) == 1, "two versions in one answer"
        assert answer.header("ETag") == f'"{xxhash.xxh3_128_hexdigest(answer.body)}"'
        seen.add(answer.header("ETag"))
    ended.set()
    saving.join()
    assert len(seen) == VERSIONS
    corner.wait()
    assert preview.ask(path).body == corner.path("a.bin").read_bytes()


def test_a_missing_page_names_near_ones(corner: Corner, preview: Preview) -> None:
    corner.write_all({"first.md": "# First", "second.page": "# Second"})
    corner.wait()
    answer = preview.ask(f"/{corner.name}/frist.html", **VISIT)
    assert answer.status == 404
    assert f'href="../{corner.name}/first.html"' in answer.text
    assert f'data-kahnd-path="{corner.name}/frist.html"' in answer.text
    assert 'data-kahnd-hash=""' in answer.text
    assert "default-src 'none'" in answer.header("Content-Security-Policy")
    style = hashlib.sha256(re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)[0].encode()).digest()
    assert base64.b64encode(style).decode() in answer.header("Content-Security-Policy")
    near = preview.ask(f"/{corner.name}/secund/", **VISIT)
    assert f'href="../../{corner.name}/second/"' in near.text
    assert f'data-kahnd-path="{corner.name}/secund/index.html"' in near.text
    assert f'data-kahnd-path="{corner.name}/third/index.html"' in preview.ask(f"/{corner.name}/third").text


def test_names_are_text_on_a_missing_page(preview: Preview) -> None:
    answer = preview.ask("/%3Cimg%20src=x%20onerror=alert(1)%3E.html", **VISIT)
    assert answer.status == 404
    assert "<img" not in answer.text


def test_what_is_missing_for_a_script_or_an_image_is_told_in_one_line(preview: Preview) -> None:
    for destination in ("script", "style", "image", "empty"):
        answer = preview.ask("/no-such.js", Sec_Fetch_Dest=destination, Sec_Fetch_Site="same-origin")
        assert (answer.status, answer.header("Content-Type")) == (404, "text/plain; charset=utf-8")


def test_a_page_that_failed_says_so_and_the_last_good_one_stays(corner: Corner, preview: Preview) -> None:
    corner.write_all({"new.md": "{{ <nobody> }}", "old.md": "# Old"})
    corner.wait(code=1)
    failed = preview.ask(f"/{corner.name}/new.html", **VISIT)
    assert failed.status == 404
    assert "This page failed" in failed.text
    assert corner.document("new.md") in failed.text
    assert "<nobody>" not in failed.text
    corner.write("old.md", "{{ nobody }}")
    corner.wait(code=1)
    kept = preview.ask(f"/{corner.name}/old.html")
    assert kept.status == 200
    assert "Old" in kept.text
    corner.write_all({"new.md": "# New", "old.md": "# Old"})
    corner.wait()
    assert "New" in preview.ask(f"/{corner.name}/new.html").text


def test_a_page_that_is_blocked_names_the_culprit(corner: Corner, preview: Preview) -> None:
    corner.write_all({"bad.sh": "exit 1", "good.md": '{{ output("bad.sh").text }}'})
    corner.wait(code=1)
    blocked = preview.ask(f"/{corner.name}/good.html", **VISIT)
    assert blocked.status == 404
    assert "This page is blocked" in blocked.text
    assert corner.document("bad.sh") in blocked.text
    corner.remove("bad.sh")
    corner.remove("good.md")
    corner.wait()


def test_a_page_that_is_being_rendered_says_so(corner: Corner, preview: Preview) -> None:
    gate = corner.project.gate()
    corner.write("slow.sh", gate.script(corner.name))
    gate.reached(corner.name)
    page = preview.ask(f"/{corner.name}/slow.out", **VISIT)
    gate.open()
    assert page.status == 404
    assert "is being rendered" in page.text
    assert f'data-kahnd-path="{corner.name}/slow.out"' in page.text
    corner.wait()
    assert preview.ask(f"/{corner.name}/slow.out").status == 200


def test_only_what_kahnd_published_is_served(corner: Corner, preview: Preview) -> None:
    corner.write("a.txt", "published")
    corner.wait()
    stranger = corner.project.path(f"site/{corner.name}/stranger.txt")
    stranger.write_text("not kahnd's")
    assert preview.ask(f"/{corner.name}/stranger.txt").status == 404
    for other in ("kahnd.toml", "docs/index.md", ".kahnd/control.sock", "site/index.html"):
        assert preview.ask(f"/{other}").status == 404
    stranger.unlink()


def test_an_output_that_somebody_has_changed_is_told_by_its_own_hash(corner: Corner, preview: Preview) -> None:
    """The daemon restores it; what is served until then is never told by the hash of what was published."""
    corner.write("a.txt", "published")
    corner.wait()
    output = corner.project.path(f"site/{corner.name}/a.txt")

    def is_restored() -> bool:
        answer = preview.ask(f"/{corner.name}/a.txt")
        assert answer.status in {200, 404}
        if answer.status == 200:
            assert answer.header("ETag") == f'"{xxhash.xxh3_128_hexdigest(answer.body)}"'
        return answer.body == b"published"

    output.write_text("changed")
    eventually(is_restored, "it is restored")
    output.unlink()
    eventually(is_restored, "it is made again")


def test_a_page_whose_new_path_failed_is_still_at_its_old_one(project: Project) -> None:
    project.env.update(SERVED)
    project.write("docs/a.md", "# Last good")
    with project.daemon():
        project.write("docs/a.md", "{{ nobody }}")
        project.wait(code=1)
        project.configure(rule("docs/**/*.md", "page", "{dir}/{stem}/index.html"))
        project.wait(code=1)
        preview = Preview.of(project)
        assert "Last good" in preview.ask("/a.html").text
        assert "This page failed" in preview.ask("/a/", **VISIT).text
        project.write("docs/a.md", "# Mended")
        project.wait()
        assert "Mended" in preview.ask("/a/").text
        assert preview.ask("/a.html").status == 404


def test_the_projects_own_404_page_is_shown_for_unknown_paths(project: Project) -> None:
    project.env.update(SERVED)
    project.write_all({"docs/404.md": "# Lost?", "docs/bad.md": "{{ nobody }}"})
    with project.daemon():
        preview = Preview.of(project)
        answer = preview.ask("/a/b/c.html", **VISIT)
        assert answer.status == 404
        assert "Lost?" in answer.text
        assert 'src="../../_kahnd/assets/client.js"' in answer.text
        assert 'data-kahnd-path="a/b/c.html"' in answer.text
        assert "This page failed" in preview.ask("/bad.html", **VISIT).text


def test_a_port_that_is_taken_gives_way_to_the_next_one(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        project.env.update(SERVED | {"KAHND_SERVE__PORT": str(port)})
        with project.daemon():
            preview = Preview.of(project)
            assert port < preview.port <= port + 100
            assert [each["url"] for each in project.log("serve.started")] == [preview.url]
            assert preview.ask("/").status == 404


def test_an_address_that_can_not_be_had_is_a_warning(project: Project) -> None:
    project.env.update(SERVED | {"KAHND_SERVE__HOST": "192.0.2.1"})
    project.write("docs/a.txt", "rendered all the same")
    with project.daemon():
        warned = eventually(lambda: project.log("serve.failed"), "it is told")
        assert "192.0.2.1" in warned[0]["error"]
        assert warned[0]["remedy"]
        assert project.status()["serve"] is None
        assert project.output("a.txt") == "rendered all the same"


def test_a_saved_configuration_moves_the_preview(project: Project) -> None:
    project.env["KAHND_SERVE__ENABLED"] = "true"
    serve = '[serve]\nport = 0\nhost = "{}"\n'
    project.configure(TEXTS, extra=serve.format("127.0.0.1"))
    project.write("docs/a.txt", "here")
    with project.daemon():
        first = Preview.of(project)
        assert first.ask("/a.txt").body == b"here"
        kept = first.connect()
        kept.sendall(f"GET /a.txt HTTP/1.1\r\nHost: {first.host}\r\n\r\n".encode())
        assert kept.recv(1 << 16)
        project.configure(TEXTS, extra=serve.format("localhost"))
        eventually(lambda: len(project.log("serve.started")) == 2, "it is served elsewhere")
        second = Preview.of(project)
        assert second.url.startswith("http://localhost:")
        assert kept.recv(1 << 16) == b"", "the connection to the place before is closed"
        kept.close()
        assert second.ask("/a.txt").body == b"here"
        project.configure(TEXTS, extra=serve.format("0.0.0.0"))  # noqa: S104 - refused
        eventually(lambda: project.log("config.invalid"), "the host is refused")
        assert second.ask("/a.txt").body == b"here"


def test_the_configuration_alone_does_not_open_the_project_to_others(project: Project) -> None:
    project.configure(TEXTS, extra='[serve]\nhost = "0.0.0.0"\n')
    told = project.kahnd("run", code=2).told
    assert "kahnd.toml:" in told
    assert "kahnd run --host 0.0.0.0" in told


@pytest.mark.parametrize("words", [("--no-serve",), ()])
def test_nothing_is_served_if_it_is_not_wanted(project: Project, words: tuple[str, ...], tmp_path: Path) -> None:
    project.env.update(SERVED if words else {})
    project.write("docs/a.txt", "a")
    with (tmp_path / "out").open("w+") as output:
        daemon = project.begin("run", "--plain", *words, stdout=output)
        try:
            eventually(lambda: project.log("build.finished"), "it has built", within_s=DEADLINE_S)
            assert project.status()["serve"] is None
            assert not project.log("serve.started")
            told = project.kahnd("open", code=2).told
            assert "serves no preview" in told
        finally:
            daemon.terminate()
            assert daemon.wait(DEADLINE_S) == 0


def test_a_build_serves_nothing(project: Project) -> None:
    project.env.update(SERVED)
    project.write("docs/a.txt", "a")
    project.build()
    assert not project.log("serve.started")


@pytest.mark.smoke
def test_open_shows_a_page_in_the_browser(project: Project, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {shown}\n')
    browser.chmod(0o755)
    project.env.update(SERVED | {"BROWSER": str(browser)})
    assert project.kahnd("open", code=4).code == 4
    project.configure(PAGES, CLEAN_URLS)
    project.write_all({"docs/a b.md": "# A", "docs/index.md": "# Home", "docs/c.page": "# C", "docs/plain.csv": "1"})
    with project.daemon():
        preview = Preview.of(project)
        pages = {"": "", "docs/a b.md": "a%20b.html", "docs/index.md": "", "docs/c.page": "c/"}
        for document, page in pages.items():
            told = project.kahnd("open", *filter(None, [document]))
            assert told.stdout == f"{preview.url}{page}\n"
        assert shown.read_text().split() == [f"{preview.url}{page}" for page in pages.values()]
        assert project.kahnd("open", "--json", "--print", "docs/c.page").json == {
            "url": f"{preview.url}c/",
            "opened": False,
        }
        assert "renders to an output" in project.kahnd("open", "docs/plain.csv", code=2).told
        assert "renders to an output" in project.kahnd("open", "docs/nowhere.md", code=2).told


def test_a_browser_that_can_not_be_started_is_no_error(project: Project) -> None:
    project.env.update(SERVED | {"BROWSER": "/no/such/browser", "PATH": "/no/such/folder"})
    with project.daemon():
        told = project.kahnd("open")
        assert told.stdout.startswith("http://127.0.0.1:")
        assert "set BROWSER" in told.stderr


def test_outputs_in_the_place_of_kahnds_own_pages_are_told_of(project: Project) -> None:
    project.env.update(SERVED)
    project.write("docs/_kahnd/x.txt", "shadowed")
    project.configure(rule("docs/_kahnd/*.txt", "template", "_kahnd/{name}"))
    project.build()
    with project.daemon():
        eventually(lambda: project.log("serve.shadowed"), "it is told")
        assert Preview.of(project).ask("/_kahnd/x.txt").status == 404


def test_the_daemon_ends_at_once_whoever_is_connected(project: Project) -> None:
    project.env.update(SERVED)
    project.write("docs/large.bin", b"x" * LARGE)
    with project.daemon() as daemon:
        preview = Preview.of(project)
        with preview.connect() as silent, preview.connect() as half, preview.connect() as stuck:
            half.sendall(b"GET / HTTP/1.1\r\nHost:")
            stuck.sendall(f"GET /large.bin HTTP/1.1\r\nHost: {preview.host}\r\n\r\n".encode())
            assert stuck.recv(10)
            began = time.monotonic()
            daemon.stop()
            assert time.monotonic() - began < 20, "aiohttp itself waits for a minute"
            assert silent.recv(10) == b""


def test_two_daemons_have_other_tokens_and_names(project: Project) -> None:
    """A page of the daemon before is told from one of this daemon, and can change nothing."""
    project.env.update(SERVED)
    project.write("docs/a.md", "# A")
    tags = []
    for _ in range(2):
        with project.daemon():
            tags.append(Preview.of(project).ask("/a.html"))
    first, second = (re.findall(r'data-kahnd-(?:daemon|token)="([^"]{12,})"', each.text) for each in tags)
    assert len({*first, *second}) == 4
    assert tags[0].header("ETag") != tags[1].header("ETag")


def test_with_a_host_named_on_purpose_others_need_the_printed_url(project: Project, tmp_path: Path) -> None:
    project.env.update(SERVED)
    project.write("docs/a.txt", "for friends")
    project.write("docs/index.md", "# Home")
    with (tmp_path / "out").open("w+") as output:
        daemon = project.begin("run", "--plain", "--host", "0.0.0.0", stdout=output)  # noqa: S104
        try:
            preview = Preview.of(project)
            eventually(lambda: project.log("build.finished"), "it has built", within_s=DEADLINE_S)
            assert preview.token
            eventually(lambda: f"the preview is at {preview.url}" in (tmp_path / "out").read_text(), "it is printed")
            assert preview.token not in project.path(".kahnd/log/kahnd.jsonl").read_text(), "the log has no secrets"
            check_locked(preview)
            opened = project.kahnd("open", "--print").stdout.strip()
            assert opened == preview.url
        finally:
            daemon.terminate()
            assert daemon.wait(DEADLINE_S) == 0


def check_locked(preview: Preview) -> None:
    refused = preview.ask("/a.txt")
    assert refused.status == 401
    assert b"friends" not in refused.body
    assert preview.ask("/a.txt?token=wrong").status == 401
    entered = preview.ask(f"/a.txt?x=1&token={preview.token}", Host="docs.example")
    assert (entered.status, entered.header("Location")) == (303, "./a.txt?x=1")
    cookie = entered.header("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    shown = cookie.partition(";")[0]
    assert preview.ask("/a.txt", Cookie=shown).body == b"for friends"
    assert preview.ask("/a.txt", Cookie=shown, Host="docs.example").body == b"for friends"
    assert preview.ask("/a.txt", Cookie=f"kahnd-{preview.port}=wrong").status == 401
    assert preview.ask("/a.txt", Cookie=shown, Origin="https://evil.example").status == 403


def test_the_preview_is_in_the_live_view(project: Project) -> None:
    project.env.update(SERVED)
    project.write("docs/a.txt", "a")
    with Terminal(project, "run") as terminal:
        preview = Preview.of(project)
        terminal.shows(preview.url)


def test_kahnd_status_names_the_preview(live: Daemon, preview: Preview) -> None:
    assert preview.url in live.project.kahnd("status").stdout


def test_requests_while_a_session_begins_are_answered_by_it(corner: Corner, preview: Preview) -> None:
    """A reload ends the session: pages stay reachable meanwhile."""
    corner.write("a.txt", "always here")
    corner.wait()
    for number in range(3):
        corner.project.configure(
            PAGES, TEXTS, SUMS, SCRIPTS, COPIES, CLEAN_URLS, STYLES, extra=f"[pool]\nworkers = 2\ngrace_s = {number}\n"
        )
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            answer = preview.ask(f"/{corner.name}/a.txt")
            assert answer.body == b"always here", answer.text
    corner.wait()
