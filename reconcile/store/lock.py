"""One run at a time: a lock that a killed process gives up by dying.

flock(2) on a file of its own, `<state>.lock`. Never POSIX record locks, which are lost as soon as
the same process opens and closes the file elsewhere. The file must never be unlinked: a second
process would lock a new one of that name while the first still holds the old.
"""

from __future__ import annotations

import json
import os
import socket
from typing import IO, TYPE_CHECKING, Any, Self

import portalocker

from reconcile.errors import LockBusy
from reconcile.store.engine import explained, make_folder, state_file

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType


class RunLock:
    """The run lock of one state, held from `with` to its end. Raises LockBusy at once if taken.

    The state itself need not exist yet, so that creating and upgrading it is guarded too.
    """

    def __init__(self, url: str, *, base: Path, command: str, now: datetime) -> None:
        state = state_file(url, base=base)
        self.path = state.with_name(f"{state.name}.lock")
        self._holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": now.isoformat(timespec="seconds"),
            "command": command,
        }
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        with explained(self.path):
            make_folder(self.path)
            self._file = self._locked()
            self._sign(self._file)
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
        if self._file:
            self._file.close()  # closing the only descriptor releases the lock
            self._file = None

    def still_held(self) -> bool:
        """Whether the locked file is still the one of that name: False once it was replaced."""
        return self._file is not None and _is_at(self._file, self.path)

    def _locked(self) -> IO[bytes]:
        file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
        try:
            portalocker.lock(
                file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
            )
        except portalocker.LockException as error:
            with file:
                raise self._busy(_read(file)) from error
        if not _is_at(file, self.path):
            with file:
                raise self._busy({})
        return file

    def _sign(self, file: IO[bytes]) -> None:
        """Say who holds it, for the message of the next one who asks."""
        file.truncate(0)
        file.write(json.dumps(self._holder).encode())

    def _busy(self, holder: dict[str, Any]) -> LockBusy:
        if self._holder.keys() <= holder.keys():
            who = "{command}, process {pid} on {host}, since {since}".format_map(holder)
            look = f"ps -fp {holder['pid']}"
        else:
            who = "another process, which did not say who it is"
            look = f"fuser -v {self.path}"
        return LockBusy(
            f"Another run holds the lock {self.path}: {who}.",
            hint=f"wait for it to end; to see it: {look}",
        )


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _read(file: IO[bytes]) -> dict[str, Any]:
    """What the holder wrote; {} if it has not yet, or if it is not to be understood."""
    try:
        holder = json.loads(file.read())
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}
