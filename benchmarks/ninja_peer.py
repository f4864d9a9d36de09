"""The same corpus built by ninja, for a figure to stand beside kahnd's."""

from __future__ import annotations

import shutil
import subprocess
import time

from corpus import Corpus


def measure(corpus: Corpus) -> dict[str, float] | None:
    """Seconds of a cold build, a null build, and a build after one leaf's edit; None without ninja."""
    ninja = shutil.which("ninja")
    if ninja is None or corpus.sort != "commands":
        return None
    _write(corpus)
    seconds = {"cold_s": _timed(corpus, ninja), "null_s": _timed(corpus, ninja)}
    corpus.edit(corpus.leaves[0], "for ninja")
    return seconds | {"edit_s": _timed(corpus, ninja)}


def _write(corpus: Corpus) -> None:
    built = {document: f"ninja/{document}.out" for document in corpus.needs}
    lines = [
        f"build {built[document]}: sum {' '.join((document, *(built[each] for each in needed)))}"
        for document, needed in corpus.needs.items()
    ]
    (corpus.root / "build.ninja").write_text("rule sum\n  command = cksum $in > $out\n" + "\n".join(lines) + "\n")


def _timed(corpus: Corpus, ninja: str) -> float:
    began = time.perf_counter()
    subprocess.run([ninja, "--quiet"], cwd=corpus.root, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
