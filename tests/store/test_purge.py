"""Forgetting: what must go is gone from the file, and what a guard needs stays."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from reconcile.errors import ApprovalRefused, UsageError
from reconcile.model import Outcome
from reconcile.store.purging import PurgeResult

DAY = timedelta(days=1)


@pytest.fixture
def deleted(ledger, intend, now: datetime):
    """Deletes a contact in a run of its own, so many days ago."""

    def delete(contact_id: int, days: int, **more: object) -> int:
        at = now - days * DAY
        run_id = ledger.begin_run(command="run", mode="auto", now=at)
        number = intend(contact_id, run_id=run_id, now=at, **more)
        ledger.settle(number, outcome=Outcome.DELETED, detail="", now=at)
        return run_id

    return delete


def on_disk(state) -> bytes:
    """All that is in the files of the state, or of the whole database that it is in."""
    if state.cluster:
        look = "SELECT oid FROM pg_database WHERE datname = 'states'"
        [(number,)] = state.cluster.sql("CHECKPOINT", look)
        folder = state.cluster.folder / "data" / "base" / str(number)
        return b"".join(file.read_bytes() for file in folder.iterdir())
    return b"".join(file.read_bytes() for file in state.path.parent.iterdir())


def test_old_tombstones_and_runs_are_forgotten(ledger, deleted, now: datetime) -> None:
    old, recent = deleted(5, 100), deleted(6, 80)
    assert ledger.purge(before=now - 90 * DAY) == PurgeResult(tombstones=1, runs=1)
    assert [t.contact_id for t in ledger.tombstones()] == [6]
    assert [a.contact_id for a in ledger.actions()] == [6]
    assert ledger.run(old) is None
    assert ledger.run(recent) is not None
    assert ledger.purge(before=now - 90 * DAY) == PurgeResult()


def test_a_number_of_a_run_is_never_used_twice(ledger, now: datetime) -> None:
    first = ledger.begin_run(command="run", mode="auto", now=now - 100 * DAY)
    assert ledger.purge(before=now).runs == 1
    assert ledger.begin_run(command="run", mode="auto", now=now) == first + 1


def test_the_weekly_limit_still_counts_what_was_purged(ledger, deleted, now: datetime) -> None:
    for contact_id, days in ((5, 6), (6, 8)):
        deleted(contact_id, days)
    assert ledger.purge(before=now) == PurgeResult(tombstones=2, runs=1)
    assert ledger.tombstones() == []
    assert ledger.view(now=now).deleted_last_week == 1


def test_a_purged_name_is_gone_from_the_disk(state, ledger, deleted) -> None:
    secret = "Wilhelmina" * 100  # so short that PostgreSQL doesn't pack it
    deleted(5, 100, entity={"FirstName": secret}, reason=f"{secret} left")
    assert b"Wilhelmina" in on_disk(state)
    ledger.purge(before=state.now)
    assert b"Wilhelmina" not in on_disk(state)


def test_an_unresolved_intent_keeps_its_tombstone_and_its_run(
    ledger, intend, now: datetime
) -> None:
    at = now - 100 * DAY
    run_id = ledger.begin_run(command="run", mode="auto", now=at)
    number = intend(5, run_id=run_id, now=at)
    assert ledger.purge(before=now) == PurgeResult(kept=1)
    assert ledger.purge(contact_id=5) == PurgeResult(kept=1)
    assert len(ledger.view(now=now).unresolved) == 1
    ledger.settle(number, outcome=Outcome.DELETED, detail="", now=now)
    assert ledger.purge(before=now) == PurgeResult(tombstones=1)
    assert ledger.view(now=now).deleted_last_week == 1
    assert ledger.purge(before=now + 8 * DAY).runs == 2


def test_the_exports_that_the_next_one_is_measured_by_stay(state, ledger) -> None:
    at = state.now - 100 * DAY
    exports = [
        state.accepted(),
        state.accepted(generated_at=state.now + DAY),
        state.accepted(),
        state.accepted(history=True),
    ]
    for export in exports:
        run_id = ledger.begin_run(command="plan", mode="review", now=at)
        ledger.record(run_id, accepted=export, claims=(), released=(), plan=None)
    before = ledger.view(now=state.now)
    assert ledger.purge(before=state.now) == PurgeResult(runs=2)
    assert ledger.view(now=state.now) == before
    assert [run.id for run in ledger.runs()] == [3, 2]


def test_a_plan_never_outlives_its_approval(state, ledger, plan) -> None:
    at = state.now - 100 * DAY
    planned = ledger.begin_run(command="plan", mode="review", now=at)
    ledger.record(planned, accepted=state.accepted(), claims=(), released=(), plan=plan)
    applied = ledger.begin_run(command="apply", mode="review", now=at)
    ledger.use_approval(planned, run_id=applied, approved_by="anna", now=at)
    with pytest.raises(ApprovalRefused):
        ledger.use_approval(planned, run_id=applied, approved_by="anna", now=at)
    assert ledger.purge(before=state.now).runs == 1
    assert [run.id for run in ledger.runs()] == [planned]
    assert ledger.plan(plan.digest) == []
    assert ledger.latest_plan_run() is None


def test_one_contact_is_forgotten_under_all_its_ids(state, ledger, deleted) -> None:
    deleted(5, 10, entity={"FirstName": "Wilhelmina"}, reason="Wilhelmina left")
    deleted(6, 10)
    ledger.mark_restored(ledger.tombstones(contact_id=5)[0].id, new_contact_id=50, now=state.now)
    ledger.adopt([state.claim(50, name="Wilhelmina"), state.claim(60)])
    assert ledger.purge(contact_id=50) == PurgeResult(tombstones=1, claims=1)
    assert [t.contact_id for t in ledger.tombstones()] == [6]
    assert ledger.view(now=state.now).claims == {50: state.claim(50, name=""), 60: state.claim(60)}
    assert len(ledger.runs()) == 3
    assert b"Wilhelmina" not in on_disk(state)


def test_a_purge_of_everything_can_not_be_asked_for(ledger, deleted, now: datetime) -> None:
    deleted(5, 100)
    for scope in ({}, {"before": now, "contact_id": 5}):
        with pytest.raises(UsageError, match="either an age or one contact"):
            ledger.purge(**scope)
    assert len(ledger.tombstones()) == 1
