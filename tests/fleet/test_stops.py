"""Signals and time limits; the real command, and what it prints."""

from __future__ import annotations

import os
import pty
import signal
from contextlib import contextmanager
from datetime import timedelta

import pytest
import warm
from canaries import SECRET
from fleet.conftest import ROOT

from reconcile.model import Exit, Status
from reconcile.report.fleet import FleetReport


@contextmanager
def typed(jobs, *args, stderr=None):
    with warm.start(
        "run", "--all", "jobs.d", *args, cwd=jobs.folder.parent, env=jobs.environ(), stderr=stderr
    ) as process:
        yield process


def done(jobs, *args):
    with typed(jobs, *args) as process:
        out, err = process.communicate(timeout=60)
    assert "Traceback" not in out + err
    return process.returncode, out, err


def shown_on(terminal):
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # nobody writes to it any more
            return shown.decode()
        shown += part


def test_a_signal_lets_the_job_under_way_finish_and_begins_no_other(jobs):
    for name in ("acme", "beta"):
        jobs.add(name)
    seen, written = pty.openpty()
    leaver = jobs.leaver("acme")["Id"]
    with typed(jobs, "--jobs", "1", "--json", stderr=written) as process:
        jobs.servers["acme"].hook(
            lambda: process.send_signal(signal.SIGINT),
            method="DELETE",
            path_prefix=f"/xapi/v1/Contacts({leaver})",
        )
        shown = shown_on(seen)
        out, _ = process.communicate(timeout=60)
    os.close(seen)
    report = FleetReport.model_validate_json(out)
    lines = jobs.lines(report)
    assert (process.returncode, report.exit_code) == (130, Exit.INTERRUPTED)
    assert lines["acme"].deleted == 1
    assert jobs.servers["acme"].book.get(leaver) is None
    assert (lines["beta"].status, lines["beta"].exit_code) == ("not_begun", Exit.INTERRUPTED)
    assert jobs.servers["beta"].requests == ()
    assert "Stopping when what is in hand is finished" in shown
    assert "acme: begun" in shown
    assert "acme: listing 3CX" in shown


def test_a_job_that_hangs_holds_up_nobody_and_is_ended_after_its_time(jobs):
    server = jobs.add("acme")

    def hang():
        jobs.tick = timedelta(minutes=30)
        jobs.seen.end_of("acme").wait(30)

    server.hook(hang, path_prefix="/xapi/v1/Contacts")
    report = jobs.run(limit=timedelta(minutes=90))
    (line,) = report.jobs
    assert (line.status, line.exit_code) == ("killed", Exit.BUG)
    assert line.headline.startswith("Stopped, as it took more than 90 minutes. Its process was")
    assert any("Stopping when what is in hand" in said for _, said in jobs.seen.lines)


@pytest.mark.parametrize(
    ("more", "headline", "code"),
    [
        ({"TOO_LONG": "x" * 200_000}, "Its process can't be started: Argument list too long.", 1),
        ({"PYTHONHOME": "/nowhere"}, "It ended with 1, without a report.", 1),
    ],
)
def test_a_process_that_comes_to_nothing_is_a_line_of_the_report(jobs, more, headline, code):
    jobs.write("acme", url="https://a.example.com")
    jobs.more = more
    (line,) = jobs.run().jobs
    assert (line.status, line.headline, line.exit_code) == ("failed", headline, code)


def test_a_signal_that_meets_a_job_on_its_way_out_changes_nothing(jobs, tmp_path):
    """All was done and told; it must not be called undone."""
    jobs.add("acme")
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os, signal\n"
        "def struck():\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "atexit.register(struck)\n"
    )
    jobs.more = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    (line,) = jobs.run().jobs
    assert (line.status, line.exit_code, line.deleted) == (Status.APPLIED, Exit.CONVERGED, 1)


def test_a_job_that_is_stopped_before_it_listens_did_nothing(jobs):
    jobs.write("acme", url="https://a.example.com")
    jobs.seen.at_begin = lambda: jobs.process("acme").terminate()
    (line,) = jobs.run().jobs
    assert (line.status, line.exit_code) == ("interrupted", Exit.TERMINATED)
    assert line.headline == "Stopped before it did anything."


def test_a_job_sees_no_secret_of_another(jobs):
    jobs.write("acme", url="https://a.example.com", more='[notify]\nurls_env = "BOTH"')
    jobs.write("beta", url="https://b.example.com", more='[notify]\nurls_env = "BOTH"')
    jobs.more = {"SECRET_ACME": SECRET, "SECRET_BETA": SECRET, "BOTH": ""}
    seen = []

    def look():
        seen.extend(jobs.process("acme").environ())
        jobs.process("acme").terminate()

    jobs.seen.at_begin = look
    jobs.run(only=("acme",))
    assert {"SECRET_ACME", "BOTH"} <= set(seen)
    assert "SECRET_BETA" not in seen


def test_what_a_process_says_last_may_end_in_the_middle(jobs, tmp_path):
    """Another program of our name, as nothing of ours breaks off where a test wants it to."""
    program = tmp_path / "other" / "reconcile" / "__main__.py"
    program.parent.mkdir(parents=True)
    program.write_text(
        "import sys; sys.stderr.write('reconcile: so.\\n\\x1e[\"list'); sys.exit(77)"
    )
    jobs.write("acme", url="https://a.example.com")
    jobs.more = {"PYTHONPATH": str(tmp_path / "other")}
    (line,) = jobs.run().jobs
    assert (line.status, line.exit_code, line.headline) == ("failed", Exit.BUG, "so.")
    assert jobs.seen.lines == [("acme", "began"), ("acme", "reconcile: so."), ("acme", "ended 1")]


def test_a_second_signal_ends_the_jobs_at_once(jobs):
    server = jobs.add("acme")
    with typed(jobs) as process:

        def interrupt():
            process.send_signal(signal.SIGINT)
            while not any("Stopping" in line for line in process.stderr):
                pass
            process.send_signal(signal.SIGINT)

        server.hook(interrupt, path_prefix="/xapi/v1/Contacts")
        process.wait(60)
    assert process.returncode == 130


def test_a_quiet_fleet_speaks_of_what_is_not_ordinary(jobs):
    server = jobs.add("acme")
    (jobs.folder / "acme" / "state" / "reconcile.db").unlink()
    jobs.add("beta")
    jobs.export("beta")
    code, out, err = done(jobs, "--quiet", "--limit", "5", "--report", "night", "--resume")
    assert code == Exit.STATE
    assert "acme: exit 8" in err
    assert "begun" not in err
    assert "beta" not in err
    assert "Next: reconcile" in out
    assert f"To read, with links to each: {jobs.folder.parent}/night/report.html" in out
    assert "One job alone, such as the first: reconcile --config jobs.d/acme.toml report" in out
    assert server.requests == ()
    again = ("--resume", "--only", "beta")
    code, out, err = done(jobs, *again)
    assert (code, err) == (0, "beta: exit 0: Nothing to delete among 12 phone-system contacts.\n")
    assert "before" in out
    assert done(jobs, *again, "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["run", "--slot", "2026-11-24T02:30Z"], "says which slot --resume is about"),
        (["run", "--all", "jobs.d", "--resume", "--slot", "2026-11-24T02:30Z"], "is for one job"),
        (["run", "--jobs", "2", "--only", "x"], "--on are for --all"),
        (["run", "--all", "jobs.d", "--full"], "are for one job"),
        (["--trace", "t.jsonl", "run", "--all", "jobs.d"], "are for one job"),
        (["run", "--all", "nowhere"], "nowhere is no folder of jobs"),
    ],
)
def test_options_that_make_no_sense_are_refused(jobs, args, said):
    with warm.start(*args, cwd=jobs.folder.parent, env=jobs.environ()) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == Exit.USAGE
    assert said in err


def test_a_refused_job_is_told_in_full_and_the_folder_of_the_report_must_be_writable(jobs):
    jobs.write("acme", url="https://a.example.com", more="[policy]\nmax_deletes = -1")
    code, _, err = done(jobs)
    assert code == Exit.USAGE
    assert 'acme:   acme.toml, column "policy.max_deletes"' in err
    (jobs.folder.parent / "file").touch()
    assert done(jobs, "--report", "file")[0] == Exit.STATE
