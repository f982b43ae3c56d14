"""Numbers as typed → E.164 candidates."""

from __future__ import annotations

import time

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from reconcile.core.phones import is_valid, keys, keys_or_text

BERLIN = "+49301234567"
MOBILE = "+4915123456789"

# The quirk table of the research on CRM exports: what a cell holds, read for a region, and the
# keys that it must have. The other side has the number in E.164.
QUIRKS = [
    # plain spellings
    ("+49 30 1234567", "DE", BERLIN),
    ("(030) 1234567", "DE", BERLIN),
    ("030/1234567", "DE", BERLIN),
    ("030-123 45 67", "DE", BERLIN),
    ("030.123.45.67", "DE", BERLIN),
    ("(+49) 30 1234567", "DE", BERLIN),
    ("+ 49 30 1234567", "DE", BERLIN),
    ("+49 (30) 1234567", "DE", BERLIN),
    # scientific notation that still has all its digits
    ("4.915123456789E+12", "DE", MOBILE),
    ("4,915123456789e+12", "DE", MOBILE),
    # a number cell
    ("4915123456789.0", "DE", MOBILE),
    ("15123456789.0", "DE", MOBILE),
    ("4915123456789,00", "DE", MOBILE),
    ("4,915,123,456,789", "DE", MOBILE),
    ("4.915.123.456.789", "DE", MOBILE),
    # lost plus, also of a short number
    ("4930 1234567", "DE", BERLIN),
    ("4930 1234567", "US", BERLIN),
    ("49 (0)30 1234567", "DE", BERLIN),
    ("33145678901", "DE", "+33145678901"),
    ("35227123456", "DE", "+35227123456"),
    ("50022158", "DE", "+50022158"),
    # lost zero
    ("301234567", "DE", BERLIN),
    ("15123456789", "DE", MOBILE),
    ("145678901", "FR", "+33145678901"),
    ("698765432", "IT", "+390698765432"),
    ("+39 698765432", "DE", "+390698765432"),
    ("102030405", "CI", "+2250102030405"),
    # 00 and 011
    ("0049 30 1234567", "DE", BERLIN),
    ("0049 30 1234567", "US", BERLIN),
    ("0049 (0)30 1234567", "DE", BERLIN),
    ("001 212 555 0187", "DE", "+12125550187"),
    ("001 212 555 0187", "US", "+12125550187"),
    ("011 49 30 1234567", "DE", BERLIN),
    ("011 49 30 1234567", "US", BERLIN),
    ("+0049 30 1234567", "DE", BERLIN),
    ("+030 1234567", "DE", BERLIN),
    # the national zero in brackets
    ("+49 (0)30 1234567", "DE", BERLIN),
    ("+49(0) 30 1234567", "US", BERLIN),
    ("+49 [0] 30 1234567", "US", BERLIN),
    ("+33 (0)1 45 67 89 01", "DE", "+33145678901"),
    ("+44 (0)20 7946 0958", "DE", "+442079460958"),
    ("+39 (0)6 9876 5432", "DE", "+390698765432"),
    ("+39 06 9876 5432", "DE", "+390698765432"),
    # extensions
    ("030 1234567 x123", "DE", BERLIN),
    ("030 1234567 ext. 12", "DE", BERLIN),
    ("030 1234567;ext=12", "DE", BERLIN),
    ("tel:+49-30-1234567;ext=12", "US", BERLIN),
    ("030 1234567, 12", "DE", BERLIN),
    ("030 1234567,,12", "DE", BERLIN),
    ("030 1234567 Durchwahl 12", "DE", BERLIN),
    ("030 1234567 (DW 12)", "DE", BERLIN),
    ("030 1234567 #12", "DE", BERLIN),
    ("01 45 67 89 01 poste 12", "FR", "+33145678901"),
    ("030 12345-0/-12", "DE", "+4930123450"),
    ("030 12345-0 / -12", "DE", "+493012345" + "12"),
    ("tel:030-1234567;phone-context=+49", "US", BERLIN),
    ("tel:1234567;phone-context=+49-30", "US", BERLIN),
    # words, also with digits, and a word inside
    ("Tel.: 030 1234567", "DE", BERLIN),
    ("mobil 0151 23456789", "DE", MOBILE),
    ("030 1234567 (Zentrale)", "DE", BERLIN),
    ("Büro 2: 030 1234567", "DE", BERLIN),
    ("030 1234567 Zimmer 12", "DE", BERLIN),
    ("030 1234567 (Mo-Fr 8-17)", "DE", BERLIN),
    ("030 1234567 seit 01.02.2024", "DE", BERLIN),
    ("030 (Berlin) 1234567", "DE", BERLIN),
    ("+49 (Germany) 30 1234567", "DE", BERLIN),
    ("Raum 0815 Tel 212 555 0187", "US", "+12125550187"),
    ("Tel./Fax: 030 1234567", "DE", BERLIN),
    ("Halifax: 902 555 0187", "CA", "+19025550187"),
    # wrappers
    ("'+49301234567", "DE", BERLIN),
    ('="+49301234567"', "DE", BERLIN),
    ("=+49301234567", "DE", BERLIN),
    ("sip:+49301234567@pbx.example.com", "DE", BERLIN),
    ("https://wa.me/4915123456789", "DE", MOBILE),
    ('[{"phoneNumber":"+49 30 1234567","primary":true,"type":"Office"}]', "DE", BERLIN),
    # invisible, foreign, lost and broken characters
    ("\u202a+49\u00a030\u00a01234567\u202c", "DE", BERLIN),
    ("\uff0b\uff14\uff19 30 1234567", "DE", BERLIN),
    ("\u0660\u0663\u0660 \u0661\u0662\u0663\u0664\u0665\u0666\u0667", "DE", BERLIN),
    ("030\u20111234567", "DE", BERLIN),
    ("030\u22121234567", "DE", BERLIN),
    ("?+49 30 1234567?", "DE", BERLIN),
    ("+49?30?1234567", "DE", BERLIN),
    ("\u00e2\u20ac\u00aa+49 30 1234567", "DE", BERLIN),
    ("030\u00c2\u00a01234567", "DE", BERLIN),
    # vanity
    ("1-800-FLOWERS", "US", "+18003569377"),
    ("(800) FLOWERS", "US", "+18003569377"),
    ("+1 800 GO-FEDEX", "DE", "+18004633339"),
    ("1-800-CONTACTS", "US", "+18002668228"),
    ("0800 REISEN", "DE", "+49800734736"),
    # other people's plans, which the library knows
    ("8 495 123-45-67", "RU", "+74951234567"),
    ("06 1 876 5432", "HU", "+3618765432"),
    ("+52 1 55 1234 5678", "MX", "+525512345678"),
    ("+54 9 11 2345 6789", "AR", "+541123456789"),
    ("011 15 2345 6789", "AR", "+541123456789"),
    ("22158", "FK", "+50022158"),
]


@pytest.mark.parametrize(("cell", "region", "expected"), QUIRKS)
def test_every_way_to_type_a_number_gives_its_key(cell, region, expected):
    assert expected in keys(cell, region)
    assert keys(expected, region)[0] == expected


NUMBERLESS = [
    *["", "n/a", "-", "0", "Geschäftsführer", "2. Etage", "seit 01.02.2024", "2024-02-01"],
    # short and star codes
    *["110", "115", "**21", "*21#", "12 ext. 5"],
    # placeholders
    *["000000", "1111111111", "999-999-9999", "+1 (999) 999-9999", "0049 000 0000", "+49 000000"],
    *["1234567890", "0123456789", "+49 123456789", "123456", "987654321", "030 0000000"],
    *["+1 555 555 5555", "0000000000 ext. 12"],
    # scientific notation that lost digits
    *["4.91512E+11", "4,91512E+11", "4E+11", "'4.91512E+11"],
    # fax
    *["030 1234567 Fax", "Telefax 030 1234567", "Fax: 030 1234567", "030 1234567 (Fax)"],
    *["F: 030 1234567", "Fax 030 1234567 ext. 12", "Homefax 030 1234567"],
    *["T\u00e9l\u00e9copie 01 45 67 89 01", "\u0444\u0430\u043a\u0441 030 1234567"],
    '[{"phoneNumber":"+49 30 1234567","type":"Fax"}]',
    # fragments: masked, cut off, without what stands before
    *["030 123XXXX", "030 123****", "0301234...", "0301234\u2026", "030 1234\u2022\u2022\u2022"],
    *["xxx-xxx-1234567", "jo1234567@example.com", "https://example.com/id/1234567"],
    *["+49", "0049 30"],
]


@pytest.mark.parametrize("cell", NUMBERLESS)
def test_what_is_no_number_of_a_person_gives_no_key(cell):
    assert keys(cell, "DE") == ()


def test_a_number_without_its_area_code_is_a_fragment_where_the_library_knows_it():
    assert keys("555-0187", "US") == ()
    assert keys_or_text("555-0187", "US") == ("~5550187",)


@pytest.mark.parametrize(
    "cell",
    [
        "4915123456789.0,49301234567.0",
        "4915123456789.0; 030 1234567",
        "030 1234567 ::: 4915123456789.0",
        "4915123456789.00 / 030 1234567",
    ],
)
def test_several_number_cells_that_were_joined(cell):
    """Pipedrive writes the numbers of one label into one cell; Excel had made them floats."""
    assert {BERLIN, MOBILE} <= set(keys(cell, "DE"))


@pytest.mark.parametrize("cell", ["030.1234567.0", "01.45.67.89.00"])
def test_a_zero_behind_a_dot_is_a_digit_where_dots_part_the_digits(cell):
    (key,) = keys(cell, "FR" if cell.startswith("01") else "DE")
    assert key.endswith("0")


@pytest.mark.parametrize(
    "cell",
    [
        "030 1234567 / 0151 23456789",
        "030 1234567/0151 23456789",
        "030 1234567; 0151 23456789",
        "030 1234567, 0151 23456789",
        "030 1234567 | 0151 23456789",
        "030 1234567\n0151 23456789",
        "030 1234567 oder 0151 23456789",
        "030 1234567 und +49 151 23456789",
        "030 1234567 ::: 0151 23456789",
        "030 1234567 & 0151 23456789",
        "030 1234567 - 0151 23456789",
        "030 1234567  0151 23456789",
        "0301234567 015123456789",
        "+49301234567+4915123456789",
        "+49301234567, 4915123456789",
        "030 1234567, 15123456789",
        "Büro 030 1234567 Mobil 0151 23456789",
        "030 1234567 (Büro) 0151 23456789 (mobil)",
        "Tel 030 1234567 Mobil 0151 23456789 Fax 030 7654321",
        "T: 030 1234567 M: 0151 23456789 F: 030 7654321",
        "030 7654321 Fax, 030 1234567 Tel, 0151 23456789 mobil",
        "030 1234567 ext. 12 / 0151 23456789",
        '[{"phone":"030 1234567"},{"phone":"015123456789"},{"phone":"0307654321","type":"Fax"}]',
    ],
)
def test_two_numbers_in_a_cell_give_two_keys_and_a_fax_beside_them_none(cell):
    found = set(keys(cell, "DE"))
    assert found >= {BERLIN, MOBILE}
    assert "+49307654321" not in found


@pytest.mark.parametrize(
    "cell",
    ["212-555-0187/212-555-0188", "2125550187 2125550188", "212 555 0187 x12, 212 555 0188"],
)
def test_two_numbers_without_any_zero_before_them(cell):
    assert set(keys(cell, "US")) >= {"+12125550187", "+12125550188"}


@pytest.mark.parametrize(
    ("cell", "fax"),
    [
        ("030 1234567 Fax 030 7654321", "+49307654321"),
        ("030 1234567 (Tel) 030 7654321 (Fax)", "+49307654321"),
        ("030 7654321 (Fax) 030 1234567", "+49307654321"),
        ("030 7654321 Fax 030 1234567 Tel", "+49307654321"),
        ("Telefon 030 1234567 Telefax 030 7654321", "+49307654321"),
    ],
)
def test_a_fax_is_told_from_the_number_beside_it(cell, fax):
    assert keys(cell, "DE") == (BERLIN,)
    assert fax not in keys(cell, "DE")


def test_a_second_number_without_its_area_code_is_a_fragment():
    assert keys("030 1234567, 7654321", "DE") == (BERLIN,)
    assert keys("912345678, 612345678", "ES") == ("+34912345678", "+34612345678")


def test_what_the_library_can_not_read_is_nobodys_number():
    assert [is_valid(number) for number in (BERLIN, "+49", "030 1234567", "")] == [
        True,
        *[False] * 3,
    ]


def test_a_lost_plus_adds_a_reading_and_drops_none():
    assert set(keys("4155550187", "DE")) == {"+494155550187"}
    assert set(keys("33145678901", "DE")) == {"+33145678901", "+4933145678901"}


def test_a_french_number_that_ends_in_a_pair_of_zeros_keeps_them():
    assert keys("01.45.67.89.00", "FR") == ("+33145678900",)


def test_a_direct_dial_meets_the_main_number_and_the_full_one():
    assert set(keys("030 123450 DW 12", "DE")) == {
        "+4930123450",
        "+493012345012",
        "+49301234512",
    }


@pytest.mark.parametrize(
    ("stored", "prefix", "expected"),
    [
        ("00301234567", "0", BERLIN),
        ("000493012345678", "0", "+493012345678"),
        ("90301234567", "9", BERLIN),
        ("+49301234567", "0", BERLIN),
        ("0301234567", "0", BERLIN),
    ],
)
def test_a_pbx_that_stores_its_outside_line_is_read_with_and_without_it(stored, prefix, expected):
    assert expected in keys(stored, "DE", outside_prefix=prefix)
    assert expected in keys_or_text(stored, "DE", outside_prefix=prefix)


def test_without_a_prefix_configured_no_digit_is_taken_off():
    assert BERLIN not in keys("00301234567", "DE")


@pytest.mark.parametrize("piece", ["1", "12 ", "(1", " ", "a@", "030/", "x1", "Fax 030 1234567 "])
def test_a_cell_full_of_rubbish_is_read_in_no_time(piece):
    began = time.process_time()
    keys(piece * (20_000 // len(piece)), "DE")
    assert time.process_time() - began < 2  # a second look at each digit would take a minute


def test_a_number_in_a_long_note_is_found():
    note = "Bitte nach 17 Uhr unter 030 1234567 anrufen. " + "Sehr freundlich. " * 30
    assert keys(note + "Mobil: 0151 23456789", "DE") == (BERLIN, MOBILE)


def test_an_unknown_region_reads_what_says_its_country_itself():
    assert keys("+49 30 1234567", "") == (BERLIN,)
    assert keys("030 1234567", "") == ()
    assert keys("030 1234567", "XX") == ()


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("**21", ("~21",)),
        ("030 1234567 Fax", ("~0301234567fax",)),
        ("+49 30 1234567", (BERLIN,)),
        ("1234567890", ()),
        ("000000", ()),
        ("n/a", ()),
    ],
)
def test_what_gives_no_key_is_compared_as_text_unless_it_is_nobodys(cell, expected):
    assert keys_or_text(cell, "DE") == expected


# ---------------------------------------------------------------------------- every plan there is


def _typed(example):
    """Every way in which people and programs write one number."""
    e164 = phonenumbers.format_number(example, PhoneNumberFormat.E164)
    national = phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL)
    international = phonenumbers.format_number(example, PhoneNumberFormat.INTERNATIONAL)
    code, rest = str(example.country_code), phonenumbers.national_significant_number(example)
    yield from (e164, national, international)
    yield phonenumbers.format_number(example, PhoneNumberFormat.RFC3966)
    yield from (f"00{code}{rest}", f"011 {code} {rest}", f"+{code} (0){rest}", f"00{code}(0){rest}")
    yield from (code + rest, f"{code}{rest}.0", f'="{e164}"', f"'{international}", f"Tel.: {e164}")
    for written in (national, international):
        yield written.replace(" ", "\u00a0").replace("-", "\u2011")
        yield from (f"\u202a{written}\u202c", f"{written} ext. 12", f"{written} (office)")
        yield from (f"phone {written}", f"{written} x5", written.replace(" ", "."))
    yield international.replace(" ", "/")
    yield international.replace("-", " ")


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
TYPES = [
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.MOBILE,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.VOIP,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.PERSONAL_NUMBER,
]


@pytest.mark.parametrize("region", REGIONS)
def test_whatever_way_a_number_of_any_region_is_typed_the_two_sides_meet(region):
    missed = []
    for example in filter(None, (phonenumbers.example_number_for_type(region, t) for t in TYPES)):
        # the library's own examples are placeholders, such as 12345678
        example.national_number = example.national_number // 100 * 100 + 57
        e164 = phonenumbers.format_number(example, PhoneNumberFormat.E164)
        missed += [(e164, cell) for cell in _typed(example) if e164 not in keys(cell, region)]
    assert missed == []


PLACEHOLDERS = ["0" * 10, "1234567890", "9" * 10, "123456", "+49 000000", "n/a", "030 123XXXX"]


@given(
    st.sampled_from(REGIONS),
    st.sampled_from([*PLACEHOLDERS, "4.91512E+11", "12 ext. 5", "**21", "+49 30 7654321 Fax"]),
    st.sampled_from(["{}", "Tel.: {}", "'{}", '="{}"', "\u202a{}\u202c", "{} (office)", "({})"]),
)
def test_no_region_makes_a_key_of_a_placeholder_a_fax_or_a_fragment(region, cell, written):
    assert keys(written.format(cell), region) == ()


@given(
    st.sampled_from(REGIONS),
    st.sampled_from(["{} / {}", "{}; {}", "{}\n{}", "{} ::: {}", "{}, {}", "{} | {}", "{} und {}"]),
    st.sampled_from([PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL]),
)
def test_a_number_of_any_region_is_found_beside_another(region, joined, written):
    example = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    if example is None or len(str(example.national_number)) < 7:
        example = phonenumbers.parse(BERLIN)
    example.national_number = example.national_number // 100 * 100 + 57
    number = phonenumbers.format_number(example, written)
    expected = {phonenumbers.format_number(example, PhoneNumberFormat.E164), "+442079460958"}
    assert set(keys(joined.format(number, "+44 20 7946 0958"), region)) >= expected
    assert set(keys(joined.format("+44 20 7946 0958", number), region)) >= expected


@given(st.text(max_size=60), st.sampled_from(["DE", "US", "FR", "IT", ""]))
def test_whatever_stands_in_a_cell_is_read_or_left_alone(cell, region):
    for key in keys(cell, region):
        assert key.startswith("+")
        assert 6 < len(key) <= 18


@given(st.text(alphabet="+0123456789 ()/-.,;x#Fa", max_size=40), st.sampled_from(["DE", "US", ""]))
def test_whatever_is_made_of_what_numbers_are_made_of(cell, region):
    assert keys(cell, region) == keys(f" {cell}\u200b ", region)


# ---------------------------------------------------------------------------- where a number ends


@pytest.mark.parametrize(
    ("cell", "region", "expected"),
    [
        # a word inside a number, and a word behind one
        ("030123 Berlin 4567890", "DE", ["+49301234567890"]),
        ("0301234 Berlin 567890", "DE", ["+49301234"]),
        ("030 (Berlin) 030 1234567", "DE", [BERLIN]),
        ("030 (Berlin) +49 40 7654321", "DE", ["+49407654321"]),
        ("(03012) x 34567", "DE", []),
        # an extension has six digits at most, and stands near
        ("030 1234567 x123456", "DE", [BERLIN, "+49301234567123456"]),
        ("030 1234567 x1234567", "DE", [BERLIN]),
        ("030 1234567" + " " * 79 + "x12", "DE", [BERLIN, "+4930123456712"]),
        ("030 1234567" + " " * 80 + "x12", "DE", [BERLIN]),
        # an extension behind a number that ends in a zero replaces it, too
        ("030 12345-0 DW 12", "DE", ["+4930123450", "+493012345012", "+49301234512"]),
        # a slash between two numbers of a plan without area codes, alike in length
        ("2125550187/2125550188", "US", ["+12125550187", "+12125550188"]),
        ("2125550187/12125550188", "US", ["+12125550187", "+12125550188"]),
        ("22123456/22123457", "DK", ["+4522123456", "+4522123457"]),
        ("2212 3456/02212 3457", "DE", ["+4922123456", "+4922123457"]),
        # two numbers with nothing but a blank or a dash between them
        ("030 1234567 040 7654321", "DE", [BERLIN, "+49407654321"]),
        ("030 1234567 +49 40 7654321", "DE", [BERLIN, "+49407654321"]),
        ("2125550187 2125550188", "US", ["+12125550187", "+12125550188"]),
        ("212 555 0187 212 555 0188", "US", ["+12125550187", "+12125550188"]),
        ("030 1234567-15123456789", "DE", [BERLIN, MOBILE, "+15123456789"]),
        ("+49 30 1234567 - 0151 23456789", "DE", [BERLIN, MOBILE]),
        ("030 123456789 7654321", "DE", ["+4930123456789"]),
        ("030 12345 6789012 345", "DE", ["+4930123456789012"]),
        # a later number without its area code is none, and one with it is
        ("030 1234567; 765432100", "DE", [BERLIN]),
        ("030 1234567; 7654321001", "DE", [BERLIN, "+497654321001"]),
        ("030 1234567, 040 765432", "DE", [BERLIN, "+4940765432"]),
        ("030 1234567; +49 40 765", "DE", [BERLIN, "+4940765"]),
    ],
)
def test_a_cell_gives_these_numbers_and_no_others(cell, region, expected):
    assert list(keys(cell, region)) == expected
