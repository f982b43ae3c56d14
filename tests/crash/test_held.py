"""Put to sleep and woken later, or asked to stop: nothing more is deleted than the one in hand."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from amounts import PROVE, amount, note
from crash.machine import LEAVERS, PATIENCE, Injection, at, spread
from databases import DATABASE
from kinds import SQLITE

from reconcile.model import Exit, Outcome, Status
from reconcile.store.lock import RunLock

FIRST, SECOND = LEAVERS[:2]


class Sleeper:
    """A run that a person or a machine has put to sleep in the middle of its deletes."""

    def __init__(self, machine, method, contact_id):
        self.machine = machine
        self._stopped = threading.Event()
        machine.stage(lanes=1)  # so that nothing else is on its way at that moment
        machine.company.server.hook(self._stop, method=method, path_prefix=at(contact_id))
        self.child = machine.start("run", "--json")
        assert self._stopped.wait(PATIENCE)

    def _stop(self):
        self.machine.children[-1].send(signal.SIGSTOP)
        while self._state() != "T":
            pass
        self._stopped.set()

    def _state(self):
        stat = Path(f"/proc/{self.machine.children[-1].pid}/stat").read_text("ascii")
        return stat.rpartition(")")[2].split()[0]

    def wake(self):
        self.child.send(signal.SIGCONT)
        return self.child.wait()


def clean_the_lock(machine):
    """What a cleaner of old files does, or a person who wants to help; or the end of a session."""
    if machine.cluster:
        assert machine.cluster.end_sessions(DATABASE, which="query LIKE '/* {%'") == 1
        return
    machine.state.with_name(f"{machine.state.name}.lock").unlink()


def run_elsewhere(machine):
    """Another run begins and ends; on this machine only one whose lock was taken away could."""
    company, now = machine.company, datetime.now(UTC)
    config = company.config
    clean_the_lock(machine)
    with (
        RunLock(config.state.url, base=config.base, command="run", now=now),
        company.ledger() as ledger,
    ):
        newer = ledger.begin_run(command="run", mode="auto", now=now)
        ledger.finish_run(newer, status=Status.CLEAN, exit_code=0, digest="", headline="", now=now)


MOMENTS = [("GET", FIRST, set()), ("DELETE", FIRST, {FIRST}), ("GET", SECOND, {FIRST})]


@pytest.mark.parametrize("meanwhile", [clean_the_lock, run_elsewhere])
@pytest.mark.parametrize(("method", "contact_id", "gone"), MOMENTS if PROVE else MOMENTS[1:])
def test_a_run_that_slept_while_its_lock_went_deletes_nothing_more(
    *, machine, meanwhile, method, contact_id, gone
):
    sleeper = Sleeper(machine, method, contact_id)
    second = machine.start("run")
    assert second.wait() == Exit.LOCKED
    assert f"{sleeper.child.pid}" in second.said()
    meanwhile(machine)
    assert sleeper.wake() == (Exit.PARTIAL if gone else Exit.LOCKED)
    sleeper.child.said()
    assert machine.gone() == gone
    assert len(machine.company.deletes()) - probes(machine) == len(gone)
    machine.check()
    machine.converge()


def probes(machine):
    """The DELETEs of contacts that the probe had made."""
    return sum(1 for r in machine.company.deletes() if r.path not in set(map(at, LEAVERS)))


def test_a_run_that_slept_and_still_holds_everything_goes_on(machine):
    sleeper = Sleeper(machine, "DELETE", FIRST)
    assert machine.start("run").wait() == Exit.LOCKED
    assert sleeper.wake() == Exit.CONVERGED
    assert machine.gone() == set(LEAVERS)
    machine.converge()


# ---------------------------------------------------------------------------- asked to stop


def stopped(machine, child):
    """It ended by itself, with an outcome for all that it began."""
    code = child.wait()
    child.said()
    assert code in {Exit.TERMINATED, Exit.CONVERGED}
    assert machine.unresolved() == []
    machine.check()
    if code == Exit.TERMINATED:
        report = child.report()
        assert (report["status"], report["exit_code"]) == ("interrupted", Exit.TERMINATED)
        assert outcomes(report) <= {Outcome.DELETED, Outcome.NOT_ATTEMPTED}
    else:
        assert machine.gone() == set(LEAVERS)
    return code


def outcomes(report):
    return {contact["outcome"] for contact in report["contacts"] if contact["outcome"]}


def test_sigterm_at_every_request_finishes_the_contact_in_hand(machine):
    requests = machine.requests()
    chosen = spread(requests, amount(check=3, prove=10_000), seed=23)
    codes = []
    for nth in chosen:
        machine.stage(lanes=1)
        gone = []
        machine.company.server.hook(lambda: gone.append(machine.gone()), nth=nth)  # noqa: B023 - at once
        machine.at_request(nth, signal.SIGTERM)
        codes.append(stopped(machine, machine.start("run", "--json")))
        assert len(machine.gone() - gone[0]) <= 1
        machine.converge()
    done = codes.count(Exit.TERMINATED)
    note("SIGTERM at a request", f"{len(chosen)} of {len(requests)}, {done} ended with 143")


@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
@SQLITE
def test_sigterm_in_the_middle_of_a_commit_finishes_the_contact_in_hand(machine, call):
    steps = machine.calls(call)
    chosen = spread(steps, amount(check=1, prove=40), seed=29)
    for step in chosen:
        machine.stage()
        term = Injection(calls=call, effect="signal=TERM", when=str(step))
        stopped(machine, machine.start("run", "--json", injection=term))
        machine.converge()
    note(f"SIGTERM at {call}", f"{len(chosen)} of {len(steps)} calls")
