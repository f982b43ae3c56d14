"""Who in the CRM might be a contact of whom nothing is left but the name.

A name alone is no match: there are namesakes. But somebody whose number and address have changed
looks the same as one who has left, and only a person can tell them apart. So what is found here
keeps a contact for a person's judgement, and claims nothing.
"""

from __future__ import annotations

import unicodedata
from itertools import permutations, product
from typing import TYPE_CHECKING, Final, NamedTuple

from reconcile.core.text import Agreement, agreement, is_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Person(NamedTuple):
    """A living record; texts in their comparable forms."""

    row: int
    name: str
    """"" if it has none; of one without any letter left the form that `lost` gives it."""
    company: str
    first: str
    """The first names, if the export has them apart."""
    free: bool
    """Whether it is nobody else's: no other contact stands for it."""


class Sought(NamedTuple):
    """A contact that nothing in the CRM speaks for so far."""

    at: int
    name: str
    """As `text.name_key` makes it; "" if it is a company's."""
    company: str
    """As `text.company_key` makes it."""
    first: str
    least: Agreement | None
    """How well a name must agree whatever the company; None: only the same company counts."""
    lost: str = ""
    """What a Western code page leaves of its name, if that is no letter."""

    def fits(self, person: Person) -> Agreement | None:
        """How a record's name agrees, if that is enough for a doubt."""
        same_company = self.company != "" and self.company == person.company
        if not self.name or not any(map(str.isalnum, person.name)):
            return Agreement.UNKNOWN if same_company and self._may_be(person.name) else None
        agreed = agreement(self.name, person.name)
        if self.least is not None and agreed >= self.least:
            return agreed
        enough = agreed >= Agreement.INITIALS or self._is_renamed(agreed, person)
        return agreed if same_company and enough else None

    def _may_be(self, name: str) -> bool:
        """Of two in one company, one at least without a name that can be read."""
        if self.name:
            return bool(name) and name == self.lost and self.least is not None
        return not name or self.least is not Agreement.SAME

    def _is_renamed(self, agreed: Agreement, person: Person) -> bool:
        """A new surname keeps the first name, and a nickname its beginning.

        Only where no CRM id is known, which a wedding leaves as it is: every company has two of one
        first name. And only if the record is nobody else's.
        """
        if (
            not person.free
            or agreed is not Agreement.PARTIAL
            or self.least is not Agreement.INITIALS
        ):
            return False
        ours, theirs = self.first or self.name, person.first or person.name  # all in one field
        pairs = product(ours.split(), theirs.split())
        return any(
            a == b or (min(len(a), len(b)) >= _NICKNAME and (a.startswith(b) or b.startswith(a)))
            for a, b in pairs
        )


_NICKNAME: Final = 3
"""Letters that a nickname has at least: Alex is Alexander, and Al may be anybody."""


def find(sought: Iterable[Sought], people: Iterable[Person]) -> dict[int, int]:
    """Position of a contact → row of the living record that it most likely is."""
    by_form: dict[str, list[Sought]] = {}
    for one in sought:
        for form in _forms_sought(one):
            by_form.setdefault(form, []).append(one)
    best: dict[int, tuple[Agreement, int]] = {}
    for person in people:
        for one in {s for form in _forms_known(person) for s in by_form.get(form, ())}:
            agreed = one.fits(person)
            if agreed is not None and (one.at not in best or best[one.at][0] < agreed):
                best[one.at] = agreed, person.row
    return {at: row for at, (_, row) in best.items()}


def lost(shown: str) -> str:
    """`? ??` for a name of which a Western code page keeps no letter, in any order; else ""."""
    plain = unicodedata.normalize("NFC", shown)
    kept = plain.encode("cp1252", "replace").decode("cp1252")
    words = [word for word in kept.split() if "?" in word]
    return "" if any(map(str.isalpha, kept)) else " ".join(sorted(words))


# ---------------------------------------------------------------------------- who may fit whom
#
# Names of several words that agree by at least their initials share a word and the first letter of
# another one. A name of one word shares that word, and one of initials shares them all. Where a
# code page took letters (Micha?, ?aneta), it is a whole word, or else the company. Who has another
# surname shares a word within the company, and who has no name the company alone.


def _forms_sought(one: Sought) -> Iterator[str]:
    if not one.name:
        yield f"all:{one.company}"
        return
    tokens, words = _tokens(one.name)
    yield f"at:{one.company}"
    yield f"{'bare' if words else 'letters'}:{_letters(tokens)}"
    for word in words:
        yield f"alone:{word}"
        yield f"in:{one.company}:{word}"
        if len(tokens) == 1 or "?" in one.name:
            yield f"any:{word}"
    yield from _pairs(tokens)


def _forms_known(person: Person) -> Iterator[str]:
    yield f"all:{person.company}"
    if not person.name:
        return
    tokens, words = _tokens(person.name)
    is_damaged = "?" in person.name
    if is_damaged:
        yield f"at:{person.company}"
    yield f"letters:{_letters(tokens)}"
    if not words:
        yield f"bare:{_letters(tokens)}"
    for word in words:
        yield f"any:{word}"
        if person.free:
            yield f"in:{person.company}:{word}"
        if len(tokens) == 1 or is_damaged:
            yield f"alone:{word}"
    yield from _pairs(tokens)


def _tokens(name: str) -> tuple[list[str], list[str]]:
    """All words and initials of a name; and the whole ones."""
    tokens = name.split()
    return tokens, [token for token in tokens if is_word(token) and "?" not in token]


def _letters(tokens: Iterable[str]) -> str:
    return "".join(sorted(token[0] for token in tokens))


def _pairs(tokens: Iterable[str]) -> Iterator[str]:
    """Each whole word with the first letter of each other one."""
    for word, other in permutations(tokens, 2):
        if is_word(word):
            yield f"{word}:{other[0]}"
