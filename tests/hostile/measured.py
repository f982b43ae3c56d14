"""What hostile input does to a process of its own: how it ends, and how much memory it took.

Several attacks share a process, as starting one takes longer than most attacks. Before each the
kernel's high-water mark is set back: `ru_maxrss` can't be, and counts what the process was before
it became this program, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from canaries import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MIB: Final = 1024 * 1024
_METER: Final = """
import json, sys, time
from pathlib import Path

def status(name):
    text = Path("/proc/self/status").read_text("ascii")
    return int(text.partition(name + ":")[2].split()[0]) // 1024

def measured(act):
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    before, began = status("VmRSS"), time.monotonic()
    said = act()
    said |= {"peak": status("VmHWM") - before, "seconds": time.monotonic() - began}
    print(json.dumps(said), flush=True)
"""
_COLUMNS: Final = """
import io
from contextlib import redirect_stdout, redirect_stderr
from reconcile.cli import main

def columns(path):
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        try:
            main(["columns", path])
        except SystemExit as left:
            return {"code": left.code, "said": text.getvalue()}

columns(sys.argv[1])  # what is imported on the way is no part of an attack
for path in sys.stdin.read().splitlines():
    measured(lambda: columns(path))
    Path(path).unlink()
"""
_SNAPSHOT: Final = """
from datetime import UTC, datetime
from reconcile.errors import ReconcileError
from reconcile.pbx.client import Connection, PbxReader

def snapshot(url):
    where = Connection(url=url, client_id="me", client_secret="canary-secret-7Q", timeout=5)
    with PbxReader(where, sleep=lambda _: None) as reader:
        try:
            found = reader.snapshot(now=datetime.now(UTC))
        except ReconcileError as error:
            return {"code": error.exit_code, "said": error.message, "kind": type(error).__name__}
    return {"code": 0, "said": f"{len(found)} contacts"}

snapshot(sys.argv[1])
for url in sys.stdin.read().splitlines():
    measured(lambda: snapshot(url))
"""
_COMMANDS: Final = """
import io, json, sys
from contextlib import redirect_stdout, redirect_stderr
from reconcile.cli import main

for line in sys.stdin.read().splitlines():
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        try:
            main(json.loads(line))
        except SystemExit as left:
            print(json.dumps({"code": left.code, "said": text.getvalue()}), file=sys.__stdout__)
"""


@dataclass(frozen=True)
class Ended:
    """How one attack ended."""

    code: int
    said: str
    peak: int = 0
    """MiB above what the process had before."""
    seconds: float = 0.0
    kind: str = ""


def columns(good: Path, attacks: Iterable[Path]) -> list[Ended]:
    """`reconcile columns` of each file, which is gone afterwards."""
    return _in_one_process(_METER + _COLUMNS, str(good), map(str, attacks), cwd=good.parent)


def snapshot(good: str, attacks: Iterable[str], *, cwd: Path) -> list[Ended]:
    """The whole listing of the PBX at each address."""
    return _in_one_process(_METER + _SNAPSHOT, good, attacks, cwd=cwd)


def commands(folder: Path, *lines: list[str]) -> list[Ended]:
    """What `reconcile` says to each of these, one after the other, in this folder."""
    return _in_one_process(_COMMANDS, "", map(json.dumps, lines), cwd=folder)


def environment(**more: str) -> Mapping[str, str]:
    """Of a child, without what this machine may say of reconcile and of proxies."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RECONCILE")}
    return {**kept, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_PROXY": "*", **more}


def _in_one_process(code: str, good: str, attacks: Iterable[str], *, cwd: Path) -> list[Ended]:
    done = subprocess.run(
        [sys.executable, "-c", code, good],
        input="\n".join(attacks),
        env=environment(TMPDIR=str(cwd), RECONCILE_3CX_SECRET=SECRET),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [Ended(**json.loads(line)) for line in done.stdout.splitlines()]
