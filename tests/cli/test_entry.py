"""The door: help, versions, usage, interruptions, bugs."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from reconcile import __version__
from reconcile.cli.crash import without_secrets

COMMANDS = (
    "adopt apply columns completion contact db demo diff doctor explain freeze history init plan"
    " protect release report restore run sandbox schedule"
).split()
HEAVY = {
    "pandas",
    "pyarrow",
    "sqlalchemy",
    "alembic",
    "httpx",
    "psycopg",
    "pydantic",
    "apscheduler",
    "uvicorn",
}
LOADED = """
import json, sys
from reconcile.cli import main
try:
    main({args!r})
finally:
    print(json.dumps(sorted(m for m in sys.modules if "." not in m)), file=sys.stderr)
"""


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["plan", "--help"], ["nonsense"]])
def test_what_needs_only_click_imports_nothing_heavy(office, args):
    program = LOADED.format(args=args)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=office.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "click" in loaded
    assert not HEAVY & loaded


def test_help_names_every_command_and_version_is_ours(office):
    said = office("--help")
    assert said.code == 0
    assert re.findall(r"^  ([a-z]+)  ", said.out, re.MULTILINE) == COMMANDS
    assert office("--version").out == f"reconcile, version {__version__}\n"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "Usage: reconcile [OPTIONS] COMMAND"),
        (["nonsense"], "No such command 'nonsense'"),
        (["plan", "--frobnicate"], "No such option"),
        (["apply"], "Missing argument 'DIGEST'"),
        (["restore"], "Name one of --run, --contact and --drill."),
        (["restore", "--run", "1", "--contact", "1"], "Name one of --run, --contact and --drill."),
        (["adopt"], "Name contacts by their Id, or give --unmanaged."),
        (["contact", "get", "five"], "'five' is not a valid integer"),
        (["sandbox", "--port", "99999"], "99999 is not in the range"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_exit_2(office, args, words):
    said = office(*args)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


@pytest.mark.parametrize(
    "args",
    [
        ["plan"],
        ["run"],
        ["apply", "0123456789ab"],
        ["report"],
        ["history"],
        ["explain", "1"],
        ["restore", "--run", "1"],
        ["adopt", "1"],
        ["contact", "list"],
        ["contact", "get", "1"],
        ["contact", "delete", "1"],
        ["schedule"],
        ["db", "upgrade"],
        ["db", "check"],
        ["db", "backup"],
        ["db", "purge"],
    ],
)
def test_without_a_configuration_every_command_says_how_to_make_one(office, args):
    said = office(*args)
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "reconcile: There is no configuration at config.toml.\n"
        "  Nothing was done.\n"
        "  Next: reconcile init\n"
    )


def test_the_configuration_may_be_named_by_option_or_environment(office):
    office.ready()
    office.config.rename(office.folder / "other.toml")
    assert office("--config", "other.toml", "db", "check").code == 0
    assert office("db", "check", RECONCILE_CONFIG="other.toml").code == 0


def test_a_bug_is_exit_1_with_a_private_traceback_and_no_secret(office, canary):
    office.ready()
    broken = office.folder / "broken"
    broken.mkdir()
    (broken / "phonenumbers.py").write_text(
        "import os\nraise RuntimeError('lost ' + os.environ['RECONCILE_3CX_SECRET'])\n"
    )
    root = str(Path(__file__).parent.parent.parent)
    said = office("plan", PYTHONPATH=os.pathsep.join([str(broken), root]), TMPDIR=str(broken))
    assert (said.code, said.out) == (1, "")
    assert "a bug stopped this command (RuntimeError). Nothing more was deleted." in said.err
    assert "Next: reconcile history, then reconcile plan" in said.err
    (crash,) = broken.glob("reconcile-crash-*.txt")
    assert str(crash) in said.err
    text = crash.read_text("utf-8")
    assert "RuntimeError: lost …" in text
    assert "Traceback" in text
    assert canary not in text
    assert stat.S_IMODE(crash.stat().st_mode) == 0o600


def test_a_text_without_secrets_keeps_paths_and_short_words():
    environ = {"PIN": "12345", "HOME": "/home/ada", "KEY": " s3cret-value\n", "NONE": ""}
    assert without_secrets("12345 at /home/ada: s3cret-value!", environ) == "12345 at /home/ada: …!"
    assert without_secrets("as it was", {}) == "as it was"


def test_a_locale_without_arrows_and_umlauts_still_shows_everything(office):
    office.ready()
    said = office("doctor", PYTHONIOENCODING="iso-8859-1")
    assert said.code == 0
    assert "Record ID \\u2192 id" in said.out


def test_a_reader_that_goes_away_changes_no_exit_code(office):
    office.due()
    with office.start("plan", "--json") as process:
        process.stdout.close()
        process.stdin.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (10, "")


def test_a_reader_that_goes_away_is_no_bug(office):
    assert office.init().code == 0
    with office.start("contact", "list") as process:
        process.stdout.close()
        process.stdin.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (0, "")


def test_demo_shows_three_nights_and_a_restore(office):
    said = office("demo", "--keep", "kept")
    assert (said.code, said.err) == (0, "")
    assert [said.out.count(f"\nNight {n}") for n in (1, 2, 3)] == [1, 1, 1]
    assert said.out.count("  yes  ") == 4
    assert "  NO " not in said.out
    assert said.out.endswith("\nNext: reconcile init\n")
    assert (office.folder / "kept" / "reports" / "run-000003" / "report.json").exists()
