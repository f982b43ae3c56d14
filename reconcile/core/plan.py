"""The decision table: evidence → one verdict per contact → Plan, with its digest.

The first row that fits wins.

| # | the contact                                                              | verdict        |
|---|--------------------------------------------------------------------------|----------------|
| 1 | its ContactType is not one that we manage                                | `out_of_scope` |
| 2 | strong evidence                                                          | `matched`      |
| 3 | weak or contradictory evidence, or no usable key at all                  | `review`       |
| 4 | on the protect list                                                      | `protected`    |
| 5 | no claim, and not the configured owner tag                               | `unmanaged`    |
| 6 | edited in 3CX since we last saw it matched (its grace starts again)      | `review`       |
| 7 | the raw text of the export holds one of its numbers or addresses, unseen | `review`       |
| 8 | absent, but not for long enough                                          | `waiting`      |
| 9 | otherwise                                                                | `delete`       |
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from reconcile.core import phones, sides, veto, words
from reconcile.core.evidence import Columns, columns
from reconcile.core.match import VERSION as MATCHER_VERSION
from reconcile.core.text import Agreement, agreement, name_key
from reconcile.model import (
    Claim,
    ClaimOrigin,
    Claims,
    Contact,
    Decision,
    Evidence,
    ExportSource,
    Matching,
    PbxSnapshot,
    ProtectionKind,
    Strength,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconcile.core.sides import Positions

_LEAVING: Final = (Verdict.WAITING, Verdict.DELETE)
_SEVERAL: Final = frozenset({"phone", "shared_phone", "email"})
"""Canonical columns of which an export may have any number."""
_NOT_DECIDING: Final = frozenset({"fax", "owner", "lifecycle", "modified", "company_id"})
"""Canonical columns that nothing is matched by."""
_WITHOUT_HEADER: Final = ("json", "ndjson", "vcard")
"""Formats in which a column is there if a record has a value for it."""
_KEYLESS: Final = (
    "nothing of it can be compared: it has no number or address that identifies anybody, and no"
    " name together with a company"
)
_EDITED: Final = (
    "nothing in the CRM speaks for it any more, but it was edited in 3CX since it was last judged;"
    " its grace starts again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Contacts that are never deleted, whatever the CRM says."""

    ids: frozenset[int] = frozenset()
    tags: frozenset[str] = frozenset()
    number_keys: frozenset[str] = frozenset()
    """As `phones.keys_or_text` makes them."""
    name_keys: frozenset[str] = frozenset()
    """As `text.name_key` makes them; a contact with more words in its name is protected too."""

    @classmethod
    def of(
        cls,
        *,
        ids: Iterable[int] = (),
        tags: Iterable[str] = (),
        numbers: Iterable[str] = (),
        names: Iterable[str] = (),
        region: str = "",
    ) -> Protection:
        """From what a person typed."""
        return cls(
            ids=frozenset(ids),
            tags=frozenset(filter(None, (t.strip().casefold() for t in tags))),
            number_keys=frozenset(k for n in numbers for k in phones.keys_or_text(n, region)),
            name_keys=frozenset(filter(None, map(name_key, names))),
        )

    @classmethod
    def of_entries(cls, entries: Iterable[tuple[ProtectionKind, str]], region: str) -> Protection:
        """From entries as the state keeps them."""
        named: dict[ProtectionKind, list[str]] = {kind: [] for kind in ProtectionKind}
        for kind, value in entries:
            named[kind].append(value)
        return cls.of(
            ids=map(int, named[ProtectionKind.ID]),
            tags=named[ProtectionKind.TAG],
            numbers=named[ProtectionKind.NUMBER],
            names=named[ProtectionKind.NAME],
            region=region,
        )

    def why(self, contact: Contact, region: str, *, outside_prefix: str = "") -> str:
        """Which entry protects the contact, in words; "" if none does."""
        if contact.id in self.ids:
            return f"its Id {contact.id} is on the protect list"
        if (tag := contact.field("Tag").strip()).casefold() in self.tags:
            return f"its tag {tag} is on the protect list"
        for number in contact.numbers if self.number_keys else ():
            keys = phones.keys_or_text(number, region, outside_prefix=outside_prefix)
            if self.number_keys.intersection(keys):
                return f"its number {number} is on the protect list"
        for shown in (contact.name, contact.field("CompanyName")):
            key = name_key(shown)
            if any(agreement(key, name) >= Agreement.COMPATIBLE for name in self.name_keys):
                return f"the name {shown} is on the protect list"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the decision needs to know besides the evidence."""

    contact_types: frozenset[str]
    protection: Protection
    owner_tag: str
    grace_exports: int
    grace_hours: float
    region: str
    outside_prefix: str = ""
    """What the PBX stores before the numbers that it dials."""
    immediate: bool = False
    """`--now`: row 8 is left out; such a plan is only ever applied by its digest."""

    def why_protected(self, contact: Contact) -> str:
        """Which entry of the protect list protects the contact, in words; "" if none does."""
        return self.protection.why(contact, self.region, outside_prefix=self.outside_prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One contact at the table: all that a row may look at."""

    contact: Contact
    evidence: Evidence
    claim: Claim | None
    vetoed: str
    absent_exports: int
    first_absent: datetime


def build(
    pbx: PbxSnapshot,
    matching: Matching,
    *,
    claims: Mapping[int, Claim],
    rules: Rules,
    text: str,
    counts: bool,
    now: datetime,
) -> tuple[Decision, ...]:
    """Decide on every contact that is not simply matched, in ascending order of Id.

    `text` is the export as decoded, for the veto. `counts` says whether this export is new
    evidence: only then does it count as one more in which a contact is absent.
    """
    found = columns(matching.evidence)
    undecided = _positions(pbx, found, rules, matched=False)
    cases = [
        _case(pbx.contact(at), evidence, claims, rules, counts=counts, now=now)
        for at, evidence in zip(undecided, found.some(undecided), strict=True)
    ]
    first = [decide(case, rules, now) for case in cases]
    wanted = {d.contact.id: d.evidence.unseen for d in first if d.verdict in _LEAVING}
    vetoed = veto.find(text, wanted) if wanted else {}
    decisions = [
        decide(replace(case, vetoed=vetoed[case.contact.id]), rules, now)
        if case.contact.id in vetoed
        else decision
        for case, decision in zip(cases, first, strict=True)
    ]
    return tuple(sorted(decisions, key=lambda d: d.contact.id))


def _positions(pbx: PbxSnapshot, found: Columns, rules: Rules, *, matched: bool) -> Positions:
    """Where the contacts stand in the listing that are simply matched, or all others."""
    managed = sides.among(pbx.text("ContactType"), sides.arrow(rules.contact_types))
    return np.flatnonzero((found.strong & managed) == matched)


def _case(
    contact: Contact,
    evidence: Evidence,
    claims: Mapping[int, Claim],
    rules: Rules,
    *,
    counts: bool,
    now: datetime,
) -> Case:
    claim = _standing(contact, evidence, claims, rules)
    before = claim.absent_exports if claim else 0
    if claim and claim.first_absent and claim.first_absent > now:
        before = 0  # seen by a clock that was ahead: the grace starts again
    return Case(
        contact=contact,
        evidence=evidence,
        claim=claim,
        vetoed="",
        absent_exports=before + 1 if counts else before,
        first_absent=(claim.first_absent if claim and before else None) or now,
    )


def _standing(
    contact: Contact, evidence: Evidence, claims: Mapping[int, Claim], rules: Rules
) -> Claim | None:
    """The claim that stands: ours, or the owner tag's for as long as the contact carries it.

    A tagged contact that looks like another person keeps its old claim for tonight, so that it is
    found edited and a person looks at it.
    """
    claim = claims.get(contact.id)
    tagged = bool(rules.owner_tag) and contact.field("Tag") == rules.owner_tag
    if claim is None:
        return claim_for(contact, crm_id="", origin=ClaimOrigin.TAG) if tagged else None
    if tagged:
        return claim
    return claim if evidence.same_person and claim.origin is not ClaimOrigin.TAG else None


def claim_for(contact: Contact, *, crm_id: str, origin: ClaimOrigin, claimed_by: str = "") -> Claim:
    """A fresh claim on a contact as it is now."""
    return Claim(
        contact_id=contact.id,
        crm_id=crm_id,
        name=contact.name or contact.field("CompanyName"),
        fingerprint=contact.fingerprint,
        origin=origin,
        claimed_by=claimed_by,
    )


def decide(case: Case, rules: Rules, now: datetime) -> Decision:  # noqa: PLR0911 - a row, a return
    """The table of the module's docstring, row by row."""
    contact, evidence, claim = case.contact, case.evidence, case.claim
    kind = contact.field("ContactType")
    if kind not in rules.contact_types:
        why = f"its contact type is {kind or 'not given'}, so it is not managed"
        return _verdict(case, Verdict.OUT_OF_SCOPE, why)
    if evidence.strength is Strength.STRONG:
        return _verdict(case, Verdict.MATCHED, words.sentence(evidence.proofs[0], contact.name))
    if evidence.strength is Strength.WEAK:
        return _verdict(case, Verdict.REVIEW, words.sentence(evidence.proofs[0], contact.name))
    if not evidence.has_key:
        return _verdict(case, Verdict.REVIEW, _KEYLESS)
    if why := rules.why_protected(contact):
        return _verdict(case, Verdict.PROTECTED, why)
    if claim is None:
        return _verdict(case, Verdict.UNMANAGED, _unclaimed(evidence))
    if claim.fingerprint != contact.fingerprint:
        return _verdict(case, Verdict.REVIEW, _EDITED)
    if case.vetoed:
        held = words.number(case.vetoed)
        why = f"the text of the export still holds {held}, in a place that is not read"
        return _verdict(case, Verdict.REVIEW, why)
    if not rules.immediate and not _grace_is_over(case, rules, now):
        return _verdict(case, Verdict.WAITING, _absent(case, rules), due=_due(case, rules))
    return _verdict(case, Verdict.DELETE, _absent(case, rules))


def _verdict(case: Case, verdict: Verdict, reason: str, *, due: datetime | None = None) -> Decision:
    absent = verdict in _LEAVING
    return Decision(
        contact=case.contact,
        verdict=verdict,
        reason=reason,
        evidence=case.evidence,
        crm_id=case.claim.crm_id if case.claim else "",
        first_absent=case.first_absent if absent else None,
        absent_exports=case.absent_exports if absent else 0,
        due=due,
        vetoed=case.vetoed if verdict is Verdict.REVIEW else "",
    )


def _unclaimed(evidence: Evidence) -> str:
    if evidence.same_person:
        return "nothing proves that it came from the CRM, so it is not ours to delete"
    return "its Id now belongs to somebody else than the one we knew, so it is not ours to delete"


def _due(case: Case, rules: Rules) -> datetime:
    return case.first_absent + timedelta(hours=rules.grace_hours)


def _grace_is_over(case: Case, rules: Rules, now: datetime) -> bool:
    return case.absent_exports >= rules.grace_exports and now >= _due(case, rules)


def _absent(case: Case, rules: Rules) -> str:
    """In words since when and in how many exports the contact's person is absent."""
    crm_id = case.claim.crm_id if case.claim else ""
    who = f"CRM record {crm_id} is absent" if crm_id else "nothing in the CRM speaks for it"
    since = case.first_absent.strftime("%Y-%m-%d %H:%M UTC")
    count = case.absent_exports
    exports = f"{count} export{'' if count == 1 else 's'}"
    return f"{who} since {since}, in {exports} (needed: {rules.grace_exports})"


def without_deletes(decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
    """The same decisions of an export that proves no absence: nothing is due because of it."""
    why = "; an older export proves no absence"
    return tuple(
        replace(d, verdict=Verdict.WAITING, reason=d.reason + why)
        if d.verdict is Verdict.DELETE
        else d
        for d in decisions
    )


def rules_fingerprint(source: ExportSource, rules: Rules) -> str:
    """SHA-256 of what decides a match: another one means that every key may have moved.

    Limits, grace and protection are no part of it: they can't make a contact look absent.
    """
    columns = sorted(set(_deciding(source)))
    document = [
        MATCHER_VERSION,
        rules.region,
        rules.outside_prefix,
        sorted(rules.contact_types),
        columns,
    ]
    return hashlib.sha256(json.dumps(document).encode("ascii")).hexdigest()


def _deciding(source: ExportSource) -> Iterator[tuple[str, str]]:
    """The columns that decide a match, as (header, reads as).

    How many columns of a kind there are depends on who has the most numbers (`Phone 3 - Value`),
    and in JSON and vCards a column is there if a record has it: neither is another way of reading.
    """
    has_header = not source.format.startswith(_WITHOUT_HEADER)
    for column in source.columns:
        if column.reads_as in _SEVERAL:
            yield re.sub(r"[0-9]+", "#", column.header) if has_header else "", column.reads_as
        elif column.reads_as and column.reads_as not in _NOT_DECIDING:
            yield column.header, column.reads_as


# ---------------------------------------------------------------------------- what to remember


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimChanges:
    """What an accepted export changes in the ledger."""

    renewed: Sequence[Claim]
    """New, or different from what the ledger holds."""
    released: tuple[int, ...]
    """Contacts that are no longer listed or no longer ours: an Id reused, a tag taken off."""
    returned: tuple[Claim, ...] = ()
    """Claims whose absence ends even if the export is in doubt: somebody was seen in it."""


def claim_changes(
    pbx: PbxSnapshot,
    matching: Matching,
    decisions: tuple[Decision, ...],
    *,
    claims: Mapping[int, Claim],
    rules: Rules,
    now: datetime,
    history: bool = False,
) -> ClaimChanges:
    """What to remember of an export that is accepted.

    A `history` export, an older one fed by hand, makes claims where there are none and touches
    nothing else: what it lacks is no absence.
    """
    matched = _matched_claims(pbx, matching, claims, rules)
    if history:
        new = [row for row in matched if row[0] not in claims]
        return ClaimChanges(renewed=Claims(new), released=())
    after = (_claim_after(decision, claims, rules, now) for decision in decisions)
    rows = [*matched, *map(Claims.row, filter(None, after))]
    before = {contact_id: Claims.row(claim) for contact_id, claim in claims.items()}
    kept = {row[0] for row in rows}
    absent = {d.contact.id for d in decisions if d.verdict in _LEAVING}
    return ClaimChanges(
        renewed=Claims([row for row in rows if before.get(row[0]) != row]),
        released=tuple(sorted(claims.keys() - kept)),
        returned=tuple(
            replace(claims[i], first_absent=None, absent_exports=0)
            for i in sorted(claims.keys() & set(pbx.ids) - absent)
            if claims[i].absent_exports
        ),
    )


def _matched_claims(
    pbx: PbxSnapshot, matching: Matching, claims: Mapping[int, Claim], rules: Rules
) -> Iterator[tuple[Any, ...]]:
    """The claim of each matched contact that we manage, as a row of `Claims`.

    What keeps a contact does not always own it: an address that both have makes no claim while the
    names differ. A claim that is there already stays, on the record that it was made for.
    """
    found = columns(matching.evidence)
    matched = _positions(pbx, found, rules, matched=True)
    names, companies, fingerprints = pbx.names, pbx.column("CompanyName"), pbx.fingerprints
    seen = [(names[at] or companies[at], fingerprints[at]) for at in matched.tolist()]
    ids, best = found.contact_ids[matched].tolist(), found.best(matched)
    rows = zip(
        ids,
        found.same_person[matched].tolist(),
        best["owns"].to_pylist(),
        best["crm_id"].to_pylist(),
        seen,
        strict=True,
    )
    for contact_id, same_person, owns, crm_id, of_contact in rows:
        if owns:
            yield contact_id, crm_id, *of_contact, ClaimOrigin.MATCH, "", None, 0
        elif same_person and (claim := claims.get(contact_id)):
            yield contact_id, claim.crm_id, *of_contact, claim.origin, claim.claimed_by, None, 0


def _claim_after(
    decision: Decision, claims: Mapping[int, Claim], rules: Rules, now: datetime
) -> Claim | None:
    """The claim of a contact that is not matched, after this export; None if it has none."""
    contact, evidence = decision.contact, decision.evidence
    claim = _standing(contact, evidence, claims, rules)
    if claim is None or (contact.id not in claims and decision.verdict is Verdict.OUT_OF_SCOPE):
        return None
    if not evidence.same_person:
        claim = claim_for(contact, crm_id="", origin=ClaimOrigin.TAG)
    if decision.verdict in _LEAVING:
        return replace(
            claim,
            first_absent=decision.first_absent if decision.absent_exports else None,
            absent_exports=decision.absent_exports,
        )
    # Any doubt starts the grace again, and an edit is what later ones are compared with.
    return replace(
        claim,
        fingerprint=contact.fingerprint,
        first_absent=claim.first_absent or now,
        absent_exports=0,
    )
