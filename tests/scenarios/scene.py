"""The company of the scenarios: four nights old, in mode `auto`, with two contacts due tonight.

Tonight's honest run deletes LEAVERS. So a scenario in which nothing is deleted shows that something
held them back, and not that there was nothing to do.
"""

from __future__ import annotations

import csv
import io
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from amounts import amount
from company import HEADER, SECRET, Company, hired

from reconcile.errors import ReconcileError
from reconcile.sandbox import Book, SandboxServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconcile.model import Exit, Status
    from reconcile.report.model import ContactPart, Report

SIZE = 240
FORMER = 12
"""Left and was deleted in an earlier night."""
LEAVERS = (5, 6)
"""Absent since last night; due tonight."""


def cases(*some, check: int):
    """Several of one kind: the first of them in `make check`, all in `make prove`."""
    return list(some[: amount(check=check, prove=len(some))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended: with a report, or with an error that says why there is none."""

    code: Exit | int
    findings: frozenset[str]
    status: Status | None = None
    report: Report | None = None
    error: ReconcileError | None = None

    def contact(self, contact_id: int) -> ContactPart:
        """What the report says of one contact."""
        return next(c for c in self.report.contacts if c.id == contact_id)

    def outcomes(self) -> dict:
        """Contact → what became of its delete."""
        return {c.id: c.outcome for c in self.report.contacts if c.outcome}

    def level(self, code: str) -> str:
        """The level of a finding that is there."""
        return next(str(f.level) for f in self.report.findings if f.code == code)

    def observed(self, code: str) -> str:
        """What a finding saw."""
        return next(f.observed for f in self.report.findings if f.code == code)


class Scene(Company):
    """A company, and the words in which the scenarios speak of it."""

    def tonight(self, *, without=LEAVERS, extra=()) -> str:
        """The text of the honest export of this night."""
        text = io.StringIO()
        rows = [*self.records(without=without), hired(self.now.day), *extra]
        csv.writer(text).writerows([HEADER, *rows])
        return text.getvalue()

    def exported(self, text: str | bytes | None = None, **more) -> Path:
        """Write tonight's export: the honest one, or this."""
        found = self.tonight() if text is None else text
        raw = found.encode() if isinstance(found, str) else found
        return self.export(raw=raw, **more)

    def ends(self, act: Callable, *args, **options) -> Ended:
        """Do something, and give how it ended; a bug's exception passes through."""
        try:
            report = act(*args, **options)
        except ReconcileError as error:
            codes = frozenset([error.code, *(p.code for p in error.problems)])
            return Ended(code=error.exit_code, findings=codes, error=error)
        return Ended(
            code=report.exit_code,
            findings=frozenset(f.code for f in report.findings),
            status=report.status,
            report=report,
        )

    def night(self, text: str | bytes | None = None, **options) -> Ended:
        """What cron does: tonight's export is there, and `reconcile run` is called."""
        self.exported(text, **options)
        return self.ends(self.run)

    def untouched(self) -> bool:
        """Nothing but GETs went out, and whoever was there is there."""
        return self.methods() <= {"GET"} and len(self.book.all()) == SIZE - 1

    def left(self) -> set[int]:
        """The Ids that are gone since this night began."""
        there = {c["Id"] for c in self.book.all()}
        return set(range(1, SIZE + 1)) - {FORMER} - there

    def sql(self, statement: str, *values: object) -> list[tuple]:
        """Look into the state, or do to it what no command of ours does."""
        state = sqlite3.connect(self.folder / "state" / "reconcile.db", isolation_level=None)
        try:
            return state.execute(statement, values).fetchall()
        finally:
            state.close()


def begun(folder: Path) -> Path:
    """The state after three nights and the first delete, proof of the guard included."""
    with SandboxServer(Book.seeded(SIZE, seed=3), client_secret=SECRET) as server:
        company = Scene(server=server, folder=folder, settings={"mode": "auto"})
        company.create_state()
        for without in ((), (FORMER,), (FORMER, *LEAVERS)):
            company.exported(company.tonight(without=without))
            company.run()
            company.tomorrow()
        assert company.has(FORMER) is False
    return folder


def continued(server: SandboxServer, begun: Path, folder: Path) -> Scene:
    """The same company at another address: state and exports are copies."""
    for name in ("state", "exports"):
        shutil.copytree(begun / name, folder / name)
    company = Scene(server=server, folder=folder, settings={"mode": "auto"})
    company.now += timedelta(days=3)
    company.sql("UPDATE state SET pbx_url = ?", server.url)
    company.sql("UPDATE probe SET pbx_url = ?", server.url)
    return company


def book() -> Book:
    """The phonebook as it is tonight."""
    made = Book.seeded(SIZE, seed=3)
    made.remove(FORMER)
    return made
