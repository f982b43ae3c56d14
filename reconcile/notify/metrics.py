"""What a monitoring system is told: a file for the textfile collector of Prometheus' node_exporter.

The file tells of the last run and of it alone; only when a run last succeeded is carried over from
the file before. What a run did not come by isn't in it. No name and no number of anybody is.
"""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconcile.errors import MissingExtra
from reconcile.notify.delivery import EXTRA
from reconcile.notify.ping import FINE
from reconcile.report import files

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from reconcile.report.model import Report

LAST_SUCCESS: Final = "reconcile_last_success_timestamp_seconds"
_READABLE: Final = 0o644
"""The collector runs as somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended; without a report, if there was none."""

    started: datetime
    finished: datetime
    exit_code: int
    report: Report | None = None

    @classmethod
    def of(cls, report: Report) -> Ended:
        """As the report says."""
        run = report.run
        return cls(
            started=run.started_at,
            finished=run.finished_at,
            exit_code=int(report.exit_code),
            report=report,
        )


def write(path: Path, ended: Ended) -> None:
    """Write the file, whole or not at all. Raises MissingExtra, and OSError if it can't be."""
    check_installed()
    content = _content(ended, _last_success(path))
    with files.whole(path) as file:
        os.fchmod(file.fileno(), _READABLE)
        file.write(content)


def check_installed() -> None:
    """Raise MissingExtra without the library of Prometheus."""
    if importlib.util.find_spec("prometheus_client") is None:
        raise MissingExtra("Writing metrics", EXTRA)


def _last_success(path: Path) -> float:
    """When a run last succeeded, as the file says that is there; 0 if it isn't known."""
    from prometheus_client.parser import text_string_to_metric_families

    try:
        families = list(text_string_to_metric_families(path.read_text("utf-8")))
    except (OSError, ValueError):
        return 0.0
    return next((s.value for f in families for s in f.samples if s.name == LAST_SUCCESS), 0.0)


def _content(ended: Ended, last_success: float) -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    report, finished = ended.report, ended.finished.timestamp()
    well = report is not None and report.status in FINE
    for name, what, value in (
        ("reconcile_last_run_timestamp_seconds", "When a run last ended, well or not.", finished),
        (LAST_SUCCESS, "When a run last ended well; 0: never.", finished if well else last_success),
        (
            "reconcile_last_run_duration_seconds",
            "How long the last run took.",
            (ended.finished - ended.started).total_seconds(),
        ),
        ("reconcile_last_run_exit_code", "Exit code of the last run.", float(ended.exit_code)),
    ):
        _gauge(registry, name, what).set(value)
    if report is not None:
        _of_report(registry, report)
    return generate_latest(registry)


def _of_report(registry: Any, report: Report) -> None:  # noqa: ANN401 - loaded where it is needed
    """What the last run read, judged, found and did."""
    if report.pbx is not None:
        _gauge(registry, "reconcile_pbx_contacts", "Contacts read of 3CX.").set(report.pbx.contacts)
    if report.source is not None:
        records = report.source.records
        _gauge(registry, "reconcile_crm_records", "Records read of the export.").set(records)
    if report.counts.pbx.get("read"):
        verdicts = _gauge(registry, "reconcile_contacts", "Contacts by verdict.", "verdict")
        for verdict, count in report.counts.pbx.items():
            if verdict != "read":
                verdicts.labels(verdict).set(count)
    findings = _gauge(registry, "reconcile_findings", "Findings.", "level", "code")
    for (level, code), count in Counter((f.level.value, f.code) for f in report.findings).items():
        findings.labels(level, code).set(count)
    outcomes = _gauge(registry, "reconcile_outcomes", "What became of deletes.", "outcome")
    for outcome, count in Counter(c.outcome for c in report.contacts if c.outcome).items():
        outcomes.labels(outcome.value).set(count)


def _gauge(registry: Any, name: str, what: str, *labels: str) -> Any:  # noqa: ANN401 - as above
    from prometheus_client import Gauge

    return Gauge(name, what, labels, registry=registry)
