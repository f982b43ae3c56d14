"""The truth: a firm's CRM, its 3CX phonebook, and what people do to both, day by day.

Everything follows from the seed and the night. Nothing here knows how the program matches: who is
whose contact is noted when a contact is made.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from book.people import PLANS

if TYPE_CHECKING:
    from collections.abc import Iterator

START: Final = datetime(2027, 1, 4, 2, 30, tzinfo=UTC)
"""A Monday."""
_HOLIDAYS: Final = {(1, 1), (1, 6), (3, 26), (3, 29), (5, 1), (5, 6), (5, 17), (10, 3)}
_SHUT: Final = {(12, day) for day in range(24, 32)}
_SYLLABLES: Final = (
    "Ahl Berg Brink Dorn Eich Feld Grün Hage Ilm Kron Lind Moor Nord Ost Rein Sand Stein Tann Ulm"
    " Wald".split(),
    "acker bach beck born brandt bruch feld furt hoff holz horst kamp mann meier müller rath see"
    " stedt tal wisch".split(),
)
_TEAMS: Final = (
    "Vertrieb Einkauf Buchhaltung Technik Montage Versand Personal Marketing Labor Empfang".split()
)


@dataclass
class Person:
    """Somebody in the CRM."""

    number: int
    crm_id: str
    first: str
    last: str
    company: str
    team: str
    email: str
    phone: str
    mobile: str
    fax: str
    note: str = ""
    active: date | None = None
    """When anybody last spoke with him."""

    @property
    def values(self) -> set[str]:
        """What identifies him and nobody else."""
        return set(filter(None, (self.email, self.phone, self.mobile)))


@dataclass
class Entry:
    """A 3CX contact, and whose it is; None: typed by hand, of nobody in the CRM."""

    fields: dict[str, str]
    person: int | None


@dataclass
class Firm:
    """Both systems as they are."""

    seed: int
    churn: float
    """Share of people who leave on a working day; as many come, and twice as many change."""
    companies: list[str]
    teams: list[str]
    people: dict[int, Person] = field(default_factory=dict)
    left: dict[int, Person] = field(default_factory=dict)
    book: dict[int, Entry] = field(default_factory=dict)
    due: list[tuple[int, int]] = field(default_factory=list)
    """(night, person) that somebody will carry over into 3CX then."""
    edited: dict[int, int] = field(default_factory=dict)
    """Contact → the last night on which it was made, edited by hand, or carried over."""
    next_person: int = 1
    next_contact: int = 1

    # ------------------------------------------------------------------ people

    def hire(self, rng: random.Random) -> Person:
        """Somebody new in the CRM."""
        number = self.next_person
        self.next_person += 1
        plan = PLANS["DE"]
        first = rng.choice(plan.firsts.split())
        last = (
            rng.choice(plan.lasts.split()).replace("_", " ")
            if rng.random() < 0.2
            else rng.choice(_SYLLABLES[0]) + rng.choice(_SYLLABLES[1])
        )
        at = rng.randrange(len(self.companies))
        mail = f"{first}.{last}{number}@firma{at}.example".lower().replace(" ", "")
        direct = f"+49 30 {5000 + at} {number:04}"
        person = Person(
            number=number,
            crm_id=str(70_000 + number * 7),
            first=first,
            last=last,
            company=self.companies[at],
            team=rng.choice(self.teams) if self.teams else "",
            email=mail.translate(_PLAIN) if rng.random() < 0.95 else "",
            phone=_typed(direct, rng) if rng.random() < 0.85 else "",
            mobile=_typed(f"+49 151 {20_000_000 + number * 37}", rng)
            if rng.random() < 0.75
            else "",
            fax=f"+49 30 {9000 + at} {number:04}" if rng.random() < 0.5 else "",
        )
        if not person.values:
            person.mobile = f"+49 151 {20_000_000 + number * 37}"
        self.people[number] = person
        return person

    def leave(self, number: int) -> None:
        """Somebody is removed from the CRM."""
        self.left[number] = self.people.pop(number)

    def carry_over(self, number: int, night: int) -> None:
        """Somebody brings 3CX up to date with one person: a contact is made, or its fields."""
        if number not in self.people:
            return
        mine = [i for i, e in self.book.items() if e.person == number]
        for contact_id in mine or [self.make_contact({}, number)]:
            self.book[contact_id].fields.update(fields_of(self.people[number]))
            self.edited[contact_id] = night

    def make_contact(self, fields: dict[str, str], person: int | None) -> int:
        """A new contact with the next Id."""
        contact_id = self.next_contact
        self.next_contact += 1
        self.book[contact_id] = Entry(fields, person)
        return contact_id

    def is_wrong_to_delete(self, contact_id: int) -> bool:
        """The oracle: whether somebody in the CRM, or nobody of the CRM, stands behind it."""
        person = self.book[contact_id].person
        return person is None or person in self.people


_PLAIN: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def _typed(number: str, rng: random.Random) -> str:
    """One of the ways in which people write it."""
    national = "0" + number.removeprefix("+49 ")
    return rng.choice(
        (
            number,
            number.replace(" ", ""),
            national,
            national.replace(" ", "/", 1),
            "0049" + national[1:],
        )
    )


def fields_of(person: Person) -> dict[str, str]:
    """How 3CX is filled from the CRM."""
    return {
        "FirstName": person.first,
        "LastName": person.last,
        "CompanyName": person.company,
        "Department": person.team,
        "Email": person.email,
        "Business": person.phone,
        "PhoneNumber": person.mobile,
    }


def found(seed: int) -> Firm:
    """A firm of 150 to 400 people: one with teams, or the customers of one."""
    rng = random.Random(f"{seed} founding")  # noqa: S311
    own = seed % 2 == 0
    firm = Firm(
        seed=seed,
        churn=rng.uniform(0.0005, 0.005),
        companies=["Beispiel GmbH"] if own else [f"Kunde {n} GmbH" for n in range(40)],
        teams=_TEAMS if own else [],
    )
    for _ in range(rng.randrange(150, 400)):
        person = firm.hire(rng)
        if rng.random() < 0.97:
            firm.carry_over(person.number, 0)
    for at in range(12):
        _type_by_hand(firm, rng, at)
    return firm


def _type_by_hand(firm: Firm, rng: random.Random, at: int) -> int:
    """A contact of nobody in the CRM; some look like somebody who is there."""
    somebody = firm.people[rng.choice(sorted(firm.people))]
    number = f"+49 40 {7_000_000 + firm.seed * 1000 + firm.next_contact}"
    kinds = (
        {"FirstName": "Taxi", "LastName": f"Zentrale {at}", "PhoneNumber": number},
        {"CompanyName": f"Lieferant {at} KG", "PhoneNumber": number},
        {"FirstName": somebody.first, "LastName": "Privat", "Home": number},
        {"FirstName": "Haus", "LastName": "Meister", "Business": somebody.phone or number},
        {"LastName": somebody.last, "PhoneNumber": number},
    )
    return firm.make_contact(dict(kinds[at % len(kinds)]), None)


# ---------------------------------------------------------------------------- a day


def is_working(day: date) -> bool:
    """Whether anybody works, and so changes anything."""
    return day.weekday() < 5 and (day.month, day.day) not in _HOLIDAYS | _SHUT


def live(firm: Firm, night: int) -> None:
    """What happened on the day before this night."""
    day = (START + timedelta(days=night - 1)).date()
    if not is_working(day):
        return
    rng = random.Random(f"{firm.seed} day {night}")  # noqa: S311
    for number in list(_some(firm, rng, firm.churn + _season(day))):
        firm.leave(number)
    for _ in range(_poisson(rng, len(firm.people) * (firm.churn + _season(day)))):
        firm.due.append((night + rng.randrange(3), firm.hire(rng).number))
    for number in list(_some(firm, rng, 2 * firm.churn)):
        _change(firm, firm.people[number], rng, night)
    if firm.left and rng.random() < 0.02:
        _return(firm, rng, night)
    for number in _some(firm, rng, 0.1):
        firm.people[number].active = day
    _at_the_phone_system(firm, rng, night)


def _season(day: date) -> float:
    """Contracts end with a quarter more often than on other days, and with a month a little."""
    last = not any(
        (day + timedelta(days=n)).month == day.month and is_working(day + timedelta(days=n))
        for n in range(1, 5)
    )
    if not last:
        return 0.0
    return 0.01 if day.month % 3 == 0 else 0.003


def _some(firm: Firm, rng: random.Random, share: float) -> Iterator[int]:
    count = min(_poisson(rng, len(firm.people) * share), len(firm.people))
    return iter(rng.sample(sorted(firm.people), count))


def _poisson(rng: random.Random, mean: float) -> int:
    """How often something happens that happens so often on average (Knuth)."""
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def _change(firm: Firm, person: Person, rng: random.Random, night: int) -> None:
    """One field of the CRM; 3CX follows some days later, or never."""
    what = rng.choice("team number number name mail note clear".split())
    if what == "team" and firm.teams:
        person.team = rng.choice(firm.teams)
    elif what == "number":
        person.mobile = _typed(f"+49 160 {rng.randrange(10**7, 10**8)}", rng)
    elif what == "name":
        person.last = rng.choice(_SYLLABLES[0]) + rng.choice(_SYLLABLES[1])
    elif what == "mail":
        person.email = f"neu.{rng.randrange(10**6)}.{person.number}@firma.example"
    elif what == "note":
        other = firm.people[rng.choice(sorted(firm.people))]
        person.note = f"Vertretung: {other.phone or other.mobile}"
    elif what == "clear" and len(person.values) > 1:
        person.mobile = ""
    if rng.random() < 0.8:
        firm.due.append((night + rng.randrange(6), person.number))


def _return(firm: Firm, rng: random.Random, night: int) -> None:
    """Somebody comes back, under the old CRM id or a new one."""
    number = rng.choice(sorted(firm.left))
    person = firm.left.pop(number)
    if rng.random() < 0.5:
        person.crm_id = str(900_000 + night * 100 + number % 100)
    firm.people[number] = person
    firm.due.append((night + rng.randrange(3), number))


def _at_the_phone_system(firm: Firm, rng: random.Random, night: int) -> None:
    """What is carried over, edited, typed, and cleaned up by hand."""
    for number in [n for at, n in firm.due if at <= night]:
        firm.carry_over(number, night)
    firm.due = [(at, n) for at, n in firm.due if at > night]
    for contact_id in rng.sample(sorted(firm.book), _poisson(rng, len(firm.book) * 0.001)):
        firm.book[contact_id].fields["Title"] = rng.choice(("Dr.", "Chef", "VIP", "Notdienst"))
        firm.edited[contact_id] = night
    if rng.random() < 0.05:
        firm.edited[_type_by_hand(firm, rng, rng.randrange(5))] = night
    if rng.random() < 0.01:
        del firm.book[rng.choice(sorted(firm.book))]
