from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from reconcile import crm

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


GOOD = "id,name,phone\n1,Jo Doe,+49301234567\n"


def ids(*values: str) -> str:
    return "id,name,phone\n" + "".join(f"{v},Jo,1\n" for v in values)


# ---------------------------------------------------------------------------- ids


def test_ids_that_repeat_are_refused_with_the_row_of_the_first(refusal: Any) -> None:
    error = refusal(ids("7", "8", "7", "7"))
    assert [(p.code, p.row, p.column) for p in error.problems] == [
        ("id_not_unique", 4, "id"),
        ("id_not_unique", 5, "id"),
    ]
    assert error.problems[0].message == "the same id stands in row 2"
    assert error.hint.startswith("reconcile columns /")


def test_missing_ids_are_refused_and_blanks_are_no_id(refusal: Any) -> None:
    error = refusal(ids("7", "", " ", "8"))
    assert [(p.code, p.row) for p in error.problems] == [("id_missing", 3), ("id_missing", 4)]


def test_of_many_bad_ids_ten_are_listed_and_the_rest_is_counted(refusal: Any) -> None:
    problems = refusal(ids(*["7"] * 30, *[""] * 15)).problems
    assert len(problems) == 22
    assert problems[10].message == "and 5 more rows like these"
    assert problems[21].message == "and 19 more rows like these"


def test_ids_differ_by_case_and_by_leading_zeros(read: Any) -> None:
    found = read(ids("003a", "003A", "7", "07"))
    assert found.records["id"].tolist() == ["003a", "003A", "7", "07"]


def test_an_export_without_ids_is_read(read: Any) -> None:
    assert read("name,phone\nJo,1\nJo,1\n").records["id"].tolist() == ["", ""]


# ---------------------------------------------------------------------------- gone


@pytest.mark.parametrize(
    ("flag", "gone"),
    [
        ("true", True),
        ("TRUE", True),
        ("1", True),
        ("Yes", True),
        ("WAHR", True),
        ("Ja", True),
        ("false", False),
        ("0", False),
        ("", False),
        ("maybe", False),
    ],
)
def test_a_deleted_flag_marks_the_record_and_keeps_it(read: Any, flag: str, gone: bool) -> None:  # noqa: FBT001 - a table of cases
    found = read(f"id,name,phone,Deleted\n1,Jo,1,{flag}\n2,Mo,2,no\n")
    assert found.records["gone"].tolist() == [gone, False]
    assert found.source.gone == int(gone)
    assert found.source.records == 2


def test_an_export_in_which_nobody_is_alive_is_refused(refusal: Any) -> None:
    (problem,) = refusal("id,name,phone,Deleted\n1,Jo,1,1\n2,Mo,2,1\n").problems
    assert (problem.code, problem.column) == ("export_empty", "Deleted")
    assert "all 2 records are flagged" in problem.message


def test_a_merged_record_is_gone_and_says_where_to(read: Any) -> None:
    found = read("id,name,phone,MasterRecordId\n1,Jo,1,2\n2,Jo,1,\n3,Mo,1,000000000000000AAA\n")
    assert found.records["gone"].tolist() == [True, False, False]
    assert found.records["merged_into"].tolist() == ["2", "", ""]


@pytest.mark.parametrize("into", ["9", "1", "false"])
def test_who_was_merged_into_nobody_of_the_export_is_kept_with_a_note(
    read: Any, export: Any, into: str
) -> None:
    content = f"id,name,phone,MasterRecordId\n1,Jo,1,{into}\n2,Mo,2,\n"
    assert read(content).records["gone"].tolist() == [False, False]
    (note,) = crm.describe(export(content), mapping={}).notes
    assert note == "1 records name a record that they were merged into, and nothing proves it"


def test_where_there_are_flags_they_decide_and_not_the_master(read: Any) -> None:
    content = (
        "id,name,phone,IsDeleted,MasterRecordId\n1,Jo,1,false,2\n2,Jo,1,false,\n3,J,1,true,2\n"
    )
    assert read(content).records["gone"].tolist() == [False, False, True]


# ---------------------------------------------------------------------------- inactive


@pytest.mark.parametrize(
    ("header", "value", "gone"),
    [
        ("Active", "False", True),
        ("Active", "0", True),
        ("active", "Inactive", True),
        ("Aktiv", "Nein", True),
        ("Aktiv", "FALSCH", True),
        ("Active", "True", False),
        ("Active", "", False),
        ("Aktiv", "vielleicht", False),
        ("Archived", "TRUE", True),
        ("Archiviert", "ja", True),
        ("Archived", "0", False),
        ("statecode", "1", True),
        ("statecode", "0", False),
        ("statecode", "Inactive", True),
        ("Status", "Inactive", True),
        ("Status", "Inaktiv", True),
        ("Status", "archived", True),
        ("Status", "Active", False),
        ("Status", "Aktiv", False),
        ("Status", "0", False),
        ("Status", "1", False),
        ("Status", "Working on it", False),
    ],
)
def test_the_inactive_are_gone_only_if_the_policy_says_so(
    export: Any, header: str, value: str, *, gone: bool
) -> None:
    path = export(f"id,name,phone,{header}\n1,Jo,1,{value}\n2,Mo,2,\n")
    assert crm.describe(path, mapping={}).gone == 0
    assert crm.describe(path, mapping={}, inactive="gone").gone == int(gone)


def test_the_policy_changes_which_columns_are_read_so_that_the_guards_see_it(export: Any) -> None:
    path = export("id,name,phone,Status,Zustand\n1,Jo,1,Active,aktiv\n")
    mapping = {"inactive": "Zustand"}
    kept = crm.describe(path, mapping=mapping).columns[3:]
    assert [(c.reads_as, c.why) for c in kept] == [
        ("", 'inactive and archived records are kept: `crm.inactive = "keep"`')
    ] * 2
    gone = crm.describe(path, mapping=mapping, inactive="gone").columns[3:]
    assert [c.reads_as for c in gone] == ["status", "inactive"]


def test_a_word_that_is_not_understood_keeps_the_person_and_is_counted(export: Any) -> None:
    path = export("id,name,phone,Status,Deleted\n1,Jo,1,Lead,maybe\n2,Mo,2,Kunde,0\n3,A,3,,1\n")
    shown = crm.describe(path, mapping={}, inactive="gone")
    assert shown.gone == 1
    assert shown.notes == (
        "2 values in `Status` are not understood; these records are kept",
        "1 values in `Deleted` are not understood; these records are kept",
    )


# ---------------------------------------------------------------------------- what looks odd


@pytest.mark.parametrize(
    ("row", "note"),
    [
        ("Jo Doe,Jo,Doe,+49 1,jo@example.com", "1 of 2 values in `id` are no ids"),
        ("1,007,Doe,+49 1,jo@example.com", "1 of 2 values in `first name` are no names"),
        ("1,Jo,+49 30 1234567,+49 1,jo@example.com", "1 of 2 values in `last name` are no names"),
        ("1,Jo,jo@example.com,+49 1,jo@example.com", "1 of 2 values in `last name` are no names"),
        ("1,Jo,Doe,jo@example.com,jo@example.com", "1 of 2 values in `phone` hold no number"),
        ("1,Jo,Doe,n/a,jo@example.com", "1 of 2 values in `phone` hold no number"),
        ("1,Jo,Doe,+49 1,+49 1", "1 of 2 values in `email` are no e-mail addresses"),
    ],
)
def test_values_under_the_wrong_header_are_noted(export: Any, row: str, note: str) -> None:
    other = "2,小林,Łukasz,1-800-FLOWERS,mo@example.com"
    path = export(f"id,first name,last name,phone,email\n{row}\n{other}\n")
    assert crm.describe(path, mapping={}).notes == (note,)


def test_columns_without_any_value_are_noted_together(export: Any) -> None:
    shown = crm.describe(export("id,name,phone,mobile,note\n1,Jo,,,\n2,Mo,, ,\n"), mapping={})
    assert shown.notes == ("no record has a value in `phone`, `mobile`",)


# ---------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        ('[{"phoneNumber":"+49 1","type":"Mobile"},{"phoneNumber":"+49 2"}]', "+49 1; +49 2"),
        ('[{"phoneNumber":"+49 1","type":"Fax"}]', ""),
        ('[{"phoneNumber":null}]', ""),
        ("[]", ""),
        ("[030] 123", "[030] 123"),
        ("[49123]", "[49123]"),
    ],
)
def test_a_list_in_json_becomes_its_numbers(read: Any, cell: str, numbers: str) -> None:
    quoted = cell.replace('"', '""')
    found = read(f'id,name,phone,phoneNumberData\n1,Jo,1,"{quoted}"\n2,Mo,2,+49 3\n')
    assert found.records["phone:phoneNumberData"].tolist() == [numbers, "+49 3"]


def test_a_reference_of_vtiger_loses_the_name_of_its_module(read: Any) -> None:
    found = read("id,name,phone,Organization Name\n1,Jo,1,Accounts::::A::::B\n")
    assert found.records["company"].tolist() == ["A::::B"]


# ---------------------------------------------------------------------------- refused as a whole


def test_a_renamed_only_phone_column_is_refused_with_the_way_out(refusal: Any) -> None:
    error = refusal("id,name,Phone Nr. xyz\n1,Jo,1\n")
    (problem,) = error.problems
    assert problem.code == "header_unknown"
    assert str(problem).startswith("contacts.csv, row 1: no column holds a person's phone number")
    assert 'columns = { phone = "Phone Nr. xyz" }' in problem.message
    assert error.hint.startswith("reconcile columns ")


def test_the_mapping_that_was_offered_makes_it_readable(read: Any) -> None:
    found = read("id,name,Phone Nr. xyz\n1,Jo,007\n", mapping={"phone": "Phone Nr. xyz"})
    assert found.records["phone:Phone Nr. xyz"].tolist() == ["007"]
    assert found.source.columns[2].why == "config"


def test_a_renamed_second_phone_column_is_visible(read: Any) -> None:
    columns = read("id,name,phone,Mobile xyz\n1,Jo,1,2\n").source.columns
    assert (columns[3].header, columns[3].reads_as) == ("Mobile xyz", "")


def test_header_and_rows_are_refused_together_and_no_value_is_shown(refusal: Any) -> None:
    error = refusal("id,Phone,phone\n1,Doe,1,2\n")
    codes = [p.code for p in error.problems]
    assert codes == ["export_malformed", "header_duplicate", "header_unknown"]
    assert "Doe" not in "".join(map(str, error.problems))
    assert error.message == "The CRM export contacts.csv can't be used."
    assert error.hint.startswith("let the CRM export again, then: reconcile columns /")


def test_of_very_many_problems_the_rest_is_counted(refusal: Any) -> None:
    header = [f"phone {i}" for i in range(40)]
    problems = refusal(",".join(["name", *header, *header]) + "\n").problems
    assert len(problems) == 26
    assert str(problems[-1]) == "and 16 more problems"


def test_a_login_page_hints_at_the_job_that_fetches_it(refusal: Any) -> None:
    error = refusal("<!DOCTYPE html><title>Log in</title>")
    assert [p.code for p in error.problems] == ["export_wrong_format"]
    assert "head /" in error.hint


# ---------------------------------------------------------------------------- describe


def test_a_good_export_is_described_with_masked_samples(export: Any) -> None:
    path = export(
        "Name;Telefon;E-Mail;Notiz;IsDeleted\n"
        "Jörg Doe;+49 30 1234567;jo@example.com;x;0\nMo;;;;1\nAnn;1;;;\nBob;2;;;\n\n"
    )
    shown = crm.describe(path, mapping={})
    assert (shown.format, shown.encoding, shown.delimiter) == ('csv; delimiter ";"', "utf-8", ";")
    assert (shown.name, shown.header_row, shown.records, shown.gone) == ("contacts.csv", 1, 4, 1)
    assert shown.ignored == {"line without content": 1}
    assert shown.fill == {"phone:Telefon": 0.75, "email:E-Mail": 0.25}
    assert shown.samples[0] == {
        "full_name": "J••• D••",
        "phone:Telefon": "+4• •• •••••••",
        "email:E-Mail": "j•@e••••••.c••",
    }
    assert len(shown.samples) == 3
    assert shown.notes == (
        "no column holds the record's id: people are told apart by their keys only",
    )
    assert (shown.problems, shown.toml, shown.hint) == ((), "", "")


def test_an_export_with_ids_needs_no_note(export: Any) -> None:
    assert crm.describe(export(GOOD), mapping={}).notes == ()


def test_a_bad_mapping_is_shown_and_not_raised(export: Any) -> None:
    shown = crm.describe(export(GOOD), mapping={"phone": "Telefon"})
    assert [c.reads_as for c in shown.columns] == ["id", "full_name", "phone"]
    assert [p.code for p in shown.problems] == ["header_unknown"]
    assert shown.toml.startswith("columns = { phone = ")
    assert shown.samples == ()


def test_the_columns_of_a_damaged_export_are_still_shown(export: Any) -> None:
    shown = crm.describe(export(GOOD + "2,Mo"), mapping={})
    assert [c.reads_as for c in shown.columns] == ["id", "full_name", "phone"]
    assert [p.code for p in shown.problems] == ["export_truncated"]
    assert (shown.format, shown.records) == ('csv; delimiter ","', 0)


def test_an_export_with_bad_ids_shows_what_it_holds(export: Any) -> None:
    shown = crm.describe(export(ids("1", "1")), mapping={})
    assert [p.code for p in shown.problems] == ["id_not_unique"]
    assert shown.records == 2


def test_a_file_that_is_not_there_is_described_as_missing(tmp_path: Path) -> None:
    shown = crm.describe("contacts.csv", base=tmp_path, mapping={})
    assert [p.code for p in shown.problems] == ["export_missing"]
    assert shown.columns == ()
    assert shown.hint


def test_age_is_judged_only_if_the_time_is_given(export: Any, now: datetime) -> None:
    path = export(GOOD, age_hours=100)
    assert crm.describe(path, mapping={}).problems == ()
    assert crm.describe(path, mapping={}, now=now).problems == ()
    stale = crm.describe(path, mapping={}, now=now, max_age_hours=26)
    assert [p.code for p in stale.problems] == ["export_stale"]
    assert stale.records == 1


def test_a_description_holds_no_personal_data(export: Any) -> None:
    shown = crm.describe(export(GOOD), mapping={})
    text = str(dataclasses.asdict(shown))
    assert "Doe" not in text
    assert "1234567" not in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0 1 5 1 2 3 4 5", "0 • • • • • • •"),
        ("4711", "4•••"),
        ("+49 30 1234567", "+4• •• •••••••"),
        ("J D", "• •"),
        ("李 小明", "• 小•"),
        ("Jo 2nd", "J• •••"),
    ],
)
def test_of_a_value_its_shape_is_shown_and_hardly_more(export: Any, value: str, shown: str) -> None:
    path = export(f"name,phone\n{value},1\n")
    assert crm.describe(path, mapping={}).samples[0]["full_name"] == shown
