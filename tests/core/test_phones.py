"""Numbers as typed → E.164 candidates."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconcile.core.phones import keys

BERLIN = "+49301234567"


@pytest.mark.parametrize(
    "cell",
    [
        "+49 30 1234567",
        "+49 (0)30 1234567",
        "(030) 1234567",
        "030/1234567",
        "030-123 45 67",
        "0049 30 1234567",
        "0049 (0)30 1234567",
        "'+49301234567",
        '="+49301234567"',
        "4930 1234567",
        "Tel.: 030 1234567",
        "030 1234567 (Zentrale)",
        "\u202a+49\u00a030\u00a01234567\u202c",
        "\uff0b\uff14\uff19 30 1234567",
        "030 1234567 ext. 12",
    ],
)
def test_one_number_in_many_spellings_gives_its_key(cell):
    assert BERLIN in keys(cell, "DE")


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "n/a",
        "-",
        "110",
        "**21",
        "000000",
        "1111111111",
        "030 1234567 Fax",
        "Telefax 030 1234567",
        "4.91512E+11",
        "4,91512E+11",
        "Geschäftsführer",
    ],
)
def test_what_is_no_number_of_a_person_gives_no_key(cell):
    assert keys(cell, "DE") == ()


@pytest.mark.parametrize(
    "cell",
    [
        "030 1234567 / 0151 23456789",
        "030 1234567; 0151 23456789",
        "030 1234567, 0151 23456789",
        "030 1234567\n0151 23456789",
        "030 1234567 oder 0151 23456789",
        "030 1234567 ::: 0151 23456789",
    ],
)
def test_two_numbers_in_a_cell_give_two_keys(cell):
    assert set(keys(cell, "DE")) >= {BERLIN, "+4915123456789"}


def test_a_lost_plus_adds_a_reading_and_drops_none():
    assert "+33145678901" in keys("33145678901", "DE")


def test_a_number_cell_of_a_spreadsheet_loses_its_point_zero():
    assert keys("4915123456789.0", "DE") == keys("4915123456789", "DE")
    assert "+4915123456789" in keys("4915123456789.0", "DE")


def test_a_french_number_that_ends_in_a_pair_of_zeros_keeps_them():
    assert "+33145678900" in keys("01.45.67.89.00", "FR")


def test_011_is_the_way_out_of_north_america():
    assert BERLIN in keys("011 49 30 1234567", "DE")


def test_a_direct_dial_meets_the_main_number_and_the_full_one():
    assert set(keys("030 123450 DW 12", "DE")) == {
        "+4930123450",
        "+493012345012",
        "+49301234512",
    }


def test_an_extension_of_nothing_is_no_number():
    assert keys("12 ext. 5", "DE") == ()


@given(
    st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)),
    st.sampled_from(
        [
            phonenumbers.PhoneNumberFormat.E164,
            phonenumbers.PhoneNumberFormat.INTERNATIONAL,
            phonenumbers.PhoneNumberFormat.NATIONAL,
        ]
    ),
)
def test_both_ways_of_writing_a_number_of_any_region_meet(region, written):
    example = phonenumbers.example_number(region)
    assume(example is not None and example.national_number > 99_999)  # shorter ones are no key
    e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    assert e164 in keys(phonenumbers.format_number(example, written), region)


@given(st.text(max_size=60), st.sampled_from(["DE", "US", "FR", ""]))
def test_whatever_stands_in_a_cell_is_read_or_left_alone(cell, region):
    for key in keys(cell, region):
        assert key.startswith("+")
        assert len(key) > 6
