"""A drawn project as real files, with or without a real daemon."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from agreement import steps
from agreement.language import Tree, source
from e2e.harness import Daemon, Project, below
from kahnd.api.client import ControlClient
from kahnd.core.project_files import GENERATED
from kahnd.errors import KahndError

OUTPUTS: Final = ("site", "public")
PATIENCE_S: Final = 120.0
"""How long a daemon may take to finish: hundreds of times what it usually takes."""


class LiveProject:
    """Makes edits in real files, waits until everything is rendered, and reads the outputs."""

    def __init__(self, root: Path, tree: Tree) -> None:
        self.project = Project(root)
        self._daemon: Daemon | None = None
        self._read = 0
        self._links = root.with_name(f"{root.name}.links")
        self._links.mkdir()
        for folder in ("docs", "shared"):
            self.project.path(folder).mkdir()
        self.put(tree.files())

    # Edits

    def put(self, files: dict[str, str | None]) -> None:
        """Writes files; removes those that are None."""
        for name, text in files.items():
            if text is None:
                self.project.path(name).unlink(missing_ok=True)
            else:
                self.project.write(name, text)

    def make(self, edit: steps.FileEdit, before: Tree, after: Tree) -> None:
        """Makes an edit as an editor, a shell or a checkout does."""
        match edit:
            case steps.Touch(path, time_s):
                os.utime(self.project.path(path), None if time_s is None else (time_s, time_s))
            case steps.WriteThroughLink(path):
                self._link(path).write_text(source(path, after.documents[path]))
            case steps.Save(path, in_place) | steps.Write(path, _, in_place):
                self._save(path, source(path, after.documents[path]), in_place=in_place)
            case steps.Rename(path, to) | steps.MoveFolder(path, to):
                self.project.path(to).parent.mkdir(parents=True, exist_ok=True)
                self.project.path(path).rename(self.project.path(to))
            case _:
                then, now = before.files(), after.files()
                gone = dict.fromkeys(then.keys() - now.keys())
                self.put(gone | {name: text for name, text in now.items() if then.get(name) != text})

    def _save(self, path: str, text: str, *, in_place: bool) -> None:
        if in_place and self.project.exists(path):
            self.project.path(path).write_text(text)
        else:
            self.project.write(path, text)

    def _link(self, path: str) -> Path:
        """Returns a file outside of the project that the document is a hard link to. Writes to it make no event."""
        link, inside = self._links / path.replace("/", "%"), self.project.path(path)
        if not link.exists() or not link.samefile(inside):
            link.unlink(missing_ok=True)
            shutil.copyfile(inside, link)
            fresh = self._links / "fresh"
            fresh.hardlink_to(link)
            fresh.replace(inside)
        return link

    def spoil(self, output: str, how: str) -> None:
        """Deletes an output, or writes something else into it."""
        if how == "delete":
            self.project.path(output).unlink()
        else:
            self.project.path(output).write_text(steps.ALTERED)

    def remove_altered(self, *, but: Collection[str] = ()) -> None:
        """Deletes the outputs that were altered and not rendered again yet, but for some."""
        for output, content in self.outputs().items():
            if output not in but and content == steps.ALTERED.encode():
                self.project.path(output).unlink()

    def delete_folder(self, folder: str) -> None:
        """Deletes a folder with everything in it, at once."""
        away = self.project.root.with_name(f"{self.project.root.name}.lost")
        if self.project.exists(folder):
            self.project.path(folder).rename(away)
            shutil.rmtree(away)

    # The daemon

    @property
    def running(self) -> bool:
        """Tells whether a daemon is running."""
        return self._daemon is not None

    def start(self) -> None:
        """Starts a daemon, and returns once it answers."""
        self._daemon = Daemon(self.project, settled=False).__enter__()

    def stop(self, how: str) -> None:
        """Stops the daemon. Checks that it exits with 0 unless it was killed."""
        daemon, self._daemon = self._daemon, None
        if daemon and how == "kill":
            daemon.kill()
        elif daemon:
            daemon.stop()

    def quiet(self) -> dict[str, Any]:
        """Returns the daemon's report once it has finished everything, or that of `kahnd build`."""
        if self._daemon:
            return self._waited(self._daemon)
        return dict(self.project.kahnd("build", "--json", code=None).json)

    def _waited(self, daemon: Daemon) -> dict[str, Any]:
        try:
            return dict(ControlClient(self.project.root).wait((), timeout=PATIENCE_S, progress=lambda _: None))
        except KahndError as error:
            error.add_note(f"--- the daemon said:\n{daemon.told[-6000:]}")
            raise

    def remove(self) -> None:
        """Removes everything."""
        shutil.rmtree(self._links)
        shutil.rmtree(self.project.root)

    # The outputs

    def outputs(self) -> dict[str, bytes]:
        """Returns every output by its path in the project."""
        return _outputs(self.project)

    def generated(self) -> dict[str, bytes]:
        """Returns the bytes of every generated document by its path."""
        return below(self.project.path(GENERATED))

    def rendered(self) -> list[tuple[str, str]]:
        """Returns the documents rendered since the last call, each with its output, from the log."""
        log = self.project.path(".kahnd/log/kahnd.jsonl")
        with log.open("rb") as file:
            file.seek(self._read)
            text = file.read().decode()
        self._read += len(text.encode())
        entries = [json.loads(line) for line in text.splitlines()]
        return [(each["document"], each["output"]) for each in entries if each["event"] == "document.rendered"]

    def fresh(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Builds a copy that was never built, and returns its report and outputs."""
        copy = Project(self.project.root.with_name(f"{self.project.root.name}.fresh"), self.project.env)
        shutil.rmtree(copy.root)
        shutil.copytree(self.project.root, copy.root, ignore=shutil.ignore_patterns(".kahnd", *OUTPUTS))
        built = copy.kahnd("build", "--json", code=None)
        outputs = _outputs(copy)
        shutil.rmtree(copy.root)
        return built.json | {"code": built.code}, outputs


def _outputs(project: Project) -> dict[str, bytes]:
    return {f"{folder}/{name}": each for folder in OUTPUTS for name, each in below(project.path(folder)).items()}
