"""A client of a running daemon: HTTP over the control socket, by the standard library alone, to start fast."""

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
from typing import Any, Final
from urllib.parse import urlencode

from kahnd import __version__
from kahnd.core.problem import Problem
from kahnd.errors import KahndError, NobodyThereError, NoDaemonError, StoreError, UsageError
from kahnd.service.api.peers import user_of
from kahnd.service.paths import check_private, identity, socket_path

Json = dict[str, Any]

ANSWER_TIMEOUT_S: Final = 10.0
"""How long a daemon may take to begin an answer, before it counts as not there."""
GRACE_S: Final = 5.0
"""How much longer than a `wait`'s own limit its answer may take."""
LONGEST_S: Final = 2_000_000.0
"""A limit beyond that, some 23 days, is as that: the system takes no longer one for a socket."""
SILENCE_S: Final = 45.0
"""A daemon that tells no event says every 15 seconds that it is there; so long without a word is none."""
_JSON: Final = {"Content-Type": "application/json"}
_PROJECT: Final = "Kahnd-Project"
_STRANGE: Final = "what answers is no daemon of kahnd's"
_UNKNOWN: Final = frozenset({http.client.NOT_FOUND, http.client.METHOD_NOT_ALLOWED})
"""What a daemon says to a call that it does not know."""

_ERRORS: Final[Mapping[int, type[KahndError]]] = {
    UsageError.exit_code: UsageError,
    NoDaemonError.exit_code: NoDaemonError,
    StoreError.exit_code: StoreError,
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is: documents done, of how many, and the one finished last."""

    done: int
    total: int
    document: str


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Happening:
    """One event: its id, its name, and the log's line; a `gap` has no id, and says how many were `missed`."""

    id: str
    name: str
    line: Json


class ControlClient:
    """One project's daemon.

    Every method raises NobodyThereError where nobody listens, or no more; NoDaemonError where one does, and gives no
    answer that is understood here; and otherwise the KahndError that the daemon tells.
    """

    def __init__(self, root: Path, *, timeout: float = ANSWER_TIMEOUT_S) -> None:
        self._root = root.resolve()
        self._address = socket_path(root)
        self._timeout = timeout

    def status(self) -> Json:
        """The daemon's state, counts by status, the last build, failures."""
        return self._get("/v1/status", {})

    def plan(self, targets: Sequence[str] = ()) -> Json:
        """The generations a build would render now, and why."""
        return self._get("/v1/plan", {"target": targets})

    def graph(self, target: str | None = None, *, reverse: bool = False) -> Json:
        """Nodes and edges: all, or what the target needs, or (`reverse`) what needs it."""
        query = {"target": [target] if target else [], "reverse": ["1"] if reverse else []}
        return self._get("/v1/graph", query)

    def build(self, targets: Sequence[str], *, force: bool, progress: Report) -> Json:
        """Bring the targets (none: everything) up to date; the build's report."""
        return self._stream("/v1/build", {"targets": list(targets), "force": force}, progress, None)

    def retry(self, targets: Sequence[str], *, progress: Report) -> Json:
        """Try failed documents (none given: all) again; the report."""
        return self._stream("/v1/retry", {"targets": list(targets)}, progress, None)

    def why(self, target: str) -> Json:
        """Why a document was rendered, or would be: reasons, and the chain from the edited file."""
        return self._get("/v1/why", {"target": [target]})

    def history(self, document: str | None, limit: int) -> Json:
        """Past renders, newest first, of one document or of all, as `{"history": […]}`."""
        return self._get("/v1/history", {"document": [document] if document else [], "limit": [str(limit)]})

    def wait(self, targets: Sequence[str], *, timeout: float | None, progress: Report) -> Json:
        """Return the report when every change made before this call is rendered; `timeout` in seconds."""
        limit = None if timeout is None else min(LONGEST_S, timeout)  # in this order, it takes care of nan too
        patience = None if limit is None else limit + GRACE_S
        return self._stream("/v1/wait", {"targets": list(targets), "timeout": limit}, progress, patience)

    def reload(self) -> bool:
        """Have `kahnd.toml` read again; whether anything is another now."""
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
    ) -> Generator[Happening, None, None]:
        """What happens, from now on, or after the event of that id, until it is closed; NoDaemonError ends it too.

        `level`: and above. `names`: only those.
        """
        wanted = {"level": level, "document": document, "build": build}
        query = urlencode(
            [*((key, value) for key, value in wanted.items() if value), *(("event", each) for each in names)]
        )
        headers = {"Last-Event-ID": after} if after else {}
        with self._answer("GET", f"/v1/events?{query}", None, headers) as (connection, response):
            connection.settimeout(SILENCE_S)
            yield from _happenings(response)
        raise _nobody("the daemon stopped")

    def _check_project(self, response: http.client.HTTPResponse) -> None:
        """An error may be told by who knows no project, such as a daemon with too many connections."""
        told = response.headers.get(_PROJECT)
        if not told and response.status != http.client.OK:
            return
        if told != identity(self._root):
            message = "what answers on the control socket is no daemon of this project, or one of an older version"
            raise NoDaemonError(Problem(message, str(self._address), remedy="stop it, and start one with `kahnd run`"))

    def _get(self, path: str, query: Mapping[str, Sequence[str]]) -> Json:
        with self._answer("GET", f"{path}?{urlencode(query, doseq=True)}".rstrip("?"), None) as (_, response):
            return _decoded(response.read())

    def _stream(self, path: str, body: Json, progress: Report, patience: float | None) -> Json:
        for message in self._messages(path, body, patience):
            if "report" in message:
                return dict(message["report"])
            if "error" in message:
                raise _told(message["error"])
            if "progress" in message:
                told = message["progress"]
                progress(Progress(told["done"], told["total"], told["document"]))
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
        """An open answer of status 200, and its connection."""
        connection = _UnixConnection(self._address, self._timeout, _trusted(self._root))
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # a refusal may be there before all has been said
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
            raise _nobody("no daemon runs for this project") from None
        except (ConnectionError, http.client.IncompleteRead) as error:
            raise _nobody(f"the daemon is gone ({_words(error)})") from None
        except http.client.HTTPException:
            raise _unanswered(_STRANGE) from None
        except OSError as error:
            raise _unanswered(f"the daemon can't be asked ({_words(error)})") from None
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket that one of these users made, in a folder where nobody else could put it."""

    def __init__(self, address: Path, timeout: float, trusted: Collection[int]) -> None:
        super().__init__("localhost", timeout=timeout)
        self._address = address
        self._trusted = trusted

    def connect(self) -> None:
        """Raises UsageError where it is somebody else's; a link is no socket of kahnd's, wherever it leads."""
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
    """Whose daemon is believed: one's own, and root's; by root, that of the project's owner too."""
    mine = {os.geteuid(), 0}
    return frozenset(mine | {root.stat().st_uid} if os.geteuid() == 0 else mine)


def _happenings(lines: Iterable[bytes]) -> Iterator[Happening]:
    """A stream of server-sent events; comments have no name."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield Happening(fields.get("id", ""), fields["event"], _decoded(fields["data"].encode()))
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
        return _told(error)
    return _unanswered(f"the daemon answers {response.status} {response.reason}")


def _told(error: Json) -> KahndError:
    """The exception that a daemon's `{"exit_code", "problems": [{"message", "remedy", "file", "line"}]}` stands for."""
    kind = _ERRORS.get(error.get("exit_code", UsageError.exit_code), KahndError)
    problems = error.get("problems") or [error]
    return kind(*(Problem(each["message"], **_places(each)) for each in problems))


def _places(problem: Json) -> Json:
    return {key: problem[key] for key in ("file", "line", "remedy") if problem.get(key)}


def _nobody(message: str) -> NobodyThereError:
    return NobodyThereError(Problem(message, remedy="start one with `kahnd run`"))


def _unanswered(message: str) -> NoDaemonError:
    return NoDaemonError(Problem(message, remedy="see `kahnd logs`, or stop it and start it again"))


def _words(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
