"""Evidence as the sentence that a person reads."""

from __future__ import annotations

import builders as b
import pytest

from reconcile.core import words
from reconcile.core.match import match
from reconcile.model import Proof, Strength

NUMBER = "+49301234567"
JO = {"Id": 1, "FirstName": "Jo", "LastName": "Doe", "PhoneNumber": NUMBER}
RECORD = {"id": "4711", "first_name": "Jo", "last_name": "Doe", "phone": "030 1234567"}
SPOKEN = "number +49 30 1234567 "


def said(crm, contact, *, claimed=False, **fields) -> str:
    """What the matcher's best proof of a contact is in words."""
    pbx = b.pbx({**contact, **fields})
    claims = {1: b.claim(pbx.contact(0))} if claimed else {}
    (found,) = match(crm, pbx, claims, region="DE").evidence
    return words.sentence(found.proofs[0], pbx.contact(0).name)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "belongs to CRM record 4711, and the names agree"),
        ({"FirstName": "JO"}, "belongs to CRM record 4711, and the names agree"),
        ({"FirstName": "Dr. Jo"}, "belongs to CRM record 4711 (Jo Doe), and the names agree"),
        ({"FirstName": ""}, "belongs to CRM record 4711 (Jo Doe), and the names agree"),
        ({"FirstName": "J."}, "belongs to CRM record 4711 (Jo Doe), and the initials agree"),
        (
            {"LastName": "Roe"},
            (
                "belongs to CRM record 4711 (Jo Doe), and the first names agree, though the"
                " surnames differ"
            ),
        ),
        (
            {"FirstName": "Max"},
            "belongs to CRM record 4711 (Jo Doe), but the names agree only in part",
        ),
        (
            {"FirstName": "Max", "LastName": "New"},
            "belongs to CRM record 4711 (Jo Doe), but the names differ",
        ),
        (
            {"FirstName": "", "LastName": ""},
            "belongs to CRM record 4711 (Jo Doe), but one of the two has no name",
        ),
    ],
)
def test_a_number_is_said_with_what_the_names_say(fields, sentence):
    assert said(b.crm(RECORD), JO, **fields) == SPOKEN + sentence


def test_a_number_without_a_name_is_kept_by_the_company_and_says_so():
    record = {**RECORD, "first_name": "", "last_name": "", "company": "ACME GmbH"}
    assert said(b.crm(record), JO, CompanyName="Acme") == (
        f"{SPOKEN}belongs to CRM record 4711, and the company is the same, though one of the two"
        " has no name"
    )


def test_the_id_of_a_record_stands_in_the_tag():
    assert said(b.crm(RECORD), {"Id": 1, "FirstName": "Jo"}, Tag="4711", LastName="Doe") == (
        "its tag 4711 stands for CRM record 4711, and the names agree"
    )


@pytest.mark.parametrize(
    ("record", "fields", "sentence"),
    [
        (
            {"email": "jo@acme.example"},
            {"Email": "Jo@acme.example"},
            "e-mail jo@acme.example belongs to CRM record 4711, and the names agree",
        ),
        (
            {"email": "info@acme.example"},
            {"Email": "info@acme.example"},
            (
                "e-mail info@acme.example is not one person's alone; CRM record 4711 has it, and"
                " the names agree"
            ),
        ),
        (
            {"main": "030 5550000"},
            {"Home": "030 5550000"},
            (
                "number +49 30 5550000 is not one person's alone; CRM record 4711 has it, and"
                " the names agree"
            ),
        ),
        (
            {},
            {"Tag": "4711"},
            "its tag 4711 stands for CRM record 4711, and the names agree",
        ),
        (
            {"company": "ACME GmbH"},
            {"CompanyName": "Acme"},
            "its name and its company are those of CRM record 4711",
        ),
        (
            {},
            {},
            "it may be CRM record 4711: the names are the same, and nothing else fits",
        ),
        (
            {"company": "ACME"},
            {"FirstName": "J.", "CompanyName": "Acme"},
            "it may be CRM record 4711 (Jo Doe): the initials agree, and nothing else fits",
        ),
        (
            {"company": "ACME", "first_name": "", "last_name": ""},
            {"FirstName": "", "LastName": "", "CompanyName": "Acme"},
            "it may be CRM record 4711: the company is the same, and nothing else fits",
        ),
    ],
)
def test_every_kind_of_proof_has_its_sentence(record, fields, sentence):
    crm = b.crm({**RECORD, "phone": "", **record})
    assert said(crm, {**JO, "PhoneNumber": "040 7654321"}, **fields) == sentence


def test_what_may_be_a_new_surname_is_said_as_a_doubt():
    pbx = b.pbx({**JO, "LastName": "Roe", "PhoneNumber": "040 7654321", "CompanyName": "Acme"})
    claims = {1: b.claim(pbx.contact(0), crm_id="")}
    (found,) = match(b.crm({**RECORD, "company": "ACME"}), pbx, claims, region="DE").evidence
    assert words.sentence(found.proofs[0], "Jo Roe") == (
        "it may be CRM record 4711 (Jo Doe): the company is the same, and a part of the names,"
        " and nothing else fits"
    )


def test_a_claim_is_said_with_the_record_that_it_was_made_for():
    crm = b.crm({**RECORD, "phone": ""})
    contact = {**JO, "PhoneNumber": "040 7654321"}
    assert said(crm, contact, claimed=True) == (
        "its CRM record 4711 is still in the CRM, and the names agree"
    )
    assert said(crm, contact, claimed=True, LastName="Roe") == (
        "its CRM record 4711 (Jo Doe) is still in the CRM, but the names agree only in part"
    )


def test_a_key_that_others_share_proves_nothing_alone():
    crm = b.crm(
        {**RECORD, "phone": "030 5550000"},
        {"id": "2", "first_name": "Bob", "last_name": "Ray", "phone": "030 5550000"},
    )
    sentence = said(crm, {"Id": 1, "FirstName": "Eve", "LastName": "Fox", "Home": "030 5550000"})
    assert sentence.startswith("number +49 30 5550000 alone proves nothing: 2 in the CRM share it")


@pytest.mark.parametrize(
    ("part", "record"),
    [
        ("", "the record in row 2 (Jo Doe)"),
        ("b.csv", "the record in row 2 of b.csv (Jo Doe)"),
    ],
)
def test_a_record_without_an_id_is_found_by_its_line_and_its_name(part, record):
    proof = Proof(
        kind="number",
        strength=Strength.STRONG,
        key=NUMBER,
        crm_id="",
        crm_row=2,
        crm_part=part,
        crm_name="Jo Doe",
        why="and the names agree",
    )
    sentence = words.sentence(proof, "Jo Doe")
    assert sentence == f"{SPOKEN}belongs to {record}, and the names agree"


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (NUMBER, "+49 30 1234567"),
        ("+14155550101", "+1 415-555-0101"),
        ("+999123456", "+999123456"),
        ("115", "115"),
        ("0301fax", "0301fax"),
        ("", ""),
    ],
)
def test_a_number_is_written_as_people_write_it(key, shown):
    assert words.number(key) == shown
