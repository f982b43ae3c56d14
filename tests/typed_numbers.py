"""Numbers of any region as people, programs and accidents write them, by a seeded generator."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers import PhoneMetadata

if TYPE_CHECKING:
    import random

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
