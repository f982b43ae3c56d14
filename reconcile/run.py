"""The only place where the parts meet: plan_once, apply_once, run_once.

Each gives the Report of what it found and did; it is written before they return. What can't be
read becomes a finding; what makes a run impossible (no state, lock busy, wrong configuration) is
raised. Nothing here decides: `core.plan` and `core.guards` do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from reconcile import __version__, apply, crm
from reconcile.core import guards, match, plan
from reconcile.errors import ApprovalRefused, ExportRejected, PbxError, Problem, ReconcileError
from reconcile.model import (
    AcceptedExport,
    ContactOutcome,
    CrmSnapshot,
    Decision,
    DeleteGuard,
    EtagKind,
    Exit,
    Finding,
    IfMatch,
    Level,
    Matching,
    Mode,
    Outcome,
    PbxSnapshot,
    Plan,
    Probe,
    StoredPlan,
    Subject,
)
from reconcile.pbx.client import PbxWriter
from reconcile.pbx.probe import probe as probe_pbx
from reconcile.report import build as reporting
from reconcile.report import files
from reconcile.report.build import APPROVAL_HOURS, Result
from reconcile.session import Session, World, opened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconcile.config import Config
    from reconcile.model import LedgerView
    from reconcile.report.model import Report

DIGEST_LENGTH: Final = 12
"""Hexadecimal digits of a digest that a person must name at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one command asks of a plan."""

    command: str
    export: str | None = None
    """An export named by hand; None: the configured source."""
    immediate: bool = False
    """`--now`: without grace."""
    record: bool = True
    with_matched: bool = False
    """`--all`: matched contacts stand in the report too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A result, and what is needed to remember and to apply it."""

    result: Result
    decisions: tuple[Decision, ...] = ()
    claims: plan.ClaimChanges | None = None
    accepted: AcceptedExport | None = None
    """The export's row for the ledger, if it is to count."""
    repeated: bool = False
    history: bool = False


class _Read(NamedTuple):
    """Both sides, and the result so far."""

    empty: Result
    crm: CrmSnapshot
    pbx: PbxSnapshot


def plan_once(config: Config, world: World, request: Request) -> Report:
    """The dry run: GETs only; claims and absences go into the state unless it isn't recorded."""
    with opened(config, world, request.command) as session:
        planned = _plan(session, request)
        if request.record:
            _remember(session, planned, approved=False)
        return _report(session, planned.result, request)


def run_once(config: Config, world: World, *, dry_run: bool = False) -> Report:
    """What cron calls: plan, and in mode `auto` apply what no finding stands against."""
    request = Request(command="run")
    with opened(config, world, request.command) as session:
        planned = _plan(session, request)
        result = planned.result
        free = config.mode is Mode.AUTO and not dry_run and not (result.blocked or result.asks)
        if free and result.plan is not None and result.plan.deletes:
            _remember(session, planned, approved=False)
            result = _carry_out(session, result, result.plan.deletes, by="mode auto")
        else:
            _remember(session, planned, approved=False)
        return _report(session, result, request)


def apply_once(config: Config, world: World, digest: str) -> Report:
    """Delete what that plan approved and what is still due on fresh data.

    Raises ApprovalRefused if the digest is unknown, used, expired or overtaken.
    """
    with opened(config, world, "apply") as session:
        stored = _stored_plan(session, digest)
        canonical = json.loads(stored.canonical)
        request = Request(command="apply", immediate=canonical["immediate"])
        planned = _unchanged_ground(_plan(session, request), canonical)
        result = planned.result
        if result.blocked or result.plan is None:
            return _report(session, result, request)
        due, settled = _still_due(result, canonical)
        _remember(session, planned, approved=True, keep_plan=False)
        result = _carry_out(
            session, result, due, by=world.user, digest=stored.digest, settled=settled
        )
        return _report(session, result, request)


# ---------------------------------------------------------------------------- planning


def planned_decisions(
    session: Session, request: Request
) -> tuple[tuple[Decision, ...], PbxSnapshot]:
    """The verdicts on fresh data, for those who only want to look; raises what the reads raise."""
    planned = _plan(session, request)
    if planned.result.blocked or planned.result.pbx is None:
        blocks = [f for f in planned.result.findings if f.level is Level.BLOCK]
        raise _Blocked(blocks)
    return planned.decisions, planned.result.pbx


class _Blocked(ReconcileError):
    """A command that needs a plan, and findings that nothing gets past."""

    def __init__(self, findings: list[Finding]) -> None:
        problems = [Problem(code=f.code, message=f"{f.observed}. {f.message}") for f in findings]
        hint = findings[0].hint if findings else "reconcile plan"
        super().__init__("There is no plan to work with.", problems=problems, hint=hint)
        self.exit_code = min((int(f.exit_code) for f in findings), default=int(Exit.BUG))


def _plan(session: Session, request: Request) -> _Planned:
    """Read both sides, compare, decide, and let the guards look at it."""
    started = session.now()
    config, ledger = session.config, session.ledger
    run_id = (
        ledger.begin_run(command=request.command, mode=config.mode, now=started)
        if request.record
        else None
    )
    empty = Result(
        run_id=run_id,
        command=request.command,
        mode=config.mode,
        started_at=started,
        finished_at=started,
        version=__version__,
        delete_guard=config.pbx.delete_guard,
    )
    problems = _resolve(session) if request.record else ()
    crm_side, crm_problems = _read_crm(session, request)
    pbx_side, pbx_problems = _read_pbx(session)
    if stop := session.world.interrupted():
        return _Planned(result=replace(empty, crm=crm_side, pbx=pbx_side, interrupted_by=stop))
    if crm_side is None or pbx_side is None:
        findings = (*problems, *crm_problems, *pbx_problems)
        return _Planned(result=replace(empty, findings=findings, crm=crm_side, pbx=pbx_side))
    return _compared(session, request, _Read(empty, crm_side, pbx_side))


def _compared(session: Session, request: Request, read: _Read) -> _Planned:
    """The pure middle: match, plan, guards."""
    config, now = session.config, read.empty.started_at
    crm_side, pbx_side, empty = read.crm, read.pbx, read.empty
    view = session.ledger.view(now=now)
    rules = config.rules(immediate=request.immediate)
    history = _is_history(config, request, crm_side, now)
    repeated = _is_repeated(view, crm_side)
    matching = match.match(crm_side, pbx_side, view.claims, region=config.crm.region)
    decisions = plan.build(
        pbx_side,
        matching,
        claims=view.claims,
        rules=rules,
        text=crm_side.text,
        counts=not (history or repeated),
        now=now,
    )
    if history:
        decisions = plan.without_deletes(decisions)
    fingerprint = plan.rules_fingerprint(crm_side.source, rules)
    made = Plan(
        pbx_url=pbx_side.url,
        immediate=request.immediate,
        rules=fingerprint,
        state_id=session.ledger.state_id,
        source_sha256=crm_side.source.sha256,
        decisions=decisions,
        matched=len(matching.evidence) - len(decisions),
    )
    probe = session.ledger.probe(pbx_url=pbx_side.url, pbx_version=pbx_side.version)
    findings = guards.evaluate(
        guards.Facts(
            source=crm_side.source,
            pbx=pbx_side,
            matching=matching,
            decisions=decisions,
            ledger=view,
            limits=config.limits(),
            rules=fingerprint,
            delete_guard=config.pbx.delete_guard,
            probe=probe,
            digest=made.digest,
            immediate=request.immediate,
            history=history,
        )
    )
    return _Planned(
        result=replace(
            empty,
            findings=findings,
            crm=crm_side,
            pbx=pbx_side,
            matching=matching,
            plan=made,
            probe=probe,
        ),
        decisions=decisions,
        claims=plan.claim_changes(
            pbx_side, matching, decisions, claims=view.claims, rules=rules, history=history
        ),
        accepted=_accepted(empty, crm_side, matching, fingerprint, history=history),
        repeated=repeated
        and view.last_accepted is not None
        and view.last_accepted.rules == fingerprint,
        history=history,
    )


def _is_history(config: Config, request: Request, crm_side: CrmSnapshot, now: datetime) -> bool:
    """An export that a person named and that is older than exports may be: it makes claims only."""
    age = now - crm_side.source.generated_at
    return request.export is not None and age > timedelta(hours=config.crm.max_age_hours)


def _is_repeated(view: LedgerView, crm_side: CrmSnapshot) -> bool:
    last = view.last_accepted
    return last is not None and last.sha256 == crm_side.source.sha256


def _accepted(
    empty: Result,
    crm_side: CrmSnapshot,
    matching: Matching,
    rules: str,
    *,
    history: bool,
) -> AcceptedExport:
    source = crm_side.source
    return AcceptedExport(
        run_id=empty.run_id or 0,
        sha256=source.sha256,
        name=source.name,
        generated_at=source.generated_at,
        accepted_at=empty.started_at,
        records=source.records - source.gone,
        fill=guards.fill_of(matching),
        rules=rules,
        history=history,
    )


def _read_crm(session: Session, request: Request) -> tuple[CrmSnapshot | None, tuple[Finding, ...]]:
    config = session.config
    session.world.progress("reading the export", 0, 1)
    try:
        snapshot = crm.read(
            request.export or config.crm.source,
            base=config.base,
            mapping=config.crm.columns,
            now=session.now(),
            max_age_hours=None if request.export else config.crm.max_age_hours,
            format=config.crm.format,
        )
    except ExportRejected as error:
        return None, _findings_of(error, Subject.EXPORT)
    return snapshot, ()


def _read_pbx(session: Session) -> tuple[PbxSnapshot | None, tuple[Finding, ...]]:
    def progress(done: int, total: int) -> None:
        session.world.progress("listing 3CX", done, total)

    try:
        return session.reader.snapshot(now=session.now(), progress=progress), ()
    except PbxError as error:
        return None, _findings_of(error, Subject.PBX)


def _findings_of(error: ReconcileError, subject: Subject) -> tuple[Finding, ...]:
    """A failed read as block findings, one for each problem."""
    problems = error.problems or (None,)
    return tuple(
        Finding(
            code=problem.code if problem else error.code,
            level=Level.BLOCK,
            subject=subject,
            observed=str(problem) if problem else error.message,
            limit="",
            message=error.message,
            hint=error.hint,
            exit_code=Exit(error.exit_code),
        )
        for problem in problems
    )


def _resolve(session: Session) -> tuple[Finding, ...]:
    """Before anything else: what became of the intents of a run that died."""
    actions = session.ledger.actions(unresolved=True)
    if not actions:
        return ()
    try:
        apply.resolve(
            actions, reader=session.reader, journal=session.ledger, clock=session.world.clock
        )
    except PbxError as error:
        return _findings_of(error, Subject.PBX)
    return ()


# ---------------------------------------------------------------------------- remembering


def _remember(
    session: Session, planned: _Planned, *, approved: bool, keep_plan: bool = True
) -> None:
    """Claims, absences, the accepted export and the plan, in one transaction."""
    result = planned.result
    if result.plan is None or result.run_id is None or planned.claims is None:
        return
    counts = guards.accepts(result.findings, approved=approved)
    stored = StoredPlan(
        run_id=result.run_id,
        digest=result.plan.digest,
        created_at=result.started_at,
        canonical=result.plan.canonical,
    )
    approvable = keep_plan and not planned.history and not result.blocked
    session.ledger.record(
        result.run_id,
        accepted=planned.accepted if counts and not planned.repeated else None,
        claims=planned.claims.renewed if counts else (),
        released=planned.claims.released if counts else (),
        plan=stored if approvable else None,
    )


def _report(session: Session, result: Result, request: Request) -> Report:
    """Assemble, write, and close the run's row."""
    config = session.config
    finished = replace(result, finished_at=session.now())
    report = reporting.build(
        finished,
        previous=files.latest(session.reports),
        masked=config.report.mask,
        with_matched=request.with_matched,
    )
    if result.run_id is not None:
        files.write(report, session.reports)
        session.ledger.finish_run(
            result.run_id,
            status=report.status,
            exit_code=report.exit_code,
            digest=report.digest,
            headline=report.headline,
            now=finished.finished_at,
        )
        keep = timedelta(days=config.report.keep_days)
        files.prune(session.reports, before=finished.finished_at - keep)
    return report


# ---------------------------------------------------------------------------- approving


def _stored_plan(session: Session, digest: str) -> StoredPlan:
    """The plan that a person means; ApprovalRefused says why it can't be applied."""
    if len(digest) < DIGEST_LENGTH:
        raise ApprovalRefused(
            f"A digest is named by at least {DIGEST_LENGTH} of its characters.",
            hint="reconcile report",
        )
    found = session.ledger.plan(digest.lower())
    if not found:
        raise ApprovalRefused(f"No recorded plan has the digest {digest}.", hint="reconcile plan")
    if len({p.digest for p in found}) > 1:
        raise ApprovalRefused(
            f"{digest} stands for several plans; give more of its characters.",
            hint="reconcile history",
        )
    stored = found[0]
    if stored.used_by_run is not None:
        raise ApprovalRefused(
            f"The plan {digest} was already applied, in run {stored.used_by_run}.",
            hint="reconcile plan",
        )
    return _timely(session, stored)


def _timely(session: Session, stored: StoredPlan) -> StoredPlan:
    if session.now() - stored.created_at > timedelta(hours=APPROVAL_HOURS):
        raise ApprovalRefused(
            f"The plan {stored.digest[:12]} of run {stored.run_id} is older than"
            f" {APPROVAL_HOURS} hours.",
            hint="reconcile plan",
        )
    newest = session.ledger.latest_plan_run()
    if newest is not None and newest > stored.run_id:
        raise ApprovalRefused(
            f"The plan {stored.digest[:12]} of run {stored.run_id} was overtaken by run {newest}.",
            hint=f"reconcile report {newest}",
        )
    return stored


def _unchanged_ground(planned: _Planned, canonical: Mapping[str, object]) -> _Planned:
    """A person approved what stood in the report: refuse if the ground has moved since.

    A new export may have come, but not one that itself asks for approval; and the same rules must
    decide as then.
    """
    result = planned.result
    if result.plan is None:
        return planned
    fresh = canonical["source"] != result.plan.source_sha256
    doubts = [f for f in result.findings if f.level is Level.APPROVE and f.subject is not _DELETES]
    if result.plan.rules == canonical["rules"] and not (fresh and doubts):
        return planned
    moved = Finding(
        code="plan_outdated",
        level=Level.BLOCK,
        subject=Subject.STATE,
        observed="another configuration" if not fresh else "another export",
        limit="as in the approved plan",
        message="What the plan was made from has changed since a person approved it.",
        hint="reconcile plan",
        exit_code=Exit.APPROVAL,
    )
    return replace(planned, result=replace(result, findings=(moved, *result.findings)))


_DELETES: Final = Subject.DELETES


def _still_due(
    result: Result, canonical: Mapping[str, list[Mapping[str, object]]]
) -> tuple[tuple[Decision, ...], tuple[ContactOutcome, ...]]:
    """Approved and still due; and what became of those that were approved and are not."""
    planned = result.plan
    if planned is None or result.pbx is None:
        return (), ()
    approved = {entry["id"]: entry["fingerprint"] for entry in canonical["deletes"]}
    due = tuple(d for d in planned.deletes if approved.get(d.contact.id) == d.contact.fingerprint)
    decisions = {d.contact.id: d for d in planned.decisions}
    listed = set(result.pbx.ids)
    settled = []
    for contact_id, fingerprint in approved.items():
        if not isinstance(contact_id, int) or contact_id in {d.contact.id for d in due}:
            continue
        decision = decisions.get(contact_id)
        if contact_id not in listed:
            kind, detail = Outcome.ALREADY_GONE, "it is no longer in 3CX"
        elif decision is not None and decision.contact.fingerprint != fingerprint:
            kind, detail = Outcome.CHANGED, "it was edited in 3CX after the plan; kept"
        else:
            why = decision.reason if decision else "it matches the CRM again"
            kind, detail = Outcome.NOT_ATTEMPTED, f"no longer due: {why}"
        settled.append(
            ContactOutcome(
                contact_id=contact_id, outcome=kind, guard=result.delete_guard, detail=detail
            )
        )
    return due, tuple(settled)


# ---------------------------------------------------------------------------- applying


def _carry_out(
    session: Session,
    result: Result,
    due: tuple[Decision, ...],
    *,
    by: str,
    digest: str = "",
    settled: tuple[ContactOutcome, ...] = (),
) -> Result:
    """Prove the guard, spend the approval, delete, and read the listing again."""
    if result.plan is None or result.run_id is None or result.pbx is None:
        return result
    probe, refused = prove_guard(session, result.pbx, needed=bool(due))
    result = replace(result, probe=probe)
    if refused is not None:
        return replace(result, findings=(refused, *result.findings))
    approved = apply.ApprovedPlan(
        digest=digest or result.plan.digest,
        approved_by=by,
        guard=result.delete_guard,
        probe=probe,
        deletes=due,
    )
    session.ledger.use_approval(
        approved.digest, run_id=result.run_id, approved_by=by, now=session.now()
    )
    applied = _execute(session, approved, result.run_id)
    outcomes, disagreement = _verified(session, result.pbx, applied.outcomes)
    return replace(
        result,
        outcomes=(*settled, *outcomes),
        stopped=applied.stopped,
        interrupted_by=session.world.interrupted() if applied.interrupted else None,
        findings=(*disagreement, *result.findings),
    )


def _execute(session: Session, approved: apply.ApprovedPlan, run_id: int) -> apply.Applied:
    if not approved.deletes:
        return apply.Applied(outcomes=())
    world = session.world
    tools = apply.Tools(
        reader=session.reader,
        writer=PbxWriter(session.reader),
        journal=session.ledger,
        clock=world.clock,
        sleep=world.sleep,
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

    Gives the probe, and the finding that blocks if the configured guard is not to be had.
    """
    stored = session.ledger.probe(pbx_url=pbx_side.url, pbx_version=pbx_side.version)
    if not needed or session.config.pbx.delete_guard is DeleteGuard.COMPARE:
        return stored, None
    probe = stored
    if probe is None or probe.if_match is IfMatch.UNPROVEN:
        try:
            probe = probe_pbx(session.connection, session.reader, now=session.now())
        except PbxError as error:
            return stored, _findings_of(error, Subject.PBX)[0]
        session.ledger.save_probe(probe)
    if probe.if_match is IfMatch.ENFORCED and probe.etags is not EtagKind.NONE:
        return probe, None
    return probe, Finding(
        code="delete_guard_unavailable",
        level=Level.BLOCK,
        subject=Subject.DELETES,
        observed=f"ETags {probe.etags}, If-Match {probe.if_match}: {probe.detail}",
        limit='delete_guard = "etag"',
        message="This 3CX can't refuse to delete a contact that was edited meanwhile.",
        hint='set pbx.delete_guard = "compare" (it narrows the window and can\'t close it)',
        exit_code=Exit.PBX,
    )


def _verified(
    session: Session, before: PbxSnapshot, outcomes: tuple[ContactOutcome, ...]
) -> tuple[tuple[ContactOutcome, ...], tuple[Finding, ...]]:
    """Read the listing again: what was deleted must be gone, and nothing else of what was there."""
    gone = {o.contact_id for o in outcomes if o.outcome in {Outcome.DELETED, Outcome.ALREADY_GONE}}
    if not gone:
        return outcomes, ()
    try:
        after = set(session.reader.snapshot(now=session.now()).ids)
    except PbxError as error:
        return outcomes, (_disagreement(f"it could not be read again: {error}"),)
    checked = tuple(
        replace(o, outcome=Outcome.UNCONFIRMED, detail=f"{o.detail}; but it is still listed")
        if o.contact_id in gone & after
        else o
        for o in outcomes
    )
    vanished = sorted(set(before.ids) - after - gone)
    if not vanished:
        return checked, ()
    ids = ", ".join(map(str, vanished[:10])) + (" …" if len(vanished) > 10 else "")  # noqa: PLR2004
    return checked, (_disagreement(f"{len(vanished)} others have gone meanwhile: {ids}"),)


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
