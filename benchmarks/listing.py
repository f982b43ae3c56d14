"""Listing a large phonebook: `make bench`. What a lane more brings, and what a contact costs.

Each reading runs in a process of its own, whose peak memory is compared with that of one that only
imports the client. Seconds, medians of the rounds, taken in turn; compare them with each other.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime

from sandboxed import connection, sandbox

from reconcile.pbx.client import PbxReader


def main() -> None:
    """Print seconds by lanes, at each latency, and bytes per contact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lanes", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.02])
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(_read(options.read, options.lanes[0])))
        return
    print(f"{options.contacts:,} contacts, {os.cpu_count()} cores, {options.rounds} rounds")
    bare = _measured("bare", 1)["peak"]
    for latency in options.latency:
        with sandbox(f"--contacts={options.contacts}", f"--with=latency={latency}") as url:
            _report(url, latency, options, bare)


def _report(url: str, latency: float, options: argparse.Namespace, bare: float) -> None:
    rounds = [[_measured(url, n) for n in options.lanes] for _ in range(options.rounds)]
    slowest = 0.0
    for at, lanes in enumerate(options.lanes):
        seconds = statistics.median(r[at]["seconds"] for r in rounds)
        slowest = slowest or seconds
        peak = max(r[at]["peak"] for r in rounds)
        if {r[at]["contacts"] for r in rounds} != {options.contacts}:
            raise SystemExit("not every contact was listed")
        print(
            f"latency {latency * 1000:3.0f} ms, lanes {lanes:2}: {seconds:6.2f} s,"
            f" {slowest / seconds:4.1f} x the first,"
            f" {(peak - bare) / options.contacts:6.0f} bytes per contact at the peak"
        )


def _measured(url: str, lanes: int) -> dict[str, float]:
    command = [sys.executable, __file__, f"--read={url}", f"--lanes={lanes}"]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def _read(url: str, lanes: int) -> dict[str, float]:
    """Seconds, contacts, and the peak of this process in bytes."""
    started, contacts = time.perf_counter(), 0
    if url != "bare":
        with PbxReader(connection(url, concurrency=lanes)) as reader:
            contacts = len(reader.snapshot(now=datetime.now(UTC)))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "contacts": contacts, "peak": peak}


if __name__ == "__main__":
    main()
