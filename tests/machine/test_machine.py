"""The state machine: random stories over a real server and a real state, judged after each command.

A violation is printed as the story that led to it, with the line that reproduces it.
"""

from __future__ import annotations

from collections import Counter

import pytest
from amounts import amount, note
from company import SECRET
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from machine.happenings import Weather
from machine.story import LEAVERS, Bench, Story
from machine.witness import Witness

from reconcile.sandbox import SandboxServer

PARTS = amount(check=8, prove=40)
STORIES = 25
STEPS = amount(check=4, prove=50)
PHASES = (Phase.explicit, Phase.generate)
"""To make a story shorter takes longer than all stories; the line that is printed repeats it."""
GROUPS = ("trouble", "weather", "refused", "info", "approve", "block")


@pytest.fixture
def bench(tmp_path):
    with SandboxServer(Witness(), client_secret=SECRET) as server:
        yield Bench(server=server, folder=tmp_path, tried=Counter())


@pytest.mark.parametrize("part", range(PARTS))
def test_no_story_ends_with_a_wrong_delete(bench, part):
    amounts = settings(
        max_examples=STORIES, stateful_step_count=STEPS, phases=PHASES, database=None
    )
    run_state_machine_as_test(lambda: Story(bench), settings=amounts)
    named = f"state machine, part {part + 1:2} of {PARTS}"
    note(named, f"{bench.stories:,} x {STEPS} steps: {told(bench.tried)}")


ANY_DELETE = {"method": "DELETE", "path_prefix": "/xapi/v1/Contacts("}
NIGHT = {
    "export": "honest",
    "command": "run",
    "hours": 24,
    "leavers": 0,
    "trouble": ("none", 0),
    "weather": None,
    "n": 0,
}
CLOSE = {
    "edited while absent": [("contact_is_edited", 0, 0)],
    "a number in a note": [("number_in_a_note", 5, 0)],
    "protected by the configuration": [("protection_is_configured", 0, 0)],
    "protected by hand": [("protection_by_hand", 0, 4)],
    "back in the CRM": [("comes_back", 0, 0)],
    "released": [("claim_is_released", 0, 0)],
    "the Id is somebody else's": [("contact_is_removed", 0, 1)],
    "frozen": [("freeze", 40, 1)],
    "stopped": [("stop_file", 0, 0)],
}


@pytest.mark.parametrize("before", CLOSE.values(), ids=CLOSE.keys())
def test_a_night_that_comes_close(bench, before):
    """Both leavers are due; what happened that day keeps one of them, or both."""
    story = Story(bench)
    story.first_days(
        etags="weak",
        if_match="enforced",
        guard="etag",
        mode="auto",
        grace=(2, 20.0),
        id_reuse="never",
        converges=False,
    )
    story.night(**NIGHT, before=before)
    kept = [e for e in story.entries.values() if e.person in LEAVERS]
    assert bench.tried["deleted"] <= 1
    assert kept or before[0][0] == "contact_is_removed"
    story.teardown()


# ---------------------------------------------------------------------------- stories kept

CALM = {"trouble": ("none", 0), "weather": None}
FOUND = {
    "an edit that an apply saw before it found no delete guard": (
        {"etags": "strong", "if_match": "always_412", "grace": (1, 0.0), "converges": True},
        [
            ("plan_is_approved", {**CALM, "back": 1, "careless": False, "hours": 0, "n": 71}),
            (
                "night_and_approval",
                {
                    **CALM,
                    "before": [("contact_is_tagged", 3, 14)],
                    "between": [
                        ("contact_gets_another_name", 49, 11),
                        ("contact_is_edited", 33, 4),
                    ],
                    "leavers": 0,
                    "n": 104,
                },
            ),
            (
                "plan_is_approved",
                {
                    **CALM,
                    "weather": Weather("401", fault={**ANY_DELETE, "status": 401}),
                    "back": 2,
                    "careless": True,
                    "hours": 0,
                    "n": 503,
                },
            ),
        ],
    ),
    "a contact of the probe gets the Id of one that was just removed": (
        {"etags": "strong", "if_match": "enforced", "grace": (2, 20.0), "converges": False},
        [
            (
                "night_and_approval",
                {
                    **CALM,
                    "before": [("protection_is_configured", 8, 13), ("contact_is_removed", 10, 59)],
                    "between": [],
                    "leavers": 1,
                    "n": 16,
                    "weather": Weather("removed before reread", hook=("GET", "remove")),
                },
            )
        ],
    ),
    "somebody new gets the Id of one that this run has deleted": (
        {"etags": "weak", "if_match": "required", "grace": (1, 0.0), "converges": True},
        [
            ("in_the_crm", {"m": 58, "n": 49, "what": "number_in_a_note"}),
            ("in_the_crm", {"m": 0, "n": 0, "what": "leaves"}),
            (
                "night_and_approval",
                {
                    **CALM,
                    "before": [],
                    "between": [],
                    "leavers": 2,
                    "n": 223,
                    "weather": Weather("id reused before delete", hook=("DELETE", "reuse")),
                },
            ),
        ],
    ),
}
"""What made the machine say "wrong" once: each time it was the machine that knew too little."""


@pytest.mark.parametrize(("pbx", "events"), FOUND.values(), ids=FOUND.keys())
def test_a_story_that_was_found_stays_right(bench, pbx, events):
    """Every command of it is judged, as in the stories above."""
    story = Story(bench)
    story.first_days(**pbx, guard="etag", mode="auto", id_reuse="reused")
    for event, values in events:
        getattr(story, event)(**values)
    story.teardown()


def told(tried: Counter[str]) -> str:
    """The counts; of each group its sum, and how many kinds there were."""
    kinds = {group: [n for k, n in tried.items() if k.startswith(f"{group}:")] for group in GROUPS}
    sums = [f"{sum(n):,} {group} of {len(n)} kinds" for group, n in kinds.items()]
    single = [f"{n:,} {what}" for what, n in sorted(tried.items()) if ":" not in what]
    return ", ".join([*single, *sums])
