"""A folder of jobs, each with a phone system and a CRM of its own."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import engines
import psutil
import pytest
from canaries import SECRET

from reconcile import config, fleet, run
from reconcile.planning import Request
from reconcile.sandbox import Book, SandboxServer
from reconcile.sandbox.export import write_export
from reconcile.session import World
from reconcile.store import migrate

DEFAULTS = """
mode = "auto"
[crm]
source = "exports/*.csv"
region = "DE"
[pbx]
client_id = "reconcile"
[policy]
grace_exports = 1
grace_hours = 0
[schedule]
timezone = "UTC"
"""
ROOT = Path(__file__).parent.parent.parent


@dataclass
class Seen:
    """Who watches the jobs, and remembers."""

    lines: list = field(default_factory=list)
    over: dict = field(default_factory=dict)
    """By name of a job, what is set when it has ended."""
    at_begin: object = None
    """What is to be done when a job begins."""

    def began(self, job):
        self.lines.append((job, "began"))
        if self.at_begin:
            self.at_begin()

    def moved(self, job, what, done, total):
        self.lines.append((job, f"{what} {done}/{total}"))

    def said(self, job, line):
        self.lines.append((job, line))

    def ended(self, part):
        self.lines.append((part.name, f"ended {int(part.exit_code)}"))
        self.end_of(part.name).set()

    def end_of(self, job):
        return self.over.setdefault(job, Event())


@dataclass
class Fleet:
    """The folder, and what stands beside it."""

    folder: Path
    ends: ExitStack
    servers: dict = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    stop: object = None
    ahead: timedelta = timedelta()
    tick: timedelta = timedelta()
    """So much later is it each time that somebody looks at the clock."""
    more: dict = field(default_factory=dict)
    """Of the environment."""
    cluster: object = None
    """The PostgreSQL that has the states, if a test wants one."""

    def path(self, name):
        return self.folder / f"{name}.toml"

    def config(self, name):
        return config.load(self.path(name))

    def state(self, name):
        """What a job on an engine says: its state is on a server, its export in a shared folder."""
        url = self.cluster.url("fleet", schema=name)
        exports = self.folder.absolute() / name / "exports" / "*.csv"
        return f'[state]\nurl = "{url}"\n[crm]\nsource = "{exports}"\n'

    def write(self, name, *, url, more=""):
        text = f'[pbx]\nurl = "{url}"\nclient_secret_env = "SECRET_{name.upper()}"\n{more}'
        self.path(name).write_text(text, "utf-8")

    def add(self, name, *, contacts=12, seed=3, more=""):
        """A job whose first night is over, and from which somebody has left since."""
        server = SandboxServer(Book.seeded(contacts, seed=seed), client_secret=SECRET)
        self.servers[name] = self.ends.enter_context(server)
        self.write(name, url=server.url, more=more)
        found = self.config(name)
        migrate.upgrade(found.state.url, base=found.base, now=self.world().clock())
        self.export(name)
        assert run.plan_once(found, self.world(), Request(command="plan")).exit_code == 0
        self.export(name, without=[self.leaver(name)])
        server.clear_requests()
        return server

    def leaver(self, name):
        return next(c for c in self.servers[name].book.all() if c.get("Tag"))

    def export(self, name, *, without=()):
        gone = [c["Tag"] for c in without]
        path = self.folder / name / "exports" / "contacts.csv"
        write_export(path, self.servers[name].book.all(), without=gone)

    def environ(self):
        secrets = {f"SECRET_{name.upper()}": SECRET for name in self.servers}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RECONCILE")}
        return {**kept, "PYTHONPATH": str(ROOT), "NO_PROXY": "*", **secrets, **self.more}

    def clock(self):
        self.ahead += self.tick
        return datetime.now(UTC) + self.ahead

    def world(self):
        return World(
            environ=self.environ(),
            clock=self.clock,
            sleep=lambda _seconds: None,
            user="tester",
            interrupted=lambda: self.stop,
        )

    def run(self, **wish):
        report, page = fleet.run_all(self.folder, self.world(), fleet.Wish(**wish), self.seen)
        assert page.is_file()
        return report

    def lines(self, report):
        return {job.name: job for job in report.jobs}

    def process(self, name):
        """The process of a job under way."""
        file = str(self.path(name))
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):  # it has ended meanwhile
                if file in process.cmdline():
                    return process
        raise LookupError(name)


@pytest.fixture
def jobs(tmp_path):
    folder = tmp_path / "jobs.d"
    folder.mkdir()
    (folder / "defaults.toml").write_text(DEFAULTS, "utf-8")
    with ExitStack() as ends:
        yield Fleet(folder=folder, ends=ends)


@pytest.fixture
def engine(tmp_path, cluster, jobs):
    """An engine without scheduler and workers yet, and an empty database for the states."""
    cluster.create("fleet")
    jobs.cluster = cluster
    folder = tmp_path / "engine"
    folder.mkdir()
    with engines.engine(folder) as made:
        yield made
