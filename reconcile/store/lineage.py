"""Whether this state is the newest of its line, or was put back from a backup.

Every write transaction counts `state.serial` up. The count is also noted outside of the database,
in two marks: `<state>.serial` beside it, and `state-<id>.serial` in the folder of the reports,
which stays when the state's whole folder is put back. A mark that is ahead of the state means that
the state has forgotten something: a protection, an approval that was used, a tombstone.

Only what is committed is noted, by a process that holds the database's write lock. So a mark can
lag (a process was killed in between) but never lead, and never goes back: no crash and no power cut
is taken for a restored backup. What can't be noticed: state and marks put back together.

A machine that has no mark of a state can't know whether it was put back, and refuses it. Where
several machines work with one state, a mark is carried from one that has it, as `ID:COUNT`: by a
person (`db mark`), or with a job that is run elsewhere (`known`, `carry`).
"""

from __future__ import annotations

import os
import re
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sqlalchemy import or_, select, update

from reconcile.errors import StateError, UsageError
from reconcile.store import gates, rows, tables
from reconcile.store.engine import located
from reconcile.store.files import explained, give_name, make_file, make_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import Connection

    from reconcile.store.database import Database

REBIND: Final = "reconcile db rebind"
MARK: Final = "reconcile db mark"
JUMP: Final = 1_000_000
"""How far a rebound state is set ahead of all marks: further than the writes that a killed process
could have made since its last mark. So the state that was lost is older, too, if it turns up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How often a state was written, as far as somebody knows. As a text: `ID:COUNT`."""

    state_id: str
    serial: int

    def __str__(self) -> str:
        return f"{self.state_id}:{self.serial}"

    @classmethod
    def of(cls, text: str) -> Mark:
        """The mark that a person carried here. Raises UsageError."""
        found = re.fullmatch(r"(\w+):([0-9]{1,15})", text)
        if found is None:
            raise UsageError(
                f"{text!r} is no mark.",
                hint=f"{MARK}, on a machine that works with this state, prints one",
            )
        return cls(state_id=found[1], serial=int(found[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Where it is noted how often one state was written."""

    state: Database
    state_id: str
    folder: Path | None
    """The folder of the second mark; None if there is only the one beside the state."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, the one beside the state first."""
        beside = self.state.mark
        return (beside, _in_reports(self.folder, self.state_id)) if self.folder else (beside,)

    def highest(self) -> int | None:
        """The highest count that is noted; None without a mark of this state. Raises OSError."""
        found = (_noted(path, self.state_id) for path in self.paths)
        return max((count for count in found if count is not None), default=None)

    def note(self, connection: Connection) -> None:
        """Note the count in a write transaction that has changed nothing. Raises OSError."""
        serial = rows.serial(connection)
        for path in self.paths:
            noted = _noted(path, self.state_id)
            if noted is None or noted < serial:
                mark = Mark(state_id=self.state_id, serial=serial)
                _write(path, mark, owner=self.state.owner(), passing="new")


def _in_reports(folder: Path, state_id: str) -> Path:
    """The mark that is named by its state: those of several can be in one folder."""
    return folder / f"state-{state_id}.serial"


def _noted(path: Path, state_id: str) -> int | None:
    """What a mark says of this state; None if it says nothing, or is another state's."""
    found = _read(path)
    return found.serial if found and found.state_id == state_id else None


def _read(path: Path) -> Mark | None:
    """What a file says; None if it isn't there, or says nothing."""
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    found = re.fullmatch(rb"(\w+) ([0-9]{1,15})\n", text)
    return Mark(state_id=found[1].decode(), serial=int(found[2])) if found else None


def _write(path: Path, mark: Mark, *, owner: os.stat_result, passing: str) -> None:
    """Replace the file, durably. What root writes is given to whom the state belongs.

    Only one process at a time is here for one reason, so the passing name, which says the reason,
    is always the same and is never litter.
    """
    make_folder(path)
    partial = path.with_name(f"{path.name}.{passing}")
    partial.unlink(missing_ok=True)
    make_file(partial)
    try:
        with partial.open("wb") as file:
            file.write(f"{mark.state_id} {mark.serial}\n".encode())
            file.flush()
            os.fsync(file.fileno())
            if os.geteuid() == 0:
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        give_name(partial, path)
    finally:
        partial.unlink(missing_ok=True)


# ---------------------------------------------------------------------------- looking


_COUNT_UP: Final = update(tables.state).values(serial=tables.state.c.serial + 1)


def count_up(connection: Connection) -> None:
    """Every write transaction does this once."""
    connection.execute(_COUNT_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """How a state stands to its marks."""

    marks: Marks
    serial: int
    noted: int | None

    @classmethod
    def of(cls, marks: Marks) -> _Standing:
        """As it is now. The marks are read first: a run beside this may count on meanwhile."""
        noted = marks.highest()
        with marks.state.transaction(writing=False) as connection:
            serial = rows.serial(connection)
        return cls(marks=marks, serial=serial, noted=noted)

    @property
    def doubt(self) -> str:
        """Why this may not be the newest state; "" if nothing speaks against it."""
        if self.noted is None and self.serial:
            places = " and ".join(map(str, self.marks.paths))
            return (
                f"{self.marks.state} was written {self.serial:,} times, but there is no mark of "
                f"that in {places}: it came from elsewhere, or is a backup"
            )
        missing = (self.noted or 0) - self.serial
        if missing > 0:
            return (
                f"{self.marks.state} was put back from a backup, or lost its last writes: at least "
                f"{missing:,} of {self.noted:,} are not in it"
            )
        return ""


def is_newest(marks: Marks) -> bool:
    """Pass a state that has at least what its marks tell of; False if it has no mark yet.

    Raises StateError for any other, and OSError for a mark that can't be read.
    """
    standing = _settled(marks)
    _pass(standing)
    return standing.noted is not None


def _pass(standing: _Standing) -> None:
    """Raise StateError if this may not be the newest state."""
    if not standing.doubt:
        return
    elsewhere = f"if another machine works with it, take its mark: {MARK}; "
    first = elsewhere if standing.noted is None else ""
    raise StateError(
        f"{standing.doubt}. Claims, protections, freezes, approvals that were used, and "
        "tombstones of what was deleted since may be missing.",
        hint=f"{first}put the newest state in its place; if there is none: {REBIND}",
        code="state_restored",
    )


def _settled(marks: Marks) -> _Standing:
    standing = _Standing.of(marks)
    if standing.noted is None and standing.serial:
        # Another process may have made the first mark, and counted, between the two looks.
        return _Standing.of(marks)
    return standing


# ---------------------------------------------------------------------------- another machine


def own(url: str, *, base: Path, marks: Path | None) -> Mark:
    """The mark of a state that is the newest as far as this machine knows, for another machine.

    Raises StateError for any other.
    """
    with closing(located(url, base=base)) as state, state.explained():
        state_id, _ = gates.admitted(state)
        standing = _settled(Marks(state=state, state_id=state_id, folder=marks))
        _pass(standing)
        return Mark(state_id=state_id, serial=standing.serial)


def take(url: str, *, base: Path, marks: Path | None, given: Mark) -> str:
    """Note on this machine a mark that another machine gave; says what is noted now.

    Raises StateError for the mark of another state, and for a state that is older than it, or than
    what is noted here.
    """
    with closing(located(url, base=base)) as state, state.explained():
        state_id, _ = gates.admitted(state)
        if given.state_id != state_id:
            raise StateError(
                f"{given} is the mark of another state than {state}.",
                hint=f"see that state.url is the same on both machines, then there: {MARK}",
                code="state_mark",
            )
        line = Marks(state=state, state_id=state_id, folder=marks)
        standing = _settled(line)
        _pass(replace(standing, noted=max(standing.noted or 0, given.serial)))
        with state.transaction(writing=True) as connection:
            line.note(connection)
    return (
        f"{state} was written {standing.serial:,} times, at least {given.serial:,} of which another"
        " machine has seen: it is the newest state that is known here.\nNext: reconcile doctor"
    )


def known(url: str, *, base: Path, folder: Path) -> tuple[Mark, ...]:
    """All that this machine has noted, of whatever state; the database is not asked.

    `folder` is that of the reports. Raises StateError for a mark that can't be read.
    """
    with explained(folder), closing(located(url, base=base)) as state:
        found = (_read(path) for path in (state.mark, *sorted(folder.glob("state-*.serial"))))
        highest: dict[str, int] = {}
        for mark in filter(None, found):
            highest[mark.state_id] = max(mark.serial, highest.get(mark.state_id, 0))
    return tuple(Mark(state_id=name, serial=serial) for name, serial in sorted(highest.items()))


def carry(marks: Iterable[Mark], *, folder: Path) -> None:
    """Note what another machine has noted, in the folder of the reports; the higher count stays.

    The state is then refused here as it would be there; its database is not asked. One process at a
    time may do so for one job. Should a run note its own count in that very moment, the mark may
    lag behind it, and never leads. Raises StateError.
    """
    with explained(folder):
        for mark in marks:
            path = _in_reports(folder, mark.state_id)
            noted = _noted(path, mark.state_id)
            if noted is None or noted < mark.serial:
                make_folder(path)
                _write(path, mark, owner=folder.stat(), passing="carried")


# ---------------------------------------------------------------------------- rebind


@dataclass(frozen=True, slots=True, kw_only=True)
class RebindResult:
    """What it took to go on with a state that was put back."""

    state: str
    changed: bool
    """False if the state was the newest anyway."""
    absent: int = 0
    """Claims whose contact was absent, and has its whole grace before it again."""
    plans: int = 0
    """Plans that waited for an approval and are void."""
    next_run: int = 0

    def __str__(self) -> str:
        """What was done and what to look at, in sentences."""
        if not self.changed:
            return f"{self.state} is the newest state that is known here: nothing to do."
        return (
            f"{self.state} is the state to go on with, as it is.\n"
            f"Grace starts again for every contact; {self.absent:,} were absent.\n"
            f"Plans that waited for an approval are void: {self.plans:,}.\n"
            f"The next run has at least the number {self.next_run}, so that no report is lost.\n"
            "What happened after this state was saved is not in it. Look at the protections "
            "(reconcile protect lists them), at a freeze, and at the reports of the runs since: "
            "what they deleted can't be restored from this state, nor counts as this week's.\n"
            "Next: reconcile plan"
        )


def rebind(url: str, *, base: Path, marks: Path | None, last_run: int) -> RebindResult:
    """Accept a state that is not the newest of its line; the newest is left as it is.

    What it says of absence is no longer believed, and neither are its plans: some of them may have
    been applied. `last_run` is the highest run of which there is a report. Whoever calls this holds
    the run lock. Raises StateError.
    """
    with closing(located(url, base=base)) as state, state.explained():
        state_id, _ = gates.admitted(state)
        line = Marks(state=state, state_id=state_id, folder=marks)
        standing = _settled(line)
        if not standing.doubt:
            return RebindResult(state=str(state), changed=False)
        with state.transaction(writing=True) as connection:
            result = _rebound(connection, standing, last_run)
        with state.transaction(writing=True) as connection:
            line.note(connection)
    return result


def _rebound(connection: Connection, standing: _Standing, last_run: int) -> RebindResult:
    claim, run = tables.claim.c, tables.run.c
    begun = update(tables.claim).where(
        or_(claim.first_absent.is_not(None), claim.absent_exports > 0)
    )
    used = select(tables.approval.c.plan_run_id)
    waiting = update(tables.run).where(run.plan_digest.is_not(None), run.id.not_in(used))
    absent = connection.execute(begun.values(first_absent=None, absent_exports=0)).rowcount
    void = {"plan": None, "plan_digest": None, "planned_at": None}
    plans = connection.execute(waiting.values(void)).rowcount
    serial = max(standing.serial, standing.noted or 0) + JUMP
    connection.execute(update(tables.state).values(serial=serial))
    newest = max(last_run, rows.newest_run(connection))
    standing.marks.state.number_after(connection, tables.run, newest)
    return RebindResult(
        state=str(standing.marks.state),
        changed=True,
        absent=absent,
        plans=plans,
        next_run=newest + 1,
    )
