from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.crm import parts


@pytest.mark.parametrize(
    ("name", "base", "part", "of"),
    [
        ("contacts_001.csv", "contacts", 1, None),
        ("contacts-2.csv", "contacts", 2, None),
        ("contacts.3.csv", "contacts", 3, None),
        ("contacts 4.csv", "contacts", 4, None),
        ("contacts5.csv", "contacts", 5, None),
        ("contacts (1).csv", "contacts", 1, None),
        ("Kontakte(12).XLSX", "Kontakte", 12, None),
        ("contacts_part1.csv", "contacts", 1, None),
        ("contacts.part-02.csv", "contacts", 2, None),
        ("Kontakte Teil 3.csv", "Kontakte", 3, None),
        ("contacts_1of3.csv", "contacts", 1, 3),
        ("contacts (2 of 3).csv", "contacts", 2, 3),
        ("contacts-001-of-010.parquet", "contacts", 1, 10),
        ("Kontakte 1 von 2.csv", "Kontakte", 1, 2),
        ("contacts_0.json", "contacts", 0, None),
        ("Contacts_001.csv.gz", "Contacts", 1, None),
        ("WE_00D000000000001_2.ZIP", "WE_00D000000000001", 2, None),
        ("people-acme-120.csv", "people-acme", 120, None),
        ("hubspot-crm-exports-all-2026-11-24-2.csv", "hubspot-crm-exports-all-2026-11-24", 2, None),
        ("contacts-2026-11-24-02.csv", "contacts-2026-11-24", 2, None),
        ("contacts_20261124_1.csv", "contacts_20261124", 1, None),
        ("contacts-20261124-0230-2.csv", "contacts-20261124-0230", 2, None),
        ("contacts-20261124-0230-02.csv", "contacts-20261124-0230", 2, None),
        ("Kontakte 24.11.2026 (2).csv", "Kontakte 24.11.2026", 2, None),
        ("contacts-2026-2.csv", "contacts-2026", 2, None),
        ("001.csv", "", 1, None),
        ("part2.csv", "", 2, None),
        ("counterpart3.csv", "counterpart", 3, None),
        ("contacts.csv.001", "contacts.csv", 1, None),
    ],
)
def test_a_number_at_the_end_of_a_name_is_a_part(
    name: str, base: str, part: int, of: int | None
) -> None:
    assert parts.split(name) == (base, part, of)


@pytest.mark.parametrize(
    "name",
    [
        "contacts.csv",
        "contacts-2026-11-24.csv",
        "contacts_2026_11_24.csv",
        "contacts-20261124.csv",
        "contacts-2026-11.csv",
        "contacts-24.11.2026.csv",
        "contacts-24.11.26.csv",
        "contacts-3-11-26.csv",
        "contacts-2026-11-24-0230.csv",
        "contacts-2026-11-24-02-30.csv",
        "contacts 2026-11-24 02.30.15.csv",
        "contacts-2026-11-24T02_30Z.csv",
        "contacts-20261124-023015.csv",
        "contacts-20261124-02h30.csv",
        "contacts-20261124_02-30-15.csv",
        "contacts-0230.csv",
        "contacts-1732415400.csv",
        "export-7f3b2c1d-9a8e-4d2f-8c1b-0a1b2c3d4e12.csv",
        "contacts-a1b2c3d4.csv",
    ],
)
def test_dates_times_ids_and_hashes_are_no_parts(name: str) -> None:
    assert parts.split(name) == (parts.stem(name), None, None)


@given(
    base=st.sampled_from(["contacts", "x-2026-11-24", "x 24.11.2026 0230", "WE_00D01a2"]),
    mark=st.sampled_from(["-", "_", " ", ".", "_part", " (", " teil "]),
    digits=st.from_regex("[0-9]{1,3}", fullmatch=True),
    ending=st.sampled_from([".csv", ".XLSX", ".csv.gz", ".zip"]),
)
def test_whatever_stands_before_it_a_part_number_is_found(
    base: str, mark: str, digits: str, ending: str
) -> None:
    name = f"{base}{mark}{digits}{')' * mark.count('(')}{ending}"
    assert parts.split(name) == (base, int(digits), None)


@pytest.mark.parametrize(
    ("numbers", "of", "lacking"),
    [
        ([1, 2, 3], None, []),
        ([0, 1], None, []),
        ([3, 1], None, [2]),
        ([2], None, [1]),
        ([0, 2], None, [1]),
        ([1, 2], 3, [3]),
        ([1], 1, []),
    ],
)
def test_what_lacks_between_the_first_and_the_last_part(
    numbers: list[int], of: int | None, lacking: list[int]
) -> None:
    assert parts.missing(numbers, of=of) == lacking
