"""A number as typed → its match keys: every E.164 number that it may mean.

Extra keys only ever protect a contact, so a doubtful reading adds a key instead of choosing one.
But a placeholder, a fax or a fragment gives none: it would join strangers.

The library is asked whether a number is *possible*, not whether it is valid: new and fictional
ranges are "invalid" to it, and a lost plus makes it call a wrong number valid.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberType, ValidationResult, re_util

if TYPE_CHECKING:
    from collections.abc import Iterator

re_util.enable_pattern_cache()  # ten to twenty times faster over many regions; off by default

SHORT: Final = "~"
"""Begins the key of a cell that is compared as text."""
_MIN_DIGITS: Final = 6
"""Shorter ones are extensions, short codes or fragments, and prove nothing."""
_WHOLE: Final = 7
"""Fewer digits before a slash or a word are an area or country code, whose number follows."""
LOCAL: Final = 10
"""A later number of a cell with fewer digits and no zero before them lacks its area code."""
ITALY: Final = 39
"""Its numbers but mobile ones begin with a zero that people from abroad leave out."""
MOBILE_MARKS: Final = {52: "1", 54: "9"}
"""What Mexico (until 2019) and Argentina put before a mobile number, and people leave out."""
MAX_DIGITS: Final = 15
"""Of E.164; more are two numbers."""

_PLAIN: Final = re.compile(r"\+?[\d ()\-]*")
"""A cell without words, wrappers and doubts about where its number ends."""
_GLUE: Final = r"\s()\[\]./\-\u2010-\u2015\u2212"
"""What people put between the digits of one number."""
_RUN: Final = re.compile(rf"\+?[\s(\[]{{0,3}}\d(?:[{_GLUE}]*\d)*")
_SEPARATORS: Final = re.compile(
    r"[;\n\r\t|}&]|:::|,(?=\s*[+0])|\s(?:oder|or|und|and|ou|o|et|e|y|en|bzw\.?)\s|\s/\s(?=[+0])",
    re.IGNORECASE,
)
_AFTER_CODE: Final = re.compile(r"((?:\+|^00)[\s(]*[1-9]\d{0,2})[\s)]*/\s(?=0)")
"""A slash before a zero that parts no two numbers, as in `+39 / 06 1234567`."""
_STEPS: Final = re.compile(r"(?<=\d)[\s/\-\u2010-\u2015]+(?=[(\[+\d])")
"""Where a run that is too long for one number may be cut."""
_SLASH: Final = re.compile(r"/\s*(?=[(\[]*\d)")
_LINES: Final = re.compile(r"(.*\d\s*-\s*)(\d{1,4})\s*/\s*-\s*(\d{1,4})\s*$", re.DOTALL)
_TRUNK_ZERO: Final = re.compile(r"(?<=\d)([^\d]*)[(\[]\s*0\s*[)\]]")
_POINT_ZERO: Final = re.compile(r"([^.]*\d)\.0+\s*|(\s*\+?\d+),0+\s*")
_NUMBER_CELL: Final = re.compile(r"(?<![\d.])(\d{7,})\.0+(?!\.?\d)")
"""One of several numbers that a spreadsheet made a cell of: `4915112345678.0,4930231251010.0`."""
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:(?:,\d{3}){2,}|(?:\.\d{3}){3,})")
_ROUNDED: Final = 9
"""Spreadsheets round to six digits. So many are all digits but the zeros at their end."""
_ZEROS: Final = 2
_SCIENTIFIC: Final = re.compile(r"\d(?:[.,]\d+)?e\+?\d{1,2}(?!\d)", re.IGNORECASE)
_HIDDEN_AFTER: Final = re.compile(
    r"[)\s\-]{0,3}[xX]{2}|[)\-]?(?:[*\u2022_#]{2}|\.{3})|\s[*\u2022_]{3}"
)
_HIDDEN_BEFORE: Final = re.compile(r"(?:[xX]{2}[)\s\-]{0,3}|[*\u2022_]{3}[)\-]?)$")
"""What stands in place of digits that somebody hid or cut off."""
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH: Final = r"(?:0?[1-9]|1[0-2])"
_YEAR: Final = r"(?:19|20)\d\d"
_DATE: Final = re.compile(
    rf"(?<!\d)(?<!\d[.\-/])(?:{_DAY}[./]{_MONTH}[./]{_YEAR}|{_MONTH}/{_DAY}/{_YEAR}"
    rf"|{_YEAR}([/\-]){_MONTH}\1{_DAY}(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?)(?![.\-/]?\d)"
)
_CURRENCY: Final = r"(?:[\u20ac$\u00a3\u00a5]|\b(?:EUR|USD|CHF|GBP)\b)"
_SUM: Final = r"(?<![\d.,])(?:\d+|\d{1,3}(?:[.,' ]\d{3}){1,4})[.,]\d\d(?![\d.,])"
_AMOUNT: Final = re.compile(rf"{_CURRENCY} ?{_SUM}|{_SUM} ?{_CURRENCY}")
_ADDRESS: Final = re.compile(
    r"(?<![\w.+%\-])[\w.+%\-]+@[\w.\-]+|(?:https?://|www\.)(?!wa\.me/)\S+", re.IGNORECASE
)
_LOST: Final = re.compile(r"((?:https?://|www\.)\S+)|\?", re.IGNORECASE)
"""Where an export's code page lost a character; in an address it is one."""
_SIP: Final = re.compile(r"\bsips?:([^@\s]+)@\S+", re.IGNORECASE)
_CONTEXT: Final = re.compile(
    r"(?:tel:)?(?<![^;,:])([^;,:]*);phone-context=(\+[\d.()\-]+)", re.IGNORECASE
)
_MOJIBAKE: Final = re.compile(
    "\u00c2[\u00a0 ]?|\u00e2\u20ac[\u00aa\u00ac\u201c\u201d\u2018\u2019]?"
)
"""A no-break space, a dash or a bidi mark, written as UTF-8 and read as cp1252."""

_FAX: Final = re.compile(
    r"(?<!hali)(?<!fair)fax|faks|\u0444\u0430\u043a\u0441|facs|t[e\u00e9]l[e\u00e9]copi"
    r"|\u03c6\u03b1\u03be|\u4f20\u771f|\u50b3\u771f|\u30d5\u30a1\u30c3?\u30af\u30b9|\ud329\uc2a4"
    r"|\u0641\u0627[\u0643\u06a9]\u0633|\u05e4\u05e7\u05e1|\u0e42\u0e17\u0e23\u0e2a\u0e32\u0e23"
    r"|(?:^|[\s(,/])f\s*[:.]?[\s(\[]*$",
    re.IGNORECASE,
)
"""Also Russian, Greek, Chinese, Japanese, Korean, Arabic and Persian, Hebrew, Thai."""
_CALLS: Final = (
    r"(?:t[e\u00e9]l(?!e?\s?-?fa(?:x|ks)|[e\u00e9]copi)|t(?=\s?[/&+])|phone|fon|mob|handy|cell"
    r"|\u0442\u0435\u043b(?!\u0435\u0444\u0430\u043a)|\u03c4\u03b7\u03bb|\u7535\u8bdd|\u96fb\u8a71"
    r"|\uc804\ud654|\u0647\u0627\u062a\u0641|\u05d8\u05dc|\u0e42\u0e17\u0e23(?!\u0e2a\u0e32\u0e23))"
)
_AND: Final = r"\w*\.?\s*(?:/|&|\+|\b(?:und|u\.|and|et|e|y|\u0438)(?!\w))"
_PHONE: Final = re.compile(
    rf"\b{_CALLS}{_AND}|(?:fax|faks|\u0444\u0430\u043a\u0441){_AND}\s*{_CALLS}", re.IGNORECASE
)
"""A label that says a number is for calls *and* for something else, as in "Tel./Fax"."""
_BOTH: Final = re.compile(
    r"\b(tel(?:efon|ephone|\u00e9fono)?|phone|fon)\b\.?\s*(?:&|und|u\.|and|et|y|e)\s*(?=fax)",
    re.IGNORECASE,
)
"""Such a label with a word that otherwise parts two numbers."""
_ALSO: Final = re.compile(
    r"\b(?:auch|kein|no|not|also|aussi|anche|tambi\u00e9n)\s+(?:tele?)?fa(?:x|ks)", re.IGNORECASE
)
"""What makes of a fax a phone, too, or none: "kein Fax"."""
_EXTENSION: Final = re.compile(
    r"[\s.,(\-]*;?\s*(?:ext(?:\.|n|ension|ensi\u00f3n)?|x|\#|durchwahl|dw|nst|nebenstelle|klappe|kl"
    r"|app|apparat|int|interno|poste|anexo|toestel|tst|wewn?|linka|\u0434\u043e\u0431|,|,,)"
    r"[\s.:=(]*",
    re.IGNORECASE,
)
_MAX_EXTENSION: Final = 6
_LABEL: Final = 80
"""So far from a number a word may stand and still speak of it."""
_VANITY: Final = re.compile(
    r"(?<![\d])((?:\+?1[\s.\-]*)?\(?8(?:00|33|44|55|66|77|88)\)?|0800|\+?[1-9]\d{1,2}[\s.\-]*800"
    r"|00800)[\s.\-]*((?=[A-Z0-9\s.\-]{0,12}[A-Z]{3})[A-Z0-9](?:[\s.\-]?[A-Z0-9]){5,11})(?![\s.\-]*\w)"
)
_NO_DIGITS: Final = re.compile(r"\D+")
_KEYPAD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
_UP: Final = "12345678901234567890"
_DOWN: Final = "9876543210"


def keys(cell: str, region: str, *, outside_prefix: str = "") -> tuple[str, ...]:
    """The E.164 candidates of all numbers in a cell, without doubles, in order of appearance.

    `region` (ISO 3166 alpha-2) is for numbers without a country code; `outside_prefix` is what a
    PBX stores before the numbers that it dials: both readings count. A cell without a usable number
    (placeholder, short code, scientific notation, a fax) gives ().
    """
    found: dict[str, None] = {}
    for number, extension in _numbers(_visible(cell), region):
        for spelling in _spellings(number, region, outside_prefix):
            for key in _parse(spelling, region):
                found[key] = None
                if extension:
                    found.update(dict.fromkeys(_direct_dials(key, extension)))
    return tuple(found)


def keys_or_text(cell: str, region: str, *, outside_prefix: str = "") -> tuple[str, ...]:
    """`keys`; or, for a cell that holds digits and no number, its bare text behind `SHORT`.

    Short codes and fax lines identify nobody, but a contact that has the very same text as a
    record, and the name too, is that record's. Placeholders are nobody's in any case.
    """
    found = keys(cell, region, outside_prefix=outside_prefix)
    if found:
        return found
    bare = "".join(c for c in _visible(cell).casefold() if c.isalnum())
    digits = _digits(bare)
    if len(set(digits)) < 2 or _is_placeholder(digits):  # noqa: PLR2004  # one digit, over and over
        return ()
    return (SHORT + bare,)


# ---------------------------------------------------------------------------- finding the numbers


def _visible(cell: str) -> str:
    """Compatibility forms, foreign digits and lost characters made plain, bidi marks taken out."""
    if not cell.isascii():
        cell = unicodedata.normalize("NFKC", _MOJIBAKE.sub(" ", cell))
        cell = "".join(_plain(c) for c in cell)
    return _LOST.sub(r"\1 ", cell).strip() if "?" in cell else cell.strip()


def _plain(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return "" if unicodedata.category(character) == "Cf" else character


def _numbers(text: str, region: str) -> Iterator[tuple[str, str]]:
    """Each number of a text, as digits and what stands between them, with its extension or ""."""
    if _PLAIN.fullmatch(text) and len(_digits(text)) <= MAX_DIGITS and not _DATE.search(text):
        yield text, ""
        return
    first = True
    for part in _SEPARATORS.split(_cleared(text)):
        for number, extension in _of_part(part):
            if first or not _is_local(number, region):
                yield number, extension
            first = False


def _cleared(text: str) -> str:
    """Without what only looks like a number, and with the spreadsheet's forms of one undone."""
    text = _CONTEXT.sub(r"\2 \1", _SIP.sub(r"\1", text))
    text = _ADDRESS.sub(" ", text)
    text = _SCIENTIFIC.sub(_undo_scientific, text)
    text = _BOTH.sub(r"\1/", _AMOUNT.sub(" ", _DATE.sub(" ", text)))
    text = _AFTER_CODE.sub(r"\1 ", _VANITY.sub(_undo_vanity, text))
    bare = text.strip(" '\"=")
    if _THOUSANDS.fullmatch(bare):
        return re.sub("[.,]", "", bare)
    whole = _POINT_ZERO.fullmatch(bare)
    return (whole[1] or whole[2]) if whole else _NUMBER_CELL.sub(r"\1", text)


def _undo_scientific(match: re.Match[str]) -> str:
    """All digits, if the notation still has them, or lacks only zeros, which programs leave out."""
    mantissa, _, exponent = match[0].lower().partition("e")
    digits = mantissa.replace(".", "").replace(",", "")
    missing = int(exponent) + 1 - len(digits)
    is_whole = missing == 0 or (0 < missing <= _ZEROS and len(digits) >= _ROUNDED)
    return digits + "0" * missing if is_whole else " "


def _undo_vanity(match: re.Match[str]) -> str:
    """Letters behind 800 as the digits of their keys; what is too long for a number is unheard."""
    if {c for c in match[2] if c.isalpha()} == {"X"}:  # they hide digits
        return match[0]
    digits = _digits(match[2].translate(_KEYPAD))
    return f"{match[1]} {digits[:7] if match[1].lstrip('+1 .-(').startswith('8') else digits}"


def _of_part(part: str) -> Iterator[tuple[str, str]]:
    """The numbers of a part that are no fax, with their extensions."""
    runs = list(_RUN.finditer(part))
    at = 0
    while at < len(runs):
        number, end, extension = runs[at][0], at + 1, ""
        while end < len(runs) and _continues(number, runs[end][0], _between(part, runs, end)):
            number, end = f"{number} {runs[end][0]}", end + 1
        is_fax = _is_fax(part, runs, at, end)
        is_fragment = _HIDDEN_BEFORE.search(_between(part, runs, at)[-_LABEL:])
        is_fragment = is_fragment or _HIDDEN_AFTER.match(part, runs[end - 1].end())
        if end < len(runs) and _is_extension(_between(part, runs, end), runs[end][0]):
            extension, end = _digits(runs[end][0]), end + 1
        if not (is_fax or is_fragment):
            yield from ((one, extension) for one in _cut(number))
        at = end


def _between(part: str, runs: list[re.Match[str]], at: int) -> str:
    """What stands before a run, from the run before or from the start."""
    return part[runs[at - 1].end() if at else 0 : runs[at].start()]


def _continues(number: str, run: str, between: str) -> bool:
    """Whether a word only interrupts one number, as in "030 (Berlin) 1234567"."""
    digits = _digits(number)
    return (
        len(digits.lstrip("+")) < _WHOLE
        and digits.startswith(("0", "+"))
        and len(_digits(run)) < LOCAL
        and not _digits(run).startswith(("0", "+"))
        and not _EXTENSION.fullmatch(between[:_LABEL].strip(" )"))
    )


def _is_extension(between: str, run: str) -> bool:
    return bool(
        len(_digits(run)) <= _MAX_EXTENSION
        and run.strip().isdecimal()
        and len(between) <= _LABEL
        and _EXTENSION.fullmatch(between)
    )


def _is_fax(part: str, runs: list[re.Match[str]], start: int, end: int) -> bool:
    """Whether the label before a number, or the one behind it, says so.

    Labels stand before their numbers, unless the part ends with one and begins with none.
    """
    before = _between(part, runs, start)
    if start:  # a bracket belongs to the number before
        before = before.rpartition(")")[2]
    after = part[runs[end - 1].end() : runs[end].start() if end < len(runs) else len(part)]
    trailing = any(map(str.isalpha, part[runs[-1].end() :]))
    leading = any(map(str.isalpha, part[: runs[0].start()]))
    if end < len(runs) and (leading or not trailing):
        inside, closed, _ = after.partition(")")  # an open bracket is the next number's
        after = inside if closed and inside.lstrip().startswith("(") else ""
    if start and trailing and not leading:
        before = ""
    labels = (before[-_LABEL:], after[:_LABEL])
    return any(
        _FAX.search(label) and not (_PHONE.search(label) or _ALSO.search(label)) for label in labels
    )


def _cut(number: str) -> Iterator[str]:
    """One run of digits as the numbers that it holds; nearly always one."""
    if "/" in number and len(number) <= _LABEL:
        lines = _LINES.fullmatch(number)
        if lines:
            yield lines[1] + lines[2]
            yield lines[1] + lines[3]
            return
        one, other = _at_slash(number)
        if other:
            yield one
            yield from _cut(other)
            return
    if len(_digits(number)) <= MAX_DIGITS + 1:
        yield number
    else:
        yield from _cut_by_steps(number)


def _at_slash(number: str) -> tuple[str, str]:
    """What stands before and behind a slash that parts two numbers and not the digits of one."""
    for slash in _SLASH.finditer(number):
        one, other = number[: slash.start()], number[slash.end() :]
        alone = "+" not in one and number.count("/") == 1
        parts = alone or len(_digits(number)) > MAX_DIGITS
        parts = parts if _digits(other).startswith("0") else alone and _are_alike(one, other)
        if parts and _is_whole(one) and _is_whole(other):
            return one, other
    return number, ""


def _are_alike(one: str, other: str) -> bool:
    """Whether two may be numbers of a region that has no area codes."""
    lengths = [len(_digits(number)) for number in (one, other)]
    bare = not any(_digits(number).startswith("0") for number in (one, other))
    return bare and abs(lengths[0] - lengths[1]) <= 1


def _is_whole(number: str) -> bool:
    return len(_digits(number)) >= _WHOLE


def _cut_by_steps(number: str) -> Iterator[str]:
    """A run too long for one number, cut where the next piece begins one."""
    held = ""
    for piece in _STEPS.split(number):
        begins = _digits(piece).startswith(("0", "+")) or len(_digits(piece)) >= LOCAL
        if _is_whole(held) and (begins or len(_digits(held)) >= LOCAL):
            yield held
            held = piece
        else:
            held = f"{held} {piece}"
    yield held


@cache
def _has_trunk_zero(region: str) -> bool:
    metadata = PhoneMetadata.metadata_for_region(region)
    return metadata is not None and metadata.national_prefix == "0"


def _is_local(number: str, region: str) -> bool:
    """Whether a later number of a cell shares the area code of the one before it."""
    digits = _digits(number)
    bare = not digits.startswith(("0", "+"))
    return bare and len(digits) < LOCAL and _has_trunk_zero(region)


# ---------------------------------------------------------------------------- reading one number


def _digits(text: str) -> str:
    """The digits of a number, with its leading plus."""
    digits = _NO_DIGITS.sub("", text)
    return "+" + digits if "+" in text else digits


def _spellings(number: str, region: str, outside_prefix: str) -> Iterator[str]:
    """As typed; with and without a zero in brackets; and with the plus that an export lost."""
    without = _TRUNK_ZERO.sub(r"\1", number) if "(" in number or "[" in number else number
    for text in dict.fromkeys((without, number)):
        digits = _digits(text)
        if digits.startswith("+0"):
            digits = digits[1:]
        for dialled in dict.fromkeys((digits, digits.removeprefix(outside_prefix))):
            if _is_usable(dialled, region):
                yield from _with_plus(dialled)
                if dialled[0] not in "+0" and keeps_zero(region):
                    yield "0" + dialled


def _with_plus(number: str) -> Iterator[str]:
    yield number
    if re.match(r"00[1-9]", number):
        yield "+" + number[2:]
    elif re.match(r"011[1-9]", number):
        yield "+" + number[3:]
    elif re.match(r"[1-9]\d{9}", number) or (number[0] in "123456789" and is_valid("+" + number)):
        yield "+" + number  # shorter ones would make numbers of half the world out of local ones


def is_valid(number: str) -> bool:
    """Whether an international number is one that the library knows as somebody's."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


@cache
def keeps_zero(region: str) -> bool:
    """Whether a number's first zero is part of it, as in Italy, and a spreadsheet may lose it."""
    examples = (*_examples(region), *_examples(region, (PhoneNumberType.TOLL_FREE,)))
    return any(example.italian_leading_zero for example in examples)


def _is_usable(number: str, region: str) -> bool:
    digits = number.lstrip("+")
    return len(digits) >= shortest(region) and not _is_placeholder(digits)


@cache
def shortest(region: str) -> int:
    """The digits that a number must have; in a few small regions whole numbers are shorter."""
    return min([_MIN_DIGITS, *(len(str(n.national_number)) for n in _examples(region))])


def _examples(
    region: str, types: tuple[int, ...] = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)
) -> list[phonenumbers.PhoneNumber]:
    """The library's examples of a region."""
    if region not in phonenumbers.SUPPORTED_REGIONS:
        return []
    found = [phonenumbers.example_number_for_type(region, t) for t in types]
    return [example for example in found if example]


def _is_placeholder(digits: str) -> bool:
    """One digit over and over, digits in their order, or nothing but zeros at the end."""
    bare = digits.lstrip("0")
    return (
        len(set(bare)) < 2  # noqa: PLR2004  # one digit, over and over
        or (len(bare) >= _MIN_DIGITS and (_UP.startswith(bare) or _DOWN.startswith(bare)))
        or bare.endswith("000000")
    )


def _parse(number: str, region: str) -> Iterator[str]:
    """E.164, if the library calls it a possible number of that region or of its country code."""
    try:
        parsed = phonenumbers.parse(number, region or None)
    except phonenumbers.NumberParseException:
        return
    national = str(parsed.national_number)
    if _is_placeholder(national):
        return
    if phonenumbers.is_possible_number_with_reason(parsed) == ValidationResult.IS_POSSIBLE:
        yield f"+{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"
    if parsed.country_code == ITALY and not parsed.italian_leading_zero and national[0] != "3":
        yield f"+{ITALY}0{national}"
    mark = MOBILE_MARKS.get(parsed.country_code or 0, "-")
    if len(national) > LOCAL and national.startswith(mark):
        yield f"+{parsed.country_code}{national[1:]}"


def _direct_dials(key: str, extension: str) -> Iterator[str]:
    """The full number of an extension, dialled behind the main number or instead of its zero."""
    yield from _parse(key + extension, "")
    if key.endswith("0"):
        yield from _parse(key[:-1] + extension, "")
