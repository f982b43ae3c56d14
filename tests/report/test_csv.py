"""The table for spreadsheet programs: nothing is calculated, and nothing loses a digit."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import outcomes, result

from reconcile.model import Outcome
from reconcile.report import csv
from reconcile.report.build import build
from reconcile.report.inert import printable

REPORT = build(result(), previous=None, masked=False)


def written(report):
    file = io.StringIO(newline="")
    csv.render(report, file)
    return file.getvalue()


def read(report):
    """The table as pandas reads it, all of it text."""
    data = written(report).encode()
    return pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, encoding="utf-8-sig")


def with_first(**changes):
    contacts = (REPORT.contacts[0].model_copy(update=changes), *REPORT.contacts[1:])
    return REPORT.model_copy(update={"contacts": contacts})


def test_a_row_for_each_contact_with_what_is_known_of_it():
    table = read(REPORT)
    assert tuple(table.columns) == csv.HEADS
    jo = table.iloc[0].to_dict()
    assert (jo["id"], jo["verdict"], jo["name"], jo["company"]) == ("7", "delete", "Jo Doe", "ACME")
    assert (jo["numbers"], jo["email"]) == ("\u2007030 1234567", "jo@acme.example")
    assert jo["crm_id"] == "\u20074711"
    assert jo["reason"].startswith("CRM record 4711 is absent since")
    assert (jo["first_absent"], jo["absent_exports"]) == ("2026-11-24T02:30:00+00:00", "1")
    assert (jo["outcome"], jo["guard"], jo["due"]) == ("", "", "")
    assert list(table["verdict"]) == ["delete", "review"]
    assert table.iloc[1]["evidence"] == (
        "number +49 30 1111111 belongs to CRM record 1 (Ann Lee), but the names differ"
    )


def test_outcomes_come_first_with_their_guard():
    applied = build(result(outcomes=outcomes(Outcome.DELETED)), previous=None, masked=False)
    row = read(applied).iloc[0]
    assert (row["outcome"], row["outcome_detail"], row["guard"]) == ("deleted", "said", "etag")


@pytest.mark.parametrize(
    "cell",
    [
        *["=1+1", "+49301234567", "-1", "@SUM(A1)", "0301234567", "00123", "4.91512E+11", "1,5"],
        *["01.02.2024", "2024-02-01", "12:30", "5 %", "+", " 12", "030 / 1234567"],
    ],
)
def test_a_cell_that_would_be_calculated_or_made_a_number_begins_with_a_blank(cell):
    assert csv.text(cell) == csv.GUARD + cell


@pytest.mark.parametrize("cell", ["", "Jo Doe", "3M", "030 1234567 Fax", "a=1", "n/a", "x-1"])
def test_other_cells_stay_as_they_are(cell):
    assert csv.text(cell) == cell


def test_several_numbers_stand_in_one_cell():
    (row, *_) = read(with_first(numbers=("+49301234567", "0151 2345678"))).to_dict("records")
    assert row["numbers"] == "\u2007+49301234567; 0151 2345678"


@given(st.text(max_size=60))
def test_whatever_a_name_is_it_comes_back_as_it_is_shown(name):
    cell = read(with_first(name=name)).iloc[0]["name"]
    assert cell.removeprefix(csv.GUARD) in {
        printable(name),
        printable(name).removeprefix(csv.GUARD),
    }
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
