"""The CRM export that a sandbox's contacts come from: the other half of trying things out."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

_COLUMNS: Final = {
    "Record ID": "Tag",
    "First Name": "FirstName",
    "Last Name": "LastName",
    "Company Name": "CompanyName",
    "Email": "Email",
    "Phone Number": "Business",
    "Mobile Phone Number": "PhoneNumber",
}
"""HubSpot's English headers → the property that their value went into."""


def write_export(
    path: Path, contacts: Iterable[Mapping[str, object]], *, without: Collection[object] = ()
) -> int:
    """Write the CRM's side of the contacts that carry a Tag; gives the number of records.

    `without` holds the CRM ids of people who have left.
    """
    rows = [
        [str(contact.get(field) or "") for field in _COLUMNS.values()]
        for contact in contacts
        if contact.get("Tag") and contact["Tag"] not in without
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
    return len(rows)
