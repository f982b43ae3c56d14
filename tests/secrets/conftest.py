"""A folder with everything that a night needs, and a simulated PBX beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import canaries
import pytest
from canaries import SECRET

from reconcile.sandbox import Book, SandboxServer
from reconcile.sandbox.export import write_export

CONFIG = """
mode = "auto"
[crm]
source = "exports/*.csv"
region = "DE"
[pbx]
url = "{url}"
client_id = "reconcile"
client_secret_file = "secret.txt"
delete_guard = "compare"
[policy]
grace_exports = 1
grace_hours = 0
"""


@dataclass
class Night:
    """An administrator's folder in which the client secret stands in a file."""

    folder: Path
    server: SandboxServer

    def environment(self, **more: str) -> dict[str, str]:
        root = Path(__file__).parents[2]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RECONCILE")}
        return {
            **kept,
            "PYTHONPATH": str(root),
            "NO_PROXY": "*",
            "TMPDIR": str(self.folder),
            **more,
        }

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "reconcile", *args]

    def __call__(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command to its end. What it says goes where the search for secrets looks, too."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        (self.folder / "said.txt").write_text(done.stdout + done.stderr, "utf-8")
        assert not canaries.leaks((done.stdout + done.stderr).encode())
        return done

    def export(self, *, without=()) -> None:
        path = self.folder / "exports" / "contacts.csv"
        path.parent.mkdir(exist_ok=True)
        write_export(path, self.server.book.all(), without=[c["Tag"] for c in without])


@pytest.fixture
def night(tmp_path):
    secret = canaries.exempt(tmp_path / "secret.txt")
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)
    with SandboxServer(Book.seeded(30, seed=3), client_secret=SECRET) as server:
        (tmp_path / "config.toml").write_text(CONFIG.format(url=server.url))
        made = Night(folder=tmp_path, server=server)
        made.export()
        assert made(*made.command("db", "upgrade")).returncode == 0
        yield made
