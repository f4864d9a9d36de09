"""Every event that kahnd logs, with its level: the one place where they are named."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from structlog.typing import FilteringBoundLogger


class Event(StrEnum):
    """What is in a log line's `event`."""

    DAEMON_STARTED = "daemon.started"
    DAEMON_STOPPING = "daemon.stopping"
    DAEMON_STOPPED = "daemon.stopped"
    DAEMON_STATE = "daemon.state"
    DAEMON_HUNG = "daemon.hung"
    SCAN_FINISHED = "scan.finished"
    WATCH_BATCH = "watch.batch"
    WATCH_OVERFLOW = "watch.overflow"
    WATCH_RENEWED = "watch.renewed"
    WATCH_POLLING = "watch.polling"
    WATCH_UNWATCHED = "watch.unwatched"
    WATCH_RESTORED = "watch.restored"
    WATCH_COOKIE = "watch.cookie"
    BUILD_STARTED = "build.started"
    BUILD_FINISHED = "build.finished"
    DOCUMENT_DIRTY = "document.dirty"
    DOCUMENT_RENDERED = "document.rendered"
    DOCUMENT_SKIPPED = "document.skipped"
    DOCUMENT_FAILED = "document.failed"
    DOCUMENT_BLOCKED = "document.blocked"
    DOCUMENT_UNNAMED = "document.unnamed"
    DOCUMENT_UNSCANNED = "document.unscanned"
    IGNORE_CUT = "ignore.cut"
    DOCUMENT_REMOVED = "document.removed"
    OUTPUT_STUCK = "output.stuck"
    CYCLE_FOUND = "cycle.found"
    CONFIG_RELOADED = "config.reloaded"
    CONFIG_INVALID = "config.invalid"
    SOURCE_MISSING = "source.missing"
    CONTROL_FAILED = "control.failed"
    NOTIFY_FAILED = "notify.failed"
    LOG_LEFT_OUT = "log.left_out"
    STATE_REMOVED = "state.removed"
    STATE_DAMAGED = "state.damaged"
    STORE_LOST = "store.lost"
    STORE_RESTORED = "store.restored"
    STORE_REFUSED = "store.refused"
    STORE_REBUILT = "store.rebuilt"


LEVELS: Final[Mapping[Event, int]] = MappingProxyType(
    dict.fromkeys(Event, logging.INFO)
    | {
        Event.DOCUMENT_DIRTY: logging.DEBUG,
        Event.DOCUMENT_SKIPPED: logging.DEBUG,
        Event.WATCH_OVERFLOW: logging.WARNING,
        Event.WATCH_RENEWED: logging.WARNING,
        Event.WATCH_POLLING: logging.WARNING,
        Event.WATCH_UNWATCHED: logging.WARNING,
        Event.WATCH_COOKIE: logging.WARNING,
        Event.DOCUMENT_UNNAMED: logging.WARNING,
        Event.IGNORE_CUT: logging.WARNING,
        Event.OUTPUT_STUCK: logging.WARNING,
        Event.DOCUMENT_BLOCKED: logging.WARNING,
        Event.SOURCE_MISSING: logging.WARNING,
        Event.CONTROL_FAILED: logging.WARNING,
        Event.NOTIFY_FAILED: logging.WARNING,
        Event.LOG_LEFT_OUT: logging.WARNING,
        Event.STATE_REMOVED: logging.WARNING,
        Event.STATE_DAMAGED: logging.WARNING,
        Event.STORE_REBUILT: logging.WARNING,
        Event.DAEMON_HUNG: logging.ERROR,
        Event.DOCUMENT_FAILED: logging.ERROR,
        Event.DOCUMENT_UNSCANNED: logging.ERROR,
        Event.CYCLE_FOUND: logging.ERROR,
        Event.CONFIG_INVALID: logging.ERROR,
        Event.STORE_LOST: logging.ERROR,
        Event.STORE_REFUSED: logging.ERROR,
    }
)
ASKED_FOR: Final = frozenset({Event.DAEMON_STATE})
"""What is only told where somebody has asked for it: that passes whatever level the log has."""


def tell(log: FilteringBoundLogger, event: Event, **facts: Any) -> None:
    """Log an event at its own level."""
    log.log(LEVELS[event], event, **facts)
