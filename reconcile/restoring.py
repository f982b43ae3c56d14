"""Putting deleted contacts back from their tombstones, and a drill of it.

Must never make a contact that is there already, and never take away one that isn't its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconcile import apply, hold
from reconcile.errors import PbxError, UsageError
from reconcile.model import (
    NUMBER_FIELDS,
    Contact,
    Decision,
    Evidence,
    Exit,
    Outcome,
    Status,
    Tombstone,
    Verdict,
)
from reconcile.pbx.client import PbxWriter
from reconcile.pbx.probe import throw_away
from reconcile.planning import resolve_intents
from reconcile.run import apply_plan, prove_guard
from reconcile.session import Session, World, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconcile.config import Config
    from reconcile.model import Probe

_SERVER_ASSIGNED: Final = frozenset({"Id"})
"""What a restore can't bring back: 3CX gives a new Id."""
_LOOKED_UP_BY: Final = (*NUMBER_FIELDS, "Email", "LastName", "FirstName", "CompanyName", "Tag")
"""What an earlier restore is looked for by: the first of these that the contact has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What became of one tombstone."""

    contact_id: int
    label: str
    new_id: int | None
    done: str
    """`restored`, `already there`, or why not."""
    ok: bool


def restore_once(
    config: Config,
    world: World,
    *,
    run_id: int | None = None,
    contact_id: int | None = None,
    dry_run: bool = False,
) -> tuple[Restored, ...]:
    """Put deleted contacts back from their tombstones; safe to repeat.

    Each is looked for before it is created, so that a contact which is there again, from an earlier
    restore or by hand, isn't doubled. A restored contact has a new Id and no claim: it is
    unmanaged until it matches again. A signal ends it after the contact in hand. Raises UsageError
    if there is nothing to restore.
    """
    with opened(config, world, "restore") as session:
        resolve_intents(session)
        tombstones = _restorable(session, run_id, contact_id)
        if dry_run:
            return tuple(_foreseen(t) for t in tombstones)
        started = session.now()
        run = session.ledger.begin_run(command="restore", mode=config.mode, now=started)
        writer = PbxWriter(session.reader)
        done = tuple(_restore(session, writer, t) for t in tombstones)
        _finish(session, run, done)
        return done


def restored_code(done: tuple[Restored, ...], world: World) -> Exit:
    """The exit code of a restore: 0 only if everything is back."""
    if all(r.ok for r in done):
        return Exit.CONVERGED
    return world.interrupted() or Exit.PARTIAL


def _restorable(
    session: Session, run_id: int | None, contact_id: int | None
) -> tuple[Tombstone, ...]:
    """The tombstones of contacts that we deleted and have not put back."""
    found = session.ledger.tombstones(run_id=run_id, contact_id=contact_id)
    gone = [t for t in found if t.outcome in {Outcome.DELETED, Outcome.UNCONFIRMED}]
    if not gone:
        which = f"run {run_id}" if run_id is not None else f"contact {contact_id}"
        raise UsageError(
            f"Nothing was deleted in {which} that could be restored.", hint="reconcile history"
        )
    return tuple(t for t in gone if t.restored_as is None) or tuple(gone)


def _foreseen(tombstone: Tombstone) -> Restored:
    """What a restore would do, without asking 3CX."""
    if tombstone.restored_as is not None:
        return _result(tombstone, tombstone.restored_as, "already restored", ok=True)
    return _result(tombstone, None, "would be restored, unless it is there again", ok=True)


def _restore(session: Session, writer: PbxWriter, tombstone: Tombstone) -> Restored:
    if tombstone.restored_as is not None:
        return _result(tombstone, tombstone.restored_as, "already restored", ok=True)
    if session.world.interrupted():
        return _result(tombstone, None, "not restored: interrupted", ok=False)
    wanted = {k: v for k, v in tombstone.entity.items() if k not in _SERVER_ASSIGNED}
    try:
        there = _same(session, tombstone.entity)
        done = "already there" if there else "restored"
        contact = there or writer.create(wanted)
    except PbxError as error:
        return _result(tombstone, None, f"not restored: {error.message}", ok=False)
    session.ledger.mark_restored(tombstone.id, new_contact_id=contact.id, now=session.now())
    return _result(tombstone, contact.id, done, ok=True)


def _same(session: Session, entity: Mapping[str, Any]) -> Contact | None:
    """The contact in 3CX that has exactly this content, whatever its Id."""
    wanted = session.reader.as_contact(entity)
    name = next((n for n in _LOOKED_UP_BY if wanted.field(n)), "")
    candidates = session.reader.find(name, wanted.field(name)) if name else ()
    return next((c for c in candidates if c.fingerprint == wanted.fingerprint), None)


def _result(tombstone: Tombstone, new_id: int | None, done: str, *, ok: bool) -> Restored:
    entity = tombstone.entity
    names = (str(entity.get(k) or "") for k in ("FirstName", "LastName", "CompanyName"))
    return Restored(
        contact_id=tombstone.contact_id,
        label=" ".join(filter(None, names)) or f"contact {tombstone.contact_id}",
        new_id=new_id,
        done=done,
        ok=ok,
    )


def _finish(session: Session, run_id: int, done: tuple[Restored, ...]) -> None:
    ok = sum(1 for r in done if r.ok)
    code = restored_code(done, session.world)
    statuses = {Exit.CONVERGED: Status.APPLIED, Exit.PARTIAL: Status.PARTIAL}
    session.ledger.finish_run(
        run_id,
        status=statuses.get(code, Status.INTERRUPTED),
        exit_code=code,
        digest="",
        headline=f"{ok} of {len(done)} deleted contacts are back in 3CX.",
        now=session.now(),
    )


# ---------------------------------------------------------------------------- the drill


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """Whether a contact that is deleted here can be put back."""

    ok: bool
    said: str
    hint: str
    exit_code: Exit


DRILL: Final = "restore --drill"
"""The command's name in the history."""
_EXERCISE: Final = {
    "CompanyName": "reconcile, may be deleted",
    "Title": "Dr.",
    "Email": "reconcile-drill@example.invalid",
    "Business": "+999000000001",
}
"""What a restore must bring back besides the name and the number; no country has the code 999."""


def drill_once(config: Config, world: World) -> Drill:
    """Delete a throw-away contact of our own like any other, put it back, and compare.

    Everything as in a real night: the proof of the delete guard, journal, tombstone, precondition.
    Raises PbxError if 3CX can't be asked, and ApprovalRefused while nothing may be deleted.
    """
    with opened(config, world, DRILL) as session:
        hold.refuse(session)
        resolve_intents(session)
        listed = session.reader.snapshot(now=session.now())
        probe, refused = prove_guard(session, listed, needed=True)
        if refused is not None:
            return Drill(
                ok=False,
                said=f"Nothing was deleted, so nothing was practised: {refused.observed}.",
                hint=refused.hint,
                exit_code=refused.exit_code,
            )
        now = session.now()
        run_id = session.ledger.begin_run(command=DRILL, mode=config.mode, now=now)
        practised = _failed("it was interrupted")
        try:
            with throw_away(session.reader, _EXERCISE) as contact:
                practised = _practised(session, contact, run_id, probe)
        except PbxError as error:
            practised = _failed(error.message)
        finally:
            session.ledger.finish_run(
                run_id,
                status=Status.APPLIED if practised.ok else Status.PARTIAL,
                exit_code=practised.exit_code,
                digest="",
                headline=practised.said,
                now=session.now(),
            )
        return practised


def _practised(session: Session, contact: Contact, run_id: int, probe: Probe | None) -> Drill:
    decision = Decision(
        contact=contact,
        verdict=Verdict.DELETE,
        reason="a drill, on a contact of our own",
        evidence=Evidence(contact_id=contact.id),
    )
    plan = apply.ApprovedPlan(
        digest=f"drill-{run_id}",
        approved_by=session.world.user,
        guard=session.config.pbx.delete_guard,
        probe=probe,
        deletes=(decision,),
    )
    outcome = apply_plan(session, plan, run_id, read_at=session.now()).outcomes[0]
    if outcome.outcome is not Outcome.DELETED:
        return _failed(f"the contact was not deleted ({outcome.detail})")
    [tombstone] = session.ledger.tombstones(run_id=run_id)
    restored = _restore(session, PbxWriter(session.reader), tombstone)
    back = session.reader.contact(restored.new_id) if restored.new_id is not None else None
    if back is None:
        return _failed(f"the contact is {restored.done}")
    lost = sorted(_lost(tombstone.entity, back[1]))
    if lost:
        return _failed(f"it came back without the right {', '.join(lost)}")
    return Drill(
        ok=True,
        said=f"A throw-away contact was deleted as {contact.id} and came back as {back[0].id},"
        " with every field as it was. It is removed again.",
        hint="reconcile plan",
        exit_code=Exit.CONVERGED,
    )


def _lost(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """The properties that a restore should have brought back and didn't."""
    return {k for k in before if k not in _SERVER_ASSIGNED and before[k] != after.get(k)}


def _failed(why: str) -> Drill:
    return Drill(
        ok=False,
        said=f"The drill did not succeed: {why}.",
        hint="reconcile doctor --probe",
        exit_code=Exit.PBX,
    )
