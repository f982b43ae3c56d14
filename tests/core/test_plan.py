"""The decision table, a row a test, and what an accepted export leaves in the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import builders as b
import pytest

from reconcile.core import plan
from reconcile.core.match import match
from reconcile.model import (
    ClaimOrigin,
    Decision,
    DeleteGuard,
    Evidence,
    ExportColumn,
    Plan,
    Proof,
    ProtectionKind,
    Strength,
    Verdict,
)

RULES = plan.Rules(
    contact_types=frozenset({"3CX"}),
    protection=plan.Protection(),
    owner_tag="",
    grace_exports=2,
    grace_hours=20,
    region="DE",
)
OTHERS = b.crm({"id": "1", "first_name": "Ann", "last_name": "Lee", "phone": "030 1111111"})
JO = {"Id": 7, "FirstName": "Jo", "LastName": "Doe", "PhoneNumber": "+49301234567"}


def decide(contact, *, crm=OTHERS, claims="own", rules=RULES, counts=True, now=b.NOW):
    """The decision on one contact; None if it is simply matched."""
    pbx = b.pbx(contact)
    if claims == "own":
        claims = {contact["Id"]: b.claim(pbx.contact(0))}
    matching = match(crm, pbx, claims, region="DE")
    decisions = plan.build(
        pbx, matching, claims=claims, rules=rules, text=crm.text, counts=counts, now=now
    )
    return decisions[0] if decisions else None


def absent_for(exports, hours):
    """A claim on JO that was absent before this export."""
    contact = b.pbx(JO).contact(0)
    return {
        7: b.claim(contact, absent_exports=exports, first_absent=b.NOW - timedelta(hours=hours))
    }


# ------------------------------------------------------------------ the rows

NOTHING_TO_COMPARE = (
    "nothing of it can be compared: it has no number or address that identifies anybody, and no"
    " name together with a company"
)
DOE = b.contact(7, FirstName="Jo", LastName="Doe", PhoneNumber="+49301234567")


def proof(strength, crm_id="4711"):
    """Its number is that of a record."""
    why = "and the names agree" if strength is Strength.STRONG else "but the names differ"
    return Proof(
        kind="number",
        strength=strength,
        key="+49301234567",
        crm_id=crm_id,
        crm_row=2,
        crm_name="Jo Doe",
        why=why,
    )


@pytest.mark.parametrize("claimed", [True, False])
@pytest.mark.parametrize(
    ("evidence", "verdict", "reason"),
    [
        (
            Evidence(contact_id=7, proofs=(proof(Strength.STRONG), proof(Strength.WEAK, "9"))),
            Verdict.MATCHED,
            "number +49 30 1234567 belongs to CRM record 4711, and the names agree",
        ),
        (
            Evidence(contact_id=7, proofs=(proof(Strength.WEAK), proof(Strength.WEAK, "9"))),
            Verdict.REVIEW,
            "number +49 30 1234567 belongs to CRM record 4711, but the names differ",
        ),
        (
            Evidence(contact_id=7, has_key=False),
            Verdict.REVIEW,
            NOTHING_TO_COMPARE,
        ),
    ],
)
def test_what_is_no_absence_has_its_reason_and_no_dates(evidence, verdict, reason, claimed):
    case = plan.Case(
        contact=DOE,
        evidence=evidence,
        claim=b.claim(DOE) if claimed else None,
        vetoed="+49301234567",
        absent_exports=3,
        first_absent=b.NOW - timedelta(days=9),
    )
    assert plan.decide(case, RULES, b.NOW) == Decision(
        contact=DOE,
        verdict=verdict,
        reason=reason,
        evidence=evidence,
        crm_id="4711" if claimed else "",
        first_absent=None,
        absent_exports=0,
        due=None,
        vetoed="+49301234567" if verdict is Verdict.REVIEW else "",
    )


def test_row_1_another_type_is_out_of_scope_even_if_it_matches():
    contact = {**JO, "ContactType": "M365", "PhoneNumber": "030 1111111", "LastName": "Lee"}
    assert decide(contact).verdict is Verdict.OUT_OF_SCOPE


def test_row_1_no_type_at_all_is_out_of_scope():
    found = decide({**JO, "ContactType": ""})
    assert found.verdict is Verdict.OUT_OF_SCOPE
    assert found.reason == "its contact type is not given, so it is not managed"


def test_row_2_strong_evidence_is_matched_and_stands_in_no_list():
    assert decide({**JO, "FirstName": "Ann", "LastName": "Lee", "Home": "030 1111111"}) is None


def test_row_3_weak_evidence_is_for_a_person():
    found = decide({**JO, "Home": "030 1111111"})
    assert found.verdict is Verdict.REVIEW
    assert "the names differ" in found.reason


def test_row_3_a_contact_without_any_key_is_for_a_person():
    found = decide({"Id": 7, "FirstName": "Jo"})
    assert found.verdict is Verdict.REVIEW


@pytest.mark.parametrize(
    "protection",
    [
        plan.Protection.of(ids=[7]),
        plan.Protection.of(tags=["vip "]),
        plan.Protection.of(numbers=["030 1234567"], region="DE"),
        plan.Protection.of(numbers=["*21"], region="DE"),
        plan.Protection.of(names=["Doe"]),
        plan.Protection.of(names=["acme"]),
    ],
)
def test_row_4_protected_by_id_tag_number_or_name(protection):
    contact = {**JO, "Tag": " VIP", "CompanyName": "ACME", "Pager": "*21"}
    found = decide(contact, rules=replace(RULES, protection=protection))
    assert found.verdict is Verdict.PROTECTED
    assert "protect list" in found.reason


def test_protections_come_back_from_the_state_as_they_were_typed():
    entries = [
        (ProtectionKind.ID, "7"),
        (ProtectionKind.ID, "8"),
        (ProtectionKind.TAG, "vip"),
        (ProtectionKind.NUMBER, "030 1234567"),
        (ProtectionKind.NAME, "Doe"),
    ]
    typed = {"ids": [7, 8], "tags": ["vip"], "numbers": ["030 1234567"], "names": ["Doe"]}
    assert plan.Protection.of_entries(entries, "DE") == plan.Protection.of(**typed, region="DE")
    assert plan.Protection.of_entries([], "DE") == plan.Protection()


@pytest.mark.parametrize(("prefix", "verdict"), [("0", "protected"), ("", "waiting")])
def test_row_4_knows_a_number_behind_the_prefix_of_an_outside_line(prefix, verdict):
    protection = plan.Protection.of(numbers=["040 7654321"], region="DE")
    rules = replace(RULES, protection=protection, outside_prefix=prefix)
    assert decide({**JO, "Home": "0040 7654321"}, rules=rules).verdict == verdict


def test_row_4_protects_nobody_else():
    protection = plan.Protection.of(
        ids=[8], tags=["x", ""], numbers=["030 7777777"], names=["Ann Lee", ""], region="DE"
    )
    found = decide(JO, rules=replace(RULES, protection=protection))
    assert found.verdict is Verdict.WAITING


def test_row_5_what_never_matched_is_unmanaged():
    found = decide(JO, claims={})
    assert found.verdict is Verdict.UNMANAGED
    assert found.reason == ("nothing proves that it came from the CRM, so it is not ours to delete")


def test_row_5_an_id_of_somebody_else_is_unmanaged():
    known = {7: b.claim(b.pbx(JO).contact(0), name="Ann Lee", fingerprint="as it was")}
    found = decide(JO, claims=known)
    assert found.verdict is Verdict.UNMANAGED
    assert found.reason == (
        "its Id now belongs to somebody else than the one we knew, so it is not ours to delete"
    )


@pytest.mark.parametrize(
    ("crm_id", "before", "reason"),
    [
        ("4711", 0, "CRM record 4711 is absent since 2026-11-24 02:30 UTC, in 1 export"),
        ("", 1, "nothing in the CRM speaks for it since 2026-11-23 06:30 UTC, in 2 exports"),
    ],
)
def test_row_7_says_who_is_absent_since_when_and_in_how_many_exports(crm_id, before, reason):
    claims = absent_for(before, 20)
    found = decide(JO, claims={7: replace(claims[7], crm_id=crm_id)})
    assert found.reason == f"{reason} (needed: 2)"


def test_row_5_an_id_of_somebody_else_now_is_unmanaged():
    known = b.claim(b.pbx(JO).contact(0), name="Ann Lee", fingerprint="as it was")
    found = decide(JO, claims={7: known})
    assert found.verdict is Verdict.UNMANAGED
    assert "somebody else" in found.reason


def test_row_5_the_owner_tag_counts_as_a_claim():
    rules = replace(RULES, owner_tag="crm")
    assert decide({**JO, "Tag": "crm"}, claims={}, rules=rules).verdict is Verdict.WAITING
    assert decide({**JO, "Tag": "other"}, claims={}, rules=rules).verdict is Verdict.UNMANAGED


def test_row_5_an_empty_tag_is_never_the_owner_tag():
    assert decide({**JO, "Tag": ""}, claims={}).verdict is Verdict.UNMANAGED


def test_row_6_an_edit_in_3cx_is_for_a_person():
    found = decide(JO, claims={7: b.claim(b.pbx(JO).contact(0), fingerprint="as it was")})
    assert found.verdict is Verdict.REVIEW
    assert "edited" in found.reason


def test_row_7_a_number_that_the_text_still_holds_is_for_a_person():
    crm = replace(OTHERS, text=OTHERS.text + "Notes\nold: (0)30-123 45 67\n")
    found = decide(JO, crm=crm)
    assert found.verdict is Verdict.REVIEW
    assert found.vetoed == "+49301234567"
    held = "the text of the export still holds +49 30 1234567, in a place that is not read"
    assert found.reason == held


def test_row_7_an_export_without_text_keeps_everybody():
    assert decide(JO, crm=replace(OTHERS, text="")).verdict is Verdict.REVIEW


@pytest.mark.parametrize(("exports", "hours"), [(0, 100), (1, 19.9)])
def test_row_8_absent_but_not_for_long_enough_waits(exports, hours):
    found = decide(JO, claims=absent_for(exports, hours))
    assert found.verdict is Verdict.WAITING
    assert found.due == found.first_absent + timedelta(hours=20)
    assert found.absent_exports == exports + 1


def test_row_9_absent_for_long_enough_is_deleted():
    found = decide(JO, claims=absent_for(1, 20))
    assert found.verdict is Verdict.DELETE
    assert found.reason == (
        "CRM record 4711 is absent since 2026-11-23 06:30 UTC, in 2 exports (needed: 2)"
    )


def test_row_9_an_adopted_contact_has_no_record_to_name():
    contact = b.pbx(JO).contact(0)
    claims = {7: b.claim(contact, crm_id="", origin=ClaimOrigin.ADOPT)}
    found = decide(JO, claims=claims, rules=replace(RULES, immediate=True))
    assert found.verdict is Verdict.DELETE
    assert found.reason.startswith("nothing in the CRM speaks for it since")


def test_the_same_export_again_does_not_count():
    found = decide(JO, claims=absent_for(1, 100), counts=False)
    assert (found.verdict, found.absent_exports) == (Verdict.WAITING, 1)


def test_without_grace_an_absent_contact_is_deleted_at_once():
    assert decide(JO, rules=replace(RULES, immediate=True)).verdict is Verdict.DELETE


def test_without_grace_an_edited_contact_is_still_for_a_person():
    rules = replace(RULES, immediate=True)
    claims = {7: b.claim(b.pbx(JO).contact(0), fingerprint="as it was")}
    assert decide(JO, claims=claims, rules=rules).verdict is Verdict.REVIEW


def test_an_old_export_makes_no_deletes():
    found = decide(JO, claims=absent_for(5, 100))
    (kept,) = plan.without_deletes((found,))
    assert kept.verdict is Verdict.WAITING
    assert kept.reason.endswith("an older export proves no absence")


# ------------------------------------------------------------------ the ledger afterwards


def changes(*contacts, crm=OTHERS, claims=None, rules=RULES, counts=True, **more):
    pbx = b.pbx(*contacts)
    claims = {contacts[0]["Id"]: b.claim(pbx.contact(0))} if claims is None else claims
    matching = match(crm, pbx, claims, region="DE")
    decisions = plan.build(
        pbx, matching, claims=claims, rules=rules, text=crm.text, counts=counts, now=b.NOW
    )
    return plan.claim_changes(
        pbx, matching, decisions, claims=claims, rules=rules, now=b.NOW, **more
    )


ANN = {"Id": 1, "FirstName": "Ann", "LastName": "Lee", "PhoneNumber": "+49301111111"}


def test_a_match_makes_a_claim():
    (made,) = changes(ANN, claims={}).renewed
    assert (made.contact_id, made.crm_id, made.name) == (1, "1", "Ann Lee")
    assert made.fingerprint == b.pbx(ANN).contact(0).fingerprint


def test_a_match_behind_a_contact_that_has_none_makes_a_claim_too():
    (made,) = changes({**JO, "Id": 1}, {**ANN, "Id": 2}, claims={}).renewed
    assert made.contact_id == 2


def test_a_claim_on_a_contact_without_a_person_is_called_by_its_company():
    company = b.contact(7, CompanyName="ACME GmbH")
    claim = plan.claim_for(company, crm_id="", origin=ClaimOrigin.ADOPT, claimed_by="anna")
    assert (claim.name, claim.claimed_by) == ("ACME GmbH", "anna")
    assert plan.claim_for(company, crm_id="", origin=ClaimOrigin.MATCH).claimed_by == ""


def test_a_match_of_another_type_makes_no_claim():
    assert changes({**ANN, "ContactType": "M365"}, claims={}).renewed == ()


def test_an_unchanged_claim_is_not_written_again():
    claims = {1: b.claim(b.pbx(ANN).contact(0), crm_id="1")}
    assert changes(ANN, claims=claims).renewed == ()


def test_an_absence_counts_and_begins_now():
    (claim,) = changes(JO).renewed
    assert (claim.absent_exports, claim.first_absent) == (1, b.NOW)


def test_the_same_export_again_begins_no_absence():
    assert changes(JO, counts=False).renewed == ()


def test_coming_back_ends_the_absence():
    before = b.claim(b.pbx(ANN).contact(0), crm_id="1", absent_exports=1, first_absent=b.NOW)
    (claim,) = changes(ANN, claims={1: before}).renewed
    assert (claim.absent_exports, claim.first_absent) == (0, None)


def test_an_edit_starts_the_grace_again_from_the_new_content():
    before = b.claim(b.pbx(JO).contact(0), fingerprint="as it was", absent_exports=1)
    (claim,) = changes(JO, claims={7: before}).renewed
    assert claim.absent_exports == 0
    assert claim.fingerprint == b.pbx(JO).contact(0).fingerprint


def test_a_doubt_starts_the_grace_again():
    contact = {**JO, "Home": "030 1111111"}
    since = b.NOW - timedelta(hours=20)
    before = b.claim(b.pbx(contact).contact(0), absent_exports=1, first_absent=since)
    (claim,) = changes(contact, claims={7: before}).renewed
    assert (claim.absent_exports, claim.first_absent) == (0, since)


def test_a_doubt_is_remembered_as_the_moment_since_when_nothing_matches():
    """Who did not match the last time is none of those whom the next export must match again."""
    (claim,) = changes({**JO, "Home": "030 1111111"}).renewed
    assert (claim.absent_exports, claim.first_absent) == (0, b.NOW)


def test_protection_starts_the_grace_again():
    """Taking it away must not delete the same night."""
    rules = replace(RULES, protection=plan.Protection.of(ids=[7]))
    (claim,) = changes(JO, claims=absent_for(3, 100), rules=rules).renewed
    assert claim.absent_exports == 0


@pytest.mark.parametrize(
    ("ahead", "exports", "since"),
    [(0, 2, b.NOW), (1, 1, b.NOW)],
)
def test_an_absence_that_begins_in_the_future_begins_now(ahead, exports, since):
    """A clock was ahead when it was seen: else nobody would be due until that time comes."""
    contact = b.pbx(JO).contact(0)
    seen = b.claim(contact, absent_exports=1, first_absent=b.NOW + timedelta(seconds=ahead))
    found = decide(JO, claims={7: seen})
    assert (found.absent_exports, found.first_absent) == (exports, since)


def test_the_hours_of_grace_start_with_the_exports():
    before = b.claim(b.pbx(JO).contact(0), first_absent=b.NOW - timedelta(days=9))
    found = decide(JO, claims={7: before}, rules=replace(RULES, grace_exports=1))
    assert (found.verdict, found.first_absent) == (Verdict.WAITING, b.NOW)


def test_an_absence_that_was_seen_to_end_is_returned_even_in_doubt():
    before = b.claim(b.pbx(ANN).contact(0), crm_id="1", absent_exports=1, first_absent=b.NOW)
    (claim,) = changes(ANN, claims={1: before}).returned
    assert (claim.absent_exports, claim.first_absent) == (0, None)
    assert changes(JO, claims=absent_for(1, 20)).returned == ()


def test_a_contact_that_is_no_longer_listed_loses_its_claim():
    claims = {99: b.claim(b.contact(99, FirstName="X"))}
    assert changes(ANN, claims=claims).released == (99,)


def test_an_id_of_somebody_else_loses_its_claim():
    claims = {7: b.claim(b.pbx(JO).contact(0), name="Ann Lee", fingerprint="as it was")}
    found = changes(JO, claims=claims)
    assert (found.renewed, found.released) == ((), (7,))


def test_a_reused_id_that_matches_is_claimed_anew():
    claims = {1: b.claim(b.pbx(ANN).contact(0), name="Jo Doe", fingerprint="as it was")}
    found = changes(ANN, claims=claims)
    assert found.renewed[0].name == "Ann Lee"
    assert found.released == ()


def test_an_owner_tag_makes_a_claim_that_grace_is_counted_on():
    (claim,) = changes(
        {**JO, "Tag": "crm"}, claims={}, rules=replace(RULES, owner_tag="crm")
    ).renewed
    assert (claim.origin, claim.crm_id, claim.absent_exports) == (ClaimOrigin.TAG, "", 1)


def test_a_tagged_contact_that_looks_like_another_person_is_for_a_person_first():
    rules = replace(RULES, owner_tag="crm")
    contact = {**JO, "Tag": "crm"}
    known = {7: b.claim(b.pbx(contact).contact(0), name="Ann Lee", fingerprint="as it was")}
    assert decide(contact, claims=known, rules=rules).verdict is Verdict.REVIEW
    (claim,) = changes(contact, claims=known, rules=rules).renewed
    assert (claim.origin, claim.name, claim.absent_exports) == (ClaimOrigin.TAG, "Jo Doe", 0)
    assert claim.crm_id == ""


def test_a_claim_by_tag_ends_with_the_tag():
    known = {7: b.claim(b.pbx(JO).contact(0), crm_id="", origin=ClaimOrigin.TAG)}
    rules = replace(RULES, owner_tag="crm")
    assert decide(JO, claims=known, rules=rules).verdict is Verdict.UNMANAGED
    assert changes(JO, claims=known, rules=rules).released == (7,)
    tagged = {**JO, "Tag": "crm"}
    known = {7: b.claim(b.pbx(tagged).contact(0), crm_id="", origin=ClaimOrigin.TAG)}
    assert decide(tagged, claims=known).verdict is Verdict.UNMANAGED


def test_an_address_of_somebody_with_another_name_keeps_and_does_not_claim():
    crm = b.crm({"id": "2", "first_name": "Ann", "last_name": "Lee", "email": "ann@x.de"})
    porter = {**JO, "Email": "ann@x.de"}
    assert changes(porter, crm=crm, claims={}).renewed == ()
    own = {"origin": ClaimOrigin.ADOPT, "claimed_by": "anna"}
    known = b.claim(b.pbx(porter).contact(0), absent_exports=1, first_absent=b.NOW, **own)
    (claim,) = changes(porter, crm=crm, claims={7: known}).renewed
    assert claim == replace(known, absent_exports=0, first_absent=None)


def test_an_address_keeps_no_claim_that_was_another_persons():
    crm = b.crm({"id": "2", "first_name": "Ann", "last_name": "Lee", "email": "ann@x.de"})
    porter = {**JO, "Email": "ann@x.de"}
    other = b.claim(b.pbx(porter).contact(0), name="Max New", fingerprint="as it was")
    found = changes(porter, crm=crm, claims={7: other})
    assert (found.renewed, found.released) == ((), (7,))


def test_an_owner_tag_out_of_scope_makes_no_claim():
    contact = {**JO, "Tag": "crm", "ContactType": "M365"}
    assert changes(contact, claims={}, rules=replace(RULES, owner_tag="crm")).renewed == ()


def test_an_old_export_makes_new_claims_and_touches_no_other():
    (made,) = changes(ANN, claims={}, history=True).renewed
    assert made.crm_id == "1"
    old = {1: b.claim(b.pbx(ANN).contact(0), crm_id="9"), 99: b.claim(b.contact(99))}
    found = changes(ANN, claims=old, history=True)
    assert (found.renewed, found.released) == ((), ())


# ------------------------------------------------------------------ plan and digest


def _plan(**changes):
    values = {
        "pbx_url": "https://pbx.example.com",
        "immediate": False,
        "rules": "r",
        "state_id": "s",
        "source_sha256": "a" * 64,
        "guard": DeleteGuard.ETAG,
        "decisions": (decide(JO, claims=absent_for(1, 20)),),
        "matched": 3,
    }
    return Plan(**{**values, **changes})


def test_counts_add_up_to_what_was_read():
    counts = _plan().counts
    assert counts["read"] == 4
    assert sum(n for name, n in counts.items() if name != "read") == 4


def test_the_same_plan_has_the_same_digest_and_another_one_has_not():
    assert _plan().digest == _plan().digest
    others = [
        _plan(immediate=True),
        _plan(rules="other"),
        _plan(state_id="other"),
        _plan(pbx_url="https://other.example.com"),
        _plan(source_sha256="b" * 64),
        _plan(decisions=()),
        _plan(guard=DeleteGuard.COMPARE),
        _plan(doubts=("export_shrank",)),
    ]
    assert len({_plan().digest, *(p.digest for p in others)}) == 9


def test_the_canonical_plan_holds_no_personal_data():
    assert "Doe" not in _plan().canonical
    assert "1234567" not in _plan().canonical.replace(b.pbx(JO).contact(0).fingerprint, "")


def test_rules_change_with_columns_region_and_types_but_not_with_limits():
    source = b.source()
    same = plan.rules_fingerprint(source, RULES)
    assert plan.rules_fingerprint(source, replace(RULES, grace_exports=9)) == same
    other = b.source(columns=(ExportColumn(header="Fax", reads_as="phone"),))
    ignored = b.source(columns=(*source.columns, ExportColumn(header="Notes", reads_as="")))
    assert plan.rules_fingerprint(ignored, RULES) == same
    changed = {
        plan.rules_fingerprint(other, RULES),
        plan.rules_fingerprint(source, replace(RULES, region="FR")),
        plan.rules_fingerprint(source, replace(RULES, outside_prefix="0")),
        plan.rules_fingerprint(source, replace(RULES, contact_types=frozenset({"CRM"}))),
    }
    assert same not in changed
    assert len(changed) == 4


@pytest.mark.parametrize(
    ("kind", "before", "after", "same"),
    [
        ("csv", {"Phone 1": "phone"}, {"Phone 1": "phone", "Phone 2": "phone"}, True),
        ("csv", {"Phone 1": "phone"}, {"Mobile": "phone"}, False),
        ("csv", {"Phone": "phone"}, {"Phone": "phone", "Fax": "fax", "Owner": "owner"}, True),
        ("csv", {"Id": "id"}, {"Record ID": "id"}, False),
        ("csv", {"Id": "id"}, {"Id": "id", "Deleted": "deleted_flag"}, False),
        ("vcard; version 3.0", {"TEL 1": "phone"}, {"TEL 1": "phone", "TEL 2": "phone"}, True),
        ("json", {"phones": "phone"}, {"mobile": "phone"}, True),
        ("json", {"phones": "phone"}, {"phones": "phone", "email": "email"}, False),
        ("json", {"id": "id"}, {"uid": "id"}, False),
    ],
)
def test_one_number_more_is_no_other_way_of_reading(kind, before, after, same):
    one, other = (
        replace(
            b.source(columns=tuple(ExportColumn(header=h, reads_as=r) for h, r in columns.items())),
            format=kind,
        )
        for columns in (before, after)
    )
    found = plan.rules_fingerprint(one, RULES), plan.rules_fingerprint(other, RULES)
    assert (found[0] == found[1]) is same


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"ids": [7]}, "its Id 7 is on the protect list"),
        ({"tags": [" VIP "]}, "its tag vip is on the protect list"),
        ({"numbers": ["030 555 777"]}, "its number +49 30 555777 is on the protect list"),
        ({"names": ["Jo Doe"]}, "the name Jo Doe is on the protect list"),
        ({"names": ["Doe Ltd"]}, "the name Doe Ltd is on the protect list"),
        ({"tags": ["vi"], "names": ["Jon"], "ids": [8], "numbers": ["030 555 77"]}, ""),
    ],
)
def test_each_kind_of_entry_protects_and_says_which(entry, why):
    contact = b.pbx(
        {
            "Id": 7,
            "FirstName": "Jo",
            "LastName": "Doe",
            "CompanyName": "Doe Ltd",
            "Tag": "vip",
            "PhoneNumber": "+49 30 555777",
        }
    ).contact(0)
    assert plan.Protection.of(**entry, region="DE").why(contact, "DE") == why


def test_an_export_that_proves_no_absence_changes_deletes_and_nothing_else():
    due = decide(JO, claims=absent_for(5, 90))
    waiting = decide(JO, claims=absent_for(0, 0))
    assert due.verdict is Verdict.DELETE
    softened = plan.without_deletes((due, waiting))
    assert [d.verdict for d in softened] == [Verdict.WAITING, Verdict.WAITING]
    assert softened[0].reason == f"{due.reason}; an older export proves no absence"
    assert softened[1] == waiting
