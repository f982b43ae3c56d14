"""SIGKILL of a worker, its machine, the scheduler or PostgreSQL, at any request of any job.

A round begins as the one before did: the same contacts at the same addresses, the same states. Once
the part is dead, the command ends by itself; what is dead is started again, and the command is
given with `--resume` until nothing is left to do.
"""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field

import databases
import engines
import pytest
from amounts import amount, note
from canaries import SECRET
from fleet.conftest import DEFAULTS, Fleet

from reconcile import session
from reconcile.model import Exit, Outcome, Status
from reconcile.sandbox import Book, SandboxServer

SEED = 2026
NAMES = ("acme", "beta")
PEOPLE, LEAVERS = 100, 4
POLICY = "[policy]\nmax_delete_percent = 10.0\n"
WORKERS = ("one", "two")
PARTS = ("worker", "scheduler", "postgresql", "machine")
MOST = 5
"""Commands until nothing is left to do."""


@dataclass
class Rounds:
    """The fleet, the engine, and how both were before a round."""

    fleet: Fleet
    engine: engines.Engine
    ends: ExitStack
    kept: object
    due: dict = field(default_factory=dict)
    """By name of a job, the Ids of the contacts that are due; the first ones are people."""
    struck: Counter = field(default_factory=Counter)
    killed: list = field(default_factory=list)
    """What was killed in this round."""
    commands: int = 0

    def prepare(self):
        """The first night of each job is over, and some have left since."""
        jobs = self.fleet
        for seed, name in enumerate(NAMES):
            jobs.add(name, contacts=PEOPLE, seed=seed, more=jobs.state(name) + POLICY)
            leavers = [c for c in jobs.servers[name].book.all() if c.get("Tag")][:LEAVERS]
            jobs.export(name, without=leavers)
            self.due[name] = {c["Id"] for c in leavers}
        shutil.copytree(jobs.folder, self.kept, symlinks=True)
        jobs.cluster.create("before", template="fleet")

    def begin(self):
        """All as it was before, and the engine at work."""
        jobs = self.fleet
        shutil.rmtree(jobs.folder)
        shutil.copytree(self.kept, jobs.folder, symlinks=True)
        jobs.cluster.create("fleet", template="before")
        for seed, name in enumerate(NAMES):
            before = jobs.servers[name]
            port = int(before.url.rpartition(":")[2])
            before.stop()
            server = SandboxServer(Book.seeded(PEOPLE, seed=seed), client_secret=SECRET, port=port)
            jobs.servers[name] = self.ends.enter_context(server)
        for name in WORKERS:
            shutil.rmtree(self.engine.jobs(name), ignore_errors=True)
        self.killed.clear()
        self.mend()

    def mend(self):
        """Start what isn't there."""
        if "postgresql" in self.killed:
            self.ends.enter_context(self.fleet.cluster.again())
        self.killed.clear()
        self.engine.reap()
        if "scheduler" not in self.engine.processes:
            self.engine.scheduler()
        for name in WORKERS:
            if name not in self.engine.processes:
                self.engine.worker(name, self.fleet.environ(), threads=2)

    def strike(self, part, name, nth):
        """Kill that part when the nth request of a job has come, before it has an answer."""

        def kill():
            if part == "scheduler":
                self.engine.kill("scheduler")
            elif part == "postgresql":
                self.fleet.cluster.kill()
            else:
                worker = self.engine.worker_of(name)
                self.engine.kill(worker, with_jobs=part == "machine")
            self.killed.append(part)
            self.struck[part] += 1

        self.fleet.servers[name].hook(kill, nth=nth)

    def run(self):
        """Until nothing is left to do; each time every job has a line."""
        for command in range(MOST):
            self.commands += 1
            code, report, said = self.engine.run(self.fleet, *(("--resume",) if command else ()))
            assert sorted(job.name for job in report.jobs) == sorted(NAMES), said
            if code == Exit.CONVERGED:
                return
            self.mend()
        raise AssertionError(f"{report}\n{said}")

    def check(self):
        """No wrong delete, none twice, no slot run twice, nothing lost."""
        for name in NAMES:
            server = self.fleet.servers[name]
            # Higher Ids are throw-away contacts, by which a run proves that the PBX heeds ETags.
            deletes = [r for r in server.requests if r.method == "DELETE" and _id(r) <= PEOPLE]
            assert all(r.if_match for r in deletes)
            assert set(map(_id, deletes)) == self.due[name]
            done = Counter(_id(r) for r in deletes if r.status in {200, 204})
            assert set(done.values()) <= {1}
            there = {contact["Id"] for contact in server.book.all()}
            assert there == set(range(1, PEOPLE + 1)) - self.due[name]
            with session.state(self.fleet.config(name)) as ledger:
                runs = [r for r in ledger.runs() if r.command == "run"]
                open_intents = ledger.actions(unresolved=True)
                outcomes = Counter(
                    a.contact_id for a in ledger.actions() if a.outcome is Outcome.DELETED
                )
            over = [r for r in runs if r.finished_at and r.status is not Status.INTERRUPTED]
            assert len(over) == 1, runs
            assert not open_intents
            assert set(outcomes.values()) == {1}
            assert len(outcomes) == LEAVERS


def _id(request):
    return int(re.fullmatch(r"/xapi/v1/Contacts\(([0-9]+)\)", request.path)[1])


@pytest.fixture
def rounds(tmp_path):
    folder = tmp_path / "jobs.d"
    folder.mkdir()
    (folder / "defaults.toml").write_text(DEFAULTS, "utf-8")
    (tmp_path / "engine").mkdir()
    with (
        databases.cluster() as cluster,
        engines.engine(tmp_path / "engine") as engine,
        ExitStack() as ends,
    ):
        cluster.create("fleet")
        fleet = Fleet(folder=folder, ends=ends, cluster=cluster)
        made = Rounds(fleet=fleet, engine=engine, ends=ends, kept=tmp_path / "kept")
        made.prepare()
        yield made


def test_whatever_is_killed_each_job_is_run_once_and_deletes_who_is_due(rounds):
    draw = random.Random(SEED)  # noqa: S311 - no secret
    rounds.begin()
    rounds.run()
    rounds.check()
    requests = {name: len(server.requests) for name, server in rounds.fleet.servers.items()}
    moments = amount(check=3, prove=60)
    for number in range(moments):
        name = draw.choice(NAMES)
        rounds.begin()
        rounds.strike(PARTS[number % len(PARTS)], name, draw.randint(1, requests[name]))
        rounds.run()
        rounds.check()
    struck = ", ".join(f"{part} {n}" for part, n in sorted(rounds.struck.items()))
    note(
        "SIGKILL on an engine, at a request",
        f"{moments} rounds: {struck}; {rounds.commands} commands, seed {SEED}",
    )
