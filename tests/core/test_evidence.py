"""Evidence as columns says what an object for each contact says."""

from __future__ import annotations

from dataclasses import replace

import builders as b
import pytest
from amounts import amount
from hypothesis import given, settings
from hypothesis import strategies as st
from invented import derive, people

from reconcile.core import plan
from reconcile.core.evidence import columns
from reconcile.core.match import match
from reconcile.model import Claim, ClaimOrigin, Claims, Evidence, Proof, Strength

RULES = plan.Rules(
    contact_types=frozenset({"3CX"}),
    protection=plan.Protection.of(ids=[3]),
    owner_tag="owned",
    grace_exports=1,
    grace_hours=0,
    region="DE",
)
texts = st.sampled_from(["", "a", "Müller", "4711"])
proofs = st.builds(
    Proof,
    kind=texts,
    strength=st.sampled_from(Strength),
    key=texts,
    crm_id=texts,
    crm_row=st.integers(0, 9),
    crm_part=texts,
    crm_name=texts,
    why=texts,
    shared=st.booleans(),
    owns=st.booleans(),
)
pieces = st.builds(
    Evidence,
    contact_id=st.integers(1, 2**31),
    proofs=st.lists(proofs, max_size=3).map(tuple),
    has_key=st.booleans(),
    unseen=st.lists(texts, max_size=2).map(tuple),
    same_person=st.booleans(),
)


@given(st.lists(pieces, max_size=6))
def test_pieces_come_back_from_columns_as_they_were(given_pieces):
    found = columns(given_pieces)
    assert columns(found) is found
    assert list(found) == given_pieces
    assert [found[at] for at in range(-len(given_pieces), len(given_pieces))] == given_pieces * 2
    assert found[1:] == tuple(given_pieces[1:])
    assert found.strong.tolist() == [p.strength is Strength.STRONG for p in given_pieces]
    proved = [at for at, piece in enumerate(given_pieces) if piece.proofs]
    best = found.best(proved)["crm_row"].to_pylist()
    assert best == [given_pieces[at].proofs[0].crm_row for at in proved]


def test_there_is_no_piece_behind_the_last_one():
    found = columns([Evidence(contact_id=1)])
    with pytest.raises(IndexError):
        found[1]


def test_of_many_pieces_each_has_its_own_proofs():
    proof = Proof(
        kind="email", strength=Strength.WEAK, key="", crm_id="", crm_row=2, crm_name="", why=""
    )
    many = [
        Evidence(contact_id=at, proofs=tuple(replace(proof, key=str(at)) for _ in range(at % 3)))
        for at in range(25_000)
    ]
    assert list(columns(many)) == many


def claimed_one_by_one(pbx, evidence, claims):
    """The claims of those that are simply matched, by the rule as it is told, one at a time."""
    found = {}
    for at, piece in enumerate(evidence):
        contact = pbx.contact(at)
        if piece.strength is not Strength.STRONG or contact.field("ContactType") != "3CX":
            continue
        before = claims.get(contact.id) if piece.same_person else None
        fresh = plan.claim_for(
            contact, crm_id=piece.proofs[0].crm_id, origin=ClaimOrigin.MATCH, claimed_by=""
        )
        if piece.proofs[0].owns:
            found[contact.id] = fresh
        elif before:
            kept = {"crm_id": before.crm_id, "origin": before.origin}
            found[contact.id] = replace(fresh, **kept, claimed_by=before.claimed_by)
    return found


@settings(max_examples=amount(check=60, prove=3000))
@given(st.lists(people, min_size=1, max_size=8), st.booleans(), st.data())
def test_verdicts_and_claims_are_those_of_objects(book, history, data):
    crm, pbx, known = derive(book)
    claims = {
        i: replace(claim, **data.draw(st.sampled_from(OTHERWISE))) for i, claim in known.items()
    }
    matching = match(crm, pbx, claims, region="DE")
    by_object = replace(matching, evidence=tuple(matching.evidence))

    def planned(found):
        made = plan.build(
            pbx, found, claims=claims, rules=RULES, text=crm.text, counts=True, now=b.NOW
        )
        changes = plan.claim_changes(
            pbx, found, made, claims=claims, rules=RULES, now=b.NOW, history=history
        )
        return made, changes

    decisions, changes = planned(matching)
    assert planned(by_object) == (decisions, changes)
    matched = claimed_one_by_one(pbx, by_object.evidence, claims)
    undecided = set(pbx.ids) - {d.contact.id for d in decisions}
    assert undecided >= matched.keys()
    renewed: dict[int, Claim] = {c.contact_id: c for c in changes.renewed}
    news = {i: c for i, c in matched.items() if claims.get(i) != c}
    if history:
        assert renewed == {i: c for i, c in news.items() if i not in claims}
    else:
        assert {i: c for i, c in renewed.items() if i in undecided} == news
        assert undecided & set(changes.released) == undecided & claims.keys() - matched.keys()


OTHERWISE = (
    {},
    {"fingerprint": "as it was"},
    {"name": "Otto Other", "fingerprint": "as it was"},
    {"origin": ClaimOrigin.ADOPT, "claimed_by": "jo"},
    {"first_absent": b.NOW, "absent_exports": 1},
    {"crm_id": ""},
)
"""What may be another in a claim than in the contact as it is."""


def test_claims_are_rows_until_one_is_asked_for():
    made = [Claim(contact_id=at, crm_id=str(at), name="Jo", fingerprint="f") for at in range(3)]
    many = Claims([Claims.row(claim) for claim in made])
    assert (len(many), many[0], many[-1], list(many)) == (3, made[0], made[2], made)
    assert many[1:] == made[1:]
    assert isinstance(many[1:], Claims)
    assert many == tuple(made)
    assert many != made[:2]
    assert many != 3
