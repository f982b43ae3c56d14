"""A machine on which `reconcile` is struck down: real processes, strace, and what must hold after.

A scene is a company in front of a command, prepared once and copied for each strike: its folder,
and its phonebook at the same address, as a state is bound to the address of its PBX.
"""

from __future__ import annotations

import json
import os
import random
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from company import SECRET, Company
from databases import DATABASE

from reconcile.model import Exit, Outcome
from reconcile.sandbox import Book, SandboxServer
from reconcile.store import migrate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from databases import Cluster

PATIENCE: Final = 60
LEAVERS: Final = (5, 6, 7, 8)
PEOPLE: Final = 100
LISTING: Final = "/xapi/v1/Contacts?"
RESTORE: Final = ("restore", "--run", "4")
"""Puts the leavers back in the scene in which they are gone."""
CONFIG: Final = """\
mode = "auto"
[crm]
source = "exports/*.csv"
region = "DE"
[pbx]
url = "{url}"
client_id = "reconcile"
client_secret_env = "SECRET"
concurrency = 4
[policy]
max_delete_percent = 10.0
[state]
url = "{state}"
"""
"""Four leavers of a hundred are ordinary here, so that a run deletes them by itself."""
LANES: Final = (1, 4)
"""One contact after the other, and three at a time once the first is confirmed."""

OLDEST: Final = Path(__file__).parents[1] / "store" / "states" / "0001.sql"
STATE: Final = "state/reconcile.db"
BESIDE: Final = ("", "-wal", "-shm", "-journal", ".lock", ".serial", ".serial.new")
"""The files of a state, by what follows its name."""
ON_STATE: Final = ("pwrite64", "fdatasync", "ftruncate", "openat", "unlink", "write")
"""What is done to them: all by SQLite but the last, which signs the lock and notes the marks."""
ANYWHERE: Final = ("fsync", "rename", "symlink", "mkdir")
"""What else is done to files that are to last: reports, and the marks of a state."""


def at(contact_id: int) -> str:
    """The path of one contact, as the server logs it."""
    return f"/xapi/v1/Contacts({contact_id})"


# ---------------------------------------------------------------------------- processes


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """What strace does to a process: `when` counts the calls of one kind that match."""

    calls: str
    """The system calls, with commas."""
    effect: str
    """`signal=KILL` at the entry of the call, or `error=ENOSPC` instead of it."""
    when: str
    """`3`: the third; `3+`: from the third on."""
    everywhere: bool = False
    """Whatever file it is; else only the files of the state."""


@dataclass
class Child:
    """One command under way."""

    pid: int
    machine: Machine
    out: Path
    err: Path
    tracer: subprocess.Popen[str] | None = None

    def go(self) -> None:
        """Let it through the gate, at which it waits."""
        os.close(os.open(self.machine.gate, os.O_WRONLY))

    def send(self, number: int) -> None:
        """Send a signal; to one that has ended nothing happens."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Its exit code, or minus the signal that killed it."""
        if not self.ends_within(seconds):
            self.send(signal.SIGKILL)
        code = self.machine.starter.ask(ended=self.pid)["code"]
        self.machine.children.remove(self)
        if self.tracer is not None:
            self.tracer.communicate(timeout=PATIENCE)
        if self.machine.company is not None and not self.machine.children:
            self.machine.company.after_death()
        return code

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends in that time; it stays to be waited for."""
        watched = os.pidfd_open(self.pid)
        try:
            return bool(select.select([watched], [], [], seconds)[0])
        finally:
            os.close(watched)

    def said(self) -> str:
        """What it wrote to stderr: never a secret, never a traceback."""
        out, err = self.out.read_text("utf-8"), self.err.read_text("utf-8")
        assert SECRET not in out + err
        assert "Traceback" not in err
        return err

    def report(self) -> dict:
        """What `--json` printed."""
        return json.loads(self.out.read_text("utf-8"))


class Starter:
    """The process that is forked for each run."""

    def __init__(self) -> None:
        # Without coverage: a run that is measured takes twice as long, and one that is killed has
        # nothing to say.
        environ = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("starter.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ,
            text=True,
        )

    def ask(self, **order: object) -> dict[str, int]:
        """Give an order; its answer."""
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def end(self) -> None:
        """No more orders."""
        self._process.communicate(timeout=PATIENCE)


# ---------------------------------------------------------------------------- scenes


@dataclass
class Scene:
    """What was before a command, kept for every strike at it."""

    folder: Path
    removed: tuple[int, ...] = ()
    database: str = ""
    """What a server keeps for it."""
    """Contacts that are not in the phonebook any more."""


@dataclass
class Machine:
    """Where commands run and are struck down, one company at a time."""

    folder: Path
    starter: Starter
    cluster: Cluster | None = None
    """The server that has the state, if it is not in a file."""
    scenes: dict[str, Scene] = field(default_factory=dict)
    children: list[Child] = field(default_factory=list)
    port: int = 0
    company: Company | None = None
    before: dict[int, dict] = field(default_factory=dict)
    buried: dict[int, list[bool]] = field(default_factory=dict)
    """Contact → for each DELETE that arrived, whether tombstone and intent were on disk."""
    rehearsed: bool = False
    counts: dict[tuple[str, bool], Counter[str]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)

    # ------------------------------------------------------------------ before

    def stage(self, name: str = "due", *, lanes: int = 4) -> None:
        """The scene of this name, as if nothing had happened yet, to be played in so many lanes."""
        self._open()
        if name not in self.scenes:
            self._prepare(name)
            self._open()
        scene = self.scenes[name]
        self.put(scene.folder)
        if self.cluster:
            self.cluster.create(DATABASE, template=scene.database)
        settings = self.company.folder / "config.toml"
        text = settings.read_text("utf-8").replace("concurrency = 4", f"concurrency = {lanes}")
        settings.write_text(text, encoding="utf-8")
        for contact_id in scene.removed:
            self.company.book.remove(contact_id)
        self.company.now = datetime.now(UTC)
        self.before = {c["Id"]: c for c in self.company.book.all()}
        self.buried.clear()
        for contact_id in LEAVERS:
            self._dig_at_delete(contact_id)
        if not self.rehearsed:
            self._rehearse()
            self.company.server.clear_requests()

    def put(self, folder: Path) -> None:
        """Have this folder's files instead of what is there."""
        shutil.rmtree(self.company.folder)
        shutil.copytree(folder, self.company.folder, symlinks=True)

    def _open(self) -> None:
        """An empty folder and a full phonebook at the address that all scenes have."""
        self.close()
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        os.mkfifo(self.gate)
        server = SandboxServer(Book.seeded(PEOPLE, seed=3), client_secret=SECRET, port=self.port)
        try:
            server.start()
        except OSError:  # somebody has taken the address: everything is to be made anew
            self.scenes.clear()
            server = SandboxServer(Book.seeded(PEOPLE, seed=3), client_secret=SECRET)
            server.start()
        self.port = int(server.url.rpartition(":")[2])
        settings = {"mode": "auto", "policy.max_delete_percent": 10.0}
        self.company = Company(server=server, folder=work, settings=settings, cluster=self.cluster)

    def close(self) -> None:
        """No company, and nothing that runs."""
        for child in list(self.children):
            child.send(signal.SIGKILL)
            child.wait()
        if self.company is not None:
            self.company.server.stop()
        self.company = None
        (self.gate).unlink(missing_ok=True)

    def _prepare(self, name: str) -> None:
        company = self.company
        text = CONFIG.format(url=company.server.url, state=company.config.state.url)
        (company.folder / "config.toml").write_text(text, encoding="utf-8")
        if name == "old":
            self._old_state()
        else:
            self._nights()
        if name == "done":
            assert company.run().exit_code == Exit.CONVERGED
        kept = self.folder / f"{name}-{self.port}"
        shutil.copytree(company.folder, kept, symlinks=True)
        kept_by_server = f"scene_{name}_{self.port}"
        if self.cluster:
            self.cluster.create(kept_by_server, template=DATABASE)
        removed = LEAVERS if name == "done" else ()
        self.scenes[name] = Scene(folder=kept, removed=removed, database=kept_by_server)

    def _nights(self) -> None:
        """Everybody was claimed, then the leavers were absent twice: tonight they are due."""
        company = self.company
        company.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
        company.create_state()
        company.until_due(*LEAVERS)
        company.plan()

    def _old_state(self) -> None:
        """A state as the first version wrote it."""
        self.state.parent.mkdir(mode=0o700)
        self.state.touch(mode=0o600)
        with closing(sqlite3.connect(self.state)) as connection:
            connection.executescript(OLDEST.read_text("utf-8"))

    def _rehearse(self) -> None:
        """Once: what a run loads at its first use is loaded before any is forked."""
        self.starter.ask(**self._order(("plan", "--no-record")), rehearsal=True)
        self.rehearsed = True

    @property
    def gate(self) -> Path:
        """What a command waits at before it begins."""
        return self.folder / "gate"

    @property
    def state(self) -> Path:
        """The state file."""
        return self.company.folder / STATE

    @property
    def reports(self) -> Path:
        """The folder of the reports."""
        return self.company.folder / "reports"

    @property
    def digest(self) -> str:
        """The plan that waits for approval."""
        with self.company.ledger() as ledger:
            return ledger.runs(limit=1)[0].digest

    # ------------------------------------------------------------------ the command

    def start(
        self, *command: str, injection: Injection | None = None, largest: int = 0, trace: str = ""
    ) -> Child:
        """Begin a command and let it run; under strace if something is to be done to it."""
        order = self._order(command, largest=largest)
        pid = self.starter.ask(**order, rehearsal=False)["pid"]
        child = Child(pid=pid, machine=self, out=Path(order["out"]), err=Path(order["err"]))
        self.children.append(child)
        if injection is not None:
            child.tracer = self._attached(pid, self._injecting(injection))
        elif trace:
            child.tracer = self._attached(pid, ["-y", "-s", "30", "-e", f"trace={trace}"])
        child.go()
        return child

    def _order(self, command: Sequence[str], *, largest: int = 0) -> dict:
        number = len(self.children)
        return {
            "command": list(command),
            "folder": str(self.company.folder),
            "environ": {
                "SECRET": SECRET,
                "RECONCILE_CONFIG": "config.toml",
                "TMPDIR": str(self.folder),
            },
            "out": str(self.folder / f"out-{number}"),
            "err": str(self.folder / f"err-{number}"),
            "gate": str(self.gate) if self.rehearsed else "",
            "largest": largest,
        }

    @property
    def log(self) -> Path:
        """What strace saw."""
        return self.folder / "strace.log"

    def _injecting(self, injection: Injection) -> list[str]:
        paths = [] if injection.everywhere else [f"{self.state}{end}" for end in BESIDE]
        return [
            *(word for path in paths for word in ("-P", path)),
            *("-e", f"trace={injection.calls}"),
            *("-e", f"inject={injection.calls}:{injection.effect}:when={injection.when}"),
        ]

    def _attached(self, pid: int, options: Sequence[str]) -> subprocess.Popen[str]:
        tracer = subprocess.Popen(
            ["strace", "-f", "-o", str(self.log), *options, "-p", str(pid)],  # noqa: S607
            stderr=subprocess.PIPE,
            text=True,
        )
        said = iter(tracer.stderr.readline, "")
        assert any("attached" in line for line in said)
        return tracer

    def seen(self) -> list[str]:
        """The calls that strace saw, in their order."""
        return self.log.read_text("utf-8", errors="replace").splitlines()

    def was_struck(self) -> bool:
        """Whether the injection came to anything, or the command was through before."""
        return any("(INJECTED)" in line or "killed by SIGKILL" in line for line in self.seen())

    def at_request(self, nth: int, number: int, *, done: bool = True) -> None:
        """Send the signal when the nth request has arrived; `done`: it takes effect all the same.

        If not, the connection ends without an answer, and nothing has happened.
        """
        server = self.company.server
        server.hook(lambda: self.children[-1].send(number), nth=nth)
        if not done:
            server.fail(skip=nth - 1, drop=True)

    def calls(
        self,
        kind: str,
        *,
        scene: str = "due",
        command: Sequence[str] = ("run",),
        everywhere: bool = False,
    ) -> range:
        """The numbers of such calls that a whole command makes, on the state's files or on all."""
        key = (scene, everywhere)
        if key not in self.counts:
            self.stage(scene, lanes=1)  # strace counts the calls of each thread by itself
            looked = Injection(
                calls=",".join(ANYWHERE if everywhere else ON_STATE),
                effect="error=EIO",
                when="65535",
                everywhere=everywhere,
            )
            assert self.start(*command, injection=looked).wait() == Exit.CONVERGED
            made = (re.match(r"\d+ +(\w+)\(", line) for line in self.seen())
            self.counts[key] = Counter(m[1] for m in made if m)
        return range(1, self.counts[key][kind] + 1)

    def requests(self, *, scene: str = "due", command: Sequence[str] = ("run",)) -> range:
        """The numbers of the requests that a whole command sends."""
        if scene not in self.sent:
            self.stage(scene)
            assert self.start(*command).wait() == Exit.CONVERGED
            self.sent[scene] = len(self.company.server.requests)
        return range(1, self.sent[scene] + 1)

    # ------------------------------------------------------------------ after

    def ids(self) -> set[int]:
        """Who is in the phonebook."""
        return {c["Id"] for c in self.company.book.all()}

    def gone(self) -> set[int]:
        """Who is not any more."""
        return self.before.keys() - self.ids()

    def _dig_at_delete(self, contact_id: int) -> None:
        def dig() -> None:
            self.buried.setdefault(contact_id, []).append(self._is_buried(contact_id))
            self._dig_at_delete(contact_id)

        self.company.server.hook(dig, method="DELETE", path_prefix=at(contact_id))

    def _is_buried(self, contact_id: int) -> bool:
        """Whether the whole contact and an open intent are in the state, seen from outside."""
        open_intent = f"action.contact_id = {contact_id} AND outcome IS NULL"
        look = "SELECT entity FROM tombstone JOIN action ON tombstone_id = tombstone.id WHERE "
        look += open_intent
        if self.cluster:
            found = self.company.sql(look)
        else:  # in a way that can't change what a killed process leaves
            with closing(sqlite3.connect(f"{self.state.as_uri()}?mode=ro", uri=True)) as connection:
                found = connection.execute(look).fetchall()
        return any(_fields(json.loads(entity)) == self._was(contact_id) for (entity,) in found)

    def _was(self, contact_id: int) -> dict:
        return _fields(self.before[contact_id])

    def check(self) -> None:
        """What holds at any moment, whatever was struck down."""
        found = migrate.check(self.company.config.state.url, base=self.company.folder)
        assert found.ok, found.problems
        assert all(seen for each in self.buried.values() for seen in each)
        assert self.gone() <= set(LEAVERS)
        with self.company.ledger() as ledger:
            graves = {t.contact_id: t.entity for t in ledger.tombstones()}
        for contact_id in self.gone():
            assert _fields(graves[contact_id]) == self._was(contact_id)
        assert not list(self.folder.glob("reconcile-crash-*"))

    def unresolved(self) -> list[int]:
        """The contacts whose intent has no outcome."""
        with self.company.ledger() as ledger:
            return [a.contact_id for a in ledger.actions(unresolved=True)]

    def converge(self, *, edited: Iterable[int] = ()) -> None:
        """The next run finds out what happened and finishes; one more has nothing to do."""
        there = {i: i not in self.gone() for i in self.unresolved()}
        report = self.company.run()
        assert report.exit_code == Exit.CONVERGED, report.headline
        assert self.unresolved() == []
        self._check_resolved(there, set(edited))
        assert self.gone() == set(LEAVERS) - set(edited)
        self.check()
        self.company.server.clear_requests()
        assert self.company.run().exit_code == Exit.CONVERGED
        assert self.company.methods() == {"GET"}
        assert self.ids() <= self.before.keys()

    def _check_resolved(self, there: dict[int, bool], edited: set[int]) -> None:
        """Each intent that was left open has the outcome that the phonebook shows."""
        with self.company.ledger() as ledger:
            first = {i: ledger.actions(contact_id=i)[0].outcome for i in there}
        for contact_id, outcome in first.items():
            kept = Outcome.CHANGED if contact_id in edited else Outcome.NOT_ATTEMPTED
            assert outcome is (kept if there[contact_id] else Outcome.DELETED)

    def check_restored(self) -> None:
        """After one more restore everybody who was there before the deletes is there once."""
        again = self.start(*RESTORE)
        assert again.wait() == Exit.CONVERGED, again.said()
        with self.company.ledger() as ledger:
            graves = ledger.tombstones()
        assert {g.contact_id for g in graves} == set(LEAVERS)
        assert all(self.company.has(g.restored_as) for g in graves)
        book = Book.seeded(PEOPLE, seed=3).all()
        wanted = sorted(map(_without_id, book))
        assert sorted(map(_without_id, self.company.book.all())) == wanted

    def edit_one(self, number: int) -> set[int]:
        """A colleague edits one of the leavers that are still there; whom, if anybody."""
        left = sorted(set(LEAVERS) - self.gone())
        if not left:
            return set()
        contact_id = left[number % len(left)]
        self.company.book.edit(contact_id, {"Title": "Is back"})
        return {contact_id}


def _fields(entity: dict) -> dict:
    """A contact without what the server adds to it."""
    return {k: v for k, v in entity.items() if not k.startswith("@") and v is not None}


def _without_id(entity: dict) -> str:
    return json.dumps({k: v or None for k, v in entity.items() if k != "Id"}, sort_keys=True)


def spread(numbers: Sequence[int], amount: int, *, seed: int = 0) -> list[int]:
    """All of the numbers, or so many of them from all parts of the row."""
    if len(numbers) <= amount:
        return list(numbers)
    draw = random.Random(seed)  # noqa: S311 - no secret
    edges = [round(i * len(numbers) / amount) for i in range(amount + 1)]
    return [numbers[draw.randrange(a, b)] for a, b in pairwise(edges)]
