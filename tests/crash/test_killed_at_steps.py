"""SIGKILL at every step of the journal and at every request; then a colleague edits a contact."""

from __future__ import annotations

import signal

import pytest
from amounts import amount, note
from crash.machine import Injection, spread

CALLS = {"fdatasync": 4, "pwrite64": 3, "ftruncate": 1, "unlink": 1, "openat": 1}
"""What SQLite does to the files of a state, and how many of each are struck in a check."""


@pytest.mark.parametrize(("call", "few"), CALLS.items())
def test_killed_at_every_call_on_the_state_the_next_run_finds_out(machine, call, few):
    machine.stage()
    steps = range(1, machine.calls("run", of=call) + 1)
    chosen = spread(steps, amount(check=few, prove=10_000), seed=7)
    for number, step in enumerate(chosen):
        machine.stage()
        kill = Injection(calls=call, effect="signal=KILL", when=str(step))
        assert machine.start("run", injection=kill).wait() == -signal.SIGKILL
        machine.check()
        edited = machine.edit_one(number) if number % 2 else set()
        machine.converge(edited=edited)
    note(f"SIGKILL at {call}", f"{len(chosen)} of {len(steps)} calls in a run of 4 deletes")


@pytest.mark.parametrize("done", [True, False], ids=["it-takes-effect", "it-never-does"])
def test_killed_at_every_request_the_next_run_finds_out(machine, done):
    machine.stage()
    machine.start("run").wait()
    requests = range(1, len(machine.company.server.requests) + 1)
    chosen = spread(requests, amount(check=3, prove=10_000), seed=5)
    for number, nth in enumerate(chosen):
        machine.stage()
        machine.at_request(nth, signal.SIGKILL, done=done)
        assert machine.start("run").wait() == -signal.SIGKILL
        machine.check()
        machine.converge(edited=machine.edit_one(number) if number % 2 else set())
    effect = "that takes effect" if done else "that never takes effect"
    note(f"SIGKILL at a request {effect}", f"{len(chosen)} of {len(requests)}")
