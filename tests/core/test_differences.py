"""What is told of the CRM's side beside the evidence."""

from __future__ import annotations

import builders as b
import pytest

from reconcile.core.match import match
from reconcile.model import Drift, Duplicate, MissingRecord

LACKING = [
    {"id": str(at), "first_name": "Ann", "last_name": name, "company": "ACME", "phone": phone}
    for at, (name, phone) in enumerate(
        [("Lee", "030 1111111"), ("Ray", "030 2222222"), ("Fox", "030 3333333")]
    )
]


def told(at: int, name: str) -> MissingRecord:
    return MissingRecord(crm_id=str(at), row=at + 2, name=f"Ann {name}", company="ACME")


def test_records_that_3cx_lacks_are_a_sequence_in_the_order_of_the_export():
    missing = match(b.crm(*LACKING), b.pbx(), {}, region="DE").missing
    every = [told(0, "Lee"), told(1, "Ray"), told(2, "Fox")]
    assert list(missing) == every
    assert len(missing) == 3
    assert (missing[0], missing[-1]) == (every[0], every[2])
    assert list(missing[1:]) == every[1:]
    with pytest.raises(IndexError):
        missing[3]


def test_of_records_numbers_and_states_only_one_holds_for_each():
    gone = {**LACKING[0], "id": "9", "gone": True}
    bare = {"id": "10", "first_name": "Bob", "last_name": "Orr", "phone": "110"}
    pbx = b.pbx({"Id": 1, "FirstName": "Ann", "LastName": "Ray", "PhoneNumber": "030 2222222"})
    matching = match(b.crm(*LACKING, gone, bare), pbx, {}, region="DE")
    assert matching.counts_crm == {
        "read": 5,
        "matched": 1,
        "missing": 2,
        "gone": 1,
        "without_number": 1,
    }
    assert matching.fill["phone"] == 0.75  # of the living; a short code is no number


def test_a_country_of_its_own_adds_a_reading_and_takes_none_away():
    swiss = {"id": "1", "first_name": "Ann", "last_name": "Lee", "phone": "044 668 18 00"}
    for country in ("Schweiz", "CH", "", "Nowhere", "Deutschland"):
        crm = b.crm({**swiss, "country": country})
        for typed, fits in (("+41446681800", country in {"Schweiz", "CH"}), ("+49446681800", True)):
            contact = {"Id": 1, "FirstName": "Ann", "LastName": "Lee", "PhoneNumber": typed}
            proofs = match(crm, b.pbx(contact), {}, region="DE").evidence[0].proofs
            assert ("number" in {p.kind for p in proofs}) == fits, (country, typed)


@pytest.mark.parametrize(
    ("typed", "drift"),
    [
        ("+41446681800", []),
        ("+49446681800", []),
        ("+43446681800", [("044 668 18 00", "+43446681800")]),
    ],
)
def test_a_number_that_fits_in_one_of_its_readings_is_no_drift(typed, drift):
    names = {"first_name": "Ann", "last_name": "Lee", "email": "ann@example.com"}
    record = {"id": "1", **names, "phone": "044 668 18 00", "country": "CH"}
    contact = {"Id": 1, "FirstName": "Ann", "LastName": "Lee", "PhoneNumber": typed}
    contact["Email"] = "ann@example.com"
    found = match(b.crm(record), b.pbx(contact), {}, region="DE").drift
    assert [(d.crm, d.pbx) for d in found] == drift


def test_an_email_or_number_that_only_one_side_has_is_drift_and_the_same_one_retyped_is_none():
    record = {
        "id": "1",
        "first_name": "Ann",
        "last_name": "Lee",
        "phone": "030 1111111",
        "mobile": "0151 2222222",
        "email": "Ann@x.de",
    }
    contact = {
        "Id": 1,
        "FirstName": "Ann",
        "LastName": "Lee",
        "PhoneNumber": "+49301111111",
        "Home": "030 5555555",
        "Email": "ann@X.de",
    }
    drift = match(b.crm(record), b.pbx(contact), {}, region="DE").drift
    assert [(d.field, d.crm, d.pbx) for d in drift] == [("numbers", "0151 2222222", "030 5555555")]


def test_several_contacts_of_one_person_are_told_with_whose_they_are():
    record = {"id": "4711", "first_name": "Ann", "last_name": "Lee", "phone": "030 1111111"}
    ann = {"FirstName": "Ann", "LastName": "Lee", "PhoneNumber": "030 1111111"}
    other = {"id": "5", "first_name": "Bob", "last_name": "Orr", "phone": "030 2222222"}
    bob = {"Id": 3, "FirstName": "Bob", "LastName": "Orr", "PhoneNumber": "030 2222222"}
    pbx = b.pbx({**ann, "Id": 1}, {**ann, "Id": 2}, bob)
    found = match(b.crm(record, other), pbx, {}, region="DE").duplicates
    assert found == (Duplicate(crm_id="4711", name="Ann Lee", contact_ids=(1, 2)),)


def test_what_differs_is_told_with_whose_it_is_and_as_both_have_it():
    first = {"id": "1", "first_name": "Ann", "last_name": "Lee", "phone": "030 1111111"}
    second = {
        "id": "2",
        "first_name": "Bob",
        "last_name": "Orr",
        "company": "New GmbH",
        "phone": "030 2222222",
        "mobile": "0151 2222222",
        "email": "bob@example.com",
    }
    same = {"Id": 1, "FirstName": "Ann", "LastName": "Lee", "PhoneNumber": "030 1111111"}
    other = {
        "Id": 2,
        "FirstName": "Robert",
        "LastName": "Orr",
        "CompanyName": "Old GmbH",
        "PhoneNumber": "030 3333333",
        "Home": "030 4444444",
        "Email": "bob@example.com",
    }
    drift = match(b.crm(first, second), b.pbx(same, {**other, "Id": 7}), {}, region="DE").drift
    about = {"contact_id": 7, "crm_id": "2"}
    assert set(drift) == {
        Drift(**about, field="name", crm="Bob Orr", pbx="Robert Orr"),
        Drift(**about, field="company", crm="New GmbH", pbx="Old GmbH"),
        Drift(
            **about,
            field="numbers",
            crm="0151 2222222, 030 2222222",
            pbx="030 3333333, 030 4444444",
        ),
    }


def test_what_the_crm_leaves_empty_is_no_drift():
    record = {"id": "1", "first_name": "", "last_name": "", "email": "ann@example.com"}
    contact = {"Id": 1, "FirstName": "Ann", "CompanyName": "ACME", "Email": "ann@example.com"}
    assert match(b.crm(record), b.pbx(contact), {}, region="DE").drift == ()


def test_how_full_each_column_is_among_the_living():
    crm = b.crm(
        {"id": "1", "first_name": "Ann", "phone": "030 1111111", "email": "ann@example.com"},
        {"id": "2", "mobile": "0151 2222222", "company": "ACME", "email": "at ann's"},
        {"id": "3", "first_name": "Bob", "phone": "none"},
        {"id": "4", "first_name": "Ute", "phone": "030 4444444", "gone": True},
    )
    fill = match(crm, b.pbx(), {}, region="DE").fill
    assert {name: share for name, share in fill.items() if share} == {
        "id": 1.0,
        "first_name": 0.6667,
        "company": 0.3333,
        "phone": 0.6667,
        "email": 0.3333,
    }
