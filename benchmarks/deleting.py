"""Guarded deletes against what the PBX's latency allows: `make bench`.

Each is a re-read, a tombstone and an intent on disk, a DELETE under If-Match, and its outcome on
disk. The ideal is what the two requests would take if nothing but the latency counted: 2 x latency
/ lanes. Timed is from the first outcome to the last, in a process of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from books import aged
from sandboxed import sandbox
from taking import keep, machine, medians, ratio, script

from reconcile import config, run
from reconcile.planning import Request
from reconcile.session import World
from reconcile.store import migrate

if TYPE_CHECKING:
    from collections.abc import Callable

SHARE = 0.85
LATENCY = 0.02
KEPT = 0.95
"""Of those whose record has left the export; a few are spoken for by another record."""
REQUESTS = 2
"""The re-read and the DELETE; only the first contact of a run is looked at once more."""


def main() -> None:
    """Print the share of the ideal by lanes, and what a delete costs the processor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deletes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lanes", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--do", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        folder, url, lanes = options.do
        print(json.dumps(_deleted(Path(folder), url, int(lanes), options.deletes)))
        return
    print(f"{machine()}, {options.deletes} deletes at 20 ms, {options.rounds} rounds\n")
    found = {f"{n} lanes": _compared(n, options.deletes, options.rounds) for n in options.lanes}
    keep("deleting", found)


def _compared(lanes: int, deletes: int, rounds: int) -> dict[str, Any]:
    took = medians(_round(lanes, deletes) for _ in range(rounds))
    ideal = took["deletes"] * REQUESTS * LATENCY / lanes
    share = ratio(f"{lanes} lanes, ideal to ours", ideal, took["seconds"], at_least=SHARE)
    each = took["cpu"] / took["deletes"] * 1000
    print(f"  {each:.1f} ms of a processor for each")
    return {**share, "milliseconds of a processor each": each}


def _round(lanes: int, deletes: int) -> dict[str, Any]:
    """A PBX of its own, as its contacts are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "contacts.csv"
        options = (f"--contacts={3 * deletes}", f"--export={export}", f"--with=latency={LATENCY}")
        with sandbox(*options) as url:
            arguments = ("--do", folder, url, str(lanes), f"--deletes={deletes}")
            return script(__file__, *arguments)


def _deleted(folder: Path, url: str, lanes: int, deletes: int) -> dict[str, float]:
    """Of the deletes after the canary: the seconds, those of the processor, and how many."""
    moments: list[tuple[float, float]] = []

    def progress(what: str, _done: int, _all: int) -> None:
        if what == "deleting":
            moments.append((time.perf_counter(), time.process_time()))

    settings, world = _office(folder, url, lanes), _world(progress)
    run.plan_once(settings, world, Request(command="plan"))
    _leave(folder / "contacts.csv", deletes)
    digest = run.plan_once(settings, world, Request(command="plan")).digest
    report = run.apply_once(settings, world, digest)
    if len(moments) < KEPT * deletes:
        raise SystemExit(f"{report.headline} {[f.code for f in report.findings]}")
    (begun, used), (ended, used_then) = moments[0], moments[-1]
    after_the_first = len(moments) - 1
    return {"seconds": ended - begun, "cpu": used_then - used, "deletes": after_the_first}


def _office(folder: Path, url: str, lanes: int) -> config.Config:
    percents = ("max_delete_percent", "max_weekly_percent", "max_shrink_percent")
    limits = {"max_deletes": 10_000, **dict.fromkeys(percents, 100)}
    document = {
        "mode": "review",
        "crm": {"source": "contacts.csv", "region": "DE"},
        "pbx": {
            "url": url,
            "client_id": "reconcile",
            "client_secret_env": "SECRET",
            "concurrency": lanes,
        },
        "policy": {**limits, "grace_exports": 1, "grace_hours": 0},
    }
    aged(folder / "contacts.csv")
    settings = config.validate(document, folder / "config.toml")
    migrate.upgrade(settings.state.url, base=settings.base, now=datetime.now(UTC))
    return settings


def _world(progress: Callable[[str, int, int], None]) -> World:
    return World(
        environ={"SECRET": "sandbox-secret"},
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        user="benchmark",
        progress=progress,
    )


def _leave(export: Path, count: int) -> None:
    """So many have left the CRM."""
    with export.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    with export.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows[count:]])
    aged(export)


if __name__ == "__main__":
    main()
