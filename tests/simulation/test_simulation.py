"""Firms over whole years, with a disaster every sixty nights: what was deleted, and what stood."""

from __future__ import annotations

import math
import random
from dataclasses import asdict
from datetime import timedelta

import pytest
from amounts import amount
from simulation.disasters import DISASTERS
from simulation.exports import export
from simulation.firm import START
from simulation.proofs import AFTER, attack, struck_by
from simulation.years import Year

NIGHTS = amount(check=24, prove=365)
EVERY = amount(check=12, prove=60)
GROUPS = amount(check=1, prove=10)
FIRMS = amount(check=2, prove=5)
ALONE = amount(check=0, prove=10)
"""So many firms in which each guard is tried by itself, too."""
_STRIDE = 7


def spent(seed, folder):
    """A firm's year, and the proofs of its disasters."""
    folder.mkdir()
    year, proofs = Year.of(seed, folder / "year"), []
    rng = random.Random(f"{seed} year")  # noqa: S311
    for begin in range(0, NIGHTS, EVERY):
        at = begin + EVERY // 2 + rng.randrange(EVERY // 4)
        while year.night < min(at, NIGHTS):
            year.spend()
        if year.night < at:
            break
        number = seed * math.ceil(365 / 60) + begin // EVERY
        disaster = DISASTERS[number * _STRIDE % len(DISASTERS)]
        lasts = disaster.nights if disaster.steady else rng.randint(1, disaster.nights)
        proofs.append(attack(year, disaster, folder, lasts, alone=seed < ALONE))
        struck = struck_by(year, disaster)
        for _ in range(lasts):
            year.spend(struck)
    while year.night < NIGHTS:
        year.spend()
    year.program.close(remove=True)
    return year, proofs


@pytest.mark.parametrize("group", range(GROUPS))
def test_years_with_disasters(group, tmp_path, record_property):
    seeds = range(group * FIRMS, (group + 1) * FIRMS)
    years, proofs = [], []
    for seed in seeds:
        year, found = spent(seed, tmp_path / f"firm-{seed}")
        years.append(year.tally)
        proofs += found
        record_property("simulation", year.tally.written())
    for proof in proofs:
        record_property("disaster", asdict(proof))

    # nobody was deleted who should have stayed, and whoever has left is gone in time
    assert [wrong for tally in years for wrong in tally.wrong] == []
    assert [late for tally in years for late in tally.late] == []
    assert sum(tally.deleted for tally in years) > 0
    # what asks or stops without need: at most one night in ninety
    stopped, honest = sum(t.stopped for t in years), sum(t.honest for t in years)
    assert stopped <= math.ceil(honest / 90), [t.stops for t in years]
    # a disaster deletes nobody, with any one guard off; and it is over when it is over
    assert [p for p in proofs if p.wrong] == []
    assert [p for p in proofs if p.needed and not is_bounded(p)] == []
    assert [p for p in proofs if p.stopped_after == AFTER] == []


def is_bounded(proof):
    """It is so small that only one guard can tell: the limits let no more pass without a person."""
    but_for = {d.name: d.but_for for d in DISASTERS}[proof.disaster]
    most = max(10, 0.05 * proof.claimed) * math.ceil(proof.lasted / 7)
    return {guard for guard, _ in proof.needed} == {but_for} and all(
        wrong <= most for _, wrong in proof.needed
    )


def test_the_nights_are_those_of_the_program(tmp_path):
    """What the simulation decides is what `reconcile plan` decides."""
    year = Year.of(4, tmp_path / "year")
    for _ in range(amount(check=4, prove=40)):
        tonight, book = export(year.firm), year.firm.book
        now = START + timedelta(days=year.night)
        ours, theirs = year.program.looks(tonight, book, now)
        assert ours is not None
        assert ours.decisions == theirs.decisions
        assert ours.claims == theirs.claims
        assert ours.repeated == theirs.repeated
        assert ours.result.plan == theirs.result.plan
        assert ours.result.findings == theirs.result.findings
        year.spend()
    year.program.close()
