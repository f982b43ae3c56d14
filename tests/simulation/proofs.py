"""Trying a disaster on copies of a firm: with all guards, without each of them, with none."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulation.disasters import DISASTERS, Scene
from simulation.nights import ALL_ON, EDITED, GRACE, KEYS, PERSON, REVIEW, VETO, Guards
from simulation.years import Struck, Year

from reconcile.model import Strength, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from simulation.disasters import Disaster
    from simulation.nights import Night
    from simulation.years import Tally

    from reconcile.model import Decision

AFTER: Final = 4
"""Nights that are looked at after a disaster: what was absent in it is due by then."""


@dataclass
class Proof:
    """What stood against one disaster."""

    disaster: str
    firm: int
    night: int
    lasted: int
    standing: tuple[str, ...] = ()
    """Guards that stood against a delete while all were on."""
    wrong: int = 0
    """Wrong deletes with all guards on."""
    unguarded: int = 0
    """Wrong deletes with every guard off."""
    needed: tuple[tuple[str, int], ...] = ()
    """Guards without which there were wrong deletes, and how many."""
    alone: tuple[str, ...] = ()
    """Guards each of which was enough by itself."""
    stopped_after: int = 0
    """Of the nights after it those on which something still stood against the plan."""
    claimed: int = 0
    """Contacts that were claimed, the base of all limits."""


@dataclass(frozen=True)
class _Trial:
    """One disaster, from tonight of this year on."""

    year: Year
    disaster: Disaster
    folder: Path
    lasts: int

    def run(self, on: Guards) -> tuple[Year, set[str]]:
        """A copy that has gone through it, and what stood against wrong deletes."""
        other = self.year.copy(self.folder)
        other.wary = self.disaster.lasting and on != ALL_ON  # or a person would undo what stood
        struck = struck_by(other, self.disaster)
        standing: set[str] = set()
        for _ in range(self.lasts):
            standing |= _standing(other, other.spend(struck, on))
        for _ in range(AFTER):
            night = other.spend(on=on)
            if self.disaster.lasting:
                standing |= _standing(other, night)
        other.program.close(remove=True)
        return other, standing

    def wrong(self, on: Guards) -> tuple[int, set[str]]:
        """How many were deleted because of it that should have stayed, and what stood.

        Without some guards ordinary nights go wrong, too: those deletes are not the disaster's.
        """
        other, standing = self.run(on)
        wrong = {contact_id for *_, contact_id in other.tally.wrong}
        if wrong and on != ALL_ON:
            wrong -= self._wrong_anyway(on)
        return len(wrong), standing

    def _wrong_anyway(self, on: Guards) -> set[int]:
        other = self.year.copy(self.folder)
        other.wary = self.disaster.lasting
        for _ in range(self.lasts + AFTER):
            other.spend(on=on)
        other.program.close(remove=True)
        return {contact_id for *_, contact_id in other.tally.wrong}


def attack(year: Year, disaster: Disaster, folder: Path, lasts: int, *, alone: bool) -> Proof:
    """Try a disaster from tonight on, and say which guards carry it.

    Switching a guard off may bring up others, which are switched off in their turn, too. `alone`:
    also try each of them by itself.
    """
    trial = _Trial(year, disaster, folder / "trial", lasts)
    base, standing = trial.run(ALL_ON)
    tried: dict[str, int] = {}
    waiting = set(standing)
    while waiting:
        guard = min(waiting)
        tried[guard], behind = trial.wrong(Guards(off=frozenset({guard})))
        waiting = (waiting | behind) - tried.keys()
    enough = (g for g in sorted(tried) if alone and not trial.wrong(Guards(only=frozenset({g})))[0])
    return Proof(
        disaster=disaster.name,
        firm=year.firm.seed,
        night=year.night,
        lasted=lasts,
        standing=tuple(sorted(standing)),
        wrong=len(base.tally.wrong),
        unguarded=trial.wrong(Guards(only=frozenset()))[0],
        needed=tuple(sorted((g, wrong) for g, wrong in tried.items() if wrong)),
        alone=tuple(enough),
        stopped_after=base.tally.stopped,
        claimed=len(year.firm.book),
    )


def struck_by(year: Year, disaster: Disaster) -> Struck:
    """The disaster as it happens to this firm from tonight on."""
    seed = f"{year.firm.seed} {disaster.name} {year.night}"
    scene = Scene(year.firm, year.night, random.Random(seed), dict(year.past))  # noqa: S311
    return Struck(disaster, scene)


@dataclass(frozen=True, kw_only=True)
class Length:
    """How much of a life is simulated."""

    nights: int
    every: int
    """Nights from one disaster to the next."""
    alone: int
    """Of so many firms each guard is also tried by itself."""


def spent(seed: int, folder: Path, length: Length) -> tuple[Tally, list[Proof]]:
    """A firm's life, and the proofs of its disasters: every one has its turn among the firms."""
    own = folder / f"firm-{seed}"
    year, proofs = Year.of(seed, own / "year"), []
    rng = random.Random(f"{seed} year")  # noqa: S311
    turns = math.ceil(365 / 60)
    for turn, begin in enumerate(range(0, length.nights, length.every)):
        strikes = begin + length.every // 2 + rng.randrange(length.every // 4)
        _spend(year, until=min(strikes, length.nights))
        if strikes >= length.nights:
            break
        disaster = DISASTERS[(seed * turns + turn) * _STRIDE % len(DISASTERS)]
        lasts = disaster.nights if disaster.steady else rng.randint(1, disaster.nights)
        proofs.append(attack(year, disaster, own, lasts, alone=seed < length.alone))
        struck = struck_by(year, disaster)
        for _ in range(lasts):
            year.spend(struck)
    _spend(year, until=length.nights)
    year.program.close(remove=True)
    return year.tally, proofs


_STRIDE: Final = 5


def _spend(year: Year, *, until: int) -> None:
    while year.night < until:
        year.spend()


# ------------------------------------------------------------------ what stands


def _standing(year: Year, night: Night) -> set[str]:
    """What kept a contact tonight that must not be deleted; or kept the night from deleting."""
    guards = set(night.stops)
    if night.matching is None:
        return guards
    firm = year.firm
    wrong = {i for i in firm.book if firm.is_wrong_to_delete(i)}
    for decision in night.decisions:
        if decision.contact.id in wrong and (guard := _kept_by(decision, night)):
            guards.add(guard)
    if any(not e.same_person for e in night.matching.evidence if e.contact_id in wrong):
        guards.add(PERSON)
    if _by_other_keys(night, wrong):
        guards.add(KEYS)
    return guards


def _kept_by(decision: Decision, night: Night) -> str:
    """The guard of a single contact that kept this one."""
    if decision.verdict is Verdict.WAITING:
        return GRACE
    if decision.verdict is not Verdict.REVIEW:
        return ""
    if decision.vetoed:
        return VETO
    claim = night.claims.get(decision.contact.id)
    if claim is None:
        return ""
    return REVIEW if decision.evidence.proofs or not decision.evidence.has_key else EDITED


def _by_other_keys(night: Night, wrong: set[int]) -> bool:
    """Whether somebody was known tonight though the record that was claimed is not there."""
    if night.matching is None or night.planned is None or night.planned.result.crm is None:
        return False
    ids = set(night.planned.result.crm.records["id"]) | {""}
    return any(
        evidence.strength is Strength.STRONG
        and (claim := night.claims.get(evidence.contact_id)) is not None
        and claim.crm_id not in ids
        for evidence in night.matching.evidence
        if evidence.contact_id in wrong
    )
