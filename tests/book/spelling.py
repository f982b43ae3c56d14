"""How numbers, names and companies are typed and exported: every habit of the facts' section 4."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from book.people import PLANS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from book.people import Number, Person

NBSP = "\u00a0"
_NAME = 50
"""3CX cuts names and companies here."""


# ---------------------------------------------------------------------------- numbers


def _grouped(digits: str, rng: random.Random) -> str:
    """Digits in twos, in threes or in one."""
    size = rng.choice((2, 3, 4, 20))
    return " ".join(digits[at : at + size] for at in range(0, len(digits), size))


def _behind(number: Number, rng: random.Random) -> str:
    """What stands behind the area: with a hyphen before a direct dial, where that is the habit."""
    if number.dial and number.country in {"DE", "AT"} and rng.random() < 0.6:
        return f"{number.local}-{number.dial}"
    return _grouped(number.local + number.dial, rng)


def national(number: Number, rng: random.Random) -> str:
    """With the trunk zero: 030 12345-12, 030/1234512, (030) 12345 12."""
    area, rest = PLANS[number.country].trunk + number.area, _behind(number, rng)
    if number.country == "US":
        exchange, line = (number.local + number.dial)[:3], (number.local + number.dial)[3:]
        forms = (
            f"({area}) {exchange}-{line}",
            f"{area}-{exchange}-{line}",
            f"{area}.{exchange}.{line}",
        )
        return rng.choice(forms)
    return rng.choice((f"{area} {rest}", f"{area}/{rest}", f"({area}) {rest}", f"{area}{rest}"))


def plus(number: Number, rng: random.Random) -> str:
    """+49 30 12345-12, +49-30-…, +493012345 12."""
    mark = rng.choice((" ", " ", "-", ""))
    return f"+{PLANS[number.country].code}{mark}{number.area}{mark}{_behind(number, rng)}"


def bare(number: Number, rng: random.Random) -> str:
    """+493012345612."""
    del rng
    return number.e164


def zeros(number: Number, rng: random.Random) -> str:
    """0049 30 …."""
    return "00" + plus(number, rng)[1:]


def bracket(number: Number, rng: random.Random) -> str:
    """+49 (0)30 …, where there is such a zero."""
    plan = PLANS[number.country]
    zero = f"({plan.trunk})" if plan.trunk else ""
    return f"+{plan.code} {zero}{number.area} {_behind(number, rng)}"


def lost_plus(number: Number, rng: random.Random) -> str:
    """493012345612."""
    del rng
    return number.e164[1:]


def lost_zero(number: Number, rng: random.Random) -> str:
    """3012345612: a spreadsheet took it for an amount."""
    del rng
    return number.national


def point_zero(number: Number, rng: random.Random) -> str:
    """493012345612.0."""
    del rng
    return number.e164[1:] + ".0"


def apostrophe(number: Number, rng: random.Random) -> str:
    """'+49 30 …: a CSV cleaner's guard against formulas."""
    return "'" + plus(number, rng)


def equals(number: Number, rng: random.Random) -> str:
    """="+49 …": Excel told that it is text."""
    return f'="{plus(number, rng)}"'


def extension(number: Number, rng: random.Random) -> str:
    """The direct dial behind the main number, or an extension behind the direct number."""
    if number.dial and number.country in {"DE", "AT"}:
        plan = PLANS[number.country]
        mark = rng.choice(("Durchwahl", "DW", "ext.", "x"))
        return f"+{plan.code} {number.area} {number.local}-0 {mark} {number.dial}"
    return f"{plus(number, rng)} {rng.choice(('ext. ', 'x'))}{rng.randint(11, 99)}"


def words(number: Number, rng: random.Random) -> str:
    """Tel.: +49 …; 030 … (Büro)."""
    before, after = rng.choice((("Tel.: ", ""), ("mobil ", ""), ("", " (privat)"), ("T: ", "")))
    return f"{before}{plus(number, rng)}{after}"


def unbreakable(number: Number, rng: random.Random) -> str:
    """With no-break spaces, or marks of direction around it."""
    typed = plus(number, rng)
    return rng.choice((typed.replace(" ", NBSP), f"\u202a{typed}\u202c"))


def full_width(number: Number, rng: random.Random) -> str:
    """In digits of double width, as some keyboards type them."""
    return "+" + "".join(chr(0xFF10 + int(c)) for c in bare(number, rng)[1:])


_ANYWHERE: dict[Callable[[Number, random.Random], str], int] = {
    plus: 28,
    bare: 18,
    zeros: 8,
    bracket: 8,
    lost_plus: 4,
    point_zero: 3,
    apostrophe: 4,
    equals: 2,
    extension: 3,
    words: 4,
    unbreakable: 3,
}
_AT_HOME = {national: 45, lost_zero: 3}
_PBX = {bare: 30, zeros: 15, plus: 15, bracket: 3, unbreakable: 1}
_PBX_AT_HOME = {national: 45}


def _chosen(styles: dict[Callable, int], rng: random.Random) -> Callable:
    return rng.choices(list(styles), list(styles.values()))[0]


def in_crm(number: Number | None, rng: random.Random, *, country: bool, wide: bool) -> str:
    """As it stands in the export. Without a country's column, foreign numbers have their code."""
    if number is None:
        return ""
    at_home = country or number.country == "DE"
    styles = _ANYWHERE | (_AT_HOME if at_home else {}) | ({full_width: 1} if wide else {})
    return _chosen(styles, rng)(number, rng)


def in_pbx(number: Number, rng: random.Random, prefix: str) -> str:
    """As it stands in 3CX: what a telephone in Germany would dial, some with the outside prefix."""
    styles = _PBX | (_PBX_AT_HOME if number.country == "DE" else {})
    typed = _chosen(styles, rng)(number, rng)
    if prefix and typed[0] == "0" and rng.random() < 0.5:
        return prefix + typed
    return typed


# ---------------------------------------------------------------------------- names


def transliterated(text: str) -> str:
    """Müller → Mueller."""
    pairs = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
    return text.translate(str.maketrans(pairs))


def mojibake(text: str) -> str:
    """Müller → MÃ¼ller, where every byte has a character."""
    try:
        return text.encode().decode("cp1252")
    except UnicodeDecodeError:
        return text


def lossy(text: str) -> str:
    """Müller → M?ller; names of which nothing would be left stay."""
    lost = "".join(c if c.isascii() else "?" for c in text)
    return lost if lost.count("?") <= 2 else text


def decomposed(text: str) -> str:
    """As macOS and vCards write it."""
    return unicodedata.normalize("NFD", text)


Name = tuple[str, str]
"""First and last name."""


def _both(change: Callable[[str], str]) -> Callable[[str, str], Name]:
    return lambda first, last: (change(first), change(last))


_CRM_NAMES: dict[Callable[[str, str], Name], int] = {
    _both(str): 81,
    _both(decomposed): 4,
    _both(mojibake): 2,
    _both(lossy): 2,
    _both(str.upper): 3,
    lambda first, last: ("", f"{first} {last}"): 3,
    lambda first, last: (f"{first} E.", last): 3,
    lambda first, last: (f" {first}", f"{last}  "): 2,
}
_PBX_NAMES: dict[Callable[[str, str], Name], int] = {
    _both(str): 59,
    _both(transliterated): 10,
    _both(decomposed): 2,
    lambda first, last: (f"{first} {last}", ""): 8,
    lambda first, last: (last, first): 5,
    lambda first, last: ("", f"{last}, {first}"): 4,
    lambda first, last: (f"{first[0]}.", last): 3,
    lambda _, last: ("", last): 2,
    lambda first, last: (first, last.partition("-")[0]): 3,
    lambda first, last: (f"Dr. {first}", last): 4,
}


def name_in_crm(person: Person, rng: random.Random) -> Name:
    """As somebody typed or some program exported it."""
    first = f"{person.title} {person.first}" if rng.random() < 0.7 else person.first
    return _chosen(_CRM_NAMES, rng)(first.strip(), person.last)


def name_in_pbx(person: Person, rng: random.Random) -> Name:
    """As it stands in 3CX, cut where 3CX cuts."""
    first, last = _chosen(_PBX_NAMES, rng)(person.first, person.last)
    return first[:_NAME], last[:_NAME]


def company_in_pbx(person: Person, rng: random.Random) -> str:
    """With another legal form, without any, in capitals; cut where 3CX cuts."""
    company = person.company
    if not company.name:
        return ""
    forms = (
        company.shown,
        company.name,
        company.name.upper(),
        f"{company.name} {company.form.upper()}",
    )
    return rng.choice(forms)[:_NAME]


def address(email: str, rng: random.Random) -> str:
    """Capitals, blanks, `mailto:`, plus-addressing."""
    if not email:
        return ""
    local, _, domain = email.partition("@")
    forms = (email, email, email, email.title(), f"mailto:{email}", f"{local}+crm@{domain}")
    return rng.choice(forms)


def folded(name: str) -> frozenset[str]:
    """The words of a name, folded as far as the spellings of the book differ; no initials."""
    plain = name.casefold().replace(",", " ").replace("-", " ")
    for one, other in (("ae", "a"), ("oe", "o"), ("ue", "u"), ("ss", "s"), ("ß", "s")):
        plain = plain.replace(one, other)
    plain = unicodedata.normalize("NFC", plain).translate(str.maketrans("äöü", "aou"))
    return frozenset(word for word in plain.split() if not word.endswith("."))
