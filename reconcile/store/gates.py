"""What must be true of a state before anything in it is believed.

Each gate raises a StateError with the command that mends it. Must never change the state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect, select

from reconcile.errors import StateError
from reconcile.store import tables
from reconcile.store.files import UPGRADE

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from reconcile.store.database import Database


def admitted(state: Database) -> tuple[str, str]:
    """Pass a state whose place is admitted, and that is sound and of this schema.

    Gives which state it is, and which PBX it belongs to ("" until its first run).
    """
    state.admit()
    with state.transaction(writing=False) as connection:
        is_sound(connection, state)
        is_current(revision(connection, state), state)
        return identity(connection, state)


def is_sound(connection: Connection, state: Database) -> None:
    """Pass a state in which its database finds nothing wrong at a quick look."""
    state.look(connection)
    if problems := state.integrity(connection, thorough=False):
        raise state.damaged(problems[0])


def revision(connection: Connection, state: Database) -> str:
    """The schema revision, "" for an empty place; refuses one that another program uses."""
    names = inspect(connection).get_table_names()
    if tables.alembic_version.name in names:
        found = connection.scalar(select(tables.alembic_version.c.version_num))
        return str(found or "")
    if names:
        raise StateError(
            f"{state} is a database of another program (it has a table {names[0]!r}).",
            hint=state.another,
            code="state_foreign",
        )
    return ""


def is_current(found: str, state: Database) -> None:
    """Pass the schema revision that this version reads and writes."""
    if found > tables.REVISION:
        raise newer(found, state)
    if found < tables.REVISION:
        raise older(found, state)


def older(found: str, state: Database) -> StateError:
    """The error for a state that an older version has written, or nobody yet."""
    return StateError(
        f"{state} has the schema {found or '(none)'} of an older version; "
        f"this version needs {tables.REVISION}.",
        hint=f"{UPGRADE} (it makes a backup first)",
        code="state_older",
    )


def newer(found: str, state: Database) -> StateError:
    """The error for a state that a newer version has written."""
    return StateError(
        f"{state} has the schema {found} of a newer version; "
        f"this version only knows {tables.REVISION}.",
        hint="install the newer version again: pip install --upgrade reconcile-3cx",
        code="state_newer",
    )


def identity(connection: Connection, state: Database) -> tuple[str, str]:
    """Which state this is and which PBX it belongs to ("" until its first run)."""
    row = connection.execute(select(tables.state.c.id, tables.state.c.pbx_url)).one_or_none()
    if row is None:
        raise state.damaged("it does not say which state it is")
    return row.id, row.pbx_url


def is_of(pbx_url: str, bound: str, state: Database) -> None:
    """Pass a state that belongs to this PBX or to none yet."""
    if not pbx_url:
        raise StateError("No PBX was named for the state.", hint="set pbx.url in the config")
    if bound not in {"", pbx_url}:
        raise StateError(
            f"{state} belongs to the PBX {bound}, not to {pbx_url}: "
            "its claims say nothing about this one.",
            hint="set pbx.url back, or give this PBX a state.url of its own",
            code="state_other_pbx",
        )
