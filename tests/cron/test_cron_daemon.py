"""A real cron daemon runs the line of cron/crontab, at the next full minute.

Its crontabs, its lock and everybody else's are mounted apart for this process and its children: a
daemon that runs on this machine, and whoever has a crontab on it, notice nothing. Where that is
forbidden, in a container, the crontab of its user is borrowed and given back.
"""

from __future__ import annotations

import stat
import subprocess
import time

import psutil
import pytest
from cron.apart import can_mount_apart

APART = """
mount --make-rprivate /
mount -t tmpfs none /run
mount -t tmpfs none /etc/cron.d
mount --bind /dev/null /etc/crontab
mount -t tmpfs -o mode=755 none /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
chgrp crontab /var/spool/cron/crontabs
crontab "$1"
exec cron -f
"""
"""Debian's cron knows one place for its spool and one for its pid file."""
BORROWED = """
crontab "$1"
exec cron -f
"""
PATIENCE = 150
"""Seconds: a minute until the daemon begins, and a run on a machine with much else to do."""


@pytest.fixture
def daemon():
    """Start the daemon with a crontab of one line; it ends with the test."""
    started, is_apart = [], can_mount_apart()
    listing = ["crontab", "-l"]
    own = subprocess.run(listing, capture_output=True, check=False)

    def start(line, folder):
        crontab = folder / "crontab"
        crontab.write_text(f"{line}\n", "utf-8")
        apart = ["unshare", "--mount"] if is_apart else []
        script = APART if is_apart else BORROWED
        command = [*apart, "sh", "-eu", "-c", script, "cron", str(crontab)]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return started[0]

    yield start
    for process in started:
        process.kill()
        process.communicate()
    if not is_apart:
        back = ["crontab", *(["-r"] if own.returncode else ["-"])]
        subprocess.run(back, input=own.stdout, check=True)


def wait_for(found, process):
    """Until it is so; the daemon must not end before."""
    latest = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < latest, "cron did nothing"
        try:
            process.wait(timeout=0.25)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"cron ended with {process.returncode}: {process.stderr.read()}")


def test_cron_runs_the_shipped_line(installed, cron, daemon, tmp_path):
    (leaver,) = installed.due()
    (line,) = [row for row in (cron / "crontab").read_text("utf-8").splitlines() if row[:1] != "#"]
    *when, command = line.split(maxsplit=5)
    assert when == ["30", "2", "*", "*", "*"]
    before = installed.report["run"]["id"]
    process = daemon(f"* * * * *  {installed.placed(command)}", tmp_path)
    wait_for(lambda: installed.report["run"]["id"] != before, process)
    wait_for(lambda: not psutil.Process(process.pid).children(), process)

    report = installed.report
    assert (report["run"]["command"], report["status"], report["exit_code"]) == (
        "run",
        "waiting",
        10,
    )
    (due,) = [c for c in report["contacts"] if c["verdict"] == "delete"]
    assert due["id"] == leaver["Id"]
    said = installed.log.read_text("utf-8")
    assert said.startswith("1 of 40 phone-system contacts would be deleted.")
    assert f"reconcile apply {report['digest'][:12]}" in said
    assert stat.S_IMODE(installed.log.stat().st_mode) == 0o600
    assert installed.server.book.get(leaver["Id"])
