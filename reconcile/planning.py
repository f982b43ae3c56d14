"""Reading both sides, and the plan that comes of it: what every night begins with.

What can't be read becomes a finding. Nothing here deletes, and nothing here decides: `core.plan`
and `core.guards` do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from reconcile import __version__, apply, crm, hold
from reconcile.bulk import in_bulk
from reconcile.core import guards, match, plan, policy, sides
from reconcile.errors import ExportRejected, PbxError, Problem, ReconcileError, UsageError
from reconcile.model import (
    AcceptedExport,
    Claim,
    CrmSnapshot,
    Decision,
    Exit,
    Finding,
    Level,
    Matching,
    PbxSnapshot,
    Plan,
    ProtectionRecord,
    StoredPlan,
    Subject,
)
from reconcile.report import build as reporting
from reconcile.report import evidence, files
from reconcile.report.build import Result
from reconcile.session import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconcile.config import Config
    from reconcile.model import LedgerView, Slot
    from reconcile.report.model import Report
    from reconcile.session import Session

CONFIGURED: Final = "config.toml"
"""Who protected what the configuration names."""


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
    slot: Slot | None = None
    """The slot that the run is for, and takes as it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A result, and what is needed to remember and to apply it."""

    result: Result
    decisions: tuple[Decision, ...] = ()
    claims: plan.ClaimChanges | None = None
    accepted: AcceptedExport | None = None
    """The export's row for the ledger, if it is to count."""
    repeated: bool = False
    history: bool = False
    policy_before: str = ""
    """The policy of the last accepted run; "" if it isn't known."""


class _Read(NamedTuple):
    """Both sides, and the result so far."""

    empty: Result
    crm: CrmSnapshot
    pbx: PbxSnapshot


def planned_decisions(
    session: Session, request: Request
) -> tuple[tuple[Decision, ...], PbxSnapshot]:
    """The verdicts on fresh data, for those who only want to look; raises what the reads raise."""
    planned = make(session, request)
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


@in_bulk()
def make(session: Session, request: Request) -> Planned:
    """Read both sides, compare, decide, and let the guards look at it."""
    started = session.now()
    config, ledger = session.config, session.ledger
    run_id = (
        ledger.begin_run(command=request.command, mode=config.mode, now=started, slot=request.slot)
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
    if request.record:
        keep_protections(session)
        empty = replace(empty, findings=resolve_intents(session))
    crm_side, crm_problems = _read_crm(session, request)
    pbx_side, pbx_problems = _read_pbx(session)
    if pbx_side is not None:
        proof = ledger.probe(pbx_url=pbx_side.url, pbx_version=pbx_side.version)
        empty = replace(empty, probe=proof)
    if stop := session.world.interrupted():
        return Planned(result=replace(empty, crm=crm_side, pbx=pbx_side, interrupted_by=stop))
    if crm_side is None or pbx_side is None:
        findings = (*crm_problems, *pbx_problems, *empty.findings)
        return Planned(result=replace(empty, findings=findings, crm=crm_side, pbx=pbx_side))
    return _compared(session, request, _Read(empty, crm_side, pbx_side))


def _compared(session: Session, request: Request, read: _Read) -> Planned:
    """The pure middle: match, plan, guards."""
    config, now = session.config, read.empty.started_at
    crm_side, pbx_side, empty = read.crm, read.pbx, read.empty
    view = session.ledger.view(now=now)
    rules = config.rules(view.protections, immediate=request.immediate)
    history = _is_history(config, request, crm_side, now)
    repeated = view.run_with(crm_side.source.content) is not None
    matching = match.match(
        crm_side,
        pbx_side,
        view.claims,
        region=rules.region,
        outside_prefix=rules.outside_prefix,
        owner_tag=rules.owner_tag,
    )
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
    facts = guards.Facts(
        source=crm_side.source,
        pbx=pbx_side,
        matching=matching,
        decisions=decisions,
        ledger=view,
        limits=config.limits(),
        rules=fingerprint,
        delete_guard=config.pbx.delete_guard,
        probe=empty.probe,
        immediate=request.immediate,
        history=history,
        policy=config.allowed(),
        asks_manifest=config.crm.manifest != "ignore",
        lost_sentinels=sides.absent_ids(crm_side.records, config.crm.sentinels),
        kept_protections=_kept(config, view),
        stop_file=hold.stop_file(config),
    )
    findings = guards.evaluate(facts)
    made = Plan(
        pbx_url=pbx_side.url,
        immediate=request.immediate,
        rules=fingerprint,
        state_id=session.ledger.state_id,
        source_sha256=crm_side.source.content,
        guard=config.pbx.delete_guard,
        policy=config.allowed(),
        decisions=decisions,
        matched=len(matching.evidence) - len(decisions),
        doubts=guards.doubts(findings),
    )
    return Planned(
        result=replace(
            empty,
            findings=(*guards.with_digest(findings, made.digest), *empty.findings),
            measures=guards.measures(facts),
            crm=crm_side,
            pbx=pbx_side,
            matching=matching,
            plan=made,
        ),
        decisions=decisions,
        claims=plan.claim_changes(
            pbx_side, matching, decisions, claims=view.claims, rules=rules, now=now, history=history
        ),
        accepted=_accepted(read, matching, made, history=history),
        repeated=repeated
        and view.last_accepted is not None
        and view.last_accepted.rules == fingerprint
        and view.last_accepted.policy == made.policy,
        history=history,
        policy_before=view.last_accepted.policy if view.last_accepted else "",
    )


def _kept(config: Config, view: LedgerView) -> tuple[str, ...]:
    """Protections of the state that the configuration named once and names no more."""
    named = set(config.policy.protect.entries())
    return tuple(
        f"{record.kind} {record.value}"
        for record in view.protections
        if record.created_by == CONFIGURED and (record.kind, record.value) not in named
    )


def configured(config: Config, now: datetime) -> tuple[ProtectionRecord, ...]:
    """What the configuration protects, as it is kept in the state."""
    return tuple(
        ProtectionRecord(
            kind=kind, value=value, created_by=CONFIGURED, created_at=now, reason="policy.protect"
        )
        for kind, value in config.policy.protect.entries()
    )


def keep_protections(session: Session) -> None:
    """Write what the configuration protects into the state, where a lost line doesn't undo it."""
    known = {(record.kind, record.value) for record in session.ledger.protections()}
    for record in configured(session.config, session.now()):
        if (record.kind, record.value) not in known:
            session.ledger.protect(record)


def _is_history(config: Config, request: Request, crm_side: CrmSnapshot, now: datetime) -> bool:
    """An export that a person named and that is older than exports may be: it makes claims only."""
    age = now - crm_side.source.generated_at
    return request.export is not None and age > timedelta(hours=config.crm.max_age_hours)


def _accepted(read: _Read, matching: Matching, made: Plan, *, history: bool) -> AcceptedExport:
    source = read.crm.source
    return AcceptedExport(
        run_id=read.empty.run_id or 0,
        sha256=source.content,
        name=source.name,
        generated_at=source.generated_at,
        accepted_at=read.empty.started_at,
        records=source.records - source.gone,
        fill=guards.fill_of(matching),
        rules=made.rules,
        history=history,
        vetoes=guards.vetoes_of(made.decisions),
        manifest=source.manifest,
        policy=made.policy,
    )


def _read_crm(session: Session, request: Request) -> tuple[CrmSnapshot | None, tuple[Finding, ...]]:
    config = session.config
    session.world.progress("reading the export", 0, 1)
    try:
        snapshot = crm.read(
            place_of(config, session.world, export=request.export),
            mapping=config.crm.columns,
            now=session.now(),
            max_age_hours=None if request.export else config.crm.max_age_hours,
            format=config.crm.format,
            inactive=config.crm.inactive,
            manifest=config.crm.manifest,
        )
    except (ExportRejected, UsageError) as error:
        return None, findings_of(error, Subject.EXPORT)
    session.world.progress("reading the export", 1, 1)
    return snapshot, ()


def _read_pbx(session: Session) -> tuple[PbxSnapshot | None, tuple[Finding, ...]]:
    def progress(done: int, total: int) -> None:
        session.world.progress("listing 3CX", done, total)

    try:
        return session.reader.snapshot(now=session.now(), progress=progress), ()
    except PbxError as error:
        return None, findings_of(error, Subject.PBX)


def findings_of(error: ReconcileError, subject: Subject) -> tuple[Finding, ...]:
    """A failed read as block findings, one for each problem."""
    problems = error.problems or (None,)
    return tuple(
        Finding(
            code=problem.code if problem else error.code,
            level=Level.BLOCK,
            subject=subject,
            observed=str(problem) if problem else "",
            limit="",
            message=error.message,
            hint=error.hint,
            exit_code=Exit(error.exit_code),
        )
        for problem in problems
    )


def resolve_intents(session: Session) -> tuple[Finding, ...]:
    """Before anything else: what became of the intents that a run left open.

    If that can't be found out, the guard on unresolved intents blocks; this says why.
    """
    actions = session.ledger.actions(unresolved=True)
    if not actions:
        return ()
    try:
        apply.resolve(
            actions, reader=session.reader, journal=session.ledger, clock=session.world.clock
        )
    except PbxError as error:
        return tuple(replace(f, level=Level.INFO) for f in findings_of(error, Subject.PBX))
    return ()


# ---------------------------------------------------------------------------- remembering


@in_bulk()
def remember(session: Session, planned: Planned, *, approved: bool, keep_plan: bool = True) -> None:
    """Claims, absences, the accepted export and the plan, in one transaction."""
    result = planned.result
    if result.plan is None or result.run_id is None or planned.claims is None:
        return
    counts = guards.accepts(result.findings, approved=approved)
    accepts = counts and not planned.repeated
    stored = StoredPlan(
        run_id=result.run_id,
        digest=result.plan.digest,
        created_at=result.started_at,
        canonical=result.plan.canonical,
    )
    approvable = keep_plan and not planned.history and not result.blocked
    session.ledger.record(
        result.run_id,
        accepted=_with_policy(planned, approved=approved) if accepts else None,
        claims=_remembered(planned.claims, result, counts=counts),
        released=planned.claims.released if counts else (),
        plan=stored if approvable else None,
    )


def _with_policy(planned: Planned, *, approved: bool) -> AcceptedExport | None:
    """A policy that allows more is what later ones are compared with only once it is approved."""
    accepted, before = planned.accepted, planned.policy_before
    if accepted is None or approved or not policy.loosened(before, accepted.policy):
        return accepted
    return replace(accepted, policy=before)


def _remembered(changes: plan.ClaimChanges, result: Result, *, counts: bool) -> Sequence[Claim]:
    """What of the claims' changes is kept: of an export in doubt, only who was seen in it."""
    if counts:
        return changes.renewed
    return () if result.blocked else changes.returned


@in_bulk()
def close(session: Session, result: Result, request: Request) -> Report:
    """Assemble, write, and close the run's row."""
    config = session.config
    finished = replace(result, finished_at=session.now())
    previous = files.latest(session.reports)
    report = reporting.build(
        finished,
        previous=previous,
        compared=_compared_with(session, result, previous),
        masked=config.report.mask,
        with_matched=request.with_matched,
    )
    if result.run_id is None:
        return report
    try:
        files.write(report, session.reports)
        if finished.plan is not None:
            lines = reporting.every_line(finished, masked=config.report.mask)
            evidence.write(lines, session.reports, result.run_id)
    finally:
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


def _compared_with(session: Session, result: Result, previous: Report | None) -> Report | None:
    """The last report that came to a plan: a night that was stopped knows no verdicts."""
    if previous is None or previous.digest or result.plan is None:
        return previous
    return files.last_planned(session.reports)
