"""Contacts as lines of JSON: made in columns they are what the model of the report makes."""

from __future__ import annotations

import json
from dataclasses import replace

import builders as b
import pyarrow as pa
import pyarrow.compute as pc
from amounts import amount
from hypothesis import given, settings
from hypothesis import strategies as st
from reported import RULES, outcomes, result

from reconcile.core import plan
from reconcile.core.match import match
from reconcile.model import Evidence, Outcome, Strength, Verdict
from reconcile.report import json_columns, lines
from reconcile.report.build import every_contact, every_line
from reconcile.report.model import ContactPart

FIELDS = ("FirstName", "LastName", "CompanyName", "Email", "PhoneNumber", "Business", "Pager")
texts = st.one_of(
    st.sampled_from(["", "Jo", "Müller", "Straße", "жук", 'Jo "J"', "a\\b", "\u202e", "1,", ","]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)


def run(contacts, *, records=(), claimed=True, **changes):
    """A run in which each contact's claimed record is alive, or none is."""
    pbx = b.pbx(*({"Id": at, **contact} for at, contact in enumerate(contacts, 1)))
    crm = b.crm(*({"id": str(at), **record} for at, record in enumerate(records, 1)))
    ids = range(len(pbx)) if claimed else ()
    claims = {at + 1: b.claim(pbx.contact(at), crm_id=str(at + 1)) for at in ids}
    matching = match(crm, pbx, claims, region="DE")
    decisions = plan.build(
        pbx, matching, claims=claims, rules=RULES, text=crm.text, counts=True, now=b.NOW
    )
    found = result(pbx=pbx, crm=crm, matching=matching, **changes)
    return replace(found, plan=replace(found.plan, decisions=decisions))


def by_columns(found, *, masked=False):
    return b"".join(every_line(found, masked=masked)).splitlines(keepends=True)


def by_object(found, *, masked=False):
    return [lines.line(part) for part in every_contact(found, masked=masked)]


@settings(max_examples=amount(check=100, prove=5000))
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, texts)), max_size=6), st.booleans())
def test_lines_made_in_columns_are_those_of_objects(contacts, masked):
    records = [{"last_name": contact["LastName"]} for contact in contacts[:-1]]
    found = run(contacts, records=records)
    assert by_columns(found, masked=masked) == by_object(found, masked=masked)
    assert len(by_object(found)) == len(contacts)


def test_a_matched_contact_has_its_line():
    contact = {"FirstName": "Jo", "LastName": "Müller", "PhoneNumber": "1", "Pager": "2"}
    (line,) = by_columns(run([contact], records=[{"full_name": "Jo Müller"}]))
    sentence = "its CRM record 1 is still in the CRM, and the names agree"
    assert json.loads(line) == {
        "id": 1,
        "verdict": "matched",
        "reason": sentence,
        "evidence": [sentence],
        "name": "Jo Müller",
        "company": "",
        "numbers": ["1", "2"],
        "email": "",
        "crm_id": "1",
        "first_absent": None,
        "absent_exports": 0,
        "due": None,
        "outcome": None,
        "outcome_detail": "",
        "guard": None,
    }


def test_who_was_approved_and_matches_again_has_an_outcome():
    done = outcomes(Outcome.CHANGED)  # of contact 7
    found = run([{}] * 8, records=[{}] * 8, outcomes=done)
    made = [json.loads(line)["outcome"] for line in by_columns(found)]
    assert made == [None] * 6 + ["changed", None]
    assert by_columns(found) == by_object(found)


def test_all_proofs_are_told_where_there_are_several():
    found = run([{}], records=[{}])
    (piece,) = found.matching.evidence
    weak = replace(piece.proofs[0], strength=Strength.WEAK, kind="name")
    both: Evidence = replace(piece, proofs=(*piece.proofs, weak))
    found = replace(found, matching=replace(found.matching, evidence=(both,)))
    (line,) = by_columns(found)
    assert len(json.loads(line)["evidence"]) == 2
    assert [line] == by_object(found)


def test_a_run_without_a_plan_has_no_lines():
    assert not by_columns(result(plan=None))
    assert not by_columns(result(pbx=None))
    assert not list(every_contact(result(matching=None), masked=False))


def test_more_than_are_made_at_once_are_all_there():
    count = 10_001
    found = run([{"LastName": f"N{at}"} for at in range(count)], records=[{}] * (count - 1))
    made = by_columns(found)
    assert [json.loads(line)["id"] for line in made] == list(range(1, count + 1))
    assert json.loads(made[-1])["verdict"] == "review"


def test_what_is_plain_stands_in_json_as_it_is():
    every = pa.array([chr(c) for c in range(0x20000) if not 0xD800 <= c < 0xE000])
    some = every.filter(pc.match_substring_regex(every, json_columns.PLAIN)).to_pylist()
    whole = "".join(some)
    part = ContactPart(id=1, verdict=Verdict.MATCHED, reason="", name=whole)
    assert f'"name":"{whole}"'.encode() in lines.line(part)
    ascii_without_two, others_without_one = 0x7F - 0x20 - 2, 0x600 - 0xA0 - 1
    assert len(some) == ascii_without_two + others_without_one
