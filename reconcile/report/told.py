"""What every renderer says alike: the next step, the lists and their order, why, and when.

Plain sentences; whoever prints them makes them inert (`report.inert`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconcile.model import DeleteGuard, Level, Outcome, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from reconcile.report.model import ContactPart, FindingPart, PbxPart, Report

COMPARE: Final = (
    "The guard `compare` re-reads each contact right before its delete: that narrows the window for"
    " an edit in between, and can't close it."
)
APPLIED: Final = "applied"
"""Name of the list of contacts that were tried to be deleted."""
GUARDS: Final = {
    "pbx_empty": "3CX lists contacts",
    "pbx_shrank": "Claimed contacts that others removed",
    "unresolved_intents": "Deletes that an earlier run left open",
    "export_older": "The export is not older than the last",
    "clock_moved": "The export is not older than the last",
    "export_repeated": "The export is a new one",
    "export_history": "The export is an old one, fed by hand",
    "sentinel_missing": "Records that must always be there",
    "manifest_missing": "A manifest, once there was one",
    "export_shrank": "Fewer records than last time",
    "export_shrinking": "Fewer records within a week",
    "fill_moved": "Columns filled as before",
    "numbers_lost": "Numbers without their last digits",
    "rules_changed": "What decides a match is as before",
    "matched_share": "Contacts that still match",
    "too_many_deletes": "Deletes at once",
    "too_large_share": "Part of the claimed contacts",
    "too_many_in_a_week": "Deletes within a week",
    "group_lost": "Largest loss of a company or department",
    "vetoes": "Absent, and still in the export's text",
    "without_grace": "Planned without grace",
    "policy_loosened": "The configuration allows no more than before",
    "stop_file": "A file stops deletes",
    "frozen": "Deletes are frozen",
    "protection_kept": "Protections that the configuration lost",
    "delete_guard_unavailable": "The delete guard",
    "delete_guard_unproven": "The delete guard",
}
"""What each guard looks at, by the code of its finding."""
_SAYS: Final = {Level.BLOCK: "stops it", Level.APPROVE: "asks a person", Level.INFO: "to know"}
_LISTS: Final = (
    (Verdict.DELETE, "To delete", "Nothing in the CRM speaks for them, and the grace is over."),
    (Verdict.WAITING, "Absent, waiting out the grace", "They are deleted later, or come back."),
    (
        Verdict.REVIEW,
        "For a person to look at",
        "Kept: something speaks for them, but not clearly. Mend the CRM or 3CX, or leave them.",
    ),
    (Verdict.PROTECTED, "Protected", "Kept, whatever the CRM says."),
    (
        Verdict.UNMANAGED,
        "Not ours",
        "Kept: nothing proves that they came from the CRM, so they are never deleted.",
    ),
    (Verdict.OUT_OF_SCOPE, "Of another type", "Kept: contacts of this type are not managed."),
    (Verdict.MATCHED, "Matched", "Kept: the CRM has them."),
)


@dataclass(frozen=True, slots=True)
class ContactList:
    """Contacts that belong together in a report."""

    name: str
    """The verdict, or `APPLIED`."""
    title: str
    lead: str
    """What becomes of them."""
    rows: Sequence[ContactPart]


def lists(report: Report) -> list[ContactList]:
    """Every contact of the report in one list, in the order in which the lists matter.

    What is to be deleted begins with what a person should look at first: contacts for which
    something in the CRM speaks, though too little, and contacts without a name.
    """
    tried = [c for c in report.contacts if c.outcome is not None]
    rest = [c for c in report.contacts if c.outcome is None]
    what = "What became of each contact that was approved."
    found = [ContactList(APPLIED, "Applied", what, tried)]
    for verdict, title, lead in _LISTS:
        rows = [c for c in rest if c.verdict is verdict]
        if verdict is Verdict.DELETE:
            rows.sort(key=lambda c: (not c.evidence, bool(c.name)))
        found.append(ContactList(verdict.value, title, lead, rows))
    return found


def seen(finding: FindingPart) -> str:
    """`30 fewer (limit 2 %). `, before the message; "" for a finding without a value."""
    limit = f" (limit {finding.limit})" if finding.limit else ""
    return f"{finding.observed}{limit}. " if finding.observed else ""


def guard(code: str) -> str:
    """What a guard looks at; of a later version's guard, its code."""
    return GUARDS.get(code, code.replace("_", " "))


def says(level: Level | None) -> str:
    """What a guard says of the value that it saw."""
    return "fine" if level is None else _SAYS[level]


def next_step(report: Report) -> str:
    """What to do now, as one sentence with the command."""
    digest = report.digest[:12]
    match report.status:
        case Status.BLOCKED:
            hints = [f.hint for f in report.findings if f.level is Level.BLOCK and f.hint]
            return f"Next: {hints[0]}" if hints else "Next: reconcile doctor"
        case Status.WAITING | Status.NEEDS_APPROVAL if report.approve_until is None:
            return "This plan was not recorded, so it can't be applied. Next: reconcile plan"
        case Status.WAITING | Status.NEEDS_APPROVAL:
            until = f"until {moment(report.approve_until)}"
            return f"Next: if this is right, reconcile apply {digest} ({until})"
        case Status.APPLIED | Status.PARTIAL if has_deleted(report):
            return f"To undo: reconcile restore --run {report.run.id}"
        case Status.PARTIAL | Status.INTERRUPTED:
            return "Next: reconcile plan"
        case _:
            return "Nothing to do."


def sum_of(counts: Mapping[str, int]) -> str:
    """`3 read = 2 matched + 1 delete`; where the sides were not compared there is no sum."""
    if not any(counts.values()):
        return "not compared"
    shown = [
        f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items() if n and name != "read"
    ]
    return f"{counts.get('read', 0):,} read = {' + '.join(shown) or 0}"


def has_deleted(report: Report) -> bool:
    """Whether the run deleted anybody."""
    return any(c.outcome is Outcome.DELETED for c in report.contacts)


def undo(report: Report) -> str:
    """How what was deleted is put back, or would be."""
    if has_deleted(report):
        return f"reconcile restore --run {report.run.id} puts back what this run deleted."
    return (
        "Each contact is stored whole before it is deleted. What a run has deleted can be put back"
        " for as long as state.keep_days says: reconcile restore --run with the number of that run."
    )


def which_run(report: Report) -> str:
    """`run 12`, or that it left no record."""
    return f"run {report.run.id}" if report.run.id is not None else "unrecorded run"


def moment(when: datetime | None) -> str:
    """`2026-11-24 02:30 UTC`; "" for none."""
    return f"{when:%Y-%m-%d %H:%M UTC}" if when else ""


def probed(pbx: PbxPart) -> str:
    """What the delete guard rests on."""
    if pbx.probe is None:
        return "Nothing is proved yet about the ETags of this version of 3CX."
    return f"probed {moment(pbx.probe.probed_at)}: {pbx.probe.detail}"


def narrows(pbx: PbxPart) -> str:
    """What the guard can't do; "" for one that closes the window."""
    return COMPARE if pbx.delete_guard is DeleteGuard.COMPARE else ""


def why(part: ContactPart) -> str:
    """The reason of the verdict, and what became of the contact."""
    due = f"; due from {moment(part.due)}" if part.due else ""
    if part.outcome is None:
        return part.reason + due
    detail = part.outcome_detail.rstrip(".")
    return f"{part.outcome.value} ({detail}; guard {part.guard}); {part.reason}"
