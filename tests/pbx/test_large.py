"""A very large phonebook: complete, and in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from amounts import amount

from reconcile.sandbox import Book, SandboxServer, Switches

BENCHMARK = Path(__file__).parent.parent.parent / "benchmarks" / "listing.py"
CONTACTS = amount(check=20_000, prove=100_000)
MAX_BYTES = 2500
"""Per contact, at the peak of the process."""


def measured(url: str) -> dict[str, float]:
    """What a process of its own, which lists the PBX in four lanes, says of itself."""
    command = [sys.executable, str(BENCHMARK), f"--read={url}", "--lanes=4"]
    done = subprocess.run(command, check=True, capture_output=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("skip_orderby", ["accepted", "refused"])
def test_very_many_contacts_are_listed_completely_in_bounded_memory(
    skip_orderby: str,
) -> None:
    switches = Switches.parse({"skip_orderby": skip_orderby})
    with SandboxServer(Book.seeded(CONTACTS), switches=switches) as server:
        read = measured(server.url)
        pages = len(server.requests)
    assert read["contacts"] == CONTACTS
    assert pages < CONTACTS / 99 + 10
    assert (read["peak"] - measured("bare")["peak"]) / CONTACTS < MAX_BYTES
