"""Whom `explain WHO` means, and what it advises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import builders as b
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconcile.cli import show
from reconcile.core import phones
from reconcile.errors import UsageError
from reconcile.model import Exit, Outcome, Status, Verdict
from reconcile.report import evidence, explain, files, mask
from reconcile.report.lines import line
from reconcile.report.model import ContactPart, CountsPart, Report, RunPart, TrendPart

NO_COUNTS = dict.fromkeys(("matched", "waiting", "review", "delete", "deleted"), 0)
JO = ContactPart(
    id=7,
    verdict=Verdict.MATCHED,
    reason="its CRM record 4711 is still in the CRM, and the names agree",
    name="Jo Maria Doe",
    company="ACME GmbH & Co. KG",
    numbers=("030 1234567", "+49 (0)151 2345678-90", "12"),
    email="Jo.Doe@acme.example",
    crm_id="4711",
)
ANN = ContactPart(
    id=4711, verdict=Verdict.REVIEW, reason="", name="Ann Lee", numbers=("030/7654321",)
)


def report(*contacts, run=1, **changes) -> Report:
    return Report(
        run=RunPart(
            id=run,
            command="plan",
            mode="review",
            started_at=b.NOW,
            finished_at=b.NOW,
            version="0",
        ),
        status=Status.CLEAN,
        exit_code=Exit.CONVERGED,
        digest="0123456789abcdef",
        counts=CountsPart(pbx={}, crm={}),
        contacts=contacts,
        **{
            "approve_until": None,
            "headline": "",
            "source": None,
            "pbx": None,
            "findings": (),
            "masked": False,
            **changes,
        },
    )


def who(typed, **options) -> explain.Who:
    return explain.Who.of(typed, **{"region": "DE", **options})


def by(typed, part=JO, **options) -> str | None:
    """By what the contact is found, or None."""
    found = who(typed, **options).finds(part)
    return found and found[0].name.lower()


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("7", "id"),
        (" 7 ", "id"),
        ("07", None),
        ("70", None),
        ("4711", "crm_id"),
        ("47110", None),
        ("030 1234567", "number"),
        ("+49 30 1234567", "number"),
        ("0049 (0)30 / 123 45 67", "number"),
        ("Tel.: 030-1234567", "number"),
        ("0151 2345678-90", "number"),
        ("015123456789 0", "number"),
        ("12", "number"),
        ("030 1234568", None),
        ("1234567", None),
        ("jo.doe@acme.example", "email"),
        ("mailto:JO.DOE@ACME.EXAMPLE", "email"),
        ("jo.doe+phone@acme.example", "email"),
        ("doe@acme.example", None),
        ("acme.example", "company"),
        ("Jo Doe", "name"),
        ("DOE, Jo", "name"),
        ("J. Doe", "name"),
        ("doe", "name"),
        ("Jo Doe Roe", None),
        ("Jo Roe", None),
        ("Max Doe", None),
        ("J. D.", None),
        ("J", None),
        ("ACME", "company"),
        ("acme gmbh", "company"),
        ("Umbrella", None),
        ("", None),
        ("?", None),
    ],
)
def test_who_is_meant(typed, found):
    assert by(typed) == found


def test_a_number_is_read_by_the_region_and_behind_the_prefix_of_an_outside_line():
    assert by("030 1234567", region="AT") == "number"  # as it was typed, on both sides
    assert by("+49 30 1234567", region="AT") is None
    stored = JO.model_copy(update={"numbers": ("0030 1234567",)})
    assert by("+49 30 1234567", stored) is None
    assert by("+49 30 1234567", stored, outside_prefix="0") == "number"


@given(
    cell=st.text("0123456789 ()-+", max_size=20),
    typed=st.text("0123456789 ()-+", max_size=20) | st.just("030 1234567"),
)
@example(cell="+49 (0)30 1234567", typed="030 1234567")
@example(cell="5", typed="5")
@example(cell="12", typed="12")
def test_no_number_is_passed_over_because_of_how_it_ends(cell, typed):
    meant, stored = who(typed), JO.model_copy(update={"numbers": (cell,)})
    shared = meant.number_keys & set(phones.keys_or_text(cell, "DE"))
    found = replace(meant, typed="").finds(stored)
    assert (found is not None) == bool(shared)


@pytest.fixture
def reports(tmp_path):
    """Run 1: two contacts with evidence, one of them in the report."""
    files.write(report(ANN), tmp_path)
    evidence.write(map(line, [JO, ANN]), tmp_path, 1)
    return tmp_path


def ids(found: explain.Explanation) -> list[tuple[int, str]]:
    return [(each.contact.id, each.found_by) for each in found.contacts]


def test_all_who_may_be_meant_are_told_the_best_first(reports):
    found = explain.explain(reports, who("4711"))
    assert ids(found) == [(4711, "id"), (7, "crm_id")]
    same = JO.model_copy(update={"id": 9, "name": "Jo Doe"})
    initial = JO.model_copy(update={"id": 8, "name": "J. Doe"})
    company = JO.model_copy(update={"id": 3, "name": "Max New", "company": "Doe, Jo AG"})
    evidence.write(map(line, [company, JO, initial, same, ANN]), reports, 1)
    found = explain.explain(reports, who("Jo Doe"))
    assert ids(found) == [(9, "name"), (7, "name"), (8, "name"), (3, "company")]


def test_the_latest_run_with_evidence_is_asked_unless_one_is_named(reports):
    files.write(report(ANN, run=2), reports)
    files.write(report(run=10_000_000), reports)
    evidence.write(map(line, [ANN]), reports, 10_000_000)
    assert explain.explain(reports, who("Ann Lee")).run == 10_000_000
    assert explain.explain(reports, who("Jo Doe"), 1).run == 1
    with pytest.raises(UsageError, match=r"^No contact of run 10000000 is found by this\.$"):
        explain.explain(reports, who("Jo Doe"))


def test_a_run_without_evidence_says_that_it_knows_no_matched_contacts(reports):
    files.write(report(ANN, run=2), reports)
    found = explain.explain(reports, who("Ann Lee"), 2)
    assert (ids(found), found.complete) == ([(4711, "name")], False)
    with pytest.raises(UsageError, match="are not on record"):
        explain.explain(reports, who("Jo Doe"), 2)


@pytest.mark.parametrize("said", [True, None])
def test_a_masked_run_is_asked_by_ids_only(reports, said):
    """`None` is a report of a version that did not say whether it is masked."""
    files.write(report(mask.contact(ANN), masked=said), reports)
    evidence.write(map(line, [mask.contact(JO), mask.contact(ANN)]), reports, 1)
    found = explain.explain(reports, who("4711"))
    assert (ids(found), found.masked) == ([(4711, "id"), (7, "crm_id")], True)
    for typed in ("Jo Doe", "J. D.", "jo.doe@acme.example", "030 1234567", "567", "ACME"):
        with pytest.raises(UsageError, match="only by its Id or its CRM id"):
            explain.explain(reports, who(typed))


def test_a_contact_that_is_called_by_initials_is_no_mask(reports):
    initials = ANN.model_copy(update={"name": "A. L.", "numbers": ()})
    files.write(report(initials), reports)
    evidence.write(map(line, [initials]), reports, 1)
    assert explain.explain(reports, who("Ann Lee")).masked is False


def test_an_old_report_with_a_readable_name_is_no_mask(reports):
    files.write(report(ANN, masked=None), reports)
    assert explain.explain(reports, who("Ann Lee")).masked is False


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_next_step(verdict):
    step = explain.next_step(JO.model_copy(update={"verdict": verdict}), report())
    assert step.startswith(("nothing", "look", "reconcile plan"))
    assert "{" not in step


@pytest.mark.parametrize("outcome", Outcome)
def test_what_became_of_a_contact_goes_before_its_verdict(outcome):
    done = JO.model_copy(update={"verdict": Verdict.DELETE, "outcome": outcome})
    waiting = report(approve_until=b.NOW + timedelta(hours=1))
    step = explain.next_step(done, waiting)
    assert "apply" not in step
    assert "{" not in step
    assert (step == "to undo: reconcile restore --contact 7") == (outcome is Outcome.DELETED)


def test_a_due_contact_names_the_digest_while_it_can_be_approved():
    due = JO.model_copy(update={"verdict": Verdict.DELETE})
    step = explain.next_step(due, report(approve_until=b.NOW + timedelta(hours=1)))
    assert step.startswith("if this is right: reconcile apply 0123456789ab; to keep it: reconcile")
    assert explain.next_step(due, report()).startswith("reconcile plan, ")


def test_the_story_of_a_contact_is_told_over_the_nights(tmp_path):
    waiting = JO.model_copy(update={"verdict": Verdict.WAITING, "reason": "absent, in 1 export"})
    later = waiting.model_copy(update={"reason": "absent, in 2 exports"})
    gone = JO.model_copy(update={"verdict": Verdict.DELETE, "outcome": Outcome.DELETED})
    other = JO.model_copy(update={"name": "Eve Fox", "crm_id": "9", "verdict": Verdict.UNMANAGED})
    nights = [other, None, JO, JO, waiting, later, gone]
    for run, part in enumerate(nights, 1):
        trend = (TrendPart(run=run, finished_at=b.NOW, status=Status.CLEAN, **NO_COUNTS),)
        files.write(report(run=run, trend=trend), tmp_path)
        evidence.write(map(line, filter(None, (part, ANN))), tmp_path, run)
    files.write(report(run=8), tmp_path)  # without a plan, so without evidence
    (found,) = explain.explain(tmp_path, who("7")).contacts
    assert [(c.first, c.last, c.said, c.reason, c.name) for c in found.story] == [
        (1, 1, "unmanaged", JO.reason, "Eve Fox"),
        (2, 2, "", "", ""),
        (3, 4, "matched", JO.reason, JO.name),
        (5, 6, "waiting", "absent, in 2 exports", JO.name),
        (7, 7, "deleted", JO.reason, JO.name),
    ]
    assert [c.since for c in found.story] == [None, None, None, None, b.NOW]
    told = show.explained(explain.explain(tmp_path, who("7"))).splitlines()
    nights = told[told.index("  the nights:") + 1 :]
    assert nights == [
        f"    run 1: unmanaged (Eve Fox): {JO.reason}",
        "    run 2: not in 3CX",
        f"    runs 3 to 4: matched: {JO.reason}",
        "    runs 5 to 6: waiting: absent, in 2 exports",
        f"    run 7, 2026-11-24 02:30 UTC: deleted: {JO.reason}",
    ]
    (then,) = explain.explain(tmp_path, who("7"), 4).contacts
    assert [c.last for c in then.story] == [1, 2, 4]
    (always,) = explain.explain(tmp_path, who("4711 "), 1).contacts[:1]
    assert "the nights" not in show.explained(explain.explain(tmp_path, who("Ann Lee")))
    assert [c.said for c in always.story] == ["review"]


def test_the_story_is_left_out_where_many_are_meant(reports):
    evidence.write(map(line, [JO.model_copy(update={"id": i}) for i in range(1, 5)]), reports, 1)
    found = explain.explain(reports, who("Jo Maria Doe"))
    assert [each.story for each in found.contacts] == [()] * 4


def test_a_damaged_night_is_left_out_of_the_story(reports):
    evidence.path(reports, 1).write_bytes(b"\x1f\x8b")
    files.write(report(run=2), reports)
    evidence.write(map(line, [JO]), reports, 2)
    (found,) = explain.explain(reports, who("7")).contacts
    assert [(c.first, c.said) for c in found.story] == [(2, "matched")]
