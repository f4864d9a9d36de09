"""How long it takes from a save to the last output that it affects, in a project of any size.

Builds a corpus (see `corpus.py`) with the installed `kahnd`, starts the daemon, and edits leaves one after another.
An edit counts from the moment the file is saved to the moment the last affected output is a new file. After each,
the log must tell of exactly the leaf and its transitive dependents.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import corpus as corpora
import ninja_peer
from corpus import Corpus

KAHND: Final = str(Path(sys.executable).with_name("kahnd"))
LOOK_S: Final = 0.0005
"""The pause between two looks at the outputs: the error of a measurement."""
LIMIT_S: Final = 120.0


@dataclass(frozen=True)
class Edit:
    """One edit: milliseconds from the save to the last affected output, and how many were affected."""

    latency_ms: float
    affected: int


@dataclass(frozen=True)
class Report:
    """All that was measured."""

    documents: int
    sort: str
    cold_s: float
    null_s: float
    start_s: float
    edits: list[Edit]
    ninja: dict[str, float] | None

    def summary(self) -> dict[str, float]:
        """The latencies' median, 95th percentile and extremes, in milliseconds, and the affected documents' median."""
        latencies = sorted(each.latency_ms for each in self.edits)
        return {
            "p50_ms": statistics.median(latencies),
            "p95_ms": latencies[min(len(latencies) - 1, round(0.95 * len(latencies)))],
            "min_ms": latencies[0],
            "max_ms": latencies[-1],
            "affected": statistics.median(each.affected for each in self.edits),
        }


def kahnd(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of kahnd to its end, in a project."""
    return subprocess.run([KAHND, *words], cwd=root, capture_output=True, text=True, check=False)


def build(root: Path) -> tuple[float, dict[str, Any]]:
    """Seconds that a build takes, and its answer. Ends the measurement where it fails."""
    began = time.perf_counter()
    ran = kahnd(root, "build", "--json")
    seconds = time.perf_counter() - began
    if ran.returncode:
        raise SystemExit(f"kahnd build: exit code {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return seconds, json.loads(ran.stdout)


def until(condition: Callable[[], bool], what: str, pause_s: float) -> None:
    """Return once the condition holds. Ends the measurement where it does not in `LIMIT_S`."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {LIMIT_S:.0f} s: {what}")
        time.sleep(pause_s)


@contextmanager
def daemon(root: Path) -> Iterator[float]:
    """A daemon at work on the project; gives the seconds until it was idle."""
    began = time.perf_counter()
    with subprocess.Popen([KAHND, "run"], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: _idle(root, process), "the daemon is idle", 0.05)
            yield time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGTERM)


def _idle(root: Path, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise SystemExit(f"the daemon ended with exit code {process.returncode}")
    answer = kahnd(root, "status", "--json")
    return answer.returncode == 0 and json.loads(answer.stdout)["state"] == "idle"


def identities(outputs: Iterable[Path]) -> list[tuple[int, int]]:
    """What tells a new file from the one that was there before under its name."""
    return [(stat.st_ino, stat.st_mtime_ns) for stat in (output.stat() for output in outputs)]


def edit(corpus: Corpus, leaf: str, mark: str) -> Edit:
    """Save a leaf and see every affected output become new, and no other document be rendered."""
    affected = corpus.affected_by(leaf)
    outputs = [corpus.output_of(each) for each in affected]
    before, log_end = identities(outputs), _log(corpus).stat().st_size
    corpus.edit(leaf, mark)
    saved = time.perf_counter()
    until(lambda: not set(before) & set(identities(outputs)), f"all that {leaf} affects is new", LOOK_S)
    latency_ms = (time.perf_counter() - saved) * 1000
    kahnd(corpus.root, "wait")
    _check(rendered_since(corpus, log_end), affected, leaf)
    return Edit(latency_ms, len(affected))


def rendered_since(corpus: Corpus, log_end: int) -> list[str]:
    """The documents that the log says were rendered after this many of its bytes."""
    with _log(corpus).open("rb") as log:
        log.seek(log_end)
        entries = [json.loads(line) for line in log]
    return sorted(entry["document"] for entry in entries if entry["event"] == "document.rendered")


def _log(corpus: Corpus) -> Path:
    return corpus.root / ".kahnd" / "log" / "kahnd.jsonl"


def _check(rendered: list[str], affected: frozenset[str], leaf: str) -> None:
    if rendered != sorted(affected):
        raise SystemExit(f"an edit of {leaf} rendered {rendered}, not {sorted(affected)}")


def measure(corpus: Corpus, edits: int, seed: int, *, beside_ninja: bool) -> Report:
    """Cold build, null build, start of the daemon, edits of leaves chosen at random."""
    cold_s, answer = build(corpus.root)
    if len(answer["rendered"]) != len(corpus.needs):
        raise SystemExit(f"a cold build rendered {len(answer['rendered'])} of {len(corpus.needs)} documents")
    null_s, answer = build(corpus.root)
    if answer["rendered"]:
        raise SystemExit(f"a null build rendered {len(answer['rendered'])} documents")
    chosen = random.Random(seed).choices(corpus.leaves, k=edits)  # noqa: S311 - dice that fall the same way each time
    with daemon(corpus.root) as start_s:
        measured = [edit(corpus, leaf, str(number)) for number, leaf in enumerate(chosen)]
    ninja = ninja_peer.measure(corpus) if beside_ninja else None
    return Report(len(corpus.needs), corpus.sort, cold_s, null_s, start_s, measured, ninja)


def show(report: Report) -> None:
    numbers = report.summary()
    print(f"{report.documents} documents ({report.sort}), {len(report.edits)} edits of a leaf")
    print(f"cold build {report.cold_s:.2f} s, null build {report.null_s:.2f} s, daemon idle in {report.start_s:.2f} s")
    shown = ", ".join(f"{name[:-3]} {numbers[name]:.1f}" for name in ("p50_ms", "p95_ms", "min_ms", "max_ms"))
    print(f"save to last affected output, ms: {shown}; affected documents (median): {numbers['affected']:.0f}")
    if report.ninja:
        print("ninja: " + ", ".join(f"{name[:-2]} {seconds:.2f} s" for name, seconds in report.ninja.items()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", type=int, nargs="*", default=[1_000], help="sizes of corpus, one after another")
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--sort", choices=corpora.SORTS, default="commands")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ninja", action="store_true", help="the same builds by ninja, where it is installed")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _main() -> None:
    given = _arguments()
    for documents in given.documents:
        root = Path(tempfile.mkdtemp(prefix="kahnd-benchmark-"))
        try:
            corpus = corpora.write(root, documents, given.seed, given.sort)
            report = measure(corpus, given.edits, given.seed, beside_ninja=given.ninja)
        finally:
            shutil.rmtree(root)
        if given.json:
            print(json.dumps(asdict(report) | report.summary()))
        else:
            show(report)


if __name__ == "__main__":
    _main()
