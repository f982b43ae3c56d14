"""How times are taken here: in processes of their own, in turn, as medians, and told as ratios."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RESULTS = Path(__file__).parent / "results"


def script(path: str | Path, *arguments: str) -> dict[str, Any]:
    """What the script, run in a process of its own, says in JSON, besides `process`' figures."""
    return process(sys.executable, str(path), *arguments)


def process(*command: str, codes: tuple[int, ...] = (0,), **environ: str) -> dict[str, Any]:
    """Seconds of a whole process, from its start to its end, and what it says in JSON."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, **environ}
    ) as running:
        said = running.stdout.read() if running.stdout else b""
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode not in codes:
        raise SystemExit(f"{' '.join(command)}: exit {running.returncode}")
    found = {
        "process wall": time.perf_counter() - started,
        "process cpu": used.ru_utime + used.ru_stime,
        "process peak": float(used.ru_maxrss * 1024),
    }
    return {**found, **_said(said)}


def _said(printed: bytes) -> dict[str, Any]:
    lines = printed.splitlines()
    try:
        document = json.loads(lines[-1]) if lines else {}
    except ValueError:  # a command that speaks to people
        return {}
    return document if isinstance(document, dict) else {}


def medians(rounds: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Of each figure the median of all rounds."""
    every = list(rounds)
    numbers = [name for name, value in every[0].items() if isinstance(value, int | float)]
    return {name: statistics.median(found[name] for found in every) for name in numbers}


def ratio(
    what: str, ours: float, other: float, *, at_most: float = 0.0, at_least: float = 0.0
) -> dict[str, float | bool | None]:
    """Print both, their ratio and its budget, if any; gives all of it for the results."""
    found = ours / other
    limit = {name: n for name, n in (("at most", at_most), ("at least", at_least)) if n}
    kept = (found <= at_most if at_most else found >= at_least) if limit else None
    said = "; MISSED" if kept is False else ""
    budget = "".join(f" ({name} {n:g}{said})" for name, n in limit.items())
    print(f"  {what:<24} {ours:9.3f} to {other:9.3f}: {found:6.2f}{budget}")
    return {"ours": ours, "other": other, "ratio": found, **limit, "kept": kept}


def machine() -> str:
    """What the figures were taken on; its name is nobody's business."""
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()},"
        f" load {os.getloadavg()[0]:.1f}"
    )


def keep(name: str, found: Mapping[str, Any]) -> None:
    """Keep what was found, for RESULTS.md."""
    RESULTS.mkdir(exist_ok=True)
    document = {"taken": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "found": found}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
