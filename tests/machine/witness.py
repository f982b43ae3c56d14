"""A phonebook that writes down what becomes of it, and looks into the state while it happens."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconcile.sandbox import Book

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


PROBE = "reconcile-probe"
"""The first name of the contacts on which the delete guard is proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One contact that a DELETE is about to take out."""

    contact_id: int
    fields: Mapping[str, Any]
    grave: Mapping[str, Any] | None
    """What the state holds of it at this moment, committed; None if nothing of an open intent."""


class Witness(Book):
    """Removals over the wire, and every content that an ETag was ever issued for."""

    def __init__(self) -> None:
        super().__init__()
        self.removals: list[Removal] = []
        self.contents: dict[tuple[int, str], Mapping[str, Any]] = {}
        """(Id, version) → the contact as it was then."""
        self.probed: set[int] = set()
        """Ids that the contacts of a probe have had since a command began; others may have had them
        before, and been removed meanwhile."""
        self.state: Path | None = None
        """The database of the command that is running; None: it's a person at the console."""

    def begin_anew(self) -> None:
        """An empty phonebook, whose Ids begin with 1 again."""
        Witness.__init__(self)

    def remove(self, contact_id: int) -> None:
        """As a DELETE does; note it, with what the state holds of it before it is done."""
        row = self.row(contact_id)
        if self.state is not None and row is not None:
            grave = buried(self.state, contact_id)
            self.removals.append(Removal(contact_id=contact_id, fields=row.fields, grave=grave))
        super().remove(contact_id)

    def remove_by_hand(self, contact_id: int) -> None:
        """As somebody else does, perhaps in the middle of a run."""
        super().remove(contact_id)

    def _store(self, contact_id: int, fields: Mapping[str, Any], scope: Any) -> None:
        super()._store(contact_id, fields, scope)
        row = self.row(contact_id)
        if row is not None:
            self.contents[contact_id, row.version] = row.fields
            if row.fields["FirstName"] == PROBE:
                self.probed.add(contact_id)


def buried(state: Path, contact_id: int) -> Mapping[str, Any] | None:
    """The tombstone of an intent that is open, as another process would see it: committed."""
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "SELECT tombstone.entity FROM action JOIN tombstone ON tombstone.id = tombstone_id"
            " WHERE action.contact_id = ? AND outcome IS NULL ORDER BY action.id DESC",
            [contact_id],
        ).fetchone()
    return json.loads(found[0]) if found else None


def accepted_run(state: Path) -> int:
    """The newest run whose export was accepted; 0 if none was."""
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT coalesce(max(run_id), 0) FROM export").fetchone()[0]
