"""Reports for a browser: one with everything in it, and large ones."""

from __future__ import annotations

from datetime import timedelta

import builders as b
from reported import result

from reconcile.model import Finding, Level, Measure, Subject, Verdict
from reconcile.report.build import build
from reconcile.report.model import (
    ChangePart,
    ContactPart,
    DriftPart,
    DuplicatePart,
    MissingPart,
    PreviousPart,
    Report,
    TrendPart,
)

FINDINGS = tuple(
    Finding(
        code=code,
        level=level,
        subject=Subject.EXPORT,
        observed="30 fewer records (3.0 %): 970, were 1000",
        limit="2 % and 10 records",
        message="The export has many fewer records than the last accepted one.",
        hint="read the report; if it is right: reconcile apply 0123456789ab",
    )
    for code, level in (
        ("export_stale", Level.BLOCK),
        ("export_shrank", Level.APPROVE),
        ("export_repeated", Level.INFO),
    )
)

MEASURES = tuple(
    Measure(code=code, observed=observed, limit=limit, level=level)
    for code, observed, limit, level in (
        ("pbx_empty", "2318 contacts", "at least 1", None),
        ("unresolved_intents", "0", "0", None),
        ("export_older", "2026-11-24 01:15 UTC", "not before 2026-11-23 01:15 UTC", None),
        ("export_shrank", FINDINGS[1].observed, FINDINGS[1].limit, Level.APPROVE),
        ("fill_moved", "at most 0.4 points", "5 points", None),
        ("matched_share", "99.1 % (2284 of 2304)", "95 %", None),
        ("too_many_deletes", "14 deletes", "20", None),
        ("too_large_share", "14 of 2304 claimed contacts (0.6 %)", "2 % and 2", None),
        ("delete_guard_unproven", "proved", 'delete_guard = "etag"', None),
    )
)


def part(contact_id: int, verdict: Verdict = Verdict.DELETE, **changes) -> ContactPart:
    values = {
        "id": contact_id,
        "verdict": verdict,
        "reason": f"CRM record C{contact_id} is absent since 2026-11-20 02:30 UTC, in 3 exports",
        "name": f"Person {contact_id}",
        "company": "ACME GmbH",
        "numbers": (f"030 1{contact_id:06}", f"+49151{contact_id:07}"),
        "email": f"person{contact_id}@acme.example",
        "crm_id": f"C{contact_id}",
        "first_absent": b.NOW - timedelta(days=4),
        "absent_exports": 3,
    }
    return ContactPart(**{**values, **changes})


def many(count: int, *, names: tuple[str, ...] = ()) -> Report:
    """So many rows, half of them to delete; the first have these names."""
    verdicts = (Verdict.DELETE, Verdict.REVIEW)
    contacts = [part(at, verdicts[at % 2]) for at in range(1, count + 1)]
    for at, name in enumerate(names):
        contacts[2 * at + 1] = contacts[2 * at + 1].model_copy(update={"name": name})
    return whole().model_copy(update={"contacts": tuple(contacts)})


def full() -> Report:
    """A contact with every verdict, and a row in every list."""
    others = {
        20: (Verdict.WAITING, {"due": b.NOW + timedelta(days=1)}),
        21: (Verdict.PROTECTED, {}),
        22: (Verdict.UNMANAGED, {"name": "", "numbers": ()}),
        23: (Verdict.OUT_OF_SCOPE, {}),
    }
    evidence = ("number +49 30 1234567 belongs to CRM record 9 (J. Do), but the names differ",)
    contacts = (
        part(7, name="Jörg Doe", numbers=("030 1234567",), evidence=evidence),
        part(8, Verdict.REVIEW, name="Eve Fox"),
        *(part(i, verdict, **changes) for i, (verdict, changes) in others.items()),
    )
    return whole().model_copy(
        update={
            "contacts": contacts,
            "drift": (DriftPart(id=1, crm_id="1", field="email", crm="new@x.de", pbx="old@x.de"),),
            "missing": (MissingPart(crm_id="2", row=3, name="Max New", company="ACME"),),
            "duplicates": (DuplicatePart(crm_id="4", name="Ann Lee", ids=(1, 9)),),
            "previous": PreviousPart(
                run=11,
                finished_at=b.NOW - timedelta(days=1),
                changes=(ChangePart(id=7, before="waiting", now="delete"),),
            ),
        }
    )


def whole() -> Report:
    """The parts around the lists, with a month of runs."""
    made = build(result(findings=FINDINGS[1:], measures=MEASURES), previous=None, masked=False)
    runs = tuple(
        TrendPart(
            run=at,
            finished_at=b.NOW - timedelta(days=30 - at),
            status="needs_approval" if at % 9 == 8 else "applied",
            matched=2300 - at,
            waiting=at % 4,
            review=3,
            delete=1 + at * 7 % 12,
            deleted=0 if at % 9 == 8 else 1 + at * 7 % 12,
        )
        for at in range(1, 30)
    )
    return made.model_copy(update={"trend": (*runs, *made.trend)})
