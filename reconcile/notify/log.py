"""The log of runs: a line when one begins, and what it read, found and did when it has ended.

For machines that collect logs. No name, number or address of a person stands in it: contacts are
their Ids, a finding is its code. A log that can't be written costs a line on stderr.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconcile.errors import ReconcileError
from reconcile.model import Level, Outcome, Status
from reconcile.notify.complaint import complain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reconcile.config import Config
    from reconcile.report.model import Report
    from reconcile.session import World

_LEVELS: Final = {Level.BLOCK: "error", Level.APPROVE: "warning", Level.INFO: "info"}
_STATUSES: Final = {
    Status.BLOCKED: "error",
    Status.NEEDS_APPROVAL: "warning",
    Status.PARTIAL: "warning",
    Status.INTERRUPTED: "warning",
}
_GONE: Final = {Outcome.DELETED, Outcome.ALREADY_GONE}
_VERDICTS: Final = ("matched", "waiting", "review", "delete")


@dataclass(slots=True, kw_only=True)
class Log:
    """The log of one command; `[log]` says where, and in which form."""

    config: Config
    world: World
    command: str
    is_dead: bool = False
    """It could not be written, which is said once."""

    def ended(self, report: Report) -> None:
        """What it read, found and did."""
        run, now = report.run.id, report.run.finished_at
        if s := report.source:
            self._say(now, "info", "export_read", run=run, sha256=s.sha256, records=s.records)
        if p := report.pbx:
            self._say(now, "info", "pbx_read", run=run, contacts=p.contacts, version=p.version)
        for f in report.findings:
            self._say(now, _LEVELS[f.level], "finding", run=run, code=f.code)
        for c in report.contacts:
            if c.outcome is not None:
                level = "info" if c.outcome in _GONE else "warning"
                told = {"contact": c.id, "outcome": c.outcome, "guard": c.guard}
                self._say(now, level, "contact", run=run, **told)
        self._say(
            now,
            _STATUSES.get(report.status, "info"),
            "run_ended",
            run=run,
            status=report.status,
            exit_code=int(report.exit_code),
            digest=report.digest,
            seconds=round((now - report.run.started_at).total_seconds(), 1),
            **{name: report.counts.pbx.get(name, 0) for name in _VERDICTS},
        )

    def began(self) -> None:
        """It starts now."""
        self._say(self.world.clock(), "info", "run_began", mode=self.config.mode)

    def failed(self, error: BaseException) -> None:
        """It raised, and left no report."""
        kind = error.code if isinstance(error, ReconcileError) else type(error).__name__
        self._say(self.world.clock(), "error", "run_failed", error=kind)

    def _say(self, at: datetime, level: str, event: str, **fields: object) -> None:
        if not self.config.log.file or self.is_dead:
            return
        line = {"at": at.isoformat(timespec="seconds"), "level": level, "event": event}
        said = line | {"command": self.command} | fields
        form = _json if self.config.log.format == "json" else _text
        path = self.config.path(self.config.log.file)
        try:
            # Opened for each line: whoever rotates logs may move the file at any time.
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(f"{form(said)}\n".encode("utf-8", "backslashreplace"))
        except OSError as error:
            self.is_dead = True
            complain(f"no log: {path} can't be written: {error.strerror or error}")


def _json(said: dict[str, object]) -> str:
    return json.dumps(said, ensure_ascii=False)


def _text(said: dict[str, object]) -> str:
    """`at level event key=value …`; what has a blank or a quote stands in quotes."""
    at, level, event, *rest = said.items()
    pairs = (f"{name}={_value(value)}" for name, value in rest)
    return " ".join((str(at[1]), str(level[1]).upper(), str(event[1]), *pairs))


def _value(value: object) -> str:
    text = "" if value is None else str(value)
    plain = text and text.isprintable() and not set(text) & set(' "=\\')
    return text if plain else json.dumps(text)


@contextmanager
def logged(config: Config, world: World, command: str) -> Iterator[Log]:
    """The log of a command, which begins now, and may raise."""
    log = Log(config=config, world=world, command=command)
    log.began()
    try:
        yield log
    except BaseException as error:
        log.failed(error)
        raise
