"""Who in the CRM might be a contact of whom nothing is left but the name.

A name alone is no match: there are namesakes. But somebody whose number and address have changed
looks the same as one who has left, and only a person can tell them apart. So what is found here
keeps a contact for a person's judgement, and claims nothing.
"""

from __future__ import annotations

import unicodedata
from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

from reconcile.core.text import Agreement, agreement, is_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Sought(NamedTuple):
    """A contact that nothing in the CRM speaks for so far."""

    at: int
    name: str
    """As `text.name_key` makes it."""
    company: str
    """As `text.company_key` makes it."""
    least: Agreement | None
    """How well a name must agree whatever the company; None: only the same company counts."""
    lost: str = ""
    """What a Western code page leaves of its name, if that is no letter."""

    def fits(self, name: str, company: str) -> Agreement | None:
        """How a record's name agrees, if that is enough for a doubt."""
        same_company = self.company != "" and self.company == company
        if not any(map(str.isalnum, name)):
            may_be = same_company and name == self.lost and self.least is not None
            return Agreement.UNKNOWN if may_be else None
        agreed = agreement(self.name, name)
        enough = self.least is not None and agreed >= self.least
        return agreed if enough or (same_company and agreed >= Agreement.INITIALS) else None


def find(sought: Iterable[Sought], people: Iterable[tuple[int, str, str]]) -> dict[int, int]:
    """Position of a contact → row of the living record that it most likely is.

    `people` are (row, name, company), names and companies in their comparable forms; a name of
    which no letter is left in the form that `lost` gives it.
    """
    by_form: dict[str, list[Sought]] = {}
    for one in sought:
        for form in _forms_sought(one):
            by_form.setdefault(form, []).append(one)
    best: dict[int, tuple[Agreement, int]] = {}
    for row, name, company in people:
        for one in {s for form in _forms_known(name, company) for s in by_form.get(form, ())}:
            agreed = one.fits(name, company)
            if agreed is not None and (one.at not in best or best[one.at][0] < agreed):
                best[one.at] = agreed, row
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
# code page took letters (Micha?, ?aneta), it is a whole word, or else the company.


def _forms_sought(one: Sought) -> Iterator[str]:
    tokens, words = _tokens(one.name)
    yield f"at:{one.company}"
    yield f"{'bare' if words else 'letters'}:{_letters(tokens)}"
    for word in words:
        yield f"alone:{word}"
        if len(tokens) == 1 or "?" in one.name:
            yield f"any:{word}"
    yield from _pairs(tokens)


def _forms_known(name: str, company: str) -> Iterator[str]:
    tokens, words = _tokens(name)
    if "?" in name:
        yield f"at:{company}"
    yield f"letters:{_letters(tokens)}"
    if not words:
        yield f"bare:{_letters(tokens)}"
    for word in words:
        yield f"any:{word}"
        if len(tokens) == 1 or "?" in name:
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
