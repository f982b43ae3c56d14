"""Reading, normalising and matching against the floor of the same work, by size: `make bench`.

The floor: the CSV through pyarrow, the pages through json, the distinct numbers in columns (the
fastest exact way that we have), and one hash join. Both in turn, each in a process of its own;
medians of the rounds. Memory is over that of a process that only imports the same.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from books import contacts, people
from pyarrow import csv

from reconcile import crm
from reconcile.core import match, phone_columns
from reconcile.model import PbxSnapshot

PAGE = 100
BUDGET = 1.5
BYTES = 2500


def main() -> None:
    """Print wall, CPU and memory of both by size, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--do", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        print(json.dumps(_done(options.do[0], Path(options.do[1]))))
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.rounds} rounds")
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            listed = _written(Path(folder), rows, min(rows, options.contacts))
            _report(folder, rows, listed, options.rounds)


def _written(folder: Path, rows: int, count: int) -> int:
    """The export and the pages of one size, on disk; the contacts that they hold."""
    book = people(rows)
    book.to_csv(folder / "contacts.csv", index=False)
    every = contacts(book, count)
    pages = [{"value": every[at : at + PAGE]} for at in range(0, len(every), PAGE)]
    (folder / "pages.json").write_text("\n".join(map(json.dumps, pages)), "utf-8")
    return len(every)


def _report(folder: str, rows: int, listed: int, rounds: int) -> None:
    bare = _measured("bare", folder)["peak"]
    both = [(_measured("ours", folder), _measured("floor", folder)) for _ in range(rounds)]
    ours, floor = (
        {k: statistics.median(pair[side][k] for pair in both) for k in both[0][side]}
        for side in (0, 1)
    )
    over = (ours["peak"] - bare) / (rows + listed)
    print(
        f"{rows:,} rows, {listed:,} contacts:"
        f" {over:,.0f} bytes each at the peak (at most {BYTES:,})"
    )
    for kind in ("wall", "cpu"):
        print(
            f"  {kind:<4} {ours[kind]:6.2f} s, floor {floor[kind]:6.2f} s:"
            f" {ours[kind] / floor[kind]:4.2f} x (at most {BUDGET})"
        )
    print(
        "  of ours: " + ", ".join(f"{k[3:]} {v:.2f} s" for k, v in ours.items() if k[:3] == "in ")
    )


def _measured(what: str, folder: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--do", what, folder]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def _done(what: str, folder: Path) -> dict[str, float]:
    """Seconds and the peak in bytes of one way."""
    wall, cpu = time.perf_counter(), time.process_time()
    steps = {"ours": _ours, "floor": _floor}[what](folder) if what != "bare" else {}
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        **steps,
    }


def _ours(folder: Path) -> dict[str, float]:
    now, start = datetime.now(UTC), time.perf_counter()
    export = crm.read("contacts.csv", base=folder, mapping={}, now=now, max_age_hours=None)
    read = time.perf_counter()
    listed = _snapshot(_pages(folder), now)
    paged = time.perf_counter()
    match.match(export, listed, {}, region="DE")
    done = time.perf_counter()
    return {"in export": read - start, "in pages": paged - read, "in matching": done - paged}


def _pages(folder: Path) -> list[dict[str, str | int]]:
    with (folder / "pages.json").open(encoding="utf-8") as lines:
        return [contact for line in lines for contact in json.loads(line)["value"]]


def _snapshot(listed: list[dict[str, str | int]], now: datetime) -> PbxSnapshot:
    names = listed[0].keys() - {"Id"}
    return PbxSnapshot(
        url="https://pbx.example.com",
        version="20.0.9.995",
        read_at=now,
        ids=tuple(int(c["Id"]) for c in listed),
        etags=("",) * len(listed),
        columns={name: tuple(str(c[name]) for c in listed) for name in names},
    )


def _floor(folder: Path) -> dict[str, float]:
    table = csv.read_csv(
        folder / "contacts.csv",
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(["Phone", "Mobile", "Email"], pa.string())
        ),
    )
    theirs = _keys([table["Phone"], table["Mobile"]], table["Email"])
    listed = _pages(folder)
    columns = {n: pa.array([c[n] for c in listed]) for n in ("Business", "PhoneNumber", "Email")}
    ours = _keys([columns["Business"], columns["PhoneNumber"]], columns["Email"])
    ours.merge(theirs, on="key")
    return {}


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
