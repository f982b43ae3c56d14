"""What every kind of database must do for a state, and what is the same for all of them.

One module for each kind (`sqlite`, `postgres`) holds all that only this kind understands; the rest
of this package speaks SQLAlchemy's portable SQL. `engine.located` says which kind a URL names.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from sqlalchemy.exc import DBAPIError

from reconcile.errors import LockBusy, StateError
from reconcile.store import files

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Connection, Engine, Table


class Held(Protocol):
    """The run lock while it is held; whoever dies gives it up."""

    def close(self) -> None:
        """Give it up."""
        ...

    def is_held(self) -> bool:
        """Whether it is held still; looked at anew each time."""
        ...


class Database(ABC):
    """Where one state is, which need not be there yet. As a text: what people call it."""

    failure: ClassVar[type[Exception]]
    """What its driver raises, besides SQLAlchemy's own."""
    mark: Path
    """The file that notes how often the state was written, besides the one with the reports."""
    another: ClassVar[str]
    """How to get a place that no other program uses."""

    def __init__(self, name: str, *, mark: Path) -> None:
        self.name = name
        self.mark = mark

    def __str__(self) -> str:
        return self.name

    # ------------------------------------------------------------------------ opening

    @abstractmethod
    def engine(self, *, writing: bool, upgrading: bool = False) -> Engine:
        """An engine on the existing state; without `writing`, one that can't write.

        A read sees one moment. A write begins by keeping all other writers out, and is durable when
        its commit returns. `upgrading` allows what only a change of the schema needs.
        """

    @contextmanager
    def transaction(self, *, writing: bool, upgrading: bool = False) -> Iterator[Connection]:
        """One transaction on the existing state, opened for it and closed behind it."""
        engine = self.engine(writing=writing, upgrading=upgrading)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def close(self) -> None:  # noqa: B027 - a file is closed after each transaction
        """Close what is kept open from one transaction to the next."""

    @abstractmethod
    def take_lock(self, holder: Mapping[str, object]) -> Held:
        """Take the run lock, at once, and sign it for whoever asks next.

        Raises LockBusy with who holds it, or StateError.
        """

    # ------------------------------------------------------------------------ gates

    @abstractmethod
    def make(self) -> None:
        """Make an empty place for the state if there is none."""

    def is_there(self) -> None:  # noqa: B027 - a server is there if it answers
        """Pass a place that is there, before it is opened. Raises StateError."""

    def admit(self) -> None:  # noqa: B027 - of a server nothing can be seen from outside
        """Pass a place that is there, can be relied upon, and is nobody else's to read.

        Only what can be seen before it is opened; the rest is for `look`. Raises StateError.
        """

    def look(self, connection: Connection) -> None:  # noqa: B027 - a file has nothing more to see
        """The same, for what can be seen only from inside. Raises StateError."""

    @abstractmethod
    def faults(self, connection: Connection) -> Iterator[StateError]:
        """What `admit` and `look` would refuse, all of it, and what is unwise."""

    @abstractmethod
    def owner(self) -> os.stat_result:
        """To whom the marks belong."""

    # ------------------------------------------------------------------------ in a transaction

    @abstractmethod
    def integrity(self, connection: Connection, *, thorough: bool) -> tuple[str, ...]:
        """What is wrong with the whole state; empty if all is well.

        `thorough` looks at everything, and takes several times as long.
        """

    @abstractmethod
    def dangling(self, connection: Connection) -> tuple[str, ...]:
        """The rows whose foreign key points nowhere, as `table row → table`."""

    @abstractmethod
    def journal(self, connection: Connection) -> str:
        """How the database keeps what is written safe from a crash, in a word."""

    @abstractmethod
    def last_number(self, connection: Connection, table: Table) -> int:
        """The highest number that a table has ever given; 0 before the first."""

    @abstractmethod
    def number_after(self, connection: Connection, table: Table, last: int) -> None:
        """Let the next row of such a table have a number after `last`, or a later one."""

    # ------------------------------------------------------------------------ whole

    @abstractmethod
    def copy_file(self, connection: Connection, target: Path) -> None:
        """Copy the whole state into the existing empty file `target`, as an SQLite database.

        The copy is checked, and stands alone. Raises StateError, or `failure`.
        """

    @abstractmethod
    def erase(self, engine: Engine) -> None:
        """Let what was deleted leave the disk, too."""

    # ------------------------------------------------------------------------ failures

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn every failure of the database, its files or its disk into a StateError with a mend.

        What only a wrong program can cause passes through: it is a bug and wants its traceback.
        """
        try:
            with files.explained(self.name):
                yield
        except UnicodeEncodeError as error:
            raise self.unfit(error.object[error.start]) from error
        except (DBAPIError, self.failure) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            said = self.in_words(cause or error)
            if said is None:
                raise
            raise said from error

    @abstractmethod
    def in_words(self, cause: BaseException) -> StateError | None:
        """What a failure of the driver means; None for a bug."""

    @abstractmethod
    def damaged(self, detail: str) -> StateError:
        """The error for a state that is not sound."""

    def unfit(self, character: str) -> StateError:
        """The error for a text that no database takes."""
        return StateError(
            f"{self} can't hold a text with the character {character!a}.",
            hint="mend that character in the CRM or in 3CX, then run again",
        )


def refusals(*gates: Callable[[], object]) -> Iterator[StateError]:
    """With what these gates refuse, each of them that does."""
    for passes in gates:
        try:
            passes()
        except StateError as error:
            yield error


_SIGNATURE: Final = {"pid", "host", "since", "command"}


def busy(what: str, signature: str, *, look: str) -> LockBusy:
    """The error for a run lock that another holds, who signed it with JSON, or has not yet.

    `look` is the command that shows a holder who didn't sign.
    """
    try:
        holder = json.loads(signature)
    except ValueError:
        holder = None
    if isinstance(holder, dict) and holder.keys() >= _SIGNATURE:
        who = "{command}, process {pid} on {host}, since {since}".format_map(holder)
        look = f"ps -fp {holder['pid']}"
    else:
        who = "another process, which did not say who it is"
    return LockBusy(
        f"Another run holds {what}: {who}.", hint=f"wait for it to end; to see it: {look}"
    )
