"""The same books in damaged files: what would be deleted wrongly is stopped by a guard.

Nobody leaves here, so every delete is wrong. What is lost stays above the limits of the guards: a
few rows that are missing look exactly like a few people who left, and only grace can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from amounts import amount
from book import layouts
from book.layouts import CSV_LAYOUTS, FILE, delimited
from book.nights import NIGHT, Series, decide, listing, read, rules_of

from reconcile.core import guards, plan
from reconcile.errors import ExportRejected
from reconcile.model import AcceptedExport, DeleteGuard, LedgerView, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from book.nights import Night

    from reconcile.model import CrmSnapshot, ExportSource

    Lines = Sequence[Sequence[str]]
    Damage = Callable[[Lines], Lines]

TRIED = ("HubSpot", "Salesforce Data Loader", "Google Contacts", "Outlook, German")
MATCHED = frozenset(
    "id first_name last_name full_name company country phone shared_phone email".split()
) | {"deleted_flag", "merged_into"}
"""Columns that a match looks at; nothing that happens to the others can matter."""
LIMITS = guards.Limits(
    max_deletes=20,
    max_delete_percent=2.0,
    max_weekly_percent=5.0,
    max_shrink_percent=2.0,
    min_matched_percent=95.0,
)


# ---------------------------------------------------------------------------- damages


def blanked(lines: Lines, at: int) -> Lines:
    return [lines[0], *([*row[:at], "", *row[at + 1 :]] for row in lines[1:])]


def renamed(lines: Lines, at: int) -> Lines:
    header = lines[0]
    return [[*header[:at], "Feld 7", *header[at + 1 :]], *lines[1:]]


def dropped(lines: Lines, at: int) -> Lines:
    return [[*row[:at], *row[at + 1 :]] for row in lines]


def swapped(lines: Lines, at: int, other: int) -> Lines:
    header = list(lines[0])
    header[at], header[other] = header[other], header[at]
    return [header, *lines[1:]]


def cut(lines: Lines, share: float) -> Lines:
    return lines[: 1 + int(share * (len(lines) - 1))]


def halved(lines: Lines) -> Lines:
    return [lines[0], *lines[1::2]]


def only_with(lines: Lines, at: int) -> Lines:
    """A filter that leaves out whoever has nothing in a column."""
    return [lines[0], *(row for row in lines[1:] if row[at])]


def without_most_common(lines: Lines, at: int) -> Lines:
    """A filter, or a right, that leaves out one company or country."""
    values = [row[at] for row in lines[1:] if row[at]]
    common = max(sorted(set(values)), key=values.count)
    return [lines[0], *(row for row in lines[1:] if row[at] != common)]


def scientific(lines: Lines, at: int) -> Lines:
    """What Excel makes of a column of numbers without a plus, when it saves CSV."""
    return [
        lines[0],
        *(
            [*row[:at], f"{float(row[at]):.5E}" if row[at].isdigit() else row[at], *row[at + 1 :]]
            for row in lines[1:]
        ),
    ]


def damages(source: ExportSource, lines: Lines) -> Iterator[tuple[str, Damage]]:
    """All that is done to one file, with its name."""
    places = {c.header: at for at, c in enumerate(source.columns) if c.reads_as in MATCHED}
    numbers = [at for at, c in enumerate(source.columns) if c.reads_as == "phone"]
    for header, at in places.items():
        yield f"{header} blanked", partial(blanked, at=at)
        yield f"{header} renamed", partial(renamed, at=at)
        yield f"{header} dropped", partial(dropped, at=at)
    for (one, at), (two, other) in list(pairwise(places.items()))[::2]:
        yield f"{one} swapped with {two}", partial(swapped, at=at, other=other)
    for share in (0.1, 0.5, 0.97):
        yield f"cut behind {share:.0%} of its lines", partial(cut, share=share)
    yield "every second row left out", halved
    for at, column in enumerate(source.columns):
        if column.reads_as in {"company", "country"}:
            yield f"one {column.reads_as} left out", partial(without_most_common, at=at)
    yield "whoever has no number left out", partial(only_with, at=numbers[0])
    for at in numbers[:2]:
        yield f"{lines[0][at]} in scientific notation", partial(scientific, at=at)


# ---------------------------------------------------------------------------- trying them


@dataclass(slots=True)
class Damaged:
    """How one format's damaged files went; only `passed` is a fault."""

    files: int = 0
    refused: int = 0
    harmless: int = 0
    stopped: int = 0
    """Would have deleted, or its columns changed; a person must approve it."""
    passed: int = 0
    kept_from: int = 0
    """Contacts that would have been deleted wrongly, if nothing had stopped it."""


def accepted(night: Night) -> LedgerView:
    """What the ledger holds after a good night."""
    source = night.crm.source
    export = AcceptedExport(
        run_id=1,
        sha256=source.content,
        name=source.name,
        generated_at=source.generated_at,
        accepted_at=night.now,
        records=source.records - source.gone,
        fill=guards.fill_of(night.matching),
        rules=plan.rules_fingerprint(source, night.rules),
    )
    return LedgerView(
        claims=night.after, last_accepted=export, newest_generated_at=source.generated_at
    )


def outcome(
    export: CrmSnapshot, first: Night, series: Series, ledger: LedgerView
) -> tuple[int, bool]:
    """How many contacts would be deleted, and whether a guard stops it."""
    now = first.now + timedelta(days=1)
    rules = rules_of(series.book.prefix, immediate=False)
    fingerprint = plan.rules_fingerprint(export.source, rules)
    if fingerprint != ledger.last_accepted.rules:
        return 0, True  # `rules_changed`: no need to match
    pbx = listing(series.book.first.entries, now)
    night = decide(export, pbx, claims=first.after, rules=rules, now=now, known={})
    facts = guards.Facts(
        source=export.source,
        pbx=pbx,
        matching=night.matching,
        decisions=night.decisions,
        ledger=ledger,
        limits=LIMITS,
        policy="{}",
        rules=fingerprint,
        delete_guard=DeleteGuard.COMPARE,
        probe=None,
    )
    stopped = any(f.level is not Level.INFO for f in guards.evaluate(facts))
    return len(facts.deletes), stopped


@pytest.mark.parametrize("name", TRIED[:: amount(check=4, prove=1)])
def test_no_wrong_delete_gets_past_the_guards(name, table):
    layout = next(layout for layout in CSV_LAYOUTS if layout.name == name)
    series = Series(TRIED.index(name))
    first = series.first(layout)
    lines = layouts.table(layout.columns, series.records(series.book.first, layout))
    ledger, tally, faults = accepted(first), Damaged(), []
    for what, damage in damages(first.crm.source, lines):
        tally.files += 1
        content = delimited(damage(lines), **layout.dialect)
        try:
            export = read(
                {FILE: content}, FILE, now=NIGHT + timedelta(days=1), inactive=series.inactive
            )
        except ExportRejected:
            tally.refused += 1
            continue
        deletes, stopped = outcome(export, first, series, ledger)
        tally.kept_from += deletes if stopped else 0
        tally.stopped += stopped
        tally.harmless += not stopped and not deletes
        tally.passed += bool(deletes and not stopped)
        if deletes and not stopped:
            faults.append(f"{name}: {what}: {deletes} contacts deleted, and no guard stops it")
    table("the same books in damaged files", name, tally)
    assert not faults, "\n".join(faults)


def test_the_undamaged_file_a_night_later_deletes_nobody_and_stops_nothing():
    layout, series = CSV_LAYOUTS[0], Series(0)
    first = series.first(layout)
    again = read(
        layout.write(series.records(series.book.first, layout)[::-1]),
        FILE,
        now=NIGHT + timedelta(days=1),
        inactive=series.inactive,
    )
    assert outcome(again, first, series, accepted(first)) == (0, False)
