"""Names, companies and e-mail addresses as people type them → forms that can be compared.

Everything here errs towards "may be the same": a false agreement keeps a contact, a false
difference could lose one.
"""

from __future__ import annotations

import html
import re
import unicodedata
from enum import IntEnum
from typing import Final

_SPECIAL: Final = str.maketrans(
    {
        "ß": "ss",
        "ł": "l",
        "\u0131": "i",
        "ø": "o",
        "æ": "a",
        "œ": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
    }
)
_TITLES: Final = frozenset(
    "dr prof dipl ing med mag mr mrs ms miss sir herr frau hr fr mme mlle phd mba msc bsc".split()
)
_LEGAL_FORMS: Final = frozenset(
    "gmbh mbh ag kg ohg gbr ug se ev eg co cie ltd limited llc llp lp inc incorporated corp "
    "corporation plc sa sas sarl sl spa srl bv nv oy ab as aps pty und and et".split()
)
_COMPANY_LENGTH: Final = 50
"""3CX refuses a longer CompanyName, so longer ones stand there cut off."""

_ROLES: Final = frozenset(
    "info office mail kontakt contact sales vertrieb support service help hello hallo team post "
    "admin buchhaltung accounting billing rechnung einkauf empfang reception zentrale noreply "
    "no-reply marketing hr jobs bewerbung presse press".split()
)
_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"']+@[^\s@<>,;:\"']+\.[^\s@<>,;:\"']+")


class Agreement(IntEnum):
    """How two names relate; the higher, the better."""

    CONFLICT = 0
    UNKNOWN = 1
    """One of the two has no name."""
    PARTIAL = 2
    """They share a word, and each has one that the other lacks: a relative, or a new surname."""
    INITIALS = 3
    COMPATIBLE = 4
    """All words of the shorter one are in the longer one."""
    SAME = 5


def fold(text: str) -> str:
    """Case, accents and transliteration taken away: Müller, Mueller and MULLER give `muller`.

    `ae`, `oe` and `ue` become `a`, `o` and `u` on purpose, in every word: both sides are folded.
    """
    plain = unicodedata.normalize("NFKD", html.unescape(text)).casefold()
    plain = unicodedata.normalize("NFKD", plain).translate(_SPECIAL)
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return letters.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def words(text: str) -> tuple[str, ...]:
    """The folded words of a text; punctuation and invisible characters separate or vanish."""
    visible = "".join(c for c in fold(text) if unicodedata.category(c) != "Cf")
    return tuple(re.findall(r"\w+", visible.replace("'", "").replace("\u2019", "")))


def name_key(name: str) -> str:
    """A person's name without order and titles: "Dr. Doe, Jo" and "Jo Doe" give `doe jo`."""
    found = set(words(name))
    return " ".join(sorted(found - _TITLES or found))


def company_key(company: str) -> str:
    """A company without its legal form, cut where 3CX cuts: "ACME GmbH & Co. KG" gives `acme`."""
    found = words(company[:_COMPANY_LENGTH])
    return " ".join([w for w in found if w not in _LEGAL_FORMS] or found)


def agreement(one: str, other: str) -> Agreement:
    """Compare two `name_key`s."""
    if not one or not other:
        return Agreement.UNKNOWN
    if one == other:
        return Agreement.SAME
    short, long = sorted((set(one.split()), set(other.split())), key=len)
    common = {word for word in short & long if is_word(word)}
    fits = _initials_fit(short - long, long - short)
    if not common:
        only_initials = not any(map(is_word, short)) or not any(map(is_word, long))
        return Agreement.INITIALS if only_initials and fits else Agreement.CONFLICT
    if short <= long:
        return Agreement.COMPATIBLE
    return Agreement.INITIALS if fits else Agreement.PARTIAL


def is_word(word: str) -> bool:
    """Whether it can be a whole name: an initial can't, one Chinese character can."""
    return len(word) > 1 or unicodedata.category(word) == "Lo"


def _initials_fit(short: set[str], long: set[str]) -> bool:
    """Whether each word that the shorter name has alone stands for one of the longer, or back."""
    return all(any(a[0] == b[0] and 1 in (len(a), len(b)) for b in long) for a in short)


def addresses(cell: str) -> tuple[str, ...]:
    """The e-mail addresses in a cell as keys, with the plus-addressed form's base beside it.

    The whole address is folded to lower case (RFC 5321 leaves the local part to the receiver, and
    no receiver of note tells Jo@ from jo@).
    """
    found: dict[str, None] = {}
    for match in _ADDRESS.finditer(unicodedata.normalize("NFKC", cell)):
        address = match.group().casefold().strip(".")
        local, _, domain = address.partition("@")
        found[address] = None
        if "+" in local.lstrip("+"):
            found[f"{local.split('+')[0]}@{domain}"] = None
    return tuple(found)


def is_role(address: str) -> bool:
    """Whether an address belongs to a task (info@, sales@) and so to nobody in particular."""
    return address.partition("@")[0] in _ROLES
