"""Forgetting what is too old to keep, or what one person has a right to have forgotten.

Must never forget what a guard still compares with: an unresolved intent, the accepted exports that
the next one is measured by, the deletes of the last seven days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, func, or_, select, update

from reconcile.errors import UsageError
from reconcile.store import tables
from reconcile.store.rows import WEEK, is_open

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection


_POINTING_AT_RUNS: Final = (
    tables.action.c.run_id,
    tables.tombstone.c.run_id,
    tables.approval.c.run_id,
    tables.approval.c.plan_run_id,
    tables.export.c.run_id,
    tables.slot.c.run_id,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeResult:
    """What was forgotten."""

    tombstones: int = 0
    """Contacts that can't be restored any more."""
    claims: int = 0
    """Claims that lost the contact's name."""
    runs: int = 0
    reports: int = 0
    """Runs whose report told of the contact and does not any more."""
    kept: int = 0
    """Tombstones that had to stay, because nobody knows yet what became of the contact."""


def purge(
    connection: Connection, *, before: datetime | None, contact_id: int | None
) -> PurgeResult:
    """Forget what is older than `before`, or one contact. Raises UsageError unless it is one."""
    grave = tables.tombstone.c
    if before is not None and contact_id is None:
        tombstones, kept = _erase(connection, grave.created_at < before)
        runs = _drop_runs(connection, before - WEEK)
        return PurgeResult(tombstones=tombstones, runs=runs, kept=kept)
    if contact_id is not None and before is None:
        who = or_(grave.contact_id == contact_id, grave.restored_as == contact_id)
        tombstones, kept = _erase(connection, who)
        claims = _forget_name(connection, contact_id)
        return PurgeResult(tombstones=tombstones, claims=claims, kept=kept)
    raise UsageError(
        "A purge needs either an age or one contact.", hint="reconcile db purge --help"
    )


def _erase(connection: Connection, which: ColumnElement[bool]) -> tuple[int, int]:
    """Empty these tombstones; how many were emptied, and how many had to stay."""
    grave, entry = tables.tombstone.c, tables.action.c
    unresolved = select(entry.tombstone_id).where(is_open())
    full = (which, grave.entity != "")
    statement = update(tables.tombstone).where(*full, grave.id.not_in(unresolved))
    erased = connection.execute(statement.values(entity="", reason="", crm_id="")).rowcount
    kept = connection.scalar(select(func.count()).select_from(tables.tombstone).where(*full))
    return erased, kept or 0


def _forget_name(connection: Connection, contact_id: int) -> int:
    claim = tables.claim.c
    statement = update(tables.claim).where(claim.contact_id == contact_id).values(name="")
    return connection.execute(statement).rowcount


def _drop_runs(connection: Connection, before: datetime) -> int:
    """Drop whole runs with their journal; the plans of those that must stay go all the same.

    A plan never outlives its approval, or it would be good twice.
    """
    run = tables.run.c
    old = update(tables.run).where(run.started_at < before)
    connection.execute(old.values(plan=None, plan_digest=None, planned_at=None))
    doomed = [{"doomed": run_id} for run_id in _doomed(connection, before)]
    if doomed:
        for column in _POINTING_AT_RUNS:
            connection.execute(delete(column.table).where(column == bindparam("doomed")), doomed)
        connection.execute(delete(tables.run).where(run.id == bindparam("doomed")), doomed)
    return len(doomed)


def _doomed(connection: Connection, before: datetime) -> list[int]:
    """The runs before a moment that nothing depends on any more."""
    run, export, entry = tables.run.c, tables.export.c, tables.action.c
    newest = select(func.max(export.run_id)).where(~export.history)
    latest = select(export.run_id).order_by(export.generated_at.desc()).limit(1)
    busy = select(entry.run_id).where(or_(is_open(), entry.ended_at >= before))
    slot = select(tables.slot.c.run_id).order_by(tables.slot.c.moment.desc()).limit(1)
    needed = set(map(connection.scalar, (newest, latest, slot)))
    needed.update(connection.scalars(busy))
    old = connection.scalars(select(run.id).where(run.started_at < before).order_by(run.id))
    return [run_id for run_id in old if run_id not in needed]
