"""The main job by hand, against `reconcile sandbox` in another process."""

from __future__ import annotations

import re
import signal
from dataclasses import replace

import pytest


@pytest.fixture
def sandbox(office, canary):
    """`reconcile sandbox` as a person starts it, and its URL."""
    export = office.folder / "exports" / "contacts.csv"
    options = ("--port", 0, "--contacts", 60, "--seed", 5, "--export", export)
    cold = replace(office, cold=True)
    process = cold.start("sandbox", *options, RECONCILE_SANDBOX_SECRET=canary)
    with process:
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[0] == f"Wrote {export}: 60 records.\n"
        (url,) = re.findall(r"^3CX sandbox with 60 contacts at (http://\S+), client", lines[1])
        assert f"reconcile init --pbx-url {url}" in lines[2]
        yield url
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")


def test_init_doctor_plan_apply_plan_restore(office, sandbox):
    first = office.init(**{"pbx-url": sandbox})
    assert first.code == 0
    assert first.out.splitlines()[-1].endswith("RECONCILE_3CX_SECRET, then: reconcile doctor")

    doctor = office("doctor")
    assert (doctor.code, doctor.err) == (0, "")
    assert doctor.out.splitlines()[-1] == "Next: reconcile plan"

    office.set("grace_exports = 2", "grace_exports = 1")
    office.set("grace_hours = 20", "grace_hours = 0")
    cold = replace(office, cold=True)  # with what it loads by itself
    night = cold("plan")
    assert (night.code, night.err) == (0, "")
    assert "Nothing to delete among 60" in night.out

    leaver = office.rows()[4]
    text = office.exported.read_text("utf-8").splitlines(keepends=True)
    office.exported.write_text("".join(text[:4] + text[5:]), "utf-8")
    waiting = office("plan")
    assert waiting.code == 10
    assert " ".join(leaver[1:3]) in " ".join(waiting.out.split())
    (digest,) = re.findall(r"reconcile apply ([0-9a-f]{12})", waiting.out)

    applied = cold("apply", digest)
    assert applied.code == 0
    assert "1 of 60 phone-system contacts was deleted." in applied.out
    (run,) = re.findall(r"reconcile restore --run (\d+)", applied.out)
    assert " ".join(leaver[1:3]) not in office("contact", "list").out

    again = office("plan")
    assert again.code == 0
    assert "Nothing to delete among 59" in again.out

    back = office("restore", "--run", run)
    assert back.code == 0
    assert re.search(rf"{re.escape(' '.join(leaver[1:3]))}.*: restored as contact \d+", back.out)
    assert back.out.splitlines()[-1] == "Next: reconcile plan"
    (new,) = re.findall(r"restored as contact (\d+)", back.out)
    found = office("contact", "get", new).json
    assert [found["fields"]["FirstName"], found["fields"]["LastName"]] == leaver[1:3]
    assert office("plan").code == 0
