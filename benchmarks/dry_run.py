"""A whole dry run against the floor of the same work, by size: `make bench`.

The run: reading the export, listing, matching, deciding, the guards, a first night's claims and
the report, as `reconcile plan` does it, with both sides' bytes on this machine. The floor: the
same export through pyarrow, the same pages through msgspec, the distinct numbers in columns (the
fastest exact way that we have), one hash join, and the claims through the driver. Both in turn,
each in a process of its own; medians of the rounds. Memory is over that of a process that only
imports the same.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import resource
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import recorded
from pyarrow import csv
from sampling import sampled
from taking import keep, machine, medians, ratio, script

from reconcile import planning
from reconcile.core import phone_columns
from reconcile.planning import Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SIZES = ("10000:10000", "100000:100000", "1000000:100000", "1000000:1000000")
BUDGET = 1.5
GROWTH = 11.0
BYTES = 2500.0
STEPS = {
    "read the export": ("reconcile.crm.read.read",),
    "list 3CX": ("reconcile.pbx.client.PbxReader.snapshot",),
    "match": ("reconcile.core.match.match",),
    "decide": (
        "reconcile.core.plan.build",
        "reconcile.core.plan.claim_changes",
        "reconcile.core.guards.evaluate",
        "reconcile.core.guards.measures",
    ),
    "remember": ("reconcile.planning.remember",),
    "report": ("reconcile.planning.close",),
}


def main() -> None:
    """Print wall, CPU and memory of both by size, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="records:contacts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--do", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        print(json.dumps(_done(options.do[0], Path(options.do[1]))))
        return
    print(f"{machine()}, {options.rounds} rounds")
    found = {size: _compared(size, options.rounds) for size in options.sizes}
    if {SIZES[1], SIZES[3]} <= found.keys():
        small, large = (found[SIZES[at]]["wall"]["ours"] for at in (1, 3))
        print("\nfrom 100,000 to 1,000,000")
        found["growth"] = {"wall": ratio("growth", large, small, at_most=GROWTH)}
    keep("dry_run", found)


def _compared(size: str, rounds: int) -> dict[str, Any]:
    """What both took at one size, and whether that is within the budget."""
    rows, count = map(int, size.split(":"))
    with tempfile.TemporaryDirectory() as folder:
        listed = recorded.write(Path(folder), rows, count)
        bare = script(__file__, "--do", "bare", folder)["peak"]
        both = [
            [script(__file__, "--do", way, folder) for way in ("ours", "floor")]
            for _ in range(rounds)
        ]
    print(f"\n{rows:,} records, {listed:,} contacts")
    ours, floor = (medians(pair[at] for pair in both) for at in (0, 1))
    found = {k: ratio(f"{k}, seconds", ours[k], floor[k], at_most=BUDGET) for k in ("wall", "cpu")}
    over, each = (ours["peak"] - bare) / BYTES, float(rows + listed)
    found["memory"] = ratio("memory, 2,500 bytes each", over, each, at_most=1.0)
    steps = {step: round(ours[step], 3) for step in STEPS}
    print("  " + ", ".join(f"{step} {seconds:.2f} s" for step, seconds in steps.items()))
    print("  most in: " + ", ".join(both[0][0]["top"]))
    return {**found, "steps": steps, "most in": both[0][0]["top"]}


def _done(what: str, folder: Path) -> dict[str, object]:
    """Seconds and the peak in bytes of one way."""
    ways: dict[str, Callable[[Path], dict[str, object]]]
    ways = {"ours": _ours, "floor": _floor, "bare": lambda _folder: {}}
    wall, cpu = time.perf_counter(), time.process_time()
    more = ways[what](folder)
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        **more,
    }


def _ours(folder: Path) -> dict[str, object]:
    """A first night, in a folder of its own: its state and its reports are new."""
    request = Request(command="plan")
    with tempfile.TemporaryDirectory(dir=folder) as office, sampled() as samples:
        for name in folder.iterdir():
            if name.is_file():
                (Path(office) / name.name).hardlink_to(name)
        with recorded.opened(Path(office)) as session:
            planned = planning.make(session, request)
            planning.remember(session, planned, approved=False)
            report = planning.close(session, planned.result, request)
    if not report.digest:
        raise SystemExit(f"{report.headline} {report.findings}")
    steps: dict[str, object] = {step: samples.below(*names) for step, names in STEPS.items()}
    top = [f"{name.removeprefix('reconcile.')} {share:.0%}" for name, share in samples.top(8)]
    unmatched = [contact.id for contact in report.contacts]
    return {**steps, "top": top, "unmatched": unmatched}


def _floor(folder: Path) -> dict[str, object]:
    gc.disable()  # as ours does
    table = csv.read_csv(
        folder / recorded.EXPORT,
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(["Phone", "Mobile", "Email"], pa.string())
        ),
    )
    theirs = _keys([table["Phone"], table["Mobile"]], table["Email"])
    decode, listed = msgspec.json.Decoder(_Page).decode, list[_Contact]()
    with (folder / recorded.PAGES).open("rb") as lines:
        for line in lines:
            listed += decode(line).value[bool(listed) :]  # the first is the last of the page before
    columns = {
        name: pa.array([getattr(contact, name) for contact in listed])
        for name in ("Business", "PhoneNumber", "Email")
    }
    ours = _keys([columns["Business"], columns["PhoneNumber"]], columns["Email"])
    matched = ours.merge(theirs, on="key")["at_x"].drop_duplicates()
    _write_claims(folder, [listed[at] for at in matched.tolist()])
    return {}


class _Contact(msgspec.Struct):
    Id: int
    Business: str | None
    PhoneNumber: str | None
    Email: str | None
    FirstName: str | None
    LastName: str | None


class _Page(msgspec.Struct):
    value: list[_Contact]


def _write_claims(folder: Path, matched: list[_Contact]) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        state = sqlite3.connect(f"{place}/claims.db")
        state.execute("CREATE TABLE claim (id INTEGER PRIMARY KEY, crm_id, name, fingerprint, run)")
        rows = ((c.Id, str(c.Id), f"{c.FirstName} {c.LastName}", _FINGERPRINT, 1) for c in matched)
        with state:
            state.executemany("INSERT INTO claim VALUES (?, ?, ?, ?, ?)", rows)
        state.close()


_FINGERPRINT = hashlib.sha256(b"").hexdigest()


def _keys(numbers: list[pa.Array], emails: pa.Array) -> pd.DataFrame:
    """(at, key) of one side; the keys as 64-bit hashes."""
    parts = [pd.DataFrame({"key": pc.utf8_lower(emails).to_pandas()}).reset_index(names="at")]
    for cells in numbers:
        coded = pa.chunked_array([cells] if isinstance(cells, pa.Array) else cells.chunks)
        coded = coded.combine_chunks().dictionary_encode()
        table = phone_columns.keys_or_text(coded.dictionary, "DE").to_pandas()
        cell = pd.DataFrame({"at": range(len(coded)), "cell": coded.indices.to_numpy()})
        parts.append(cell.merge(table, on="cell")[["at", "key"]])
    keys = pd.concat(parts, ignore_index=True)
    return keys.assign(key=pd.util.hash_array(keys["key"].to_numpy(dtype="object")))


if __name__ == "__main__":
    main()
