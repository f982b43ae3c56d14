"""A simulated PBX, the CRM beside it, and a clock that a test winds by hand."""

from __future__ import annotations

import csv
import io
import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from canaries import SECRET
from databases import DATABASE

from reconcile import config, run
from reconcile.planning import Request
from reconcile.sandbox import Book
from reconcile.session import World
from reconcile.store import migrate
from reconcile.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from databases import Cluster
    from shelf import Shelf

    from reconcile.sandbox import SandboxServer

HEADER = ["Record ID", "First Name", "Last Name", "Company Name", "Email", "Phone Number"]


_EMPTY: dict[datetime, bytes] = {}
"""When it was made → an empty state."""


@dataclass
class Company:
    """Everything one run needs, and what a test looks at afterwards."""

    server: SandboxServer
    folder: Path
    now: datetime = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
    settings: dict = field(default_factory=dict)
    stop: object = None
    slept: list = field(default_factory=list)
    shelf: Shelf | None = None
    """Nights that were begun like these; a test that has one has no need to sleep through them."""
    cluster: Cluster | None = None
    """The server that has the state, if it is not in a file."""

    def __post_init__(self) -> None:
        if self.cluster:
            self.settings["state.url"] = self.cluster.url(DATABASE)

    @property
    def book(self) -> Book:
        return self.server.book

    @property
    def config(self) -> config.Config:
        document = {
            "mode": "review",
            "crm": {"source": "exports/*.csv", "region": "DE"},
            "pbx": {
                "url": self.server.url,
                "client_id": "reconcile",
                "client_secret_env": "SECRET",
            },
        }
        for path, value in self.settings.items():
            section, _, key = path.partition(".")
            if key:
                document.setdefault(section, {})[key] = value
            else:
                document[section] = value
        return config.validate(document, self.folder / "config.toml")

    def world(self) -> World:
        return World(
            environ={"SECRET": SECRET},
            clock=lambda: self.now,
            sleep=self.slept.append,
            user="tester",
            interrupted=lambda: self.stop,
        )

    def create_state(self) -> None:
        """An empty state; those of one moment are copies of the first, but each has its own id."""
        if self.cluster:
            self._create_database()
            return
        found, path = self.config, self.folder / "state" / "reconcile.db"
        if path.exists() or self.now not in _EMPTY:
            migrate.upgrade(found.state.url, base=found.base, now=self.now)
            _EMPTY[self.now] = path.read_bytes()
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(_EMPTY[self.now])
        with closing(sqlite3.connect(path)) as state, state:
            state.execute("UPDATE state SET id = ?", [uuid4().hex])

    def _create_database(self) -> None:
        """The same for a server: one database has the state of whichever company is there."""
        cluster, found, empty = self.cluster, self.config, f"empty_{self.now:%Y%m%d%H%M%S}"
        if cluster.sql(f"SELECT 1 FROM pg_database WHERE datname = '{empty}'"):  # noqa: S608 - a date
            cluster.create(DATABASE, template=empty)
            self.sql(f"UPDATE state SET id = '{uuid4().hex}'")  # noqa: S608 - of hex digits
            return
        cluster.create(DATABASE)
        migrate.upgrade(found.state.url, base=found.base, now=self.now)
        cluster.create(empty, template=DATABASE)

    def sql(self, statement: str) -> list[tuple]:
        """Do something to the state behind the ledger's back."""
        if self.cluster:
            return self.cluster.sql(statement, database=DATABASE, user="reconcile")
        with closing(sqlite3.connect(self.folder / "state" / "reconcile.db")) as state, state:
            return state.execute(statement).fetchall()

    def after_death(self) -> None:
        """Wait until a server knows that its client is dead."""
        there = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{DATABASE}'"  # noqa: S608 - ours
        with suppress(psycopg.OperationalError):  # a server that is dead, too, knows of nobody
            while self.cluster and self.cluster.sql(there):
                pass

    def ledger(self) -> Ledger:
        found = self.config
        return Ledger.open(found.state.url, base=found.base, pbx_url=self.server.url)

    # ------------------------------------------------------------------ the CRM

    def records(self, *, without=()) -> list[list[str]]:
        """The CRM's side of the contacts with a Tag."""
        return [
            [
                c["Tag"],
                c.get("FirstName") or "",
                c.get("LastName") or "",
                c.get("CompanyName") or "",
                c.get("Email") or "",
                c.get("PhoneNumber") or "",
            ]
            for c in self.book.all()
            if c.get("Tag") and c["Id"] not in without
        ]

    def export(self, *, without=(), extra=(), raw=None, age_hours=1.0, name=None) -> Path:
        """Write tonight's export; `without` are contact Ids whose person has left."""
        path = self.folder / "exports" / (name or f"contacts-{self.now:%Y%m%d-%H%M}.csv")
        path.parent.mkdir(exist_ok=True)
        if raw is None:
            text = io.StringIO()
            rows = [*self.records(without=without), *extra]
            csv.writer(text).writerows([HEADER, *rows])
            raw = text.getvalue().encode()
        path.write_bytes(raw)
        made = (self.now - timedelta(hours=age_hours)).timestamp()
        os.utime(path, (made, made))
        return path

    # ------------------------------------------------------------------ the nights

    def plan(self, **options):
        return run.plan_once(self.config, self.world(), Request(command="plan", **options))

    def apply(self, digest):
        return run.apply_once(self.config, self.world(), digest)

    def run(self, **options):
        return run.run_once(self.config, self.world(), **options)

    def tomorrow(self) -> None:
        self.now += timedelta(days=1)

    def until_due(self, *leavers) -> None:
        """Two nights: everybody is claimed, then the leavers are absent for the first time."""
        self.prepare(lambda: self._until_due(*leavers), leavers)

    def prepare(self, nights, *of):
        """Live through some nights, or take what they left when another test did.

        Only from the first night on, as what was before may be anything.
        """
        if self.shelf is None or (self.folder / "exports").exists():
            return nights()

        def lived():
            left = nights()
            return left, self.now

        depends_on = (self.now, self.settings, *of)
        left, self.now = self.shelf.prepared(
            self.folder, self.server, lived, *depends_on, cluster=self.cluster
        )
        return left

    def _until_due(self, *leavers) -> None:
        self.export()
        assert self.plan().exit_code == 0
        self.tomorrow()
        self.export(without=leavers)
        self.plan()
        self.tomorrow()
        self.export(without=leavers, extra=[hired(1)])

    # ------------------------------------------------------------------ what happened on the wire

    def methods(self) -> set[str]:
        """Methods of everything but the token request, as the server logged them."""
        return {r.method for r in self.server.requests if "/connect/token" not in r.path}

    def deletes(self) -> list:
        return [r for r in self.server.requests if r.method == "DELETE"]

    def has(self, contact_id) -> bool:
        return self.book.get(contact_id) is not None


@contextmanager
def founded(shelf: Shelf, folder: Path, cluster: Cluster | None = None) -> Iterator[Company]:
    """A company of a hundred people, and its PBX."""
    with shelf.server(Book.seeded(100, seed=3)) as server:
        made = Company(server=server, folder=folder, shelf=shelf, cluster=cluster)
        made.create_state()
        yield made


def hired(number: int) -> list[str]:
    """A record that 3CX doesn't have yet, so that tonight's export isn't last night's."""
    return [f"9{number:03}", f"New{number}", "Hired", "", "", f"030 77700{number:02}"]
