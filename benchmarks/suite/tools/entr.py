"""entr, which runs a command whenever one of the files that it was given is saved."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from suite.corpora.corpus import Corpus
from suite.file_changes import ImpossibleError, until
from suite.processes import family
from suite.tools.make import Make
from suite.tools.ninja import Ninja
from suite.tools.tool import Watch, background, first_line, missing

OWN_FILES: Final = 100


class Entr:
    """Runs ninja or make on every save of a source."""

    exact = True

    def __init__(self, builder: Ninja | Make) -> None:
        self._builder = builder
        self.name = f"entr + {builder.name}"
        self.words, self.prepare, self.output = builder.words, builder.prepare, builder.output

    def absent(self) -> str:
        return missing("entr") or self._builder.absent()

    def version(self) -> str:
        return f"entr {first_line('entr').removeprefix('release: ')}"

    @contextmanager
    def watch(self, corpus: Corpus) -> Iterator[Watch]:
        """Runs entr, which runs its command once when it has begun to watch, and is ready when that has ended.

        Raises ImpossibleError if it may not open all sources at once.
        """
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if allowed < len(corpus.needs) + OWN_FILES:
            raise ImpossibleError(f"it opens every source, and {allowed:,} open files are allowed (ulimit -n)")
        names, ran = (corpus.root.with_name(f"{corpus.root.name}.{kind}") for kind in ("sources", "ran"))
        names.write_text("".join(f"{document}\n" for document in corpus.needs))
        ran.unlink(missing_ok=True)
        words = ["entr", "-an", "sh", "-c", f"{' '.join(self._builder.words)}; touch {ran}"]
        with background(corpus.root, words, stdin=names) as process:
            until(lambda: ran.exists() and family(process.pid) == [process.pid], "entr has begun")
            yield Watch(process.pid, lambda: family(process.pid) == [process.pid])
