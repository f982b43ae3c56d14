"""A folder, a simulated PBX beside it, and the real command in a process of its own."""

from __future__ import annotations

import csv
import json
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import warm

from reconcile.sandbox import Book
from reconcile.sandbox.export import write_export

if TYPE_CHECKING:
    from shelf import Shelf

    from reconcile.sandbox import SandboxServer

CANARY = "canary-s3cret-9XZ"


@dataclass
class Said:
    """What a command left behind: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass
class Office:
    """An administrator's folder."""

    folder: Path
    server: SandboxServer
    shelf: Shelf
    environ: dict = field(default_factory=lambda: {"RECONCILE_3CX_SECRET": CANARY})
    cold: bool = False
    """Whether every command loads all that it needs by itself."""

    @property
    def book(self):
        return self.server.book

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def exported(self) -> Path:
        return self.folder / "exports" / "contacts.csv"

    def environment(self, **more):
        root = Path(__file__).parent.parent.parent
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RECONCILE")}
        # Colours and proxies of the machine are no part of what is proved here.
        return {**kept, "PYTHONPATH": str(root), "NO_PROXY": "*", **self.environ, **more}

    def start(self, *args, **more):
        """A command that goes on; Python itself is only started where the test is about it."""
        cold = self.cold or any(name.startswith(("PYTHON", "TMP")) for name in more)
        environ = self.environment(**more)
        return warm.start(*map(str, args), cwd=self.folder, env=environ, cold=cold)

    def __call__(self, *args, answers="", **more) -> Said:
        """One command, to its end; whatever it says is looked through for the secret."""
        with self.start(*args, **more) as process:
            out, err = process.communicate(answers, timeout=60)
        said = Said(process.returncode, out, err)
        assert "Traceback" not in out + err
        assert CANARY not in out + err
        assert "\r" not in err  # progress is for terminals
        return said

    def init(self, **changes) -> Said:
        values = {
            "mode": "review",
            "source": "exports/*.csv",
            "region": "DE",
            "pbx-url": self.server.url,
            "client-id": "reconcile",
            "secret-env": "RECONCILE_3CX_SECRET",
            "delete-guard": "etag",
            **changes,
        }
        return self("init", *(f"--{name}={value}" for name, value in values.items()))

    def set(self, old: str, new: str) -> None:
        """Edit config.toml as a person would."""
        text = self.config.read_text("utf-8")
        assert text.count(old) == 1, old
        self.config.write_text(text.replace(old, new), "utf-8")

    def export(self, *, without=()) -> None:
        """What the CRM exports; `without` are contacts whose person has left."""
        write_export(self.exported, self.book.all(), without=[c["Tag"] for c in without])

    def ready(self, *, grace=False) -> None:
        """Configured, exported, and everybody claimed by a first night."""
        self.shelf.prepared(
            self.folder, self.server, lambda: self._ready(grace=grace), "ready", grace
        )

    def _ready(self, *, grace) -> None:
        assert self.init().code == 0
        if not grace:
            self.set("grace_exports = 2", "grace_exports = 1")
            self.set("grace_hours = 20", "grace_hours = 0")
        self.export()
        assert self("plan").code == 0

    @property
    def managed(self) -> list[dict]:
        return [c for c in self.book.all() if c["ContactType"] == "3CX" and c.get("Tag")]

    def due(self) -> dict:
        """Somebody has left, and the next plan says so; gives their contact."""
        self.ready()
        leaver = self.managed[3]
        self.export(without=[leaver])
        return leaver

    def digest(self) -> str:
        return self("plan", "--json").json["digest"][:12]

    def deleted(self) -> dict:
        """Somebody has left and was deleted, in run 3; gives their contact."""
        leaver = self.due()
        assert self("apply", self.digest()).code == 0
        return leaver

    def has(self, contact_id) -> bool:
        return self.book.get(contact_id) is not None

    def methods(self) -> set[str]:
        return {r.method for r in self.server.requests if "/connect/token" not in r.path}

    def rows(self) -> list[list[str]]:
        with self.exported.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))


@pytest.fixture
def office(tmp_path, shelf):
    with shelf.server(Book.seeded(40, seed=3), secret=CANARY) as server:
        made = Office(folder=tmp_path, server=server, shelf=shelf)
        yield made
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path


@pytest.fixture
def canary():
    return CANARY


@pytest.fixture
def end():
    """Send a signal, and give what the process left behind."""

    def ended(process, number=signal.SIGTERM) -> Said:
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert "Traceback" not in out + err
        return Said(process.returncode, out, err)

    return ended
