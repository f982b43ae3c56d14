"""Nights of several jobs: whatever becomes of one, the others are as if they were alone."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import unquote

from reconcile import run
from reconcile.model import Exit
from reconcile.planning import Request
from reconcile.report import files
from reconcile.report.fleet import FleetReport

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


class Page(HTMLParser):
    """Links, and which attributes could act."""

    def __init__(self):
        super().__init__()
        self.links = []
        self.policy = ""
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        said = dict(attrs)
        if tag == "a":
            self.links.append(said["href"])
        if said.get("http-equiv") == "Content-Security-Policy":
            self.policy = said["content"]


def verdicts(report):
    """All of them; the moment since when somebody is absent is that of the run."""
    return {c.id: (c.verdict, _MOMENT.sub("", c.reason)) for c in report.contacts}


def latest(jobs, name):
    return files.read(jobs.folder / name / "reports")


def test_what_becomes_of_one_job_touches_no_other(jobs):
    for name in ("fine", "slow", "blocked", "down", "killed"):
        jobs.add(name, seed=len(name))
    alone = {
        name: run.plan_once(jobs.config(name), jobs.world(), Request(command="plan", record=False))
        for name in ("fine", "slow")
    }
    leavers = {name: jobs.leaver(name)["Id"] for name in jobs.servers}
    (jobs.folder / "blocked" / "exports" / "contacts.csv").write_bytes(b"")
    jobs.servers["down"].stop()
    others = ("fine", "blocked", "down", "killed")
    jobs.servers["slow"].hook(
        lambda: [jobs.seen.end_of(name).wait(30) for name in others],
        path_prefix="/xapi/v1/Contacts",
    )
    jobs.servers["killed"].hook(
        lambda: jobs.process("killed").kill(),
        method="DELETE",
        path_prefix=f"/xapi/v1/Contacts({leavers['killed']})",
    )
    report = jobs.run(at_once=5)
    lines = jobs.lines(report)
    assert [(j.name, j.status, j.exit_code) for j in report.jobs] == [
        ("killed", "killed", 1),
        ("down", "blocked", 6),
        ("blocked", "blocked", 3),
        ("fine", "applied", 0),
        ("slow", "applied", 0),
    ]
    assert report.exit_code == Exit.BUG
    assert report.headline == "5 jobs: 1 killed, 2 blocked, 2 applied."
    assert "SIGKILL" in lines["killed"].headline
    assert f"reconcile --config {jobs.path('killed')} run" in lines["killed"].next
    assert jobs.seen.lines[-1] == ("slow", "ended 0")
    assert any(name == "fine" and "listing 3CX" in line for name, line in jobs.seen.lines)
    for name, before in alone.items():
        assert verdicts(latest(jobs, name)) == verdicts(before)
        assert latest(jobs, name).counts == before.counts
        assert jobs.servers[name].book.get(leavers[name]) is None
        assert (lines[name].deletes, lines[name].deleted) == (1, 1)
    assert jobs.servers["blocked"].book.get(leavers["blocked"]) is not None
    check_files(jobs, report)
    resume_after_it(jobs, leavers["killed"])


def check_files(jobs, report):
    """What was written, and where its links lead."""
    directory = jobs.folder / "fleet"
    text = (directory / "report.html").read_text("utf-8")
    assert FleetReport.model_validate_json((directory / "report.json").read_bytes()) == report
    assert json.loads((directory / "report.json").read_text())["schema"] == "reconcile-fleet/1"
    page = Page()
    page.feed(text)
    assert "script" not in page.tags
    assert page.policy.startswith("default-src 'none'; style-src 'sha256-")
    assert len(page.links) == 4
    assert page.links == [job.page for job in report.jobs if job.page]
    assert page.links[0].startswith("../down/reports/run-")
    for link in page.links:
        assert (directory / unquote(link)).is_file()
    assert {f.stat().st_mode & 0o777 for f in directory.iterdir()} == {0o600}
    assert (jobs.folder / "fine").stat().st_mode & 0o777 == 0o700


def resume_after_it(jobs, leaver):
    """Only the killed one has not had its slot; the others stand there as they ended."""
    jobs.seen.lines.clear()
    (jobs.folder / "slow" / "reports" / "latest" / files.NAME).unlink()
    report = jobs.run(resume=True)
    assert {name for name, line in jobs.seen.lines if line == "began"} == {"killed"}
    lines = jobs.lines(report)
    assert lines["killed"].exit_code in {Exit.CONVERGED, Exit.PBX}
    assert jobs.servers["killed"].book.get(leaver) is None
    assert (lines["down"].exit_code, lines["down"].seconds) == (Exit.PBX, None)
    assert (lines["fine"].deleted, lines["fine"].page != "") == (1, True)
    assert (lines["slow"].status, lines["slow"].deleted) == ("applied", 0)
    assert report.exit_code == Exit.PBX


def test_a_slot_that_was_had_meanwhile_is_told_by_the_job_itself(jobs):
    """The clock of this process is a day ahead: only the job knows that its slot was had."""
    server = jobs.add("acme")
    assert run.run_once(jobs.config("acme"), jobs.world()).exit_code == Exit.CONVERGED
    asked = len(server.requests)
    jobs.ahead = timedelta(days=1)
    report = jobs.run(resume=True)
    assert ("acme", "began") in jobs.seen.lines
    [line] = report.jobs
    assert (line.run, line.status, line.deleted, line.seconds) == (2, "applied", 1, None)
    assert len(server.requests) == asked
