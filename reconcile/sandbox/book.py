"""The simulated phonebook: contacts, their Ids, and a version that every edit changes.

It owns the contacts and nothing else: no HTTP, no validation of what 3CX would refuse (a phonebook
filled by CSV or by hand holds such contacts too). Every method may be called from any thread.
"""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from reconcile.sandbox.people import contacts

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXTS: Final = (
    "FirstName",
    "LastName",
    "CompanyName",
    "Title",
    "Department",
    "Email",
    "Tag",
    "PhoneNumber",
    "Mobile2",
    "Home",
    "Business",
    "Business2",
    "BusinessFax",
    "Other",
    "Pager",
    "ContactType",
)
"""The 16 text properties of Pbx.Contact as of 20.0.10; the key `Id` is the seventeenth."""

SOURCES: Final = ("3CX", "CRM", "Google", "M365")
"""The members of the enum Pbx.ContactSource (20.0.9 and later)."""

Scope = Literal["company", "department", "person"]
"""Whose phonebook a contact stands in; no property of Pbx.Contact tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contact at one moment; an edit makes a new row."""

    id: int
    fields: Mapping[str, Any]
    """All 17 properties, in the order of the specification; None and "" are kept apart."""
    version: str
    """Opaque; differs after every edit, also after one that changes nothing."""
    members: bytes
    """The properties as the inside of a JSON object, so that a page is only a join."""
    scope: Scope


class Book:
    """The contacts of one PBX; Ids count up, and are not used twice unless asked for."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        """Held around what must be one step, such as comparing a version and removing."""
        self._rows: dict[int, Row] = {}
        self._listing: tuple[Row, ...] | None = None
        self._company: tuple[Row, ...] | None = None
        self._last_id = 0
        self._freed: list[int] = []
        """A heap of the Ids that were removed and not used again."""
        self._edits = 2000

    @classmethod
    def seeded(cls, n: int, seed: int = 0) -> Book:
        """A book of n synthetic contacts; the same arguments give the same book."""
        book = cls()
        for fields in contacts(n, seed):
            book.add(fields)
        return book

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        fields: Mapping[str, str | None],
        *,
        scope: Scope = "company",
        reuse_id: bool = False,
    ) -> int:
        """Store a contact and return its Id; ContactType is `3CX` unless given.

        `reuse_id` takes the lowest Id that was freed by a removal, if there is one. Raises
        ValueError for an unknown property or scope, or a value that is neither text nor None.
        """
        whole = {**_EMPTY, **checked(fields)}
        if scope not in get_args(Scope):
            raise ValueError(f"scope is one of {', '.join(get_args(Scope))}; not {scope!r}")
        with self.lock:
            if reuse_id and self._freed:
                contact_id = heappop(self._freed)
                self._store(contact_id, whole, scope)
                self._rows = dict(sorted(self._rows.items()))
                return contact_id
            self._last_id += 1
            self._store(self._last_id, whole, scope)
            return self._last_id

    def edit(self, contact_id: int, fields: Mapping[str, str | None]) -> None:
        """Change some properties of a contact. Raises KeyError if there is none, ValueError."""
        with self.lock:
            row = self._rows[contact_id]
            self._store(contact_id, {**row.fields, **checked(fields)}, row.scope)

    def remove(self, contact_id: int) -> None:
        """Take a contact out. Raises KeyError if there is none."""
        with self.lock:
            del self._rows[contact_id]
            heappush(self._freed, contact_id)
            self._listing = self._company = None

    def get(self, contact_id: int) -> dict[str, Any] | None:
        """The properties of a contact, or None; the caller may keep and change them."""
        row = self.row(contact_id)
        return None if row is None else dict(row.fields)

    def all(self) -> list[dict[str, Any]]:
        """The properties of every contact, in ascending order of Id."""
        return [dict(row.fields) for row in self.rows()]

    def row(self, contact_id: int) -> Row | None:
        """The contact as it is stored, or None."""
        return self._rows.get(contact_id)

    def rows(self) -> tuple[Row, ...]:
        """Every contact as it is stored, in ascending order of Id; made once per change."""
        with self.lock:
            if self._listing is None:
                self._listing = tuple(self._rows.values())
            return self._listing

    def company_rows(self) -> tuple[Row, ...]:
        """As `rows`, without the contacts of departments and persons."""
        with self.lock:
            if self._company is None:
                self._company = tuple(row for row in self.rows() if row.scope == "company")
            return self._company

    def _store(self, contact_id: int, fields: Mapping[str, Any], scope: Scope) -> None:
        self._edits += 1
        whole = {**fields, "Id": contact_id}
        text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
        self._rows[contact_id] = Row(
            id=contact_id,
            fields=whole,
            version=base64.b64encode(self._edits.to_bytes(8, "big")).decode("ascii"),
            members=text[1:-1].encode("utf-8"),
            scope=scope,
        )
        self._listing = self._company = None


_EMPTY: Final[Mapping[str, Any]] = {"Id": 0, **dict.fromkeys(TEXTS), "ContactType": "3CX"}


def checked(fields: Mapping[str, str | None]) -> Mapping[str, str | None]:
    """The same fields. Raises ValueError unless a contact can hold them."""
    for name, value in fields.items():
        if name not in TEXTS:
            raise ValueError(f"Pbx.Contact has no property {name!r} that can be set")
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name} is text or null, not {value!r}")
        (value or "").encode("utf-8")
    return fields
