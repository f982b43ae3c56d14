"""Numbers that another column of the record calls a fax give no match key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconcile.core import phones


def numbers(found: Any) -> list[set[str]]:
    """The match keys of each record."""
    columns = [c for c in found.records.columns if str(c).startswith("phone:")]
    rows = found.records[columns].itertuples(index=False)
    return [{key for cell in row for key in phones.keys(cell, "DE")} for row in rows]


@pytest.mark.parametrize(
    "headers",
    [
        "Phone 1 - Value,Phone 1 - Label",
        "Phone 1 - Value,Phone 1 - Type",
        "Phone 1,Phone 1 Type",
        "Phone 1,Phone 1 Label",
    ],
)
@pytest.mark.parametrize(
    ("label", "keys"),
    [
        ("Work Fax", set()),
        ("* FAX", set()),
        ("Work", {"+49301234567"}),
        ("Tel./Fax", {"+49301234567"}),
        ("", {"+49301234567"}),
    ],
)
def test_a_label_beside_the_number_says_so(
    read: Any, headers: str, label: str, keys: set[str]
) -> None:
    found = read(f"name,{headers},Mobile\nJo,030 1234567,{label},0151 23456789\nMo,,,\n")
    assert numbers(found)[0] == {"+4915123456789", *keys}


def test_another_columns_label_says_nothing(read: Any) -> None:
    found = read("name,Phone 1,Phone 2,Phone 2 Type\nJo,030 1234567,030 7654321,Fax\n")
    assert numbers(found) == [{"+49301234567"}]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([{"phoneNumber": "+49301234567", "type": "Fax"}], set()),
        ([{"phoneNumber": "+49301234567", "type": "Office"}], {"+49301234567"}),
        (
            [
                {"phoneNumber": "+49 30 1234567", "type": "fax"},
                {"phoneNumber": "+49307654321", "type": "Home"},
            ],
            {"+49307654321"},
        ),
        ([{"phoneNumber": "+49301234567"}], {"+49301234567"}),
        ([], {"+49301234567"}),
        ("no list, fax", {"+49301234567"}),
    ],
)
def test_the_list_beside_espocrms_first_number_says_so(
    read: Any, listed: Any, expected: set[str]
) -> None:
    cell = json.dumps(listed).replace('"', '""')
    found = read(f'name,phoneNumber,phoneNumberData\nJo,"\'+49 30 1234567","{cell}"\n')
    assert numbers(found) == [expected]


def test_the_first_number_of_its_api_may_be_a_fax_too(read: Any) -> None:
    record = {
        "name": "Jo",
        "phoneNumber": "+49301234567",
        "phoneNumberData": [
            {"phoneNumber": "+49301234567", "type": "Fax"},
            {"phoneNumber": "+4915123456789", "type": "Mobile"},
        ],
    }
    other = {"name": "Mo", "phoneNumber": "+49307654321", "phoneNumberData": []}
    assert numbers(read(json.dumps([record, other]))) == [{"+4915123456789"}, {"+49307654321"}]
