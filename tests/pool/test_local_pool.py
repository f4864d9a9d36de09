"""The pool with real worker processes; obedient_worker obeys the documents' names."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from kahnd.core.hashing import hash_bytes
from kahnd.core.model import Digest, DocumentId, Failed, Job, Outcome, OutputPath, Rendered, RunId
from kahnd.platform import processes
from kahnd.pool.local.pool import Bounds, WorkerPool
from kahnd.pool.local.worker_processes import Program
from kahnd.ports import Phase

WORKER = (sys.executable, str(Path(__file__).with_name("obedient_worker.py")))
SOON_S = 60.0
"""Far longer than anything here takes."""
TIMEOUTS_S = (1.5, 6, 24)
"""The next is tried where a busy machine takes longer to start what is to be stopped."""

Open = Callable[..., AbstractAsyncContextManager[WorkerPool]]


def job(document: str, run: int = 1) -> Job:
    return Job(RunId(run), DocumentId(document), Digest(""), 0, OutputPath("x"), stage=f".kahnd/stage/{run}/x")


def pool_in(root: Path, *, timeout_s: float = SOON_S, command: tuple[str, ...] = WORKER) -> WorkerPool:
    return WorkerPool(Program(command, "hello"), root, Bounds(2, timeout_s))


def is_alive(pid: int) -> bool:
    """Tells whether a process is running; a zombie is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(SOON_S):
        while not condition():  # noqa: ASYNC110 - processes that are not this one's tell nobody of their end
            await anyio.sleep(0.005)


def pids_of_the_hanging(root: Path) -> list[int]:
    return [int(each) for each in (root / "pids").read_text().split()]


async def outcome_of(pool: WorkerPool, job: Job) -> Outcome:
    outcome, _ = await pool.render(job)
    return outcome


def problem_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed)
    return str(outcome.problem)


def content(root: Path, run: int = 1) -> str:
    return (root / f".kahnd/stage/{run}/x").read_text()


def pid_of(root: Path, run: int = 1) -> int:
    """The pid of the worker that rendered."""
    return int(content(root, run).split()[1])


@asynccontextmanager
async def hanging(root: Path, pool: WorkerPool) -> AsyncIterator[list[int]]:
    """Let a document hang, and yield the pids of the worker, its child and its grandchild; then cancel it."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pool.render, job("hang"))
        await until((root / "pids").exists)
        pids = pids_of_the_hanging(root)
        assert len(pids) == 3
        assert all(map(is_alive, pids))
        yield pids
        tasks.cancel_scope.cancel()


async def test_a_document_is_rendered_to_its_stage(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        outcome = await outcome_of(pool, job("fine"))
    assert content(tmp_path).startswith("hello ")
    assert outcome == Rendered(hash_bytes(content(tmp_path).encode()))


async def test_a_worker_is_used_again(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        await outcome_of(pool, job("fine", 1))
        await outcome_of(pool, job("fine", 2))
    assert pid_of(tmp_path, 1) == pid_of(tmp_path, 2)


async def test_two_documents_at_once_are_rendered_by_two_workers(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool, anyio.create_task_group() as tasks:
        tasks.start_soon(pool.render, job("fine", 1))
        tasks.start_soon(pool.render, job("fine", 2))
    assert pid_of(tmp_path, 1) != pid_of(tmp_path, 2)


async def test_output_that_a_renderer_prints_does_not_disturb_the_protocol(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        assert isinstance(await outcome_of(pool, job("print")), Rendered)
        assert isinstance(await outcome_of(pool, job("print fine")), Rendered)


async def test_a_renderer_that_reads_its_standard_input_finds_it_empty(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        assert isinstance(await outcome_of(pool, job("read")), Rendered)


async def test_an_exception_in_a_renderer_fails_its_document_and_keeps_the_worker(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        await outcome_of(pool, job("fine", 1))
        problem = problem_of(await outcome_of(pool, job("raise", 3)))
        await outcome_of(pool, job("fine", 2))
    assert problem == "raise: the renderer broke: ValueError: a fault in a renderer"
    assert pid_of(tmp_path, 1) == pid_of(tmp_path, 2)


async def test_an_unpaired_surrogate_in_an_outcome_fails_its_document_and_keeps_the_worker(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        problem = problem_of(await outcome_of(pool, job("half", 1)))
        assert isinstance(await outcome_of(pool, job("fine", 2)), Rendered)
    assert problem.startswith("half: what it refers to is half a character")
    assert pid_of(tmp_path, 1) == pid_of(tmp_path, 2)


async def test_the_meter_separates_rendering_from_dispatch(tmp_path: Path) -> None:
    heard: dict[Phase, float] = {}

    class Ear:
        def spent(self, stage: Phase, seconds: float) -> None:
            heard[stage] = seconds

    async with WorkerPool(Program(WORKER, "hello"), tmp_path, Bounds(2, SOON_S), Ear()) as pool:
        _, seconds = await pool.render(job("fine"))
    assert heard.keys() == {Phase.RENDER, Phase.DISPATCH}
    assert min(heard.values()) > 0
    assert seconds == heard[Phase.RENDER]


@pytest.mark.parametrize("document", ["hang", "escape"])
async def test_a_timeout_kills_all_processes_below_the_worker(tmp_path: Path, document: str) -> None:
    """In its process group, and in a session of its own."""
    pids: list[int] = []
    for timeout_s in TIMEOUTS_S:
        async with pool_in(tmp_path, timeout_s=timeout_s) as pool:
            problem = problem_of(await outcome_of(pool, job(document)))
            assert problem.startswith(f"{document}: took longer than {timeout_s:g} s and was stopped (make it faster")
            if (tmp_path / "pids").exists():
                pids.extend(pids_of_the_hanging(tmp_path))
                await until(lambda: not any(map(is_alive, pids)))
                break
    assert pids
    assert not processes.children(os.getpid()) & {*pids}, "nothing is left to be waited for"


async def test_cancelling_kills_the_whole_process_group(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        async with hanging(tmp_path, pool) as pids:
            pass
        await until(lambda: not any(map(is_alive, pids)))


@pytest.mark.parametrize("how", ["cancelled", "worker killed", "closed"])
async def test_a_process_in_a_session_of_its_own_is_killed_with_its_worker(tmp_path: Path, how: str) -> None:
    async with pool_in(tmp_path) as pool, anyio.create_task_group() as runs:
        runs.start_soon(pool.render, job("escape"))
        await until((tmp_path / "pids").exists)
        worker, escaped = pids_of_the_hanging(tmp_path)
        assert os.getsid(escaped) == escaped
        if how == "worker killed":
            (tmp_path / "pids").unlink()
            (tmp_path / "escaped").unlink()
            os.kill(worker, 9)  # it is tried once more, in another worker
            await until((tmp_path / "pids").exists)
            await until(lambda: not is_alive(escaped))
        runs.cancel_scope.cancel()
    await until(lambda: not is_alive(escaped))
    assert not processes.children(os.getpid()) & {worker, escaped}, "nothing is left to be waited for"


async def test_a_plug_ins_helper_process_lives_as_long_as_its_worker(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        await outcome_of(pool, job("linger"))
        (helper,) = processes.children(pid_of(tmp_path))
        await outcome_of(pool, job("fine", 2))
        assert is_alive(helper)
    await until(lambda: not is_alive(helper))


async def test_the_pool_renders_on_after_a_cancelled_document(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        async with hanging(tmp_path, pool):
            pass
        assert isinstance(await outcome_of(pool, job("fine", 2)), Rendered)


async def test_a_document_is_retried_once_if_its_worker_is_killed(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        assert isinstance(await outcome_of(pool, job("die-once")), Rendered)


async def test_a_document_that_kills_its_worker_twice_fails_with_the_signal_s_name(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        problem = problem_of(await outcome_of(pool, job("die")))
    assert "die: its worker process was killed by SIGKILL (" in problem
    assert "memory_mb" in problem


async def test_a_worker_that_exits_fails_its_document_with_the_status(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        assert "its worker process exited with 3" in problem_of(await outcome_of(pool, job("exit")))


async def test_a_worker_killed_while_it_was_idle_is_not_noticed(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        await outcome_of(pool, job("fine", 1))
        killed = pid_of(tmp_path, 1)
        os.kill(killed, 9)
        await until(lambda: not is_alive(killed))
        assert isinstance(await outcome_of(pool, job("fine", 2)), Rendered)
    assert pid_of(tmp_path, 2) != killed


async def test_two_workers_killed_while_they_were_idle_are_not_noticed(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        pool.keep_ready()
        await until(lambda: len(workers_in(tmp_path)) == 3)
        for killed in workers_in(tmp_path):
            os.kill(killed, 9)
        assert isinstance(await outcome_of(pool, job("fine", 2)), Rendered)


async def test_a_stage_is_empty_at_the_start_of_a_run(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        await outcome_of(pool, job("litter"))
        assert "left" in content(tmp_path)
        await outcome_of(pool, job("fine"))
    assert content(tmp_path).endswith(" []")


async def test_no_process_is_left_after_the_pool_is_closed(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        await outcome_of(pool, job("fine", 2))
        async with hanging(tmp_path, pool) as pids:
            pids.append(pid_of(tmp_path, 2))
    assert not any(map(is_alive, pids[:1] + pids[3:])), "workers are waited for"
    await until(lambda: not any(map(is_alive, pids)))


async def test_workers_kept_ready_are_started_at_once_and_gone_at_the_end(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        pool.keep_ready()
        await until(lambda: len(workers_in(tmp_path)) == 3)
        assert isinstance(await outcome_of(pool, job("fine")), Rendered)
        assert pid_of(tmp_path) in workers_in(tmp_path)
    assert workers_in(tmp_path) == []


async def test_a_killed_worker_is_replaced_if_workers_are_kept_ready(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        pool.keep_ready()
        await until(lambda: len(workers_in(tmp_path)) == 3)
        await outcome_of(pool, job("die"))
        await until(lambda: len(workers_in(tmp_path)) == 3)


@pytest.mark.parametrize("ready", [True, False])
async def test_a_missing_worker_command_fails_the_document(tmp_path: Path, *, ready: bool) -> None:
    async with pool_in(tmp_path, command=("/nowhere/python",)) as pool:
        if ready:
            pool.keep_ready()
        problem = problem_of(await outcome_of(pool, job("fine")))
    assert problem.startswith("fine: it can't be rendered here: No such file or directory")


async def test_a_stage_that_cannot_be_made_fails_its_document_alone(tmp_path: Path) -> None:
    (tmp_path / ".kahnd/stage").mkdir(parents=True)
    (tmp_path / ".kahnd/stage/1").touch()
    async with pool_in(tmp_path) as pool:
        assert "it can't be rendered here: Not a directory" in problem_of(await outcome_of(pool, job("fine")))
        assert isinstance(await outcome_of(pool, job("fine", 2)), Rendered)


@pytest.mark.parametrize("document", ["hang", "escape"])
async def test_a_worker_and_its_processes_end_with_the_daemon(tmp_path: Path, document: str) -> None:
    """A killed daemon does not close its pool, but its workers see the end of the pipe."""
    daemon = tmp_path / "daemon.py"
    daemon.write_text(DAEMON.replace('"hang"', f'"{document}"'))
    process = await anyio.open_process([sys.executable, str(daemon), *WORKER], cwd=tmp_path, stdout=None, stderr=None)
    await until((tmp_path / "pids").exists)
    pids = pids_of_the_hanging(tmp_path)
    process.kill()
    await process.wait()
    await process.aclose()
    await until(lambda: not any(map(is_alive, pids)))


DAEMON = """
import sys
from pathlib import Path
import anyio
from kahnd.core.model import Digest, DocumentId, Job, OutputPath, RunId
from kahnd.pool.local.pool import Bounds, WorkerPool
from kahnd.pool.local.worker_processes import Program

async def main():
    async with WorkerPool(Program(sys.argv[1:], ""), Path.cwd(), Bounds(1, 60)) as pool:
        await pool.render(Job(RunId(1), DocumentId("hang"), Digest(""), 0, OutputPath("x"), "stage/x"))

anyio.run(main)
"""


def workers_in(root: Path) -> list[int]:
    """The pids of the workers in this working folder."""
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and _works_in(each, root)]


def _works_in(process: Path, root: Path) -> bool:
    try:
        here = (process / "cwd").readlink() == root
        return here and is_alive(int(process.name)) and b"obedient_worker" in (process / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


async def test_a_resting_pool_finishes_running_jobs_and_begins_none(tmp_path: Path) -> None:
    ended: dict[int, Outcome | None] = {}

    def on_end(ended_job: Job, outcome: Outcome | None, _seconds: float, _lane: int) -> None:
        ended[ended_job.run] = outcome

    async with pool_in(tmp_path) as pool:
        pool.begin(job("hang", 1), on_end)
        await until((tmp_path / "pids").exists)
        (tmp_path / "pids").unlink()
        pool.begin(job("hang", 2), on_end)
        await until((tmp_path / "pids").exists)
        pool.begin(job("fine", 3), on_end)
        pool.rest()
        pool.begin(job("fine", 4), on_end)
        pool.cancel(RunId(1))
        await until(lambda: {1, 3, 4} <= ended.keys())
        assert ended == {1: None, 3: None, 4: None}
        assert not (tmp_path / ".kahnd/stage/3").exists()


async def test_a_job_tells_which_of_the_workers_had_it_and_for_how_long(tmp_path: Path) -> None:
    """A job that was cancelled while it was rendered has taken time; one that never began has not."""
    ended: dict[int, tuple[float, int]] = {}

    def on_end(ended_job: Job, _outcome: Outcome | None, seconds: float, lane: int) -> None:
        ended[ended_job.run] = seconds, lane

    async with pool_in(tmp_path) as pool:
        assert pool.busy == 0
        for number in (1, 2):
            pool.begin(job("hang", number), on_end)
            await until((tmp_path / "pids").exists)
            (tmp_path / "pids").unlink()
        assert pool.busy == 2
        pool.begin(job("fine", 3), on_end)
        for number in (3, 1, 2):
            pool.cancel(RunId(number))
        await until(lambda: ended.keys() == {1, 2, 3})
        assert pool.busy == 0
    assert {ended[1][1], ended[2][1]} == {0, 1}
    assert ended[1][0] > 0
    assert ended[2][0] > 0
    assert ended[3][0] == 0
