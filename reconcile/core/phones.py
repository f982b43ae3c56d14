"""A number as typed → its match keys: every E.164 number that it may mean.

Extra keys only ever protect a contact, so a doubtful reading adds a key instead of choosing one.
`is_possible_number` and not `is_valid_number`: new and fictional ranges are "invalid" to the
library, and a lost plus makes it call a wrong number valid.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

import phonenumbers
from phonenumbers import re_util

if TYPE_CHECKING:
    from collections.abc import Iterator

re_util.enable_pattern_cache()  # ten to twenty times faster over many regions; off by default

SHORT: Final = "~"
"""Begins the key of a cell that is compared as text."""
_MIN_DIGITS: Final = 6
"""Shorter ones are extensions, short codes or fragments, and prove nothing."""
_SEPARATORS: Final = re.compile(
    r"[;\n\r|]|:::|,(?=\s*\+)|,(?=\s*0)|\s+(?:oder|or|und|and|ou|o)\s+|\s/\s(?=\+|0)", re.IGNORECASE
)
_SCIENTIFIC: Final = re.compile(r"\d[.,]\d+e\+?\d+", re.IGNORECASE)
_FAX: Final = re.compile(r"\bfax\b|telefax", re.IGNORECASE)
_EXTENSION: Final = re.compile(
    r"(?:;ext=|\bext\.?|\bextension|\bx|#|\bdurchwahl|\bdw\.?|\bnst\.?)\s*:?\s*(\d{1,6})\s*$",
    re.IGNORECASE,
)
_LETTERS: Final = re.compile(r"[^\W\d_]+\.?:?", re.UNICODE)


def keys(cell: str, region: str) -> tuple[str, ...]:
    """The E.164 candidates of all numbers in a cell, without doubles, in order of appearance.

    `region` (ISO 3166 alpha-2) is for numbers without a country code. A cell without a usable
    number (placeholder, short code, scientific notation, a fax) gives ().
    """
    found: dict[str, None] = {}
    for part in _SEPARATORS.split(_visible(cell)):
        if _FAX.search(part) or _SCIENTIFIC.search(part):
            continue
        for number in _readings(part):
            found.update(dict.fromkeys(_parse(number, region)))
    return tuple(found)


def keys_or_text(cell: str, region: str) -> tuple[str, ...]:
    """`keys`; or, for a cell that holds digits and no number, its bare text behind `SHORT`.

    Short codes, vanity numbers and fax lines identify nobody, but a contact that has the very same
    text as a record, and the name too, is that record's.
    """
    found = keys(cell, region)
    if found:
        return found
    bare = "".join(c for c in _visible(cell).casefold() if c.isalnum())
    digits = {c for c in bare if c.isdecimal()}
    return (SHORT + bare,) if len(digits) > 1 else ()


def _visible(cell: str) -> str:
    """Compatibility forms made plain, bidi marks and spreadsheet wrappers taken off."""
    text = unicodedata.normalize("NFKC", cell)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf").strip()
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    return text.lstrip("'").replace("?", " ")


def _readings(part: str) -> Iterator[str]:
    """The ways to read one number: without its extension, and with it dialled directly."""
    extension = _EXTENSION.search(part)
    base = part[: extension.start()] if extension else part
    number = _digits(base)
    if not _usable(number):
        return
    yield from _spellings(number)
    if extension:
        yield from _spellings(number + extension.group(1))
        if number.endswith("0"):
            yield from _spellings(number[:-1] + extension.group(1))


def _digits(text: str) -> str:
    """Digits with a leading plus; words around them, `.0` behind them and `(0)` inside are gone."""
    text = re.sub(r"^([^.]*\d)\.0\s*$", r"\1", text)
    text = _LETTERS.sub(" ", text).strip()
    plus = "+" if text.lstrip("( ").startswith("+") else ""
    if plus or text.startswith("00"):
        text = re.sub(r"\(0\)", "", text)
    return plus + "".join(c for c in text if c.isdecimal())


def _usable(number: str) -> bool:
    """Long enough, and not one digit over and over, as placeholders are."""
    digits = number.lstrip("+")
    return len(digits) >= _MIN_DIGITS and len(set(digits.lstrip("0"))) > 1


def _spellings(number: str) -> Iterator[str]:
    """As typed, and with the plus that an export or a spreadsheet may have lost."""
    yield number
    if re.match(r"00[1-9]", number):
        yield "+" + number[2:]
    elif re.match(r"011[1-9]", number):
        yield "+" + number[3:]
    elif re.match(r"[1-9]\d{9}", number):
        yield "+" + number


def _parse(number: str, region: str) -> Iterator[str]:
    """E.164, if the library calls it a possible number of that region or of its country code."""
    try:
        parsed = phonenumbers.parse(number, region or None)
    except phonenumbers.NumberParseException:
        return
    if phonenumbers.is_possible_number(parsed):
        yield phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
