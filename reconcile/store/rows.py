"""Reading the state: rows in, frozen values of the domain out. Must never write.

The columns are named as the fields of the values, so a row becomes a value by its names.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import func, or_, select

from reconcile.model import (
    AcceptedExport,
    Action,
    Claim,
    Freeze,
    Outcome,
    Probe,
    ProtectionRecord,
    RunRecord,
    Slot,
    SlotHad,
    Status,
    StoredPlan,
    Tombstone,
)
from reconcile.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row, Select, Table

WEEK: Final = timedelta(days=7)
"""How far back the weekly limit counts."""

AHEAD: Final = timedelta(hours=1)
"""How far the clock of another machine may be ahead; a run that began later than that is by a clock
that was wrong, and has no slot but the one that it took."""
NIGHT: Final = "run"
"""The command whose runs have slots."""
DRY_NIGHT: Final = f"{NIGHT} --dry-run"
"""The same as a dry run, which has none."""

T = TypeVar("T")


def _all(connection: Connection, make: Callable[..., T], statement: Select[Any]) -> list[T]:
    return [make(**row) for row in connection.execute(statement).mappings()]


def _columns(table: Table, kind: type) -> list[Any]:
    return [table.c[field.name] for field in fields(kind) if field.name in table.c]


def runs(
    connection: Connection,
    *,
    run_id: int | None = None,
    command: str | None = None,
    status: Status | None = None,
    limit: int | None = None,
) -> list[RunRecord]:
    """Past runs, the newest first."""
    statement = select(*_columns(tables.run, RunRecord)).order_by(tables.run.c.id.desc())
    if run_id is not None:
        statement = statement.where(tables.run.c.id == run_id)
    if command is not None:
        statement = statement.where(tables.run.c.command == command)
    if status is not None:
        statement = statement.where(tables.run.c.status == status)
    return _all(connection, RunRecord, statement.limit(limit))


def slot(connection: Connection, moment: datetime) -> Slot | None:
    """Who took a slot, whatever became of the run."""
    found = _all(connection, Slot, select(tables.slot).where(tables.slot.c.moment == moment))
    return found[0] if found else None


def slot_had(connection: Connection, moment: datetime, now: datetime) -> SlotHad | None:
    """The run that has had a slot: it took it, or a later one, or began after it; and it ended.

    An interrupted or killed run has not come to its end, one that was blocked has. That which took
    the slot goes before others.
    """
    run, taken, until = tables.run.c, tables.slot.c, now + AHEAD
    ended = (run.command == NIGHT, run.finished_at.is_not(None), run.status != Status.INTERRUPTED)
    itself = taken.moment == moment
    later = taken.moment.between(moment, until)
    since = run.started_at.between(moment, until)
    statement = (
        select(*_columns(tables.run, RunRecord), taken.pid, taken.host)
        .outerjoin_from(tables.run, tables.slot, taken.run_id == run.id)
        .where(*ended, or_(itself, later, since))
        .order_by(func.coalesce(itself, False).desc(), run.id.desc())
        .limit(1)
    )
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        return None
    record = {field.name: row[field.name] for field in fields(RunRecord)}
    return SlotHad(moment=moment, run=RunRecord(**record), pid=row["pid"], host=row["host"] or "")


def claims(connection: Connection) -> dict[int, Claim]:
    """All claims by contact; there may be a million, so a row is read by position."""
    claim = tables.claim.c
    statement = select(
        claim.contact_id,
        claim.crm_id,
        claim.name,
        claim.fingerprint,
        claim.origin,
        claim.claimed_by,
        claim.first_absent,
        claim.absent_exports,
    ).order_by(claim.contact_id)
    return {
        contact_id: Claim(
            contact_id=contact_id,
            crm_id=crm_id,
            name=name,
            fingerprint=fingerprint,
            origin=origin,
            claimed_by=claimed_by,
            first_absent=first_absent,
            absent_exports=absent_exports,
        )
        for (
            contact_id,
            crm_id,
            name,
            fingerprint,
            origin,
            claimed_by,
            first_absent,
            absent_exports,
        ) in connection.execute(statement, execution_options={"yield_per": 500})
    }


def last_accepted(connection: Connection) -> AcceptedExport | None:
    """The newest accepted export that is no history."""
    export = tables.export
    statement = select(export).where(~export.c.history).order_by(export.c.run_id.desc()).limit(1)
    row = connection.execute(statement).mappings().one_or_none()
    return AcceptedExport(**{**row, "fill": json.loads(row["fill"])}) if row else None


def newest_generated_at(connection: Connection) -> datetime | None:
    """When the last accepted export was made, or history that was fed after it.

    Not the highest time of all: an export that was accepted while a clock was ahead would stand
    against all later ones until that time comes.
    """
    export = tables.export.c
    last = select(func.max(export.run_id)).where(~export.history).scalar_subquery()
    statement = select(func.max(export.generated_at)).where(export.run_id >= func.coalesce(last, 0))
    newest: datetime | None = connection.scalar(statement)
    return newest


def contents(connection: Connection) -> dict[str, int]:
    """Content of each accepted export → the last run that accepted it; without history."""
    export = tables.export.c
    statement = (
        select(export.sha256, func.max(export.run_id).label("run_id"))
        .where(~export.history)
        .group_by(export.sha256)
    )
    return {row.sha256: row.run_id for row in connection.execute(statement)}


def most_records(connection: Connection, now: datetime) -> int:
    """The most records of an accepted export in seven days, since a person approved one."""
    export, run = tables.export.c, tables.run.c
    approved = (
        select(func.max(export.run_id))
        .join(tables.run, run.id == export.run_id)
        .where(run.command == "apply")
        .scalar_subquery()
    )
    recent = (export.accepted_at > now - WEEK, export.run_id >= func.coalesce(approved, 0))
    statement = select(func.max(export.records)).where(~export.history, *recent)
    return connection.scalar(statement) or 0


def deleted_last_week(connection: Connection, now: datetime) -> int:
    """How many contacts were deleted in the last seven days; by a clock set back, even later."""
    entry = tables.action.c
    statement = select(func.count()).where(
        entry.outcome == Outcome.DELETED, entry.ended_at > now - WEEK
    )
    return connection.scalar(statement) or 0


def plans(connection: Connection, digest_prefix: str) -> list[StoredPlan]:
    """Stored plans by the beginning of their digest, the newest first."""
    run, approval = tables.run.c, tables.approval.c
    statement = (
        select(
            run.id.label("run_id"),
            run.plan_digest.label("digest"),
            run.planned_at.label("created_at"),
            run.plan.label("canonical"),
            approval.run_id.label("used_by_run"),
        )
        .outerjoin_from(tables.run, tables.approval, approval.plan_run_id == run.id)
        .where(run.plan_digest.startswith(digest_prefix.lower(), autoescape=True))
        .order_by(run.id.desc())
    )
    return _all(connection, StoredPlan, statement)


def is_unaltered(plan: StoredPlan) -> bool:
    """Whether the plan's text still hashes to its digest."""
    return hashlib.sha256(plan.canonical.encode()).hexdigest() == plan.digest


def latest_plan_run(connection: Connection) -> int | None:
    """The newest run with a plan."""
    run = tables.run.c
    newest: int | None = connection.scalar(
        select(func.max(run.id)).where(run.plan_digest.is_not(None))
    )
    return newest


def approval(connection: Connection, plan_run_id: int) -> Row[Any] | None:
    """Who approved the plan of a run, and when."""
    statement = select(tables.approval).where(tables.approval.c.plan_run_id == plan_run_id)
    return connection.execute(statement).one_or_none()


def actions(
    connection: Connection,
    *,
    run_id: int | None = None,
    contact_id: int | None = None,
    unresolved: bool = False,
) -> list[Action]:
    """The journal in its order."""
    entry = tables.action.c
    statement = select(*_columns(tables.action, Action)).order_by(entry.id)
    if run_id is not None:
        statement = statement.where(entry.run_id == run_id)
    if contact_id is not None:
        statement = statement.where(entry.contact_id == contact_id)
    if unresolved:
        statement = statement.where(is_open())
    return _all(connection, Action, statement)


def is_open() -> ColumnElement[bool]:
    """What holds for an intent of which nobody knows yet what became of it."""
    outcome = tables.action.c.outcome
    return outcome.is_(None) | (outcome == Outcome.UNCONFIRMED)


def tombstones(
    connection: Connection, *, run_id: int | None = None, contact_id: int | None = None
) -> list[Tombstone]:
    """The tombstones that still have their entity, in their order, with their outcome."""
    grave = tables.tombstone.c
    statement = (
        select(*_columns(tables.tombstone, Tombstone), tables.action.c.outcome)
        .join_from(tables.tombstone, tables.action)
        .where(grave.entity != "")
        .order_by(grave.id)
    )
    if run_id is not None:
        statement = statement.where(grave.run_id == run_id)
    if contact_id is not None:
        statement = statement.where(grave.contact_id == contact_id)
    return _all(connection, _tombstone, statement)


def _tombstone(*, entity: str, **rest: Any) -> Tombstone:  # noqa: ANN401 - a row's other columns
    return Tombstone(entity=json.loads(entity), **rest)


def probe(connection: Connection, pbx_url: str, pbx_version: str) -> Probe | None:
    """What was proved about one PBX in one version."""
    proof = tables.probe.c
    statement = select(tables.probe).where(
        proof.pbx_url == pbx_url, proof.pbx_version == pbx_version
    )
    found = _all(connection, Probe, statement)
    return found[0] if found else None


def protections(connection: Connection) -> list[ProtectionRecord]:
    """All protections made by hand."""
    found = _all(connection, ProtectionRecord, select(tables.protection))
    # Databases sort text by rules of their own.
    return sorted(found, key=lambda record: (record.kind, record.value))


def manifests(connection: Connection) -> frozenset[str]:
    """Everything that the manifests of accepted exports have proved so far."""
    found = connection.scalars(select(tables.export.c.manifest).distinct())
    return frozenset(kind for manifest in found for kind in manifest.split())


_NEWEST_RUN: Final = select(func.max(tables.run.c.id))
_STANDING: Final = select(
    _NEWEST_RUN.scalar_subquery().label("newest"),
    tables.state.c.frozen_until,
    tables.state.c.frozen_by,
    tables.state.c.frozen_why,
)
"""Asked before each delete: a statement that is there already is composed once."""


def standing(connection: Connection, now: datetime) -> tuple[int, Freeze | None]:
    """The number of the newest run, 0 without any; and the freeze that holds now."""
    row = connection.execute(_STANDING).one()
    if row.frozen_until is None or row.frozen_until <= now:
        return row.newest or 0, None
    freeze = Freeze(until=row.frozen_until, frozen_by=row.frozen_by, why=row.frozen_why)
    return row.newest or 0, freeze


def serial(connection: Connection) -> int:
    """How often the state was written."""
    found: int = connection.execute(select(tables.state.c.serial)).scalar_one()
    return found


def newest_run(connection: Connection) -> int:
    """The number of the newest run; 0 without any."""
    return connection.scalar(_NEWEST_RUN) or 0
