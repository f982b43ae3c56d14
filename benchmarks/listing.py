"""Listing a large phonebook against what its latency allows: `make bench`.

The ideal is what the requests would take if nothing but the PBX's latency counted: pages x latency
/ lanes. Each reading runs in a process of its own, whose peak memory is compared with that of one
that only imports the client. A token must be asked for once, and each lane have one connection.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx
import psutil
from sandboxed import connection, sandbox
from taking import keep, machine, medians, ratio, script

from reconcile.pbx.client import PbxReader
from reconcile.pbx.odata import PAGE_SIZE

SHARE = 0.9
BYTES = 2500


def main() -> None:
    """Print seconds by latency and lanes, and bytes per contact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lanes", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--latency", type=float, nargs="+", default=[0.02, 0.1])
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(_read(options.read, options.lanes[0])))
        return
    print(f"{machine()}, {options.contacts:,} contacts, {options.rounds} rounds")
    bare = script(__file__, "--read=bare", "--lanes=1")["peak"]
    found = {}
    for latency in options.latency:
        with sandbox(f"--contacts={options.contacts}", f"--with=latency={latency}") as url:
            print(f"\n{latency * 1000:.0f} ms a request")
            for lanes in options.lanes:
                print(f"{lanes} lanes")
                rounds = [_round(url, lanes) for _ in range(options.rounds)]
                ideal = options.contacts / PAGE_SIZE * latency / lanes
                what = f"{latency * 1000:.0f} ms, {lanes} lanes"
                found[what] = _compared(rounds, ideal, options.contacts, bare)
    keep("listing", found)


def _compared(
    rounds: list[dict[str, float]], ideal: float, contacts: int, bare: float
) -> dict[str, Any]:
    if {r["contacts"] for r in rounds} != {contacts}:
        raise SystemExit("not every contact was listed")
    took = medians(rounds)
    each = (took["peak"] - bare) / contacts
    share = ratio("ideal to ours", ideal, took["seconds"], at_least=SHARE)
    print(f"  {took['requests']:.0f} requests, {each:,.0f} bytes per contact at the peak")
    return {**share, "requests": took["requests"], "bytes each": each}


def _round(url: str, lanes: int) -> dict[str, float]:
    """One reading, and what the server saw of it."""
    httpx.delete(f"{url}/sandbox/requests")
    read = script(__file__, f"--read={url}", f"--lanes={lanes}")
    seen = httpx.get(f"{url}/sandbox/requests", timeout=60).json()["value"]
    paths = Counter(request["path"] for request in seen)
    if paths["/connect/token"] != 1 or read["connections"] > lanes:
        raise SystemExit(f"{paths['/connect/token']} tokens, {read['connections']} connections")
    return {**read, "requests": float(sum(paths.values()))}


def _read(url: str, lanes: int) -> dict[str, float]:
    """Seconds until all contacts are there, how many, connections, and this process' peak bytes."""
    seconds, contacts, connections = 0.0, 0, 0
    if url != "bare":
        started = time.perf_counter()
        with PbxReader(connection(url, concurrency=lanes)) as reader:
            snapshot = reader.snapshot(now=datetime.now(UTC))
            seconds, contacts = time.perf_counter() - started, len(snapshot)
            connections = len(psutil.Process().net_connections("tcp"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "contacts": contacts, "connections": connections, "peak": peak}


if __name__ == "__main__":
    main()
