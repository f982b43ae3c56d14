"""From a result to its report: status, exit code, headline, arithmetic."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import builders as b
import pytest
from reported import ANN, outcomes, result

from reconcile.core.match import match
from reconcile.model import (
    ContactOutcome,
    DeleteGuard,
    Exit,
    Finding,
    Level,
    Measure,
    Outcome,
    Status,
    Subject,
    Verdict,
)
from reconcile.report import mask
from reconcile.report.build import Result, build
from reconcile.report.model import GuardPart, Report


def finding(level, code="some_code", exit_code=Exit.APPROVAL) -> Finding:
    return Finding(
        code=code,
        level=level,
        subject=Subject.EXPORT,
        observed="3",
        limit="2",
        message="Something was seen.",
        hint="reconcile plan",
        exit_code=exit_code,
    )


def report(found: Result, **options) -> Report:
    return build(found, previous=None, **{"masked": False, **options})


def test_a_plan_with_deletes_waits_for_a_person():
    made = report(result())
    assert (made.status, made.exit_code) == (Status.WAITING, Exit.WAITING)
    assert made.headline == (
        "1 of 3 phone-system contacts would be deleted. Nothing has been changed yet."
    )
    assert made.approve_until == b.NOW + timedelta(hours=24)
    assert made.digest == result().plan.digest


def test_a_plan_without_deletes_is_clean_and_says_who_waits():
    made = report(result(grace=2))
    assert (made.status, made.exit_code) == (Status.CLEAN, Exit.CONVERGED)
    assert made.headline == (
        "Nothing to delete among 3 phone-system contacts. 1 absent and waiting out the grace."
    )
    assert made.approve_until is None


def test_an_unrecorded_plan_can_not_be_approved():
    assert report(result(run_id=None)).approve_until is None


def test_a_finding_that_asks_gives_exit_4():
    made = report(result(findings=(finding(Level.APPROVE),)))
    assert (made.status, made.exit_code) == (Status.NEEDS_APPROVAL, Exit.APPROVAL)
    assert made.headline.endswith("A person must approve this plan.")
    quiet = report(result(grace=2, findings=(finding(Level.APPROVE),)))
    assert quiet.headline.startswith("The export counts only once")


def test_blocks_give_the_lowest_of_their_exit_codes():
    blocks = (
        finding(Level.BLOCK, exit_code=Exit.PBX),
        finding(Level.BLOCK, exit_code=Exit.EXPORT),
    )
    made = report(result(findings=blocks))
    assert (made.status, made.exit_code) == (Status.BLOCKED, Exit.EXPORT)
    assert made.headline == "Nothing was deleted. Something was seen. (1 more below)"


def test_a_blocked_report_without_any_read_is_whole():
    empty = {"crm": None, "pbx": None, "matching": None, "plan": None}
    made = report(result(findings=(finding(Level.BLOCK),), **empty))
    assert made.source is None
    assert made.counts.pbx["read"] == made.counts.crm["read"] == 0
    assert Report.model_validate_json(made.to_json()) == made


def test_an_interrupted_run_says_so():
    made = report(result(interrupted_by=Exit.TERMINATED))
    assert (made.status, made.exit_code) == (Status.INTERRUPTED, Exit.TERMINATED)
    assert "interrupted" in made.headline


@pytest.mark.parametrize(
    ("kinds", "stopped", "status", "exit_code"),
    [
        ([Outcome.DELETED], "", Status.APPLIED, Exit.CONVERGED),
        ([Outcome.DELETED, Outcome.ALREADY_GONE], "", Status.APPLIED, Exit.CONVERGED),
        ([Outcome.ALREADY_GONE], "", Status.CLEAN, Exit.CONVERGED),
        ([Outcome.NOT_ATTEMPTED], "", Status.CLEAN, Exit.CONVERGED),
        ([], "", Status.CLEAN, Exit.CONVERGED),
        ([Outcome.DELETED, Outcome.CHANGED], "", Status.PARTIAL, Exit.PARTIAL),
        ([Outcome.CHANGED], "", Status.PARTIAL, Exit.PARTIAL),
        ([Outcome.DELETED, Outcome.REFUSED], "403", Status.PARTIAL, Exit.PARTIAL),
        ([Outcome.REFUSED], "403", Status.PARTIAL, Exit.PBX),
        ([Outcome.UNCONFIRMED], "lost", Status.PARTIAL, Exit.PBX),
    ],
)
def test_outcomes_decide_status_and_exit_code(kinds, stopped, status, exit_code):
    made = report(result(outcomes=outcomes(*kinds), stopped=stopped))
    assert (made.status, made.exit_code) == (status, exit_code)


def test_the_headline_of_an_apply_counts_what_was_done():
    kinds = outcomes(Outcome.DELETED, Outcome.CHANGED, Outcome.NOT_ATTEMPTED)
    made = report(result(outcomes=kinds, stopped="why"))
    assert made.headline == (
        "1 of 3 phone-system contacts was deleted. The others that were approved:"
        " 1 changed, 1 not attempted. Stopped: why."
    )


def test_both_sums_add_up():
    counts = report(result()).counts
    for side in (counts.pbx, counts.crm):
        assert side["read"] == sum(n for name, n in side.items() if name != "read")


def test_contacts_carry_why_and_what_became_of_them():
    made = report(result(outcomes=outcomes(Outcome.DELETED)))
    jo = next(c for c in made.contacts if c.id == 7)
    assert (jo.name, jo.company, jo.numbers) == ("Jo Doe", "ACME", ("030 1234567",))
    assert (jo.crm_id, jo.absent_exports, jo.outcome) == ("4711", 1, Outcome.DELETED)
    eve = next(c for c in made.contacts if c.id == 8)
    assert "belongs to CRM record 1 (Ann Lee)" in eve.evidence[0]


def test_matched_contacts_are_listed_only_if_asked():
    assert [c.id for c in report(result()).contacts] == [7, 8]
    assert [c.id for c in report(result(), with_matched=True).contacts] == [1, 7, 8]


def test_missing_records_are_listed():
    assert [m.crm_id for m in report(result()).missing] == ["2"]


def test_what_changed_since_the_last_report():
    before = report(result(grace=2))
    now = build(result(), previous=before, masked=False)
    (change,) = now.previous.changes
    assert (change.id, change.before, change.now) == (7, "waiting", "delete")


def test_a_report_survives_its_file_format():
    made = report(result(outcomes=outcomes(Outcome.DELETED)), with_matched=True)
    assert Report.model_validate_json(made.to_json()) == made
    assert '"schema": "reconcile-report/1"' in made.to_json()


def test_drift_and_duplicates_are_masked_too():
    crm = b.crm(
        {
            "id": "1",
            "first_name": "Ann",
            "last_name": "Lee",
            "email": "ann@acme.example",
            "phone": "030 1111111",
            "company": "Umbrella",
        }
    )
    pbx = b.pbx(ANN, {**ANN, "Id": 2, "Email": "lee@home.example", "Home": "040 7654321"})
    matching = match(crm, pbx, {}, region="DE")
    text = report(result(crm=crm, pbx=pbx, matching=matching), masked=True).to_json()
    for plain in ("Ann", "Lee", "Umbrella", "ann@", "lee@", "7654321"):
        assert plain not in text, plain
    assert "a…@…" in text


def test_a_masked_report_shows_no_personal_data():
    text = report(result(findings=()), masked=True, with_matched=True).to_json()
    for plain in ("Doe", "Ann", "Lee", "ACME", "1234567", "1111111", "jo@acme", "Max", "2222222"):
        assert plain not in text, plain
    assert "J. D." in text
    assert "…567" in text


@pytest.mark.parametrize(
    ("sentence", "masked"),
    [
        (
            "number +49 30 1234567 belongs to CRM record 4711, and the names agree",
            "number …567 belongs to CRM record 4711, and the names agree",
        ),
        (
            (
                "number +1 415-555-0101 belongs to the record in row 2 of a.csv (Max New), but the"
                " names differ"
            ),
            "number …101 belongs to the record in row 2 of a.csv (M. N.), but the names differ",
        ),
        (
            (
                "number 0301fax is not one person's alone; CRM record 1 (Jo (Max) Doe) has it, and"
                " the names agree"
            ),
            (
                "number …301 is not one person's alone; CRM record 1 (J. (. D.) has it, and"
                " the names agree"
            ),
        ),
        (
            "number +49 30 5550000 alone proves nothing: 2 in the CRM share it",
            "number …000 alone proves nothing: 2 in the CRM share it",
        ),
        (
            "e-mail max@acme.example belongs to CRM record 4711, and the names agree",
            "e-mail m…@… belongs to CRM record 4711, and the names agree",
        ),
        (
            "its CRM record 4711 (Max New) is still in the CRM, but the names differ",
            "its CRM record 4711 (M. N.) is still in the CRM, but the names differ",
        ),
        (
            "its name and its company are those of CRM record 4711 (Max New)",
            "its name and its company are those of CRM record 4711 (M. N.)",
        ),
        (
            "CRM record 4711 is absent since 2026-11-24 02:30 UTC, in 2 exports (needed: 2)",
            "CRM record 4711 is absent since 2026-11-24 02:30 UTC, in 2 exports (needed: 2)",
        ),
        (
            "the text of the export still holds +49 30 1234567, in a place that is not read",
            "the text of the export still holds …567, in a place that is not read",
        ),
    ],
)
def test_every_sentence_is_masked_whoever_it_is_about(sentence, masked):
    assert mask.sentence(sentence, {}) == masked
    assert mask.sentence(masked, {}) == masked


def test_the_company_of_a_finding_is_masked():
    lost = replace(
        finding(Level.APPROVE, "group_lost"), observed="company ACME GmbH: 5 of 8 (62 %)"
    )
    shown = report(result(findings=(lost,)), masked=True)
    assert shown.findings[0].observed == "company A. G.: 5 of 8 (62 %)"
    measure = Measure(code=lost.code, observed=lost.observed, limit="30 %", level=lost.level)
    (guard,) = report(result(measures=(measure,)), masked=True).guards
    assert guard == GuardPart(
        code="group_lost", observed="company A. G.: 5 of 8 (62 %)", limit="30 %", level=lost.level
    )
    department = replace(lost, observed="department Sales: 5 of 8 (62 %)")
    assert report(result(findings=(department,)), masked=True).findings[0].observed == (
        "department Sales: 5 of 8 (62 %)"
    )


def test_every_approved_contact_has_its_row_whatever_became_of_it():
    before = report(result())
    gone = before.contacts[0].model_copy(update={"id": 99, "name": "Max Gone"})
    before = before.model_copy(update={"contacts": (*before.contacts, gone)})
    told = {
        7: (Outcome.DELETED, "gone"),
        1: (Outcome.NOT_ATTEMPTED, "no longer due: it matches the CRM again"),
        99: (Outcome.ALREADY_GONE, "it is no longer in 3CX"),
        98: (Outcome.ALREADY_GONE, "it is no longer in 3CX"),
    }
    done = tuple(
        ContactOutcome(contact_id=i, outcome=outcome, guard=DeleteGuard.ETAG, detail=detail)
        for i, (outcome, detail) in told.items()
    )
    made = build(result(outcomes=done), previous=before, masked=False)
    rows = {c.id: c for c in made.contacts if c.outcome}
    assert {i: (c.outcome, c.outcome_detail) for i, c in rows.items()} == told
    assert {i: c.name for i, c in rows.items()} == {
        7: "Jo Doe",
        1: "Ann Lee",
        99: "Max Gone",
        98: "",
    }
    assert rows[1].verdict is Verdict.MATCHED
    assert rows[98].verdict is Verdict.DELETE
    assert {c.id for c in made.previous.changes} == {99}
    listed = build(result(outcomes=done), previous=before, masked=False, with_matched=True)
    assert sorted(c.id for c in listed.contacts) == [1, 7, 8, 98, 99]
    masked = build(result(outcomes=done), previous=before, masked=True)
    assert {c.id: c.name for c in masked.contacts if c.outcome}[99] == "M. G."


def test_a_night_that_was_stopped_compares_nothing_and_is_compared_with_nothing():
    first = report(result())
    stopped = build(result(plan=None, matching=None), previous=first, masked=False)
    assert stopped.previous is None
    again = build(result(), previous=stopped, compared=first, masked=False)
    assert again.previous.changes == ()
    assert build(result(), previous=stopped, masked=False).previous is None
    assert [part.matched for part in again.trend] == [1, 0, 1]


def test_an_approved_export_without_anybody_due_is_said_to_be_accepted():
    made = report(result(outcomes=()))
    assert made.headline == "The export is accepted. Nobody was due among 3 phone-system contacts."
