"""One run at a time: locks that a killed process gives up by dying.

`RunLock` is for one state, and how it is held is for the state's database to say.

`PbxLock` is for one PBX, whatever state and whatever user a run on this machine works with: an
abstract Unix socket (unix(7)) named by the PBX's address. No file, so nothing to clean and no
rights to get wrong; the kernel frees the name with the process. Another user could take the name
and keep runs from starting, never make one start.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import struct
import sys
from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from reconcile.errors import LockBusy, StateError
from reconcile.store.database import Held
from reconcile.store.engine import located

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

T = TypeVar("T", Held, socket.socket)

_CREDENTIALS: Final = struct.Struct("3i")
"""struct ucred: process, user, group."""


class _Lock(ABC, Generic[T]):
    """Held from `with` to its end, by something open. Raises LockBusy at once if taken.

    It is closed in every program that this process starts: only this one holds it.
    """

    _held: T | None = None

    def __enter__(self) -> Self:
        self._held = self._take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the lock up before the end; to do so twice does no harm."""
        if self._held:
            self._held.close()
            self._held = None

    @abstractmethod
    def _take(self) -> T:
        """What holds it, and gives it up when it is closed."""


class RunLock(_Lock[Held]):
    """The run lock of one state. The state itself need not exist yet.

    So creating and upgrading it is guarded, too.
    """

    def __init__(self, url: str, *, base: Path, command: str, now: datetime) -> None:
        self._state = located(url, base=base)
        self._holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": now.isoformat(timespec="seconds"),
            "command": command,
        }

    def still_held(self) -> bool:
        """Whether nobody else can hold it now; the database is asked anew each time."""
        return self._held is not None and self._held.is_held()

    def _take(self) -> Held:
        return self._state.take_lock(self._holder)


class PbxLock(_Lock[socket.socket]):
    """The lock of one PBX, by its address as `pbx.connection.origin` spells it.

    It reaches as far as the network namespace: to all users and configurations of one machine, and
    not to another machine or container. Only Linux has such sockets; elsewhere it does nothing, and
    two states must not be given the same PBX.
    """

    def __init__(self, origin: str, *, platform: str = sys.platform) -> None:
        self.origin = origin
        name = f"reconcile-{hashlib.sha256(origin.encode()).hexdigest()}"
        self._name = name if platform == "linux" else ""

    def still_held(self) -> bool:
        """Whether it was not released yet: nobody can take a bound name from a process."""
        return self._held is not None

    def _take(self) -> socket.socket:
        with ExitStack() as undone:
            try:
                held = undone.enter_context(socket.socket(socket.AF_UNIX))
                if self._name:
                    held.bind(f"\0{self._name}")
                    held.listen(socket.SOMAXCONN)  # whoever asks who holds it is never answered
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise self._busy(_holder(self._name)) from error
                raise self._unusable(error) from error
            undone.pop_all()
        return held

    def _busy(self, holder: tuple[int, int] | None) -> LockBusy:
        if holder is None:
            who = "a process that could not be asked who it is"
            look = f"ss -xlp src @{self._name}"
        else:
            who = "process {} of the user with the id {}".format(*holder)
            look = f"ps -fp {holder[0]}"
        return LockBusy(
            f"Another run works on the PBX {self.origin}: {who}.",
            hint=f"wait for it to end; to see it: {look}",
        )

    def _unusable(self, error: OSError) -> StateError:
        return StateError(
            f"The lock of the PBX {self.origin} can't be taken: {error.strerror or error}.",
            hint="let this process have Unix sockets (systemd: RestrictAddressFamilies=AF_UNIX "
            "besides what is there)",
            code="state_lock",
        )


def _holder(name: str) -> tuple[int, int] | None:
    """The process and the user behind a bound name; None if they can't be known.

    It may just have ended, be about to listen, have been asked too often, or be in a container
    with process numbers of its own.
    """
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(0)
        try:
            asking.connect(f"\0{name}")
            said = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return None
    process, user, _ = _CREDENTIALS.unpack(said)
    return (process, user) if process else None
