"""Whatever becomes of a column of an export: refused, or nobody is lost unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from amounts import amount
from crm import rewriting
from crm.golden import GOLDENS, ONE_OF_EACH, described, read, values
from crm.nightly import LEAVER, RULES, last_night

from reconcile.core import plan
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crm.rewriting import Grid

    from reconcile.model import CrmSnapshot

WITH_COLUMNS = [name for name in GOLDENS if not name.endswith(".vcf")]
CASES = [
    (name, inactive)
    for name in WITH_COLUMNS
    for inactive in ("keep", "gone" if GOLDENS[name].expected["inactive"] else "")
    if inactive
]
STRIDE = amount(check=17, prove=1)
STRIDE_OF_ONE = amount(check=3, prove=1)
"""Each seventeenth change is tried in a check, each third of the one golden of a format: as the
kinds of changes take turns by four, every kind comes in turn."""
WITHOUT_IDS = "3cx-phonebook.csv"
PLANNED = amount(check=7, prove=1)
PLANNED_WITHOUT_IDS = amount(check=3, prove=1)
"""Each seventh change is planned with in a check, as a plan takes long; each third where there are
no ids, which hold people whatever befalls other columns."""


def files(content: Grid, name: str) -> dict[str, bytes]:
    """The grid as the export that a golden is, in one file."""
    name = name if "." in name else f"{name}.csv"
    return {name: rewriting.written(content, name)}


def read_columns(snapshot: CrmSnapshot) -> set[int]:
    return {at for at, column in enumerate(snapshot.source.columns) if column.reads_as}


# ---------------------------------------------------------------------------- the records


def look(made: dict[str, bytes], folder: Path, inactive: Any) -> tuple[object, ...]:
    """All that the guards and a person can see of a reading besides the records."""
    shown = described(made, folder, inactive=inactive)
    columns = sorted((c.header, c.reads_as) for c in shown.columns if c.reads_as)
    return shown.notes, shown.fill, columns


def people(snapshot: CrmSnapshot) -> list[dict[str, Any]]:
    """The records without their places."""
    return [{k: v for k, v in r.items() if k not in ("row", "part")} for r in values(snapshot)]


def alive(records: list[dict[str, Any]]) -> set[int]:
    return {at for at, record in enumerate(records) if "gone" not in record}


def keys(records: list[dict[str, Any]], *, without: set[str]) -> list[dict[str, Any]]:
    """Numbers and addresses of each record, except those in the columns `without`."""
    parts = ("phone", "shared_phone", "email")
    named = [{key: key.partition(":") for key in record} for record in records]
    return [
        {k: record[k] for k, (kind, _, h) in names.items() if kind in parts and h not in without}
        for record, names in zip(records, named, strict=True)
    ]


@pytest.mark.parametrize(("name", "inactive"), CASES)
def test_every_record_stays_with_what_it_has_in_other_columns(
    name: str, inactive: Any, tmp_path: Path
) -> None:
    """Dropped, empty, without its header, or under its neighbour's: refused, or everybody is there.

    Somebody who was gone may be alive then, never the other way round. A change shows in what the
    guards compare from night to night, or in a note; except that two neighbours with the same kind
    of content (two names, two numbers, a number and a fax) can't be told apart.
    """
    whole = rewriting.grid(GOLDENS[name])
    made = files(whole, name)
    snapshot = read(made, tmp_path, inactive=inactive)
    before, looked = people(snapshot), look(made, tmp_path, inactive)
    assert len(before) == len(GOLDENS[name].records)
    stride = STRIDE_OF_ONE if name in ONE_OF_EACH else STRIDE
    for columns, change in list(rewriting.changes(whole, read_columns(snapshot)))[::stride]:
        made = files(change(whole), name)
        try:
            after = people(read(made, tmp_path, inactive=inactive))
        except ExportRejected:
            continue
        concerned = rewriting.headers(whole, columns)
        assert len(after) == len(before)
        assert alive(before) <= alive(after)
        assert keys(before, without=concerned) == keys(after, without=concerned)
        assert after == before or len(columns) > 1 or look(made, tmp_path, inactive) != looked


# ---------------------------------------------------------------------------- the plan


def other_records(whole: Grid, name: str, folder: Path) -> Iterator[CrmSnapshot]:
    """What is read after each change that leaves the rules as they were, and other records.

    Under other rules a person is asked, whatever the plan is.
    """
    before = read(files(whole, name), folder)
    rules = plan.rules_fingerprint(before.source, RULES)
    stride = PLANNED_WITHOUT_IDS if name == WITHOUT_IDS else PLANNED
    for _, change in list(rewriting.changes(whole, read_columns(before)))[::stride]:
        try:
            tonight = read(files(change(whole), name), folder)
        except ExportRejected:
            continue
        same = plan.rules_fingerprint(tonight.source, RULES) == rules
        if same and not tonight.records.equals(before.records):
            yield tonight


@pytest.mark.parametrize("name", [name for name in ONE_OF_EACH if name in WITH_COLUMNS])
def test_nobody_is_deleted_unless_the_export_is_in_doubt(name: str, tmp_path: Path) -> None:
    """In a company in which what befalls a column befalls more people than leave in a night."""
    whole = rewriting.enlarged(rewriting.grid(GOLDENS[name]))
    night = last_night(read(files(whole, name), tmp_path))
    assert night.then(night.whole) == ({LEAVER}, (), ())
    outcomes = [night.then(tonight) for tonight in other_records(whole, name, tmp_path)]
    assert outcomes
    assert [o for o in outcomes if not (o.deletes <= {LEAVER} or o.doubts)] == []


def test_without_those_doubts_people_would_be_deleted(tmp_path: Path) -> None:
    """So the test above tests the guards, and not only that other columns hold everybody.

    With its name a person is for somebody to judge, so the names are emptied, too.
    """
    whole = rewriting.enlarged(rewriting.grid(GOLDENS[WITHOUT_IDS]))
    night = last_night(read(files(whole, WITHOUT_IDS), tmp_path))
    emptied = whole
    for header in ("FirstName", "LastName", "Company", "Business"):
        emptied = rewriting.blanked(whole.header.index(header))(emptied)
    outcome = night.then(read(files(emptied, WITHOUT_IDS), tmp_path))
    assert outcome.deletes > {LEAVER}
    assert "fill_moved" in outcome.doubts
