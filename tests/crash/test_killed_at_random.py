"""SIGKILL at random moments of whole commands: the same again, or the next run, finishes."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from contextlib import closing

import pytest
from amounts import PROVE, amount, note
from crash.machine import LEAVERS, RESTORE
from kinds import SQLITE

from reconcile.model import Exit
from reconcile.store import migrate, tables

SEED = 2026
ORDINARY = {Exit.CONVERGED, Exit.WAITING}


class Moments:
    """Moments drawn evenly from how long a command takes, and what became of the command."""

    def __init__(self, machine, *, scene="due"):
        self.machine = machine
        self.scene = scene
        self.draw = random.Random(SEED)  # noqa: S311 - no secret
        self.lasts = 0.0
        self.killed = self.ended = 0

    def few(self, tries):
        """So many in a check, in which a server is tried once: it keeps what it has taken."""
        return tries if PROVE or not self.machine.cluster else 1

    def strike(self, *command):
        """Run it to its end, once; then, each time, for a part of that time."""
        self.machine.stage(self.scene)
        words = [self.machine.digest if word == "DIGEST" else word for word in command]
        if not self.lasts:
            self.lasts = self._whole(words)
            self.machine.stage(self.scene)
        began = time.monotonic()
        child = self.machine.start(*words)
        if child.ends_within(self.draw.uniform(0, self.lasts)):
            self.lasts = time.monotonic() - began
        child.send(signal.SIGKILL)
        code = child.wait()
        self.killed += code == -signal.SIGKILL
        self.ended += code in ORDINARY
        assert code in {-signal.SIGKILL, *ORDINARY}, child.said()

    def _whole(self, words):
        began = time.monotonic()
        assert self.machine.start(*words).wait() in ORDINARY
        return time.monotonic() - began

    def note(self, what):
        ended = f", {self.ended} had ended before" if self.ended else ""
        note(f"SIGKILL at random, {what}", f"{self.killed} killed{ended}, seed {SEED}")


@pytest.mark.parametrize(
    ("command", "tries"),
    [
        (("plan",), amount(check=2, prove=60)),
        (("run",), amount(check=4, prove=130)),
        (("apply", "DIGEST"), amount(check=4, prove=130)),
        (("adopt", "--unmanaged", "--yes"), amount(check=1, prove=40)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_killed_at_any_moment_the_next_run_finishes(machine, command, tries):
    moments = Moments(machine)
    while moments.killed < moments.few(tries):
        moments.strike(*command)
        machine.check()
        machine.converge()
    moments.note(command[0])


def test_a_restore_killed_at_any_moment_doubles_nobody_when_it_is_repeated(machine):
    moments, tries = Moments(machine, scene="done"), amount(check=3, prove=60)
    while moments.killed < moments.few(tries):
        moments.strike(*RESTORE)
        machine.check_restored()
    moments.note("restore")


@SQLITE
def test_an_upgrade_killed_at_any_moment_is_whole_or_has_not_happened(machine):
    moments, tries = Moments(machine, scene="old"), amount(check=4, prove=30)
    while moments.killed < moments.few(tries):
        moments.strike("db", "upgrade")
        with closing(sqlite3.connect(machine.state)) as connection:
            ((revision,),) = connection.execute("SELECT version_num FROM alembic_version")
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert revision in {"0001", tables.REVISION}
        again = machine.start("db", "upgrade")
        assert again.wait() == Exit.CONVERGED, again.said()
        found = migrate.check(machine.company.config.state.url, base=machine.company.folder)
        assert (found.ok, found.claims, found.unresolved) == (True, 2, 1)
    moments.note("db upgrade")


def test_a_purge_killed_at_any_moment_has_forgotten_the_person_or_nothing(machine):
    moments, tries = Moments(machine, scene="done"), amount(check=4, prove=25)
    while moments.killed < moments.few(tries):
        moments.strike("db", "purge", "--contact", "5")
        with machine.company.ledger() as ledger:
            graves = {t.contact_id for t in ledger.tombstones()}
        assert graves in (set(LEAVERS), {6, 7, 8})
        again = machine.start("db", "purge", "--contact", "5")
        assert again.wait() == Exit.CONVERGED, again.said()
        with machine.company.ledger() as ledger:
            assert {t.contact_id for t in ledger.tombstones()} == {6, 7, 8}
    moments.note("db purge")


def test_a_backup_killed_at_any_moment_is_whole_or_not_there(machine):
    moments, tries = Moments(machine), amount(check=4, prove=25)
    while moments.killed < moments.few(tries):
        moments.strike("db", "backup", "kept.db")
        copy = machine.company.folder / "kept.db"
        if copy.exists() and not machine.cluster:
            assert content(copy) == content(machine.state)
        elif copy.exists():
            found = migrate.check(f"sqlite:///{copy}", base=machine.company.folder)
            assert {problem.code for problem in found.problems} <= {"state_restored"}
            assert found.runs == machine.company.sql("SELECT count(*) FROM run")[0][0]
        again = machine.start("db", "backup", "second.db")
        assert again.wait() == Exit.CONVERGED, again.said()
        machine.check()
    moments.note("db backup")


def content(state):
    """Everything that a sound state holds, as SQL."""
    with closing(sqlite3.connect(state)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())
