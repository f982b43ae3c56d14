"""A real state file for every test, and the ways in which a test hurts it."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from reconcile.model import AcceptedExport, Claim, DeleteGuard, StoredPlan
from reconcile.store import migrate
from reconcile.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PBX = "https://pbx.example.com:5001"
NOBODY = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where one state is, and what tests do to it."""

    base: Path
    now: datetime
    url: str = "sqlite:///state/reconcile.db"
    pbx_url: str = PBX

    @property
    def path(self) -> Path:
        return self.base / "state" / "reconcile.db"

    @property
    def reports(self) -> Path:
        """The folder of the second mark."""
        return self.base / "reports"

    def upgrade(self, *locations: Path) -> migrate.UpgradeResult:
        return migrate.upgrade(self.url, base=self.base, now=self.now, locations=locations)

    def open(self) -> Ledger:
        return Ledger.open(self.url, base=self.base, pbx_url=self.pbx_url, marks=self.reports)

    def check(self) -> migrate.CheckResult:
        return migrate.check(self.url, base=self.base, marks=self.reports)

    def backup(self, target: Path | None = None) -> Path:
        return migrate.backup(self.url, base=self.base, target=target, now=self.now)

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Do something to the file behind the ledger's back; the rows of the last statement."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]

    def schema(self) -> list[tuple[object, ...]]:
        return self.sql("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")

    def claim(self, contact_id: int, **more: object) -> Claim:
        values = {"crm_id": f"C{contact_id}", "name": f"Person {contact_id}", "fingerprint": "f"}
        return Claim(contact_id=contact_id, **(values | more))

    def accepted(self, **more: object) -> AcceptedExport:
        values = {
            "run_id": 0,
            "sha256": "5" * 64,
            "name": "contacts.csv",
            "generated_at": self.now,
            "accepted_at": self.now,
            "records": 3,
            "fill": {"phone": 0.75, "email": 1.0},
            "rules": "r1",
        }
        return AcceptedExport(**(values | more))

    def process(self, code: str) -> subprocess.Popen[str]:
        """Another process, with `base`, `url`, `pbx_url` and `now` at hand."""
        setting = (
            "import os, signal, sys\n"
            "from datetime import datetime\n"
            "from pathlib import Path\n"
            f"base, url, pbx_url = Path({str(self.base)!r}), {self.url!r}, {self.pbx_url!r}\n"
            f"now = datetime.fromisoformat({self.now.isoformat()!r})\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", setting + code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 1, 2, 30, tzinfo=UTC)


@pytest.fixture
def bare(tmp_path: Path, now: datetime) -> State:
    """A place for a state, with none there yet."""
    return State(base=tmp_path, now=now)


@pytest.fixture
def state(bare: State) -> State:
    """A new, empty state."""
    bare.upgrade()
    return bare


@pytest.fixture
def ledger(state: State) -> Iterator[Ledger]:
    with state.open() as opened:
        yield opened


@pytest.fixture
def run_id(ledger: Ledger, now: datetime) -> int:
    return ledger.begin_run(command="run", mode="auto", now=now)


@pytest.fixture
def plan(now: datetime) -> StoredPlan:
    """A plan whose text hashes to its digest."""
    return StoredPlan(
        run_id=0,
        digest="44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        created_at=now,
        canonical="{}",
    )


@pytest.fixture
def intend(ledger: Ledger, run_id: int, now: datetime) -> Callable[..., int]:
    """Notes the intent to delete a contact."""

    def note(contact_id: int, **more: object) -> int:
        values = {
            "run_id": run_id,
            "contact_id": contact_id,
            "fingerprint": "f",
            "guard": DeleteGuard.ETAG,
            "entity": {"Id": contact_id, "FirstName": "Jörg", "Mobile2": None, "Tags": ["a"]},
            "reason": "absent in 2 of 2 exports",
            "crm_id": f"C{contact_id}",
            "now": now,
        }
        return ledger.intend(**(values | more))

    return note


@pytest.fixture
def open_place(now: datetime) -> Iterator[State]:
    """A place for a state that every user of the machine can get to."""
    with TemporaryDirectory() as folder:
        base = Path(folder)
        base.chmod(0o755)
        yield State(base=base, now=now)


@contextmanager
def _without_power() -> Iterator[None]:
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def without_power() -> Callable[[], object]:
    """A context in which file permissions count, even if the tests are run by root."""
    return _without_power


@contextmanager
def _full_disk(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def full_disk() -> Callable[[int], object]:
    """A context in which the kernel lets no file grow beyond a size."""
    return _full_disk
