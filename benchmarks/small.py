"""What is done often and has nothing to do: an ordinary night, `--help` and `--version`.

Each is compared with what it can't do without: the libraries of a night loaded, plus the time that
the PBX takes to answer; and click loaded.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
from pathlib import Path

import httpx
from books import aged
from sandboxed import sandbox
from taking import keep, machine, medians, process, ratio

NIGHT = 2.5
SHORT = 3.0
LATENCY = 0.02
RECORDS, CONTACTS = 2000, 1500
VARIABLE = "RECONCILE_3CX_SECRET"
LIBRARIES = "import pandas, sqlalchemy, httpx"


def main() -> None:
    """Print what a night and the shortest commands take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{machine()}, {options.rounds} rounds\n")
    found = {"night": _night(options.rounds)}
    for argument in ("--help", "--version"):
        pairs = [
            (reconcile(argument), process(sys.executable, "-c", "import click"))
            for _ in range(options.rounds)
        ]
        ours, click = medians(p[0] for p in pairs), medians(p[1] for p in pairs)
        found[argument] = ratio(
            f"reconcile {argument}", ours["process wall"], click["process wall"], at_most=SHORT
        )
    keep("small", found)


def reconcile(*arguments: str, codes: tuple[int, ...] = (0,)) -> dict[str, float]:
    """What one command takes."""
    command = str(Path(sys.executable).parent / "reconcile")
    return process(command, *arguments, codes=codes, **{VARIABLE: "sandbox-secret"})


def _night(rounds: int) -> dict[str, float | bool | None]:
    """The run of an office where everybody has matched the night before."""
    with tempfile.TemporaryDirectory() as folder:
        office, home = Path(folder), Path.cwd()
        export = office / "exports" / "contacts.csv"
        options = (f"--contacts={CONTACTS}", f"--export={export}", f"--with=latency={LATENCY}")
        with sandbox(*options) as url:
            os.chdir(office)
            try:
                _hire(export, RECORDS - CONTACTS)
                configured(export, url)
                reconcile("run")
                pairs = [_pair(export, url) for _ in range(rounds)]
            finally:
                os.chdir(home)
    ours = medians(p[0] for p in pairs)["process wall"]
    waits = medians(p[1] for p in pairs)["process wall"] + medians(p[2] for p in pairs)["waiting"]
    return ratio("an ordinary night", ours, waits, at_most=NIGHT)


def configured(export: Path, url: str) -> None:
    """The folder in which one stands, ready for its nights."""
    answers = {
        "mode": "auto",
        "source": "exports/*.csv",
        "region": "DE",
        "pbx-url": url,
        "client-id": "reconcile",
        "secret-env": VARIABLE,
        "delete-guard": "etag",
    }
    reconcile("init", *(f"--{name}={value}" for name, value in answers.items()))
    aged(export)


def _hire(export: Path, count: int) -> None:
    """So many more people, who are no contacts."""
    with export.open("a", encoding="utf-8", newline="") as file:
        rows = ([f"N{n}", "Nora", f"Neu{n}", "", f"n{n}@example.net", "", ""] for n in range(count))
        csv.writer(file).writerows(rows)


def _pair(export: Path, url: str) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """A night, the loading of its libraries, and how long its PBX let it wait."""
    export.write_bytes(export.read_bytes() + b"\n")  # another export with the same people
    aged(export)
    httpx.delete(f"{url}/sandbox/requests")
    night = reconcile("run")
    sent = httpx.get(f"{url}/sandbox/requests").json()["value"]
    return night, process(sys.executable, "-c", LIBRARIES), {"waiting": _waiting(len(sent))}


def _waiting(requests: int) -> float:
    """Two counts, the token, the first page and the version follow each other; the rest doesn't."""
    alone, lanes = 5, 4
    return LATENCY * (alone + max(0, requests - alone) / lanes)


if __name__ == "__main__":
    main()
