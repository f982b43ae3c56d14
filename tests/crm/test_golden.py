"""Each golden gives its records, and nothing else; `golden.py` says what a golden is."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

import pytest
from crm import make_goldens
from crm.golden import (
    EXPECTED,
    FOLDER,
    GOLDENS,
    NAMES,
    NOW,
    ONE_OF_EACH,
    TEXT,
    Golden,
    described,
    read,
    values,
)

from reconcile import crm
from reconcile.config import Crm
from reconcile.crm import formats
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from pathlib import Path

    from reconcile.crm.formats import Table

ALWAYS = {
    *("row", "part", "id", "first_name", "last_name", "full_name", "company", "country"),
    *("company_country", "merged_into", "gone"),
}
IN_LINES = [name for name in NAMES if name.endswith((".csv", ".tsv", ".ndjson"))]


@pytest.fixture(params=NAMES)
def golden(request: pytest.FixtureRequest) -> Golden:
    return GOLDENS[request.param]


def test_no_golden_lacks_its_expectation_and_no_expectation_its_golden() -> None:
    expected = {p.name.removesuffix(EXPECTED) for p in FOLDER.iterdir() if EXPECTED in p.name}
    assert expected == set(NAMES)
    assert len(NAMES) > 45


def test_there_is_a_golden_of_each_format_and_way() -> None:
    read_as = {GOLDENS[name].expected["reads_as"] for name in ONE_OF_EACH}
    assert read_as == set(formats.FORMATS) - {"auto"}
    assert {name.lower().rpartition(".")[2] for name in ONE_OF_EACH} == {
        name.lower().rpartition(".")[2] for name in NAMES
    }


# ---------------------------------------------------------------------------- as it is read


def test_every_record_is_read_whole_and_as_text(golden: Golden, tmp_path: Path) -> None:
    snapshot = read(golden.files, tmp_path)
    assert values(snapshot) == golden.records
    records = snapshot.records
    assert set(records.columns) >= ALWAYS
    text = records.drop(columns=["row", "gone"])
    assert set(map(str, text.dtypes)) == {"str"}
    assert not text.isna().any(axis=None)
    assert (str(records["row"].dtype), str(records["gone"].dtype)) == ("int64", "bool")


def test_the_evidence_says_what_the_files_were(golden: Golden, tmp_path: Path) -> None:
    source, expected = read(golden.files, tmp_path).source, golden.expected
    assert source.format == expected["format"]
    assert source.encoding == expected["encoding"]
    assert source.rejected == sum(expected["ignored"].values())
    assert source.records == len(golden.records)
    assert source.gone == sum(r.get("gone", False) for r in golden.records)
    assert source.size == sum(map(len, golden.files.values()))
    assert (NOW - source.generated_at).total_seconds() == 3600
    assert [c.header for c in source.columns if not c.reads_as] == expected["not_read"]
    assert all(c.why for c in source.columns)


def test_what_is_no_record_is_named_and_counted(golden: Golden, tmp_path: Path) -> None:
    shown = described(golden.files, tmp_path)
    assert dict(shown.ignored) == golden.expected["ignored"]
    assert shown.header_row == golden.expected["header_row"]
    assert shown.problems == ()


def test_inactive_records_are_gone_if_the_policy_says_so(golden: Golden, tmp_path: Path) -> None:
    inactive = golden.expected["inactive"]
    if inactive is None:
        shown = described(golden.files, tmp_path, inactive="gone")
        assert [p.code for p in shown.problems] == ["header_duplicate"]
        return
    gone = {r["row"] for r in values(read(golden.files, tmp_path, inactive="gone")) if "gone" in r}
    assert gone == {r["row"] for r in golden.records if "gone" in r} | set(inactive)


def test_all_that_is_read_is_there_for_the_veto(golden: Golden, tmp_path: Path) -> None:
    text = read(golden.files, tmp_path).text.replace('""', '"')
    for record in golden.records:
        keys = [v for k, v in record.items() if k.startswith(("phone:", "email:"))]
        pieces = [piece for value in keys for piece in value.split("; ")]
        assert [piece for piece in pieces if piece not in text] == []


@pytest.mark.parametrize("name", TEXT)
def test_the_text_of_a_csv_file_is_the_file(name: str, tmp_path: Path) -> None:
    golden = TEXT[name]
    assert read(golden.files, tmp_path).text == golden.text.replace("\r\n", "\n")


@pytest.mark.parametrize("name", IN_LINES)
def test_rows_are_counted_as_an_editor_does(name: str, tmp_path: Path) -> None:
    golden = GOLDENS[name]
    lines = golden.text.split("\n")
    for record in values(read(golden.files, tmp_path)):
        line = lines[record["row"] - 1]
        assert all(record.get(part, "") in line for part in ("id", "last_name"))


# ---------------------------------------------------------------------------- as it is not read


def test_it_is_read_as_no_other_format(golden: Golden) -> None:
    names = typing.get_args(Crm.model_fields["format"].annotation)
    own = golden.expected["reads_as"]
    assert set(names) == set(formats.FORMATS) > {"auto", own}
    files = list(golden.files.items())
    assert formats.read_files(files, format=own).header == formats.read_files(files).header
    for name in set(names) - {"auto", own}:
        with pytest.raises(ExportRejected) as caught:
            formats.read_files(files, format=name)
        assert {p.code for p in caught.value.problems} == {"export_wrong_format"}


def test_a_golden_of_one_crm_is_not_read_by_the_mapping_of_another(tmp_path: Path) -> None:
    """The header that the configuration names must be there; nothing like it is taken for it."""
    foreign = {
        name: next(key.split(":", 1)[1] for r in golden.records for key in r if ":" in key)
        for name, golden in GOLDENS.items()
    }
    tried = 0
    for name in ONE_OF_EACH:
        golden = GOLDENS[name]
        path = tmp_path / next(iter(golden.files))
        path.write_bytes(next(iter(golden.files.values())))
        own = {c.header.casefold() for c in crm.describe(path, mapping={}).columns}
        for header in {h for h in foreign.values() if h.casefold() not in own}:
            shown = crm.describe(path, mapping={"phone": header})
            assert [p.code for p in shown.problems] == ["header_unknown"]
            assert shown.records == 0
            tried += 1
    assert tried > 200


# ---------------------------------------------------------------------------- as they are made


def cells(table: Table) -> tuple[object, ...]:
    rows = list(zip(*(column.to_pylist() for column in table.cells), strict=True))
    return table.format, table.header, rows, table.lines.tolist(), table.ignored, table.problems


@pytest.mark.parametrize("name", make_goldens.GOLDENS)
def test_a_packed_golden_is_what_its_generator_makes(name: str) -> None:
    made = make_goldens.GOLDENS[name]()
    committed = GOLDENS[name].content
    there = formats.read_files([(name, committed)])
    assert cells(formats.read_files([(name, made)])) == cells(there)


def test_every_golden_that_is_no_text_has_a_generator() -> None:
    packed = {n for n, g in GOLDENS.items() if any(b"\0" in c for c in g.files.values())}
    utf_16 = {n for n, g in GOLDENS.items() if g.expected["encoding"] == "utf-16"}
    assert packed - utf_16 == set(make_goldens.GOLDENS)


def values_of(kind: str, record: dict[str, Any]) -> list[str]:
    return [value for key, value in record.items() if key.startswith(kind)]


def test_no_fax_is_read_as_a_number_to_match_by() -> None:
    """Those of the goldens end in 9, and no other number does."""
    for golden in GOLDENS.values():
        numbers = [n for record in golden.records for n in values_of("phone:", record)]
        assert [n for n in numbers if n.rstrip(" .0").endswith("9") and "E+" not in n] == []
