"""Checks of `kahnd doctor`: of source folders (files that can't be documents) and rules (without any document)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from kahnd.app.session import Project, own_files, tree_of
from kahnd.core.model import DocumentId
from kahnd.core.rules import Rule, is_below
from kahnd.watch.git import GITIGNORE
from kahnd.watch.ignore import IgnoreRules, is_never_document, is_utf8

_NAMED: Final = 5
"""So many files are named in one check."""


_UNNAMED: Final = "a name that is not UTF-8"
_LED_OUT: Final = "a link that leads out of the project, and is not followed"
_UNREADABLE: Final = "a folder or file that can't be read"
_IGNORED: Final = "ignored, by kahnd.toml or .gitignore"
_REMEDIES: Final = {
    _UNNAMED: "rename it",
    _LED_OUT: "copy in what it leads to",
    _UNREADABLE: "chmod u+rX",
    _IGNORED: "",
}


class State(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked; `remedy` says how to fix it."""

    name: str
    state: State
    message: str
    remedy: str = ""


def source_checks(project: Project) -> Iterator[Check]:
    """Checks for files that are no documents, sources that have nothing else, and rules that render nothing."""
    root, layout = project.root, project.layout
    ignore = IgnoreRules(os.path.abspath(root), layout, (*project.config.ignore, *own_files(project.config)))  # noqa: PTH100
    unfit: dict[str, list[str]] = {each: [] for each in _REMEDIES}
    for folder in filter(Path.is_dir, (root / each for each in layout.sources)):
        for path, why in _unfit(root, folder, ignore, frozenset(layout.sources)):
            unfit[why].append(path)
    documents = tree_of(project).documents()
    yield from _listed(unfit)
    for source in layout.sources:
        left_out = [each for each in unfit[_IGNORED] if is_below(each.rstrip("/"), source)]
        if left_out and not any(is_below(each, source) for each in documents):
            message = f"{source} has no documents, since all files in it are ignored"
            yield Check("sources", State.WARNING, message, "change `ignore` in kahnd.toml, or .gitignore")
    yield from _rules(layout.rules, project, documents, unfit[_IGNORED])


def _listed(unfit: Mapping[str, Sequence[str]]) -> Iterator[Check]:
    for why, paths in unfit.items():
        if paths:
            more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
            state = State.WARNING if _REMEDIES[why] else State.OK
            yield Check("sources", state, f"{why}: {', '.join(sorted(paths)[:_NAMED])}{more}", _REMEDIES[why])


def _unfit(root: Path, source: Path, ignore: IgnoreRules, sources: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yields paths below a source that are no documents, and why. Ignored folders end with a slash and are not read."""
    refused: list[str] = []
    real = root.resolve()
    for folder, folders, files in os.walk(source, onerror=lambda error: refused.append(str(error.filename))):
        entered = []
        for name in (*folders, *files):
            path, is_folder = Path(folder, name), name in folders
            inside = str(path.relative_to(root))
            if inside in sources or (is_utf8(name) and (is_never_document(name) or ignore.is_own(inside))):
                continue
            why = _why_unfit(path, inside, ignore, real, is_folder=is_folder)
            if why and name != GITIGNORE:
                yield (f"{inside}/" if why == _IGNORED and is_folder else inside), why
            elif is_folder and not path.is_symlink():
                entered.append(name)
        folders[:] = entered
    yield from ((str(Path(each).relative_to(root)), _UNREADABLE) for each in refused)


def _why_unfit(path: Path, inside: str, ignore: IgnoreRules, real: Path, *, is_folder: bool) -> str | None:
    if not is_utf8(path.name):
        return _UNNAMED
    is_link = path.is_symlink()
    if ignore.ignores(inside, folder=is_folder and not is_link):
        return _IGNORED
    if is_link:
        return None if Path(os.path.realpath(path)).is_relative_to(real) else _LED_OUT
    return None if is_folder or os.access(path, os.R_OK) else _UNREADABLE


def _rules(
    rules: Sequence[Rule], project: Project, documents: Iterable[DocumentId], ignored: Sequence[str]
) -> Iterator[Check]:
    """Rules that render nothing: often by a typing error, or because a rule above takes all that they match."""
    known, layout = list(documents), project.layout
    used = {rule.index for each in known if (rule := layout.rule_of(each))}
    used.update(rule.index for each in known for rule in layout.renderings_of(each).values())
    for rule in rules:
        if rule.index in used:
            continue
        place = f"kahnd.toml:{rule.line}: " if rule.line else ""
        fitting = [each for each in known if rule.fits(each)]
        if any(layout.rule_of(each) for each in fitting):
            why, remedy = "renders nothing, since rules above it match the same documents", "move it up, or remove it"
        elif fitting:
            why, remedy = "matches only names that begin with _", "write the underscore in `match`"
        elif any(rule.fits(each) for each in ignored):
            why, remedy = "matches only files that are ignored", "change `ignore` in kahnd.toml, or .gitignore"
        else:
            why, remedy = "matches no document", "correct `match`, or remove the rule"
        yield Check("rule", State.WARNING, f"{place}the rule for {rule.match} {why}", remedy)
