"""Records that 3CX lacks: columns are written as objects are, and looked at as a sequence is."""

from __future__ import annotations

import builders as b
import pytest
from amounts import amount
from hypothesis import given, settings
from hypothesis import strategies as st
from reported import result

from reconcile.core.differences import records_table
from reconcile.core.match import match
from reconcile.model import MissingRecord
from reconcile.report.build import build
from reconcile.report.missing import Missing
from reconcile.report.model import MissingPart, Report, row_pieces

texts = st.one_of(
    st.sampled_from(["", "Jo", "Müller", 'Jo "J"', "a\\b", "\u202e", "\n", ","]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
rows = st.builds(MissingRecord, crm_id=texts, row=st.integers(1, 2**40), name=texts, company=texts)


def made(*records):
    return Missing(records_table(records))


def parts(records):
    return [
        MissingPart(crm_id=r.crm_id, row=r.row, name=r.name, company=r.company) for r in records
    ]


@settings(max_examples=amount(check=200, prove=5000))
@given(st.lists(rows, max_size=4), st.sampled_from(["  ", "    "]))
def test_rows_made_in_columns_are_those_of_objects(records, margin):
    written = "".join(made(*records).pieces(margin))
    assert written == "".join(row_pieces(parts(records), margin))
    assert list(made(*records)) == parts(records)


def test_they_are_a_sequence():
    records = [MissingRecord(crm_id=str(at), row=at, name="Ann", company="") for at in range(5)]
    found, every = made(*records), parts(records)
    assert found == every
    assert found != every[1:]
    assert found != "no rows"
    assert (found[1], found[-1]) == (every[1], every[-1])
    assert (list(found[1:3]), list(found[::-2]), list(found[9:])) == (every[1:3], every[::-2], [])
    with pytest.raises(IndexError):
        found[5]


def test_more_than_are_made_at_once_are_all_there():
    records = [MissingRecord(crm_id="", row=at, name="\n", company="") for at in range(10_001)]
    assert "".join(made(*records).pieces("  ")) == "".join(row_pieces(parts(records), "  "))


def test_what_a_match_lacks_is_a_table_without_an_object():
    crm = b.crm({"id": "7", "first_name": "Ann", "last_name": "Lee", "phone": "030 1111111"})
    table = records_table(match(crm, b.pbx(), {}, region="DE").missing)
    assert table.to_pylist() == [{"crm_id": "7", "row": 2, "name": "Ann Lee", "company": ""}]
    assert table.schema == records_table(()).schema


def test_a_report_with_them_is_the_one_that_is_read_back():
    told = build(result(), previous=None, masked=False)
    assert isinstance(told.missing, Missing)
    read = Report.model_validate_json(told.to_json())
    assert read == told
    assert read.missing == tuple(told.missing)
    assert [part.name for part in read.missing] == ["Max New"]
