"""Intent before, outcome after; and what a kill between the two leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from kinds import SQLITE

from reconcile.errors import StateError
from reconcile.model import Action, DeleteGuard, Outcome, Tombstone


def test_an_intent_is_a_tombstone_and_an_open_action(
    ledger, run_id: int, intend, now: datetime
) -> None:
    number = intend(5, guard=DeleteGuard.COMPARE)
    action = Action(
        id=number,
        run_id=run_id,
        contact_id=5,
        tombstone_id=1,
        guard=DeleteGuard.COMPARE,
        intended_at=now,
        fingerprint="f",
    )
    assert ledger.actions() == [action]
    assert ledger.view(now=now).unresolved == (action,)
    assert ledger.tombstones() == [
        Tombstone(
            id=1,
            run_id=run_id,
            contact_id=5,
            entity={"Id": 5, "FirstName": "Jörg", "Mobile2": None, "Tags": ["a"]},
            reason="absent in 2 of 2 exports",
            crm_id="C5",
            created_at=now,
        )
    ]


def test_an_entity_comes_back_with_every_character_and_type(ledger, intend) -> None:
    entity = {"a": "\ud83d \0 \U0001f600 ä", "b": [1, 1.5, None, True, {"c": ""}], "": ""}
    intend(5, entity=entity)
    assert ledger.tombstones(contact_id=5)[0].entity == entity


@pytest.mark.parametrize("outcome", Outcome)
def test_only_a_contact_that_is_gone_loses_its_claim(
    state, ledger, intend, outcome: Outcome
) -> None:
    ledger.adopt([state.claim(5), state.claim(6)])
    number = intend(5)
    later = state.now + timedelta(seconds=2)
    ledger.settle(number, outcome=outcome, detail="said so", now=later)
    view = ledger.view(now=later)
    gone = outcome in {Outcome.DELETED, Outcome.ALREADY_GONE}
    assert list(view.claims) == ([6] if gone else [5, 6])
    [action] = ledger.actions()
    assert view.unresolved == ((action,) if outcome is Outcome.UNCONFIRMED else ())
    assert (action.outcome, action.detail, action.ended_at) == (outcome, "said so", later)
    assert ledger.tombstones()[0].outcome == outcome


def test_what_nobody_knew_is_settled_by_a_later_look(state, ledger, intend) -> None:
    ledger.adopt([state.claim(5)])
    number = intend(5)
    ledger.settle(number, outcome=Outcome.UNCONFIRMED, detail="no answer", now=state.now)
    assert [a.id for a in ledger.actions(unresolved=True)] == [number]
    ledger.settle(number, outcome=Outcome.DELETED, detail="it is gone", now=state.now)
    assert ledger.actions(unresolved=True) == []
    assert not ledger.view(now=state.now).claims
    with pytest.raises(StateError):
        ledger.settle(number, outcome=Outcome.CHANGED, detail="", now=state.now)


def test_an_action_is_settled_once(state, ledger, intend) -> None:
    ledger.adopt([state.claim(5)])
    number = intend(5)
    ledger.settle(number, outcome=Outcome.CHANGED, detail="", now=state.now)
    for settled in (number, 99):
        with pytest.raises(StateError, match=f"action {settled} is not unsettled"):
            ledger.settle(settled, outcome=Outcome.DELETED, detail="", now=state.now)
    assert ledger.actions()[0].outcome is Outcome.CHANGED
    assert list(ledger.view(now=state.now).claims) == [5]


def test_a_delete_that_was_not_done_after_all_is_open_again_with_its_claim(
    state, ledger, intend
) -> None:
    ledger.adopt([state.claim(5)])
    number = intend(5)
    ledger.settle(number, outcome=Outcome.DELETED, detail="204", now=state.now)
    ledger.reopen(number, detail="the listing still has it", claim=state.claim(5))
    [action] = ledger.actions(unresolved=True)
    assert (action.outcome, action.detail) == (Outcome.UNCONFIRMED, "the listing still has it")
    assert ledger.view(now=state.now).claims == {5: state.claim(5)}
    ledger.reopen(number, detail="again", claim=None)
    assert list(ledger.view(now=state.now).claims) == [5]
    with pytest.raises(StateError, match="there is no action 99; nothing was changed") as caught:
        ledger.reopen(99, detail="", claim=state.claim(6))
    assert caught.value.hint == "reconcile db check"
    assert list(ledger.view(now=state.now).claims) == [5]


def test_an_intent_without_its_run_leaves_no_tombstone(ledger, intend) -> None:
    with pytest.raises(Exception, match=r"FOREIGN KEY|foreign key"):
        intend(5, run_id=99)
    assert ledger.tombstones() == []


def test_the_journal_is_asked_by_run_by_contact_and_for_what_is_open(
    ledger, run_id: int, intend, now: datetime
) -> None:
    other = ledger.begin_run(command="run", mode="auto", now=now)
    numbers = [intend(5), intend(6), intend(5, run_id=other)]
    ledger.settle(numbers[0], outcome=Outcome.CHANGED, detail="", now=now)
    assert [a.id for a in ledger.actions()] == numbers
    assert [a.id for a in ledger.actions(run_id=run_id)] == numbers[:2]
    assert [a.id for a in ledger.actions(contact_id=5)] == [numbers[0], numbers[2]]
    assert [a.id for a in ledger.actions(unresolved=True)] == numbers[1:]
    assert [a.id for a in ledger.actions(run_id=other, contact_id=6)] == []
    assert [t.contact_id for t in ledger.tombstones(run_id=run_id)] == [5, 6]
    assert [t.run_id for t in ledger.tombstones(contact_id=5)] == [run_id, other]


def test_the_week_counts_deletes_and_nothing_else(ledger, intend, now: datetime) -> None:
    for day, outcome in enumerate(2 * list(Outcome)):
        number = intend(day)
        ended = now - timedelta(days=7) + timedelta(seconds=1 if day < len(Outcome) else 0)
        ledger.settle(number, outcome=outcome, detail="", now=ended)
    intend(99)
    assert ledger.view(now=now).deleted_last_week == 1
    assert ledger.view(now=now - timedelta(seconds=1)).deleted_last_week == 2
    assert ledger.view(now=now + timedelta(seconds=1)).deleted_last_week == 0


def test_a_contact_is_restored_once(state, ledger, intend, now: datetime) -> None:
    ledger.settle(intend(5), outcome=Outcome.DELETED, detail="", now=now)
    [before] = ledger.tombstones()
    ledger.mark_restored(before.id, new_contact_id=50, now=now)
    assert ledger.tombstones() == [replace(before, restored_as=50)]
    [(restored_at,)] = state.sql("SELECT restored_at FROM tombstone")
    assert datetime.fromisoformat(str(restored_at)).replace(tzinfo=UTC) == now
    for tombstone in (before.id, 99):
        with pytest.raises(StateError, match=f"tombstone {tombstone} is not unrestored"):
            ledger.mark_restored(tombstone, new_contact_id=51, now=now)
    assert ledger.tombstones()[0].restored_as == 50


def test_a_kill_between_intent_and_outcome_leaves_the_intent(state, ledger) -> None:
    ledger.adopt([state.claim(5), state.claim(6)])
    killed = state.process(
        "from reconcile.model import DeleteGuard, Outcome\n"
        "from reconcile.store.ledger import Ledger\n"
        "ledger = Ledger.open(url, base=base, pbx_url=pbx_url)\n"
        "run = ledger.begin_run(command='run', mode='auto', now=now)\n"
        "def intend(contact):\n"
        "    return ledger.intend(run_id=run, contact_id=contact, fingerprint='f',\n"
        "        guard=DeleteGuard.ETAG, entity={'Id': contact}, reason='r', crm_id='c', now=now)\n"
        "ledger.settle(intend(5), outcome=Outcome.DELETED, detail='', now=now)\n"
        "intend(6)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed.communicate()
    assert killed.returncode == -9
    view = ledger.view(now=state.now)
    assert [action.contact_id for action in view.unresolved] == [6]
    assert list(view.claims) == [6]
    assert view.deleted_last_week == 1
    assert [(t.contact_id, t.outcome) for t in ledger.tombstones()] == [
        (5, Outcome.DELETED),
        (6, None),
    ]


@SQLITE
def test_a_full_disk_before_the_delete_leaves_no_intent(
    ledger, intend, full_disk, now: datetime
) -> None:
    with full_disk(500_000), pytest.raises(StateError):
        intend(5, entity={"Note": "x" * 1_000_000})
    assert ledger.view(now=now).unresolved == ()
    assert ledger.tombstones() == []
    intend(5)
