"""One installation of the program: its folder, its exports, and what we know that it may know.

What stands here is kept beside the program and never read from it, but for two facts: which exports
it accepted, and which plans it showed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from company import Company

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from machine.people import Person

    from reconcile.config import Config
    from reconcile.session import World

HEADER = ("Record ID", "First Name", "Last Name", "Company Name", "Email", "Phone Number", "Notes")
SOURCE = "exports/contacts.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file as it lies there, and the truth at the moment it was written."""

    content: bytes
    written: datetime
    shown: frozenset[str]
    """The people who stand in it."""
    truth: frozenset[str]
    """The people who were in the CRM then."""

    @property
    def lies(self) -> bool:
        return self.shown != self.truth

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def holds(self, number: str) -> bool:
        """Whether a number stands somewhere in it, however it is written."""
        digits = "".join(c for c in self.content.decode() if c.isdigit() or c in ",\n")
        return number[-7:] in digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """One accepted export in which a contact's person wasn't."""

    sha256: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNote:
    """A plan as its report showed it."""

    digest: str
    at: datetime
    deletes: Mapping[int, Mapping[str, Any]]
    """What it deletes: Id → the contact as it was then, by the entry's key."""
    immediate: bool
    lies: bool
    """The export that it was made of was no true one."""
    settings: Mapping[str, Any]


@dataclass
class Office(Company):
    """One folder with one state; `Company` runs its commands."""

    export_now: Export | None = None
    world_of: Callable[[Office], World] | None = None
    claimable: set[int] = field(default_factory=set)
    """Contacts that an accepted export may have claimed, or a person."""
    sure: set[int] = field(default_factory=set)
    """Contacts that are certainly claimed."""
    known: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """What a contact looked like when it was last judged."""
    absent: dict[int, list[Absence]] = field(default_factory=dict)
    plans: list[PlanNote] = field(default_factory=list)
    """In their order; the last one is the newest."""
    used: set[str] = field(default_factory=set)
    stuck: dict[str, set[Any]] = field(default_factory=dict)
    """What was protected once: it stays so until a person takes it back."""
    frozen_until: datetime | None = None
    last_sha: str = ""
    misled: bool = False
    """A person has approved an export that lied."""
    deleted: list[datetime] = field(default_factory=list)
    graves: dict[int, list[Mapping[str, Any]]] = field(default_factory=dict)
    """Run → what it deleted and has not put back."""

    @property
    def config(self) -> Config:
        self.settings["crm.source"] = SOURCE
        return super().config

    @property
    def state(self) -> Path:
        return self.folder / "state" / "reconcile.db"

    def world(self) -> World:
        return self.world_of(self) if self.world_of else super().world()

    # ------------------------------------------------------------------------ exports

    def lay(self, export: Export | None) -> None:
        """Put an export in its place, or take it away."""
        path = self.folder / SOURCE
        path.parent.mkdir(exist_ok=True)
        self.export_now = export
        path.unlink(missing_ok=True)
        if export is not None:
            path.write_bytes(export.content)
            os.utime(path, (export.written.timestamp(),) * 2)

    def written(
        self,
        people: Mapping[str, Person],
        *,
        notes: Mapping[str, str],
        age: timedelta = timedelta(hours=1),
        hidden: frozenset[str] = frozenset(),
        header: tuple[str, ...] = HEADER,
    ) -> Export:
        """An export of these people; `hidden` are those whom it leaves out."""
        shown = [p for p in people.values() if p.key not in hidden]
        return Export(
            content=table(shown, notes, header),
            written=self.now - age,
            shown=frozenset(p.key for p in shown),
            truth=frozenset(people),
        )

    # ------------------------------------------------------------------------ protection

    def configured(self) -> dict[str, set[Any]]:
        return {kind: set(self.settings.get("policy.protect", {}).get(kind, ())) for kind in KINDS}

    def ask_what_is_protected(self) -> None:
        """A command that died, or was refused, may have kept what was configured then."""
        with self.ledger() as ledger:
            for record in ledger.protections():
                value = int(record.value) if record.kind == "id" else record.value
                self.stuck.setdefault(f"{record.kind}s", set()).add(value)

    def is_protected(self, fields: Mapping[str, Any]) -> bool:
        """By the configuration, or by what it once said."""
        entries = {k: self.configured()[k] | self.stuck.get(k, set()) for k in KINDS}
        numbers = {fields[name] for name in ("PhoneNumber", "Mobile2")}
        name = f"{fields['FirstName']} {fields['LastName']}"
        return bool(
            fields["Id"] in entries["ids"]
            or numbers & entries["numbers"]
            or fields["Tag"] in entries["tags"]
            or name in entries["names"]
        )


KINDS = ("ids", "tags", "numbers", "names")


def table(people: list[Person], notes: Mapping[str, str], header: tuple[str, ...]) -> bytes:
    text = io.StringIO()
    rows = ([*p.row, notes.get(p.key, "")] for p in people)
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()
