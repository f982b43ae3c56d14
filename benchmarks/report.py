"""What a run spends on the files of a report that shows 20,000 rows: `make bench`.

Nearly nobody in the phonebook is in the export, so that nearly every contact stands in the report.
The page must take a small part of the run that it reports; report.json must be written a piece at
a time, so that memory holds a part of its text only. Each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import tracemalloc
from pathlib import Path

import pandas as pd
import recorded
from books import aged
from sampling import sampled
from taking import keep, machine, medians, ratio, script

from reconcile import planning
from reconcile.planning import Request
from reconcile.report import files
from reconcile.report.model import Report

SHARE = 0.2
MEMORY = 0.5
KNOWN = 100
"""One contact in so many is in the export."""
REPORT = "planned.json"
STEPS = {
    "page": "reconcile.report.files.put_page",
    "json": "reconcile.report.files.put",
    "evidence": "reconcile.report.evidence.write",
}


def main() -> None:
    """Print the page's share of the run, and the memory that writing JSON takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=20_500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--do", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        what, folder = options.do
        done = {"run": _run, "json": _written}[what](Path(folder))
        print(json.dumps(done))
        return
    print(f"{machine()}, {options.contacts:,} contacts, {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder), options.contacts)
        runs = [script(__file__, "--do", "run", folder) for _ in range(options.rounds)]
        written = script(__file__, "--do", "json", folder)
    run = medians(runs)
    print(f"\n{run['rows']:,.0f} rows are shown")
    found = {
        "page": ratio("page to run, seconds", run["page"], run["whole"], at_most=SHARE),
        "json": ratio("memory to text, bytes", written["peak"], written["size"], at_most=MEMORY),
    }
    print("  " + ", ".join(f"{step} {run[step]:.2f} s" for step in STEPS))
    keep("report", found)


def _prepare(folder: Path, count: int) -> None:
    recorded.write(folder, count, count)
    export = folder / recorded.EXPORT
    pd.read_csv(export, dtype=str).iloc[::KNOWN].to_csv(export, index=False)
    aged(export)


def _run(folder: Path) -> dict[str, float]:
    """Processor seconds of a run as `reconcile plan` makes it, and of its report's files."""
    request, started = Request(command="plan"), time.process_time()
    with tempfile.TemporaryDirectory(dir=folder) as office, sampled() as samples:
        for name in (recorded.EXPORT, recorded.PAGES, recorded.PLACES):
            (Path(office) / name).hardlink_to(folder / name)
        with recorded.opened(Path(office)) as session:
            planned = planning.make(session, request)
            planning.remember(session, planned, approved=False)
            report = planning.close(session, planned.result, request)
    whole = time.process_time() - started
    if not report.digest:
        raise SystemExit(f"{report.headline} {report.findings}")
    files.put(report, folder / REPORT)
    steps = {step: samples.below(name) for step, name in STEPS.items()}
    return {"whole": whole, "rows": float(len(report.contacts)), **steps}


def _written(folder: Path) -> dict[str, float]:
    """How many bytes Python holds at most while it writes report.json, and how long that is."""
    report = Report.model_validate_json((folder / REPORT).read_bytes())
    tracemalloc.start()
    files.put(report, folder / files.NAME)
    peak = float(tracemalloc.get_traced_memory()[1])
    return {"peak": peak, "size": float((folder / files.NAME).stat().st_size)}


if __name__ == "__main__":
    main()
