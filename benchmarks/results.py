"""From `results/*.json`, which each benchmark leaves, to `RESULTS.md`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taking import RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLES = {
    "dry_run": "A whole dry run against the floor of the same work",
    "against_peers": "Against what people write themselves",
    "listing": "Listing 100,000 contacts: the ideal to ours",
    "deleting": "500 guarded deletes: the ideal to ours",
    "report": "The files of a report with 20,000 rows",
    "small": "Small and often",
    "fleet": "A night of many phone systems, 16 jobs at once",
}
ASKED = {
    "dry_run": "ours and the floor, in seconds; of memory the bytes, ours and allowed",
    "against_peers": "processor seconds, plain pandas and ours, or the floor; by the clock, ours"
    " and the script",
    "listing": "seconds that the latency alone would take, and ours",
    "deleting": "seconds that the latency alone would take, and ours",
    "report": "processor seconds of the page and of its run; bytes, memory at most and the text",
    "small": "seconds, ours and what it is compared with",
    "fleet": "seconds of the whole night, and those that the jobs' own waiting, or the processors"
    " of the machine (which the sandboxes share), would take if nothing else counted",
}
HEAD = """# What the benchmarks measured

Written by `make bench`. Every row is a ratio of two things taken in turn in one run, as medians of
the rounds, so that it holds on a noisy machine; the seconds hold for the named machine only.
"""
MISSES = Path(__file__).parent / "MISSES.md"
"""Which budgets are missed, and why: written by hand."""


def main() -> None:
    """Write the table of all results that there are."""
    parts = [HEAD, *(_part(name) for name in TITLES if (RESULTS / f"{name}.json").exists())]
    (Path(__file__).parent / "RESULTS.md").write_text("\n".join([*parts, *_why()]), "utf-8")


def _part(name: str) -> str:
    document = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    lines = [
        f"## {TITLES[name]}",
        "",
        f"{document['taken']}, {document['machine']}. Columns: {ASKED[name]}.",
        "",
        "| what | | | ratio | budget | |",
        "|---|---:|---:|---:|---|---|",
        *_rows("", document["found"]),
    ]
    return "\n".join([*lines, *_steps(document["found"]), *_noted(document["found"]), ""])


def _rows(above: str, found: dict[str, Any]) -> Iterator[str]:
    for name, value in found.items():
        if not isinstance(value, dict):
            continue
        if "ratio" not in value:
            yield from _rows(f"{above}{name}, ", value)
            continue
        budget = " ".join(f"{k} {value[k]:g}" for k in ("at most", "at least") if k in value)
        kept = {True: "kept", False: "**missed**", None: "noted"}[value["kept"]]
        numbers = f"{value['ours']:,.3f} | {value['other']:,.3f} | {value['ratio']:.2f}"
        yield f"| {above}{name} | {numbers} | {budget} | {kept} |"


def _steps(found: dict[str, Any]) -> Iterator[str]:
    """What each step of a dry run took, and which functions most of it."""
    for size, value in found.items():
        if isinstance(value, dict) and "steps" in value:
            steps = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in value["steps"].items())
            yield f"\n{size}: {steps}. Most in: {', '.join(value['most in'])}."


def _noted(found: dict[str, Any]) -> Iterator[str]:
    """Of a night of many jobs, what has no ratio."""
    for what, value in found.items():
        if isinstance(value, dict) and "phone systems" in found:
            systems, contacts = found["phone systems"], found["contacts of each"]
            megabytes = value["bytes at most"] / 2**20
            alone, processor = value["seconds alone"], value["seconds of a processor alone"]
            yield (
                f"\n{what}, {systems} phone systems with {contacts:,} contacts:"
                f" {value['requests']:,} requests, {megabytes:,.0f} MB of memory at most. A job"
                f" alone takes {alone:.2f} s, {processor:.2f} s of them a processor's."
            )


def _why() -> list[str]:
    return [MISSES.read_text("utf-8")] if MISSES.exists() else []


if __name__ == "__main__":
    main()
