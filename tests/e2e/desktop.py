"""A desktop: a session bus of its own, by the real dbus-daemon, with a service that keeps the notifications it gets."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from jeepney import HeaderFields, MessageType, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, Proxy, open_dbus_connection

NAME = "org.freedesktop.Notifications"
_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@dataclass
class Desktop:
    """The notifications so far, each with its title and its text. A `silent` one answers none."""

    address: str
    told: list[tuple[str, str]] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    silent: bool = False

    def serve(self, bus: DBusConnection, over: threading.Event) -> None:
        """Answer until it is over."""
        while not over.is_set():
            with suppress(TimeoutError):
                call = bus.receive(timeout=0.1)
                if call.header.message_type is MessageType.method_call:
                    assert call.header.fields[HeaderFields.member] == "Notify"
                    self._notified(bus, call)

    def _notified(self, bus: DBusConnection, call: object) -> None:
        if self.silent:
            return
        _, replaces, _, title, text, _, _, _ = call.body  # type: ignore[attr-defined]
        self.told.append((title, text))
        self.replaced.append(replaces)
        bus.send(new_method_return(call, "u", (len(self.told),)))


@contextmanager
def desktop(folder: Path) -> Iterator[Desktop]:
    """A session bus in a folder, and a desktop on it."""
    address = f"unix:path={folder}/bus"
    config = folder / "session.conf"
    config.write_text(_CONFIG.format(socket=f"{folder}/bus"))
    with subprocess.Popen(
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as daemon:
        try:
            assert daemon.stdout
            assert daemon.stdout.readline().startswith(address)
            with open_dbus_connection(bus=address) as bus:
                Proxy(message_bus, bus).RequestName(NAME)
                over, served = threading.Event(), Desktop(address)
                thread = threading.Thread(target=served.serve, args=(bus, over))
                thread.start()
                try:
                    yield served
                finally:
                    over.set()
                    thread.join()
        finally:
            daemon.terminate()
