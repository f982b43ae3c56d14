"""What must be true of a state file before anything in it is believed.

Each gate raises a StateError with the command that mends it. Must never change the file.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, select

from reconcile.errors import StateError
from reconcile.store import disks, tables
from reconcile.store.engine import damaged, integrity, transaction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Connection

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
UPGRADE: Final = "reconcile db upgrade"


def admitted(path: Path) -> tuple[str, str]:
    """Pass a state that is there, on this machine, private, sound and of this schema.

    Gives which state it is, and which PBX it belongs to ("" until its first run).
    """
    is_there(path)
    is_local(path, disks.mounts())
    is_private(path)
    with transaction(path, writing=False) as connection:
        is_sound(connection, path)
        is_current(revision(connection, path), path)
        return identity(connection, path)


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


def _allowed(path: Path, how: int) -> bool:
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)


def is_sound(connection: Connection, path: Path) -> None:
    """Pass a file in which SQLite finds nothing wrong at a quick look."""
    if problems := integrity(connection, thorough=False):
        raise damaged(path, problems[0])


def revision(connection: Connection, path: Path) -> str:
    """The schema revision of the file, "" for an empty one; refuses another program's database."""
    names = inspect(connection).get_table_names()
    if tables.alembic_version.name in names:
        found = connection.scalar(select(tables.alembic_version.c.version_num))
        return str(found or "")
    if names:
        raise StateError(
            f"{path} is an SQLite database of another program (it has a table {names[0]!r}).",
            hint="set state.url to a file of its own",
            code="state_foreign",
        )
    return ""


def is_current(found: str, path: Path) -> None:
    """Pass the schema revision that this version reads and writes."""
    if found > tables.REVISION:
        raise newer(found, path)
    if found < tables.REVISION:
        raise StateError(
            f"{path} has the schema {found or '(none)'} of an older version; "
            f"this version needs {tables.REVISION}.",
            hint=f"{UPGRADE} (it makes a backup first)",
            code="state_older",
        )


def newer(found: str, path: Path) -> StateError:
    """The error for a state that a newer version has written."""
    return StateError(
        f"{path} has the schema {found} of a newer version; "
        f"this version only knows {tables.REVISION}.",
        hint="install the newer version again: pip install --upgrade reconcile-3cx",
        code="state_newer",
    )


def identity(connection: Connection, path: Path) -> tuple[str, str]:
    """Which state this is and which PBX it belongs to ("" until its first run)."""
    row = connection.execute(select(tables.state.c.id, tables.state.c.pbx_url)).one_or_none()
    if row is None:
        raise damaged(path, "it does not say which state it is")
    return row.id, row.pbx_url


def is_of(pbx_url: str, bound: str, path: Path) -> None:
    """Pass a state that belongs to this PBX or to none yet."""
    if not pbx_url:
        raise StateError("No PBX was named for the state.", hint="set pbx.url in the config")
    if bound not in {"", pbx_url}:
        raise StateError(
            f"{path} belongs to the PBX {bound}, not to {pbx_url}: "
            "its claims say nothing about this one.",
            hint="set pbx.url back, or give this PBX a state.url of its own",
            code="state_other_pbx",
        )
