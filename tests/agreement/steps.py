"""The steps of a trial as values with a JSON form, and the files after each."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final, Literal

from msgspec.structs import replace

from agreement.configuration import Config
from agreement.language import Document, Empty, Script, Sheet, Text, Tree
from agreement.plugin import Plugin
from agreement.values import Value


class Write(Value, frozen=True):
    """A save by replacing the file; with `in_place`, by truncating and writing it."""

    path: str
    document: Document
    in_place: bool = False


class Save(Value, frozen=True):
    """A save without a change."""

    path: str
    in_place: bool = False


class Touch(Value, frozen=True):
    """A change of the modification time: to now (None) or to any time, in seconds."""

    path: str
    time_s: int | None = None


class WriteThroughLink(Value, frozen=True):
    """A write through a hard link outside of the project."""

    path: str
    document: Document


class Delete(Value, frozen=True):
    path: str


class Rename(Value, frozen=True):
    """A rename, perhaps over another document."""

    path: str
    to: str


class MoveFolder(Value, frozen=True):
    path: str
    to: str


class Break(Value, frozen=True):
    """A mistake that is possible in this kind of document."""

    path: str
    how: int


class Mend(Value, frozen=True):
    path: str


class Switch(Value, frozen=True):
    """A checkout of another branch: these documents and no others."""

    documents: dict[str, Document]


class Configure(Value, frozen=True):
    config: Config


class BreakConfig(Value, frozen=True):
    pass


class Teach(Value, frozen=True):
    """A change of the plug-in."""

    plugin: Plugin


ALTERED: Final = "not what kahnd made"


class SpoilOutput(Value, frozen=True):
    """A deletion or change of the output of `of`."""

    of: str
    how: Literal["delete", "alter"]


class LoseOutputs(Value, frozen=True):
    """A deletion of the whole output folder."""


class Stop(Value, frozen=True):
    """The end of the daemon, by a kill or a stop."""

    how: Literal["kill", "stop"]


class LoseStore(Value, frozen=True):
    """A kill of the daemon and a deletion of its database."""


class Start(Value, frozen=True):
    """A start of the daemon, if it does not run."""


class Quiet(Value, frozen=True):
    """A comparison after everything is rendered, by the daemon or else by `kahnd build`."""


FileEdit = (
    Write
    | WriteThroughLink
    | Save
    | Touch
    | Delete
    | Rename
    | MoveFolder
    | Break
    | Mend
    | Switch
    | Configure
    | BreakConfig
    | Teach
)
Disturbance = SpoilOutput | LoseOutputs | Stop | LoseStore
Step = FileEdit | Disturbance | Start | Quiet

_MISTAKES = {
    ".md": ("syntax", "undefined", "unclosed", "yaml"),
    ".alt": ("syntax", "undefined", "unclosed", "yaml"),
    ".txt": ("syntax", "undefined"),
    ".html": ("syntax", "undefined"),
}


def applies(tree: Tree, edit: FileEdit) -> bool:
    """Returns whether the edit is possible and changes something."""
    match edit:
        case Save(path) | Touch(path) | Delete(path) | WriteThroughLink(path):
            return path in tree.documents
        case Rename(path, to):
            return path in tree.documents and to != path
        case MoveFolder(path, to):
            return bool(_below(tree, path)) and not _below(tree, to)
        case Break(path) | Mend(path):
            return path in tree.documents and after(tree, edit) != tree
        case Teach():
            return not tree.config_broken  # a plug-in takes effect with a valid config
        case _:
            return True


def moments(tree: Tree, edit: FileEdit) -> Iterator[Tree]:
    """Returns the successive states of the files during an edit; the last one stays."""
    last = after(tree, edit)
    match edit:
        case Write(path, _, True) | WriteThroughLink(path) | Save(path, True):
            yield _with(tree, {path: Empty()})
        case Rename() | MoveFolder() | Switch():
            yield last  # many files, which do not change at one moment
    yield last


def after(tree: Tree, edit: FileEdit) -> Tree:  # noqa: C901, PLR0911 - a line an edit
    """Returns the files after the edit."""
    match edit:
        case Write(path, document) | WriteThroughLink(path, document):
            return _with(tree, {path: document})
        case Save() | Touch():
            return tree
        case Delete(path):
            return _without(tree, path)
        case Rename(path, to):
            return _with(_without(tree, path), {to: tree.documents[path]})
        case MoveFolder(path, to):
            moved = {to + each[len(path) :]: tree.documents[each] for each in _below(tree, path)}
            return _with(_without(tree, *_below(tree, path)), moved)
        case Break(path, how):
            return _with(tree, {path: _broken(path, tree.documents[path], how)})
        case Mend(path):
            return _with(tree, {path: _mended(tree.documents[path])})
        case Switch(documents):
            return replace(tree, documents=documents)
        case Configure(config):
            return replace(tree, config=config, config_broken=False)
        case BreakConfig():
            return replace(tree, config_broken=True)
        case Teach(plugin):
            return replace(tree, plugin=plugin)


def _with(tree: Tree, documents: dict[str, Document]) -> Tree:
    return replace(tree, documents=tree.documents | documents)


def _without(tree: Tree, *paths: str) -> Tree:
    return replace(tree, documents={path: each for path, each in tree.documents.items() if path not in paths})


def _below(tree: Tree, folder: str) -> list[str]:
    return [path for path in tree.documents if path.startswith(f"{folder}/")]


def _broken(path: str, document: Document, how: int) -> Document:
    mistakes = _MISTAKES.get(posixpath.splitext(path)[1], ())
    match document:
        case Text() if mistakes:
            return replace(document, broken=mistakes[how % len(mistakes)])
        case Sheet() | Script():
            return replace(document, broken=True)
    return document


def _mended(document: Document) -> Document:
    match document:
        case Text():
            return replace(document, broken="")
        case Sheet() | Script():
            return replace(document, broken=False)
    return document
