"""The state machine: random stories over a real server and a real state, judged after each step."""

from __future__ import annotations

from collections import Counter

import pytest
from amounts import amount, note
from company import SECRET
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from machine.story import Bench, Story
from machine.witness import Witness

from reconcile.sandbox import SandboxServer

STORIES = amount(check=40, prove=500)
STEPS = amount(check=25, prove=50)


@pytest.fixture
def bench(tmp_path):
    with SandboxServer(Witness(), client_secret=SECRET) as server:
        yield Bench(server=server, folder=tmp_path, tried=Counter())


@pytest.mark.parametrize("part", [1, 2])
def test_no_story_ends_with_a_wrong_delete(bench, part):
    amounts = settings(max_examples=STORIES, stateful_step_count=STEPS)
    run_state_machine_as_test(lambda: Story(bench), settings=amounts)
    tried = ", ".join(f"{n:,} {what}" for what, n in sorted(bench.tried.items()))
    note(f"state machine, part {part}", f"{bench.stories:,} stories of {STEPS} steps: {tried}")
