"""The control server on a real socket, with a desk that says what it is asked to."""

from __future__ import annotations

import asyncio
import resource
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from aiohttp import ClientSession, UnixConnector

from kahnd.core.model import Problem
from kahnd.errors import StoreError, UsageError
from kahnd.service.control import OnProgress, serving
from kahnd.service.paths import socket_path

Json = dict[str, Any]
SOON_S = 10.0
UNKNOWN = (Problem("x.md is neither a document nor an output", remedy="did you mean y.md?"), Problem("and another"))


class PatientDesk:
    """Answers what it was asked with; long questions are answered when `gate` is open."""

    def __init__(self) -> None:
        self.gate = anyio.Event()
        self.gate.set()
        self.asked = anyio.Event()
        self.given_up = anyio.Event()
        self.error: Exception | None = None
        self.steps = 1
        self.worry = ""

    def status(self) -> Json:
        return {"state": "idle"}

    def trouble(self) -> str:
        return self.worry

    async def plan(self, targets: tuple[str, ...]) -> Json:
        return await self._answer({"plan": targets})

    async def graph(self, targets: tuple[str, ...], *, reverse: bool) -> Json:
        return await self._answer({"graph": targets, "reverse": reverse})

    async def build(self, targets: tuple[str, ...], *, force: bool, on_progress: OnProgress) -> Json:
        for step in range(self.steps):
            on_progress(step, self.steps, "docs/a.md")
        return await self._answer({"build": targets, "force": force})

    async def retry(self, targets: tuple[str, ...], *, on_progress: OnProgress) -> Json:
        return await self._answer({"retry": targets})

    async def why(self, target: str) -> Json:
        return await self._answer({"why": target})

    async def history(self, document: str | None, limit: int) -> Json:
        return await self._answer({"history": [document, limit]})

    async def wait(self, targets: tuple[str, ...], *, on_progress: OnProgress) -> Json:
        return await self._answer({"wait": targets})

    async def _answer(self, answer: Json) -> Json:
        self.asked.set()
        try:
            await self.gate.wait()
        except anyio.get_cancelled_exc_class():
            self.given_up.set()
            raise
        if self.error:
            raise self.error
        return answer


@asynccontextmanager
async def client_of(root: Path) -> AsyncIterator[ClientSession]:
    async with ClientSession("http://localhost", connector=UnixConnector(str(socket_path(root)))) as client:
        yield client


@asynccontextmanager
async def served(root: Path, desk: PatientDesk) -> AsyncIterator[ClientSession]:
    with anyio.fail_after(SOON_S):
        async with serving(root, desk), client_of(root) as client:
            yield client


async def lines_of(client: ClientSession, path: str, body: Json) -> list[Json]:
    async with client.post(path, json=body) as response:
        assert response.status == 200
        assert response.content_type == "application/x-ndjson"
        return [msgspec.json.decode(line) async for line in response.content]


async def test_the_socket_is_its_owner_s_alone(tmp_path: Path) -> None:
    async with served(tmp_path, PatientDesk()):
        mode = socket_path(tmp_path).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert mode & 0o777 == 0o600


async def test_the_socket_is_gone_afterwards(tmp_path: Path) -> None:
    async with served(tmp_path, PatientDesk()):
        pass
    assert not socket_path(tmp_path).exists()


async def test_a_stale_socket_is_taken_over(tmp_path: Path) -> None:
    socket_path(tmp_path).parent.mkdir(mode=0o700)
    socket_path(tmp_path).touch()
    async with served(tmp_path, PatientDesk()) as client, client.get("/v1/status") as response:
        assert await response.json() == {"state": "idle"}


async def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    folder = socket_path(tmp_path).parent
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(UsageError, match="chmod go-w"):
        async with serving(tmp_path, PatientDesk()):
            pass


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/plan", {"plan": []}),
        ("/v1/plan?target=a.md&target=b.md", {"plan": ["a.md", "b.md"]}),
        ("/v1/graph?target=a%20b.md", {"graph": ["a b.md"], "reverse": False}),
        ("/v1/graph?reverse=1", {"graph": [], "reverse": True}),
        ("/v1/why?target=a.md", {"why": "a.md"}),
        ("/v1/history", {"history": [None, 20]}),
        ("/v1/history?document=a.md&limit=3", {"history": ["a.md", 3]}),
    ],
)
async def test_questions_reach_the_desk(tmp_path: Path, path: str, answer: Json) -> None:
    async with served(tmp_path, PatientDesk()) as client, client.get(path) as response:
        assert await response.json() == answer


@pytest.mark.parametrize(
    ("path", "body", "report"),
    [
        ("/v1/build", {}, {"build": [], "force": False}),
        ("/v1/build", {"targets": ["a.md"], "force": True}, {"build": ["a.md"], "force": True}),
        ("/v1/retry", {"targets": ["a.md"]}, {"retry": ["a.md"]}),
        ("/v1/wait", {"targets": ["a.md"], "timeout": None}, {"wait": ["a.md"]}),
    ],
)
async def test_a_report_is_the_last_line(tmp_path: Path, path: str, body: Json, report: Json) -> None:
    async with served(tmp_path, PatientDesk()) as client:
        assert (await lines_of(client, path, body))[-1] == {"report": report}


async def test_progress_comes_before_the_report(tmp_path: Path) -> None:
    desk = PatientDesk()
    desk.gate = anyio.Event()
    async with served(tmp_path, desk) as client, client.post("/v1/build", json={}) as response:
        first = msgspec.json.decode(await response.content.readline())
        assert first == {"progress": {"done": 0, "total": 1, "document": "docs/a.md"}}
        desk.gate.set()
        assert "report" in msgspec.json.decode(await response.content.readline())


async def test_progress_comes_no_faster_than_it_can_be_followed(tmp_path: Path) -> None:
    desk = PatientDesk()
    desk.steps = 10_000
    async with served(tmp_path, desk) as client:
        lines = await lines_of(client, "/v1/build", {})
    assert len(lines) < 100


async def test_an_error_of_a_long_question_is_its_last_line(tmp_path: Path) -> None:
    desk = PatientDesk()
    desk.error = UsageError(*UNKNOWN)
    async with served(tmp_path, desk) as client:
        (error,) = [line["error"] for line in await lines_of(client, "/v1/wait", {})]
    first = {"message": UNKNOWN[0].message, "remedy": "did you mean y.md?"}
    assert error == {**first, "exit_code": 2, "problems": [first, {"message": "and another"}]}


async def test_an_error_of_a_short_question_is_its_answer(tmp_path: Path) -> None:
    desk = PatientDesk()
    desk.error = StoreError(Problem("the database refuses", "kahnd.toml", 7, "look at its log"))
    async with served(tmp_path, desk) as client, client.get("/v1/plan") as response:
        assert response.status == 400
        error = (await response.json())["error"]
    assert error["exit_code"] == 5
    assert {key: error[key] for key in ("message", "file", "line", "remedy")} == {
        "message": "the database refuses",
        "file": "kahnd.toml",
        "line": 7,
        "remedy": "look at its log",
    }


async def test_a_wait_that_takes_too_long_is_told_so_and_given_up(tmp_path: Path) -> None:
    desk = PatientDesk()
    desk.gate = anyio.Event()
    async with served(tmp_path, desk) as client:
        (line,) = await lines_of(client, "/v1/wait", {"timeout": 0.05})
        assert line["error"]["message"] == "not everything is up to date after 0.05 s"
        assert line["error"]["exit_code"] == 4
        await desk.given_up.wait()


async def test_what_keeps_an_answer_from_coming_is_told_meanwhile_and_when_time_is_up(tmp_path: Path) -> None:
    desk = PatientDesk()
    desk.gate, desk.worry = anyio.Event(), "the database is away"
    async with served(tmp_path, desk) as client:
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
        (b"", "truncated"),
        (b"\xff", "malformed"),
    ],
)
async def test_a_bad_body_is_refused_with_the_reason(tmp_path: Path, body: bytes, said: str) -> None:
    async with served(tmp_path, PatientDesk()) as client, client.post("/v1/build", data=body) as response:
        assert response.status == 400
        error = (await response.json())["error"]
    assert error["message"].startswith("the request: ")
    assert said in error["message"]
    assert error["exit_code"] == 2


async def test_an_unknown_path_is_not_found(tmp_path: Path) -> None:
    async with served(tmp_path, PatientDesk()) as client, client.get("/v2/status") as response:
        assert response.status == 404


async def test_a_client_that_goes_away_is_given_up_and_does_no_harm(tmp_path: Path) -> None:
    desk = PatientDesk()
    desk.gate = anyio.Event()
    async with served(tmp_path, desk) as client:
        async with client_of(tmp_path) as fickle, fickle.post("/v1/build", json={}) as response:
            await response.content.readline()
        await desk.given_up.wait()
        async with client.get("/v1/status") as response:
            assert response.status == 200


async def test_the_end_of_the_server_does_not_wait_for_long_questions(tmp_path: Path) -> None:
    desk = PatientDesk()
    desk.gate = anyio.Event()
    with anyio.fail_after(SOON_S):
        async with client_of(tmp_path) as client, anyio.create_task_group() as tasks:
            async with serving(tmp_path, desk):
                tasks.start_soon(_heedless, client)
                await desk.asked.wait()
            tasks.cancel_scope.cancel()
    assert desk.given_up.is_set()


async def _heedless(client: ClientSession) -> None:
    async with client.post("/v1/build", json={}) as response:
        await response.read()


async def test_questions_are_answered_while_a_long_one_is_open(tmp_path: Path) -> None:
    desk = PatientDesk()
    desk.gate = anyio.Event()
    async with served(tmp_path, desk) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(_heedless, client)
        await desk.asked.wait()
        async with client.get("/v1/status") as response:
            assert response.status == 200
        desk.gate.set()


async def test_what_stands_in_the_sockets_place_and_is_none_is_told_with_what_to_do(tmp_path: Path) -> None:
    socket_path(tmp_path).mkdir(parents=True)
    with pytest.raises(UsageError) as raised:
        async with serving(tmp_path, PatientDesk()):
            pass
    assert "the control socket can't be made: Is a directory" in str(raised.value)
    assert "remove the folder" in str(raised.value)


async def test_without_files_for_connections_it_rests_and_accepts_them_later(tmp_path: Path) -> None:
    faults: list[object] = []
    twice = anyio.Event()

    def on_fault(_loop: object, context: object) -> None:
        faults.append(context)
        if len(faults) > 1:
            twice.set()

    asyncio.get_running_loop().set_exception_handler(on_fault)
    async with served(tmp_path, PatientDesk()), AsyncExitStack() as open_ones:
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
