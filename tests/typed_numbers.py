"""Numbers of any region as people, programs and accidents write them, by a seeded generator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType, ValidationResult

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
_KINDS = range(10)
"""The library's types of numbers."""
_SEPARATORS = ["", "", " ", "-", ".", "/", " / ", "  ", "\u00a0"]


@cache
def examples(region: str) -> list[phonenumbers.PhoneNumber]:
    found = (phonenumbers.example_number_for_type(region, kind) for kind in _KINDS)
    return [example for example in found if example]


def typed(random: random.Random, region: str) -> str:
    """One cell: mostly a number that is nearly one of the region, else of another, else digits."""
    chance = random.random()
    if chance < 0.15:
        return random.choice(["", "+", "00", "0", "011", " ", "(", "+("]) + _digits(random, 16)
    other = region if region in REGIONS and chance < 0.75 else random.choice(REGIONS)
    example = random.choice(examples(other))
    number = phonenumbers.national_significant_number(example)
    kept = random.randint(0, len(number))
    wanted = len(number) - kept + random.choice([0, 0, 0, 0, -1, 1, 2])
    number = number[:kept] + "".join(random.choice("0123456789") for _ in range(wanted))
    cell = _prefix(random, other, str(example.country_code)) + _parted(random, number)
    if random.random() < 0.1:
        return cell[:3] + random.choice(["(", " (", ")", ") ", "(0)", "x", "?"]) + cell[3:]
    return cell


def _digits(random: random.Random, most: int) -> str:
    return "".join(random.choice("0123456789") for _ in range(random.randint(0, most)))


def _prefix(random: random.Random, region: str, code: str) -> str:
    trunk = PhoneMetadata.metadata_for_region(region).national_prefix or ""
    abroad = [
        f"+{code}",
        f"+{code} ",
        code,
        f"00{code}",
        f"011{code}",
        f"+{code}(0)",
        f"{code} (0)",
    ]
    return random.choice([*abroad, "0", trunk, trunk, "", f"000{code}", "9", "+0", "1", "15", "'"])


def _parted(random: random.Random, number: str) -> str:
    separator = random.choice(_SEPARATORS)
    parts = [separator if at and random.random() < 0.25 else "" for at in range(len(number))]
    return "".join(part + digit for part, digit in zip(parts, number, strict=True))


# ---------------------------------------------------------------------------- ways of typing


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a region: its country code, and its national digits as E.164 has them."""

    region: str
    code: int
    national: str

    @property
    def digits(self) -> str:
        return f"{self.code}{self.national}"

    @property
    def e164(self) -> str:
        return f"+{self.digits}"

    def written(self, form: int) -> str:
        """In one of the library's formats."""
        return phonenumbers.format_number(phonenumbers.parse(self.e164), form)

    def is_one(self) -> bool:
        """Whether E.164 has room for it, a plan has its length, and the library reads it back."""
        parsed = phonenumbers.parse(self.e164)
        return (
            len(self.digits) <= _LONGEST
            and phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == self.e164
            and phonenumbers.is_possible_number_with_reason(parsed) == ValidationResult.IS_POSSIBLE
        )


_LONGEST = 15
_ALL_KNOW = 10
"""So many digits are taken for a number that lost its plus; fewer must be somebody's number."""
_LEAST = 6


def _scientific(number: Number) -> str:
    """As programs write it that keep all digits: zeros at the end are none."""
    digits = number.digits
    return f"{digits[0]}.{digits[1:].rstrip('0')}E+{len(digits) - 1}"


ABROAD: dict[str, Callable[[Number], str]] = {
    "E.164": lambda n: n.e164,
    "international": lambda n: n.written(PhoneNumberFormat.INTERNATIONAL),
    "RFC 3966": lambda n: n.written(PhoneNumberFormat.RFC3966),
    "code in brackets": lambda n: f"(+{n.code}) {n.national}",
    "blank behind the plus": lambda n: f"+ {n.code} {n.national}",
    "00": lambda n: f"00{n.code} {n.national}",
    "00, digits only": lambda n: f"00{n.digits}",
    "00 behind a plus": lambda n: f"+00{n.digits}",
    "011": lambda n: f"011 {n.code} {n.national}",
    "zero in brackets": lambda n: f"+{n.code} (0){n.national}",
    "zero in square brackets": lambda n: f"+{n.code} [0] {n.national}",
    "00 and zero in brackets": lambda n: f"00{n.code}(0) {n.national}",
}
"""Ways that say the country code: whatever region reads them, they mean one number."""

PLUSLESS: dict[str, Callable[[Number], str]] = {
    "lost plus": lambda n: n.digits,
    "lost plus, with a blank": lambda n: f"{n.code} {n.national}",
    "lost plus, zero in brackets": lambda n: f"{n.code} (0){n.national}",
    "number cell": lambda n: f"{n.digits}.0",
    "number cell with a comma": lambda n: f"{n.digits},00",
    "scientific": _scientific,
    "scientific, German": lambda n: _scientific(n).replace(".", ","),
}
"""Ways that say the country code, if one knows it: see `readable`."""

AT_HOME: dict[str, Callable[[Number], str]] = {
    "national": lambda n: n.written(PhoneNumberFormat.NATIONAL),
    "national, digits only": lambda n: digits_of(n.written(PhoneNumberFormat.NATIONAL)),
    "lost trunk prefix": lambda n: n.national,
    "national number cell": lambda n: f"{n.national.lstrip('0')}.0",
}
"""Ways that only the number's own region reads as that number."""

WAYS = ABROAD | PLUSLESS | AT_HOME


def digits_of(text: str) -> str:
    return "".join(c for c in text if c.isdecimal())


def dialling_out(region: str) -> str:
    """What one dials in a region before a country code; "" where it takes a tone or a carrier."""
    plan = PhoneMetadata.metadata_for_region(region)
    prefix = plan.preferred_international_prefix or plan.international_prefix or ""
    return prefix if prefix.isdecimal() else ""


def readable(number: Number, way: str) -> bool:
    """Whether a way of typing leaves enough of a number to be that number.

    Without plus or zero, a few digits could be numbers of half the world. What has fewer digits
    than anybody's own number is a short code (NO 02xxx, NL 14xxx, UY 21xxx). And of what scientific
    notation leaves out nobody knows whether it was zeros, unless nearly all is there.
    """
    if way in PLUSLESS:
        parsed = phonenumbers.parse(number.e164)
        known = len(number.digits) >= _ALL_KNOW or phonenumbers.is_valid_number(parsed)
        return known and ("scientific" not in way or _keeps_its_digits(number))
    if way in AT_HOME:
        typed = digits_of(WAYS[way](number).removesuffix(".0"))
        return len(typed) >= min(_LEAST, _usual_length(number.region)) and not _is_taken(number)
    return True


def _keeps_its_digits(number: Number) -> bool:
    left = len(number.digits.rstrip("0"))
    return left == len(number.digits) or (left >= 9 and len(number.digits) - left <= 2)


def _is_taken(number: Number) -> bool:
    """Whether its national form is another number of its region, as Gabon has old and new ones.

    Or none, as it begins like a call abroad.
    """
    typed = number.written(PhoneNumberFormat.NATIONAL)
    try:
        parsed = phonenumbers.parse(typed, number.region)
    except phonenumbers.NumberParseException:
        return True
    is_other = phonenumbers.format_number(parsed, PhoneNumberFormat.E164) != number.e164
    return is_other and phonenumbers.is_possible_number(parsed)


@cache
def _usual_length(region: str) -> int:
    kinds = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)
    found = filter(None, (phonenumbers.example_number_for_type(region, kind) for kind in kinds))
    return min(len(str(example.national_number)) for example in found)
