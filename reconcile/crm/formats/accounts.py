"""Companies that stand in a table of their own, joined to the contacts by the account's id.

Salesforce's weekly export has the company of a contact only as `AccountId`; its name, main number
and country stand in `Account.csv`. They become the columns `Account.Name`, `Account.Phone` and
`Account.BillingCountry` of the contacts. An account that is flagged as deleted still gives its
name: the contact is alive, and a name can only protect it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.crm.columns import normal
from reconcile.errors import Problem

if TYPE_CHECKING:
    from reconcile.crm.formats.table import Table

_REFERENCE: Final = ("accountid", "account id")
_ID: Final = ("id", "account id", "accountid", "record id")
_TAKEN: Final = {
    "Account.Name": ("name", "account name"),
    "Account.Phone": ("phone",),
    "Account.BillingCountry": ("billingcountry", "billing country"),
}
"""The column that is added → the account's headers that it may come from."""
_NOBODY: Final = r"^0*(AAA)?$"
"""What stands for no account: nothing, or zeros."""


def are_needed(contacts: Table) -> bool:
    """Whether the contacts name their accounts by id; if not, they need no other table."""
    return not contacts.problems and _find(contacts, _REFERENCE) is not None


def add(contacts: Table, accounts: Table) -> Table:
    """The contacts with the columns of their accounts, and a note of accounts that are missing.

    The accounts' problems are the contacts' problems.
    """
    at, key = _find(contacts, _REFERENCE), _find(accounts, _ID)
    file = accounts.parts[0] if accounts.parts else ""
    if key is None:
        return _refused(contacts, "header_unknown", "it has no column with the account's id", file)
    if accounts.problems or at is None:
        return replace(contacts, problems=accounts.problems, cells=())
    ids = pc.utf8_trim_whitespace(accounts.cells[key]).combine_chunks()
    if (doubles := len(ids) - len(pc.unique(ids))) > 0:
        message = f"{doubles} accounts have an id that another one has, too"
        return _refused(contacts, "id_not_unique", message, file)
    wanted = pc.utf8_trim_whitespace(contacts.cells[at])
    places = pc.index_in(wanted, value_set=ids)
    added = {
        name: _taken(accounts.cells[column], places)
        for name, headers in _TAKEN.items()
        if (column := _find(accounts, headers)) is not None
        and _find(contacts, (normal(name),)) is None
    }
    named = pc.invert(pc.match_substring_regex(wanted, _NOBODY))
    missing = pc.sum(pc.and_(named, pc.is_null(places))).as_py() or 0
    note = (f"{missing:,} contacts name an account that is not in the export",) if missing else ()
    return replace(
        contacts,
        format=f"{contacts.format}; with accounts",
        header=(*contacts.header, *added),
        cells=(*contacts.cells, *added.values()),
        notes=(*contacts.notes, *note),
    )


def _refused(contacts: Table, code: str, message: str, file: str) -> Table:
    problem = Problem(code=code, message=message, file=file)
    return replace(contacts, problems=(problem,), cells=())


def _find(table: Table, headers: tuple[str, ...]) -> int | None:
    names = [normal(header) for header in table.header]
    return next((names.index(header) for header in headers if header in names), None)


def _taken(column: pa.ChunkedArray, places: pa.ChunkedArray) -> pa.ChunkedArray:
    """The account's value for each contact; "" for a contact without one."""
    return pc.fill_null(pc.take(column, places), "")
