"""What goes wrong: a table of disasters, each as it would be on one of its nights.

A disaster damages what the program finds tonight, or the two systems themselves. `rows` is always
what a reader would make of the damage if it refused nothing, so that its refusals can be taken off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from simulation.exports import SENTINELS, export
from simulation.firm import Entry, fields_of, found
from simulation.nights import PERSON, SENTINEL

if TYPE_CHECKING:
    import random

    from simulation.exports import Tonight
    from simulation.firm import Firm


@dataclass
class Scene:
    """One disaster in one firm."""

    firm: Firm
    first: int
    """Its first night."""
    rng: random.Random
    past: dict[int, Tonight]
    """Exports of nights gone by."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What it keeps from one of its nights to the next."""


Damage = Callable[[Scene, "Tonight", int], None]


@dataclass(frozen=True)
class Disaster:
    """What it does, and for how many nights at most; `steady`: for all of them."""

    name: str
    damage: Damage
    """Of a scene, its export, and how many nights it lasts already."""
    scenario: int
    """Its number in the list of scenarios; 0 if it isn't in there."""
    nights: int = 1
    steady: bool = False
    lasting: bool = False
    """It changes the systems themselves, and nobody takes that back."""
    but_for: str = ""
    """Where it is small, it looks like people who leave: the only guard that can tell. Without that
    one it is not prevented but bounded, by the limits of a night and a week."""


_TABLE: Final[list[Disaster]] = []


def _disaster(
    name: str, scenario: int, *, nights: int = 1, but_for: str = "", how: str = ""
) -> Callable[[Damage], Damage]:
    def entered(damage: Damage) -> Damage:
        steady, lasting = how == "steady", how == "lasting"
        _TABLE.append(Disaster(name, damage, scenario, nights, steady, lasting, but_for))
        return damage

    return entered


# ------------------------------------------------------------------ the file


@_disaster("empty file", 2, nights=3)
def _empty(_scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.raw, tonight.rows = b"", []


@_disaster("header only", 2, nights=3)
def _header_only(_scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.rows = []


@_disaster("cut at a byte", 3)
def _cut(scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.promised = len(tonight.rows)
    whole = tonight.written()
    end = scene.rng.randrange(len(whole) // 10, len(whole) - 1)
    tonight.raw = whole[:end]
    lines = tonight.raw.count(b"\n")
    tonight.rows = tonight.rows[: max(0, lines - 1)]


@_disaster("cut at a row end, 5 % lost", 4)
def _cut_rows(_scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.promised = len(tonight.rows)
    del tonight.rows[-max(1, len(tonight.rows) // 20) :]


@_disaster("cut at a row end, 1 % lost", 4)
def _cut_few(_scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.promised = len(tonight.rows)
    del tonight.rows[-max(2, len(tonight.rows) // 100) :]


@_disaster("still being written", 5)
def _being_written(scene: Scene, tonight: Tonight, at: int) -> None:
    _cut(scene, tonight, at)
    tonight.name = "contacts.csv.part"


@_disaster("last month's file", 7, nights=4)
def _old(scene: Scene, tonight: Tonight, _at: int) -> None:
    _copied(scene, tonight, 0)
    tonight.age = timedelta(days=28)


@_disaster("last month's file, copied tonight", 7)
def _copied(scene: Scene, tonight: Tonight, _at: int) -> None:
    nights = sorted(scene.past)
    then = scene.past[max([n for n in nights if n <= scene.first - 28] or nights[:1])]
    tonight.header, tonight.rows = list(then.header), [list(row) for row in then.rows]


@_disaster("another tenant's file", 8, nights=3)
def _other_tenant(scene: Scene, tonight: Tonight, _at: int) -> None:
    other = found(scene.firm.seed + 1000)
    for person in other.people.values():
        person.email = person.email.replace("firma", "anders")
        person.phone = person.phone and f"+43 1 {300_000 + person.number}"
        person.mobile = person.mobile and f"+43 664 {3_000_000 + person.number}"
        person.crm_id = str(int(person.crm_id) + 3)
    theirs = export(other)
    tonight.rows = [row for row in theirs.rows if row[0] not in SENTINELS]


@_disaster("web page instead of a file", 16, nights=2)
def _web_page(_scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.raw = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>\n"
    tonight.rows = []


@_disaster("delimiter changed", 11, nights=5)
def _delimiter(_scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.delimiter = {",": ";", ";": "\t"}[tonight.delimiter]


@_disaster("encoding changed", 12, nights=5)
def _encoding(_scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.raw = tonight.written().decode().encode("cp1252", "replace")
    for row in tonight.rows:
        row[:] = [cell.encode("ascii", "replace").decode() for cell in row]


@_disaster("one quote lost", 13)
def _quote(scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.promised = len(tonight.rows)
    at = scene.rng.randrange(1, len(tonight.rows) - 2)
    lines = tonight.written().split(b"\r\n")
    cell = b'"' + tonight.rows[at][1].encode()
    lines[at + 1] = lines[at + 1].replace(tonight.rows[at][1].encode(), cell, 1)
    tonight.raw = b"\r\n".join(lines)
    tonight.rows = tonight.rows[:at]


# ------------------------------------------------------------------ columns


@_disaster("e-mail column renamed", 10, nights=5)
def _renamed(_scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.header[tonight.column("email")] = "Feld 17"


@_disaster("id column renamed", 10, nights=5)
def _id_renamed(_scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.header[0] = "Feld 1"


@_disaster("number columns renamed", 10, nights=5)
def _numbers_renamed(_scene: Scene, tonight: Tonight, _at: int) -> None:
    for name in ("phone", "mobile"):
        tonight.header[tonight.column(name)] = f"Feld {name}"


@_disaster("id replaced by the row number", 9, nights=5)
def _row_numbers(_scene: Scene, tonight: Tonight, _at: int) -> None:
    for at, row in enumerate(tonight.rows):
        row[0] = str(at + 1)


@_disaster("columns swapped", 10, nights=5)
def _swapped(scene: Scene, tonight: Tonight, _at: int) -> None:
    pairs = (("first", "last"), ("email", "note"), ("phone", "fax"), ("company", "email"))
    one, other = scene.memory.setdefault("pair", scene.rng.choice(pairs))
    a, b = tonight.column(one), tonight.column(other)
    for row in tonight.rows:
        row[a], row[b] = row[b], row[a]


@_disaster("key columns emptied", 10, nights=5)
def _emptied(scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.blank(*scene.memory.setdefault("columns", scene.rng.sample(_KEYS, 2)))


_KEYS: Final = ("email", "phone", "mobile", "company", "last")


@_disaster("numbers mapped to the fax, ids lost", 9, nights=5)
def _to_fax(_scene: Scene, tonight: Tonight, _at: int) -> None:
    fax = tonight.column("fax")
    for at, row in enumerate(tonight.rows):
        row[fax] = row[tonight.column("mobile")] or row[tonight.column("phone")]
        row[0] = str(500_000 + at)
    tonight.blank("phone", "mobile", "email")


@_disaster("numbers ruined by a spreadsheet", 9, nights=3)
def _spreadsheet(_scene: Scene, tonight: Tonight, _at: int) -> None:
    for row in tonight.rows:
        for name in ("phone", "mobile"):
            digits = "".join(filter(str.isdigit, row[tonight.column(name)]))
            if digits:
                row[tonight.column(name)] = f"{float(digits):.5E}".replace("E+0", "E+")


@_disaster("all numbers written in another way", 19, nights=5)
def _rewritten(_scene: Scene, tonight: Tonight, _at: int) -> None:
    for row in tonight.rows:
        for name in ("phone", "mobile"):
            text = row[tonight.column(name)]
            row[tonight.column(name)] = text.replace("+49", "0049").replace(" ", "-")


# ------------------------------------------------------------------ who is in it


@_disaster("filter on active people only", 14, nights=5)
def _active_only(scene: Scene, tonight: Tonight, _at: int) -> None:
    recent = {p.crm_id for p in scene.firm.people.values() if (p.number * 7) % 10 < 7}
    tonight.rows = [row for row in tonight.rows if row[0] in recent]


@_disaster("filter on one part", 14, nights=5)
def _one_part(_scene: Scene, tonight: Tonight, _at: int) -> None:
    field_ = tonight.column("team") if any(row[4] for row in tonight.rows) else 3
    values = sorted({row[field_] for row in tonight.rows} - {""})
    kept = set(values[: max(1, len(values) // 3)])
    tonight.rows = [row for row in tonight.rows if row[field_] in kept]


@_disaster("one page of the export missing", 15, nights=2)
def _page_missing(scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.promised = len(tonight.rows)
    pages = (len(tonight.rows) - 2) // _PAGE
    at = scene.memory.setdefault("page", scene.rng.randrange(max(1, pages)))
    del tonight.rows[1 + at * _PAGE : 1 + (at + 1) * _PAGE]


_PAGE: Final = 25


@_disaster("a small part vanishes", 21, nights=5, but_for="group_lost")
def _part_vanishes(scene: Scene, tonight: Tonight, _at: int) -> None:
    own = any(row[4] for row in tonight.rows)
    column = tonight.column("team") if own else tonight.column("company")
    sizes: dict[str, int] = {}
    for row in tonight.rows:
        if row[column]:
            sizes[row[column]] = sizes.get(row[column], 0) + 1
    some = [name for name, size in sorted(sizes.items()) if size >= _PART] or sorted(sizes)
    gone = scene.memory.setdefault("part", min(some, key=lambda name: sizes[name]))
    tonight.rows = [row for row in tonight.rows if row[column] != gone]


_PART: Final = 5


@_disaster("the clocks of both systems jump ahead", 59)
def _clocks_ahead(_scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.clock = timedelta(days=730)
    tonight.age -= tonight.clock


@_disaster("slow bleed of 1 % a night", 20, nights=14, but_for=SENTINEL, how="steady")
def _bleed_1(scene: Scene, tonight: Tonight, at: int) -> None:
    _bleed(scene, tonight, at, 0.01)


@_disaster("slow bleed of 2 % a night", 20, nights=14, but_for=SENTINEL, how="steady")
def _bleed_2(scene: Scene, tonight: Tonight, at: int) -> None:
    _bleed(scene, tonight, at, 0.02)


@_disaster("slow bleed of 4 % a night", 20, nights=14, how="steady")
def _bleed_4(scene: Scene, tonight: Tonight, at: int) -> None:
    _bleed(scene, tonight, at, 0.04)


def _bleed(scene: Scene, tonight: Tonight, at: int, share: float) -> None:
    """Those of whom nobody has heard for longest fall out first: the sentinels before all."""
    order = sorted(scene.firm.people.values(), key=lambda p: (p.number * 7919) % 1009)
    lost = {p.crm_id for p in order[: round(len(order) * share * (at + 1))]}
    tonight.rows = [row for row in tonight.rows if row[0] not in lost | set(SENTINELS[1:])]


# ------------------------------------------------------------------ the systems themselves


@_disaster("all ids changed by a migration", 17, how="lasting")
def _migrated(scene: Scene, tonight: Tonight, _at: int) -> None:
    for person in scene.firm.people.values():
        person.crm_id = str(4_000_000 + (scene.first * 1000) + person.number)
    tonight.rows = export(scene.firm).rows


@_disaster("mass merge under new ids", 17, how="lasting")
def _merged(scene: Scene, tonight: Tonight, _at: int) -> None:
    """A third of all records becomes new ones, with the other record's address and numbers."""
    for person in scene.firm.people.values():
        if person.number % 3 == scene.first % 3:
            person.crm_id = str(6_000_000 + (scene.first * 1000) + person.number)
            if person.number % 2:
                person.email = f"privat{scene.first}.{person.number}@post.example"
                person.mobile = f"+49 170 {4_000_000 + scene.first * 1000 + person.number}"
    tonight.rows = export(scene.firm).rows


@_disaster("3CX lists nothing", 46, nights=2)
def _nothing_listed(_scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.listed = frozenset()


@_disaster("3CX lists a part", 36, nights=2)
def _partly_listed(scene: Scene, tonight: Tonight, _at: int) -> None:
    tonight.listed = frozenset(i for i in scene.firm.book if i % 3)
    tonight.incomplete = True


@_disaster("3CX restored, Ids given anew", 44, but_for=PERSON, how="lasting")
def _restored(scene: Scene, _tonight: Tonight, _at: int) -> None:
    """The newest contacts are gone; their Ids are given to people typed by hand, and to others."""
    firm = scene.firm
    newest = sorted(firm.book)[-20:]
    for at, contact_id in enumerate(newest):
        old = firm.book.pop(contact_id)
        if at % 3 == 0:
            number = f"+49 421 {600_000 + contact_id}"
            fields = {"FirstName": "Gast", "LastName": f"Nummer {at}", "PhoneNumber": number}
            firm.book[contact_id] = Entry(fields, None)
        elif at % 3 == 1 and old.person in firm.people:
            firm.due.append((scene.first + 2, old.person))
        elif at % 3 == 2:
            other = firm.people[scene.rng.choice(sorted(firm.people))]
            firm.book[contact_id] = Entry(fields_of(other), other.number)
    for person in list(firm.left.values())[-5:]:
        fields = {"FirstName": person.first, "LastName": person.last, "Email": person.email}
        firm.make_contact(fields, person.number)


@_disaster("the clock jumps ahead, and people lack for a night", 59)
def _clock_ahead(scene: Scene, tonight: Tonight, at: int) -> None:
    tonight.clock = timedelta(days=730)
    _page_missing(scene, tonight, at)


@_disaster("the clock jumps back, and people lack for a night", 59)
def _clock_back(scene: Scene, tonight: Tonight, at: int) -> None:
    tonight.clock = -timedelta(days=3)
    _page_missing(scene, tonight, at)


DISASTERS: Final = tuple(_TABLE)
