"""Two schedulers through many histories: at any point the other goes on, or one dies.

The real nights on real states, one thread for each machine, and one baton: whoever has it runs up
to the next look at the clock, and a drawn number says who has it then. Time passes only while both
sleep, so hours cost nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Condition, Thread, current_thread
from typing import TYPE_CHECKING

import pytest
from amounts import amount, note
from canaries import SECRET

from reconcile.model import Exit
from reconcile.session import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from slots.pair import Machine, Pair

SLOTS = 3
PATIENCE = 60
HISTORIES = amount(check=2, prove=60)
HOUR = timedelta(hours=1)
DEATH = 0.02
"""How probable it is at each look at the clock."""
SKEWS = (timedelta(seconds=1), timedelta(seconds=8), timedelta(minutes=25))
"""How far the clocks differ."""
STEP = timedelta(seconds=1.5)
"""So much time passes at most from one look at the clock to the next."""


class Died(BaseException):
    """SIGKILL, as far as a thread can have it."""


@dataclass
class Baton:
    """Who runs, and what time it is."""

    draw: random.Random
    now: datetime
    ready: Condition = field(default_factory=Condition)
    wakes: dict[Thread, datetime] = field(default_factory=dict)
    """Thread → when it goes on."""
    has: Thread | None = None
    faults: list[BaseException] = field(default_factory=list)
    deaths: int = 0
    waited: int = 0

    def play(self, parts: Sequence[Callable[[], None]]) -> None:
        """All parts to their end, a thread each."""
        threads = [Thread(target=self._play, args=[part], daemon=True) for part in parts]
        with self.ready:
            self.wakes = dict.fromkeys(threads, self.now)
            self.has = None
        for thread in threads:
            thread.start()
        with self.ready:
            self._pass()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        if self.faults:
            raise self.faults[0]

    def _play(self, part: Callable[[], None]) -> None:
        with self.ready:
            self._await()
        try:
            part()
        except BaseException as fault:  # noqa: BLE001 - told by whoever waits for all
            self.faults.append(fault)
        with self.ready:
            del self.wakes[current_thread()]
            self._pass()

    def wait(self, until: datetime) -> None:
        """Hand the baton on; go on when it is back, not before that moment."""
        with self.ready:
            self.wakes[current_thread()] = until
            self._pass()
            self._await()

    def _await(self) -> None:
        assert self.ready.wait_for(lambda: self.has is current_thread(), timeout=PATIENCE)

    def _pass(self) -> None:
        if self.wakes:
            self.now = max(self.now, min(self.wakes.values()))
            able = [thread for thread, wakes in self.wakes.items() if wakes <= self.now]
            self.has = self.draw.choice(able)
        self.ready.notify_all()


@dataclass
class Scheduler:
    """One machine and its process, which is begun again after it died."""

    pair: Pair
    machine: Machine
    baton: Baton
    slots: list[datetime]
    skew: timedelta
    """By how much its clock is ahead."""
    deadly: bool = True
    done: list[datetime] = field(default_factory=list)
    """The slots that it went through alive."""

    def live(self) -> None:
        """Night after night."""
        thread = current_thread()
        self.machine.another_world = World(
            environ={"SECRET": SECRET},
            clock=lambda: self._clock(thread),
            sleep=self._sleep,
            user="tester",
        )
        for slot in self.slots:
            if slot - self.skew >= self.baton.now:  # else it was down when the slot came
                self.baton.wait(slot - self.skew)
                self._night(slot)

    def _night(self, slot: datetime) -> None:
        try:
            code = self.machine.night(slot)
        except Died:
            self.baton.deaths += 1
            self.baton.wait(self.baton.now + self.baton.draw.uniform(0, 2) * HOUR)
            return
        if code is Exit.CONVERGED:
            with self.pair.first.ledger() as ledger:
                assert ledger.slot_had(slot, now=self.baton.now + self.skew) is not None
            self.done.append(slot)
        else:
            assert code is Exit.LOCKED

    def _clock(self, thread: Thread) -> datetime:
        if current_thread() is thread:  # a run has helpers, who look at the clock, too
            if self.deadly and self.baton.draw.random() < DEATH:
                raise Died
            self.baton.wait(self.baton.now + self.baton.draw.random() * STEP)
        return self.baton.now + self.skew

    def _sleep(self, seconds: float) -> None:
        self.baton.waited += 1
        self.baton.wait(self.baton.now + timedelta(seconds=seconds))


def crm(pair: Pair, baton: Baton, slots: list[datetime]) -> None:
    """Before each slot somebody leaves."""
    for slot in slots:
        baton.wait(slot - HOUR)
        pair.at(baton.now)
        pair.leaves()


def lived(pair: Pair, seed: int) -> Baton:
    """A history of both machines, and a last slot at which nobody dies."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    begins = pair.first.now + HOUR
    slots = [begins + 3 * HOUR * (n + 1) for n in range(SLOTS)]
    baton = Baton(draw=draw, now=begins)
    machines = [
        Scheduler(
            pair=pair,
            machine=machine,
            baton=baton,
            slots=slots,
            skew=draw.uniform(-1, 1) * draw.choice(SKEWS),
        )
        for machine in pair.machines
    ]
    baton.play([lambda: crm(pair, baton, slots), *(machine.live for machine in machines)])
    last = slots[-1] + 6 * HOUR
    pair.at(last - HOUR)
    pair.leaves()  # an export that was read before proves nothing new
    final = replace(machines[seed % 2], slots=[last], deadly=False, done=[])
    baton.play([final.live])
    assert final.done == [last]
    return baton


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_no_slot_is_run_twice_and_none_is_lost(pair, seed) -> None:
    """Whoever lives through a slot knows that it was had, and each run that ended has its own.

    And each person who left was deleted once.
    """
    for machine in pair.machines:
        machine.settings["schedule.cron"] = "30 */3 * * *"
    baton = lived(pair, seed)
    over = [run.id for run in pair.runs() if run.command == "run" and run.finished_at]
    taken = pair.first.sql("SELECT run_id FROM slot")
    with pair.first.ledger() as ledger:
        assert ledger.actions(unresolved=True) == []
    assert len(taken) == len(set(taken)) <= SLOTS + 1
    assert set(over) <= {run_id for (run_id,) in taken}
    assert Counter(pair.deleted()) == Counter(pair.left)
    note(
        f"two schedulers, history {seed}",
        f"{baton.deaths} deaths, {baton.waited} looks at a busy lock, {len(over)} runs ended",
    )
