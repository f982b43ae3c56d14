"""`reconcile run --resume` and `reconcile db mark`, as they are typed."""

from __future__ import annotations

import os
import shutil
import socket
from datetime import UTC, datetime

import pytest

from reconcile import config, slots
from reconcile.session import state


def test_a_slot_is_had_once_and_then_told(office) -> None:
    leaver = office.due()
    office.set('mode = "review"', 'mode = "auto"')
    first = office("run", "--resume", "--json")
    assert (first.code, first.json["status"]) == (0, "applied")
    assert not office.has(leaver["Id"])
    asked = len(office.server.requests)
    again = office("run", "--resume")
    assert (again.code, again.err) == (0, "")
    assert "was run by run 2 of process " in again.out
    assert ", exit 0: 1 of 40 phone-system contacts was deleted." in again.out
    had = office("run", "--resume", "--json", "--quiet")
    found = slots.read(had.out.encode())
    assert (found.run.id, found.run.exit_code, found.run.status) == (2, 0, "applied")
    assert found.host
    assert office("run", "--resume", "--quiet").out == ""
    assert office("run", "--resume", "--slot", "2020-01-01T02:30Z").out.startswith("slot 2020-01")
    assert len(office.server.requests) == asked
    assert office("run").code == 0


@pytest.mark.parametrize(
    "slot", ["2999-01-01T00:00Z", "0001-01-01T00:00+01:00", "2026-01-01T02:30", "tonight"]
)
def test_what_is_no_slot_is_refused(office, slot) -> None:
    office.ready()
    said = office("run", "--resume", "--slot", slot)
    assert said.code == 2
    assert f"'{slot}' is no slot" in said.err


def test_a_dry_run_has_no_slot_and_is_called_so(office) -> None:
    office.due()
    assert office("run", "--resume", "--dry-run").code == 10
    assert "run --dry-run" in office("history").out
    assert office("run", "--resume").code == 10
    assert "run 3" in office("run", "--resume", "--dry-run").out


def test_a_slot_is_taken_over_from_a_run_that_died(office) -> None:
    office.due()
    moment = datetime.now(UTC).replace(microsecond=0)
    with state(config.load(office.config)) as ledger:
        ledger.begin_run(command="run", mode="auto", now=moment, slot=slots.taken(moment))
    said = office("run", "--resume", "--slot", moment.isoformat())
    assert said.code == 10
    died = f"run 2 of process {os.getpid()} on {socket.gethostname()}"
    assert said.err.startswith("slot ")  # what begins with our name explains how a command ended
    assert said.err.endswith(f"UTC is taken over from {died}, which came to no end\n")


def test_a_mark_is_carried_to_another_folder(office) -> None:
    office.ready()
    mark = office("db", "mark").out.strip()
    for file in (
        office.folder / "state" / "reconcile.db.serial",
        *office.folder.glob("reports/*.serial"),
    ):
        file.unlink()
    shutil.rmtree(office.folder / "reports")
    assert office("doctor").code == 8
    assert "take its mark: reconcile db mark" in office("doctor").out
    assert office("db", "mark").code == 8
    assert office("db", "mark", f"{mark}0").code == 8
    assert office("db", "mark", "nonsense").code == 2
    taken = office("db", "mark", mark)
    assert (taken.code, "it is the newest state that is known here" in taken.out) == (0, True)
    assert office("db", "check").code == 0
    assert office("plan").code == 0
