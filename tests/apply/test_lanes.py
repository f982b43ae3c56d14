"""Deleting in several lanes: what is alone, what is at once, and how all of them end.

Moments are given, not waited for: a request of one lane is held back until another has had its.
"""

from __future__ import annotations

import signal
from collections import Counter
from contextlib import ExitStack
from functools import partial
from itertools import chain
from threading import Barrier, Event, Lock, Thread, current_thread, main_thread
from threading import enumerate as enumerate_threads

import pytest
from company import SECRET

from reconcile import apply
from reconcile.errors import StateError
from reconcile.lanes import Counted, Gathered, abreast
from reconcile.model import (
    Decision,
    DeleteGuard,
    EtagKind,
    Evidence,
    IfMatch,
    Outcome,
    Probe,
    ServerEtag,
    Verdict,
)
from reconcile.pbx.client import Connection, PbxReader, PbxWriter

PATIENCE = 10
"""Seconds until a test gives up."""
LANES = 4
CANARY = 5


class Office:
    """A plan and its tools; each request can be held back, and tells when it has its answer."""

    def __init__(self, company, ledger):
        self.company, self.server, self.ledger = company, company.server, ledger
        self.slept, self.interrupted, self.noted = [], False, Counter()
        self.peak = self.in_hand = 0
        self._counting = Lock()
        self._before, self._after = {}, {}
        self.answered = {}
        self.on_progress = lambda _done: None
        self.is_interrupted = lambda: self.interrupted
        connection = Connection(
            url=self.server.url, client_id="reconcile", client_secret=SECRET, concurrency=LANES
        )
        self.reader = PbxReader(connection, sleep=self.slept.append)
        self.writer = PbxWriter(self.reader)

    # -------------------------------------------------------------- as apply sees them

    def contact(self, contact_id):
        return self._asked("GET", contact_id, lambda: self.reader.contact(contact_id))

    def delete(self, contact_id, precondition):
        send = lambda: self.writer.delete(contact_id, precondition)  # noqa: E731 - as above
        return self._asked("DELETE", contact_id, send)

    def sleep(self, seconds):
        self.slept.append(seconds)

    def _asked(self, method, contact_id, send):
        key = (method, contact_id)
        self._next(self._before, key)
        with self._counting:
            self.in_hand += 1
            self.peak = max(self.peak, self.in_hand)
        try:
            return send()
        finally:
            with self._counting:
                self.in_hand -= 1
            self.answer(*key).set()
            self._next(self._after, key)

    @staticmethod
    def _next(held_back, key):
        if held_back.get(key):
            held_back[key].pop(0)()

    # -------------------------------------------------------------- what the test arranges

    def before(self, method, contact_id, *waits):
        """What the first, the second … of such requests waits for."""
        self._before[method, contact_id] = list(waits)

    def after(self, method, contact_id, *waits):
        self._after[method, contact_id] = list(waits)

    def in_hand_first(self, *others):
        """No DELETE of contact 6 leaves before these have been looked at."""
        events = [self.answer("GET", i) for i in others]
        self.before("DELETE", 6, lambda: [until(event)() for event in events])

    def answer(self, method, contact_id):
        """Set once such a request had an answer."""
        return self.answered.setdefault((method, contact_id), Event())

    def fail(self, contact_id, *, method="DELETE", **fault):
        path = f"/xapi/v1/Contacts({contact_id})"
        self.server.fail(method=method, path_prefix=path, **fault)

    def at_delete(self, contact_id, act):
        path = f"/xapi/v1/Contacts({contact_id})"
        self.server.hook(act, method="DELETE", path_prefix=path)

    def apply(self, *leavers, lanes=LANES):
        rows = {row.id: row.fields for row in self.company.book.rows()}
        self.server.clear_requests()
        self.run_id = self.ledger.begin_run(command="apply", mode="auto", now=self.company.now)
        now = self.company.now
        probe = Probe(
            pbx_url=self.server.url,
            pbx_version="",
            probed_at=now,
            etags=EtagKind.WEAK,
            if_match=IfMatch.ENFORCED,
        )
        plan = apply.ApprovedPlan(
            digest="d",
            approved_by="tester",
            guard=DeleteGuard.ETAG,
            probe=probe,
            deletes=tuple(_decision(i, rows[i]) for i in leavers),
        )
        tools = apply.Tools(
            reader=self,
            writer=self,
            journal=self.ledger,
            clock=lambda: now,
            sleep=self.sleep,
            held=lambda: None,
            lanes=lambda: min(lanes, self.reader.session.lanes.limit),
        )
        self.applied = apply.execute(
            plan,
            tools,
            run_id=self.run_id,
            interrupted=self.is_interrupted,
            progress=lambda done, _all: self.on_progress(done),
        )
        return {o.contact_id: o.outcome for o in self.applied.outcomes}

    # -------------------------------------------------------------- what came of it

    @property
    def journal(self):
        return {a.contact_id: a.outcome for a in self.ledger.actions(run_id=self.run_id)}

    @property
    def wire(self):
        """The requests for single contacts as (method, contact), in the order of their arrival."""
        prefix = "/xapi/v1/Contacts("
        requests = [r for r in self.server.requests if r.path.startswith(prefix)]
        return [(r.method, int(r.path.removeprefix(prefix).rstrip(")"))) for r in requests]

    def sent(self, contact_id):
        return [method for method, i in self.wire if i == contact_id]

    def detail(self, contact_id):
        (found,) = [o.detail for o in self.applied.outcomes if o.contact_id == contact_id]
        return found


def _decision(contact_id, fields):
    return Decision(
        contact=PbxReader.as_contact(fields),
        verdict=Verdict.DELETE,
        reason="has left",
        evidence=Evidence(contact_id=contact_id),
    )


def until(event):
    """Wait for a moment; the test fails if it doesn't come."""

    def wait():
        assert event.wait(PATIENCE)

    return wait


def met_by(number):
    """Nobody goes on before so many have come."""
    barrier = Barrier(number)
    return lambda: barrier.wait(PATIENCE)


@pytest.fixture
def office(company):
    company.create_state()
    with company.ledger() as ledger:
        made = Office(company, ledger)
        yield made
        made.reader.close()


# ------------------------------------------------------------------ what is alone


def test_the_first_delete_is_confirmed_before_anybody_else_is_looked_at(office):
    outcomes = office.apply(CANARY, 6, 7, 8, 9)
    assert office.wire[:3] == [("GET", CANARY), ("DELETE", CANARY), ("GET", CANARY)]
    assert Counter(office.wire[3:]) == Counter(
        (m, i) for m in ("GET", "DELETE") for i in range(6, 10)
    )
    assert set(outcomes.values()) == {Outcome.DELETED}


def test_until_a_delete_is_confirmed_there_is_one_lane(office):
    office.server.hook(
        lambda: office.company.book.edit(CANARY, {"Title": "Is back"}), path_prefix="/xapi"
    )
    office.fail(6, status=404, effect="after")
    outcomes = office.apply(CANARY, 6, 7, 8, 9)
    assert office.wire[:7] == [
        ("GET", CANARY),
        ("GET", 6),
        ("DELETE", 6),
        ("GET", 6),
        ("GET", 7),
        ("DELETE", 7),
        ("GET", 7),
    ]
    assert (outcomes[CANARY], outcomes[6]) == (Outcome.CHANGED, Outcome.ALREADY_GONE)
    assert {outcomes[i] for i in (7, 8, 9)} == {Outcome.DELETED}


def test_one_lane_takes_one_contact_after_the_other(office):
    office.apply(CANARY, 6, 7, 8, lanes=1)
    assert [i for _, i in office.wire] == sorted(i for _, i in office.wire)


# ------------------------------------------------------------------ what is at once


def test_all_lanes_are_used_and_never_more(office):
    together = met_by(LANES)
    for contact_id in range(6, 6 + LANES):
        office.after("GET", contact_id, together)  # four have been looked at, none is deleted
    office.apply(*range(CANARY, 40))
    assert office.peak <= LANES


def test_two_lanes_are_two(office):
    office.in_hand_first(7)
    assert set(office.apply(CANARY, 6, 7, lanes=2).values()) == {Outcome.DELETED}
    assert (office.applied.interrupted, office.applied.stopped) == (False, "")


def test_a_slow_answer_holds_up_one_lane_only_and_the_plan_keeps_its_order(office):
    office.before("GET", 6, until(office.answer("DELETE", 12)))
    outcomes = office.apply(*range(CANARY, 13))
    assert list(outcomes) == list(range(CANARY, 13))
    assert set(outcomes.values()) == {Outcome.DELETED}


def test_at_each_delete_its_own_tombstone_and_intent_are_on_disk(office):
    leavers, buried = range(CANARY, 45), {}

    def dig(contact_id):
        with office.company.ledger() as ledger:
            graves = ledger.tombstones(contact_id=contact_id)
            intents = ledger.actions(contact_id=contact_id, unresolved=True)
        buried[contact_id] = (len(graves), len(intents))

    for contact_id in leavers:
        office.at_delete(contact_id, lambda contact_id=contact_id: dig(contact_id))
    office.apply(*leavers)
    assert buried == dict.fromkeys(leavers, (1, 1))
    assert office.journal == dict.fromkeys(leavers, Outcome.DELETED)
    ends = {action.ended_at for action in office.ledger.actions(run_id=office.run_id)}
    assert ends == {office.company.now}


# ------------------------------------------------------------------ how all of them end


def test_a_stop_in_one_lane_lets_no_delete_of_another_out(office):
    stopped = Event()
    office.on_progress = lambda done: done == 2 and stopped.set()
    office.fail(6, status=403, body={"error": {"code": "", "message": "No rights."}})
    office.in_hand_first(7, 8, 9)
    for slow in (7, 8, 9):
        office.after("GET", slow, until(stopped))
    outcomes = office.apply(*range(CANARY, 12))
    left = dict.fromkeys(range(7, 12), Outcome.NOT_ATTEMPTED)
    assert outcomes == {CANARY: Outcome.DELETED, 6: Outcome.REFUSED, **left}
    assert [office.sent(i) for i in (7, 8, 9)] == [["GET"]] * 3
    assert [office.sent(i) for i in (10, 11)] == [[]] * 2
    assert office.applied.stopped == f"contact 6: {office.detail(6)}"
    assert office.detail(6) == "3CX answered 403: No rights"
    assert office.detail(CANARY) == "3CX answered 204"
    assert {office.detail(i) for i in left} == {f"the run stopped: {office.applied.stopped}"}
    assert {office.journal[i] for i in (7, 8, 9)} == {Outcome.NOT_ATTEMPTED}


def test_what_is_on_its_way_at_a_stop_gets_its_outcome(office):
    stopped = Event()
    office.on_progress = lambda done: done == 2 and stopped.set()
    office.before("DELETE", 6, until(office.answer("DELETE", 7)))
    office.fail(6, status=403)
    office.after("DELETE", 7, until(stopped))
    outcomes = office.apply(CANARY, 6, 7)
    assert (outcomes[6], outcomes[7]) == (Outcome.REFUSED, Outcome.DELETED)
    assert office.journal[7] is Outcome.DELETED


def test_the_first_reason_is_the_reason(office):
    stopped = Event()
    office.on_progress = lambda done: done == 2 and stopped.set()
    office.fail(6, status=403)
    office.fail(7, status=405)
    office.before("DELETE", 6, until(office.answer("DELETE", 7)))
    office.after("DELETE", 7, until(stopped))
    outcomes = office.apply(CANARY, 6, 7)
    assert (outcomes[6], outcomes[7]) == (Outcome.REFUSED, Outcome.REFUSED)
    assert office.applied.stopped.startswith("contact 6: ")


def test_an_unanswered_delete_is_unconfirmed_if_nothing_more_may_be_sent(office):
    """A 503 leaves open whether it was done, and the second look finds it: it may be on its way."""
    stopped = Event()
    office.on_progress = lambda done: done == 2 and stopped.set()
    office.fail(6, status=503, headers={"Retry-After": "3"})
    office.before("GET", 6, lambda: None, until(stopped))
    office.before("DELETE", 7, until(office.answer("DELETE", 6)))
    office.fail(7, status=403)
    outcomes = office.apply(CANARY, 6, 7)
    assert (outcomes[6], outcomes[7]) == (Outcome.UNCONFIRMED, Outcome.REFUSED)
    assert office.sent(6) == ["GET", "DELETE", "GET"]


def test_two_lanes_that_find_gone_what_was_just_read_stop_the_run(office):
    for contact_id in range(6, 30):
        office.fail(contact_id, status=404, effect="after")
    together = met_by(2)
    for contact_id in (6, 7):
        office.after("DELETE", contact_id, together)
    outcomes = list(office.apply(*range(CANARY, 30)).values())
    assert "twice in a row" in office.applied.stopped
    assert outcomes.count(Outcome.ALREADY_GONE) <= LANES + 1  # those in hand
    assert outcomes.count(Outcome.NOT_ATTEMPTED) >= len(outcomes) - 2 - LANES


def test_an_interrupted_run_finishes_what_is_in_hand(office):
    office.at_delete(6, lambda: setattr(office, "interrupted", True))
    outcomes = office.apply(*range(CANARY, 30))
    deleted = [i for i, outcome in outcomes.items() if outcome is Outcome.DELETED]
    assert {CANARY, 6} <= set(deleted)
    assert office.applied.interrupted
    assert office.journal == dict.fromkeys(deleted, Outcome.DELETED)
    left = [i for i, outcome in outcomes.items() if outcome is Outcome.NOT_ATTEMPTED]
    assert sorted(deleted + left) == list(outcomes)
    assert {office.detail(i) for i in left} == {"the run was interrupted"}
    assert [office.sent(i) for i in left] == [[]] * len(left)


def test_a_signal_that_one_lane_has_heard_is_heard_by_all(office):
    heard = iter([False, False, True])
    office.is_interrupted = lambda: next(heard, False)
    outcomes = office.apply(*range(CANARY, 12))
    left = dict.fromkeys(range(7, 12), Outcome.NOT_ATTEMPTED)
    assert outcomes == {CANARY: Outcome.DELETED, 6: Outcome.DELETED, **left}
    assert (office.applied.interrupted, office.applied.stopped) == (True, "interrupted")


def test_a_journal_that_breaks_ends_every_lane(office):
    def renamed(before, after):
        office.company.sql(f"ALTER TABLE {before} RENAME TO {after}")

    office.after("DELETE", 6, lambda: renamed("action", "lost"))
    with pytest.raises(StateError) as caught:
        office.apply(*range(CANARY, 30))
    renamed("lost", "action")
    assert caught.value.consequence.startswith("Deleted before: ")
    sent = {i for method, i in office.wire if method == "DELETE"}
    assert sent <= set(office.journal)
    assert None in office.journal.values()  # open, for the next run to look
    office.company.server.clear_requests()
    found = apply.resolve(
        office.ledger.actions(unresolved=True),
        reader=office.reader,
        journal=office.ledger,
        clock=lambda: office.company.now,
    )
    assert found
    assert office.ledger.actions(unresolved=True) == []
    gone = {i for i in range(CANARY, 30) if not office.company.has(i)}
    assert gone == {i for i, outcome in office.journal.items() if outcome is Outcome.DELETED}


def test_a_last_outcome_that_can_not_be_written_is_no_success(office):
    """The contact is gone and its intent is open, for the next run to look."""

    def renamed(before, after):
        office.company.sql(f"ALTER TABLE {before} RENAME TO {after}")

    office.after("DELETE", 6, lambda: renamed("action", "lost"))
    with pytest.raises(StateError) as caught:
        office.apply(CANARY, 6)
    renamed("lost", "action")
    assert caught.value.consequence.startswith("Deleted before: 2. ")
    assert office.journal == {CANARY: Outcome.DELETED, 6: None}


def test_a_bug_in_a_lane_is_raised_and_nothing_more_is_sent(office):
    raised = Event()

    def progress(done):
        if done == 2:
            raised.set()
            raise ZeroDivisionError

    office.on_progress = progress
    office.in_hand_first(7, 8, 9)
    for slow in (7, 8, 9):
        office.after("GET", slow, until(raised))
    with pytest.raises(ZeroDivisionError):
        office.apply(*range(CANARY, 30))
    assert {i for method, i in office.wire if method == "DELETE"} <= set(range(CANARY, 10))
    assert not {i for _, i in office.wire} & set(range(14, 30))
    assert None not in office.journal.values()


def test_a_bug_between_two_contacts_of_a_lane_is_raised_too(office):
    def asked():
        if current_thread() is not main_thread():
            raise ZeroDivisionError
        return False

    office.is_interrupted = asked
    with pytest.raises(ZeroDivisionError):
        office.apply(*range(CANARY, 30))
    assert {i for _, i in office.wire} == {CANARY}
    assert office.journal == {CANARY: Outcome.DELETED}


def test_a_bug_in_telling_how_a_stop_was_is_raised_too(office):
    def progress(done):
        if done == 2:
            raise ZeroDivisionError

    office.on_progress = progress
    office.fail(6, status=403)
    with pytest.raises(ZeroDivisionError):
        office.apply(CANARY, 6)


def test_a_second_signal_ends_it_at_once_and_no_lane_sends_another_delete(office):
    over = Event()

    def progress(done):
        if done == 2:
            assert current_thread() is not main_thread()
            signal.raise_signal(signal.SIGINT)

    office.on_progress = progress
    office.in_hand_first(7, 8, 9)
    for slow in (7, 8, 9):
        office.after("GET", slow, until(over))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            office.apply(*range(CANARY, 30))
    finally:
        signal.signal(signal.SIGINT, before)
        over.set()
    for thread in enumerate_threads():
        if thread.name.startswith("lane "):
            thread.join(PATIENCE)
    assert [office.sent(i) for i in (7, 8, 9)] == [["GET"]] * 3


# ------------------------------------------------------------------ a PBX that is busy


def test_one_lane_waits_for_all_that_were_asked_to_before_it_did(office):
    together = met_by(3)
    for busy in (6, 7, 8):
        office.fail(busy, status=429, headers={"Retry-After": "9"})
        office.before("DELETE", busy, together)
    done = [office.answer("DELETE", i) for i in (6, 7, 8)]
    office.sleep = lambda s: office.slept.append(s) or [until(event)() for event in done]
    outcomes = office.apply(CANARY, 6, 7, 8)
    assert office.slept == [9.0]
    assert set(outcomes.values()) == {Outcome.DELETED}
    assert Counter(office.wire)["DELETE", 6] == 2


def test_those_who_wait_together_wait_once(office):
    for busy in (6, 7, 8):
        office.fail(busy, status=429, headers={"Retry-After": "120"}, times=2)
    together = met_by(3), met_by(3)
    for busy in (6, 7, 8):
        office.before("DELETE", busy, *together)
    assert set(office.apply(CANARY, 6, 7, 8).values()) == {Outcome.DELETED}
    assert office.slept == [120.0, 120.0], "six times would be too long"


def test_nobody_begins_with_another_contact_while_one_lane_waits(office):
    office.fail(6, status=429, headers={"Retry-After": "9"})
    seen = []

    def sleep(_seconds):
        for going_on in (7, 8, 9):
            until(office.answer("DELETE", going_on))()
        Event().wait(0.2)  # in which the others would begin, if they did
        seen.extend(i for _, i in office.wire)

    office.sleep = sleep
    office.in_hand_first(7, 8, 9)
    for contact_id in (7, 8, 9):
        office.after("GET", contact_id, until(office.answer("DELETE", 6)))
    outcomes = office.apply(*range(CANARY, 20))
    assert set(seen) == {CANARY, 6, 7, 8, 9}
    assert set(outcomes.values()) == {Outcome.DELETED}


def test_a_pbx_that_is_always_busy_stops_all_lanes(office):
    for busy in range(6, 20):
        office.fail(busy, status=429, headers={"Retry-After": "9"}, times=10)
    outcomes = office.apply(*range(CANARY, 20))
    assert "asks to wait too long" in office.applied.stopped
    assert set(list(outcomes.values())[1:]) == {Outcome.REFUSED, Outcome.NOT_ATTEMPTED}
    assert max(Counter(i for m, i in office.wire if m == "DELETE").values()) <= 4


def test_a_busy_pbx_is_asked_by_half_as_many(office):
    office.fail(6, status=429, headers={"Retry-After": "9"})
    office.in_hand_first(7, 8, 9)

    def progress(done):
        if done == 12:  # those that are too many have ended with what they had in hand
            office.peak = 0

    office.on_progress = progress
    outcomes = office.apply(*range(CANARY, 45))
    assert office.reader.session.lanes.limit == LANES // 2
    assert office.peak <= LANES // 2
    assert set(outcomes.values()) == {Outcome.DELETED}


def test_nothing_stands_between_the_last_check_and_a_delete(office):
    """Not even other requests: a stop that comes while it waits for them would come too late."""
    contact, _ = office.reader.contact(CANARY)
    with ExitStack() as taken:
        for _ in range(LANES):
            taken.enter_context(office.reader.session.lanes)
        sent = partial(office.writer.delete, CANARY, ServerEtag(tag=contact.etag))
        thread = Thread(target=sent, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert not office.company.has(CANARY)


def test_one_lane_too_many_ends_and_one_always_stays():
    allowed = [4]
    counted = Counted(lambda: allowed[0])
    assert [counted.may_stay() for _ in range(5)] == [True] * 5
    allowed[0] = 1
    assert [counted.may_stay() for _ in range(5)] == [False] * 3 + [True] * 2


# ------------------------------------------------------------------ together


def asked_by(gathered, numbers):
    """What each of so many threads is answered, all of them let go at the same time."""
    start, answers = Barrier(len(numbers)), {}

    def ask(number):
        start.wait(PATIENCE)
        answers[number] = gathered(number)

    threads = [Thread(target=ask, args=[n]) for n in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return answers


def test_who_is_alone_waits_for_nobody():
    groups = []
    gathered = Gathered(lambda asked: groups.append(asked) or [2 * a for a in asked])
    assert [gathered(1), gathered(2)] == [2, 4]
    assert groups == [[1], [2]]


def test_those_who_ask_meanwhile_are_one_group_and_each_gets_its_own_answer():
    groups = []

    def do(asked):
        groups.append(asked)
        Event().wait(0.05)  # the others ask
        return [2 * a for a in asked]

    assert asked_by(Gathered(do), range(8)) == {n: 2 * n for n in range(8)}
    assert sorted(chain.from_iterable(groups)) == list(range(8))
    assert len(groups) < 8


def test_one_group_is_at_work_at_a_time():
    working, clashes = Lock(), []

    def do(asked):
        if not working.acquire(blocking=False):
            clashes.append(asked)
            return asked
        Event().wait(0.002)
        working.release()
        return asked

    gathered = Gathered(do)

    def ask(number):
        return [gathered(number) for _ in range(20)]

    answers = asked_by(ask, range(8))
    assert answers == {n: [n] * 20 for n in range(8)}
    assert clashes == []


def test_an_error_is_raised_in_everyone_of_its_group_and_in_nobody_after():
    groups = []

    def do(asked):
        groups.append(asked)
        Event().wait(0.05)
        if 3 in asked:
            raise StateError("The disk is full.", hint="make room")
        return asked

    gathered = Gathered(do)

    def ask(number):
        try:
            return gathered(number)
        except StateError as error:
            return error

    answers = asked_by(ask, range(8))
    (failed,) = [group for group in groups if 3 in group]
    assert {n for n, answer in answers.items() if isinstance(answer, StateError)} == set(failed)
    assert gathered(9) == 9


def test_abreast_ends_when_all_have_ended():
    done, start = [], Barrier(3)

    def work():
        start.wait(PATIENCE)  # nobody passes unless all three are there
        done.append((current_thread().name, current_thread().daemon))

    abreast(work, 3)
    assert sorted(done) == [("lane 1", True), ("lane 2", True), ("lane 3", True)]


def test_what_is_left_is_done_with_the_next_group_or_at_the_end():
    groups = []
    gathered = Gathered(lambda asked: groups.append(asked) or asked)
    gathered.leave(1)
    assert groups == []
    assert gathered(2) == 2
    gathered.leave(3)
    gathered.finish()
    gathered.finish()
    assert groups == [[1, 2], [3]]


def test_what_was_left_and_can_not_be_done_is_told_at_the_end():
    def do(_asked):
        raise StateError("The disk is full.", hint="make room")

    gathered = Gathered(do)
    gathered.leave(1)
    with pytest.raises(StateError, match="The disk is full"):
        gathered.finish()
