"""Who may be deleted, who must be, and whom only a person can judge: by the truth, not by keys."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from book.spelling import folded

from reconcile.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from book.sides import Book, Entry, Form, Row

MUST = frozenset({"its only number is shared", "its number is somebody else's", "edited in 3CX"})
"""Why the rules of matching send a leaver's contact to a person; these always have to."""
MAY = frozenset(
    {
        "a relative or colleague",
        "a name alone",
        "no name to tell by",
        "a switchboard of one",
        "its company is still there",
        "perhaps a new surname",
    }
)
"""Doubts that depend on how the names are typed: whatever is said of them is right."""


@dataclass(slots=True)
class Tally:
    """One line of the table; they add up."""

    seeds: int = 0
    people: int = 0
    contacts: int = 0
    derived: int = 0
    """Contacts of people of the CRM; the others were made by hand."""
    claimed: int = 0
    leavers: int = 0
    found: int = 0
    by_rule: int = 0
    missed: int = 0
    wrong: int = 0

    def add(self, other: Tally) -> None:
        """Another seed of the same format."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def share(self) -> float:
        """Of the leavers whom the program has to find, those whom it finds."""
        return self.found / max(self.found + self.missed, 1)


@dataclass(slots=True)
class Case:
    """The outcome of one book in one format, in numbers and in words."""

    tally: Tally
    faults: list[str]


def judge(
    book: Book,
    form: Form,
    *,
    inactive: str,
    records: Sequence[Row],
    claimed: set[int],
    verdicts: dict[int, Verdict],
) -> Case:
    """Hold the verdicts of the second evening against the truth."""
    gone = book.second.gone(form, inactive)
    doubts = _Doubts(book, form, records, gone)
    tally = Tally(seeds=1, people=len(book.second.people), contacts=len(book.second.entries))
    faults = []
    for entry in book.second.entries:
        verdict = verdicts[entry.id]
        has_left = bool(entry.people) and entry.people <= gone
        if verdict is Verdict.DELETE and not has_left:
            tally.wrong += 1
            faults.append(f"deleted, and should have stayed: {_shown(entry)}")
        tally.derived += bool(entry.people)
        tally.claimed += entry.id in claimed and bool(entry.people)
        if not has_left or entry.id not in claimed:
            continue
        tally.leavers += 1
        why = doubts.why(entry)
        if why in MUST:
            tally.by_rule += 1
            if verdict is not Verdict.REVIEW:
                faults.append(f"{verdict}, and is for a person to judge ({why}): {_shown(entry)}")
        elif verdict is Verdict.DELETE:
            tally.found += 1
        elif why:
            tally.by_rule += 1
        else:
            tally.missed += 1
    return Case(tally, faults)


def doubts(book: Book, form: Form, *, inactive: str, records: Sequence[Row]) -> set[str]:
    """Why leavers of this book are for a person to judge."""
    gone = book.second.gone(form, inactive)
    why = _Doubts(book, form, records, gone).why
    return {why(e) for e in book.second.entries if e.people and e.people <= gone} - {""}


def _shown(entry: Entry) -> str:
    return f"contact {entry.id} { ({name: text for name, text in entry.fields.items() if text}) }"


class _Doubts:
    """What of a leaver's contact still points to somebody in the CRM, by the truth."""

    def __init__(
        self, book: Book, form: Form, records: Sequence[Row], gone: frozenset[int]
    ) -> None:
        self.form = form
        self.before = {person.key: person for person in book.first.people}
        self.living = {p.key: p for p in book.second.people if p.key not in gone}
        self.mains = {p.company.main.e164 for p in book.second.people if p.company.name}
        self.carriers: dict[str, set[int]] = defaultdict(set)
        self.roles: dict[int, set[int]] = defaultdict(set)
        self.surnames = {w for p in self.living.values() for w in folded(p.last)}
        self.names = {self._seen(p.name) for p in self.living.values()}
        for row in records:
            if row.person in self.living:
                for number in row.carries:
                    self.carriers[number].add(row.person)
                if row.is_role:
                    self.roles[self.living[row.person].company.key].add(row.person)
                if form.main and row.main:
                    self.carriers[self.living[row.person].company.main.e164].add(row.person)

    def why(self, entry: Entry) -> str:
        """The reason, or "" for a contact that nothing in the CRM speaks for."""
        carried = {n.e164: self.carriers[n.e164] for n in entry.numbers if self.carriers[n.e164]}
        single = [n for n, whose in carried.items() if len(whose) == 1 and n not in self.mains]
        own_address = bool(entry.email) and not self._is_role(entry)
        if entry.edited:
            return "edited in 3CX"
        if single and not any(folded(entry.name) & self._names(carried[n]) for n in single):
            return "its number is somebody else's"
        if carried and len(carried) == len(entry.numbers) and not own_address:
            return "its only number is shared"
        return self._by_name(entry, carried)

    def _by_name(self, entry: Entry, carried: dict[str, set[int]]) -> str:
        words = folded(entry.name)
        if carried and not words:
            return "no name to tell by"
        if any(len(whose) == 1 for whose in carried.values()):
            return "a switchboard of one"
        near = {key for whose in carried.values() for key in whose}
        if entry.email and self._is_role(entry):
            near |= {k for key in entry.people for k in self.roles[self.before[key].company.key]}
        if words & self._names(near):
            return "a relative or colleague"
        if words and any(words <= name or (name and name <= words) for name in self.names):
            return "a name alone"
        if entry.is_vague and words & self.surnames:
            return "a name alone"
        return self._by_company(entry, words)

    def _by_company(self, entry: Entry, words: set[str]) -> str:
        """A company's entry while the company is there; without ids, who may have a new surname."""
        companies = {self.before[key].company.key for key in entry.people}
        colleagues = [
            p for p in self.living.values() if p.company.name and p.company.key in companies
        ]
        if not words and colleagues:
            return "its company is still there"
        if not self.form.ids and any(words & folded(person.first) for person in colleagues):
            return "perhaps a new surname"
        return ""

    def _seen(self, name: str) -> frozenset[str]:
        """The words of a name that the export shows: cp1252 leaves nothing of some."""
        words = folded(name)
        if self.form.wide:
            return words
        return frozenset(w for w in words if set(w.encode("cp1252", "replace")) - {ord("?")})

    def _names(self, keys: set[int]) -> set[str]:
        return {word for key in keys for word in folded(self.living[key].name)}

    def _is_role(self, entry: Entry) -> bool:
        return any(entry.email == self.before[k].company.role_address for k in entry.people)
