"""A night on which everything is plausible, to change one thing of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import builders as b

from reconcile.core import guards
from reconcile.model import (
    AcceptedExport,
    Action,
    Decision,
    DeleteGuard,
    Evidence,
    LedgerView,
    Matching,
    Proof,
    Strength,
    Verdict,
)

LIMITS = guards.Limits(
    max_deletes=20,
    max_delete_percent=2.0,
    max_weekly_percent=5.0,
    max_shrink_percent=2.0,
    min_matched_percent=95.0,
)
STRONG = (
    Proof(
        kind="number",
        strength=Strength.STRONG,
        key="+49",
        crm_id="1",
        crm_row=2,
        crm_name="",
        why="",
    ),
)


def accepted(**changes):
    values = {
        "run_id": 3,
        "sha256": "0" * 64,
        "name": "contacts.csv",
        "generated_at": b.NOW - timedelta(days=1),
        "accepted_at": b.NOW - timedelta(days=1),
        "records": 1000,
        "fill": {"phone": 0.9},
        "rules": "rules",
    }
    return AcceptedExport(**{**values, **changes})


def facts(*, contacts=1000, deletes=0, lost=0, company="", vetoed=0, **changes):
    """A thousand claimed contacts that match, with `deletes` of them due and `lost` unmatched."""
    rows = [{"Id": i + 1, "CompanyName": company, "Department": ""} for i in range(contacts)]
    pbx = b.pbx(*rows)
    decisions = tuple(
        Decision(
            contact=pbx.contact(i),
            verdict=Verdict.DELETE if i < deletes else Verdict.REVIEW,
            reason="",
            evidence=Evidence(contact_id=i + 1),
            vetoed="" if i < deletes else "+49",
        )
        for i in range(deletes + vetoed)
    )
    evidence = tuple(
        Evidence(contact_id=i + 1, proofs=() if i < lost else STRONG) for i in range(contacts)
    )
    values = {
        "source": b.source(rows=1000, sha256="1" * 64),
        "pbx": pbx,
        "matching": Matching(evidence=evidence, counts_crm={}, fill={"phone": 0.9}),
        "decisions": decisions,
        "ledger": LedgerView(
            claims={i + 1: b.claim(pbx.contact(i)) for i in range(contacts)},
            last_accepted=accepted(),
            newest_generated_at=b.NOW - timedelta(days=1),
        ),
        "limits": LIMITS,
        "rules": "rules",
        "policy": "{}",
        "delete_guard": DeleteGuard.COMPARE,
        "probe": None,
    }
    return guards.Facts(**{**values, **changes})


def with_ledger(found, **changes):
    return replace(found, ledger=replace(found.ledger, **changes))


def left_open(contact_id):
    """An intent of which nobody knows what became of it."""
    return Action(
        id=contact_id,
        run_id=1,
        contact_id=contact_id,
        tombstone_id=1,
        guard=DeleteGuard.ETAG,
        intended_at=b.NOW,
        fingerprint="f",
    )
