"""A whole dry run against the sandbox, split by step: `make bench`.

The sandbox runs in a process of its own, so that its work is not counted as ours. Seconds, medians
of the rounds; compare them with each other on one machine, not with another one's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

from sandboxed import connection, sandbox

from reconcile import crm
from reconcile.core import guards, match, plan
from reconcile.model import DeleteGuard, LedgerView, Plan
from reconcile.pbx.client import PbxReader
from reconcile.report import build
from reconcile.report.build import Result

RULES = plan.Rules(
    contact_types=frozenset({"3CX"}),
    protection=plan.Protection(),
    owner_tag="",
    grace_exports=2,
    grace_hours=20,
    region="DE",
)
LIMITS = guards.Limits(
    max_deletes=20,
    max_delete_percent=2.0,
    max_weekly_percent=5.0,
    max_shrink_percent=2.0,
    min_matched_percent=95.0,
)


def main() -> None:
    """Print the steps of a dry run and their medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "contacts.csv"
        with sandbox(f"--contacts={options.contacts}", f"--export={export}") as url:
            rounds = [dict(_round(export, url, options)) for _ in range(options.rounds)]
    print(f"{options.contacts:,} contacts, {os.cpu_count()} cores, {options.rounds} rounds")
    for step in rounds[0]:
        print(f"{step:<22} {statistics.median(r[step] for r in rounds):6.2f} s")
    print(f"{'whole':<22} {statistics.median(sum(r.values()) for r in rounds):6.2f} s")


def _round(export: Path, url: str, options: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """(step, seconds) of one dry run."""
    now = datetime.now(UTC)
    clock = time.perf_counter()

    def lap(step: str) -> tuple[str, float]:
        nonlocal clock
        before, clock = clock, time.perf_counter()
        return step, clock - before

    snapshot = crm.read(str(export), base=Path(), mapping={}, now=now, max_age_hours=None)
    yield lap("read the export")
    with PbxReader(connection(url, concurrency=options.concurrency)) as reader:
        listed = reader.snapshot(now=now)
    yield lap("list 3CX")
    matching = match.match(snapshot, listed, {}, region="DE")
    yield lap("normalise and match")
    decisions = plan.build(
        listed, matching, claims={}, rules=RULES, text=snapshot.text, counts=True, now=now
    )
    plan.claim_changes(listed, matching, decisions, claims={}, rules=RULES, now=now)
    made = Plan(
        pbx_url=url,
        immediate=False,
        rules=plan.rules_fingerprint(snapshot.source, RULES),
        state_id="",
        source_sha256=snapshot.source.sha256,
        guard=DeleteGuard.ETAG,
        decisions=decisions,
        matched=len(listed) - len(decisions),
    )
    findings = guards.evaluate(
        guards.Facts(
            source=snapshot.source,
            pbx=listed,
            matching=matching,
            decisions=decisions,
            ledger=LedgerView(),
            limits=LIMITS,
            rules=made.rules,
            delete_guard=DeleteGuard.ETAG,
            probe=None,
        )
    )
    yield lap("plan and guards")
    result = Result(
        run_id=None,
        command="plan",
        mode="review",
        started_at=now,
        finished_at=now,
        version="",
        delete_guard=DeleteGuard.ETAG,
        findings=findings,
        crm=snapshot,
        pbx=listed,
        matching=matching,
        plan=made,
    )
    build.build(result, previous=None, masked=False).to_json()
    yield lap("report")


if __name__ == "__main__":
    main()
