"""Columns of numbers give what `phones` gives for each of their cells, in its order."""

from __future__ import annotations

from random import Random

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typed_numbers import REGIONS, typed

from reconcile.core import phone_columns, phones


def by_cell(cells, region, outside_prefix=""):
    """The keys of each cell, from the whole column."""
    array = pa.array(cells, pa.string())
    table = phone_columns.keys_or_text(array, region, outside_prefix=outside_prefix)
    found = [[] for _ in cells]
    for cell, key in zip(table["cell"].to_pylist(), table["key"].to_pylist(), strict=True):
        found[cell].append(key)
    assert table["cell"].to_pylist() == sorted(table["cell"].to_pylist())
    return [tuple(keys) for keys in found]


def one_by_one(cells, region, outside_prefix=""):
    return [phones.keys_or_text(c, region, outside_prefix=outside_prefix) for c in cells]


CELLS = [
    *["", " ", "n/a", "110", "**21", "030 1234567", "+49 (0)30 1234567", "(030) 1234567"],
    *["030/1234567", "030.123.45.67", "1234567.0", "4.915.123.456.789"],
    *["01.02.2024", "2024-02-01", "2049-8-6"],
    *["030 1234567 / 0151 23456789", "030 1234567 Fax", "4.91512E+11", "0049 30 1234567"],
    *["+0049 30 1234567", "4930 1234567", "50022158", "+999 123456", "+39 698765432", "000000"],
    *["+52 1 55 1234 5678", "+54 9 11 2345 6789", "011 49 30 1234567", "1234567890", "00", "+"],
    *["+49", "0049", "0049 3", "+1", "030 \uff11234567", "030\u00a01234567", "(0)(0)30 1234567"],
    *["+80012345678", "+883510000000012", "0" * 16, "9" * 15, "1" + "0" * 14, "01234567890123456"],
    *["1(0)301234567(0)", "49 (0)30 1234567 (0)", "30 1234567", "\u202a030 1234567\u202c"],
]


@pytest.mark.parametrize("region", ["DE", "US", "IT", "AR", "BR", "MX", "FK", "VA", "CI", "", "XX"])
@pytest.mark.parametrize("prefix", ["", "0", "9"])
def test_the_quirks_are_read_the_same_way_in_columns(region, prefix):
    assert by_cell(CELLS, region, prefix) == one_by_one(CELLS, region, prefix)


def test_a_column_too_long_to_be_read_at_once_is_read_the_same_way():
    many = ["030 1234567"] * phone_columns.AT_ONCE
    found = by_cell([*CELLS, *many, *CELLS], "DE")
    assert found == [
        *one_by_one(CELLS, "DE"),
        *[("+49301234567",)] * len(many),
        *found[: len(CELLS)],
    ]


@pytest.mark.parametrize("region", [*REGIONS, "", "XX"])
def test_numbers_of_every_region_are_read_the_same_way_in_columns(region):
    cells = [typed(Random(seed), region) for seed in range(25)]  # noqa: S311 - cells
    assert by_cell(cells, region) == one_by_one(cells, region)


@given(st.sampled_from(["", *REGIONS]), st.randoms(use_true_random=False), st.sampled_from("09 "))
def test_numbers_by_chance_are_read_the_same_way_in_columns(region, random, prefix):
    cells = [typed(random, region) for _ in range(8)]
    assert by_cell(cells, region, prefix.strip()) == one_by_one(cells, region, prefix.strip())


@given(
    st.sampled_from(REGIONS),
    st.lists(st.text(alphabet="+0123456789 ()/-.", max_size=24) | st.text(max_size=12), max_size=8),
)
def test_whatever_stands_in_a_column_is_read_the_same_way(region, cells):
    assert by_cell(cells, region) == one_by_one(cells, region)


def test_a_column_in_pieces_and_a_slice_of_one_are_read_whole():
    whole = pa.chunked_array([["030 1234567", "n/a"], [], ["+49 30 1234567"]])
    assert phone_columns.keys_or_text(whole, "DE")["cell"].to_pylist() == [0, 2]
    sliced = pa.array(["x", "030 1234567", "y"]).slice(1, 1)
    assert phone_columns.keys_or_text(sliced, "DE").to_pylist() == [
        {"cell": 0, "key": "+49301234567"}
    ]


def test_every_plan_of_the_library_can_be_matched_in_columns():
    """A pattern that RE2 can't read would stop a run, as would one without possible lengths."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number(region)
        code = example.country_code
        digits = phonenumbers.national_significant_number(example)
        cells = [f"+{code}{digits}", digits, f"0{digits}", f"1{digits}", f"{code}{digits}"]
        assert by_cell(cells, region) == one_by_one(cells, region)
