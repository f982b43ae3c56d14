"""A firm's year: its nights, its people, the disasters, and who answers when the program asks."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from simulation.exports import SENTINELS, Tonight, export
from simulation.firm import START, found, live
from simulation.nights import ALL_ON, Guards, Look, Night, Program

from reconcile.core.guards import accepts
from reconcile.model import Level

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from simulation.disasters import Disaster, Scene
    from simulation.firm import Entry, Firm

GRACE_EXPORTS: Final = 2
SLACK: Final = 2
"""Nights beyond the grace within which a leaver must be gone."""
_MORNING: Final = timedelta(hours=5, minutes=30)
_KEPT_EXPORTS: Final = 40
_CLEAN_UP: Final = 14
"""After so many nights somebody deletes by hand what the program left for a person to look at."""


@dataclass
class Tally:
    """What a year gave."""

    nights: int = 0
    honest: int = 0
    """Nights without a disaster."""
    deleted: int = 0
    wrong: list[tuple[int, int, int]] = field(default_factory=list)
    """Firm, night and contact of each wrong delete."""
    stops: Counter[str] = field(default_factory=Counter)
    """Guard → honest nights that it stopped."""
    stopped: int = 0
    aftermath: int = 0
    """Of the stopped nights those right after a disaster."""
    approved: int = 0
    waits: Counter[int] = field(default_factory=Counter)
    """Nights from a leaving to the delete → how often."""
    late: list[tuple[int, int, int]] = field(default_factory=list)
    """The same of each leaver who should be gone."""
    excused: Counter[str] = field(default_factory=Counter)

    def written(self) -> dict[str, dict[str, int]]:
        """For the table at the end, which adds up what several processes tried."""
        numbers = ("nights", "honest", "deleted", "stopped", "aftermath", "approved")
        return {
            "figures": {name: getattr(self, name) for name in numbers}
            | {"wrong": len(self.wrong), "late": len(self.late), "firms": 1},
            "stops": dict(self.stops),
            "waits": {str(nights): count for nights, count in self.waits.items()},
            "excused": dict(self.excused),
        }


@dataclass
class Leaver:
    """A contact whose person has left."""

    since: int
    evidence: int = 0
    """Accepted exports that lacked him since."""


@dataclass(frozen=True)
class Struck:
    """A disaster that is going on."""

    disaster: Disaster
    scene: Scene


@dataclass
class Year:
    """A firm, its program, and the night it is."""

    firm: Firm
    program: Program
    night: int = 0
    past: dict[int, Tonight] = field(default_factory=dict)
    leavers: dict[int, Leaver] = field(default_factory=dict)
    matched: set[int] = field(default_factory=set)
    """Contacts that were there together with their person on an accepted night."""
    tally: Tally = field(default_factory=Tally)
    last_disaster: int = -100
    wary: bool = False
    """Nothing is approved any more."""

    @classmethod
    def of(cls, seed: int, folder: Path) -> Year:
        """The evening before the first night."""
        folder.mkdir(parents=True)
        program = Program(folder, sentinels=SENTINELS)
        program.create(START)
        return cls(found(seed), program)

    def copy(self, folder: Path) -> Year:
        """The same firm and state, to be tried out."""
        folder.mkdir()
        return Year(
            firm=copy.deepcopy(self.firm),
            program=self.program.copy(folder),
            night=self.night,
            past=dict(self.past),
            last_disaster=self.last_disaster,
        )

    # ------------------------------------------------------------------ one night

    def spend(self, struck: Struck | None = None, on: Guards = ALL_ON) -> Night:
        """One night, and the morning after it."""
        live(self.firm, self.night)
        now = START + timedelta(days=self.night)
        tonight = export(self.firm)
        if struck is not None:
            struck.disaster.damage(struck.scene, tonight, self.night - struck.scene.first)
            self.last_disaster = self.night
        before = dict(self.firm.book)
        night = self.program.run(tonight, self.firm.book, now, on)
        self._judge(night, before)
        if struck is None:
            self._honest(night, tonight, now, on)
            self._remember(tonight)
        self._look_after_leavers(night, honest=struck is None)
        self.tally.nights += 1
        self.night += 1
        return night

    def _remember(self, tonight: Tonight) -> None:
        self.past[self.night] = tonight
        self.past.pop(self.night - _KEPT_EXPORTS, None)

    def _judge(self, night: Night, before: dict[int, Entry]) -> None:
        """The oracle."""
        for contact_id in night.deleted:
            person = before[contact_id].person
            if person is None or person in self.firm.people:
                self.tally.wrong.append((self.firm.seed, self.night, contact_id))
            elif contact_id in self.leavers:
                self.tally.waits[self.night - self.leavers[contact_id].since] += 1
        self.tally.deleted += len(night.deleted)

    def _honest(self, night: Night, tonight: Tonight, now: datetime, on: Guards) -> None:
        """In the morning a person approves what is asked: there was no disaster."""
        self.tally.honest += 1
        if not night.stops:
            return
        self.tally.stopped += 1
        self.tally.stops.update(set(night.stops))
        self.tally.aftermath += self.night - self.last_disaster <= 3
        blocked = any(f.level is Level.BLOCK for f in night.findings)
        if night.refused or blocked or self.wary:
            return
        before = dict(self.firm.book)
        look = Look(now + _MORNING, on)
        again = self.program.approve(night, tonight, self.firm.book, look)
        self.tally.approved += 1
        night.approved = True
        self._judge(again, before)
        night.deleted += again.deleted

    # ------------------------------------------------------------------ who has left

    def _look_after_leavers(self, night: Night, *, honest: bool) -> None:
        firm = self.firm
        counts = (
            night.planned is not None
            and not night.repeated
            and accepts(night.findings, approved=night.approved)
        )
        present = {i for i, e in firm.book.items() if e.person in firm.people}
        absent = {i for i, e in firm.book.items() if e.person in firm.left}
        if counts:
            self.matched |= present
        self.matched &= firm.book.keys()
        for contact_id in self.leavers.keys() - absent:
            del self.leavers[contact_id]
        named = self._named(absent)
        for contact_id in sorted(absent):
            leaver = self.leavers.setdefault(contact_id, Leaver(self.night))
            if firm.edited.get(contact_id) == self.night or contact_id in named:
                leaver.evidence = 0  # from here on the nights are counted anew
            elif counts and honest:
                leaver.evidence += 1
            if leaver.evidence == GRACE_EXPORTS + SLACK:
                self._expect_gone(contact_id)
            if self.night - leaver.since > _CLEAN_UP:
                self.tally.excused["the export still names a number of his"] += contact_id in named
                del firm.book[contact_id]

    def _named(self, absent: set[int]) -> set[int]:
        """Leavers of whom the export still holds a number or an address, wherever it stands."""
        people = self.firm.people.values()
        text = "\n".join(" ".join((*p.values, p.note)) for p in people) if absent else ""
        digits = "".join(filter(str.isdigit, text))
        return {i for i in absent if _stands(self.firm.book[i].fields, text, digits)}

    def _expect_gone(self, contact_id: int) -> None:
        why = self._excuse(contact_id)
        if why:
            self.tally.excused[why] += 1
        else:
            self.tally.late.append((self.firm.seed, self.night, contact_id))

    def _excuse(self, contact_id: int) -> str:
        """Why somebody must look at a leaver's contact, as the truth tells it."""
        firm, fields = self.firm, self.firm.book[contact_id].fields
        if contact_id not in self.matched:
            return "was never seen together with its person"
        first, last = fields.get("FirstName", ""), fields.get("LastName", "")
        for person in firm.people.values():
            words = {person.first, *person.last.split()} & {first, *last.split()}
            if last in {person.last, person.first} or (
                words and person.company == fields.get("CompanyName")
            ):
                return "somebody has such a name"
        return ""


def _stands(fields: Mapping[str, str], text: str, digits: str) -> bool:
    """Whether one of a contact's numbers or addresses stands in a text with these digits."""
    for name in ("Email", "Business", "PhoneNumber"):
        value = fields.get(name, "")
        end = "".join(filter(str.isdigit, value))[-7:]
        if value and (value in text or ("@" not in value and end in digits)):
            return True
    return False
