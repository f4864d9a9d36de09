"""A worker for the tests of the pool: the documents' names are commands that it obeys while it renders them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from kahnd.core.hashing import hash_bytes
from kahnd.core.model import Dependency, DocumentId, Job, Kind, Outcome, Read, Rendered
from kahnd.pool.local.worker import Render, serve


def prepare(greeting: object) -> Render:
    def render(job: Job) -> Outcome:
        for word in job.document.split():
            _obey(word, job)
        found = sorted(each.name for each in Path(job.stage).parent.iterdir())
        reads = (Read(Dependency(DocumentId("\ud800"), Kind.DATA)),) if "half" in job.document else ()
        content = f"{greeting} {os.getpid()} {found}".encode()
        Path(job.stage).write_bytes(content)
        return Rendered(hash_bytes(content), reads)

    return render


def _obey(word: str, job: Job) -> None:  # noqa: C901 - a word a line
    match word:
        case "print":
            os.write(1, b"not a frame\n")
            sys.stdout.write("nor this\n" * 10_000)
            sys.stdout.flush()
        case "read":
            assert sys.stdin.read() == ""
        case "raise":
            raise ValueError("a fault in a renderer")
        case "exit":
            os._exit(3)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die-once":
            _die_once(Path("died"))
        case "litter":
            folder = Path(job.stage).parent
            (folder / "left").write_text("by an earlier run")
            (folder / "leftovers").mkdir()
            (folder / "leftovers" / "more").write_text("")
        case "hang":
            _hang()
        case "escape":
            _escape()
        case "linger":
            subprocess.Popen(["sh", "-c", "exec sleep 600"], start_new_session=True)  # as a plug-in's own helper


def _die_once(marker: Path) -> None:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    """Behave like a command that starts others and does not end; write all pids to a file, atomically."""
    with subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout
        grandchild = shell.stdout.readline().strip()
        Path("pids.tmp").write_text(f"{os.getpid()} {shell.pid} {grandchild}")
        Path("pids.tmp").rename("pids")
        shell.wait()


def _escape() -> None:
    """Behave like a command with an orphaned child in a session of its own; write the pids likewise."""
    script = "(setsid sh -c 'echo $$ > escaped.tmp; mv escaped.tmp escaped; exec sleep 600' &) & wait"
    subprocess.run(["sh", "-c", script], check=True)
    while not Path("escaped").exists():
        os.sched_yield()
    Path("pids.tmp").write_text(f"{os.getpid()} {Path('escaped').read_text()}")
    Path("pids.tmp").rename("pids")
    signal.pause()


if __name__ == "__main__":
    serve(prepare)
