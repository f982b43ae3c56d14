"""SIGKILL at every step of the journal and at every request; then a colleague edits a contact."""

from __future__ import annotations

import signal

import pytest
from amounts import amount, note
from crash.machine import LANES, ON_STATE, RESTORE, Injection, spread
from kinds import SQLITE

from reconcile.model import Exit

FEW = {"fdatasync": 3, "pwrite64": 2}
"""How many calls are struck in a check, of the kinds that are more than one."""


@pytest.mark.parametrize("call", ON_STATE)
@SQLITE
def test_killed_at_every_call_on_the_state_the_next_run_finds_out(machine, call):
    steps = machine.calls(call)
    chosen = spread(steps, amount(check=FEW.get(call, 1), prove=10_000), seed=7)
    killed = 0
    for number, step in enumerate(chosen):
        machine.stage(lanes=LANES[number % 2])
        kill = Injection(calls=call, effect="signal=KILL", when=str(step))
        code = machine.start("run", injection=kill).wait()
        # One run, or one lane, may make a call less than another: then the last one never comes.
        assert code == (-signal.SIGKILL if machine.was_struck() else Exit.CONVERGED)
        killed += machine.was_struck()
        machine.check()
        edited = machine.edit_one(number) if number % 2 else set()
        machine.converge(edited=edited)
    assert killed
    note(f"SIGKILL at {call}", f"{killed} of {len(steps)} calls in a run of 4 deletes")


@pytest.mark.parametrize("done", [True, False], ids=["it-takes-effect", "it-never-does"])
def test_killed_at_every_request_the_next_run_finds_out(machine, done):
    requests = machine.requests()
    chosen = spread(requests, amount(check=2, prove=10_000), seed=5)
    for number, nth in enumerate(chosen):
        machine.stage()
        machine.at_request(nth, signal.SIGKILL, done=done)
        assert machine.start("run").wait() == -signal.SIGKILL
        machine.check()
        machine.converge(edited=machine.edit_one(number) if number % 2 else set())
    effect = "that takes effect" if done else "that never takes effect"
    note(f"SIGKILL at a request {effect}", f"{len(chosen)} of {len(requests)}")


@pytest.mark.parametrize("done", [True, False], ids=["it-takes-effect", "it-never-does"])
def test_a_restore_killed_at_every_request_doubles_nobody_when_it_is_repeated(machine, done):
    requests = machine.requests(scene="done", command=RESTORE)
    chosen = spread(requests, amount(check=2, prove=10_000), seed=37)
    for nth in chosen:
        machine.stage("done")
        machine.at_request(nth, signal.SIGKILL, done=done)
        assert machine.start(*RESTORE).wait() == -signal.SIGKILL
        machine.check_restored()
    effect = "that takes effect" if done else "that never takes effect"
    note(f"SIGKILL of a restore at a request {effect}", f"{len(chosen)} of {len(requests)}")
