"""Which run has a slot: the row of the slot and the runs since decide, whatever the clocks show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconcile.errors import LockBusy
from reconcile.model import Slot, Status
from reconcile.store import copying

if TYPE_CHECKING:
    from datetime import datetime

    from reconcile.store.ledger import Ledger

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOTHING, KILLED = "nothing", "killed"


@dataclass(frozen=True)
class Runs:
    """What runs note of themselves."""

    ledger: Ledger
    now: datetime

    def begin(self, *, after=MINUTE, slot=None, command="run") -> int:
        """Begin one, so long after the slot, perhaps for a slot; its number."""
        taken = Slot(moment=slot, run_id=0, pid=77, host="db1") if slot else None
        return self.ledger.begin_run(command=command, mode="auto", now=self.now + after, slot=taken)

    def end(self, run_id: int, status=Status.APPLIED, code=0) -> None:
        """End one."""
        at = self.now + DAY
        self.ledger.finish_run(
            run_id, status=status, exit_code=code, digest="d", headline="So.", now=at
        )


@pytest.fixture
def runs(ledger, now) -> Runs:
    return Runs(ledger, now)


# ---------------------------------------------------------------------------- who has had it

ROWS = [
    # for the slot (None: by hand), begun so long after it, command, how it ended, had?
    (None, MINUTE, "run", Status.APPLIED, True),
    (None, timedelta(), "run", Status.CLEAN, True),
    (None, -MINUTE, "run", Status.APPLIED, False),
    (None, MINUTE, "run", Status.BLOCKED, True),
    (None, MINUTE, "run", Status.WAITING, True),
    (None, MINUTE, "run", Status.INTERRUPTED, False),
    (None, MINUTE, "run", KILLED, False),
    (None, MINUTE, "run --dry-run", Status.CLEAN, False),
    (None, MINUTE, "plan", Status.CLEAN, False),
    (None, MINUTE, "apply", Status.APPLIED, False),
    # By the clock of another machine, or by one that was wrong for a while.
    (None, HOUR + 2 * MINUTE, "run", Status.APPLIED, True),
    (None, HOUR + 3 * MINUTE, "run", Status.APPLIED, False),
    (None, 400 * DAY, "run", Status.APPLIED, False),
    # With a row the clock of its run says nothing.
    (timedelta(), MINUTE, "run", Status.APPLIED, True),
    (timedelta(), -20 * MINUTE, "run", Status.APPLIED, True),
    (timedelta(), 400 * DAY, "run", Status.BLOCKED, True),
    (timedelta(), MINUTE, "run", Status.INTERRUPTED, False),
    (timedelta(), MINUTE, "run", KILLED, False),
    # For another slot.
    (-DAY, -DAY, "run", Status.APPLIED, False),
    (MINUTE, -MINUTE, "run", Status.APPLIED, True),
    (MINUTE, -MINUTE, "run", KILLED, False),
    (2 * HOUR, -MINUTE, "run", Status.APPLIED, False),
]


@pytest.mark.parametrize("row", ROWS)
def test_a_slot_is_had_by_a_run_that_ended_for_it_or_since(runs, row) -> None:
    slot, after, command, ended, had = row
    moment = None if slot is None else runs.now + slot
    run_id = runs.begin(after=after, slot=moment, command=command)
    if ended is not KILLED:
        runs.end(run_id, ended)
    found = runs.ledger.slot_had(runs.now, now=runs.now + 2 * MINUTE)
    assert (found is not None) is had
    if found:
        assert (found.moment, found.run.id, found.run.status) == (runs.now, run_id, ended)
        assert (found.pid, found.host) == ((77, "db1") if moment else (None, ""))


def test_nobody_has_a_slot_of_a_new_state(ledger, now) -> None:
    assert (ledger.slot_had(now, now=now), ledger.slot(now)) == (None, None)


def test_who_took_the_slot_is_named_before_who_ran_later(runs) -> None:
    taken = runs.begin(slot=runs.now)
    runs.end(taken)
    by_hand = runs.begin()
    runs.end(by_hand)
    assert runs.ledger.slot_had(runs.now, now=runs.now + DAY).run.id == taken
    assert runs.ledger.slot_had(runs.now - MINUTE, now=runs.now + DAY).run.id == by_hand


# ---------------------------------------------------------------------------- taking it


def test_a_slot_is_taken_with_the_run_and_taken_over_from_one_that_died(runs) -> None:
    first = runs.begin(slot=runs.now)
    assert runs.ledger.slot(runs.now) == Slot(moment=runs.now, run_id=first, pid=77, host="db1")
    second = runs.begin(slot=runs.now)
    assert runs.ledger.slot(runs.now).run_id == second
    runs.end(second, Status.INTERRUPTED, 143)
    third = runs.begin(slot=runs.now)
    runs.end(third)
    assert runs.ledger.slot_had(runs.now, now=runs.now).run.id == third


def test_a_slot_that_was_had_is_taken_by_nobody_and_leaves_no_run(state, runs) -> None:
    run_id = runs.begin(slot=runs.now)
    runs.end(run_id)
    with pytest.raises(LockBusy, match=f"was taken by run {run_id}: this run has lost its lock"):
        runs.begin(slot=runs.now)
    assert state.sql("SELECT count(*) FROM run") == [(1,)]


def test_a_run_by_hand_is_never_refused(runs) -> None:
    runs.end(runs.begin(slot=runs.now))
    runs.end(runs.begin())


def test_a_run_that_lost_its_lock_learns_nothing_once_another_has_begun(state, runs) -> None:
    """Also if that one was for no slot: it or a person may have given up a claim since."""
    late = runs.begin(slot=runs.now)
    by_hand = runs.begin()
    learned = {"accepted": None, "claims": [state.claim(1)], "released": (), "plan": None}
    with pytest.raises(LockBusy, match=f"The newest run is {by_hand}, not {late}: "):
        runs.ledger.record(late, **learned)
    assert runs.ledger.view(now=runs.now).claims == {}
    runs.ledger.record(by_hand, **learned)


def test_a_run_that_lost_its_lock_and_its_slot_can_not_end_as_if_it_had_it(state, runs) -> None:
    """Its lock was given to another process, and it didn't notice before it was done."""
    late = runs.begin(slot=runs.now)
    with state.open() as other:
        over = Slot(moment=runs.now, run_id=0, pid=78, host="db2")
        second = other.begin_run(command="run", mode="auto", now=runs.now, slot=over)
        learned = {"accepted": None, "claims": [state.claim(1)], "released": (), "plan": None}
        with pytest.raises(LockBusy) as refused:
            runs.ledger.record(late, **learned)
        assert refused.value.exit_code == 7
        assert "What was done before stands in the state" in refused.value.consequence
        with pytest.raises(LockBusy):
            runs.end(late)
        assert other.slot_had(runs.now, now=runs.now) is None
        assert other.view(now=runs.now).claims == {}
        other.record(second, **learned)
        other.finish_run(
            second, status=Status.CLEAN, exit_code=0, digest="", headline="", now=runs.now
        )
    assert runs.ledger.slot_had(runs.now, now=runs.now).run.id == second
    assert runs.ledger.run(late).finished_at is None


# ---------------------------------------------------------------------------- keeping it


def test_old_slots_go_with_their_runs_and_the_newest_stays(state, runs) -> None:
    """A schedule may be rarer than runs are kept."""
    for days in (300, 200):
        runs.end(runs.begin(after=-days * DAY, slot=runs.now - days * DAY))
    assert runs.ledger.purge(before=runs.now).runs == 1
    assert state.sql("SELECT run_id FROM slot") == [(2,)]
    assert runs.ledger.slot_had(runs.now - 200 * DAY, now=runs.now).run.id == 2
    assert state.check().ok


def test_slots_are_carried_by_a_copy_and_by_a_backup(state, runs, tmp_path) -> None:
    runs.end(runs.begin(slot=runs.now))
    rows = state.sql("SELECT * FROM slot")
    target = state.elsewhere(tmp_path / "copy")
    copied = copying.copy(state.address, target.address, base=state.base, now=runs.now)
    assert copied.rows["slot"] == 1
    assert target.sql("SELECT * FROM slot") == rows
    kept = state.backup()
    state.put_back(kept)
    assert state.sql("SELECT * FROM slot") == rows
