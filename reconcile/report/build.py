"""From what a run found and did to its Report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconcile.core import words
from reconcile.core.differences import records_table
from reconcile.core.evidence import columns
from reconcile.model import (
    Contact,
    ContactOutcome,
    CrmSnapshot,
    Decision,
    DeleteGuard,
    Evidence,
    Exit,
    Finding,
    Held,
    IfMatch,
    Level,
    Matching,
    Measure,
    Outcome,
    PbxSnapshot,
    Plan,
    Probe,
    Status,
    Verdict,
)
from reconcile.report import lines, mask
from reconcile.report.missing import Missing
from reconcile.report.model import (
    ChangePart,
    ColumnPart,
    ContactPart,
    CountsPart,
    DriftPart,
    DuplicatePart,
    FindingPart,
    GuardPart,
    PbxPart,
    PreviousPart,
    ProbePart,
    Report,
    RunPart,
    SourcePart,
    TrendPart,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

APPROVAL_HOURS: Final = 24
"""So long a digest can be approved."""
_FAILED: Final = frozenset({Outcome.CHANGED, Outcome.REFUSED, Outcome.UNCONFIRMED})
_GONE: Final = frozenset({Outcome.DELETED, Outcome.ALREADY_GONE})
_TREND: Final = 30
"""So many runs back a report shows the trend."""
_TREND_COUNTS: Final = ("matched", "waiting", "review", "delete")
_AT_ONCE: Final = 10_000
"""So many lines are made at a time: a large phonebook is never in memory twice."""
_CRM_COUNTS: Final = ("read", "matched", "missing", "gone", "without_number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All that one run found and did; what is None was not come by."""

    run_id: int | None
    command: str
    mode: str
    started_at: datetime
    finished_at: datetime
    version: str
    delete_guard: DeleteGuard
    findings: tuple[Finding, ...] = ()
    measures: tuple[Measure, ...] = ()
    crm: CrmSnapshot | None = None
    pbx: PbxSnapshot | None = None
    matching: Matching | None = None
    plan: Plan | None = None
    probe: Probe | None = None
    outcomes: tuple[ContactOutcome, ...] | None = None
    """None: nothing was to be applied. Of an apply, one for each contact that was approved."""
    stopped: str = ""
    held: Held | None = None
    interrupted_by: Exit | None = None

    @property
    def blocked(self) -> bool:
        """Whether a finding stands that nothing gets past."""
        return any(f.level is Level.BLOCK for f in self.findings)

    @property
    def asks(self) -> bool:
        """Whether a finding asks for a person's approval."""
        return any(f.level is Level.APPROVE for f in self.findings)


def build(
    result: Result,
    *,
    previous: Report | None,
    masked: bool,
    compared: Report | None = None,
    with_matched: bool = False,
) -> Report:
    """Assemble the report; with `masked`, personal data is shown as initials and last digits.

    `previous` is the last report, `compared` the last one that came to a plan if that is another.
    """
    compared = compared or previous
    status, exit_code = conclude(result)
    contacts = _contacts(result, with_matched=with_matched)
    matching = result.matching
    report = Report(
        run=_run(result),
        status=status,
        exit_code=exit_code,
        digest=result.plan.digest if result.plan else "",
        approve_until=_approve_until(result, status),
        headline=headline(result, status),
        source=_source(result.crm),
        pbx=_pbx(result),
        counts=_counts(result),
        findings=tuple(_finding(f) for f in result.findings),
        guards=tuple(
            GuardPart(code=m.code, observed=m.observed, limit=m.limit, level=m.level)
            for m in result.measures
        ),
        contacts=(*contacts, *_approved_only(result, compared, contacts)),
        drift=_drift(matching),
        missing=_missing(matching),
        duplicates=_duplicates(matching),
        previous=_previous(compared, contacts) if result.plan else None,
        masked=False,
    )
    report = report.model_copy(update={"trend": _trend(previous, report)})
    return mask.masked(report) if masked else report


def conclude(result: Result) -> tuple[Status, Exit]:
    """How the run ended: the words and codes of sections 7 and 9 of the design."""
    if result.interrupted_by is not None:
        return Status.INTERRUPTED, result.interrupted_by
    if result.blocked:
        codes = [f.exit_code for f in result.findings if f.level is Level.BLOCK]
        return Status.BLOCKED, min(codes)
    if result.outcomes is not None:
        return _applied(result.outcomes, result.stopped, result.held)
    if result.asks:
        return Status.NEEDS_APPROVAL, Exit.APPROVAL
    if result.plan is not None and result.plan.deletes:
        return Status.WAITING, Exit.WAITING
    return Status.CLEAN, Exit.CONVERGED


def _applied(
    outcomes: tuple[ContactOutcome, ...], stopped: str, held: Held | None
) -> tuple[Status, Exit]:
    kinds = {o.outcome for o in outcomes}
    if stopped and not kinds & _GONE:
        return Status.PARTIAL, held.exit_code if held else Exit.PBX
    if stopped or kinds & _FAILED:
        return Status.PARTIAL, Exit.PARTIAL
    return Status.APPLIED if Outcome.DELETED in kinds else Status.CLEAN, Exit.CONVERGED


def headline(result: Result, status: Status) -> str:
    """The one sentence that a person reads first."""
    total = f"{len(result.pbx):,}" if result.pbx is not None else "0"
    planned = len(result.plan.deletes) if result.plan else 0
    if result.outcomes is not None:
        return _applied_headline(result, total)
    match status:
        case Status.BLOCKED:
            blocks = [f for f in result.findings if f.level is Level.BLOCK]
            more = f" ({len(blocks) - 1} more below)" if len(blocks) > 1 else ""
            return f"Nothing was deleted. {blocks[0].message}{more}"
        case Status.INTERRUPTED:
            return "The run was interrupted. Nothing was deleted."
        case _ if planned:
            asks = " A person must approve this plan." if status is Status.NEEDS_APPROVAL else ""
            of = f"{planned:,} of {total} phone-system contacts would be deleted."
            return f"{of} Nothing has been changed yet.{asks}"
        case Status.NEEDS_APPROVAL:
            return "The export counts only once a person has approved it. Nothing has been changed."
        case _:
            waiting = result.plan.counts[Verdict.WAITING] if result.plan else 0
            more = f" {waiting:,} absent and waiting out the grace." if waiting else ""
            return f"Nothing to delete among {total} phone-system contacts.{more}"


def _applied_headline(result: Result, total: str) -> str:
    if not result.outcomes:
        return f"The export is accepted. Nobody was due among {total} phone-system contacts."
    counted = Counter(o.outcome for o in result.outcomes)
    deleted = counted.pop(Outcome.DELETED, 0)
    verb = "was" if deleted == 1 else "were"
    rest = ", ".join(f"{n} {kind.value.replace('_', ' ')}" for kind, n in sorted(counted.items()))
    first = f"{deleted:,} of {total} phone-system contacts {verb} deleted."
    why = f" Stopped: {result.stopped}." if result.stopped else ""
    return first + (f" The others that were approved: {rest}." if rest else "") + why


def _approve_until(result: Result, status: Status) -> datetime | None:
    """Only a recorded plan with something to approve can be approved."""
    if result.run_id is None or status not in {Status.WAITING, Status.NEEDS_APPROVAL}:
        return None
    return result.started_at + timedelta(hours=APPROVAL_HOURS)


def _run(result: Result) -> RunPart:
    return RunPart(
        id=result.run_id,
        command=result.command,
        mode=result.mode,
        started_at=result.started_at,
        finished_at=result.finished_at,
        version=result.version,
    )


def _source(crm: CrmSnapshot | None) -> SourcePart | None:
    if crm is None:
        return None
    s = crm.source
    return SourcePart(
        name=s.name,
        format=s.format,
        encoding=s.encoding,
        sha256=s.sha256,
        size=s.size,
        rows=s.rows,
        records=s.records,
        rejected=s.rejected,
        gone=s.gone,
        generated_at=s.generated_at,
        columns=tuple(
            ColumnPart(header=c.header, reads_as=c.reads_as, why=c.why) for c in s.columns
        ),
    )


def _pbx(result: Result) -> PbxPart | None:
    if result.pbx is None:
        return None
    return PbxPart(
        url=result.pbx.url,
        version=result.pbx.version,
        contacts=len(result.pbx),
        delete_guard=result.delete_guard,
        etags=result.pbx.etag_kind,
        if_match=result.probe.if_match if result.probe else IfMatch.UNPROVEN,
        probe=_probe(result.probe) if result.probe else None,
    )


def _probe(p: Probe) -> ProbePart:
    return ProbePart(**{name: getattr(p, name) for name in ProbePart.model_fields})


def _counts(result: Result) -> CountsPart:
    verdicts = dict.fromkeys(["read", *(v.value for v in Verdict)], 0)
    return CountsPart(
        pbx=result.plan.counts if result.plan else verdicts,
        crm=dict(result.matching.counts_crm) if result.matching else dict.fromkeys(_CRM_COUNTS, 0),
    )


def _finding(finding: Finding) -> FindingPart:
    return FindingPart(
        code=finding.code,
        level=finding.level,
        observed=finding.observed,
        limit=finding.limit,
        message=finding.message,
        hint=finding.hint,
    )


def every_contact(result: Result, *, masked: bool) -> Iterator[ContactPart]:
    """All contacts of a run that came to a plan, matched ones too, by Id.

    They are made as they are asked for, so that 100,000 of them are never in memory at once.
    """
    return _told(result, range(len(result.pbx or ())), _decided(result), masked=masked)


def every_line(result: Result, *, masked: bool) -> Iterator[bytes]:
    """The same as lines of JSON, many joined at a time."""
    if result.pbx is None or result.matching is None or result.plan is None:
        return
    found, decided = columns(result.matching.evidence), _decided(result)
    plain = found.plain(decided.keys() | _outcomes(result).keys()) & (not masked)
    for start in range(0, len(found), _AT_ONCE):
        block = range(len(found))[start : start + _AT_ONCE]
        made = lines.matched(result.pbx, found, block, plain[start : block.stop])
        others = [at for at, line in zip(block, made, strict=True) if line is None]
        parts = map(lines.line, _told(result, others, decided, masked=masked))
        yield b"".join(line or next(parts) for line in made)


def _decided(result: Result) -> dict[int, Decision]:
    return {d.contact.id: d for d in (result.plan.decisions if result.plan else ())}


def _told(
    result: Result, at: Sequence[int], decided: Mapping[int, Decision], *, masked: bool
) -> Iterator[ContactPart]:
    """The contacts at those positions, decided or simply matched."""
    if result.pbx is None or result.matching is None or result.plan is None:
        return
    outcomes, ids = _outcomes(result), result.pbx.ids
    matched = [position for position in at if ids[position] not in decided]
    evidence = columns(result.matching.evidence).some(matched)
    for position in at:
        decision = decided.get(ids[position])
        decision = decision or _matched(result.pbx.contact(position), next(evidence))
        part = _contact(decision, outcomes)
        yield mask.contact(part) if masked else part


def _contacts(result: Result, *, with_matched: bool) -> tuple[ContactPart, ...]:
    """Every contact that is not matched, and those too if asked, by Id."""
    if with_matched:
        return tuple(every_contact(result, masked=False))
    outcomes = _outcomes(result)
    return tuple(_contact(d, outcomes) for d in (result.plan.decisions if result.plan else ()))


def _approved_only(
    result: Result, previous: Report | None, contacts: tuple[ContactPart, ...]
) -> Iterator[ContactPart]:
    """Who was approved, and is matched again or no longer in 3CX: a plan is answered row by row.

    Of a contact that is gone only the report before may still know the name.
    """
    outcomes = _outcomes(result)
    told = {part.id for part in contacts}
    lacking = {i: o for i, o in outcomes.items() if i not in told}
    listed = [at for at, i in enumerate(result.pbx.ids if result.pbx else ()) if i in lacking]
    again = {part.id: part for part in _told(result, listed, {}, masked=False)}
    before = {part.id: part for part in (previous.contacts if previous and lacking else ())}
    for contact_id, outcome in sorted(lacking.items()):
        if contact_id in again:
            yield again[contact_id]
            continue
        blank = ContactPart(id=contact_id, verdict=Verdict.DELETE, reason="it was approved")
        known = before.get(contact_id, blank)
        yield known.model_copy(
            update={
                "outcome": outcome.outcome,
                "outcome_detail": outcome.detail,
                "guard": outcome.guard,
            }
        )


def _outcomes(result: Result) -> dict[int, ContactOutcome]:
    return {o.contact_id: o for o in result.outcomes or ()}


def _matched(contact: Contact, evidence: Evidence) -> Decision:
    """On a contact that is simply matched; the plan has none on it."""
    best = evidence.proofs[0]
    return Decision(
        contact=contact,
        verdict=Verdict.MATCHED,
        reason=words.sentence(best, contact.name),
        evidence=evidence,
        crm_id=best.crm_id,
    )


def _contact(decision: Decision, outcomes: Mapping[int, ContactOutcome]) -> ContactPart:
    contact, outcome = decision.contact, outcomes.get(decision.contact.id)
    proofs = decision.evidence.proofs
    return ContactPart(
        id=contact.id,
        verdict=decision.verdict,
        reason=decision.reason,
        evidence=tuple(words.sentence(proof, contact.name) for proof in proofs),
        name=contact.name,
        company=contact.field("CompanyName"),
        numbers=contact.numbers,
        email=contact.field("Email"),
        crm_id=decision.crm_id,
        first_absent=decision.first_absent,
        absent_exports=decision.absent_exports,
        due=decision.due,
        outcome=outcome.outcome if outcome else None,
        outcome_detail=outcome.detail if outcome else "",
        guard=outcome.guard if outcome else None,
    )


def _drift(matching: Matching | None) -> tuple[DriftPart, ...]:
    found = matching.drift if matching else ()
    return tuple(
        DriftPart(id=d.contact_id, crm_id=d.crm_id, field=d.field, crm=d.crm, pbx=d.pbx)
        for d in found
    )


def _missing(matching: Matching | None) -> Missing:
    return Missing(records_table(matching.missing if matching else ()))


def _duplicates(matching: Matching | None) -> tuple[DuplicatePart, ...]:
    found = matching.duplicates if matching else ()
    return tuple(DuplicatePart(crm_id=d.crm_id, name=d.name, ids=d.contact_ids) for d in found)


def _trend(previous: Report | None, report: Report) -> tuple[TrendPart, ...]:
    """The runs before, which the last report knows, and this one if it leaves a report."""
    before = previous.trend if previous else ()
    if report.run.id is None:
        return before
    counts = {name: report.counts.pbx.get(name, 0) for name in _TREND_COUNTS}
    own = TrendPart(
        run=report.run.id,
        finished_at=report.run.finished_at,
        status=report.status,
        deleted=sum(1 for c in report.contacts if c.outcome is Outcome.DELETED),
        **counts,
    )
    return (*before, own)[-_TREND:]


def _previous(previous: Report | None, contacts: tuple[ContactPart, ...]) -> PreviousPart | None:
    """What is another verdict than in the last report; matched contacts are in neither list."""
    if previous is None or not previous.digest:
        return None
    before = {c.id: c.verdict.value for c in previous.contacts if c.verdict is not Verdict.MATCHED}
    now = {c.id: c.verdict.value for c in contacts if c.verdict is not Verdict.MATCHED}
    return PreviousPart(
        run=previous.run.id,
        finished_at=previous.run.finished_at,
        changes=tuple(
            ChangePart(id=i, before=before.get(i, ""), now=now.get(i, ""))
            for i in sorted(before.keys() | now.keys())
            if before.get(i) != now.get(i)
        ),
    )
