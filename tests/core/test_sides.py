"""Both sides as columns: who is on each, and the keys of their cells."""

from __future__ import annotations

from dataclasses import replace

import builders as b
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core import phones, sides

TEXT = pa.large_string()


def texts(*values):
    return pa.array(values, TEXT)


def rows(frame, *names):
    return list(frame[list(names)].itertuples(index=False, name=None))


# ------------------------------------------------------------------ positions


def test_what_the_other_side_has_and_where():
    ours, theirs = texts("b", "x", "a", "b"), texts("a", "b")
    assert sides.among(ours, theirs).tolist() == [True, False, True, True]
    assert sides.positions(ours, theirs).tolist() == [1, sides.UNKNOWN, 0, 1]
    assert sides.positions(texts(), theirs).tolist() == []


def test_runs_of_positions_one_after_the_other():
    run, position = sides.runs(np.array([10, 0, 5]), np.array([2, 0, 3]))
    assert run.tolist() == [0, 0, 2, 2, 2]
    assert position.tolist() == [10, 11, 5, 6, 7]


@pytest.mark.parametrize("times", [1, 10**12])
def test_equal_numbers_meet_each_with_each_in_our_order(times):
    ours, theirs = np.array([7, 3, 9, 3]) * times, np.array([3, 8, 7, 3]) * times
    which, where = sides.joined(ours, theirs)
    assert list(zip(which.tolist(), where.tolist(), strict=True)) == [
        (0, 2),
        (1, 0),
        (1, 3),
        (3, 0),
        (3, 3),
    ]


@pytest.mark.parametrize("times", [1, 10**12])
def test_nobody_meets_nobody(times):
    some, none = np.array([1, 2]) * times, np.array([], dtype="int64")
    for ours, theirs in ((some, none), (none, some), (none, none), (some, some + 7)):
        which, where = sides.joined(ours, theirs)
        assert (which.tolist(), where.tolist()) == ([], [])


# ------------------------------------------------------------------ who


def test_a_person_of_the_export_is_shown_by_the_longer_of_two_names():
    crm = b.crm(
        {"id": "1", "first_name": "Jo", "last_name": "Müller", "company": "ACME GmbH"},
        {"id": "2", "first_name": "Jo", "full_name": "Dr. Jo Doe", "gone": True, "part": "b.csv"},
        {"id": "3", "last_name": "Lee", "full_name": "Lee", "merged_into": "2"},
    )
    found = sides.people(crm.records)
    assert rows(found, "crm_id", "line", "part", "shown", "name", "first") == [
        ("1", 2, "", "Jo Müller", "jo muller", "jo"),
        ("2", 3, "b.csv", "Dr. Jo Doe", "do jo", "jo"),
        ("3", 4, "", "Lee", "lee", ""),
    ]
    assert rows(found, "company_shown", "company", "merged_into", "gone") == [
        ("ACME GmbH", "acme", "", False),
        ("", "", "", True),
        ("", "", "2", False),
    ]


def test_a_contact_is_shown_by_first_and_last_name():
    pbx = b.pbx(
        {"Id": 7, "FirstName": "Jo", "LastName": "Müller", "CompanyName": "ACME GmbH"},
        {"Id": 9, "LastName": "Lee"},
        {"Id": 11, "CompanyName": "ACME"},
    )
    found = sides.contacts(pbx)
    assert rows(found, "id", "shown", "name", "first", "company_shown", "company") == [
        (7, "Jo Müller", "jo muller", "jo", "ACME GmbH", "acme"),
        (9, "Lee", "lee", "", "", ""),
        (11, "", "", "", "ACME", "acme"),
    ]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["ContactType", "B", "a", "É", "Zz"]), TEXTS), max_size=4
    )
)
def test_names_and_fingerprints_in_columns_are_those_of_the_contacts(contacts):
    names = ("FirstName", "LastName", "CompanyName")
    rows = [dict(zip(names, each.values(), strict=False)) | each for each in contacts]
    pbx = b.pbx(*({**row, "Id": at} for at, row in enumerate(rows, 1)))
    each = [pbx.contact(at) for at in range(len(pbx))]
    assert list(pbx.fingerprints) == [contact.fingerprint for contact in each]
    assert list(pbx.names) == [contact.name for contact in each]


def test_a_contact_without_any_text_has_the_fingerprint_of_none():
    blank = b.pbx({"Id": 1, "ContactType": ""}, {"Id": 2}, {"Id": 3, "ContactType": ""})
    for pbx in (blank, replace(blank, columns={})):
        each = [pbx.contact(at).fingerprint for at in range(3)]
        assert list(pbx.fingerprints) == each


def test_ids_that_no_record_has_flagged_as_gone_or_not():
    crm = b.crm({"id": "17"}, {"id": "18", "gone": True})
    assert sides.absent_ids(crm.records, [" 17 ", "18", "19", "1"]) == ("19", "1")
    assert sides.absent_ids(crm.records, []) == ()


# ------------------------------------------------------------------ keys


def keys_of(crm, region="DE"):
    """(kind, at, value, key) of every key of an export."""
    found = sides.crm_keys(crm.records, sides.people(crm.records), region)
    return [
        (kind, at, keys.value[value].as_py(), keys.key[nth].as_py())
        for keys in found
        for kind, at, value, nth in rows(unfolded(keys), "kind", "at", "value", "id")
    ]


def unfolded(keys):
    return keys.numbered(0, np.arange(len(keys.key)))


def texts_of(keys):
    """(at, kind, value, key, id, role) of every key of the PBX."""
    return [
        (at, kind, keys.value[value].as_py(), keys.key[nth].as_py(), nth, bool(keys.role[nth]))
        for at, kind, value, nth in rows(keys.table, "at", "kind", "value", "id")
    ]


def test_each_cell_of_the_export_gives_its_keys():
    crm = b.crm(
        {
            "id": "1",
            "first_name": "Jo",
            "last_name": "Doe",
            "company": "ACME GmbH",
            "phone": "030 1234567",
            "main": "*21",
            "email": "Jo+news@ACME.example",
        },
        {"id": "2", "first_name": "Ann", "phone": "030 1234567", "email": "ann@GoogleMail.com"},
        {"id": "3", "company": "ACME"},
    )
    assert keys_of(crm) == [
        ("number", 0, "030 1234567", "+49301234567"),
        ("number", 1, "030 1234567", "+49301234567"),
        ("short", 0, "*21", phones.SHORT + "21"),
        ("email", 0, "Jo+news@ACME.example", "jo+news@acme.example"),
        ("email", 0, "Jo+news@ACME.example", "jo@acme.example"),
        ("email", 1, "ann@GoogleMail.com", "ann@gmail.com"),
        ("name_company", 0, "do jo @ acme", "do jo @ acme"),
    ]


@pytest.mark.parametrize(
    ("country", "company_country", "keys"),
    [
        ("", "", ["+49446681800"]),
        ("Germany", "CH", ["+49446681800"]),
        ("CH", "", ["+49446681800", "+41446681800"]),
        ("", "Schweiz", ["+49446681800", "+41446681800"]),
        ("Nowhere", "", ["+49446681800"]),
        ("Antarctica", "", ["+49446681800"]),
    ],
)
def test_a_number_is_read_for_its_records_own_country_too(country, company_country, keys):
    records = [
        {"id": "1", "phone": "044 668 18 00", "country": country},
        {"id": "2", "phone": "030 1234567", "country": ""},
    ]
    records[0]["company_country"] = company_country
    records[1]["company_country"] = ""
    found = keys_of(b.crm(*records))
    assert [key for _, at, _, key in found if at == 0] == keys
    assert [key for _, at, _, key in found if at == 1] == ["+49301234567"]


def test_main_numbers_are_those_of_companies_only():
    crm = b.crm({"phone": "030 1111111", "main": "030 2222222"}, {"main": "044 668 18 00"})
    assert sides.main_numbers(crm.records, "DE") == {"+49302222222", "+49446681800"}
    assert sides.main_numbers(b.crm({"phone": "030 1111111"}).records, "DE") == frozenset()
    assert sides.main_numbers(b.crm({"main": ""}).records, "DE") == frozenset()


def test_the_keys_of_contacts_are_numbered_and_roles_are_known():
    pbx = b.pbx(
        {"Id": 7, "PhoneNumber": "0301234567", "Home": "030 1234567", "BusinessFax": "030 9999999"},
        {"Id": 9, "Email": "info@acme.example", "Mobile2": "0301234567"},
        {"Id": 11, "Email": "jo@acme.example"},
    )
    found = sides.pbx_keys(pbx, sides.contacts(pbx), "DE", "")
    assert texts_of(found) == [
        (0, "number", "0301234567", "+49301234567", 0, False),
        (1, "number", "0301234567", "+49301234567", 0, False),
        (0, "number", "030 1234567", "+49301234567", 0, False),
        (1, "email", "info@acme.example", "info@acme.example", 1, True),
        (2, "email", "jo@acme.example", "jo@acme.example", 2, False),
    ]
    assert list(found.table.index) == list(range(5))
    assert found.own().equals(found.table)


def test_behind_the_prefix_of_an_outside_line_both_readings_count():
    pbx = b.pbx({"Id": 7, "PhoneNumber": "0040 7654321"})
    found = sides.pbx_keys(pbx, sides.contacts(pbx), "DE", "0")
    assert "+49407654321" in found.key.to_pylist()


def folded():
    """Keys of four cells of three people: a, then a again, b, and c twice in one cell."""
    crm = b.crm(
        {"id": "1", "email": "a@x.de; b@x.de"},
        {"id": "2", "email": "a@x.de; b@x.de"},
        {"id": "3", "email": "c@x.de"},
    )
    return sides.crm_keys(crm.records, sides.people(crm.records), "DE")[-2]


def test_a_value_stands_once_however_many_carry_it():
    keys = folded()
    assert keys.kind == "email"
    assert (keys.at.tolist(), keys.code.tolist()) == ([0, 1, 2], [0, 0, 1])
    assert keys.value.to_pylist() == ["a@x.de; b@x.de", "c@x.de"]
    assert keys.key.to_pylist() == ["a@x.de", "b@x.de", "c@x.de"]
    assert keys.owner.tolist() == [0, 0, 1]


def test_carriers_of_all_keys_or_of_some():
    keys = folded()
    assert sorted(keys.carriers().tolist()) == [0, 1, 2]
    assert keys.carriers(np.array([False, True, False])).tolist() == [0, 1]
    assert keys.carriers(np.array([False, False, False])).tolist() == []


def test_only_what_the_other_side_has_is_unfolded():
    keys = folded()
    pbx = b.pbx({"Id": 1, "Email": "c@x.de"}, {"Id": 2, "Email": "b@x.de", "Home": "21"})
    (ids,) = sides.found([keys], sides.pbx_keys(pbx, sides.contacts(pbx), "DE", ""))
    assert rows(keys.shared(ids), "at", "kind", "id") == [
        (0, "email", 2),
        (1, "email", 2),
        (2, "email", 1),
    ]


def test_a_cell_that_a_record_has_twice_counts_once():
    crm = b.crm({"id": "1", "phone": "030 1234567", "mobile": "030 1234567"}, {"id": "2"})
    assert [(at, key) for _, at, _, key in keys_of(crm)] == [(0, "+49301234567")]


def test_values_and_keys_are_counted_from_where_they_begin_on_the_other_side():
    some = folded().numbered(10, np.array([7, 5, 6]))
    assert rows(some, "at", "kind", "value", "id") == [
        (0, "email", 10, 7),
        (0, "email", 10, 5),
        (1, "email", 10, 7),
        (1, "email", 10, 5),
        (2, "email", 11, 6),
    ]


def test_pairs_that_have_stood_before():
    one, other = np.array([1, 0, 1, 0, 1, 3]), np.array([0, 1, 0, 2, 2, 0])
    assert sides.repeated(one, other).tolist() == [False, False, True, False, False, False]
    assert sides.repeated(one[:0], other[:0]).tolist() == []


def test_numbers_that_are_compared_as_text_are_known():
    crm = b.crm({"id": "1", "phone": "030 1234567", "mobile": "*21"})
    numbers = sides.crm_keys(crm.records, sides.people(crm.records), "DE")[0]
    assert numbers.is_text().tolist() == [False, True]
