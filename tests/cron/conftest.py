"""A machine on which reconcile is installed as cron/ expects it, beside a simulated PBX."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import canaries
import pytest
import warm

from reconcile.sandbox import Book, SandboxServer
from reconcile.sandbox.export import write_export

CRON = Path(__file__).parents[2] / "cron"


@dataclass
class Installed:
    """What lies in /opt/reconcile: the program, secret.env, config.toml, exports, the state."""

    folder: Path
    server: SandboxServer

    def placed(self, text: str, home: str = "/opt/reconcile") -> str:
        """A text of cron/ or the manual, with this folder in place of theirs."""
        return text.replace(home, str(self.folder))

    @property
    def program(self) -> Path:
        return self.folder / ".venv" / "bin" / "reconcile"

    @property
    def managed(self) -> list[dict]:
        return [c for c in self.server.book.all() if c["ContactType"] == "3CX" and c.get("Tag")]

    @property
    def report(self) -> dict:
        return json.loads((self.folder / "reports" / "latest" / "report.json").read_text("utf-8"))

    @property
    def log(self) -> Path:
        return self.folder / "reconcile.log"

    @property
    def environ(self) -> dict[str, str]:
        """What a service manager gives the program: what it has of its own, and secret.env."""
        named = (self.folder / "secret.env").read_text("utf-8").splitlines()
        secrets = dict("".join(shlex.split(line)).split("=", 1) for line in named)
        path = f"{self.program.parent}:{os.environ['PATH']}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RECONCILE")}
        return {**kept, "NO_PROXY": "*", "PATH": path, **secrets}

    def run(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """A command, to its end, in the folder."""
        return subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env={**self.environ, **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def reconcile(self, *words: str) -> tuple[int, str]:
        """A command of ours, quickly started; gives its code and what it said."""
        with warm.start(*words, cwd=self.folder, env=self.environ) as process:
            out, err = process.communicate(timeout=60)
        assert "Traceback" not in out + err
        return process.returncode, out + err

    def export(self, *, without: list[dict] | None = None) -> None:
        """What the CRM exports; `without` are contacts whose person has left."""
        left = [c["Tag"] for c in without or ()]
        path = self.folder / "exports" / "contacts.csv"
        write_export(path, self.server.book.all(), without=left)

    def set(self, old: str, new: str) -> None:
        """Edit config.toml as a person would."""
        path = self.folder / "config.toml"
        text = path.read_text("utf-8")
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new), "utf-8")

    def due(self, *, count: int = 1) -> list[dict]:
        """So many have left since the first night; gives their contacts."""
        leavers = self.managed[3 : 3 + count]
        self.export(without=leavers)
        return leavers


@pytest.fixture
def installed(tmp_path):
    """Configured in review mode, without grace, and everybody claimed by a first night."""
    folder = tmp_path / "opt"
    program = folder / ".venv" / "bin" / "reconcile"
    program.parent.mkdir(parents=True)
    program.symlink_to(Path(sys.executable).with_name("reconcile"))
    secret = canaries.exempt(folder / "secret.env")
    secret.write_text(f"RECONCILE_3CX_SECRET='{canaries.SECRET}'\n", "utf-8")
    secret.chmod(0o600)
    with SandboxServer(Book.seeded(40, seed=3), client_secret=canaries.SECRET) as server:
        made = Installed(folder=folder, server=server)
        answers = {
            "mode": "review",
            "source": "exports/*.csv",
            "region": "DE",
            "pbx-url": server.url,
            "client-id": "reconcile",
            "secret-env": "RECONCILE_3CX_SECRET",
            "delete-guard": "etag",
        }
        code, said = made.reconcile("init", *(f"--{k}={v}" for k, v in answers.items()))
        assert code == 0, said
        made.set("grace_exports = 2", "grace_exports = 1")
        made.set("grace_hours = 20", "grace_hours = 0")
        made.export()
        assert made.reconcile("plan")[0] == 0
        yield made


@pytest.fixture(scope="session")
def cron():
    """The folder of this repository with the deployment texts."""
    return CRON
