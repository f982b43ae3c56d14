"""What becomes of the contacts when the CRM's side is another one than last night.

Last night a whole export was accepted; the contacts in 3CX are its people, each as somebody would
have typed it there, and one more whose person had left by then. Grace is one export, so that
tonight's is the one that deletes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import builders

from reconcile.core import guards, plan
from reconcile.core.match import match
from reconcile.model import (
    AcceptedExport,
    Claim,
    ClaimOrigin,
    DeleteGuard,
    LedgerView,
    Level,
    Matching,
    PbxSnapshot,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconcile.model import CrmSnapshot, Decision

RULES = plan.Rules(
    contact_types=frozenset({"3CX"}),
    protection=plan.Protection(),
    owner_tag="",
    grace_exports=1,
    grace_hours=0,
    region="DE",
)
LIMITS = guards.Limits(
    max_deletes=20,
    max_delete_percent=2.0,
    max_weekly_percent=5.0,
    max_shrink_percent=2.0,
    min_matched_percent=95.0,
)
LEAVER = 1
"""The Id of the contact whose person has left."""
_SEPARATOR = re.compile(r"[,;/\n]|:::| oder ")


class Outcome(NamedTuple):
    """What tonight would do: Ids that it deletes, and codes of what a person has to look at."""

    deletes: frozenset[int]
    findings: tuple[str, ...]
    doubts: tuple[str, ...]
    """Those of the findings that are about the export, and not about how much is deleted."""

    @property
    def unasked(self) -> frozenset[int]:
        """What would be deleted with nobody looking."""
        return frozenset() if self.findings else self.deletes


@dataclass(frozen=True)
class LastNight:
    """A whole export that was accepted, and the contacts that it made ours."""

    whole: CrmSnapshot
    pbx: PbxSnapshot
    claims: Mapping[int, Claim]
    accepted: AcceptedExport

    def then(self, tonight: CrmSnapshot) -> Outcome:
        """What comes of tonight's export."""
        (outcome,) = self.outcomes(tonight, RULES)
        return outcome

    def outcomes(self, tonight: CrmSnapshot, *rules: plan.Rules) -> list[Outcome]:
        """What comes of it by each of these rules, which differ in their grace only."""
        matching = match(tonight, self.pbx, self.claims, region=RULES.region)
        return [self._outcome(tonight, matching, rule) for rule in rules]

    def _outcome(self, tonight: CrmSnapshot, matching: Matching, rules: plan.Rules) -> Outcome:
        now = tonight.source.generated_at + timedelta(hours=1)
        decisions = _decided(tonight, self.pbx, matching, self.claims, rules, now)
        facts = guards.Facts(
            source=tonight.source,
            pbx=self.pbx,
            matching=matching,
            decisions=decisions,
            ledger=LedgerView(
                claims=self.claims,
                last_accepted=self.accepted,
                newest_generated_at=self.accepted.generated_at,
            ),
            limits=LIMITS,
            policy="{}",
            rules=plan.rules_fingerprint(tonight.source, rules),
            delete_guard=DeleteGuard.COMPARE,
            probe=None,
        )
        found = guards.evaluate(facts)
        asked = tuple(sorted(f.code for f in found if f.level is not Level.INFO))
        deleted = (d.contact.id for d in decisions if d.verdict is Verdict.DELETE)
        return Outcome(frozenset(deleted), asked, guards.doubts(found))


def last_night(whole: CrmSnapshot) -> LastNight:
    """Accept a whole export; every contact that is one of its people is claimed."""
    pbx = builders.pbx(_LEAVER, *_contacts(whole))
    now = whole.source.generated_at - timedelta(hours=23)
    leaver = plan.claim_for(pbx.contact(0), crm_id="left-1", origin=ClaimOrigin.MATCH)
    before = {LEAVER: replace(leaver, first_absent=now, absent_exports=1)}
    matching = match(whole, pbx, before, region=RULES.region)
    decisions = _decided(whole, pbx, matching, before, RULES, now)
    changes = plan.claim_changes(pbx, matching, decisions, claims=before, rules=RULES, now=now)
    claims = before | {c.contact_id: c for c in changes.renewed if c.contact_id != LEAVER}
    source = whole.source
    accepted = AcceptedExport(
        run_id=1,
        sha256="0" * 64,
        name=source.name,
        generated_at=source.generated_at - timedelta(days=1),
        accepted_at=now,
        records=source.records - source.gone,
        fill=guards.fill_of(matching),
        rules=plan.rules_fingerprint(source, RULES),
    )
    return LastNight(whole, pbx, claims, accepted)


def _decided(  # noqa: PLR0917 - all that a decision needs
    crm: CrmSnapshot,
    pbx: PbxSnapshot,
    matching: Matching,
    claims: Mapping[int, Claim],
    rules: plan.Rules,
    now: datetime,
) -> tuple[Decision, ...]:
    return plan.build(
        pbx, matching, claims=claims, rules=rules, text=crm.text, counts=True, now=now
    )


# ---------------------------------------------------------------------------- the contacts

_LEAVER = {
    "Id": LEAVER,
    "FirstName": "Lea",
    "LastName": "Gone",
    "CompanyName": "Elsewhere AG",
    "PhoneNumber": "+49 221 4710815",
    "Email": "lea.gone@example.net",
}


def _contacts(whole: CrmSnapshot) -> list[dict[str, Any]]:
    """The people of the export as contacts; every third has no number, every third no address."""
    records = whole.records.to_dict(orient="records")
    return [
        _contact(at, {str(name): str(value) for name, value in record.items()})
        for at, record in enumerate(records, start=LEAVER + 1)
        if not record["gone"]
    ]


def _contact(contact_id: int, record: Mapping[str, str]) -> dict[str, Any]:
    phones = _values(record, "phone:")
    emails = _values(record, "email:")
    if contact_id % 3 == 0 and emails:
        phones = []
    if contact_id % 3 == 1 and phones:
        emails = []
    first, *others = [*phones, "", ""]
    named = record["first_name"] or record["last_name"]
    return {
        "Id": contact_id,
        "FirstName": record["first_name"] if named else record["full_name"],
        "LastName": record["last_name"],
        "CompanyName": record["company"],
        "PhoneNumber": first,
        "Business": others[0],
        "Email": next(iter(emails), ""),
    }


def _values(record: Mapping[str, str], prefix: str) -> list[str]:
    """What stands in the columns of one kind, one value of each cell."""
    cells = (value for name, value in record.items() if name.startswith(prefix))
    return [first for cell in cells if (first := _SEPARATOR.split(cell)[0].strip("\"'= "))]
