"""Firms over whole years, with a disaster every sixty nights: what was deleted, and what stood."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import timedelta

import pytest
from amounts import amount, note
from simulation.disasters import DISASTERS
from simulation.exports import export
from simulation.firm import START
from simulation.proofs import AFTER, Length, spent
from simulation.years import Year

PARTS = amount(check=1, prove=10)
FIRMS = amount(check=2, prove=5)
"""In a part: so many nights that one stop in ninety of them is a figure."""
LENGTH = Length(
    nights=amount(check=12, prove=365),
    every=amount(check=6, prove=60),
    alone=amount(check=0, prove=10),
)


@pytest.mark.parametrize("part", range(PARTS))
def test_years_with_disasters(tmp_path, record_property, part):
    seeds = range(part * FIRMS, (part + 1) * FIRMS)
    found = [spent(seed, tmp_path, LENGTH) for seed in seeds]
    years, proofs = [tally for tally, _ in found], [p for _, some in found for p in some]
    for tally in years:
        record_property("simulation", tally.written())
    for proof in proofs:
        record_property("disaster", asdict(proof))
    note(f"simulated firms, part {part + 1:2} of {PARTS}", said(years, proofs))

    # nobody was deleted who should have stayed, and whoever has left is gone in time
    assert [wrong for tally in years for wrong in tally.wrong] == []
    assert [late for tally in years for late in tally.late] == []
    assert sum(tally.deleted for tally in years) > 0
    # what asks or stops without need: in few firms twice as often as in all (conftest.py)
    stopped, honest = sum(t.stopped for t in years), sum(t.honest for t in years)
    assert stopped <= math.ceil(honest / 45), [t.stops for t in years]
    # a disaster deletes nobody, with any one guard off; and it is over when it is over
    assert [p for p in proofs if p.wrong] == []
    assert [p for p in proofs if p.needed and not is_bounded(p)] == []
    assert [p for p in proofs if p.stopped_after == AFTER] == []


def said(years, proofs):
    """In one line."""
    sums = {
        name: sum(tally.written()["figures"][name] for tally in years)
        for name in ("nights", "deleted", "wrong", "late", "stopped")
    }
    carried = sum(1 for proof in proofs if not proof.needed)
    return (
        f"{sums['nights']:,} nights, {sums['deleted']} deletes, {sums['wrong']} wrong,"
        f" {sums['late']} late, {sums['stopped']} stopped without need; {len(proofs)} disasters,"
        f" {carried} of them carried by two guards or more, {len(proofs) - carried} bounded"
    )


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
    for _ in range(amount(check=3, prove=40)):
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
