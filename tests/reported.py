"""What a small run found: Ann is matched, Jo is due, Eve has Ann's number."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import builders as b

from reconcile.core import plan
from reconcile.core.match import match
from reconcile.model import ContactOutcome, DeleteGuard, Plan
from reconcile.report.build import Result

RULES = plan.Rules(
    contact_types=frozenset({"3CX"}),
    protection=plan.Protection(),
    owner_tag="",
    grace_exports=1,
    grace_hours=0,
    region="DE",
)
ANN = {"Id": 1, "FirstName": "Ann", "LastName": "Lee", "PhoneNumber": "030 1111111"}
JO = {
    "Id": 7,
    "FirstName": "Jo",
    "LastName": "Doe",
    "PhoneNumber": "030 1234567",
    "CompanyName": "ACME",
    "Email": "jo@acme.example",
}
EVE = {"Id": 8, "FirstName": "Eve", "LastName": "Fox", "PhoneNumber": "030 1111111"}


def result(*, grace=1, **changes) -> Result:
    """Ann is matched, Jo is due, Eve has Ann's number."""
    crm = b.crm(
        {"id": "1", "first_name": "Ann", "last_name": "Lee", "phone": "030 1111111"},
        {"id": "2", "first_name": "Max", "last_name": "New", "phone": "030 2222222"},
    )
    pbx = b.pbx(ANN, JO, EVE)
    claims = {7: b.claim(pbx.contact(1))}
    matching = match(crm, pbx, claims, region="DE")
    rules = replace(RULES, grace_exports=grace)
    decisions = plan.build(
        pbx, matching, claims=claims, rules=rules, text=crm.text, counts=True, now=b.NOW
    )
    made = Plan(
        pbx_url=pbx.url,
        immediate=False,
        rules="r",
        state_id="s",
        source_sha256=crm.source.sha256,
        guard=DeleteGuard.ETAG,
        decisions=decisions,
        matched=1,
    )
    values = {
        "run_id": 12,
        "command": "plan",
        "mode": "review",
        "started_at": b.NOW,
        "finished_at": b.NOW + timedelta(seconds=3),
        "version": "0.1.0",
        "delete_guard": DeleteGuard.ETAG,
        "crm": crm,
        "pbx": pbx,
        "matching": matching,
        "plan": made,
    }
    return Result(**{**values, **changes})


def outcomes(*kinds):
    return tuple(
        ContactOutcome(contact_id=7 + i, outcome=kind, guard=DeleteGuard.ETAG, detail="said")
        for i, kind in enumerate(kinds)
    )
