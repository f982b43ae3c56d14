"""Names, companies and e-mail addresses as people type them → forms that can be compared.

Everything here errs towards "may be the same": a false agreement keeps a contact, a false
difference could lose one.
"""

from __future__ import annotations

import html
import re
import unicodedata
from enum import IntEnum
from itertools import permutations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

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
        "ħ": "h",
        "ŧ": "t",
        "\ufffd": "?",
    }
)
_TRANSLITERATED: Final = re.compile("a[ae]+|oe+|ue+")
_MOJIBAKE: Final = re.compile("[\u00c2-\u00c5\u00e2][\u0080-\u00bf\u0152-\u2122]")
"""UTF-8 read as cp1252: an accented letter shows as two characters."""
TITLES: Final = frozenset(
    "dr dra prof dipl ing med mag mr mrs ms mx miss sir dame herr frau hr fr mme mlle m sr sra "
    "srta dott dottssa sig dhr mevr mw drs ir phd mba msc bsc llm jr jun sen esq dds rer nat "
    "habil".split()
)
LEGAL_FORMS: Final = frozenset(
    "gmbh ggmbh mbh gesmbh ag kg kgaa ohg gbr ug se ev eg ek ekfr eu co cie comp company "
    "haftungsbeschrankt aktiengesellschaft ltd limited llc llp lp inc incorporated corp "
    "corporation plc pllc pc sa sas sasu sarl eurl snc sl slu spa srl srls sapa bv nv vof cv oy "
    "oyj ab as asa aps kft zrt nyrt sro spzoo spolka doo dd ou uab sia ad ood pty pte bhd sdn "
    "ltda eireli ae kk und and et y e".split()
)
_DOTTED: Final = re.compile(
    r"(?<=[\s,])(?:sp\.?\s?z\s?o\.?\s?o\b|ges\.?\s?m\.?\s?b\.?\s?h\b\.?|\w{1,2}\.(?:\s?\w{1,3}\.)*(?:\s?\w\b)?)",
    re.IGNORECASE,
)
"""An abbreviation with dots behind a name, such as S.A.S., e. V. and G.m.b.H."""
COMPANY_LENGTH: Final = 50
"""3CX refuses a longer CompanyName, so longer ones stand there cut off."""

_NAME_LENGTH: Final = 40
"""So long, folded, is at least one name of those that a system cut at 50 characters."""

_PIECES: Final = 6
"""With so many words of its own, a name is not looked at for words written in two."""

ROLES: Final = frozenset(
    "info office mail kontakt contact sales vertrieb support service help hello hallo team post "
    "admin buchhaltung accounting accounts billing invoice invoices rechnung rechnungen einkauf "
    "empfang reception zentrale noreply no-reply marketing hr jobs karriere bewerbung presse "
    "press anfrage anfragen bestellung bestellungen order orders shop verkauf verwaltung "
    "sekretariat personal it edv technik dispo disposition lager werkstatt praxis kanzlei "
    "kundenservice kundendienst webmaster postmaster hostmaster abuse newsletter donotreply "
    "enquiries inquiries booking reservations customerservice accueil commercial comptabilite "
    "compta facturation secretariat direction contacto ventas administracion facturacion "
    "recepcion amministrazione segreteria commerciale vendite ordini verkoop administratie "
    "facturen".split()
)
_ADDRESS: Final = re.compile(
    r"(?<![^\s@<>,;:\"|/()\[\]{}])"  # or every character of a long word would begin one
    r"[^\s@<>,;:\"|/()\[\]{}]+@[^\s@<>,;:\"'|/()\[\]{}?]+\.[^\s@<>,;:\"'|/()\[\]{}?]+"
)
_WORD: Final = re.compile(r"(?<![?\w])\?*+\w++(?:\?++\w++)*+\?*+")
_SAME_DOMAIN: Final = {"googlemail.com": "gmail.com"}


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


class _Without(dict[int, int | None]):
    """For `str.translate`: takes characters of a kind away; asks once for each character."""

    def __init__(self, is_taken: Callable[[str], bool]) -> None:
        super().__init__()
        self._is_taken = is_taken

    def __missing__(self, code: int) -> int | None:
        self[code] = None if self._is_taken(chr(code)) else code
        return self[code]


_UNMARKED: Final = _Without(lambda character: unicodedata.combining(character) != 0)
_VISIBLE: Final = _Without(lambda character: unicodedata.category(character) == "Cf")


def fold(text: str) -> str:
    """Case, accents and transliteration taken away: Müller, Mueller and MULLER give `muller`.

    `ae`, `aa`, `oe` and `ue` become `a`, `o` and `u` on purpose, in every word: both sides are
    folded.
    """
    plain = unicodedata.normalize("NFKD", _repaired(html.unescape(text))).casefold()
    plain = unicodedata.normalize("NFKD", plain).translate(_SPECIAL)
    letters = plain.translate(_UNMARKED)
    return _TRANSLITERATED.sub(lambda match: match[0][0], letters)


def _repaired(text: str) -> str:
    """UTF-8 that somebody read as cp1252, read again."""
    if not _MOJIBAKE.search(text):
        return text
    try:
        return text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return text


def words(text: str) -> tuple[str, ...]:
    """The folded words of a text; punctuation and invisible characters separate or vanish.

    A question mark that touches a letter stays: an export's code page lost a letter there.
    """
    visible = fold(text).translate(_VISIBLE)
    return tuple(_WORD.findall(visible.replace("'", "").replace("\u2019", "")))


def name_key(name: str) -> str:
    """A person's name without order and titles: "Dr. Doe, Jo" and "Jo Doe" give `doe jo`."""
    found = set(words(name))
    return " ".join(sorted(found - TITLES or found))


def company_key(company: str) -> str:
    """A company without its legal form, cut where 3CX cuts: "ACME GmbH & Co. KG" gives `acme`."""
    plain = unicodedata.normalize("NFC", _repaired(html.unescape(company))).strip()
    found = words(_DOTTED.sub(_undotted, plain[:COMPANY_LENGTH]))
    return " ".join([w for w in found if w not in LEGAL_FORMS] or found)


def _undotted(match: re.Match[str]) -> str:
    """Nothing in place of a legal form; anything else, such as initials, as it is."""
    return "" if "".join(words(match[0])) in LEGAL_FORMS else match[0]


def agreement(one: str, other: str) -> Agreement:
    """Compare two `name_key`s."""
    if not one or not other:
        return Agreement.UNKNOWN
    if one == other:
        return Agreement.SAME
    short, long = sorted(_alike_written(set(one.split()), set(other.split())), key=len)
    common = {word for word in short & long if is_word(word)}
    alone, left = short - long, long - short
    if len(min(one, other, key=len)) >= _NAME_LENGTH or "?" in one + other:
        same = {word for word in alone if any(_is_damaged(word, whole) for whole in left)}
        alone, common = alone - same, common | same
    fits = _initials_fit(alone, left)
    if not common:
        only_initials = not any(map(is_word, short)) or not any(map(is_word, long))
        return Agreement.INITIALS if only_initials and fits else Agreement.CONFLICT
    if not alone:
        return Agreement.COMPATIBLE
    return Agreement.INITIALS if fits else Agreement.PARTIAL


def _alike_written(one: set[str], other: set[str]) -> tuple[set[str], set[str]]:
    """Words that only one side writes in two, in one there too: Mc Donald, Hans-Peter, 王 小明."""
    return _joined_like(one, other), _joined_like(other, one)


def _joined_like(words: set[str], model: set[str]) -> set[str]:
    """The words, two of them made one where the model has them in one."""
    alone = sorted(words - model)
    if not 1 < len(alone) <= _PIECES:
        return words
    pairs = ((pair, "".join(pair)) for pair in permutations(alone, 2))
    found = next(((set(pair), whole) for pair, whole in pairs if whole in model), None)
    return (words - found[0]) | {found[1]} if found else words


def _is_damaged(one: str, other: str) -> bool:
    """Whether two words are one: cut off at the end, or with letters lost to a code page.

    A lost letter may stand as two in the other word, which is transliterated, or as none: the
    `oe` of Noémie is one letter, too.
    """
    if "?" in one + other:
        return any(
            re.fullmatch(".{0,2}".join(map(re.escape, re.split(r"\?+", lost))), whole)
            for lost, whole in ((one, other), (other, one))
            if "?" in lost
        )
    return is_word(one) and is_word(other) and (one.startswith(other) or other.startswith(one))


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
    text = unicodedata.normalize("NFKC", cell).translate(_VISIBLE)
    for match in _ADDRESS.finditer(text):
        address = match.group().casefold().strip(".").lstrip("'=?")
        local, _, domain = address.partition("@")
        domain = _in_ascii(domain)
        base = local.partition("+")[0] or local
        for whose in filter(None, dict.fromkeys((local, base))):
            found[f"{whose}@{_SAME_DOMAIN.get(domain, domain)}"] = None
    return tuple(found)


def _in_ascii(domain: str) -> str:
    """A domain with umlauts as DNS writes it (RFC 3490), which some systems store: `xn--…`."""
    try:
        return domain if domain.isascii() else domain.encode("idna").decode()
    except UnicodeError:
        return domain
