"""One evening of the book: what the CRM holds, what 3CX holds, and who really is where."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from book import spelling
from book.people import NO_COMPANY, PLANS, Company, Number, Person, mailbox, people

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from book.people import Maker

    Typist = Callable[[Number], str]

LEAVERS = 50
HAND_MADE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a kind of export can say."""

    ids: bool = True
    country: bool = True
    wide: bool = True
    """Whether it keeps every character; cp1252 doesn't."""
    states: frozenset[str] = frozenset()
    """Ways to be gone and still in the file: `deleted`, `merged`, `archived`."""
    main: bool = False
    """Whether it has a column for the company's main number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record as a CRM would show it; layouts pick from it."""

    record: int
    master: int = 0
    state: str = "live"
    salutation: str = ""
    first: str = ""
    last: str = ""
    company: str = ""
    company_id: int = 0
    main: str = ""
    department: str = ""
    work: str = ""
    mobile: str = ""
    home: str = ""
    other: str = ""
    fax: str = ""
    email: str = ""
    email2: str = ""
    country: tuple[str, str, str] = ("", "", "")
    person: int = 0
    """Whose it is, by the truth."""
    carries: tuple[str, ...] = ()
    """The numbers that really stand in it, in E.164."""
    is_role: bool = False
    """Whether its address is its company's."""

    @property
    def full(self) -> str:
        """Both names as one."""
        return f"{self.first} {self.last}".strip()


@dataclass(frozen=True, slots=True)
class Entry:
    """One contact of 3CX, and the truth about it."""

    id: int
    fields: dict[str, str]
    people: frozenset[int] = frozenset()
    """Whom it stands for; nobody of the CRM, if it was made by hand."""
    numbers: tuple[Number, ...] = ()
    email: str = ""
    edited: bool = False

    @property
    def name(self) -> str:
        """As 3CX shows it."""
        return f"{self.fields.get('FirstName', '')} {self.fields.get('LastName', '')}".strip()

    @property
    def is_vague(self) -> bool:
        """Whether the name is a surname, with an initial at most."""
        first, last = self.fields.get("FirstName", ""), self.fields.get("LastName", "")
        return not self.name or first.endswith(".") or (not first and "," not in last)


@dataclass(frozen=True, slots=True)
class Evening:
    """Both sides on one evening; how somebody is gone, for those who are."""

    people: tuple[Person, ...]
    entries: tuple[Entry, ...]
    left: dict[int, str] = field(default_factory=dict)
    """Key of a person → `absent`, `deleted` or `archived`."""
    merged: frozenset[int] = frozenset()
    """People whose second record was merged away tonight."""

    def gone(self, form: Form, inactive: str) -> frozenset[int]:
        """Who is gone by the words of this kind of export."""
        kept = "archived" in form.states and inactive == "keep"
        return frozenset(key for key, how in self.left.items() if how != "archived" or not kept)


# ---------------------------------------------------------------------------- the CRM


def rows(evening: Evening, form: Form, seed: int) -> Iterator[Row]:
    """The records of an evening, in the order of the book."""
    for person in evening.people:
        rng = random.Random(f"{seed}/{person.key}/{person.typing}")  # noqa: S311
        row = _row(person, form, rng)
        how = evening.left.get(person.key, "")
        merged = person.key in evening.merged
        if not how:
            yield row
            if person.twin and not merged:
                yield _twin(person, form, rng)
            elif merged and "merged" in form.states:
                gone = replace(_twin(person, form, rng), state="merged", master=person.record)
                yield gone
        elif how in form.states:
            yield replace(row, state=how)


def _row(person: Person, form: Form, rng: random.Random) -> Row:
    first, last = spelling.name_in_crm(person, rng)
    (work, mobile, home, other), carried = _numbers(person, form, rng)
    company = person.company
    known = bool(company.name)
    email, second = _addresses(person, rng)
    return Row(
        record=person.record,
        salutation=rng.choice(("", "Herr", "Frau", "Mr.")),
        first=first,
        last=last,
        company=company.shown,
        company_id=5000 + company.key if known else 0,
        main=_typed(company.main, form, rng) if known and form.main else "",
        department=person.department,
        work=work,
        mobile=mobile,
        home=home,
        other=other,
        fax=_typed(_fax(company), form, rng) if known and rng.random() < 0.2 else "",
        email=email,
        email2=second,
        country=PLANS[person.country].names if rng.random() < 0.97 else ("", "", ""),
        person=person.key,
        carries=carried,
        is_role=bool(email) and not person.email,
    )


def _typed(number: Number | None, form: Form, rng: random.Random) -> str:
    return spelling.in_crm(number, rng, country=form.country, wide=form.wide)


def _fax(company: Company) -> Number:
    return company.dial("10")


def _numbers(
    person: Person, form: Form, rng: random.Random
) -> tuple[tuple[str, str, str, str], tuple[str, ...]]:
    """Work, mobile, home and other number as typed, and what they are; two may share a cell."""
    if person.blank:
        return (rng.choice(("", "n/a", "-")), "", "", ""), ()
    main = person.company.main if person.company.name else None
    also = main if person.direct and rng.random() < 0.1 else None
    numbers = (person.direct or main, person.mobile, person.home, also)
    carried = tuple(n.e164 for n in numbers if n)
    work, mobile, home, other = (_typed(n, form, rng) for n in numbers)
    if work and person.mobile and rng.random() < 0.04:
        mark = rng.choice((" / ", "; ", ", ", " oder ", " ::: "))
        return (f"{work}{mark}{person.mobile.e164}", "", home, other), carried
    if not home and rng.random() < 0.02:
        home = rng.choice(("000000", "unbekannt", "0", "1111111111"))
    return (work, mobile, home, other), carried


def _addresses(person: Person, rng: random.Random) -> tuple[str, str]:
    """The address and the second one; a role's, if there is no other."""
    if person.blank:
        return "", ""
    role = person.company.role_address if person.company.name else ""
    own = person.email or (role if rng.random() < 0.5 else "")
    if own and person.private and rng.random() < 0.5:
        return f"{own}; {person.private}", ""
    return spelling.address(own, rng), person.private


def _twin(person: Person, form: Form, rng: random.Random) -> Row:
    """A second record of the same person, made by somebody who didn't look: with less in it."""
    row = _row(person, form, rng)
    return replace(row, record=person.twin, home="", other="", main="", email2="", fax="")


# ---------------------------------------------------------------------------- 3CX


def entries(make: Maker, prefix: str) -> list[Entry]:
    """The phonebook as it has grown: contacts of most people, some twice, and some by hand."""
    rng = make.rng
    made: list[Entry] = []
    for person in make.made:
        if rng.random() < 0.92:
            for _ in range(2 if rng.random() < 0.05 else 1):
                made.append(_entry(len(made) + 1, _earlier(person, make), rng, prefix))
    for family in range(0, 6, 2):
        members = [p for p in make.made if p.family == family]
        made.append(_household(len(made) + 1, members, rng, prefix))
    made.extend(_by_hand(len(made) + 1, make, prefix))
    return made


def _earlier(person: Person, make: Maker) -> Person:
    """The person as 3CX got to know them: before a marriage, a move, a new phone or address."""
    roll = make.rng.random()
    if roll < 0.03 and person.mobile and person.direct:
        return replace(person, last=make.name(person.country)[1])
    if roll < 0.05 and person.mobile:
        return replace(person, company=NO_COMPANY, direct=None)
    if roll < 0.08 and person.direct:
        return replace(person, mobile=make.mobile(person.country))
    if roll < 0.10 and person.email:
        return replace(person, email=f"old.{person.email}")
    return person


def _entry(at: int, person: Person, rng: random.Random, prefix: str) -> Entry:
    """One contact with some of what is known of the person."""
    first, last = spelling.name_in_pbx(person, rng)
    company = spelling.company_in_pbx(person, rng) if rng.random() < 0.9 else ""
    if company and person.direct and rng.random() < 0.03:
        first = last = ""
    numbers = {
        "PhoneNumber": person.mobile if rng.random() < 0.85 else None,
        "Business": person.direct if rng.random() < 0.85 else None,
        "Home": person.home,
    }
    known = {name: number for name, number in numbers.items() if number}
    if not known:
        known = {"Business": _any_number(person)}
    if person.company.name and rng.random() < 0.04:
        known["Other"] = person.company.main
    email = _known_address(person, rng)
    return _contact(
        at,
        person,
        {
            "FirstName": first,
            "LastName": last,
            "CompanyName": company,
            "Department": person.department,
            "Email": spelling.address(email, rng),
            **{name: spelling.in_pbx(number, rng, prefix) for name, number in known.items()},
        },
        numbers=tuple(known.values()),
        email=email,
    )


def _contact(
    at: int, person: Person, fields: dict[str, str], *, numbers: tuple[Number, ...], email: str
) -> Entry:
    return Entry(at, fields, frozenset({person.key}), numbers, email)


def _any_number(person: Person) -> Number:
    return person.direct or person.mobile or person.home or person.company.main


def _known_address(person: Person, rng: random.Random) -> str:
    role = person.company.role_address if person.company.name else ""
    roll = rng.random()
    if roll < 0.65:
        return person.email
    return role if roll < 0.70 else ""


def _household(at: int, members: list[Person], rng: random.Random, prefix: str) -> Entry:
    """One contact for a whole family."""
    home = members[0].home
    assert home
    fields = {
        "FirstName": "Familie",
        "LastName": members[0].last,
        "Home": spelling.in_pbx(home, rng, prefix),
    }
    return Entry(at, fields, frozenset(p.key for p in members), (home,))


def _by_hand(start: int, make: Maker, prefix: str) -> Iterator[Entry]:
    """What people typed into 3CX themselves, and no CRM ever held."""
    rng = make.rng

    def typed(number: Number) -> str:
        return spelling.in_pbx(number, rng, prefix)

    known = [p for p in make.made if p.company.name]
    large = [p.company for p in known if sum(q.company == p.company for q in known) > 5]
    kinds = (
        lambda: _stranger(make, typed),
        lambda: _stranger(make, typed),
        lambda: _namesake(make, typed),
        lambda: {"FirstName": "Pforte", "Business": str(rng.randint(10, 999))},
        lambda: _switchboard(rng.choice(large), typed),
        lambda: _nickname(rng.choice(known), typed),
    )
    for at in range(HAND_MADE):
        yield Entry(start + at, kinds[at % len(kinds)]())
    for at in range(5):
        fields = {**_stranger(make, typed), "ContactType": "Microsoft365"}
        yield Entry(start + HAND_MADE + at, fields)


def _stranger(make: Maker, typed: Typist) -> dict[str, str]:
    first, last = make.name("DE")
    return {
        "FirstName": first,
        "LastName": last,
        "PhoneNumber": typed(make.mobile("DE")),
        "Email": mailbox(first, last, "private.example") if make.rng.random() < 0.5 else "",
    }


def _namesake(make: Maker, typed: Typist) -> dict[str, str]:
    """Called as somebody in the CRM is, and somebody else."""
    person = make.rng.choice(make.made)
    fields = {"FirstName": person.first[:50], "LastName": person.last[:50]}
    return {**fields, "PhoneNumber": typed(make.mobile("DE"))}


def _switchboard(company: Company, typed: Typist) -> dict[str, str]:
    return {
        "LastName": "Zentrale",
        "CompanyName": company.shown[:50],
        "Business": typed(company.main),
    }


def _nickname(person: Person, typed: Typist) -> dict[str, str]:
    """Somebody's own number under a name that only one colleague uses."""
    return {"FirstName": "Spezi", "PhoneNumber": typed(_any_number(person))}


# ---------------------------------------------------------------------------- nights


@dataclass(frozen=True, slots=True)
class Book:
    """Everything about one seed."""

    seed: int
    prefix: str
    """What this PBX stores before the numbers that it dials."""
    first: Evening
    second: Evening


def book(seed: int) -> Book:
    """Two evenings: before, when everybody is there; and after, when some have left."""
    rng = random.Random(seed)  # noqa: S311 - a book must be the same every time
    members, make = people(rng)
    prefix = "0" if seed % 3 == 0 else ""
    first = Evening(tuple(members), tuple(entries(make, prefix)))
    return Book(seed, prefix, first, _next(first, make))


def _next(before: Evening, make: Maker) -> Evening:
    """The evening after: leavers, successors, edits, merges, and a few edits in 3CX."""
    rng = make.rng
    left = _leavers(before, rng)
    staying = [p for p in before.people if p.key not in left]
    renamed = rng.choice([p.company for p in staying if p.company.name])
    changed = {p.key: _edited(p, renamed, make) for p in staying}
    merged = {p.key for p in staying if p.twin and rng.random() < 0.5}
    for entry in before.entries:
        for key in entry.people & changed.keys():
            if not _is_known(entry, changed[key], by_name=key not in merged or not entry.is_vague):
                changed[key] = next(p for p in staying if p.key == key)
    for person in _successors(before, left, changed, make):
        changed[person.key] = person
    for key in sorted(merged):
        person = changed[key]
        record = 200000 + key if key % 2 else person.record
        changed[key] = replace(person, record=record, typing=person.typing + 1)
    known = {p.key for p in before.people}
    return Evening(
        people=(
            *(changed.get(p.key, p) for p in before.people),
            *(p for key, p in changed.items() if key not in known),
        ),
        entries=tuple(_touched(entry, rng) for entry in before.entries),
        left=left,
        merged=frozenset(merged),
    )


def _leavers(before: Evening, rng: random.Random) -> dict[int, str]:
    """Who leaves, and how: a whole family, sometimes one of a family, otherwise anybody."""
    family = {p.key for p in before.people if p.family == 0}
    single = {p.key for p in before.people if p.family == 1} if rng.random() < 0.5 else set()
    anybody = [p.key for p in before.people if p.family < 0]
    keys = family | set(sorted(single)[:1]) | set(rng.sample(anybody, LEAVERS - len(family)))
    ways = ("absent", "absent", "deleted", "archived")
    return {key: rng.choice(ways) for key in sorted(keys)}


def _is_known(entry: Entry, person: Person, *, by_name: bool) -> bool:
    """Whether somebody who looks at both could still see that they are the same.

    A name is enough, `by_name`, unless it is half a name and the record is a new one.
    """
    numbers = set() if person.blank else {n.e164 for n in person.numbers}
    if any(number.e164 in numbers for number in entry.numbers):
        return True
    if entry.email and not person.blank and entry.email in (person.email, person.private):
        return True
    return by_name and bool(spelling.folded(person.last) & spelling.folded(entry.name))


def _edited(person: Person, renamed: Company, make: Maker) -> Person:
    """One thing at most changes overnight; the company's new name is everybody's."""
    if person.company == renamed:
        return replace(person, company=replace(renamed, name=f"{renamed.name} Nova", form="SE"))
    if make.rng.random() > 0.25:
        return person
    person = replace(person, typing=person.typing + 1)
    edit = make.rng.choices(list(_EDITS), list(_EDITS.values()))[0]
    return edit(person, make)


def _married(person: Person, make: Maker) -> Person:
    """A new surname, and the address that goes with it; the numbers stay."""
    if not (person.mobile or person.direct):
        return person
    last = make.name(person.country)[1]
    domain = person.email.partition("@")[2]
    return replace(person, last=last, email=mailbox(person.first, last, domain) if domain else "")


def _moved(person: Person, make: Maker) -> Person:
    """Another employer; the mobile phone stays."""
    if not (person.mobile and person.company.name):
        return person
    others = [p.company for p in make.made if p.company.name and p.company != person.company]
    company = make.rng.choice(others)
    return replace(
        person,
        company=company,
        direct=make.direct(company),
        email=mailbox(person.first, person.last, company.domain),
    )


def _new_mobile(person: Person, make: Maker) -> Person:
    return replace(person, mobile=make.mobile(person.country)) if person.mobile else person


def _new_direct(person: Person, make: Maker) -> Person:
    return replace(person, direct=make.direct(person.company)) if person.direct else person


def _new_address(person: Person, make: Maker) -> Person:
    del make
    domain = person.email.partition("@")[2]
    return replace(person, email=f"new{person.key}@{domain}") if domain else person


def _emptied(person: Person, make: Maker) -> Person:
    """Nothing is left in the record but the name and the company."""
    del make
    return replace(person, blank=bool(person.company.name))


def _retyped(person: Person, make: Maker) -> Person:
    """The same, typed in another way."""
    del make
    return person


_EDITS = {
    _married: 2,
    _new_mobile: 3,
    _new_direct: 3,
    _new_address: 3,
    _moved: 2,
    _emptied: 1,
    _retyped: 4,
}


def _successors(
    before: Evening,
    left: dict[int, str],
    changed: dict[int, Person],
    make: Maker,
) -> list[Person]:
    """New people; one of them gets the direct dial of somebody who left."""
    free = [p for p in before.people if p.key in left and p.direct]
    heirs = []
    for old in make.rng.sample(free, 1):
        first, last = make.name(old.country)
        address = mailbox(first, last, old.company.domain)
        heirs.append(
            make.person(
                old.country,
                name=(first, last),
                company=old.company,
                direct=old.direct,
                email=address,
            )
        )
    company = make.rng.choice([p.company for p in changed.values() if p.company.name])
    country = company.country
    heirs.append(make.person(country, company=company, mobile=make.mobile(country)))
    return heirs


def _touched(entry: Entry, rng: random.Random) -> Entry:
    """Now and then a contact is edited in 3CX itself."""
    if rng.random() > 0.006:
        return entry
    return replace(entry, fields={**entry.fields, "Department": "neu"}, edited=True)
