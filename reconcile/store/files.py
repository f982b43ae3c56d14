"""The files of a state: made private, put in place whole, and refused if others can get at them."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reconcile.errors import StateError
from reconcile.store import disks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
UPGRADE: Final = "reconcile db upgrade"
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def make_folder(path: Path) -> None:
    """Make the folder that `path` stands in, 0700, unless it is there. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def make_file(path: Path) -> None:
    """Make an empty file, 0600, that must not be there yet. Raises OSError."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def give_name(partial: Path, name: Path) -> None:
    """Give a finished file its name, in place of what had it; durable when this returns.

    Raises OSError.
    """
    partial.replace(name)
    folder = os.open(name.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def explained(place: object) -> Iterator[None]:
    """Turn every failure of a file or its disk into a StateError with its mend."""
    try:
        yield
    except OSError as error:
        where, detail = error.filename or place, error.strerror or str(error)
        if error.errno in _NO_ROOM:
            raise no_room(where, detail) from error
        raise StateError(
            f"{where} can't be used: {detail}.",
            hint="see that this user may write in that folder, and that the disk has room",
            code="state_permission",
        ) from error


def no_room(place: object, detail: str) -> StateError:
    """The error for a disk that is full or broken."""
    return StateError(
        f"{place} could not be read or written: {detail}.",
        hint="make room on the disk (df -h), then: reconcile db check",
        code="state_disk",
    )


# ---------------------------------------------------------------------------- gates


def is_there(path: Path) -> None:
    """Pass an existing regular file."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise StateError(
            f"{path} does not exist: there is no state yet, or it was lost.",
            hint=f"{UPGRADE} creates an empty one; nothing can be deleted until claims are made "
            "again. If the state was lost, put a backup in its place instead",
            code="state_missing",
        ) from None
    if not stat.S_ISREG(mode):
        raise StateError(
            f"{path} is not a file.", hint="set state.url to a file", code="state_permission"
        )


def is_local(path: Path, mounted: Sequence[disks.Mount]) -> None:
    """Pass a file on a disk of this machine, and one of which the machine doesn't say."""
    mount = disks.holding(path, mounted)
    if mount is not None and mount.is_network:
        raise StateError(
            f"{path} is on a network file system ({mount.kind}, mounted at {mount.point}): "
            "neither its lock nor its journal can be relied upon there.",
            hint="move the state's folder to a disk of this machine, and set state.url to it",
            code="state_network",
        )


def is_private(path: Path) -> None:
    """Pass a file that this user can write and nobody else can read.

    It holds personal data, and whoever can write claims into it can have contacts deleted.
    """
    if not _allowed(path, os.R_OK | os.W_OK) or not _allowed(path.parent, os.W_OK | os.X_OK):
        raise StateError(
            f"{path} or its folder is not writable for this user.",
            hint="run as the user that owns it, or give it to this user: "
            f"sudo chown -R $(id -un) {path.parent}",
            code="state_permission",
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & OTHERS:
        raise StateError(
            f"{path} is open to other users (mode {mode:04o}); it holds personal data.",
            hint=f"chmod 600 {path}",
            code="state_permission",
        )


def is_in_a_closed_folder(path: Path) -> None:
    """Pass a file in whose folder nobody else can write."""
    if path.parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StateError(
            "others can write in its folder.",
            hint=f"chmod go-w {path.parent}",
            code="state_permission",
        )


def _allowed(path: Path, how: int) -> bool:
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)
