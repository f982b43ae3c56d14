"""The one way to a state of this schema: create, upgrade, check, back up.

Must never downgrade, never upgrade without a copy of what was, and never leave half an upgrade: all
pending revisions and the revision's own record are one transaction. Whoever calls `upgrade` holds
the run lock.
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC
from importlib.resources import as_file, files
from itertools import count
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING
from uuid import uuid4

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import func, insert, select

from reconcile.errors import Problem, StateError
from reconcile.store import gates, lineage, rows, tables
from reconcile.store.database import refusals
from reconcile.store.engine import located
from reconcile.store.files import give_name, make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Table

    from reconcile.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeResult:
    """What an upgrade found and did."""

    state: str
    from_revision: str
    """"" if there was no state."""
    to_revision: str
    backup: Path | None = None
    """The copy made before; None if there was nothing to lose or nothing to do."""

    @property
    def changed(self) -> bool:
        """False if there was nothing to do."""
        return self.from_revision != self.to_revision

    def __str__(self) -> str:
        """What was done, as a sentence."""
        if not self.changed:
            return f"{self.state} has schema {self.to_revision} already: nothing to do."
        if not self.from_revision:
            return f"{self.state} was created, empty, with schema {self.to_revision}."
        return (
            f"{self.state} was upgraded from schema {self.from_revision} to {self.to_revision}; "
            f"the state as it was: {self.backup}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a state is like, and all that is wrong with it."""

    state: str
    state_id: str
    pbx_url: str
    """"" if no run has bound the state to a PBX yet."""
    revision: str
    journal: str
    """`wal`; `delete` until the first write after a backup was put back, or if the disk can't."""
    claims: int
    runs: int
    unresolved: int
    """Deletes that were intended and whose outcome nobody knows; the next run looks first."""
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """True if nothing is wrong."""
        return not self.problems


# ---------------------------------------------------------------------------- upgrade


def upgrade(
    url: str,
    *,
    base: Path,
    now: datetime,
    last_run: int = 0,
    locations: Sequence[Path] = (),
) -> UpgradeResult:
    """Create the state, or bring an older one to this version's schema, with a backup first.

    `last_run` is the highest run of which there is a report: a new state counts on from there, as
    its first runs would take the place of the reports of a state that is lost. `locations` are more
    folders of revisions. Raises StateError, with the state as it was, for a
    newer schema, a damaged file, another program's database, or a revision that fails.
    """
    with closing(located(url, base=base)) as state, state.explained():
        _prepare(state)
        with (
            configured(locations) as config,
            state.transaction(writing=True, upgrading=True) as connection,
        ):
            done = _upgrade(connection, state, config, now)
            if not done.from_revision:
                state.number_after(connection, tables.run, last_run)
            return done


def _prepare(state: Database) -> None:
    """Make the place if there is none; look at the one that is there before it is written to."""
    state.make()
    state.admit()
    with state.transaction(writing=False) as connection:
        gates.is_sound(connection, state)
        gates.revision(connection, state)


def _upgrade(
    connection: Connection, state: Database, config: Config, now: datetime
) -> UpgradeResult:
    head = ScriptDirectory.from_config(config).get_current_head() or ""
    was = gates.revision(connection, state)
    if was and not knows(config, was):
        raise gates.newer(was, state)
    saved = None
    if was not in {"", head}:
        # The write lock is held: nobody changes between the copy and the upgrade.
        saved = _copy(state, _free_name(state, was, now))
    migrated(connection, config, head)
    if broken := state.dangling(connection):
        raise StateError(
            f"{state}: the upgrade to {head} would leave {broken[0]} pointing nowhere; "
            "it was taken back.",
            hint="reconcile db check",
        )
    _name_state(connection, now)
    return UpgradeResult(state=str(state), from_revision=was, to_revision=head, backup=saved)


def migrated(connection: Connection, config: Config, revision: str) -> None:
    """Run the pending revisions up to this one, in the transaction of the connection."""
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def knows(config: Config, revision: str) -> bool:
    """Whether a revision is one of this version's."""
    try:
        ScriptDirectory.from_config(config).get_revision(revision)
    except CommandError:
        return False
    return True


def _name_state(connection: Connection, now: datetime) -> None:
    if not connection.scalar(select(func.count()).select_from(tables.state)):
        values = {"id": uuid4().hex, "pbx_url": "", "created_at": now}
        connection.execute(insert(tables.state).values(values))


@contextmanager
def configured(locations: Sequence[Path]) -> Iterator[Config]:
    """Alembic's configuration, from the package's own revisions wherever it is installed."""
    with as_file(files("reconcile.migrations")) as folder:
        config = Config()
        places = (folder / "versions", *locations)
        options = {
            "script_location": str(folder),
            "path_separator": "newline",
            "version_locations": "\n".join(map(str, places)),
        }
        for name, value in options.items():
            config.set_main_option(name, value.replace("%", "%%"))  # % interpolates
        yield config


# ---------------------------------------------------------------------------- backup


def backup(url: str, *, base: Path, target: Path | None, now: datetime) -> Path:
    """Copy the state while it may be in use, check the copy, and say where it is.

    Without a target: beside the state, named by its schema and the time. Never overwrites.
    """
    with closing(located(url, base=base)) as state, state.explained():
        state.is_there()
        if target and target.exists():
            raise StateError(
                f"{target} exists already; a backup never overwrites.", hint="name another file"
            )
        with state.transaction(writing=False) as connection:
            state.look(connection)
            revision = gates.revision(connection, state)
        return _copy(state, target or _free_name(state, revision, now))


def _free_name(state: Database, revision: str, now: datetime) -> Path:
    make_folder(state.mark)
    stamp = f"{state.mark.stem}.{revision or 'empty'}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    names = (state.mark.with_name(f"{stamp}{f'-{n}' if n else ''}.bak") for n in count())
    return next(name for name in names if not name.exists())


def _copy(state: Database, target: Path) -> Path:
    """A checked copy, which has its name only once it is whole."""
    descriptor, name = mkstemp(dir=target.parent, prefix=f"{target.name}.", suffix=".partial")
    os.close(descriptor)
    partial = Path(name)
    try:
        with state.transaction(writing=False) as connection:
            state.copy_file(connection, partial)
        give_name(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return target


# ---------------------------------------------------------------------------- check


def check(url: str, *, base: Path, marks: Path | None = None) -> CheckResult:
    """Look at everything, change nothing; all that is wrong is in the result.

    `marks` is the folder of the reports, which knows how often the state was written. Raises
    StateError if there is nothing to look at: no file, no readable SQLite database, another
    program's, or another schema than this version's.
    """
    with closing(located(url, base=base)) as state, state.explained():
        state.is_there()
        with state.transaction(writing=False) as connection:
            return _checked(connection, state, marks)


def _checked(connection: Connection, state: Database, marks: Path | None) -> CheckResult:
    broken = (*state.integrity(connection, thorough=True), *state.dangling(connection))
    revision = gates.revision(connection, state)
    gates.is_current(revision, state)
    state_id, pbx_url = gates.identity(connection, state)
    return CheckResult(
        state=str(state),
        state_id=state_id,
        pbx_url=pbx_url,
        revision=revision,
        journal=state.journal(connection),
        claims=_count(connection, tables.claim),
        runs=_count(connection, tables.run),
        unresolved=_count(connection, tables.action, rows.is_open()),
        problems=tuple(
            _problems(
                connection, broken, lineage.Marks(state=state, state_id=state_id, folder=marks)
            )
        ),
    )


def _count(connection: Connection, table: Table, *which: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(*which)) or 0


def _problems(
    connection: Connection, broken: Sequence[str], marks: lineage.Marks
) -> Iterator[Problem]:
    where = marks.state.mark.stem
    for what in broken:
        yield Problem(code="state_corrupt", message=what, file=where)
    for error in (*marks.state.faults(connection), *refusals(lambda: lineage.is_newest(marks))):
        message = f"{error.message} The mend: {error.hint}"
        yield Problem(code=error.code, message=message, file=where)
