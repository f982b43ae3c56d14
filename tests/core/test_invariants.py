"""What must never happen, whatever the two sides hold.

One book is invented; the CRM's and the PBX's sides are derived from it by edits, because two
independent books would never come near a delete.
"""

from __future__ import annotations

import builders as b
from amounts import amount
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.core import phones, plan
from reconcile.core.match import match
from reconcile.core.text import addresses
from reconcile.model import Strength, Verdict

RULES = plan.Rules(
    contact_types=frozenset({"3CX"}),
    protection=plan.Protection.of(ids=[3]),
    owner_tag="owned",
    grace_exports=1,
    grace_hours=0,
    region="DE",
)
FIRST = ["Ann", "Bob", "Eve", "J.", "Jo", ""]
LAST = ["Lee", "Ray", "Müller", "Mueller", ""]
NUMBERS = ["030 1111111", "+49301111111", "0151 2222222", "030 3333333", "n/a", "110", ""]
MAILS = ["ann@x.de", "Ann+crm@x.de", "info@x.de", ""]

people = st.fixed_dictionaries(
    {
        "first": st.sampled_from(FIRST),
        "last": st.sampled_from(LAST),
        "phone": st.sampled_from(NUMBERS),
        "mobile": st.sampled_from(NUMBERS),
        "email": st.sampled_from(MAILS),
        "company": st.sampled_from(["ACME GmbH", "Acme", "Umbrella", ""]),
        "in_crm": st.sampled_from(["yes", "no", "gone", "merged"]),
        "in_pbx": st.sampled_from(["yes", "no", "edited"]),
        "claimed": st.booleans(),
        "type": st.sampled_from(["3CX", "3CX", "3CX", "M365", ""]),
        "tag": st.sampled_from(["", "owned", "1", "2"]),
    }
)


def derive(book):
    """The two sides and the claims of a book."""
    records = [
        {
            "id": str(at),
            "first_name": person["first"],
            "last_name": person["last"],
            "phone": person["phone"],
            "mobile": person["mobile"],
            "email": person["email"],
            "company": person["company"],
            "gone": person["in_crm"] in {"gone", "merged"},
            "merged_into": str((at + 1) % len(book)) if person["in_crm"] == "merged" else "",
        }
        for at, person in enumerate(book)
        if person["in_crm"] != "no"
    ]
    contacts = [
        {
            "Id": at + 1,
            "FirstName": person["first"],
            "LastName": person["last"],
            "PhoneNumber": person["phone"],
            "Home": person["mobile"] if person["in_pbx"] == "yes" else "030 4444444",
            "Email": person["email"],
            "CompanyName": person["company"],
            "ContactType": person["type"],
            "Tag": person["tag"],
        }
        for at, person in enumerate(book)
        if person["in_pbx"] != "no"
    ]
    pbx = b.pbx(*contacts)
    claims = {
        pbx.ids[at]: b.claim(pbx.contact(at), crm_id=str(pbx.ids[at] - 1))
        for at in range(len(pbx))
        if book[pbx.ids[at] - 1]["claimed"]
    }
    return b.crm(*records), pbx, claims


def decided(crm, pbx, claims):
    matching = match(crm, pbx, claims, region="DE")
    return matching, plan.build(
        pbx, matching, claims=claims, rules=RULES, text=crm.text, counts=True, now=b.NOW
    )


def living_keys(crm):
    """Every number and address of the living records, read cell by cell."""
    alive = crm.records[~crm.records["gone"].astype(bool)]
    cells = [v for c in alive.columns if ":" in str(c) for v in alive[c]]
    return {k for v in cells for k in (*phones.keys(v, "DE"), *addresses(v))}


@settings(max_examples=amount(check=30, prove=3000))
@given(st.lists(people, min_size=1, max_size=8))
def test_whatever_the_books_hold(book):
    crm, pbx, claims = derive(book)
    matching, decisions = decided(crm, pbx, claims)
    strong = {e.contact_id for e in matching.evidence if e.strength is Strength.STRONG}
    by_id = {d.contact.id: d for d in decisions}

    # every contact has exactly one verdict
    assert len(by_id) == len(decisions)
    assert set(by_id) | strong == set(pbx.ids)
    # both sides add up
    counts = matching.counts_crm
    assert counts["read"] == sum(n for name, n in counts.items() if name != "read")

    living = living_keys(crm)
    for decision in decisions:
        if decision.verdict not in {Verdict.WAITING, Verdict.DELETE}:
            continue
        contact = decision.contact
        # only what is ours, of a managed type, unprotected and as we knew it
        assert contact.id in claims or contact.field("Tag") == "owned"
        assert contact.field("ContactType") == "3CX"
        assert contact.id != 3
        # nothing in the CRM speaks for it: not one key of its own that a living person carries
        assert not decision.evidence.proofs
        own = {k for v in contact.numbers for k in phones.keys(v, "DE")}
        own |= set(addresses(contact.field("Email")))
        shared = own & living
        assert shared < own or not own & living
        # and its claimed record is not alive
        assert (
            claims[contact.id].crm_id
            not in set(crm.records.loc[~crm.records["gone"].astype(bool), "id"])
            if contact.id in claims
            else True
        )


@settings(max_examples=amount(check=10, prove=500))
@given(st.lists(people, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_either_side_changes_nothing(book, random):
    crm, pbx, claims = derive(book)
    _, decisions = decided(crm, pbx, claims)
    order = list(range(len(crm.records)))
    random.shuffle(order)
    shuffled = crm.records.iloc[order].reset_index(drop=True)
    _, again = decided(type(crm)(source=crm.source, records=shuffled, text=crm.text), pbx, claims)
    assert [(d.contact.id, d.verdict) for d in again] == [
        (d.contact.id, d.verdict) for d in decisions
    ]


@settings(max_examples=amount(check=10, prove=500))
@given(st.lists(people, min_size=1, max_size=6))
def test_a_second_look_at_the_same_sides_learns_nothing_new(book):
    crm, pbx, claims = derive(book)
    matching, decisions = decided(crm, pbx, claims)
    changes = plan.claim_changes(pbx, matching, decisions, claims=claims, rules=RULES, now=b.NOW)
    after = {**claims, **{c.contact_id: c for c in changes.renewed}}
    for contact_id in changes.released:
        del after[contact_id]
    matching = match(crm, pbx, after, region="DE")
    repeated = plan.build(
        pbx, matching, claims=after, rules=RULES, text=crm.text, counts=False, now=b.NOW
    )
    again = plan.claim_changes(pbx, matching, repeated, claims=after, rules=RULES, now=b.NOW)
    assert again.released == ()
    assert {c.contact_id for c in again.renewed} <= {
        d.contact.id for d in repeated if d.verdict in {Verdict.REVIEW, Verdict.UNMANAGED}
    }
