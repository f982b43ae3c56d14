"""What is told of the CRM's side beside the evidence."""

from __future__ import annotations

import builders as b
import pytest

from reconcile.core.match import match
from reconcile.model import MissingRecord

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
