"""The second opinion on the export's own text."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconcile.core import veto


@pytest.mark.parametrize(
    "text",
    [
        "Notes;old 030 1234567;x",
        "a,+49 (30) 1234567,b",
        "fax: 030/123-45.67",
        "0049301234567",
        "1,493012345670000,2",
        "030\u00a0123\u202f45\u201167",
        "+49?30?1234567",
        "\uff0b\uff14\uff19 30 \uff11\uff12\uff13\uff14\uff15\uff16\uff17",
        "\u0660\u0663\u0660 \u0661\u0662\u0663\u0664\u0665\u0666\u0667",
        "\u202a+49 30\u2009123\u00ad45\u221267\u202c",
        "+49 [0] 30 - 123 45 67",
    ],
)
def test_a_number_is_found_however_it_is_written(text):
    assert veto.find(text, {7: ("+49301234567",)}) == {7: "+49301234567"}


@pytest.mark.parametrize("text", ["030 1234568", "030,1234567", "0123456 x7", "no number"])
def test_another_number_is_not_found(text):
    assert veto.find(text, {7: ("+49301234567",)}) == {}


def test_an_address_is_found_in_any_case():
    assert veto.find("x;JO@Example.com;y", {7: ("jo@example.com",)}) == {7: "jo@example.com"}


@pytest.mark.parametrize("text", ["jo@example.com", "jo@example.com,x", "x,jo@example.com"])
def test_an_address_is_found_at_either_end_of_the_text(text):
    assert veto.find(text, {7: ("jo@example.com",)}) == {7: "jo@example.com"}


def test_a_short_number_is_compared_whole_and_a_fragment_not_at_all():
    assert veto.find("tel 777777", {7: ("777777",)}) == {7: "777777"}
    assert veto.find("tel 77777", {7: ("77777",)}) == {}


def test_each_contact_gets_its_own_answer():
    wanted = {1: ("030 1111111",), 2: ("030 2222222",), 3: ("030 1111111", "x@y.de")}
    assert veto.find("... 0301111111 ...", wanted) == {1: "030 1111111", 3: "030 1111111"}


def test_without_any_text_everybody_is_kept():
    assert set(veto.find("", {1: ("030 1111111",), 2: ()})) == {1, 2}


def test_nothing_wanted_is_nothing_found():
    assert veto.find("030 1111111", {1: ()}) == {}


@given(
    st.text(alphabet="0123456789", min_size=8, max_size=13),
    st.text(alphabet=" .-/()", min_size=1, max_size=3),
    st.text(alphabet='abc,;\n"', max_size=10),
)
def test_no_way_of_grouping_hides_a_number(digits, glue, around):
    written = glue.join(digits)
    assert veto.find(f"{around}{written}{around}", {1: (digits,)}) == {1: digits}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Ann Lee <ann@x.de>", "note,ANN@x.de"),
        ("ann@x.de; b@x.de", "b@x.de"),
        ("030 1234567 ext. 12", "030 1234567"),
        ("030 1234567 ext. 12", "03012345 6712"),
        ("030 1234567 / 0151 22222222", "0301234567"),
        ("030 1234567 / 0151 22222222", "015122222222"),
        ("030 1234567; 0151 22222222", "0301234567"),
    ],
)
def test_every_way_to_cut_a_cell_is_looked_for(value, text):
    assert veto.find(text, {1: (value,)}) == {1: value}


def test_part_of_an_address_is_another_address():
    assert veto.find("joann@x.de", {1: ("ann@x.de",)}) == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("+372 512 3456", "5123456"),
        ("00372 512 3456", "512 3456"),
        ("+49 30 1234", "030 / 1234"),
        ("0301234", "+49 (30) 1234"),
        ("030 12345", "0049 30 12345"),
        ("+500 22158", "+500 22158"),
    ],
)
def test_a_short_number_is_found_whatever_stands_before_it(value, text):
    assert veto.find(text, {1: (value,)}) == {1: value}


@pytest.mark.parametrize(
    "text", ["ANN@M\u00dcLLER.DE", "x;ann@m\u00fcller.de", "Ann@mu\u0308ller.de"]
)
def test_an_address_is_found_however_its_umlauts_are_written(text):
    assert veto.find(text, {1: ("ann@m\u00fcller.de",)}) == {1: "ann@m\u00fcller.de"}


@pytest.mark.parametrize("at", [*range(-14, 15), 512, -512])
def test_what_stands_where_the_text_is_cut_into_pieces_is_found(at):
    before = "x" * (veto.PIECE + at)
    wanted = {1: ("+49301234567",), 2: ("ann@x.de",)}
    assert set(veto.find(f"{before}030 1234567 ann@x.de", wanted)) == {1, 2}


GLUE = " .-/()+'[]?"


def plainly(text, needle):
    """The rule, read slowly: the needle's digits with nothing but glue between them.

    One of less than eight digits ends its run, or is followed by a zero; before it stand at most
    nine digits, or a zero right before it.
    """
    run = ""
    for character in text:
        if character.isdecimal():
            run += character
        elif character not in GLUE:
            run += "|"
    if len(needle) >= 8:
        return needle in run
    return re.search(rf"(?:(?:^|\|)\d{{0,9}}|0){needle}(?=0|\||$)", run) is not None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("08851/123", True),
        ("8851 123", True),
        ("0049 8851 123", True),
        ("id17\t08851123", True),
        ("08851 123 08851 124", True),
        ("0049 89 8851123", True),
        ("12345678901 8851123", False),
        ("08851 1234", False),
        ("851123", False),
    ],
)
def test_a_short_number_is_no_part_of_another_one(text, kept):
    assert bool(veto.find(text, {1: ("+49 8851 123",)})) is kept


@pytest.mark.parametrize(
    ("number", "text", "kept"),
    [
        # Nine digits may stand before it in its run, and no more; whatever other runs there are.
        ("08851 123", "123456789 8851123", True),
        ("08851 123", "1234567891 8851123", False),
        ("08851 123", "12345678912|8851123", True),
        ("08851 123", "12345678912|123456789 8851123", True),
        ("08851 123", "12345678912|1234567891 8851123", False),
        ("08851 123", "12|34|1234567891 8851123", False),
        ("08851 123", "12|34|12345678910 8851123", True),
        ("070 12345", "12345678911 7012345", False),
        # It ends its run, or a zero begins the next number; the text may end right there.
        ("08851 123", "8851123", True),
        ("08851 123", "8851123 0", True),
        ("08851 123", "8851123 4", False),
        ("08851 120", "8851120 4", False),
        ("08851 123", "8851123|4", True),
    ],
)
def test_where_a_short_number_is_a_whole_one(number, text, kept):
    assert bool(veto.find(text, {1: (number,)})) is kept
    needle = number.replace(" ", "").lstrip("0")
    assert plainly(text, needle) is kept, "the slow reading of the rule says the same"


def test_an_address_is_the_same_in_capitals_of_every_script():
    assert veto.find("Straße@x.de", {1: ("strasse@x.de",)}) == {1: "strasse@x.de"}


def test_short_numbers_are_hardly_found_by_chance():
    """Of a thousand contacts in a place with short numbers, and an export of strangers' numbers."""
    numbers = random.Random(7)  # noqa: S311 - no secret
    text = "\n".join(f"{i},0{numbers.randrange(10**9, 10**10)}" for i in range(20_000))
    wanted = {i: (f"+49 8851 {numbers.randrange(100, 1000)}",) for i in range(1000)}
    assert len(veto.find(text, wanted)) < 20


@given(
    st.lists(st.sampled_from([*"0123456789", *GLUE, "\u00a0", ";", "x", ",", "\n"]), max_size=80),
    st.text(alphabet="0123456789", min_size=6, max_size=8).filter(lambda n: n[0] != "0"),
    st.integers(0, 80),
)
@example(list("0012345"), "12345678", 0)
def test_a_number_is_found_exactly_where_only_glue_stands_between_its_digits(around, digits, at):
    for text in ("".join(around), "".join([*around[:at], *" ".join(digits), *around[at:]])):
        expected = {1: digits} if plainly(text.replace("\u00a0", " "), digits) else {}
        assert veto.find(f"{text}|", {1: (digits,)}) == expected


def test_without_a_text_everybody_is_kept():
    assert veto.find("", {7: ("030 1234567",)}) == {7: "the export's text is not available"}


def test_what_one_piece_holds_is_not_forgotten_at_the_next():
    text = f"030 1234567 ann@x.de {'x' * veto.PIECE} bob@x.de"
    wanted = {1: ("030 1234567",), 2: ("ann@x.de",), 3: ("bob@x.de",)}
    assert set(veto.find(text, wanted)) == {1, 2, 3}


@pytest.mark.parametrize("strange", ["\ud83d", "\U00030000", "\U000e0001"])
def test_a_character_of_no_script_hides_nothing(strange):
    assert veto.find(f"{strange}030 1234567{strange}", {1: ("030 1234567",)}) == {1: "030 1234567"}


@pytest.mark.parametrize("value", ["(+372) 512 3456", " +372 512 3456", "( 00372) 512 3456"])
def test_a_country_code_is_one_in_brackets_too(value):
    assert veto.find("5123456", {1: (value,)}) == {1: value}


def test_a_number_without_a_country_code_has_none_to_leave_out():
    assert veto.find("1234567", {1: ("030 1234567",)}) == {}
