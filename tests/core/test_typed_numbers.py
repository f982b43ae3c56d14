"""Whatever way a number of any region is typed on either side, the sides' keys meet.

The ways are in `typed_numbers`, with the conditions under which they leave a number at all.
"""

from __future__ import annotations

import re
from datetime import datetime

import phonenumbers
import pytest
from amounts import amount
from hypothesis import event, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata
from typed_numbers import (
    ABROAD,
    AT_HOME,
    PLUSLESS,
    REGIONS,
    WAYS,
    Number,
    dialling_out,
    digits_of,
    examples,
    readable,
)

from reconcile.core.phones import keys

# ---------------------------------------------------------------------------- numbers

ENDINGS = ["57", "84", "40", "09"]
"""The library's own examples end in 5678, and many are placeholders."""


ANY_REGION = st.sampled_from(REGIONS)


@st.composite
def numbers(draw, regions=ANY_REGION):
    """A number of a known range, of a range that may come, or of any digits of a fitting length."""
    region = draw(regions)
    known = draw(st.sampled_from(examples(region)))
    digits = phonenumbers.national_significant_number(known)
    kept = draw(st.sampled_from([len(digits) - 3, len(digits) // 2, 0]))
    if not kept:
        plan = PhoneMetadata.metadata_for_region(region)
        lengths = plan.general_desc.possible_length[-3:]  # the first are short codes
        digits = draw(st.sampled_from("123456789")) + "0" * (draw(st.sampled_from(lengths)) - 1)
        kept = 1
    wanted = len(digits) - kept
    rest = draw(st.integers(0, 10**wanted - 1))
    number = Number(region, known.country_code, f"{digits[:kept]}{rest:0{wanted}}")
    if is_usable(number):
        event("random digits" if kept == 1 else "near a known number")
        return number
    event("the library's example instead")
    return next(n for e in (known, *examples(region)) for n in ended(region, e) if is_usable(n))


def ended(region, known):
    digits = phonenumbers.national_significant_number(known)
    return (Number(region, known.country_code, digits[:-2] + ending) for ending in ENDINGS)


def is_usable(number):
    return number.is_one() and not is_placeholder(number)


def is_placeholder(number):
    """What a person types to fill the field; such digits are nobody's, whatever the plan says."""
    bare = number.national.lstrip("0")
    every = (bare, f"{number.code}{number.national}")
    return any(
        len(set(d)) < 2 or d in "12345678901234567890" or d in "9876543210" or d[-6:] == "000000"
        for d in every
    )


# ---------------------------------------------------------------------------- how it looks

SEPARATORS = [
    *["", " ", "  ", ".", "/", "-", " - ", " / ", "\u00a0", "\u202f", "\u2007", "\u2009"],
    *["\u2010", "\u2011", "\u2013", "\u2212", "?", "\u200b", "\u00ad"],
]
SCRIPTS = [
    *["0123456789", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19"],
    *["".join(chr(first + n) for n in range(10)) for first in (0x660, 0x6F0, 0x966)],
]
MARKS = ["{}", "\u202a{}\u202c", "\u2066{}\u2069", "\u200e{}", "\ufeff{}", "{}\u200f", " {} "]
WORDS = [
    *["{}", "'{}", '="{}"', '"{}"', "tel:{}", "Tel.: {}", "Tel {}", "mobil {}", "{} (Zentrale)"],
    *["{} (privat)", "T: {}", "M {}", "Phone={}", "B\u00fcro: {}", "\u260e {}", "Tel./Fax: {}"],
    *["\u0442\u0435\u043b. {}", "T\u00e9l. : {}", "{} Herr Schmidt", "({})", "<{}>", "Cell: {}"],
    '[{{"phoneNumber":"{}","type":"Office"}}]',
]
FIELDS = ["{}", "'{}", '="{}"', " {} "]
"""Around what no person types."""
EXTENSIONS = [
    *["{} x12", "{} ext. 12", "{};ext=12", "{}, 12", "{},,12", "{} #12", "{} Durchwahl 12"],
    *["{} (DW 12)", "{} poste 12", "{} ext 1234", "{} Apparat 12", "{} toestel 12", "{} x 12"],
]
"""Each is one more way on either side; the main number must still meet."""


def typographies(way):
    """How a way of typing may look. Decimals and exponents are written by programs."""
    if any(word in way for word in ("cell", "scientific")):
        return st.just(Typography("", SCRIPTS[0], "{}"))
    return st.builds(
        Typography, st.sampled_from(SEPARATORS), st.sampled_from(SCRIPTS), st.sampled_from(MARKS)
    )


BETWEEN = re.compile(r"(?<=\d)[ \-]+(?=\d)")
BEFORE_NO_ZERO = re.compile(r"(?<=\d)[ \-]+(?=[1-9])")
"""A slash is written once, and before a zero (but behind a country code) a second number begins."""


class Typography:
    def __init__(self, separator, script, marks):
        self.separator, self.script, self.marks = separator, script, marks

    def __repr__(self):
        return f"Typography({self.separator!a}, {self.script!a}, {self.marks!a})"

    def __call__(self, text):
        slash = "/" in self.separator
        between = BEFORE_NO_ZERO if slash and text[0] != "+" else BETWEEN
        text = between.sub(self.separator, text, count=int(slash))
        digits = str.maketrans(SCRIPTS[0], self.script)
        return self.marks.format(text.translate(digits))


def typed_by(draw, number, ways):
    """A cell; what a way does not leave readable is typed in full."""
    way = draw(st.sampled_from(sorted(ways)))
    if not readable(number, way):
        event(f"typed in full instead of: {way}")
        way = "E.164"
    cell = draw(typographies(way))(WAYS[way](number))
    if "cell" in way or "scientific" in way:
        return draw(st.sampled_from(FIELDS)).format(cell)
    written = WORDS if ":" in cell else WORDS + EXTENSIONS
    return draw(st.sampled_from(written)).format(cell)


# ---------------------------------------------------------------------------- the two sides meet


@st.composite
def sides(draw):
    """A number, the CRM's cell with its record's region, the PBX's cell, and the region of both."""
    number = draw(numbers())
    configured = draw(st.sampled_from([number.region, number.region, "DE", "US", "IT", "AU"]))
    record = draw(st.sampled_from([number.region, configured, ""]))
    at_home = number.region in {record, configured}
    crm = typed_by(draw, number, WAYS if at_home else ABROAD | PLUSLESS)
    pbx = typed_by(draw, number, WAYS if configured == number.region else ABROAD | PLUSLESS)
    return number, crm, record, pbx, configured


@given(sides())
@settings(max_examples=amount(check=500, prove=20_000))
def test_however_a_number_is_typed_on_each_side_the_keys_meet(given_sides):
    number, crm, record, pbx, configured = given_sides
    there = {*keys(crm, record), *keys(crm, configured)}
    assert number.e164 in there, (crm, there)
    assert number.e164 in keys(pbx, configured), pbx


@given(st.data(), numbers(), st.sampled_from(["0", "9", "00", "8"]))
def test_a_number_behind_an_outside_line_meets_too(data, number, prefix):
    """A PBX may store what it dials: the national form, or the code behind 00 or its region's."""
    out = data.draw(st.sampled_from(["00", dialling_out(number.region) or "00"]))
    way = data.draw(st.sampled_from(["national, digits only", "lost trunk prefix"]))
    home = WAYS[way](number) if readable(number, way) else f"{out}{number.digits}"
    dialled = data.draw(st.sampled_from([home, f"{out}{number.digits}"]))
    gap = data.draw(st.sampled_from(["", " ", "-"]))
    for stored in (f"{prefix}{gap}{dialled}", dialled, number.e164):
        found = keys(stored, number.region, outside_prefix=prefix)
        assert number.e164 in found, (stored, found)


@given(numbers(), st.sampled_from(sorted(ABROAD)), st.sampled_from(["", *REGIONS]), st.data())
def test_a_number_with_its_country_code_means_itself_whatever_region_reads_it(
    number, way, region, data
):
    cell = data.draw(st.sampled_from(WORDS)).format(data.draw(typographies(way))(WAYS[way](number)))
    assert number.e164 in keys(cell, region), cell


@given(numbers(), numbers(), st.sampled_from(sorted({"E.164", "international", "RFC 3966"})))
def test_two_numbers_that_say_their_country_meet_only_if_they_are_one(one, other, way):
    """But for what people leave out of numbers in Italy, Mexico and Argentina."""
    together = set(keys(WAYS[way](one), "DE")) & set(keys(WAYS[way](other), "US"))
    assert one.e164 == other.e164 or not together or one.code in {39, 52, 54}


# ---------------------------------------------------------------------------- several in a cell

SPACED_SLASH = " / "
"""Without a zero or plus behind it, it stands between an area code and the rest, unless two numbers
of seven digits or more have one length."""
JOINS = [
    *["; ", ";", "\n", "\r\n", "\t", " ::: ", ":::", " | ", "|", " oder ", " und ", " or ", " ou "],
    *[" & ", SPACED_SLASH, ", ", " (B\u00fcro), mobil: ", " (office) / ", " bzw. ", " y "],
]
LONGEST_EXTENSION = 6
"""So many digits behind a comma are dialled after the number."""
BARE_JOINS = ["/", " "]
"""They part what begins with a plus."""


@st.composite
def two_in_a_cell(draw):
    """Two numbers of one region; the later one says so itself, or has its area code."""
    region = draw(st.sampled_from(REGIONS))
    one, other = draw(numbers(st.just(region))), draw(numbers(st.just(region)))
    first, second = draw(written(one)), draw(written(other))
    if lacks_area_code(second, region):
        event("the later one is written in full: without zero it would lack its area code")
        second = other.e164
    joins = JOINS + (BARE_JOINS if second.startswith("+") else [])
    if not second.startswith(("+", "0")) and not are_alike(first, second):
        joins = [join for join in joins if join != SPACED_SLASH]
    if len(digits_of(second)) <= LONGEST_EXTENSION:
        joins = [join for join in joins if join != ", "]
    return region, (one, other), draw(st.sampled_from(joins)).join((first, second))


@st.composite
def written(draw, number):
    ways = [way for way in ("national", "lost trunk prefix", *ABROAD) if readable(number, way)]
    way = draw(st.sampled_from(ways))
    point = [] if number.national.endswith("00") else ["."]  # zeros behind a point are decimals
    return BETWEEN.sub(draw(st.sampled_from(["", " ", "-", *point])), WAYS[way](number))


def lacks_area_code(cell, region):
    trunk = PhoneMetadata.metadata_for_region(region).national_prefix
    return trunk == "0" and cell[0] not in "0+(t" and len(digits_of(cell)) < 10


def are_alike(one, other):
    lengths = [len(digits_of(cell)) for cell in (one, other)]
    return one[0] not in "0+(t" and min(lengths) >= 7 and abs(lengths[0] - lengths[1]) <= 1


@given(two_in_a_cell())
@settings(max_examples=amount(check=200, prove=5000))
def test_of_two_numbers_in_a_cell_both_are_found(drawn):
    region, both, cell = drawn
    assert {number.e164 for number in both} <= set(keys(cell, region)), cell


# ---------------------------------------------------------------------------- no key

FAX = [
    *["Fax", "FAX:", "Fax-Nr.", "Telefax", "Faxnummer", "F:", "F.", "fax (B\u00fcro)", "Home Fax"],
    *["T\u00e9l\u00e9copie", "telecopie :", "t\u00e9l\u00e9copieur", "faks", "Telefaks", "faksi"],
    *[
        "\u0444\u0430\u043a\u0441:",
        "\u0424\u0430\u043a\u0441",
        "facs\u00edmile",
        "\u03a6\u03b1\u03be",
    ],
    *[
        "\u4f20\u771f",
        "\u50b3\u771f:",
        "\u30d5\u30a1\u30c3\u30af\u30b9",
        "\u30d5\u30a1\u30af\u30b9",
    ],
    *[
        "\uff8c\uff67\uff6f\uff78\uff7d",
        "\ud329\uc2a4",
        "\u0641\u0627\u0643\u0633",
        "\u05e4\u05e7\u05e1",
    ],
    "\u0e42\u0e17\u0e23\u0e2a\u0e32\u0e23",
]


@given(st.data(), numbers(), st.sampled_from(FAX))
def test_a_fax_gives_no_key_in_any_language(data, number, label):
    way = data.draw(st.sampled_from(sorted({*ABROAD, "national"} - {"RFC 3966"})))
    cell = data.draw(typographies(way))(WAYS[way](number))
    trailing = [] if label.endswith((":", ".")) else ["{} {}", "{} ({})"]
    before = data.draw(st.booleans()) or not trailing
    form = data.draw(st.sampled_from(["{} {}", "{}  {}"] if before else trailing))
    cell = form.format(label, cell) if before else form.format(cell, label)
    assert keys(cell, number.region) == ()


@given(st.data(), numbers(), numbers(), st.sampled_from(["Fax", "Telefax:", "faks", "F:"]))
def test_a_fax_beside_a_number_gives_none_and_takes_none_away(data, number, fax, label):
    join = data.draw(st.sampled_from([", {} ", "; {} ", " {} ", "\n{} ", " / {} "]))
    cell = join.format(label).join((f"Tel {number.e164}", fax.e164))
    found = keys(cell, number.region)
    assert number.e164 in found
    assert fax.e164 not in found or fax.e164 in keys(number.e164, number.region)


SERIES = ["12345678901234567890", "00123456789", "9876543210"]
REPEATED = st.builds(str.__mul__, st.sampled_from("0123456789"), st.integers(6, 15))
IN_ORDER = st.builds(lambda s, n: s[:n], st.sampled_from(SERIES), st.integers(8, 15))
WORDLESS = [
    *["n/a", "N/A", "-", "--", "x", "X", "xxx", "?", ".", "0", "keine", "unbekannt", "TBD", "none"],
    *["null", "nan", "#N/A", "\u2014", "kein Telefon", "+", "()"],
]


@given(
    REPEATED | IN_ORDER | st.sampled_from(WORDLESS),
    st.sampled_from(["{}", "+{}", "00{}", "+49 {}", "+33 {}", "0{}", "0049{}", "({})", "{}.0"]),
    st.sampled_from(WORDS),
    st.sampled_from(REGIONS),
)
@settings(max_examples=amount(check=200, prove=5000))
def test_a_placeholder_gives_no_key(digits, before, words, region):
    if before.startswith("00") and dialling_out(region) != "00":
        region = "DE"  # where 00 is not dialled before a country code, it is two digits
    cell = (words if before != "{}.0" else "{}").format(before.format(digits))
    assert keys(cell, region) == (), cell


HIDDEN = ["x", "X", "*", "\u2022", "_"]


@given(numbers(), st.integers(2, 6), st.sampled_from(HIDDEN), st.sampled_from(["", " ", "-"]))
def test_masked_digits_leave_a_fragment(number, masked, character, gap):
    left = max(len(number.national) - masked, 1)
    for cell in (
        f"{number.e164[:-masked]}{gap}{character * masked}",
        f"0{number.national[:left]}{gap}{character * masked}",
        f"{number.national[:left]}...",
        f"{number.national[:left]}\u2026",
    ):
        if masked > 2 or not gap:
            assert keys(cell, number.region) == (), cell


@given(numbers(), st.integers(1, 8), st.sampled_from(".,"), st.sampled_from(FIELDS))
def test_scientific_notation_that_lost_digits_leaves_a_fragment(number, left, point, written):
    digits = number.digits
    if len(digits) <= left:
        left = len(digits) - 1
    mantissa = digits[0] + (point + digits[1:left] if left > 1 else "")
    cell = written.format(f"{mantissa}E+{len(digits) - 1}")
    assert keys(cell, number.region) == (), cell


@given(st.integers(0, 99_999), st.sampled_from(WORDS + EXTENSIONS), st.sampled_from(REGIONS))
def test_a_short_code_gives_no_key_where_numbers_are_longer(code, written, region):
    known = [len(str(e.national_number)) for e in examples(region)]
    cell = written.format(code)
    assert len(str(code)) >= min(known) or keys(cell, region) == (), cell


DATES = ["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%Y/%m/%d", "%Y-%m-%d %H:%M:%S"]
DATES += ["%Y-%m-%dT%H:%M:%S.%fZ", "seit %d.%m.%Y", "bis %Y-%m-%d verreist"]
AMOUNTS = [
    "{:,.2f} \u20ac",
    "\u20ac {:,.2f}",
    "${:,.2f}",
    "EUR {:.2f}",
    "{:.2f} CHF",
    "{:,.2f} USD",
]
ADDRESSES = ["jo.{}@example.com", "{}@example.com", "https://example.com/{}", "www.example.com/{}"]
ADDRESSES += ["http://example.com/?id={}&x={}", "jo+{}@mail.example.com", "mailto:{}@example.com"]


@given(st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)), st.data())  # noqa: DTZ001
def test_a_date_an_amount_or_an_address_gives_no_key(moment, data):
    region = data.draw(st.sampled_from(REGIONS))
    amount = data.draw(st.sampled_from(AMOUNTS)).format(data.draw(st.integers(0, 10**9)) / 100)
    number = data.draw(numbers()).digits
    address = data.draw(st.sampled_from(ADDRESSES)).format(number, number)
    cells = [moment.strftime(data.draw(st.sampled_from(DATES))), amount, address]
    cells.append(amount.translate(str.maketrans(",.", ".,")))
    assert [cell for cell in cells if keys(cell, region)] == []


# ---------------------------------------------------------------------------- found by the above

BERLIN, ROME, MOBILE = "+49301234567", "+390698765432", "+4915123456789"
ONCE_MISSED = [
    # programs leave out the zeros at the end of a mantissa; nine digits are no rounded ones
    ("4.9301234567E+11", "DE", ["+493012345670"]),
    # the zero behind the slash belongs to the number
    ("+39 / 06 98765432", "DE", [ROME]),
    ("0039 / 06 98765432", "DE", [ROME]),
    ("+225 / 07 08 09 10 11", "DE", ["+2250708091011"]),
    # a toll-free number that lost its zeros, where no other number has one
    ("8001234567.0", "FJ", ["+67908001234567"]),
    # two numbers where no number begins with a zero
    ("22345678 / 91234567", "NO", ["+4722345678", "+4791234567"]),
    ("6123 4567/9123 4567", "SG", ["+6561234567", "+6591234567"]),
    # for calls and for faxes
    ("T\u00e9l./Fax : 01 45 67 89 01", "FR", ["+33145678901"]),
    ("Fax/Tel.: 030 1234567", "DE", [BERLIN]),
    ("Fax und Telefon 030 1234567", "DE", [BERLIN]),
    ("\u0442\u0435\u043b./\u0444\u0430\u043a\u0441 8 495 123-45-67", "RU", ["+74951234567"]),
    # no day and no month
    ("30.45.2012", "NO", ["+4730452012"]),
    ("030 2012-34-56", "DE", ["+493020123456"]),
    # stars that hide nothing
    ("030 1234567 **", "DE", [BERLIN]),
]


@pytest.mark.parametrize(("cell", "region", "expected"), ONCE_MISSED)
def test_what_was_once_missed_is_found(cell, region, expected):
    assert set(expected) <= set(keys(cell, region))


@pytest.mark.parametrize(
    ("cell", "region"),
    [
        ("T\u00e9l\u00e9copie 01 45 67 89 01", "FR"),
        ("telecopie : 01 45 67 89 01", "FR"),
        ("Telefaks: 22 34 56 78", "NO"),
        ("F: (+49) 30 1234567", "DE"),
        ("\u03a6\u03b1\u03be 21 0123 4567", "GR"),
        ("\u4f20\u771f 010 1234 5679", "CN"),
        ("(800) 212-3XXX", "US"),
        ("030 123 ****", "DE"),
        ("http://example.com/?id=4915123456789", "DE"),
        ("2024-02-01T12:34:56.712345Z", "DE"),
        ("2024/02/01", "DE"),
        ("\u20ac 2.345.678,90", "DE"),
        ("855000.00 CHF", "AE"),
        ("4.91512E+11", "DE"),
        ("4.9151234E+11", "DE"),
    ],
)
def test_what_once_gave_a_key_gives_none(cell, region):
    assert keys(cell, region) == ()


# ---------------------------------------------------------------------------- the exceptions


def test_hardly_any_number_has_a_way_of_typing_that_leaves_it_unreadable():
    """The conditions in `typed_numbers.readable` and above are few: counted over what is known."""
    every = [
        (Number(region, e.country_code, phonenumbers.national_significant_number(e)), way)
        for region in REGIONS
        for e in examples(region)
        for way in WAYS
    ]
    lost = [(number, way) for number, way in every if not readable(number, way)]
    assert len(lost) < len(every) / 100
    assert not {way for _, way in lost} & set(ABROAD)
    assert {way for _, way in lost} <= {*AT_HOME, "scientific", "scientific, German"}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("+49 30 1234567 (fax +49 30 1234568)", ("+49301234567",)),
        ("0151-23456789 (Fax: 030 1234567)", ("+4915123456789",)),
        ("Tel & Fax: 030 1234567", ("+49301234567",)),
        ("Telefon und Fax 030 1234567", ("+49301234567",)),
        ("Phone and fax: 030 1234567", ("+49301234567",)),
        ("030 1234567 (auch Fax)", ("+49301234567",)),
        ("030 1234567 kein Fax", ("+49301234567",)),
        ("030 1234567 (Fax), 0151 23456789", ("+4915123456789",)),
        ("Tel. 030 1234567 und Fax 030 1234568", ("+49301234567",)),
        ("Fax no. 030 1234567", ()),
        ("030 1234567 (Fax)", ()),
    ],
)
def test_a_fax_label_is_that_of_its_own_number(cell, expected):
    assert keys(cell, "DE") == expected
