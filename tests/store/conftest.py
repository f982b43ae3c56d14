"""A real state file for every test, and the ways in which a test hurts it."""

from __future__ import annotations

import os
import resource
import shutil
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
from kinds import NUMBERS

from reconcile.model import AcceptedExport, Claim, DeleteGuard, StoredPlan
from reconcile.store import copying, migrate
from reconcile.store.engine import located
from reconcile.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from databases import Cluster

    from reconcile.store.database import Database

PBX = "https://pbx.example.com:5001"
NOBODY = 65534
_OPENED: list[Database] = []
"""Those that a test has looked into, to be closed at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where one state is, and what tests do to it."""

    base: Path
    now: datetime
    url: str = "sqlite:///state/reconcile.db"
    pbx_url: str = PBX
    cluster: Cluster | None = None
    """The server, if the state is in one."""
    schema: str = ""

    @property
    def path(self) -> Path:
        return self.base / "state" / "reconcile.db"

    @property
    def database(self) -> Database:
        _OPENED.append(located(self.url, base=self.base))
        return _OPENED[-1]

    @property
    def name(self) -> str:
        """What people are told it is called."""
        return str(self.database)

    def lose(self) -> None:
        """Move the state away, until it is found again."""
        if self.cluster:
            self.sql(f"ALTER SCHEMA {self.schema} RENAME TO {self.schema}_lost")
        else:
            self.path.rename(self.base / "lost.db")

    def find(self) -> None:
        """Put the state that was lost in its place, whatever is there."""
        if self.cluster:
            self.sql(f"DROP SCHEMA {self.schema} CASCADE")
            self.sql(f"ALTER SCHEMA {self.schema}_lost RENAME TO {self.schema}")
        else:
            self.put_back(self.base / "lost.db")

    def put_back(self, copy: Path) -> None:
        """As an administrator does it: the copy is the state now."""
        if self.cluster:
            self.sql(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
            copying.copy(f"sqlite:///{copy}", self.url, base=self.base, now=self.now)
            return
        for end in ("-wal", "-shm"):
            self.path.with_name(f"{self.path.name}{end}").unlink(missing_ok=True)
        shutil.copy(copy, self.path)
        self.path.chmod(0o600)

    def content(self) -> list[object]:
        """Everything that is in the state, and its tables, in any order."""
        if not self.cluster:
            with closing(sqlite3.connect(self.path)) as connection:
                return sorted(connection.iterdump())
        columns = self.sql(
            "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_schema = current_schema() ORDER BY 1, 2"
        )
        names = sorted({name for name, *_ in columns})
        rows = [self.sql(f"SELECT * FROM {name}") for name in names]  # noqa: S608 - our names
        return [columns, *(sorted(found, key=repr) for found in rows)]

    @property
    def reports(self) -> Path:
        """The folder of the second mark."""
        return self.base / "reports"

    def upgrade(self, *locations: Path) -> migrate.UpgradeResult:
        return migrate.upgrade(self.url, base=self.base, now=self.now, locations=locations)

    @property
    def address(self) -> str:
        """The URL, from wherever it is seen."""
        return self.url if self.cluster else f"sqlite:///{self.path}"

    def open(self, marks: Path | None = None) -> Ledger:
        marks = marks or self.reports
        return Ledger.open(self.url, base=self.base, pbx_url=self.pbx_url, marks=marks)

    def check(self) -> migrate.CheckResult:
        return migrate.check(self.url, base=self.base, marks=self.reports)

    def backup(self, target: Path | None = None) -> Path:
        return migrate.backup(self.url, base=self.base, target=target, now=self.now)

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Do something to the state behind the ledger's back; the rows of the last statement."""
        if self.cluster:
            path = f"SET search_path = {self.schema}"
            return self.cluster.sql(path, *statements, database="states", user="reconcile")
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]

    def shape(self) -> list[tuple[object, ...]]:
        """Kind, name and SQL of all that the state is made of."""
        if not self.cluster:
            return self.sql("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")
        return self.sql(
            "SELECT 'column', table_name || '.' || column_name, concat_ws(' ', data_type,"
            " character_maximum_length, is_nullable,"
            " replace(column_default, current_schema(), ''))"
            " FROM information_schema.columns WHERE table_schema = current_schema()"
            " UNION SELECT 'rule', conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = current_schema()::regnamespace"
            " UNION SELECT 'index', indexname, replace(indexdef, current_schema(), '')"
            " FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2"
        )

    def elsewhere(self, base: Path) -> State:
        """A place for another state of the same kind."""
        if self.cluster:
            return in_schema(self.cluster, base, self.now)
        return State(base=base, now=self.now)

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


@pytest.fixture(scope="session")
def _server(cluster: Cluster) -> Cluster:
    """A database in which each test has a schema."""
    cluster.create("states")
    return cluster


@pytest.fixture
def place(
    tmp_path: Path, now: datetime, request: pytest.FixtureRequest
) -> Iterator[Callable[[str, str], State]]:
    """Gives a place of a kind for a state, with none there yet."""

    def made(kind: str, folder: str = "") -> State:
        (tmp_path / folder).mkdir(exist_ok=True)
        if kind == "sqlite":
            return State(base=tmp_path / folder, now=now)
        return in_schema(request.getfixturevalue("_server"), tmp_path / folder, now)

    yield made
    while _OPENED:
        _OPENED.pop().close()


@pytest.fixture
def bare(kind: str, place: Callable[[str, str], State]) -> State:
    """A place for a state, with none there yet."""
    return place(kind)


def in_schema(server: Cluster, base: Path, now: datetime) -> State:
    """A place for a state in a schema of its own."""
    schema = f"t{next(NUMBERS)}"
    url = server.url("states", schema=schema)
    return State(base=base, now=now, url=url, cluster=server, schema=schema)


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
