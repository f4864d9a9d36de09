"""A client of a running daemon: HTTP over the control socket, with the standard library alone, to start fast."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlencode

from kahnd import __version__
from kahnd.api import answers
from kahnd.core.problem import Problem
from kahnd.core.project_files import STATE_FOLDER
from kahnd.errors import KahndError, NoDaemonError, NotListeningError, StoreError, UsageError
from kahnd.platform.owned_files import folder_problem, state_file_error
from kahnd.platform.unix_socket import check_private, project_identity, socket_path, user_of

T = TypeVar("T")
Json = dict[str, Any]

ANSWER_TIMEOUT_S: Final = 10.0
"""How long a daemon may take to begin an answer, before it counts as silent."""
GRACE_S: Final = 5.0
"""How much longer than a `wait`'s own limit its answer may take."""
LONGEST_S: Final = 2_000_000.0
"""The longest timeout, some 23 days: a socket takes no longer one."""
SILENCE_S: Final = 45.0
"""A daemon sends a heartbeat every 15 seconds; after this long without one it counts as gone."""
_JSON: Final = {"Content-Type": "application/json"}
_PROJECT: Final = "Kahnd-Project"
_STRANGE: Final = "what answers is no daemon of kahnd's"
_UNKNOWN: Final = frozenset({http.client.NOT_FOUND, http.client.METHOD_NOT_ALLOWED})
"""A daemon's answers to a call that it does not know."""

_ERRORS: Final[Mapping[int, type[KahndError]]] = {
    UsageError.exit_code: UsageError,
    NoDaemonError.exit_code: NoDaemonError,
    StoreError.exit_code: StoreError,
}


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a build: documents done, their total, and the one finished last."""

    done: int
    total: int
    document: str


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class FileEvent:
    """One event: its id, its name, and the log's line. A `gap` has no id, and says how many were `missed`."""

    id: str
    name: str
    line: Json


class ControlClient:
    """One project's daemon.

    Every method raises NotListeningError where nobody listens, or no more; NoDaemonError where one does, and gives no
    answer that is understood here; and otherwise the KahndError that the daemon tells.
    """

    def __init__(self, root: Path, *, timeout: float = ANSWER_TIMEOUT_S) -> None:
        self._root = root.resolve()
        self._address = socket_path(root)
        self._timeout = timeout

    def status(self) -> answers.Status:
        """Returns the daemon's state, counts by status, the last build, failures."""
        return self._get(answers.Status, "/v1/status", {})

    def plan(self, targets: Sequence[str] = ()) -> answers.Plan:
        """Returns the generations that a build would render now, and why."""
        return self._get(answers.Plan, "/v1/plan", {"target": targets})

    def graph(self, target: str | None = None, *, reverse: bool = False) -> answers.Graph:
        """Returns nodes and edges: all, or what the target needs, or (`reverse`) what needs it."""
        query = {"target": [target] if target else [], "reverse": ["1"] if reverse else []}
        return self._get(answers.Graph, "/v1/graph", query)

    def why(self, target: str) -> answers.Why:
        """Explains why a document was rendered, or would be: reasons, and the chain from the edited file."""
        return self._get(answers.Why, "/v1/why", {"target": [target]})

    def history(self, document: str | None, limit: int) -> answers.History:
        """Returns past renders, newest first, of one document or of all."""
        query = {"document": [document] if document else [], "limit": [str(limit)]}
        return self._get(answers.History, "/v1/history", query)

    def timeline(self, build: str) -> answers.Timeline:
        """Returns the renderings of one build, by its id, the beginning of that, or `last`."""
        return self._get(answers.Timeline, "/v1/timeline", {"build": [build]})

    def build(self, targets: Sequence[str], *, force: bool, progress: OnProgress) -> answers.Report:
        """Brings the targets (none: everything) up to date; returns the build's report."""
        return self._stream("/v1/build", {"targets": list(targets), "force": force}, progress, None)

    def retry(self, targets: Sequence[str], *, progress: OnProgress) -> answers.Report:
        """Tries failed documents (none given: all) again; returns the report."""
        return self._stream("/v1/retry", {"targets": list(targets)}, progress, None)

    def wait(self, targets: Sequence[str], *, timeout: float | None, progress: OnProgress) -> answers.Report:
        """Returns the report when every change made before this call is rendered; `timeout` in seconds."""
        limit = None if timeout is None else min(LONGEST_S, timeout)  # in this order, it takes care of nan too
        patience = None if limit is None else limit + GRACE_S
        return self._stream("/v1/wait", {"targets": list(targets), "timeout": limit}, progress, patience)

    def reload(self) -> bool:
        """Has `kahnd.toml` read again; returns whether anything has changed."""
        with self._answer("POST", "/v1/reload", b"") as (_, response):
            return bool(_decoded(response.read())["changed"])

    def events(
        self,
        *,
        level: str = "debug",
        document: str | None = None,
        build: str | None = None,
        names: Sequence[str] = (),
        after: str | None = None,
    ) -> Generator[FileEvent, None, None]:
        """Yields events from now on, or after the event of that id. Raises NoDaemonError when the daemon ends.

        `level`: this level and above. `names`: only these events.
        """
        wanted = {"level": level, "document": document, "build": build}
        query = urlencode(
            [*((key, value) for key, value in wanted.items() if value), *(("event", each) for each in names)]
        )
        headers = {"Last-Event-ID": after} if after else {}
        with self._answer("GET", f"/v1/events?{query}", None, headers) as (connection, response):
            connection.settimeout(SILENCE_S)
            yield from _parse_events(response)
        raise _nobody("the daemon stopped")

    def _check_project(self, response: http.client.HTTPResponse) -> None:
        """Raises NoDaemonError for another project's daemon. The refusal of a connection names no project."""
        project = response.headers.get(_PROJECT)
        if not project and response.status != http.client.OK:
            return
        if project != project_identity(self._root):
            message = "what answers on the control socket is no daemon of this project, or one of an older version"
            raise NoDaemonError(Problem(message, str(self._address), remedy="stop it, and start one with `kahnd run`"))

    def _get(self, _kind: type[T], path: str, query: Mapping[str, Sequence[str]]) -> T:
        with self._answer("GET", f"{path}?{urlencode(query, doseq=True)}".rstrip("?"), None) as (_, response):
            return cast("T", _decoded(response.read()))

    def _stream(self, path: str, body: Json, progress: OnProgress, patience: float | None) -> answers.Report:
        for message in self._messages(path, body, patience):
            if "report" in message:
                return cast("answers.Report", message["report"])
            if "error" in message:
                raise _exception(message["error"])
            if "progress" in message:
                latest = message["progress"]
                progress(Progress(latest["done"], latest["total"], latest["document"]))
        raise _nobody("the daemon stopped before it was done")

    def _messages(self, path: str, body: Json, patience: float | None) -> Iterator[Json]:
        with self._answer("POST", path, json.dumps(body).encode()) as (connection, response):
            connection.settimeout(patience)
            for line in response:
                yield _decoded(line)

    @contextmanager
    def _answer(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[tuple[socket.socket, http.client.HTTPResponse]]:
        """Yields an open answer of status 200, and its connection."""
        connection = _UnixConnection(self._address, self._timeout, _trusted(self._root))
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # a refusal may come before all is sent
                connection.request(method, path, body, {**headers, **(_JSON if body else {})})
            stream = connection.sock
            response = connection.getresponse()
            self._check_project(response)
            if response.status != http.client.OK:
                raise _refusal(response)
            yield stream, response
        except TimeoutError:
            raise _unanswered("the daemon does not answer") from None
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            raise _absent(self._root) from None
        except (ConnectionError, http.client.IncompleteRead) as error:
            raise _nobody(f"the daemon is gone ({_words(error)})") from None
        except http.client.HTTPException:
            raise _unanswered(_STRANGE) from None
        except OSError as error:
            raise _unanswered(f"the daemon can't be asked ({_words(error)})") from None
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket that a trusted user made, in a folder where nobody else could put one."""

    def __init__(self, address: Path, timeout: float, trusted: Collection[int]) -> None:
        super().__init__("localhost", timeout=timeout)
        self._address = address
        self._trusted = trusted

    def connect(self) -> None:
        """Raises UsageError if the socket is somebody else's. A symbolic link is never kahnd's socket."""
        if self._address.is_symlink():
            raise FileNotFoundError
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._address))
        check_private(self._address.parent, self._trusted)
        if user_of(self.sock) not in self._trusted:
            message = "another user's process answers on the control socket"
            raise UsageError(Problem(message, str(self._address), remedy="remove it, or ask as the user who runs it"))


def _trusted(root: Path) -> frozenset[int]:
    """Returns the users whose daemon is trusted: oneself and root; for root, the project's owner too."""
    mine = {os.geteuid(), 0}
    return frozenset(mine | {root.stat().st_uid} if os.geteuid() == 0 else mine)


def _parse_events(lines: Iterable[bytes]) -> Iterator[FileEvent]:
    """Yields server-sent events. Comments have no name, and are skipped."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield FileEvent(fields.get("id", ""), fields["event"], _decoded(fields["data"].encode()))
            fields = {}


def _decoded(content: bytes) -> Json:
    try:
        return dict(json.loads(content))
    except ValueError:
        raise _unanswered(_STRANGE) from None


def _refusal(response: http.client.HTTPResponse) -> KahndError:
    theirs = response.headers.get("Kahnd-Version", "an older one")
    if response.status in _UNKNOWN and theirs != __version__:
        message = f"the daemon is of another version: {theirs}, and this is {__version__}"
        return NoDaemonError(Problem(message, remedy="restart it"))
    error = _decoded(response.read()).get("error")
    if isinstance(error, dict):
        return _exception(error)
    return _unanswered(f"the daemon answers {response.status} {response.reason}")


def _exception(error: Json) -> KahndError:
    """Returns the exception for a daemon's `{"exit_code", "problems": [{"message", "remedy", "file", "line"}]}`."""
    kind = _ERRORS.get(error.get("exit_code", UsageError.exit_code), KahndError)
    problems = error.get("problems") or [error]
    return kind(*(Problem(each["message"], **_places(each)) for each in problems))


def _places(problem: Json) -> Json:
    return {key: problem[key] for key in ("file", "line", "remedy") if problem.get(key)}


def _nobody(message: str) -> NotListeningError:
    return NotListeningError(Problem(message, remedy="start one with `kahnd run`"))


def _absent(root: Path) -> KahndError:
    """Returns the error for a missing daemon: none runs, or none could."""
    if error := folder_problem(root, STATE_FOLDER):
        return state_file_error("kahnd's own files can't be kept here", root / STATE_FOLDER, error.remedy, error)
    return _nobody("no daemon runs for this project")


def _unanswered(message: str) -> NoDaemonError:
    return NoDaemonError(Problem(message, remedy="see `kahnd logs`, or stop it and start it again"))


def _words(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
