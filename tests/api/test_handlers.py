"""The control API on a real socket, with a operations that says what it is asked to."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import stat
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from aiohttp import ClientSession

from api.operations import SOON_S, FakeOperations, client_of, lines_of, served
from kahnd import __version__
from kahnd.api import routes, schemas
from kahnd.api.client import ControlClient
from kahnd.api.control_socket import Bounds
from kahnd.api.handlers import serving
from kahnd.core.model import Problem
from kahnd.errors import StoreError, UsageError
from kahnd.platform.unix_socket import socket_path
from kahnd.telemetry.event_buffer import EventBuffer

Json = dict[str, Any]
STATUS = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
UNKNOWN = (Problem("x.md is neither a document nor an output", remedy="did you mean y.md?"), Problem("and another"))


async def test_the_socket_is_its_owner_s_alone(tmp_path: Path) -> None:
    async with served(tmp_path, FakeOperations()):
        mode = socket_path(tmp_path).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert mode & 0o777 == 0o600


async def test_the_socket_is_gone_afterwards(tmp_path: Path) -> None:
    async with served(tmp_path, FakeOperations()):
        pass
    assert not socket_path(tmp_path).exists()


async def test_a_folder_for_the_socket_that_can_not_be_made_is_told(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path_factory.mktemp("r") / "file"  # as short as they are
    file.touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(file))
    root = tmp_path.joinpath(*["a" * 40] * 4)
    root.mkdir(parents=True)
    with pytest.raises(UsageError, match=r"file/kahnd: the control socket can't be made: Not a directory"):
        async with serving(root, FakeOperations(), EventBuffer()):
            pass


async def test_a_stale_socket_is_taken_over(tmp_path: Path) -> None:
    socket_path(tmp_path).parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path(tmp_path)))
    async with served(tmp_path, FakeOperations()) as client, client.get("/v1/status") as response:
        assert (await response.json())["state"] == "idle"


async def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    folder = socket_path(tmp_path).parent
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(UsageError, match="chmod go-w"):
        async with serving(tmp_path, FakeOperations(), EventBuffer()):
            pass


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/plan", schemas.PlanRequest()),
        ("/v1/plan?target=a.md&target=b.md", schemas.PlanRequest(("a.md", "b.md"))),
        ("/v1/graph?target=a%20b.md", schemas.GraphRequest(("a b.md",))),
        ("/v1/graph?reverse=1", schemas.GraphRequest(reverse=True)),
        ("/v1/why?target=a.md", schemas.WhyRequest("a.md")),
        ("/v1/history", schemas.HistoryRequest(None, 20)),
        ("/v1/history?document=a.md&limit=3", schemas.HistoryRequest("a.md", 3)),
    ],
)
async def test_questions_reach_the_operations(tmp_path: Path, path: str, asked: schemas.Request) -> None:
    operations = FakeOperations()
    async with served(tmp_path, operations) as client, client.get(path) as response:
        assert response.status == 200
        assert response.headers["Kahnd-Version"] == __version__
    assert operations.questions == [asked]


async def test_what_the_operations_say_is_the_answer(tmp_path: Path) -> None:
    async with served(tmp_path, FakeOperations()) as client:
        async with client.get("/v1/status") as response:
            assert await response.json() == routes.STATUS.example
        async with client.get("/v1/plan?target=a.md") as response:
            assert await response.json() == {"generations": [["a.md"]], "reasons": {}, "cycles": []}


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("/v1/build", {}, schemas.BuildRequest()),
        ("/v1/build", {"targets": ["a.md"], "force": True}, schemas.BuildRequest(("a.md",), force=True)),
        ("/v1/retry", {"targets": ["a.md"]}, schemas.RetryRequest(("a.md",))),
        ("/v1/wait", {"targets": ["a.md"], "timeout": None}, schemas.WaitRequest(("a.md",))),
    ],
)
async def test_a_report_is_the_last_line(tmp_path: Path, path: str, body: Json, asked: schemas.Request) -> None:
    operations = FakeOperations()
    async with served(tmp_path, operations) as client:
        assert (await lines_of(client, path, body))[-1] == {"report": routes.BUILD.example}
    assert operations.questions == [asked]


async def test_a_reload_says_whether_anything_is_another_now(tmp_path: Path) -> None:
    async with served(tmp_path, FakeOperations()) as client, client.post("/v1/reload") as response:
        assert await response.json() == {"changed": True}


async def test_progress_comes_before_the_report(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.gate = anyio.Event()
    async with served(tmp_path, operations) as client, client.post("/v1/build", json={}) as response:
        first = msgspec.json.decode(await response.content.readline())
        assert first == {"progress": {"done": 0, "total": 1, "document": "docs/a.md"}}
        operations.gate.set()
        assert "report" in msgspec.json.decode(await response.content.readline())


async def test_progress_comes_no_faster_than_it_can_be_followed(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.steps = 10_000
    async with served(tmp_path, operations) as client:
        lines = await lines_of(client, "/v1/build", {})
    assert len(lines) < 100


async def test_an_error_of_a_long_question_is_its_last_line(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.error = UsageError(*UNKNOWN)
    async with served(tmp_path, operations) as client:
        (error,) = [line["error"] for line in await lines_of(client, "/v1/wait", {})]
    first = {"message": UNKNOWN[0].message, "remedy": "did you mean y.md?"}
    assert error == {**first, "exit_code": 2, "problems": [first, {"message": "and another"}]}


async def test_an_error_of_a_short_question_is_its_answer(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.error = StoreError(Problem("the database refuses", "kahnd.toml", 7, "look at its log"))
    async with served(tmp_path, operations) as client, client.get("/v1/plan") as response:
        assert response.status == 503
        error = (await response.json())["error"]
    assert error["exit_code"] == 5
    assert {key: error[key] for key in ("message", "file", "line", "remedy")} == {
        "message": "the database refuses",
        "file": "kahnd.toml",
        "line": 7,
        "remedy": "look at its log",
    }


async def test_a_wait_that_takes_too_long_is_told_so_and_given_up(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.gate = anyio.Event()
    async with served(tmp_path, operations) as client:
        (line,) = await lines_of(client, "/v1/wait", {"timeout": 0.05})
        assert line["error"]["message"] == "not everything is up to date after 0.05 s"
        assert line["error"]["exit_code"] == 4
        await operations.given_up.wait()


async def test_what_keeps_an_answer_from_coming_is_told_meanwhile_and_when_time_is_up(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.gate, operations.worry = anyio.Event(), "the database is away"
    async with served(tmp_path, operations) as client:
        *meanwhile, last = await lines_of(client, "/v1/wait", {"timeout": 1.5})
    assert [each["progress"]["document"] for each in meanwhile] == ["the database is away"]
    assert last["error"]["problems"][0]["remedy"] == "the database is away"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"targets": "a.md"}', "Expected `array`"),
        (b'{"tragets": []}', "unknown field `tragets`"),
        (b"\xff", "malformed"),
    ],
)
async def test_a_bad_body_is_refused_with_the_reason(tmp_path: Path, body: bytes, said: str) -> None:
    async with served(tmp_path, FakeOperations()) as client, client.post("/v1/build", data=body) as response:
        assert response.status == 400
        error = (await response.json())["error"]
    assert error["message"].startswith("the request: ")
    assert said in error["message"]
    assert error["exit_code"] == 2


async def test_a_body_that_says_nothing_asks_for_what_is_usual(tmp_path: Path) -> None:
    operations = FakeOperations()
    async with served(tmp_path, operations) as client, client.post("/v1/build") as response:
        assert response.status == 200
    assert operations.questions == [schemas.BuildRequest()]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/why", "missing required field `target`"),
        ("/v1/history?limit=0", ">= 1"),
        ("/v1/history?limit=1&limit=2", "Expected `int`"),
        ("/v1/history?limit=many", "`$.limit`"),
        ("/v1/plan?targets=a.md", "unknown field `targets`"),
        ("/v1/status?now=1", "unknown field `now`"),
        ("/v1/events?level=loud", "`$.level`"),
        ("/v1/graph?reverse=perhaps", "`$.reverse`"),
    ],
)
async def test_a_bad_query_is_refused_with_the_reason(tmp_path: Path, path: str, said: str) -> None:
    async with served(tmp_path, FakeOperations()) as client, client.get(path) as response:
        assert response.status == 400
        error = (await response.json())["error"]
    assert said in error["message"]
    assert error["exit_code"] == 2


@pytest.mark.parametrize("path", ["/", "/v2/status", "/v1", "/v1/", "/v1/status/", "/v1/secrets", "//v1/status"])
async def test_an_unknown_path_is_not_found_and_told_where_to_look(tmp_path: Path, path: str) -> None:
    async with served(tmp_path, FakeOperations()) as client, client.get(f"http://localhost{path}") as response:
        assert response.status == 404
        error = (await response.json())["error"]
    assert error["message"] == f"there is no {path}"
    assert "/v1/openapi.json" in error["remedy"]
    assert ("speaks version 1" in error["remedy"]) == (not path.startswith("/v1/"))


@pytest.mark.parametrize("method", ["POST", "DELETE", "HEAD", "OPTIONS"])
async def test_another_method_is_refused_with_the_one_that_is_taken(tmp_path: Path, method: str) -> None:
    async with served(tmp_path, FakeOperations()) as client, client.request(method, "/v1/status") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET"
        if method != "HEAD":
            assert (await response.json())["error"]["message"] == f"/v1/status takes GET, not {method}"


async def test_a_fault_of_the_daemon_s_own_is_told_as_one_and_not_passed_over(tmp_path: Path) -> None:
    faults: list[Json] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, fault: faults.append(fault))
    operations = FakeOperations()
    operations.error = ZeroDivisionError("no")
    async with served(tmp_path, operations) as client, client.get("/v1/plan") as response:
        assert response.status == 500
        assert "a fault in the daemon" in (await response.json())["error"]["message"]
    assert [type(each["exception"]) for each in faults] == [ZeroDivisionError]


async def test_a_name_that_is_no_utf_8_is_told_all_the_same(tmp_path: Path) -> None:
    operations = FakeOperations()
    async with served(tmp_path, operations) as client:
        operations.error = UsageError(Problem("no \udcff there"))
        async with client.get("/v1/plan") as response:
            assert (await response.json())["error"]["message"] == r"no \xff there"


# What one client may take


async def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with (
        served(tmp_path, FakeOperations(), bounds=Bounds(body_bytes=1000)) as client,
        client.post("/v1/build", data=b" " * 1001) as response,
    ):
        assert response.status == 413
        assert (await response.json())["error"]["message"] == "the request's body has more than 1,000 bytes"


POST = b"POST /v1/build HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "text",
    [
        POST + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde",
        POST + b"Content-Encoding: deflate\r\nContent-Length: 5\r\n\r\nabcde",
        POST + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Content-Encoding: gzip, gzip\r\nContent-Length: 2\r\n\r\n{}",
        CHUNKED + b"Content-Encoding: gzip\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        CHUNKED + b"\r\nzz\r\nabc\r\n",
        CHUNKED + b"\r\n5\r\nabc\r\n0\r\n\r\n",
        POST + b'Content-Length: 17\r\n\r\n{"targets":["\xff"]}',
        POST + b'Content-Length: 21\r\n\r\n{"targets":["\\ud800"]}',
        POST + b"Content-Length: 999999999999999999999999\r\n\r\n{}",
        POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Content-Length: 100000\r\n\r\n" + b"[" * 100_000,
    ],
)
async def test_a_broken_body_is_the_senders_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: bytes
) -> None:
    async with served(tmp_path, FakeOperations()):
        answer = await said_to(tmp_path, text)
    assert answer.split(b" ")[1] == b"400", answer
    assert b'"exit_code":2' in answer
    assert not caplog.records


async def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    async with served(tmp_path, FakeOperations(), bounds=Bounds(body_s=0.1)):
        head = b"POST /v1/build HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        answer = await said_to(tmp_path, head + b"{", until=b"did not come")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not come" in answer


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/plan?target=" + b"x" * 2000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/plan HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 10_000 + b"\r\n\r\n",
        b"GET /v1/plan HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_what_is_no_request_or_too_long_a_one_is_refused_without_a_fuss(
    tmp_path: Path, head: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    async with served(tmp_path, FakeOperations(), bounds=Bounds(line_bytes=1000)) as client:
        answer = await said_to(tmp_path, head)
        async with client.get("/v1/status") as response:
            assert response.status == 200
    assert answer.partition(b"\r\n")[0] in (b"HTTP/1.0 400 Bad Request", b"HTTP/1.1 400 Bad Request")
    assert msgspec.json.decode(answer.partition(b"\r\n\r\n")[2], type=schemas.Error).error.exit_code == 2
    assert "Traceback" not in "".join(capfd.readouterr())


async def test_who_asks_nothing_is_hung_up_on(tmp_path: Path) -> None:
    async with served(tmp_path, FakeOperations(), bounds=Bounds(head_s=0.1)):
        assert await said_to(tmp_path, b"") == b""
        assert await said_to(tmp_path, b"GET /v1/sta") == b""


async def test_who_asks_nothing_more_is_hung_up_on(tmp_path: Path) -> None:
    async with served(tmp_path, FakeOperations(), bounds=Bounds(idle_s=0.1)):
        assert (await said_to(tmp_path, b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")).endswith(b"}")


async def test_more_connections_than_there_may_be_are_refused_until_others_are_closed(tmp_path: Path) -> None:
    async with served(tmp_path, FakeOperations(), bounds=Bounds(connections=2)):
        path = str(socket_path(tmp_path))
        async with await anyio.connect_unix(path) as first, await anyio.connect_unix(path):
            answer = await said_to(tmp_path, STATUS)
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"too many connections are open" in answer
            assert b'"exit_code":4' in answer
            await first.aclose()
            while b" 503 " in (answer := await said_to(tmp_path, STATUS)):
                await anyio.lowlevel.checkpoint()
            assert answer.startswith(b"HTTP/1.1 200 ")


async def test_who_does_not_read_a_whole_answer_is_hung_up_on(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.nodes = 100_000
    bounds = Bounds(connections=1, stuck_s=0.1, idle_s=SOON_S)
    async with (
        served(tmp_path, operations, bounds=bounds),
        await anyio.connect_unix(str(socket_path(tmp_path))) as stuck,
    ):
        await stuck.send(b"GET /v1/graph HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await operations.asked.wait()
        while b" 503 " in (answer := await said_to(tmp_path, STATUS)):
            await anyio.lowlevel.checkpoint()
        assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_reader_that_takes_its_time_gets_a_whole_answer(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.nodes = 100_000
    async with served(tmp_path, operations) as client, client.get("/v1/graph") as response:
        assert len((await response.json())["nodes"]) == 100_000


async def test_thousands_of_targets_fit_a_question_and_more_are_refused_in_words(tmp_path: Path) -> None:
    targets = [f"docs/a/long/folder/{number:06}.md" for number in range(40_000)]
    operations, asked = FakeOperations(), ControlClient(tmp_path, timeout=SOON_S)
    async with served(tmp_path, operations):
        plan = await anyio.to_thread.run_sync(asked.plan, targets[:20_000])
        assert plan["generations"] == [targets[:20_000]]
        with pytest.raises(UsageError, match="1048576"):
            await anyio.to_thread.run_sync(asked.plan, targets)


async def said_to(root: Path, text: bytes, *, until: bytes | None = None) -> bytes:
    """All that the server says to this, until it hangs up or has said a certain thing."""
    answer = b""
    async with await anyio.connect_unix(str(socket_path(root))) as connection:
        await connection.send(text)
        async for part in connection:
            answer += part
            if until is not None and until in answer:
                break
    return answer


# Who goes away, or is not welcome


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost:8300"},
        {"Host": "127.0.0.1"},
        {"Host": ""},
        {"Origin": "http://localhost"},
        {"Origin": "null"},
    ],
)
async def test_what_a_browser_would_send_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    operations = FakeOperations()
    async with served(tmp_path, operations) as client:
        for path in ("/v1/plan", "/v1/events", "/v1/openapi.json"):
            async with client.get(path, headers=headers) as response:
                assert response.status == 403
                assert "error" in await response.json()
        async with client.post("/v1/build", headers=headers) as response:
            assert response.status == 403
    assert operations.questions == []


async def test_a_client_that_goes_away_is_given_up_and_does_no_harm(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.gate = anyio.Event()
    async with served(tmp_path, operations) as client:
        async with client_of(tmp_path) as fickle, fickle.post("/v1/build", json={}) as response:
            await response.content.readline()
        await operations.given_up.wait()
        async with client.get("/v1/status") as response:
            assert response.status == 200


async def test_the_end_of_the_server_does_not_wait_for_long_questions(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.gate = anyio.Event()
    with anyio.fail_after(SOON_S):
        async with client_of(tmp_path) as client, anyio.create_task_group() as tasks:
            async with serving(tmp_path, operations, EventBuffer()):
                tasks.start_soon(_heedless, client)
                await operations.asked.wait()
            tasks.cancel_scope.cancel()
    assert operations.given_up.is_set()


async def _heedless(client: ClientSession) -> None:
    async with client.post("/v1/build", json={}) as response:
        await response.read()


async def test_questions_are_answered_while_a_long_one_is_open(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.gate = anyio.Event()
    async with served(tmp_path, operations) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(_heedless, client)
        await operations.asked.wait()
        async with client.get("/v1/status") as response:
            assert response.status == 200
        operations.gate.set()


async def test_what_stands_in_the_sockets_place_and_is_none_is_told_with_what_to_do(tmp_path: Path) -> None:
    socket_path(tmp_path).mkdir(parents=True)
    with pytest.raises(UsageError) as raised:
        async with serving(tmp_path, FakeOperations(), EventBuffer()):
            pass
    assert "the control socket can't be made: Is a directory" in str(raised.value)
    assert "remove the folder" in str(raised.value)


@pytest.mark.parametrize("kind", ["file", "link", "pipe"])
async def test_what_kahnd_did_not_make_is_not_removed_for_the_socket(tmp_path: Path, kind: str) -> None:
    path = socket_path(tmp_path)
    path.parent.mkdir(mode=0o700)
    (tmp_path / "precious").write_text("precious")
    if kind == "file":
        path.write_text("precious")
    elif kind == "link":
        path.symlink_to(tmp_path / "precious")
    else:
        os.mkfifo(path)
    before = path.lstat()
    with pytest.raises(UsageError, match="this is no socket"):
        async with serving(tmp_path, FakeOperations(), EventBuffer()):
            pass
    assert path.lstat() == before


async def test_without_files_for_connections_it_rests_and_accepts_them_later(tmp_path: Path) -> None:
    faults: list[object] = []
    twice = anyio.Event()

    def on_fault(_loop: object, context: object) -> None:
        faults.append(context)
        if len(faults) > 1:
            twice.set()

    asyncio.get_running_loop().set_exception_handler(on_fault)
    async with served(tmp_path, FakeOperations()), AsyncExitStack() as open_ones:
        client = open_ones.enter_context(socket.socket(socket.AF_UNIX))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            client.connect(str(socket_path(tmp_path)))
            with anyio.fail_after(SOON_S):
                await twice.wait()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert len(faults) == 2
        async with client_of(tmp_path) as later, later.get("/v1/status") as response:
            assert response.status == 200
