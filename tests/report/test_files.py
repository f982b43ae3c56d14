"""Reports on disk."""

from __future__ import annotations

import os
import stat
from datetime import timedelta

import builders as b
import pytest

from reconcile.errors import StateError, UsageError
from reconcile.model import Exit, Status, Verdict
from reconcile.report import files
from reconcile.report.inert import json_text
from reconcile.report.model import (
    ChangePart,
    ContactPart,
    CountsPart,
    DriftPart,
    DuplicatePart,
    MissingPart,
    PreviousPart,
    Report,
    RunPart,
)

ODD = 'a\u202eb\n  "contacts": [\x9b\U000e0001 "changes": [],'
"""Looks like what stands between the rows of report.json, and holds what is escaped there."""


def report(run_id=3) -> Report:
    return Report(
        run=RunPart(
            id=run_id,
            command="plan",
            mode="review",
            started_at=b.NOW,
            finished_at=b.NOW,
            version="0",
        ),
        status=Status.CLEAN,
        exit_code=Exit.CONVERGED,
        digest="",
        approve_until=None,
        headline="Nothing to do.",
        source=None,
        pbx=None,
        counts=CountsPart(pbx={}, crm={}),
        findings=(),
        contacts=(),
    )


def test_a_report_is_written_privately_and_latest_leads_to_it(tmp_path):
    path = files.write(report(), tmp_path / "reports")
    assert path == tmp_path / "reports" / "run-000003" / "report.json"
    page = files.page(tmp_path / "reports", 3)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(page.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert files.read(tmp_path / "reports") == files.read(tmp_path / "reports", 3) == report()
    files.write(report(4), tmp_path / "reports")
    assert files.latest(tmp_path / "reports").run.id == 4
    assert sorted(p.name for p in (tmp_path / "reports").iterdir()) == [
        "latest",
        "run-000003",
        "run-000004",
    ]


def rows(count):
    """Every list of a report, so many rows long."""
    numbers = range(1, count + 1)
    changes = tuple(ChangePart(id=n, before="", now="review") for n in numbers)
    return {
        "headline": ODD,
        "contacts": tuple(
            ContactPart(id=n, verdict=Verdict.REVIEW, reason=ODD, numbers=("1", "2"))
            for n in numbers
        ),
        "drift": tuple(DriftPart(id=n, crm_id=ODD, field="x", crm="", pbx=ODD) for n in numbers),
        "missing": tuple(MissingPart(crm_id="", row=n, name=ODD, company="") for n in numbers),
        "duplicates": tuple(DuplicatePart(crm_id="", name="", ids=(n, n)) for n in numbers),
        "previous": PreviousPart(run=3, finished_at=b.NOW, changes=changes),
    }


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1000])
def test_a_report_written_in_pieces_is_the_same_as_in_one(tmp_path, count):
    whole = report().model_copy(update=rows(count))
    files.put(whole, tmp_path / "report.json")
    text = (tmp_path / "report.json").read_bytes().decode()
    assert text == whole.to_json()
    assert text == json_text(whole.model_dump_json(indent=2, by_alias=True)) + "\n"
    assert Report.model_validate_json(text) == whole


def test_no_piece_of_a_long_report_is_long():
    whole = report().model_copy(update=rows(5000))
    pieces = list(whole.json_pieces())
    assert 10 * max(map(len, pieces)) < sum(map(len, pieces))


def test_the_page_of_a_report_is_named_as_seen_from_here_if_there_is_one(tmp_path, monkeypatch):
    reports = tmp_path / "reports"
    assert files.page_of(report(), reports) == ""
    files.write(report(), reports)
    assert files.page_of(report(None), reports) == ""
    assert files.page_of(report(), reports) == str(reports / "run-000003" / "report.html")
    monkeypatch.chdir(tmp_path)
    assert files.page_of(report(), reports) == "reports/run-000003/report.html"
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert files.page_of(report(), reports) == str(reports / "run-000003" / "report.html")


def test_no_report_and_a_broken_report_are_explained(tmp_path):
    with pytest.raises(UsageError, match="no report of run 9"):
        files.read(tmp_path, 9)
    assert files.latest(tmp_path) is None
    path = files.write(report(), tmp_path)
    path.write_text("{}")
    with pytest.raises(UsageError, match="can't be read"):
        files.read(tmp_path, 3)


def test_a_folder_that_can_not_be_written_is_a_state_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="No report can be written"):
        files.check_writable(tmp_path / "file")
    with pytest.raises(StateError, match="No report can be written"):
        files.write(report(), tmp_path / "file")


def test_a_page_that_can_not_be_written_leaves_the_report_for_the_next_run(tmp_path):
    files.page(tmp_path, 3).mkdir(parents=True)
    with pytest.raises(StateError, match="No report can be written") as caught:
        files.write(report(), tmp_path)
    assert caught.value.consequence.endswith("only the page is missing.")
    assert files.latest(tmp_path) == report()


def test_a_name_that_is_taken_by_a_folder_leaves_nothing_half_written(tmp_path):
    (tmp_path / "run-000003" / "report.json").mkdir(parents=True)
    with pytest.raises(StateError):
        files.write(report(), tmp_path)
    assert [p.name for p in (tmp_path / "run-000003").iterdir()] == ["report.json"]


def test_old_reports_are_removed(tmp_path):
    old, new = files.write(report(1), tmp_path), files.write(report(2), tmp_path)
    os.utime(old, (0, 0))
    os.utime(new, (b.NOW.timestamp(), b.NOW.timestamp()))
    assert files.prune(tmp_path, before=b.NOW - timedelta(days=90)) == 1
    assert not old.exists()
    assert new.exists()


def test_the_last_report_that_came_to_a_plan_is_found_behind_stopped_nights(tmp_path):
    assert files.last_planned(tmp_path) is None
    planned = report(3).model_copy(update={"digest": "a" * 64})
    for found in (planned, report(4), report(5)):
        files.write(found, tmp_path)
    (files.path(tmp_path, 5)).write_text("{")
    assert files.last_planned(tmp_path) == planned
