"""A desktop: a session bus of its own, by the real dbus-daemon, with a service that keeps the notifications it gets."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusDict, DBusInt32, DBusSignature, DBusStr, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

NAME = "org.freedesktop.Notifications"
Words = Annotated[list[str], DBusSignature("as")]
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


class Desktop(ServiceInterface):
    """The notifications so far, each with its title and its text. A `silent` one answers none."""

    def __init__(self, address: str) -> None:
        super().__init__(NAME)
        self.address = address
        self.told: list[tuple[str, str]] = []
        self.silent = False

    @dbus_method()
    async def Notify(  # noqa: N802, PLR0913, PLR0917 (the specification's)
        self,
        app_name: DBusStr,
        replaces: DBusUInt32,
        icon: DBusStr,
        title: DBusStr,
        text: DBusStr,
        actions: Words,
        hints: DBusDict,
        expires: DBusInt32,
    ) -> DBusUInt32:
        if self.silent:
            await asyncio.Event().wait()
        self.told.append((title, text))
        return len(self.told)

    @dbus_method()
    def GetCapabilities(self) -> Words:  # noqa: N802
        return ["body"]

    @dbus_method()
    def CloseNotification(self, number: DBusUInt32) -> None:  # noqa: N802
        """Nothing is shown that could be closed."""


@contextmanager
def desktop(folder: Path) -> Iterator[Desktop]:
    """A session bus in a folder, and a desktop on it."""
    address = f"unix:path={folder}/bus"
    config = folder / "session.conf"
    config.write_text(_CONFIG.format(socket=f"{folder}/bus"))
    with subprocess.Popen(
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"], stdout=subprocess.PIPE, text=True
    ) as bus:
        try:
            assert bus.stdout
            assert bus.stdout.readline().startswith(address)
            with _served(Desktop(address)) as served:
                yield served
        finally:
            bus.terminate()


@contextmanager
def _served(service: Desktop) -> Iterator[Desktop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> MessageBus:
        bus = await MessageBus(bus_address=service.address).connect()
        bus.export("/org/freedesktop/Notifications", service)
        await bus.request_name(NAME)
        return bus

    async def end() -> None:
        bus.disconnect()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    bus = asyncio.run_coroutine_threadsafe(begin(), loop).result(30)
    try:
        yield service
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
