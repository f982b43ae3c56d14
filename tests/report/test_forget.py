"""One person taken out of reports and evidence."""

from __future__ import annotations

import os

import pytest
from reported import result

from reconcile.errors import StateError, UsageError
from reconcile.model import Verdict
from reconcile.report import evidence, files
from reconcile.report.build import build, every_contact
from reconcile.report.forget import forget
from reconcile.report.lines import line
from reconcile.report.model import ContactPart, DriftPart, DuplicatePart, MissingPart

OTHER = ContactPart(
    id=9,
    verdict=Verdict.REVIEW,
    reason="number +49 30 7654321 belongs to CRM record 1 (A. Leigh), but the names differ",
    evidence=("e-mail ann@acme.example belongs to CRM record 15 (Ann Lee), but the names differ",),
    name="Annabel Leeds",
)


@pytest.fixture
def reports(tmp_path):
    """Run 12 knows Ann (1), Jo (7), Eve (8), who has Ann's number, and a contact like Ann."""
    made = build(result(), previous=None, masked=False, with_matched=True)
    lists = {
        "drift": (DriftPart(id=1, crm_id="1", field="email", crm="ann@acme.example", pbx=""),),
        "missing": (
            MissingPart(crm_id="1", row=2, name="A. Leigh", company="Umbrella"),
            MissingPart(crm_id="", row=3, name="Ann Lee", company="Umbrella"),
            MissingPart(crm_id="2", row=4, name="Max New", company="ACME"),
        ),
        "duplicates": (
            DuplicatePart(crm_id="1", name="Lee", ids=(1, 5)),
            DuplicatePart(crm_id="2", name="Max New", ids=(2, 3)),
        ),
    }
    contacts = (*made.contacts, OTHER)
    files.write(made.model_copy(update={**lists, "contacts": contacts}), tmp_path)
    evidence.write(map(line, [*every_contact(result(), masked=False), OTHER]), tmp_path, 12)
    return tmp_path


def told(reports) -> dict[int, ContactPart]:
    return {part.id: part for part in evidence.read(reports, 12)}


def test_the_person_is_gone_and_the_arithmetic_stays(reports):
    before = files.read(reports, 12)
    assert forget(reports, frozenset({1})) == 1
    after = files.read(reports, 12)
    assert (after.counts, after.digest, after.headline) == (
        before.counts,
        before.digest,
        before.headline,
    )
    for part in (told(reports)[1], after.contacts[0]):
        assert part == ContactPart(
            id=1, verdict=Verdict.MATCHED, reason="what was known of this person was removed"
        )


def test_the_page_of_the_report_is_made_anew_without_the_person(reports):
    page = files.page(reports, 12)
    assert "ann@acme.example" in page.read_text("utf-8")
    os.utime(page, (1000, 1000))
    forget(reports, frozenset({1}))
    after = page.read_text("utf-8")
    assert "ann@acme.example" not in after
    assert "Umbrella" not in after
    assert "what was known of this person was removed" in after
    assert "Eve Fox" in after
    assert page.stat().st_mtime == 1000


def test_where_the_page_can_not_be_made_anew_the_same_again_cleans_both(reports):
    page = files.page(reports, 12)
    page.unlink()
    page.mkdir()
    with pytest.raises(StateError, match="No report can be written"):
        forget(reports, frozenset({1}))
    page.rmdir()
    page.write_text("Ann Lee", "utf-8")
    assert forget(reports, frozenset({1})) == 1
    assert "Ann Lee" not in page.read_text("utf-8")
    assert files.read(reports, 12).drift == ()


def test_what_the_lists_say_of_the_person_is_gone(reports):
    forget(reports, frozenset({1}))
    after = files.read(reports, 12)
    assert after.drift == ()
    assert [(m.row, m.name, m.company) for m in after.missing] == [
        (2, "", ""),
        (3, "", ""),
        (4, "Max New", "ACME"),
    ]
    assert [d.name for d in after.duplicates] == ["", "Max New"]


def test_others_keep_their_data_and_what_it_says_of_the_person_is_masked(reports):
    before = told(reports)
    forget(reports, frozenset({1}))
    after = told(reports)
    assert after[7] == before[7]
    assert (after[8].name, after[8].numbers) == ("Eve Fox", ("030 1111111",))
    assert after[8].reason == "number …111 belongs to CRM record 1 (A. L.), but the names differ"
    assert after[9].name == "Annabel Leeds"
    assert after[9].reason == "number …321 belongs to CRM record 1 (A. L.), but the names differ"
    assert after[9].evidence == (
        "e-mail a…@… belongs to CRM record 15 (A. L.), but the names differ",
    )


def test_files_keep_their_time_and_what_holds_nothing_is_left_alone(reports):
    paths = (files.path(reports, 12), evidence.path(reports, 12))
    for path in paths:
        os.utime(path, (1000, 1000))
    was = [path.stat().st_ino for path in paths]
    assert forget(reports, frozenset({404})) == 0
    assert [path.stat().st_ino for path in paths] == was
    assert forget(reports, frozenset({1})) == 1
    assert [path.stat().st_mtime for path in paths] == [1000, 1000]
    assert [path.stat().st_ino for path in paths] != was
    assert forget(reports, frozenset({1})) == 0


@pytest.mark.parametrize("left", ["report", "evidence"])
def test_a_run_that_left_only_one_of_its_files_is_cleaned_too(reports, left):
    (evidence if left == "report" else files).path(reports, 12).unlink()
    assert forget(reports, frozenset({1})) == 1
    kept = {p for p in (reports / "run-000012").iterdir() if p.is_file()}
    both = {files.path(reports, 12), files.page(reports, 12)}
    assert kept == (both if left == "report" else {evidence.path(reports, 12)})
    assert forget(reports, frozenset({1})) == 0


def test_no_reports_at_all_hold_nothing(tmp_path):
    assert forget(tmp_path / "nowhere", frozenset({1})) == 0


def test_a_report_that_can_not_be_read_is_said(reports):
    files.path(reports, 12).write_text("{}")
    with pytest.raises(UsageError, match=r"The report of run 12 in .* can't be read"):
        forget(reports, frozenset({1}))


def test_a_folder_that_takes_no_file_is_said_with_what_is_still_there(reports):
    run = reports / "run-000012"
    deep = reports
    longest = os.pathconf(reports, "PC_PATH_MAX") - len("/run-000012/evidence.jsonl.gz..")
    while (room := longest - len(str(deep))) > 1:  # both files fit, the longer temporary ones don't
        deep = deep / ("d" * min(room - 1, 200))
        deep.mkdir()
    run.rename(deep / run.name)
    with pytest.raises(StateError, match="No report can be written") as raised:
        forget(deep, frozenset({1}))
    assert raised.value.consequence.startswith("Reports may still hold what was to be removed")
    assert told(deep)[1].name == "Ann Lee"
