"""systemd: its own verifier and calendar read the units; the command lines in them are executed.

Not executed: the manager itself, which wants to be the first process of a machine.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

CRON = Path(__file__).parents[2] / "cron"
UNITS = ("reconcile.service", "reconcile-failed@.service", "reconcile.timer")


@pytest.fixture
def units(tmp_path) -> Path:
    """The units as installed in another folder, where the program really is."""
    program = tmp_path / ".venv" / "bin" / "reconcile"
    program.parent.mkdir(parents=True)
    program.symlink_to(Path(sys.executable).with_name("reconcile"))
    (tmp_path / "secret.env").touch()
    for name in UNITS:
        text = (CRON / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("/opt/reconcile", str(tmp_path)))
    return tmp_path


def analyze(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )


def values(unit: str, key: str) -> list[str]:
    """What a unit says of a key, each time that it does."""
    return re.findall(rf"^{key}=(.*)$", (CRON / unit).read_text("utf-8"), re.MULTILINE)


# ---------------------------------------------------------------------------- the units


def test_systemds_own_verifier_has_nothing_to_say(units):
    done = analyze("verify", "--man=no", *(units / name for name in UNITS))
    ours = [line for line in done.stderr.splitlines() if "reconcile" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_verifier_knows_what_is_wrong(units):
    text = (units / "reconcile-failed@.service").read_text("utf-8")
    (units / "reconcile-failed@.service").write_text(text.replace("ExecStart=", "ExecStrat="))
    assert "ExecStrat" in analyze("verify", "--man=no", units / "reconcile-failed@.service").stderr


def test_the_service_is_hardened(units):
    """The exposure that systemd computes, of at most 10.0, stays under 3.0."""
    done = analyze(
        "security", "--offline=yes", "--threshold=30", "--no-pager", units / "reconcile.service"
    )
    assert done.returncode == 0, done.stdout


def test_stopping_the_service_waits_for_the_contact_in_hand():
    assert values("reconcile.service", "TimeoutStopSec") == ["180"]


@pytest.mark.parametrize(
    ("zone", "before"),
    [
        ("Europe/Berlin", "2026-03-28 12:00:00"),
        ("Europe/Helsinki", "2026-03-28 12:00:00"),
        ("Europe/London", "2026-10-24 12:00:00"),
        ("America/New_York", "2026-03-07 12:00:00"),
        ("America/New_York", "2026-10-31 12:00:00"),
        ("Australia/Lord_Howe", "2026-10-03 12:00:00"),
    ],
)
def test_each_night_comes_once_when_the_clock_changes(zone, before):
    """A time that no clock shows is left out by systemd; 02:30 would lose a night a year."""
    (when,) = values("reconcile.timer", "OnCalendar")
    done = analyze("calendar", f"--base-time={before}", "--iterations=3", when, TZ=zone)
    shown = re.findall(r"(?:Next elapse|Iter\. #\d): \w+ (\S+ \S+) ", done.stdout)
    nights = [datetime.fromisoformat(text) for text in shown]
    assert len(nights) == 3, done.stdout
    first = datetime.fromisoformat(before).date().toordinal() + 1
    assert [n.date().toordinal() for n in nights] == [first, first + 1, first + 2]


# ---------------------------------------------------------------------------- their lines


def test_the_services_line_is_a_night_and_its_code_is_success(installed):
    installed.due()
    (line,) = values("reconcile.service", "ExecStart")
    done = installed.run(*shlex.split(installed.placed(line)))
    assert values("reconcile.service", "SuccessExitStatus") == [str(done.returncode)]
    assert (done.returncode, installed.report["exit_code"]) == (10, 10)


def test_a_night_that_fails_has_another_code(installed):
    (installed.folder / "exports" / "contacts.csv").write_text("")
    (line,) = values("reconcile.service", "ExecStart")
    done = installed.run(*shlex.split(installed.placed(line)))
    assert done.returncode == 3
    assert str(done.returncode) not in values("reconcile.service", "SuccessExitStatus")


# ---------------------------------------------------------------------------- who is told


@pytest.fixture
def told(tmp_path):
    """Run the lines of the failure unit as systemd does, with programs that keep what they get.

    There is no manager to ask here and no mail to send, so both programs are small scripts.
    """
    programs = tmp_path / "bin"
    programs.mkdir()
    letter = tmp_path / "letter"

    def program(name, text):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)

    def tell(*, mail):
        program("systemctl", 'echo "asked: $*"; exit 3')
        if mail:
            program("mail", f'{{ echo "$@"; /bin/cat; }} > {letter}')
        lines = values("reconcile-failed@.service", "ExecStart")
        out = []
        for line in lines:
            command = line.replace("%i", "reconcile.service").replace("%H", "pbx")
            command = command.replace("/usr/bin/", f"{programs}/")
            done = subprocess.run(
                shlex.split(command.removeprefix("-")),
                env={"PATH": str(programs)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert line.startswith("-") or done.returncode == 0, done.stderr
            out.append(done.stdout + done.stderr)
        return out, letter.read_text() if letter.exists() else None

    return tell


ASKED = "asked: status --no-pager --full --lines=0 reconcile.service\n"


def test_a_night_that_fails_starts_the_unit_that_tells():
    assert values("reconcile.service", "OnFailure") == ["reconcile-failed@%n.service"]
    assert (CRON / "reconcile-failed@.service").exists()
    assert values("reconcile-failed@.service", "SyslogLevel") == ["err"]


def test_it_tells_the_journal_and_mails_root(told):
    out, letter = told(mail=True)
    assert out == [ASKED, ""]
    assert letter == f"-s reconcile.service failed on pbx root\n{ASKED}"


def test_without_a_mail_program_the_journal_is_told(told):
    out, letter = told(mail=False)
    assert (out, letter) == ([ASKED, ""], None)
