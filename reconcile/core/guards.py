"""Is this plan plausible? Every guard is evaluated, in dry runs too, and every finding reported.

A guard compares one observed value with one limit. A missing limit can't be written: `Limits` has
no defaults, and none of its values means "unlimited". Percentages always come with an absolute
number beside them, so that a small company isn't stopped by its first leaver.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from reconcile.core import policy
from reconcile.core.evidence import columns
from reconcile.model import (
    Acceptance,
    AcceptedExport,
    ClaimOrigin,
    Decision,
    DeleteGuard,
    EtagKind,
    Exit,
    ExportSource,
    Finding,
    IfMatch,
    LedgerView,
    Level,
    Matching,
    Measure,
    PbxSnapshot,
    Probe,
    Subject,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

DIGEST: Final = "DIGEST"
"""Stands in hints for the plan's digest, which also covers what is asked for; see `with_digest`."""
_ETAG_GUARD: Final = 'delete_guard = "etag"'
_FEW: Final = 2
"""So many deletes are never held against a percentage."""
_SMALL: Final = 5
"""So many records or matches: the ordinary coming and going of a small company."""
_SHRINK_FLOOR: Final = 10
_WEEK_FLOOR: Final = 10
_VANISHED_FLOOR: Final = 10
_VANISHED_PERCENT: Final = 5.0
_GROUP_SIZE: Final = 5
_GROUP_LOST: Final = 3
_GROUP_PERCENT: Final = 30.0
_FILL_POINTS: Final = 5.0
_LOSSY_PERCENT: Final = 1.0
_SHOWN: Final = 10
_LEFT_OR_LACKING: Final = (
    " Either that many people have left, or the export lacks some who are still there."
)
_MANIFESTS: Final = {"rows": "row count", "sha256": "sha256"}
_KEY_COLUMNS: Final = ("id", "first_name", "last_name", "full_name", "company", "phone", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of `[policy]`; percentages from 0 to 100."""

    max_deletes: int
    max_delete_percent: float
    max_weekly_percent: float
    max_shrink_percent: float
    min_matched_percent: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the guards look at; without slots, as what is worked out of it is kept."""

    source: ExportSource
    pbx: PbxSnapshot
    matching: Matching
    decisions: tuple[Decision, ...]
    ledger: LedgerView
    limits: Limits
    rules: str
    delete_guard: DeleteGuard
    probe: Probe | None
    policy: str
    """As `core.policy` writes it."""
    immediate: bool = False
    history: bool = False
    asks_manifest: bool = True
    """Whether a manifest that was seen once is asked for ever after."""
    lost_sentinels: tuple[str, ...] = ()
    """Ids of `crm.sentinels` that the export doesn't hold."""
    kept_protections: tuple[str, ...] = ()
    """Protections of the state that the configuration no longer names."""
    stop_file: str = ""
    """The name of the file that stops all deletes, if it is there."""

    @cached_property
    def deletes(self) -> tuple[Decision, ...]:
        """What the plan would delete."""
        return tuple(d for d in self.decisions if d.verdict is Verdict.DELETE)

    @property
    def living(self) -> int:
        """Records of the export that are not flagged as gone."""
        return self.source.records - self.source.gone

    @cached_property
    def claimed(self) -> int:
        """Listed contacts with a claim, the base of all percentages of deletes."""
        owned = {d.contact.id for d in self.deletes}
        return sum(1 for i in self.pbx.ids if i in self.ledger.claims or i in owned)

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """What each guard has to say, in the order in which they look."""
        return tuple(_judged(self))


class Judged(NamedTuple):
    """What a guard has to say, and whether it says it: a value within its limit is no finding."""

    stands: bool
    finding: Finding


def evaluate(facts: Facts) -> tuple[Finding, ...]:
    """Every finding, the gravest first."""
    order = (Level.BLOCK, Level.APPROVE, Level.INFO)
    found = [judged.finding for judged in facts.judged if judged.stands]
    return tuple(sorted(found, key=lambda finding: order.index(finding.level)))


def measures(facts: Facts) -> tuple[Measure, ...]:
    """What each guard saw and what its limit is, in the same order."""
    return tuple(
        Measure(
            code=finding.code,
            observed=finding.observed,
            limit=finding.limit,
            level=finding.level if stands else None,
        )
        for stands, finding in facts.judged
    )


def _judged(facts: Facts) -> Iterator[Judged]:
    guards = (
        _empty_listing,
        _shrunk_listing,
        _unresolved_intents,
        _older_export,
        _repeated_export,
        _history_export,
        _lost_sentinels,
        _missing_manifest,
        _shrunk_export,
        _shrinking_export,
        _moved_fill,
        _lost_digits,
        _changed_rules,
        _matched_share,
        _too_many_deletes,
        _too_large_share,
        _too_many_in_a_week,
        _lost_groups,
        _vetoes,
        _without_grace,
        _loosened_policy,
        _delete_guard,
        _held,
        _kept_protections,
    )
    return (judged for guard in guards for judged in guard(facts))


def doubts(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """The codes of what a person is asked to approve about the reads, sorted."""
    return tuple(
        sorted(
            f.code
            for f in findings
            if f.level is Level.APPROVE and f.subject is not Subject.DELETES
        )
    )


def with_digest(findings: tuple[Finding, ...], digest: str) -> tuple[Finding, ...]:
    """The findings with the plan's own digest in their hints."""
    return tuple(replace(f, hint=f.hint.replace(DIGEST, digest[:12])) for f in findings)


def vetoes_of(decisions: tuple[Decision, ...]) -> int:
    """How many contacts the veto keeps."""
    return sum(1 for d in decisions if d.vetoed)


def accepts(findings: tuple[Finding, ...], *, approved: bool) -> bool:
    """Whether the export counts as evidence: makes claims and absences, and is compared with.

    A block never lets it; a doubt about the export itself only with a person's approval. Deletes
    that are too many are no doubt about the export.
    """
    blocked = any(f.level is Level.BLOCK and f.subject is not Subject.DELETES for f in findings)
    return not blocked and (approved or not doubts(findings))


# ---------------------------------------------------------------------------- the reads


def _empty_listing(facts: Facts) -> Iterator[Judged]:
    yield Judged(
        not len(facts.pbx),
        Finding(
            code="pbx_empty",
            level=Level.BLOCK,
            subject=Subject.PBX,
            observed=f"{len(facts.pbx)} contacts",
            limit="at least 1",
            message="3CX answered with an empty list of contacts. That is what missing rights or"
            " trouble with its database look like, so it is not believed.",
            hint="reconcile doctor",
            exit_code=Exit.PBX,
        ),
    )


def _shrunk_listing(facts: Facts) -> Iterator[Judged]:
    """Claimed contacts that nobody of us deleted: to release their claims is to forget them."""
    if facts.history or not len(facts.pbx):
        return
    claimed = facts.ledger.claims.keys()
    lost = len(claimed - set(facts.pbx.ids))
    percent = _percent(lost, len(claimed))
    yield Judged(
        lost > _VANISHED_FLOOR and percent > _VANISHED_PERCENT,
        _approve(
            code="pbx_shrank",
            subject=Subject.PBX,
            observed=f"{lost} of {len(claimed)} claimed contacts ({percent:.1f} %) are not there",
            limit=f"{_VANISHED_PERCENT:g} % and {_VANISHED_FLOOR}",
            message="Many contacts that matched before are no longer in 3CX, and this program did"
            " not delete them: it was emptied by hand, put back from an old backup, or lists only a"
            " part of them.",
        ),
    )


def _unresolved_intents(facts: Facts) -> Iterator[Judged]:
    open_ones = facts.ledger.unresolved
    ids = ", ".join(str(action.contact_id) for action in open_ones)
    whose = f"contact {ids}" if len(open_ones) == 1 else f"the contacts {ids}"
    yield Judged(
        bool(open_ones),
        Finding(
            code="unresolved_intents",
            level=Level.BLOCK,
            subject=Subject.STATE,
            observed=str(len(open_ones)),
            limit="0",
            message=f"An earlier run left open what became of {whose}, and 3CX could not be asked.",
            hint="reconcile doctor, then: reconcile plan",
            exit_code=Exit.STATE,
        ),
    )


def _older_export(facts: Facts) -> Iterator[Judged]:
    """Content that was accepted before is none the newer for its time, and none the older."""
    newest, last = facts.ledger.newest_generated_at, facts.ledger.last_accepted
    if newest is None or (last is not None and last.sha256 == facts.source.content):
        return
    older = facts.source.generated_at < newest
    ahead = newest > facts.pbx.read_at
    if older and ahead:
        yield Judged(stands=True, finding=_moved_clock(facts, newest))
        return
    yield Judged(
        older,
        Finding(
            code="export_older",
            level=Level.BLOCK,
            subject=Subject.EXPORT,
            observed=_time(facts.source.generated_at),
            limit=f"not before {_time(newest)}",
            message=f"{facts.source.name} is older than the last accepted export. Whoever came"
            " into the CRM since then would look absent.",
            hint="put the newest export in place, then: reconcile plan",
            exit_code=Exit.EXPORT,
        ),
    )


def _moved_clock(facts: Facts, newest: datetime) -> Finding:
    return _approve(
        code="clock_moved",
        subject=Subject.EXPORT,
        observed=f"{_time(facts.source.generated_at)}, now {_time(facts.pbx.read_at)}",
        limit=f"not before {_time(newest)}",
        message="The last accepted export is dated in the future: a clock was ahead then, or"
        " is behind now. So nobody can tell which export is the newer one.",
    )


def _repeated_export(facts: Facts) -> Iterator[Judged]:
    """An old file that was copied has a new time, and the content of long ago."""
    run_id = facts.ledger.run_with(facts.source.content)
    if run_id is not None:
        yield _inform(
            code="export_repeated",
            subject=Subject.EXPORT,
            observed=f"the same content as in run {run_id}",
            message="The export holds what was accepted before: no new evidence, so nobody"
            " became absent for longer.",
            hint="",
        )


def _history_export(facts: Facts) -> Iterator[Judged]:
    if facts.history and not any(older.stands for older in _older_export(facts)):
        yield _inform(
            code="export_history",
            subject=Subject.EXPORT,
            observed=_time(facts.source.generated_at),
            message="The export was named by hand and is old: it makes claims for the contacts"
            " that match it, and nobody is absent because of it.",
            hint="reconcile plan",
        )


def _lost_sentinels(facts: Facts) -> Iterator[Judged]:
    """Records that are always there: without one of them, others may lack just as well."""
    lost = facts.lost_sentinels
    if facts.history:
        return
    yield Judged(
        bool(lost),
        Finding(
            code="sentinel_missing",
            level=Level.BLOCK,
            subject=Subject.EXPORT,
            observed=f"{len(lost)} missing: {_some(lost)}" if lost else "none is missing",
            limit="all of crm.sentinels",
            message="The export lacks records that every export must hold: it may be filtered, cut"
            " off, or another company's.",
            hint="mend the export; if a sentinel has really left the CRM, name another one in"
            " crm.sentinels. Then: reconcile plan",
            exit_code=Exit.EXPORT,
        ),
    )


def _missing_manifest(facts: Facts) -> Iterator[Judged]:
    """What was proved once is asked for ever after: a manifest that stays away is a fault."""
    lacking = facts.ledger.manifests - set(facts.source.manifest.split())
    if not facts.ledger.manifests or not facts.asks_manifest or facts.history:
        return
    what = " and ".join(_MANIFESTS.get(kind, kind) for kind in sorted(lacking))
    yield Judged(
        bool(lacking),
        Finding(
            code="manifest_missing",
            level=Level.BLOCK,
            subject=Subject.EXPORT,
            observed=f"no {what}" if what else "nothing is missing",
            limit="as with an earlier accepted export",
            message="Earlier exports came with what this one lacks: the job that makes it may not"
            " have finished.",
            hint="let the export job finish, then: reconcile plan; if there will be none any more:"
            ' crm.manifest = "ignore"',
            exit_code=Exit.EXPORT,
        ),
    )


def _shrunk_export(facts: Facts) -> Iterator[Judged]:
    last = _baseline(facts)
    if last is None:
        return
    lost = max(last.records - facts.living, 0)
    percent = _percent(lost, last.records)
    yield Judged(
        lost > _SHRINK_FLOOR and percent > facts.limits.max_shrink_percent,
        _approve(
            code="export_shrank",
            subject=Subject.EXPORT,
            observed=f"{lost} fewer records ({percent:.1f} %): {facts.living}, were {last.records}",
            limit=f"{facts.limits.max_shrink_percent:g} % and {_SHRINK_FLOOR} records",
            message="The export has many fewer records than the last accepted one: a filter, a"
            " right or an error of the export may have left people out.",
        ),
    )


def _shrinking_export(facts: Facts) -> Iterator[Judged]:
    """A slow loss is a loss too: the same limit over a week, since a person last approved."""
    most = facts.ledger.most_records
    is_told = any(shrunk.stands for shrunk in _shrunk_export(facts))
    if facts.history or is_told or not most:
        return
    lost = max(most - facts.living, 0)
    percent = _percent(lost, most)
    yield Judged(
        lost > _SHRINK_FLOOR and percent > facts.limits.max_shrink_percent,
        _approve(
            code="export_shrinking",
            subject=Subject.EXPORT,
            observed=f"{lost} fewer records ({percent:.1f} %) in seven days: {facts.living}, were"
            f" {most}",
            limit=f"{facts.limits.max_shrink_percent:g} % and {_SHRINK_FLOOR} records",
            message="The exports of this week have fewer and fewer records: many people have left,"
            " or the CRM's export loses some every night.",
        ),
    )


def _moved_fill(facts: Facts) -> Iterator[Judged]:
    last = _baseline(facts)
    if last is None:
        return
    moves = {column: _points(facts, last, column) for column in _KEY_COLUMNS}
    most = max(map(abs, moves.values()))
    moved = [
        f"{column} {last.fill.get(column, 0.0):.0%} → {facts.matching.fill.get(column, 0.0):.0%}"
        for column, points in moves.items()
        if abs(points) > _FILL_POINTS and abs(points) / 100 * facts.living > _SMALL
    ]
    yield Judged(
        bool(moved),
        _approve(
            code="fill_moved",
            subject=Subject.EXPORT,
            observed=", ".join(moved) or f"at most {most:.1f} points",
            limit=f"{_FILL_POINTS:g} points and {_SMALL} records",
            message="Columns that contacts are matched by are filled differently than in the last"
            " accepted export: a column may have been renamed, swapped or emptied.",
        ),
    )


def _points(facts: Facts, last: AcceptedExport, column: str) -> float:
    """By how many points of a hundred a column is filled more, or less, than it was."""
    return round((facts.matching.fill.get(column, 0.0) - last.fill.get(column, 0.0)) * 100, 2)


def _lost_digits(facts: Facts) -> Iterator[Judged]:
    """`4.91512E+11`: what a spreadsheet program makes of numbers that it saves as CSV."""
    lossy, numbers = facts.source.lossy, facts.source.numbers
    if facts.history:
        return
    percent = _percent(lossy, numbers)
    yield Judged(
        bool(lossy) and percent >= _LOSSY_PERCENT,
        _approve(
            code="numbers_lost",
            subject=Subject.EXPORT,
            observed=f"{lossy} of {numbers} numbers ({percent:.1f} %)",
            limit=f"less than {_LOSSY_PERCENT:g} %",
            message="Numbers of the export have lost their last digits (4.91512E+11): somebody"
            " saved it in a spreadsheet program. Who is only known by such a number looks absent.",
        ),
    )


def _changed_rules(facts: Facts) -> Iterator[Judged]:
    last = _baseline(facts)
    if last is None:
        return
    yield Judged(
        last.rules != facts.rules,
        _approve(
            code="rules_changed",
            subject=Subject.EXPORT,
            observed=f"rules {facts.rules[:12]}",
            limit=f"rules {last.rules[:12]}, as in run {last.run_id}",
            message="What decides a match has changed since the last accepted run: the columns and"
            " how they are read, the region, the managed types, or the program's matcher.",
        ),
    )


def _matched_share(facts: Facts) -> Iterator[Judged]:
    """Of the contacts that matched when last accepted, how many still do."""
    protected = {d.contact.id for d in facts.decisions if d.verdict is Verdict.PROTECTED}
    ours = {
        i
        for i, claim in facts.ledger.claims.items()
        if claim.origin is ClaimOrigin.MATCH and claim.first_absent is None and i not in protected
    }
    found = columns(facts.matching.evidence)
    listed = zip(found.contact_ids.tolist(), found.strong.tolist(), strict=True)
    still = [strong for contact_id, strong in listed if contact_id in ours]
    lost = still.count(False)
    if facts.history or not still:
        return
    share = 100 - _percent(lost, len(still))
    yield Judged(
        lost > _SMALL and share < facts.limits.min_matched_percent,
        _approve(
            code="matched_share",
            subject=Subject.EXPORT,
            observed=f"{share:.1f} % ({len(still) - lost} of {len(still)})",
            limit=f"{facts.limits.min_matched_percent:g} % and {_SMALL} lost",
            message="Many contacts that matched the last accepted export match nothing in this"
            " one: it may be another company's, or its columns may be read wrongly.",
        ),
    )


# ---------------------------------------------------------------------------- the deletes


def _too_many_deletes(facts: Facts) -> Iterator[Judged]:
    count = len(facts.deletes)
    yield Judged(
        count > facts.limits.max_deletes,
        _approve(
            code="too_many_deletes",
            observed=f"{count} delete{'' if count == 1 else 's'}",
            limit=str(facts.limits.max_deletes),
            message="The plan deletes more contacts than policy.max_deletes allows at once."
            + _LEFT_OR_LACKING,
        ),
    )


def _too_large_share(facts: Facts) -> Iterator[Judged]:
    count = len(facts.deletes)
    percent = _percent(count, facts.claimed)
    yield Judged(
        count > _FEW and percent > facts.limits.max_delete_percent,
        _approve(
            code="too_large_share",
            observed=f"{count} of {facts.claimed} claimed contacts ({percent:.1f} %)",
            limit=f"{facts.limits.max_delete_percent:g} % and {_FEW}",
            message="The plan deletes a larger part of the claimed contacts than"
            " policy.max_delete_percent allows at once." + _LEFT_OR_LACKING,
        ),
    )


def _too_many_in_a_week(facts: Facts) -> Iterator[Judged]:
    if not facts.deletes:
        return
    before = facts.ledger.deleted_last_week
    count = before + len(facts.deletes)
    base = facts.claimed + before
    percent = _percent(count, base)
    yield Judged(
        count > _WEEK_FLOOR and percent > facts.limits.max_weekly_percent,
        _approve(
            code="too_many_in_a_week",
            observed=f"{count} of {base} in seven days ({percent:.1f} %), {before} of them done",
            limit=f"{facts.limits.max_weekly_percent:g} % and {_WEEK_FLOOR}",
            message="With this plan, more would be deleted in seven days than"
            " policy.max_weekly_percent allows: a slow loss is a loss too." + _LEFT_OR_LACKING,
        ),
    )


def _lost_groups(facts: Facts) -> Iterator[Judged]:
    """A company or a department that loses more than 30 % of at least five, or three of fewer.

    All that lose so many; else the one that loses most.
    """
    losses = sorted(_losses(facts), key=lambda loss: -loss.percent)
    lost = [loss for loss in losses if loss.percent > _GROUP_PERCENT]
    for loss in sorted(lost, key=lambda loss: (loss.kind, loss.group)) or losses[:1]:
        yield Judged(
            bool(lost),
            _approve(
                code="group_lost",
                observed=f"{loss.kind} {loss.group}: {loss.lost} of {loss.size}"
                f" ({loss.percent:.0f} %)",
                limit=f"{_GROUP_PERCENT:g} % of at least {_GROUP_SIZE}, or {_GROUP_LOST} of fewer",
                message=f"One {loss.kind} would lose a large part of its contacts at once: it was"
                " given up, or a filter of the export leaves it out.",
            ),
        )


class _Loss(NamedTuple):
    kind: str
    group: str
    lost: int
    size: int
    percent: float


def _losses(facts: Facts) -> Iterator[_Loss]:
    """What each group would lose that is large enough, or loses enough."""
    for field, kind in (("CompanyName", "company"), ("Department", "department")):
        sizes = Counter(facts.pbx.column(field))
        losses = Counter(d.contact.field(field) for d in facts.deletes)
        for group, lost in losses.items():
            if group and (sizes[group] >= _GROUP_SIZE or lost >= _GROUP_LOST):
                yield _Loss(kind, group, lost, sizes[group], _percent(lost, sizes[group]))


def _vetoes(facts: Facts) -> Iterator[Judged]:
    """More than one that is new: what a person has approved once is not asked again."""
    last = _baseline(facts)
    vetoed = vetoes_of(facts.decisions)
    known = last.vetoes if last else 0
    yield Judged(
        vetoed - known > 1,
        _approve(
            code="vetoes",
            subject=Subject.EXPORT,
            observed=f"{vetoed}, {known} of them known",
            limit="1 that is new",
            message="Contacts that look absent have numbers or addresses that the export still"
            " holds somewhere: a column may not be read (reconcile columns shows it).",
        ),
    )


def _without_grace(facts: Facts) -> Iterator[Judged]:
    if facts.immediate:
        yield Judged(
            bool(facts.deletes),
            _approve(
                code="without_grace",
                observed="--now",
                limit="",
                message="The plan was made without grace, so only a person can apply it.",
            ),
        )


def _loosened_policy(facts: Facts) -> Iterator[Judged]:
    """A limit that was raised to get past a stop lets through whatever was stopped."""
    last = _baseline(facts)
    if last is None or not facts.deletes:
        return
    looser = policy.loosened(last.policy, facts.policy)
    yield Judged(
        bool(looser),
        _approve(
            code="policy_loosened",
            observed=", ".join(looser) or "nothing is looser",
            limit="the policy of the last accepted run",
            message="The configuration allows more than it did in the last accepted run; a person"
            " approves that once.",
        ),
    )


def _held(facts: Facts) -> Iterator[Judged]:
    """Deletes that wait for a date or for a file to go: wanted, so nothing that must be mended."""
    if facts.stop_file:
        yield _inform(
            code="stop_file",
            observed=f"the file {facts.stop_file} is there",
            message="As long as that file is there, nothing is deleted.",
            hint=f"to let deletes go on, remove the file {facts.stop_file}",
        )
    if freeze := facts.ledger.freeze:
        yield _inform(
            code="frozen",
            observed=f"until {_time(freeze.until)}, by {freeze.frozen_by}",
            message=f"Deletes are frozen{f' ({freeze.why})' if freeze.why else ''}: nothing is"
            " deleted until then.",
            hint="to let deletes go on: reconcile freeze --lift",
        )


def _kept_protections(facts: Facts) -> Iterator[Judged]:
    if kept := facts.kept_protections:
        yield _inform(
            code="protection_kept",
            observed=_some(kept),
            message="These protections are no longer in the configuration. They hold until they"
            " are taken back.",
            hint="reconcile protect shows them; reconcile protect --remove … takes one back",
        )


def _delete_guard(facts: Facts) -> Iterator[Judged]:
    """Section 6: `etag` deletes only where a stale ETag was proved to be refused."""
    if facts.delete_guard is DeleteGuard.COMPARE:
        return
    impossible = _impossible(facts.probe, facts.pbx.etag_kind) if len(facts.pbx) else ""
    if impossible:
        found = _unavailable(impossible)
        told = found if facts.deletes else replace(found, level=Level.INFO)
        yield Judged(stands=True, finding=told)
        return
    proved = facts.probe is not None and facts.probe.if_match is IfMatch.ENFORCED
    yield Judged(
        not proved,
        Finding(
            code="delete_guard_unproven",
            level=Level.INFO,
            subject=Subject.DELETES,
            observed="proved" if proved else "not proved on this version of 3CX yet",
            limit=_ETAG_GUARD,
            message="Before the first delete it will be proved, on a throw-away contact of our"
            " own, that 3CX refuses a stale ETag; without that proof nothing is deleted.",
            hint="reconcile doctor --probe",
        ),
    )


def unguarded(probe: Probe | None, listed: EtagKind) -> Finding | None:
    """What blocks an apply under `etag` after the probe; None if the guard was proved.

    `listed` is what a reading shows of ETags: a probe that could not even begin saw none.
    """
    if probe is not None and probe.if_match is IfMatch.ENFORCED:
        return None
    if impossible := _impossible(probe, listed):
        return _unavailable(impossible)
    observed = probe.detail if probe and probe.detail else "nothing was proved"
    return Finding(
        code="delete_guard_unproven",
        level=Level.BLOCK,
        subject=Subject.DELETES,
        observed=observed,
        limit=_ETAG_GUARD,
        message="It could not be proved that this 3CX refuses a stale ETag.",
        hint="mend what is said, then: reconcile doctor --probe",
        exit_code=Exit.PBX,
    )


def _impossible(probe: Probe | None, listed: EtagKind) -> str:
    """Why no ETag can guard a delete here; "" if one may."""
    if probe is not None and probe.if_match is IfMatch.IGNORED:
        return "3CX ignores If-Match"
    if probe is not None and probe.right_etag is Acceptance.REFUSED:
        return "3CX refuses every ETag, the right one too"
    if listed is EtagKind.NONE and (probe is None or probe.etags is EtagKind.NONE):
        return "3CX issues no ETags"
    return ""


def _unavailable(observed: str) -> Finding:
    return Finding(
        code="delete_guard_unavailable",
        level=Level.BLOCK,
        subject=Subject.DELETES,
        observed=observed,
        limit=_ETAG_GUARD,
        message="This 3CX can't refuse to delete a contact that was edited meanwhile.",
        hint='set pbx.delete_guard = "compare" (it narrows the window and can\'t close it)',
        exit_code=Exit.PBX,
    )


# ---------------------------------------------------------------------------- words


def _approve(
    *,
    code: str,
    observed: str,
    limit: str,
    message: str,
    subject: Subject = Subject.DELETES,
) -> Finding:
    return Finding(
        code=code,
        level=Level.APPROVE,
        subject=subject,
        observed=observed,
        limit=limit,
        message=message,
        hint=f"read the report; if it is right: reconcile apply {DIGEST}",
    )


def _inform(
    *,
    code: str,
    observed: str,
    message: str,
    hint: str,
    subject: Subject = Subject.DELETES,
) -> Judged:
    """What is only said where it is so: it has no limit."""
    return Judged(
        stands=True,
        finding=Finding(
            code=code,
            level=Level.INFO,
            subject=subject,
            observed=observed,
            limit="",
            message=message,
            hint=hint,
        ),
    )


def _baseline(facts: Facts) -> AcceptedExport | None:
    """What this export is compared with; nothing, if it is only fed for its claims."""
    return None if facts.history else facts.ledger.last_accepted


def _some(values: tuple[str, ...]) -> str:
    """The first few, and how many more."""
    more = len(values) - _SHOWN
    return ", ".join(values[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _percent(part: int, whole: int) -> float:
    """Of nothing, everything: an empty base never makes a share look small."""
    return round(part / whole * 100, 6) if whole else 100.0 * bool(part)


def _time(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M UTC}"


def fill_of(matching: Matching) -> Mapping[str, float]:
    """The fill rates that later exports are compared with."""
    return {c: rate for c, rate in matching.fill.items() if c in _KEY_COLUMNS}
