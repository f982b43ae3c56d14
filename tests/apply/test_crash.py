"""Killed at any moment: real processes, real signals; the next run finds out what happened."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import warm
from company import SECRET

from reconcile.errors import LockBusy
from reconcile.model import Exit, Outcome, Status

LISTING = "/xapi/v1/Contacts?"
CONTACTS = "/xapi/v1/Contacts"
PROBE = "/xapi/v1/Contacts(101)"
"""The first that is made in a book of a hundred."""
PATIENCE = 60


class Machine:
    """Runs `reconcile` as an administrator does, and lets the PBX strike the process down."""

    def __init__(self, evening):
        self.evening = evening
        self.company = evening.company
        self.before = set()
        self.children = []
        self._write_config()

    def _write_config(self):
        lines = [
            'mode = "review"',
            "[crm]",
            'source = "exports/*.csv"',
            'region = "DE"',
            "[pbx]",
            f'url = "{self.company.server.url}"',
            'client_id = "reconcile"',
            'client_secret_env = "SECRET"',
            "[state]",
            f'url = "{self.company.config.state.url}"',
        ]
        path = self.company.folder / "config.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def plan(self, *leavers):
        """The nights before, so that the last one is tonight by this machine's own clock."""
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
        self.evening.plan(*leavers, start=start)
        self.before = self.ids()

    def ids(self):
        return {c["Id"] for c in self.company.book.all()}

    def start(self, *command):
        environ = {**os.environ, "SECRET": SECRET, "RECONCILE_CONFIG": "config.toml"}
        child = warm.start(*command, cwd=self.company.folder, env=environ)
        self.children.append(child)
        return child

    def apply(self):
        """Apply to its end, however it ends; gives exit code, stdout and stderr."""
        child = self.start("apply", self.evening.digest, "--json")
        out, err = child.communicate(timeout=PATIENCE)
        assert SECRET not in out + err
        self.company.after_death()
        return child.returncode, out, err

    def strike(self, number):
        """What a hook does: send a signal to the child that is running."""
        return lambda: os.kill(self.children[-1].pid, number)

    def unresolved(self):
        with self.company.ledger() as ledger:
            return [a.contact_id for a in ledger.actions(unresolved=True)]

    def check_tombstones(self):
        """Whatever is gone can be put back."""
        with self.company.ledger() as ledger:
            graves = {t.contact_id for t in ledger.tombstones()}
        assert self.before - self.ids() <= graves
        self.evening.check_tombstones()

    def resolved(self):
        """What the next plan finds out about the intents, by looking."""
        left = self.unresolved()
        report = self.company.plan()
        assert self.unresolved() == []
        with self.company.ledger() as ledger:
            outcomes = {i: ledger.actions(contact_id=i)[0].outcome for i in left}
        for contact_id, outcome in outcomes.items():
            there = self.company.has(contact_id)
            assert outcome is (Outcome.NOT_ATTEMPTED if there else Outcome.DELETED)
        return report, outcomes

    def converge(self, report):
        """Approve what is left, and see that the leavers are gone and nobody else is."""
        if report.exit_code == Exit.WAITING:
            report = self.company.apply(report.digest)
            assert report.status is Status.APPLIED
            report = self.company.plan()
        assert report.exit_code == Exit.CONVERGED
        assert self.before - self.ids() == set(self.evening.leavers)
        assert self.ids() <= self.before
        self.check_tombstones()

    def end(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.communicate()


@pytest.fixture
def machine(evening):
    made = Machine(evening)
    yield made
    made.end()


def killed(machine):
    code, out, err = machine.apply()
    assert (code, out, err) == (-signal.SIGKILL, "", "")
    machine.check_tombstones()


# ------------------------------------------------------------------ killed


def test_killed_while_the_server_deletes_the_next_run_finds_it_gone(machine, evening):
    machine.plan(5, 6)
    evening.at_delete(5, machine.strike(signal.SIGKILL))
    killed(machine)
    assert machine.unresolved() == [5]
    assert not machine.company.has(5)
    report, outcomes = machine.resolved()
    assert outcomes == {5: Outcome.DELETED}
    assert report.exit_code == Exit.WAITING
    machine.converge(report)
    assert len(evening.deletes(5)) == len(evening.deletes(6)) == 1


def test_killed_with_a_delete_that_never_took_effect_the_next_run_finds_it_there(machine, evening):
    machine.plan(5, 6)
    evening.at_delete(5, machine.strike(signal.SIGKILL))
    evening.fail(5, drop=True)
    killed(machine)
    assert machine.unresolved() == [5]
    assert machine.company.has(5)
    report, outcomes = machine.resolved()
    assert outcomes == {5: Outcome.NOT_ATTEMPTED}
    machine.converge(report)
    assert len(evening.deletes(5)) == 2


def test_killed_in_the_second_delete_with_the_first_one_booked(machine, evening):
    machine.plan(5, 6)
    evening.at_delete(6, machine.strike(signal.SIGKILL))
    killed(machine)
    assert machine.unresolved() == [6]
    report, outcomes = machine.resolved()
    assert outcomes == {6: Outcome.DELETED}
    assert report.exit_code == Exit.CONVERGED
    machine.converge(report)


def test_a_contact_edited_after_the_crash_is_kept(machine, evening):
    machine.plan(5)
    evening.at_delete(5, machine.strike(signal.SIGKILL))
    evening.fail(5, drop=True)
    killed(machine)
    machine.company.book.edit(5, {"Title": "Is back"})
    report = machine.company.plan()
    assert evening.journal == {5: Outcome.CHANGED}
    assert report.exit_code == Exit.CONVERGED
    assert machine.ids() == machine.before


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", LISTING), ("GET", "/xapi/v1/Contacts(5)")],
    ids=["listing", "re-read"],
)
def test_killed_before_the_first_intent_nothing_has_happened(machine, method, path):
    machine.plan(5, 6)
    strike = machine.strike(signal.SIGKILL)
    machine.company.server.hook(strike, method=method, path_prefix=path)
    killed(machine)
    assert machine.unresolved() == []
    assert machine.before <= machine.ids()
    report, _ = machine.resolved()
    assert report.exit_code == Exit.WAITING
    machine.converge(report)


@pytest.mark.parametrize(
    ("method", "path", "nth", "left"),
    [
        ("POST", CONTACTS, 1, set()),
        ("GET", PROBE, 1, {101}),
        ("PATCH", PROBE, 1, {101}),
        ("DELETE", PROBE, 1, {101}),
        ("DELETE", PROBE, 2, {101}),
        ("POST", CONTACTS, 2, set()),
        ("DELETE", "/xapi/v1/Contacts(102)", 1, {102}),
    ],
)
def test_killed_during_the_probe_its_contacts_are_removed_by_the_next(
    *, machine, method, path, nth, left
):
    machine.plan(5)
    strike = machine.strike(signal.SIGKILL)
    machine.company.server.hook(strike, method=method, path_prefix=path, nth=nth)
    fault = {"method": method, "path_prefix": path, "skip": nth - 1}
    machine.company.server.fail(**fault, drop=True)
    killed(machine)
    assert machine.ids() - machine.before == left
    assert machine.unresolved() == []
    report, _ = machine.resolved()
    assert report.exit_code == Exit.WAITING
    machine.converge(report)
    assert not left & machine.ids()


def test_killed_between_two_deletes_the_second_is_still_due(machine, evening):
    machine.plan(5, 6)
    evening.at_read(6, machine.strike(signal.SIGKILL))
    killed(machine)
    assert evening.journal == {5: Outcome.DELETED}
    report, _ = machine.resolved()
    assert [c.id for c in report.contacts if c.verdict == "delete"] == [6]
    machine.converge(report)


def test_killed_while_the_canary_is_confirmed_the_next_run_finds_it_gone(machine, evening):
    machine.plan(5, 6)
    evening.at_read(5, machine.strike(signal.SIGKILL), nth=2)
    killed(machine)
    assert evening.journal == {5: None}
    report, outcomes = machine.resolved()
    assert outcomes == {5: Outcome.DELETED}
    machine.converge(report)


def test_killed_while_the_listing_is_read_again_everything_is_booked(machine, evening):
    machine.plan(5, 6)
    server, strike = machine.company.server, machine.strike(signal.SIGKILL)
    evening.at_delete(6, lambda: server.hook(strike, method="GET", path_prefix=LISTING))
    killed(machine)
    assert evening.journal == {5: Outcome.DELETED, 6: Outcome.DELETED}
    report, _ = machine.resolved()
    assert report.exit_code == Exit.CONVERGED
    machine.converge(report)


def test_killed_again_while_it_resolves_nothing_is_lost(machine, evening):
    machine.plan(5, 6)
    evening.at_delete(5, machine.strike(signal.SIGKILL))
    killed(machine)
    evening.at_read(5, machine.strike(signal.SIGKILL))
    child = machine.start("plan")
    child.communicate(timeout=PATIENCE)
    machine.company.after_death()
    assert child.returncode == -signal.SIGKILL
    assert machine.unresolved() == [5]
    report, outcomes = machine.resolved()
    assert outcomes == {5: Outcome.DELETED}
    machine.converge(report)


def test_after_a_crash_what_cron_calls_resolves_and_mode_auto_goes_on(machine, evening):
    machine.plan(5, 6)
    evening.at_delete(5, machine.strike(signal.SIGKILL))
    killed(machine)
    machine.company.settings["mode"] = "auto"
    report = machine.company.run()
    assert report.status is Status.APPLIED
    assert evening.journal == {5: Outcome.DELETED, 6: Outcome.DELETED}
    machine.converge(machine.company.plan())


# ------------------------------------------------------------------ asked to stop


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, Exit.TERMINATED), (signal.SIGINT, Exit.INTERRUPTED)]
)
def test_a_signal_finishes_the_contact_in_hand_and_ends_cleanly(machine, evening, number, code):
    machine.plan(5, 6)
    evening.at_delete(5, machine.strike(number))
    returned, out, err = machine.apply()
    assert returned == code
    assert "in hand" in err
    report = json.loads(out)
    assert (report["status"], report["exit_code"]) == ("interrupted", code)
    assert {c["id"]: c["outcome"] for c in report["contacts"] if c["outcome"]} == {
        5: "deleted",
        6: "not_attempted",
    }
    assert evening.journal == {5: Outcome.DELETED}
    assert evening.wire(6) == []
    machine.check_tombstones()
    report, _ = machine.resolved()
    assert report.exit_code == Exit.WAITING
    machine.converge(report)


def test_a_signal_during_the_listing_deletes_nothing(machine):
    machine.plan(5)
    strike = machine.strike(signal.SIGTERM)
    machine.company.server.hook(strike, method="GET", path_prefix=LISTING)
    code, out, _ = machine.apply()
    assert (code, json.loads(out)["status"]) == (Exit.TERMINATED, "interrupted")
    assert machine.company.deletes() == []
    machine.converge(machine.company.plan())


def test_a_signal_during_the_probe_deletes_nothing_and_leaves_no_probe(machine):
    machine.plan(5)
    strike = machine.strike(signal.SIGTERM)
    machine.company.server.hook(strike, method="POST", path_prefix=CONTACTS)
    code, _, _ = machine.apply()
    assert code == Exit.TERMINATED
    assert machine.ids() == machine.before
    machine.converge(machine.company.plan())


def test_a_second_ctrl_c_ends_at_once_and_the_next_run_looks(machine, evening):
    machine.plan(5, 6)
    evening.at_read(5, machine.strike(signal.SIGINT))
    evening.at_delete(5, machine.strike(signal.SIGINT))
    code, _, err = machine.apply()
    assert code == Exit.INTERRUPTED
    assert "Traceback" not in err
    assert "The next run looks" in err
    assert machine.unresolved() == [5]
    report, outcomes = machine.resolved()
    assert outcomes == {5: Outcome.DELETED}
    machine.converge(report)


# ------------------------------------------------------------------ one at a time


def test_a_second_run_is_refused_at_once_and_goes_ahead_after_the_holder_is_killed(machine):
    machine.plan(5)
    reached, release = threading.Event(), threading.Event()

    def hold():
        reached.set()
        release.wait(PATIENCE)

    machine.company.server.hook(hold, method="GET", path_prefix=LISTING)
    holder = machine.start("apply", machine.evening.digest)
    try:
        assert reached.wait(PATIENCE)
        asked = time.monotonic()
        with pytest.raises(LockBusy, match=f"process {holder.pid}"):
            machine.company.plan()
        assert time.monotonic() - asked < 1
        second = machine.start("run")
        _, err = second.communicate(timeout=PATIENCE)
        assert second.returncode == Exit.LOCKED
        assert f"process {holder.pid}" in err
        holder.kill()
        assert holder.wait(PATIENCE) == -signal.SIGKILL
        machine.company.after_death()
    finally:
        release.set()
    machine.converge(machine.company.plan())
