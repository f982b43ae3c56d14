from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.crm.columns import is_header
from reconcile.crm.formats import parquet
from reconcile.errors import ExportRejected

if TYPE_CHECKING:
    from reconcile.crm.formats.table import Table


def written(table: pa.Table, **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def parse(content: bytes) -> Table:
    assert parquet.recognises(content)
    return parquet.read(content, is_header=is_header)


def of(**columns: object) -> Table:
    return parse(written(pa.table(columns)))


def rows_of(table: Table) -> list[tuple[str, ...]]:
    assert table.problems == ()
    return list(zip(*(column.to_pylist() for column in table.cells), strict=True))


def refused(content: bytes) -> tuple[str, str]:
    with pytest.raises(ExportRejected) as caught:
        parquet.read(content, is_header=is_header)
    (problem,) = caught.value.problems
    return problem.code, problem.message


PEOPLE = pa.table({"Record ID": ["1", "2"], "First Name": ["Ada", "Ben"], "Phone": ["030 1", None]})


def test_a_table_is_read_with_its_names() -> None:
    table = parse(written(PEOPLE))
    assert table.header == ("Record ID", "First Name", "Phone")
    assert rows_of(table) == [("1", "Ada", "030 1"), ("2", "Ben", "")]
    assert (table.format, table.encoding, table.header_row) == ("parquet", "utf-8", 1)
    assert table.lines.tolist() == [2, 3]
    assert table.ignored == {}
    assert table.text == "Record ID\tFirst Name\tPhone\n1\tAda\t030 1\n2\tBen\t\n"


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (["007", "NA", " x "], ["007", "NA", " x "]),
        ([49151234567, 2**62 + 1], ["49151234567", "4611686018427387905"]),
        ([49151234567.0, None, float("nan"), 1.5], ["49151234567", "", "", "1.5"]),
        (pa.array([2.0, -0.5], pa.float32()), ["2", "-0.5"]),
        ([True, False], ["true", "false"]),
        ([date(2024, 3, 12)], ["2024-03-12"]),
        ([datetime(2024, 3, 12, 9, 14)], ["2024-03-12T09:14:00"]),  # noqa: DTZ001 - has no zone
        ([datetime(2024, 3, 12, 9, 14, 0, 500, tzinfo=UTC)], ["2024-03-12T09:14:00.000500Z"]),
        (pa.array([1710234840], pa.timestamp("s", tz="+01:00")), ["2024-03-12T10:14:00+0100"]),
        ([Decimal("49151234567.00")], ["49151234567.00"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([1, 2]).dictionary_encode(), ["1", "2"]),
        (pa.array(["a"], pa.large_string()), ["a"]),
        (pa.array([b"abc"]), ["abc"]),
        ([["+49 30 1", "ü"], None], ['["+49 30 1", "ü"]', ""]),
        ([{"a": date(2024, 3, 12)}], ['{"a": "2024-03-12"}']),
        (pa.nulls(1), [""]),
    ],
)
def test_a_value_is_what_a_person_would_type(values: object, texts: list[str]) -> None:
    table = of(Name=["x"] * len(texts), field=values)
    assert [text for _, text in rows_of(table)] == texts
    assert all(text in table.text for text in texts)


def test_what_pandas_writes_is_read() -> None:
    frame = pd.DataFrame(
        {"Name": ["Ada", "Ben"], "Phone": pd.Categorical(["1", None])}, index=[7, 3]
    )
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    table = parse(buffer.getvalue())
    assert table.header == ("Name", "Phone", "__index_level_0__")
    assert rows_of(table) == [("Ada", "1", "7"), ("Ben", "", "3")]


def test_columns_of_the_same_name_are_both_read() -> None:
    table = pa.table([["Ada"], ["1"], ["2"]], names=["Name", "Phone", "Phone"])
    assert rows_of(parse(written(table))) == [("Ada", "1", "2")]


def test_rows_without_content_are_counted() -> None:
    table = of(Name=["Ada", " ", None, "Ben"], Phone=["1", "", None, "2"])
    assert rows_of(table) == [("Ada", "1"), ("Ben", "2")]
    assert table.lines.tolist() == [2, 5]
    assert table.ignored == {"row without content": 2}


@pytest.mark.parametrize("names", [[], ["", None]])
def test_a_table_without_records_is_empty(names: list[str]) -> None:
    table = of(Name=pa.array(names, pa.string()))
    assert [(p.code, p.row) for p in table.problems] == [("export_empty", 1)]
    assert table.cells == ()


def test_a_table_without_columns_is_empty() -> None:
    assert [p.code for p in parse(written(pa.table({}))).problems] == ["export_empty"]


def test_floats_that_lost_digits_are_refused_with_their_place() -> None:
    table = of(Name=["a", "b", "c"], id=[1.0, 2.0**53, -1e300], fax=[1.0, float("inf"), None])
    assert [(p.code, p.row, p.column) for p in table.problems] == [
        ("export_malformed", 3, "id"),
        ("export_malformed", 4, "id"),
        ("export_malformed", 3, "fax"),
    ]
    assert table.cells == ()


def test_the_largest_exact_float_is_read() -> None:
    assert rows_of(of(id=[2.0**53 - 1])) == [("9007199254740991",)]


def test_bytes_that_are_no_text_are_refused() -> None:
    assert refused(written(pa.table({"Name": [b"\xff\xfe"]})))[0] == "export_malformed"


def test_text_that_is_no_utf_8_is_refused() -> None:
    broken = pa.array([b"J\xfcrgen"]).view(pa.string())
    assert refused(written(pa.table({"Name": broken})))[0] == "export_malformed"


def test_a_file_cut_at_any_place_is_refused() -> None:
    whole = written(PEOPLE)
    for end in range(4, len(whole)):
        assert refused(whole[:end])[0] == "export_truncated"


def test_a_file_with_any_byte_changed_is_refused_or_keeps_its_form() -> None:
    """Among these bytes are the numbers of rows, which stand in the file several times."""
    whole = written(PEOPLE)
    for at in range(4, len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        try:
            table = parquet.read(bytes(damaged), is_header=is_header)
        except ExportRejected:
            continue
        assert (len(table.header), len(table.lines)) == (3, 2)


def test_a_damaged_page_is_found_by_its_checksum() -> None:
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    whole = written(PEOPLE, write_page_checksum=True, **plain)
    assert refused(whole.replace(b"030 1", b"030 2", 1))[0] == "export_malformed"


@pytest.mark.parametrize("content", [b"PARE" + bytes(20), b"PAR1" + bytes(20) + b"PARE"])
def test_an_encrypted_file_is_named_as_such(content: bytes) -> None:
    assert parquet.recognises(content)
    assert refused(content) == ("export_wrong_format", "it is an encrypted Parquet file")


def test_only_parquet_is_recognised() -> None:
    assert not parquet.recognises(b"PAR")
    assert not parquet.recognises(b"PARTNER,Phone\n")


def test_too_many_columns_are_refused() -> None:
    many = {str(at): ["x"] for at in range(parquet.COLUMNS_LIMIT + 1)}
    code, message = refused(written(pa.table(many)))
    assert code == "export_too_large"
    assert "16,385 columns" in message


def test_too_many_cells_are_refused_before_they_are_read() -> None:
    rows = parquet.CELLS_LIMIT // 2 + 1
    flags = pa.array(np.zeros(rows, dtype=np.bool_))
    code, message = refused(written(pa.table({"a": flags, "b": flags})))
    assert (code, "cells" in message) == ("export_too_large", True)


def test_a_long_text_that_stands_in_too_many_rows_is_refused() -> None:
    times = parquet.UNPACKED_LIMIT // 1024**2 + 1
    texts = pa.DictionaryArray.from_arrays(np.zeros(times, dtype=np.int32), ["x" * 1024**2])
    code, message = refused(written(pa.table({"Name": texts}), store_schema=False))
    assert (code, "bytes of text" in message) == ("export_too_large", True)


def test_a_file_that_unpacks_to_gigabytes_is_refused() -> None:
    texts = pa.array(["x" * 1024**2] * 8)
    groups = [texts] * 128 + [pa.array(["y"])]
    table = pa.table({"Name": pa.chunked_array(groups)})
    code, message = refused(written(table, use_dictionary=False, row_group_size=8))
    assert (code, "when it is unpacked" in message) == ("export_too_large", True)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.text(min_size=1).filter(str.strip), st.text()), min_size=1))
def test_any_table_of_texts_is_read_back(rows: list[tuple[str, str]]) -> None:
    names, notes = zip(*rows, strict=True)
    table = of(Name=list(names), Notes=list(notes))
    assert rows_of(table) == rows
    assert all(text in table.text for row in rows for text in row)
