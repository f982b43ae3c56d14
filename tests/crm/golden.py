"""Exports as the CRMs write them, each with the records that must come of it.

`goldens/FILE` is an export, byte for byte with the quirks of its CRM; a folder in its place holds
the files of a split one. `goldens/FILE.expected.json` says how it is read: `reads_as`, the only
`crm.format` besides `auto` that takes it; its format in words, encoding, header row, what is
ignored, the columns that are not read, each record with the values that are not empty, and
`inactive`, the rows that `crm.inactive = "gone"` takes away besides (null: refused under that
policy).

`make_goldens.py` writes those that are no text.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconcile import crm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconcile.model import CrmSnapshot

FOLDER = Path(__file__).parent / "goldens"
EXPECTED = ".expected.json"
NOW = datetime(2026, 11, 3, 2, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Golden:
    """An export and how it must be read."""

    name: str
    files: Mapping[str, bytes]
    """Name → content, in the order of the parts."""
    expected: Mapping[str, Any]

    @property
    def content(self) -> bytes:
        """Of an export that is one file."""
        (content,) = self.files.values()
        return content

    @property
    def text(self) -> str:
        """Of a file that is text."""
        return self.content.decode(self.expected["encoding"])

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records as they are expected."""
        found: list[dict[str, Any]] = self.expected["records"]
        return found


def load(name: str) -> Golden:
    """The golden and its expectation."""
    path = FOLDER / name
    parts = sorted(path.iterdir()) if path.is_dir() else [path]
    expected = json.loads((FOLDER / f"{name}{EXPECTED}").read_text("utf-8"))
    return Golden(name, {part.name: part.read_bytes() for part in parts}, expected)


NAMES = sorted(path.name for path in FOLDER.iterdir() if not path.name.endswith(EXPECTED))
GOLDENS = {name: load(name) for name in NAMES if (FOLDER / f"{name}{EXPECTED}").exists()}
TEXT = {name: golden for name, golden in GOLDENS.items() if name.endswith(".csv")}
ONE_OF_EACH = [
    *("hubspot-de.csv", "3cx-phonebook.csv", "thunderbird-de.tsv", "generic-fr-utf-16.csv"),
    *("hubspot-split", "pipedrive.csv.gz", "zoho-Data_001.zip", "espocrm-de.xlsx"),
    *("hubspot-api.json", "salesforce-bulk.ndjson", "nextcloud-4.0.vcf", "warehouse.parquet"),
]
"""A golden of each format and way; of CSV one with ids and one without."""


def place(files: Mapping[str, bytes], folder: Path) -> str:
    """Write the files, an hour before `NOW`; what the configuration would call them."""
    written = (NOW - timedelta(hours=1)).timestamp()
    for name, content in files.items():
        (folder / name).write_bytes(content)
        os.utime(folder / name, (written, written))
    return next(iter(files)) if len(files) == 1 else "*"


def read(files: Mapping[str, bytes], folder: Path, **options: Any) -> CrmSnapshot:
    """What a run would make of them."""
    source = place(files, folder)
    options = {"mapping": {}, "now": NOW, "max_age_hours": 26, **options}
    return crm.read(source, base=folder, **options)


def described(files: Mapping[str, bytes], folder: Path, **options: Any) -> crm.Reading:
    """How `reconcile columns` would show them."""
    return crm.describe(place(files, folder), base=folder, mapping={}, **options)


def values(snapshot: CrmSnapshot) -> list[dict[str, Any]]:
    """The records as the expectations write them."""
    rows = snapshot.records.to_dict(orient="records")
    return [{str(k): v for k, v in row.items() if v not in ("", False)} for row in rows]
