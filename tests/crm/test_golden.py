"""Each golden gives its records, and nothing else; `golden.py` says what a golden is."""

from __future__ import annotations

import csv
import io
import typing
from typing import TYPE_CHECKING, Any

import pytest
from crm.golden import EXPECTED, FOLDER, NAMES, TEXT, Golden, values

from reconcile import crm
from reconcile.config import Crm
from reconcile.crm import formats
from reconcile.crm.columns import clean
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ALWAYS = {
    "row",
    "id",
    "first_name",
    "last_name",
    "full_name",
    "company",
    "country",
    "merged_into",
    "gone",
}


@pytest.fixture(params=TEXT)
def golden(request: pytest.FixtureRequest) -> Golden:
    return TEXT[request.param]


def test_no_golden_lacks_its_expectation_and_no_expectation_its_golden() -> None:
    expected = {p.name.removesuffix(EXPECTED) for p in FOLDER.iterdir() if EXPECTED in p.name}
    assert expected == set(NAMES)
    assert len(NAMES) > 25


# ---------------------------------------------------------------------------- as it is read


def test_every_record_is_read_whole_and_as_text(golden: Golden, read: Any) -> None:
    snapshot = read(golden.content)
    assert values(snapshot) == golden.records
    records = snapshot.records
    assert set(records.columns) >= ALWAYS
    text = records.drop(columns=["row", "gone"])
    assert set(map(str, text.dtypes)) == {"str"}
    assert not text.isna().any(axis=None)
    assert (str(records["row"].dtype), str(records["gone"].dtype)) == ("int64", "bool")


def test_the_evidence_says_what_the_file_was(golden: Golden, read: Any, now: Any) -> None:
    source, expected = read(golden.content).source, golden.expected
    assert source.encoding == expected["encoding"]
    assert source.format == expected["format"]
    assert source.rejected == sum(expected["ignored"].values())
    assert source.records == len(expected["records"])
    assert source.gone == sum(r.get("gone", False) for r in expected["records"])
    assert source.size == len(golden.content)
    assert (now - source.generated_at).total_seconds() == 3600
    assert [c.header for c in source.columns if not c.reads_as] == expected["not_read"]
    assert all(c.why for c in source.columns)


def test_what_is_no_record_is_named_and_counted(golden: Golden, export: Any) -> None:
    shown = crm.describe(export(golden.content), mapping={})
    assert dict(shown.ignored) == golden.expected["ignored"]
    assert shown.header_row == golden.expected["header_row"]
    assert shown.problems == ()


def test_inactive_records_are_gone_if_the_policy_says_so(golden: Golden, export: Any) -> None:
    kept = crm.describe(export(golden.content), mapping={})
    shown = crm.describe(export(golden.content), mapping={}, inactive="gone")
    inactive = golden.expected["inactive"]
    if inactive is None:
        assert [p.code for p in shown.problems] == ["header_duplicate"]
    else:
        assert shown.gone == kept.gone + len(inactive)


def test_the_whole_text_is_there_for_the_veto(golden: Golden, read: Any) -> None:
    assert read(golden.content).text == golden.text.replace("\r\n", "\n")


def test_rows_are_counted_as_an_editor_does(golden: Golden, read: Any) -> None:
    lines = golden.text.split("\n")
    for record in values(read(golden.content)):
        assert all(record.get(name, "") in lines[record["row"] - 1] for name in ("id", "last_name"))


# ---------------------------------------------------------------------------- as it is not read


def test_it_is_read_as_no_other_format(golden: Golden) -> None:
    names = typing.get_args(Crm.model_fields["format"].annotation)
    assert {"auto", "csv"} <= set(names)
    for name in set(names) - {"auto", "csv"}:
        with pytest.raises(ExportRejected):
            formats.read(golden.content, format=name)


def test_it_is_read_by_the_mapping_of_no_other_crm(golden: Golden, export: Any) -> None:
    path = export(golden.content)
    own = {c.header.casefold() for c in crm.describe(path, mapping={}).columns}
    tried = 0
    for other in TEXT.values():
        keys = [key for record in other.records for key in record]
        foreign = [key.split(":", 1)[1] for key in keys if key.startswith(("phone:", "email:"))]
        for header in [h for h in foreign if h.casefold() not in own][:1]:
            shown = crm.describe(path, mapping={"phone": header})
            assert [p.code for p in shown.problems] == ["header_unknown"]
            assert shown.records == 0
            tried += 1
    assert tried > 10


# ---------------------------------------------------------------------------- cut off


def test_cut_at_any_byte_it_is_refused_or_loses_whole_records(golden: Golden, read: Any) -> None:
    """What can't be seen is a cut at a line end, at which the file could as well have ended.

    Only the guards see that: the export has shrunk, or contacts are lost that used to match.
    """
    whole, seen = golden.records, set()
    for part in (golden.content[:size] for size in range(len(golden.content) + 1)):
        if has_no_whole_table(part):
            continue
        assert part.decode(golden.expected["encoding"])[-1] in "\r\n"
        try:
            records = values(read(part))
        except ExportRejected:
            continue
        assert records == whole[: len(records)]
        seen.add(len(records))
    assert seen == set(range(1, len(whole) + 1))


def has_no_whole_table(content: bytes) -> bool:
    try:
        return bool(formats.read(content).problems)
    except ExportRejected:
        return True


# ---------------------------------------------------------------------------- other columns

Row = list[str]


def table(golden: Golden) -> tuple[str, list[Row]]:
    """The titles of a golden as they are, and its rows from the header on."""
    titles, rest = golden.expected["header_row"] - 1, io.StringIO(golden.text, newline="")
    above = "".join(rest.readline() for _ in range(titles))
    delimiter = golden.expected["delimiter"]
    return above, list(csv.reader(rest, delimiter=delimiter, skipinitialspace=True))


def changed(golden: Golden, change: Callable[[Row, Row], Row]) -> bytes:
    """The golden with each row changed that is as wide as the header; `change` gets both."""
    above, rows = table(golden)
    file = io.StringIO(newline="")
    delimiter = golden.expected["delimiter"]
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
    for row in rows:
        writer.writerow(change(row, rows[0]) if len(row) == len(rows[0]) else row)
    return (above + file.getvalue()).encode(golden.expected["encoding"])


def dropped(at: int) -> Callable[[Row, Row], Row]:
    return lambda row, _: row[:at] + row[at + 1 :]


def swapped(at: int) -> Callable[[Row, Row], Row]:
    """The header in the place of its neighbour, the values where they were."""
    return lambda row, header: (
        [*row[:at], row[at + 1], row[at], *row[at + 2 :]] if row == header else row
    )


def blanked(at: int) -> Callable[[Row, Row], Row]:
    return lambda row, header: row if row == header else [*row[:at], "", *row[at + 1 :]]


def unnamed(at: int) -> Callable[[Row, Row], Row]:
    return lambda row, header: [*row[:at], "", *row[at + 1 :]] if row == header else row


def changes(golden: Golden) -> Iterator[tuple[set[str], Callable[[Row, Row], Row]]]:
    """Each change with the headers that it concerns."""
    header = [clean(cell) for cell in table(golden)[1][0]]
    for at, name in enumerate(header):
        for change in (dropped(at), blanked(at), unnamed(at)):
            yield {name}, change
        if at + 1 < len(header):
            yield {name, header[at + 1]}, swapped(at)


def look(path: Path, inactive: Any) -> tuple[object, ...]:
    """All that the guards and a person can see of a reading besides the records."""
    shown = crm.describe(path, mapping={}, inactive=inactive)
    columns = sorted((c.header, c.reads_as) for c in shown.columns if c.reads_as)
    return shown.notes, shown.fill, columns


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


CASES = [
    (name, inactive)
    for name, golden in TEXT.items()
    for inactive in ("keep", "gone" if golden.expected["inactive"] else "")
    if inactive
]


@pytest.mark.parametrize(("name", "inactive"), CASES)
def test_whatever_becomes_of_a_column_nobody_is_lost_unseen(
    name: str, inactive: Any, export: Any, now: Any
) -> None:
    """Dropped, empty, without its header, or under its neighbour's: refused, or everybody is there.

    Somebody who was gone may be alive then, never the other way round. A change shows in what the
    guards compare from night to night, or in a note; except that two neighbours with the same kind
    of content (two names, two numbers, a number and a fax) can't be told apart.
    """
    golden = TEXT[name]

    def records_of(content: bytes) -> tuple[Path, list[dict[str, Any]]]:
        path = export(content)
        options = {"mapping": {}, "now": now, "max_age_hours": None, "inactive": inactive}
        records = values(crm.read(str(path), base=path.parent, **options))
        return path, [{k: v for k, v in record.items() if k != "row"} for record in records]

    path, before = records_of(changed(golden, lambda row, _: row))
    assert len(before) == len(golden.records)
    looked = look(path, inactive)
    for concerned, change in changes(golden):
        try:
            path, after = records_of(changed(golden, change))
        except ExportRejected:
            continue
        assert len(after) == len(before)
        assert alive(before) <= alive(after)
        assert keys(before, without=concerned) == keys(after, without=concerned)
        assert after == before or len(concerned) > 1 or look(path, inactive) != looked
