"""The only place where the parts meet: plan_once, apply_once, run_once.

Each gives the Report of what it found and did; it is written before they return. What makes a run
impossible (no state, lock busy, wrong configuration) is raised.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconcile import apply, hold
from reconcile.approval import still_due, stored_plan, unchanged_ground
from reconcile.core import guards
from reconcile.errors import PbxError
from reconcile.model import (
    ContactOutcome,
    Decision,
    DeleteGuard,
    Exit,
    Finding,
    IfMatch,
    Level,
    Mode,
    Outcome,
    PbxSnapshot,
    Probe,
    StoredPlan,
    Subject,
)
from reconcile.pbx.client import PbxReader, PbxWriter
from reconcile.pbx.probe import probe as probe_pbx
from reconcile.planning import Request, close, make, remember
from reconcile.session import Session, World, opened
from reconcile.store.rows import DRY_NIGHT, NIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reconcile.config import Config
    from reconcile.model import Claim, Slot, SlotHad
    from reconcile.report.build import Result
    from reconcile.report.model import Report

_NOT_SHOWN: Final = "the listing after the deletes does not show it as gone"


def plan_once(config: Config, world: World, request: Request) -> Report:
    """The dry run: GETs only; claims and absences go into the state unless it isn't recorded."""
    with opened(config, world, request.command) as session:
        planned = make(session, request)
        if request.record:
            remember(session, planned, approved=False)
        return close(session, planned.result, request)


def run_once(config: Config, world: World, *, dry_run: bool = False) -> Report:
    """What cron calls: plan, and in mode `auto` apply what no finding stands against."""
    request = Request(command=DRY_NIGHT if dry_run else NIGHT)
    with opened(config, world, request.command) as session:
        return _run(session, request)


def run_slot(
    config: Config,
    world: World,
    moment: datetime,
    *,
    dry_run: bool = False,
    begins: Callable[[Slot | None], None],
) -> Report | SlotHad:
    """The same if the slot was not had, under the run lock; else what had it.

    A dry run looks, and takes no slot. `begins` is called before the run does anything, with the
    run that died over the slot, if one did.
    """
    from reconcile import slots

    slot = None if dry_run else slots.taken(moment)
    request = Request(command=DRY_NIGHT if dry_run else NIGHT, slot=slot)
    with opened(config, world, request.command) as session:
        if had := session.ledger.slot_had(moment, now=session.now()):
            return had
        begins(session.ledger.slot(moment))
        return _run(session, request)


def _run(session: Session, request: Request) -> Report:
    planned = make(session, request)
    result = planned.result
    remember(session, planned, approved=False)
    auto = session.config.mode is Mode.AUTO and request.command == NIGHT
    free = auto and not (result.blocked or result.asks)
    due = result.plan.deletes if result.plan and free and not hold.wanted(session) else ()
    if due:
        result = _carry_out(session, result, due, by="mode auto")
    return close(session, result, request)


def apply_once(config: Config, world: World, digest: str) -> Report:
    """Delete what that plan approved and what is still due on fresh data.

    Raises ApprovalRefused if the digest is unknown, used, expired or overtaken, or while a person
    wants that nothing is deleted.
    """
    with opened(config, world, "apply") as session:
        hold.refuse(session)
        stored = stored_plan(session, digest)
        canonical = json.loads(stored.canonical)
        request = Request(command="apply", immediate=canonical["immediate"])
        planned = unchanged_ground(make(session, request), canonical)
        result = planned.result
        if result.blocked or result.plan is None:
            return close(session, result, request)
        due, settled = still_due(result, canonical)
        remember(session, planned, approved=True, keep_plan=False)
        result = _carry_out(session, result, due, by=world.user, stored=stored, settled=settled)
        return close(session, result, request)


def _carry_out(
    session: Session,
    result: Result,
    due: tuple[Decision, ...],
    *,
    by: str,
    stored: StoredPlan | None = None,
    settled: tuple[ContactOutcome, ...] = (),
) -> Result:
    """Prove the guard, spend the approval, delete, and read the listing again."""
    run_id, made, listed = result.run_id, result.plan, result.pbx
    if run_id is None or made is None or listed is None:
        return result
    probe, refused = prove_guard(session, listed, needed=bool(due))
    findings = tuple(f for f in result.findings if f.code != "delete_guard_unproven")
    result = replace(result, probe=probe, findings=findings)
    if refused is not None:
        return replace(result, findings=(refused, *result.findings))
    plan_run, digest = (stored.run_id, stored.digest) if stored else (run_id, made.digest)
    session.ledger.use_approval(plan_run, run_id=run_id, approved_by=by, now=session.now())
    if not due:
        return replace(result, outcomes=settled)
    approved = apply.ApprovedPlan(
        digest=digest,
        approved_by=by,
        guard=result.delete_guard,
        probe=probe,
        deletes=due,
    )
    claims = session.ledger.view(now=session.now()).claims
    applied = apply_plan(session, approved, run_id, read_at=result.started_at)
    outcomes, disagreement = _verified(
        session, listed, applied.outcomes, run_id=run_id, claims=claims
    )
    return replace(
        result,
        outcomes=(*settled, *outcomes),
        stopped=applied.stopped,
        held=applied.held,
        interrupted_by=session.world.interrupted() if applied.interrupted else None,
        findings=(*disagreement, *result.findings),
    )


def apply_plan(
    session: Session, approved: apply.ApprovedPlan, run_id: int, *, read_at: datetime
) -> apply.Applied:
    """Execute an approved plan with the session's own tools: here the writer is constructed.

    `read_at`: when the reading began that the plan was made from.
    """
    world = session.world
    tools = apply.Tools(
        reader=session.reader,
        writer=PbxWriter(session.reader),
        journal=session.ledger,
        clock=world.clock,
        sleep=world.sleep,
        held=lambda: hold.held(session, run_id=run_id, read_at=read_at),
        lanes=lambda: session.reader.session.lanes.limit,
    )
    return apply.execute(
        approved,
        tools,
        run_id=run_id,
        interrupted=lambda: world.interrupted() is not None,
        progress=lambda done, total: world.progress("deleting", done, total),
    )


def prove_guard(
    session: Session, pbx_side: PbxSnapshot, *, needed: bool
) -> tuple[Probe | None, Finding | None]:
    """The proof that a stale ETag is refused: the stored one, or one made now.

    A PBX that hides its version is asked again every time: an update would go unnoticed.
    Gives the probe, and the finding that blocks if the configured guard is not to be had.
    """
    probe = session.ledger.probe(pbx_url=pbx_side.url, pbx_version=pbx_side.version)
    if not needed or session.config.pbx.delete_guard is DeleteGuard.COMPARE:
        return probe, None
    if probe is None or probe.if_match is IfMatch.UNPROVEN or not pbx_side.version:
        probe = probe_pbx(session.connection, session.reader, now=session.now())
        session.ledger.save_probe(probe)
    return probe, guards.unguarded(probe, pbx_side.etag_kind)


def _verified(
    session: Session,
    before: PbxSnapshot,
    outcomes: tuple[ContactOutcome, ...],
    *,
    run_id: int,
    claims: Mapping[int, Claim],
) -> tuple[tuple[ContactOutcome, ...], tuple[Finding, ...]]:
    """Read the listing again: what was deleted must be gone, and nothing else of what was there."""
    gone = {o.contact_id for o in outcomes if o.outcome in {Outcome.DELETED, Outcome.ALREADY_GONE}}
    if not gone:
        return outcomes, ()
    try:
        after = set(session.reader.snapshot(now=session.now()).ids)
        others = set(before.ids) - gone
        doubted = _doubted(session, gone, after, run_id) if after or not others else gone
    except PbxError as error:
        return outcomes, (_disagreement(f"it could not be read again: {error}"),)
    for action in session.ledger.actions(run_id=run_id):
        if action.contact_id in doubted:
            claim = claims.get(action.contact_id)
            session.ledger.reopen(action.id, detail=_NOT_SHOWN, claim=claim)
    checked = tuple(_in_doubt(o) if o.contact_id in doubted else o for o in outcomes)
    vanished = sorted(others - after)
    if not vanished:
        return checked, ()
    ids = ", ".join(map(str, vanished[:10])) + (" …" if len(vanished) > 10 else "")  # noqa: PLR2004
    return checked, (_disagreement(f"{len(vanished)} others have gone meanwhile: {ids}"),)


def _doubted(session: Session, gone: set[int], after: set[int], run_id: int) -> set[int]:
    """Those of the deleted that are there as they were; a listed Id may be somebody else's."""
    graves = {t.contact_id: t.entity for t in session.ledger.tombstones(run_id=run_id)}
    looks = {i: session.reader.contact(i) for i in sorted(gone & after & graves.keys())}
    return {
        contact_id
        for contact_id, found in looks.items()
        if found and found[0].fingerprint == PbxReader.as_contact(graves[contact_id]).fingerprint
    }


def _in_doubt(outcome: ContactOutcome) -> ContactOutcome:
    """3CX said that it did what the listing does not show: the next run looks again."""
    detail = f"{outcome.detail}; but {_NOT_SHOWN}"
    return replace(outcome, outcome=Outcome.UNCONFIRMED, detail=detail)


def _disagreement(observed: str) -> Finding:
    return Finding(
        code="listing_disagrees",
        level=Level.INFO,
        subject=Subject.PBX,
        observed=observed,
        limit="only what was deleted is gone",
        message="After the deletes the listing was read once more. Somebody else may have deleted"
        " contacts meanwhile; this run did not.",
        hint="reconcile plan",
        exit_code=Exit.PBX,
    )
