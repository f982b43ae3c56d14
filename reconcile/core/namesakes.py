"""Who in the CRM might be a contact of whom nothing is left but the name.

A name alone is no match: there are namesakes. But somebody whose number and address have changed
looks the same as one who has left, and only a person can tell them apart. So what is found here
keeps a contact for a person's judgement, and claims nothing.
"""

from __future__ import annotations

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

    def fits(self, name: str, company: str) -> Agreement | None:
        """How a record's name agrees, if that is enough for a doubt."""
        agreed = agreement(self.name, name)
        enough = self.least is not None and agreed >= self.least
        same_company = self.company != "" and self.company == company
        least = Agreement.INITIALS if name or self.least is None else Agreement.UNKNOWN
        return agreed if enough or (same_company and agreed >= least) else None


def find(sought: Iterable[Sought], people: Iterable[tuple[int, str, str]]) -> dict[int, int]:
    """Position of a contact → row of the living record that it most likely is.

    `people` are (row, name, company), names and companies in their comparable forms. A name is ""
    if a code page took all of its letters: where no record is known, it may be anybody's there.
    """
    by_form: dict[str, list[Sought]] = {}
    for one in sought:
        for form in (f"lost:{one.company}", *_forms_sought(one.name)):
            by_form.setdefault(form, []).append(one)
    best: dict[int, tuple[Agreement, int]] = {}
    for row, name, company in people:
        forms = _forms_known(name) if name else (f"lost:{company}",)
        for one in {s for form in forms for s in by_form.get(form, ())}:
            agreed = one.fits(name, company)
            if agreed is not None and (one.at not in best or best[one.at][0] < agreed):
                best[one.at] = agreed, row
    return {at: row for at, (_, row) in best.items()}


# Names of several words that agree by at least their initials share a word and the first letter of
# another one. A name of one word shares that word, and one of initials shares them all. Where a
# code page took letters out of every word, the first letters are what is left.


def _forms_sought(name: str) -> Iterator[str]:
    tokens = name.split()
    if not any(map(is_word, tokens)):
        yield f"letters:{_letters(tokens)}"
        return
    yield f"bare:{_letters(tokens)}"
    if "?" in name:
        yield f"letters:{_letters(tokens)}"
    if len(tokens) == 1:
        yield f"any:{name}"
    for word in filter(is_word, tokens):
        yield f"alone:{word}"
    yield from _pairs(tokens)


def _forms_known(name: str) -> Iterator[str]:
    tokens = name.split()
    yield f"letters:{_letters(tokens)}"
    if "?" in name or not any(map(is_word, tokens)):
        yield f"bare:{_letters(tokens)}"
    for word in filter(is_word, tokens):
        yield f"any:{word}"
        if len(tokens) == 1:
            yield f"alone:{word}"
    yield from _pairs(tokens)


def _letters(tokens: Iterable[str]) -> str:
    return "".join(sorted(token[0] for token in tokens))


def _pairs(tokens: Iterable[str]) -> Iterator[str]:
    """Each whole word with the first letter of each other one."""
    for word, other in permutations(tokens, 2):
        if is_word(word):
            yield f"{word}:{other[0]}"
