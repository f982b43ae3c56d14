"""What must never happen, whatever the two sides hold."""

from __future__ import annotations

import builders as b
from amounts import amount
from hypothesis import given, settings
from hypothesis import strategies as st
from invented import derive, people

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
