"""Two folders, two real `reconcile` processes, one PostgreSQL: each slot is run once, whoever dies.

The cron expression's next time is a stub: there is a slot every few seconds.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import canaries
import pytest
import warm
from amounts import amount, note
from kinds import POSTGRESQL
from slots.pair import Pair

from reconcile.model import Exit
from reconcile.sandbox import Book, SandboxServer

ROOT = Path(__file__).parents[2]
SEED = 2026
KILLS = amount(check=2, prove=50)
PATIENCE = 60
EVERY = 5
"""Seconds from one slot to the next."""
HAD = "was run by run"
"""What a scheduler says of a slot that the other had."""
STUB = f"""
from datetime import UTC, datetime, timedelta
from apscheduler.triggers.cron import CronTrigger
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

def soon(self, previous, now):
    return EPOCH + -(-(now - EPOCH) // timedelta(seconds={EVERY})) * timedelta(seconds={EVERY})

CronTrigger.get_next_fire_time = soon
"""
UNDER_WAY = (
    "SELECT slot.pid, run.id FROM slot JOIN run ON run.id = slot.run_id"
    " WHERE run.finished_at IS NULL AND run.id = (SELECT max(id) FROM run)"
)


@dataclass
class Schedulers:
    """The processes of both machines."""

    pair: Pair
    stub: Path
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)
    killed: list[int] = field(default_factory=list)
    """The runs that were killed before they came to their end."""
    started: int = 0
    """How many processes there were."""

    def environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RECONCILE", "COVERAGE_"))}
        path = os.pathsep.join([str(self.stub), str(ROOT)])
        return {**kept, "PYTHONPATH": path, "NO_PROXY": "*", "SECRET": canaries.SECRET}

    def start(self, name: str) -> None:
        """Begin the scheduler of a machine."""
        folder = self.folder(name)
        self.started += 1
        with (folder / "said").open("a") as said:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "reconcile", "schedule"],
                cwd=folder,
                env=self.environ(),
                stderr=said,
            )

    def folder(self, name: str) -> Path:
        return getattr(self.pair, name).folder

    def said(self) -> str:
        """What both have said so far; never a secret, never a traceback."""
        text = "".join((self.folder(name) / "said").read_text("utf-8") for name in self.processes)
        assert "Traceback" not in text
        assert canaries.SECRET not in text
        return text

    def both_up(self) -> None:
        """Wait until both wait for their slots."""
        until(lambda: self.said().count("Ctrl-C ends it") == self.started, self.said)

    def next_run(self, after: int = 0) -> tuple[int, int]:
        """Wait until a newer run is under way; the process and the number of it."""
        look = f"{UNDER_WAY} AND run.id > {after}"
        return until(lambda: self.pair.first.sql(look), self.said)[0]

    def lasts(self) -> float:
        """The seconds that the last whole run took; a run is killed at some moment of as many."""
        look = "SELECT extract(epoch FROM finished_at - started_at) FROM run"
        whole = " WHERE finished_at IS NOT NULL ORDER BY id DESC LIMIT 1"
        return float(self.pair.first.sql(look + whole)[0][0])

    def goes_on(self, run: int) -> None:
        """Wait until a run has come to its end since: who left would be too many after a while."""
        look = f"SELECT 1 FROM run WHERE id >= {run} AND status <> 'interrupted'"  # noqa: S608 - a number
        until(lambda: self.pair.first.sql(look), self.said)

    def kill(self, pid: int, run: int) -> None:
        """Strike down the scheduler that has this run; it is begun again."""
        [name] = [n for n, process in self.processes.items() if process.pid == pid]
        self.processes[name].kill()
        self.processes[name].wait(PATIENCE)
        if self.pair.first.sql(f"SELECT 1 FROM run WHERE id = {run} AND finished_at IS NULL"):  # noqa: S608 - a number
            self.killed.append(run)
        self.start(name)

    def stop(self) -> None:
        """Ask both to end, as a service manager does."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        codes = {process.wait(PATIENCE) for process in self.processes.values()}
        assert codes == {int(Exit.TERMINATED)}, self.said()


def until(look, said):
    """What it gives, once it gives something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, said()
    return found


@pytest.fixture
def pair(tmp_path, cluster):
    """Two folders with files of their own, and a phone system of 300 contacts."""
    with SandboxServer(Book.seeded(300, seed=3), client_secret=canaries.SECRET) as sandbox:
        made = Pair.founded(tmp_path, sandbox, cluster, at=datetime.now(UTC))
        for machine in made.machines:
            machine.write_config()
        yield made


@pytest.fixture
def schedulers(pair, tmp_path):
    """Both are begun, and killed at the end if a test has failed."""
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "sitecustomize.py").write_text(STUB)
    made = Schedulers(pair, stub)
    for name in ("first", "second"):
        made.start(name)
    yield made
    for process in made.processes.values():
        process.kill()
        process.wait(PATIENCE)


@POSTGRESQL
def test_each_slot_is_run_once_though_whoever_runs_is_killed(schedulers, kind) -> None:  # noqa: ARG001 - the mark's
    pair, draw = schedulers.pair, random.Random(SEED)  # noqa: S311 - no secret
    pair.leaves_now()
    run = 0
    while len(schedulers.killed) < KILLS:
        schedulers.both_up()
        pid, run = schedulers.next_run(run)
        time.sleep(draw.uniform(0, schedulers.lasts()))
        schedulers.kill(pid, run)
        schedulers.goes_on(run)
        pair.leaves_now()
    schedulers.both_up()
    told = schedulers.said().count(HAD)
    until(lambda: schedulers.said().count(HAD) > told, schedulers.said)
    schedulers.stop()
    pair.leaves_now()
    code, out, _ = command(schedulers, "first", "run")
    assert code == Exit.CONVERGED, out
    check(schedulers)


def check(schedulers) -> None:
    """Who left is gone, by one DELETE each; a run that came to its end has a slot of its own."""
    pair = schedulers.pair
    assert Counter(pair.deleted()) == Counter(pair.left)
    slots = dict(pair.first.sql("SELECT moment, run_id FROM slot ORDER BY 1"))
    nights = [r for r in pair.runs() if r.command == "run"][:-1]
    over = {r.id for r in nights if r.finished_at and r.status != "interrupted"}
    assert over <= set(slots.values())
    assert len(set(slots.values())) == len(slots)
    said = schedulers.said()
    taken = [run for run in schedulers.killed if f"is taken over from run {run} of process" in said]
    assert taken
    figures = f"{len(schedulers.killed)} runs killed, {len(taken)} slots taken over at once"
    note("two schedulers, SIGKILL at random", f"{figures}, {len(over)} slots had, seed {SEED}")


def command(schedulers, name: str, *words: str) -> tuple[int, str, str]:
    """A command on one of the machines, to its end."""
    folder, environ = schedulers.folder(name), schedulers.environ()
    with warm.start(*words, cwd=folder, env=environ) as process:
        out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@POSTGRESQL
def test_of_two_runs_at_once_one_works_and_the_other_names_it(pair, kind) -> None:  # noqa: ARG001 - the mark's
    asked = Schedulers(pair, pair.first.folder)
    arrived, go_on = Event(), Event()

    def wait() -> None:
        arrived.set()
        go_on.wait(PATIENCE)

    pair.first.server.hook(wait, path_prefix="/xapi/v1/Contacts")
    pair.leaves_now()
    with warm.start("run", cwd=pair.first.folder, env=asked.environ()) as working:
        assert arrived.wait(PATIENCE)
        for words in (["run"], ["run", "--resume"]):
            code, _, err = command(asked, "second", *words)
            assert code == Exit.LOCKED
            assert f": run, process {working.pid} on {socket.gethostname()}, since 20" in err
            assert "Nothing was done." in err
        go_on.set()
        _, err = working.communicate(timeout=PATIENCE)
    assert (working.returncode, err) == (Exit.CONVERGED, "")
    assert pair.deleted() == pair.left
    code, out, _ = command(asked, "second", "run", "--resume")
    assert (code, "was run by run 2, begun" in out) == (0, True)
