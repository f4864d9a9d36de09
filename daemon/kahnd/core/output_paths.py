"""Paths of outputs: which documents claim them, which claims can't all exist, and where a run writes its outputs.

A claim is the path of a file or, with a slash at its end, of a folder that its document alone fills. A `{hash}` in a
claim stands for a part of the hash of the bytes: only rendering tells the file's path.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Final

from msgspec.structs import replace

from kahnd.core.events import StagedOutput
from kahnd.core.model import Dependency, Digest, DocumentId, Facet, Facts, Job, OutputPath, Rendered
from kahnd.core.project_files import GENERATED

HASH: Final = "{hash}"
_DECLARED: Final = ".kahnd-declared"
HASH_LENGTH: Final = 12
"""Hex digits; two files of one name that differ have the same ones once in 2^48 times."""


MAX_FACETS: Final = 100
"""Facets of one dependency; each output in use is one or two, and each id that is linked to one."""
ONE_ANCHOR: Final = f"{Facet.ANCHORS}:"


class Claims:
    """Owns the index of claims; documents with one claim are listed in the order in which they claimed it."""

    def __init__(self) -> None:
        self._claimants: dict[str, tuple[DocumentId, ...]] = {}
        self._folders: Counter[str] = Counter()
        """The number of outputs and folders claimed directly in each folder."""
        self._filled = 0
        """The number of folders that documents fill."""
        self._hashed: dict[str, DocumentId] = {}
        """The files that stand for claims with a hash, and for generated documents."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._claimants)

    def add(self, claims: Iterable[OutputPath], document: DocumentId) -> None:
        """Adds the claims of a document."""
        for claim in dict.fromkeys(claims):
            others = self._claimants.get(claim, ())
            self._claimants[claim] = (*others, document)
            if not others:
                self._occupy(claim)

    def remove(self, claims: Iterable[OutputPath], document: DocumentId) -> None:
        """Removes the claims of a document."""
        for claim in dict.fromkeys(claims):
            others = tuple(each for each in self._claimants.pop(claim) if each != document)
            if others:
                self._claimants[claim] = others
            else:
                self._vacate(claim)

    def place(self, before: Facts | None, after: Facts) -> None:
        """Replaces the files that stand for a document's claims with a hash, and for what it declares."""
        document = after.id
        for path in _beside_claims(before) if before else ():
            if self._hashed.get(path) == document:
                del self._hashed[path]
        self._hashed.update(dict.fromkeys(_beside_claims(after), document))

    def makers(self, path: str) -> tuple[DocumentId, ...]:
        """Returns the documents that claim a path, or a folder that it is or lies in."""
        found = self._claimants.get(path, ())
        if not found and path in self._hashed:
            return (self._hashed[path],)
        while self._filled and path and not found:
            found = self._claimants.get(f"{path}/", ())
            path = path.rpartition("/")[0]
        return found

    def rivals(self, claims: Iterable[OutputPath], document: DocumentId) -> frozenset[DocumentId]:
        """Returns the other documents that claim one of these: as it is, or one as a file and one as a folder."""
        found = set[DocumentId]()
        for claim in claims:
            found.update(self._claimants[claim])
            folder: str = claim
            while folder := folder.rpartition("/")[0]:
                found.update(self._claimants.get(folder, ()))
                if self._filled:
                    found.update(self._claimants.get(f"{folder}/", ()))
            path = claim.removesuffix("/")
            if self._folders[path] > (path != claim):  # a folder that is filled counts itself
                found.update(self._below(path))
        found.discard(document)
        return frozenset(found)

    def _below(self, folder: str) -> Iterator[DocumentId]:
        below = f"{folder}/"
        return (each for path, claimants in self._claimants.items() if path.startswith(below) for each in claimants)

    def _occupy(self, claim: str) -> None:
        """Counts a path in its folder, and the folder in the one above it if the path is its first."""
        self._filled += claim.endswith("/")
        while claim := claim.rpartition("/")[0]:
            self._folders[claim] += 1
            if self._folders[claim] > 1:
                return

    def _vacate(self, claim: str) -> None:
        self._filled -= claim.endswith("/")
        while claim := claim.rpartition("/")[0]:
            self._folders[claim] -= 1
            if self._folders[claim]:
                return
            del self._folders[claim]


def clash(claims: Iterable[OutputPath], others: Iterable[OutputPath]) -> tuple[OutputPath, OutputPath] | None:
    """Returns the first two claims, one of each, of which one is a file or filled folder where the other needs one."""
    return next((pair for pair in product(claims, others) if pair[0] != pair[1] and _overlap(*pair)), None)


def self_clash(claims: Iterable[OutputPath]) -> tuple[OutputPath, OutputPath] | None:
    """Returns the first two claims of one document that can't both exist."""
    return next((pair for pair in combinations(claims, 2) if _overlap(*pair)), None)


def placed(claim: OutputPath, digest: str) -> OutputPath:
    """Returns the path of the file that stands for a claim, by the hash of its bytes."""
    return OutputPath(claim.replace(HASH, digest[:HASH_LENGTH]))


def is_of(claim: str, path: str) -> bool:
    """Tells whether a path is that of a claim: the same, or in its folder, or with a hash."""
    if HASH in claim:
        before, _, after = claim.partition(HASH)
        return path.startswith(before) and path.endswith(after) and len(path) == len(claim) - len(HASH) + HASH_LENGTH
    return path == claim or (claim.endswith("/") and path.startswith(claim))


def in_the_way(former: Iterable[OutputPath], present: Iterable[OutputPath]) -> list[OutputPath]:
    """Returns the former files of a document that its present ones can't exist beside."""
    now = frozenset(present)
    folders = frozenset(folder for each in now for folder in folders_above(each))
    gone = (each for each in former if each not in now)
    return [each for each in gone if each in folders or not now.isdisjoint(folders_above(each))]


def files_of(facts: Facts) -> tuple[tuple[OutputPath, Digest | None], ...]:
    """Returns all files of a document's last good rendering, each with its hash."""
    if facts.outputs is not None:
        return facts.outputs
    return ((facts.output, facts.output_hash),) if facts.output else ()


def published_files(facts: Facts) -> Iterator[tuple[OutputPath, Digest | None]]:
    """Yields all that a document's last good rendering has published: its files and those that it declares."""
    yield from files_of(facts)
    for document, digest, _ in facts.declares or ():
        yield generated_file(document), digest


def generated_file(document: str) -> OutputPath:
    """Returns the path of the file that stands for a generated document."""
    return OutputPath(f"{GENERATED}/{document}")


def source_of(facts: Facts) -> str:
    """Returns the path of the file that stands for a document."""
    return generated_file(facts.id) if facts.declarer else facts.id


def is_generated(path: str) -> bool:
    """Tells whether a path is that of a file that stands for a generated document."""
    return path.startswith(f"{GENERATED}/")


def without_output(facts: Facts) -> Facts:
    """Returns the facts of a document whose outputs are removed."""
    return replace(facts, output=None, output_hash=None, inputs_hash=None, outputs=None, warnings=(), declares=None)


def facet_of(facet: Facet, output: str) -> str:
    """Returns a facet of one of several outputs: its bytes or its URL."""
    return f"{facet}:{output}"


def anchor_facet(name: str) -> str:
    """Returns the facet of one of a page's ids, of which this is the hash: whether there is such an id."""
    return f"{ONE_ANCHOR}{name}"


def merge_dependencies(known: Dependency, new: Dependency) -> Dependency:
    """Two dependencies on one document as one, with the facets of both; None, for all facets, if either has it.

    Beyond MAX_FACETS, all ids stand for those that are linked to, or all of the document for the parts in use.
    """
    partial = known.facets is not None and new.facets is not None
    facets = (known.facets or frozenset()) | (new.facets or frozenset()) if partial else None
    if facets and len(facets) > MAX_FACETS:
        facets = frozenset(Facet.ANCHORS if each.startswith(ONE_ANCHOR) else each for each in facets)
        facets = facets if len(facets) <= MAX_FACETS else None
    return replace(known, facets=facets, sure=known.sure or new.sure)


def outputs_of(job: Job) -> tuple[OutputPath, ...]:
    """Returns all outputs of a job, in the order of its rule."""
    return (job.output, *job.more)


def documents_of(job: Job) -> dict[str, DocumentId]:
    """Returns, for each file in `deps`, the document that it is or is rendered from.

    An output that a program reported is listed under its own name, apart from the source that it is rendered
    from: the program may read both.
    """
    discovered = frozenset(job.discovered)
    return {
        file: DocumentId(file) if each in discovered else each for file, each in zip(job.deps, job.targets, strict=True)
    }


def stage_name(outputs: Sequence[OutputPath]) -> str:
    """Returns the path of the first of a run's outputs in its staging folder.

    Several lie there as they will lie to one another, so that relative references among them are right.
    """
    first = outputs[0].removesuffix("/")
    name = posixpath.basename(first) if len(outputs) == 1 else first[len(_common_folder(outputs)) :]
    return name.replace(HASH, "hash")


def stage_folder(job: Job) -> str:
    """Returns the staging folder of a run."""
    return job.stage.removesuffix(f"/{stage_name(outputs_of(job))}") if job.more else posixpath.dirname(job.stage)


def stages(job: Job) -> tuple[str, ...]:
    """Returns where a run writes each of its outputs."""
    if not job.more:
        return (job.stage,)
    folder, common = stage_folder(job), len(_common_folder(outputs_of(job)))
    return tuple(f"{folder}/{each[common:].replace(HASH, 'hash')}" for each in outputs_of(job))


def named_outputs(outputs: Sequence[OutputPath], name: str) -> list[OutputPath]:
    """Returns those of a document's outputs that a name means: by a path or its end, else by extension.

    The first for "". In a folder that is filled, it is a path.
    """
    first = outputs[0]
    if not name or name in outputs:
        return [OutputPath(name or first)]
    if first.endswith("/"):
        path = posixpath.normpath(f"{first}{name}")
        return [OutputPath(path)] if path.startswith(first) and not name.startswith("/") else []
    return [each for each in outputs if f"/{each}".endswith(f"/{name}")] or [
        each for each in outputs if each.endswith(f".{name}")
    ]


def named_among(
    renderings: Mapping[DocumentId, Sequence[OutputPath]], name: str
) -> list[tuple[DocumentId, OutputPath]]:
    """Returns those of a document's outputs that a name means, each with the rendering that makes it.

    Without a name, it is the first output of the first rendering. Folders that are filled come after files.
    """
    files = {path: each for each, outputs in renderings.items() for path in outputs if not path.endswith("/")}
    folders = [(outputs, each) for each, outputs in renderings.items() if outputs and outputs[0].endswith("/")]
    if not name:
        return [(each, outputs[0]) for each, outputs in renderings.items() if outputs][:1]
    if files and (named := named_outputs([*files], name)):
        return [(files[path], path) for path in named]
    return [(each, path) for outputs, each in folders for path in named_outputs(outputs, name)][:1]


def stage_of_declared(job: Job, number: int) -> str:
    """Returns where a run writes the bytes of a document that it declares; they are numbered."""
    return f"{stage_folder(job)}/{_DECLARED}/{number}"


def paths_of(job: Job, outcome: Rendered) -> tuple[OutputPath, ...]:
    """Returns the paths of all files that a rendering has made."""
    return tuple(path for path, _ in outcome.outputs) or (job.output,)


def outputs_in_the_way(facts: Facts, job: Job, outcome: Rendered) -> list[OutputPath]:
    """Returns the former outputs that have to be removed before the new ones can be put in place."""
    if outcome.outputs or facts.outputs or facts.output != job.output:
        return in_the_way([path for path, _ in files_of(facts)], paths_of(job, outcome))
    return []


def is_complete(job: Job, outcome: Rendered) -> bool:
    """Tells whether a rendering made the outputs that its rule names."""
    if job.output.endswith("/"):
        return bool(outcome.outputs) and all(path.startswith(job.output) for path, _ in outcome.outputs)
    return paths_of(job, outcome) == outputs_of(job)


def staged_outputs(job: Job, outcome: Rendered) -> tuple[StagedOutput, ...]:
    """Returns the outputs of a rendering, each with the path where it was written."""
    if not outcome.outputs:
        return (StagedOutput(job.stage, job.output, outcome.output_hash),)
    is_folder = job.output.endswith("/")
    inside = (f"{job.stage}/{path[len(job.output) :]}" for path, _ in outcome.outputs)
    staged = inside if is_folder else stages(job)
    return tuple(StagedOutput(stage, *each) for stage, each in zip(staged, outcome.outputs, strict=True))


def with_places(job: Job, outcome: Rendered) -> Rendered:
    """Returns the outcome with the paths of its files, which may have a hash of their bytes."""
    if not any(HASH in each for each in outputs_of(job)):
        return outcome
    made = outcome.outputs or ((job.output, outcome.output_hash),)
    return replace(outcome, outputs=tuple((placed(path, digest), digest) for path, digest in made))


def _common_folder(outputs: Iterable[OutputPath]) -> str:
    """Returns the innermost folder that holds all outputs, with a slash at its end; empty for the project's."""
    common = posixpath.commonpath([posixpath.dirname(each) for each in outputs])
    return f"{common}/" if common else ""


def _overlap(one: str, other: str) -> bool:
    first, second = one.removesuffix("/"), other.removesuffix("/")
    return first == second or first.startswith(f"{second}/") or second.startswith(f"{first}/")


def folders_above(path: str) -> Iterator[str]:
    """Yields the folder of a path, the one above it, and so on, below the project's."""
    while path := path.rpartition("/")[0]:
        yield path


def _beside_claims(facts: Facts) -> Iterator[OutputPath]:
    """Yields the published files of a document whose paths are known only after its rendering."""
    yield from (path for path, _ in facts.outputs or ())
    yield from (generated_file(document) for document, _, _ in facts.declares or ())
