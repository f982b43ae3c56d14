"""The deployment texts in cron/: each says a command line that exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from reconcile.cli.commands import group

CRON = Path(__file__).parents[2] / "cron"


def parses(words: list[str]) -> bool:
    """Whether a command line, without its program, is one of ours."""
    command = group.commands[words[0]]
    return isinstance(command, click.Command) and bool(command.make_context(words[0], words[1:]))


def command_of(line: str) -> list[str]:
    return shlex.split(line[line.index("reconcile run") :].partition(" >>")[0])[1:]


def test_the_crontab_line_runs_a_command_of_ours():
    (line,) = [
        row for row in (CRON / "crontab").read_text("utf-8").splitlines() if row[:1].isdigit()
    ]
    assert len(line.split(maxsplit=5)) == 6
    assert parses(command_of(line))


@pytest.fixture
def units(tmp_path) -> Path:
    """The units as installed in another folder, where the program really is."""
    program = tmp_path / ".venv" / "bin" / "reconcile"
    program.parent.mkdir(parents=True)
    program.symlink_to(Path(sys.executable).with_name("reconcile"))
    (tmp_path / "secret.env").touch()
    for name in ("reconcile.service", "reconcile.timer"):
        text = (CRON / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("/opt/reconcile", str(tmp_path)))
    return tmp_path


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_systemds_own_verifier_has_nothing_to_say(units):
    done = analyze("verify", "--man=no", units / "reconcile.service", units / "reconcile.timer")
    ours = [line for line in done.stderr.splitlines() if "reconcile" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_service_is_hardened(units):
    """The exposure that systemd computes, of at most 10.0, stays under 3.0."""
    done = analyze(
        "security", "--offline=yes", "--threshold=30", "--no-pager", units / "reconcile.service"
    )
    assert done.returncode == 0, done.stdout


def test_the_service_runs_a_command_of_ours_and_waits_for_the_contact_in_hand():
    text = (CRON / "reconcile.service").read_text("utf-8")
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert parses(command_of(line))
    assert "SuccessExitStatus=10" in text
    assert "TimeoutStopSec=180" in text
