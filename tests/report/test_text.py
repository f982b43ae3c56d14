"""The report as a person reads it in a terminal."""

from __future__ import annotations

import io

import builders as b
import pytest

from reconcile.model import (
    Acceptance,
    DeleteGuard,
    EtagKind,
    Exit,
    IfMatch,
    Level,
    Outcome,
    Status,
    Verdict,
)
from reconcile.report import text, told
from reconcile.report.model import (
    ChangePart,
    ContactPart,
    CountsPart,
    FindingPart,
    GuardPart,
    MissingPart,
    PbxPart,
    PreviousPart,
    ProbePart,
    Report,
    RunPart,
    SourcePart,
)


def contact(contact_id=7, verdict=Verdict.DELETE, **changes) -> ContactPart:
    values = {
        "id": contact_id,
        "verdict": verdict,
        "reason": "absent since long",
        "name": "Jo Doe",
        "company": "ACME",
        "numbers": ("030 1234567", "0151 1"),
    }
    return ContactPart(**{**values, **changes})


def report(status=Status.WAITING, **changes) -> Report:
    values = {
        "run": RunPart(
            id=3,
            command="plan",
            mode="review",
            started_at=b.NOW,
            finished_at=b.NOW,
            version="0",
        ),
        "status": status,
        "exit_code": Exit.WAITING,
        "digest": "0123456789abcdef" * 4,
        "approve_until": b.NOW,
        "headline": "1 of 3 would be deleted.",
        "source": SourcePart(
            name="c.csv",
            format="csv",
            encoding="utf-8",
            sha256="a" * 64,
            size=1,
            rows=3,
            records=3,
            rejected=0,
            gone=0,
            generated_at=b.NOW,
            columns=(),
        ),
        "pbx": PbxPart(
            url="https://pbx.example.com",
            version="20.0.9",
            contacts=3,
            delete_guard=DeleteGuard.COMPARE,
            etags=EtagKind.NONE,
            if_match=IfMatch.UNPROVEN,
        ),
        "counts": CountsPart(pbx={"read": 3, "matched": 3}, crm={"read": 2, "matched": 2}),
        "findings": (),
        "contacts": (contact(),),
    }
    return Report(**{**values, **changes})


def rendered(found: Report, **options) -> str:
    out = io.StringIO()
    text.render(found, out, **options)
    return out.getvalue()


def test_headline_first_and_next_command_last():
    lines = rendered(report()).splitlines()
    assert lines[0] == "1 of 3 would be deleted."
    assert lines[-1] == (
        "Next: if this is right, reconcile apply 0123456789ab (until 2026-11-24 02:30 UTC)"
    )


def test_the_page_is_named_before_the_next_command_and_on_one_line():
    page = f"{'reports/' * 20}run-000003/report.html"
    lines = rendered(report(), page=page).splitlines()
    assert lines[-2] == f"To read, print and sign: {page}"
    assert lines[-1].startswith("Next: ")
    assert "To read, print" not in rendered(report())


def test_it_names_the_inputs_the_arithmetic_and_why():
    out = rendered(report())
    assert "export c.csv: 3 records" in out
    assert "3CX: 3 read = 3 matched" in out
    assert "Jo Doe, ACME" in out
    assert "absent since long" in out


def test_what_the_delete_guard_rests_on_is_said():
    assert "Nothing is proved yet about the ETags" in rendered(report())
    probe = ProbePart(
        probed_at=b.NOW,
        etags_in="list, entity",
        right_etag=Acceptance.ACCEPTED,
        without_etag=Acceptance.ACCEPTED,
        paging="skip",
        page_cap=100,
        missing="404, empty",
        detail="An old ETag was refused with 412, the right one accepted.",
    )
    found = report()
    proved = found.model_copy(update={"pbx": found.pbx.model_copy(update={"probe": probe})})
    out = " ".join(rendered(proved).split())
    assert f"probed {b.NOW:%Y-%m-%d %H:%M} UTC: An old ETag was refused with 412" in out


def test_compare_is_said_in_words():
    assert "can't close it" in rendered(report())


def test_findings_show_their_value_and_limit():
    found = FindingPart(
        code="export_shrank",
        level=Level.APPROVE,
        observed="30 fewer",
        limit="2 %",
        message="Many fewer.",
        hint="",
    )
    assert "APPROVE export_shrank: 30 fewer (limit 2 %). Many fewer." in rendered(
        report(findings=(found,))
    )


def test_long_lists_are_cut_unless_asked():
    many = tuple(contact(i, reason=f"because {i}") for i in range(1, 31))
    short, full = rendered(report(contacts=many)), rendered(report(contacts=many), full=True)
    assert "… and 22 more" in short
    assert "Every guard and every list: reconcile report 3 --full" in short
    assert "because 30" not in short
    assert "because 30" in full
    assert "--full" not in full


def test_a_summary_fits_a_screen_and_counts_what_it_leaves_out():
    waiting = tuple(contact(i, Verdict.WAITING) for i in range(100, 200))
    many = (*(contact(i) for i in range(1, 31)), *waiting)
    finding = FindingPart(
        code="x", level=Level.APPROVE, observed="30", limit="2 %", message="Many.", hint=""
    )
    previous = PreviousPart(
        run=2, finished_at=b.NOW, changes=(ChangePart(id=1, before="", now="delete"),)
    )
    missing = (MissingPart(crm_id="1", row=2, name="", company=""),)
    found = report(contacts=many, findings=(finding,) * 3, previous=previous, missing=missing)
    short = rendered(found)
    assert len(short.splitlines()) <= 40
    assert "Absent, waiting out the grace (100)" not in short
    assert "Absent, waiting out the grace (100)" in rendered(found, full=True)
    assert "Also: CRM records with a number that 3CX lacks: 1; verdicts that changed: 1." in short


def test_a_plan_without_record_is_made_again_to_see_all():
    run = report().run.model_copy(update={"id": None})
    assert "Every guard and every list: the same command with --full" in rendered(report(run=run))


def test_every_guard_with_its_value_and_limit_is_in_the_full_report():
    guards = (
        GuardPart(code="too_many_deletes", observed="2 deletes", limit="20", level=None),
        GuardPart(code="vetoes", observed="3", limit="1 that is new", level=Level.APPROVE),
        GuardPart(code="of_a_later_version", observed="7", limit="", level=Level.INFO),
    )
    out = rendered(report(guards=guards), full=True)
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert "Deletes at once 2 deletes 20 fine" in rows
    assert "Absent, and still in the export's text 3 1 that is new asks a person" in rows
    assert "of a later version 7 to know" in rows
    assert "Deletes at once" not in rendered(report(guards=guards))


def test_an_applied_contact_shows_outcome_and_guard():
    done = contact(outcome=Outcome.CHANGED, outcome_detail="412", guard=DeleteGuard.ETAG)
    out = rendered(report(Status.PARTIAL, contacts=(done,)))
    assert "changed (412; guard etag)" in out


@pytest.mark.parametrize(
    ("status", "changes", "expected"),
    [
        (Status.CLEAN, {"contacts": ()}, "Nothing to do."),
        (Status.WAITING, {"approve_until": None}, "This plan was not recorded"),
        (Status.BLOCKED, {}, "Next: reconcile doctor"),
        (
            Status.BLOCKED,
            {
                "findings": (
                    FindingPart(
                        code="x", level=Level.BLOCK, observed="", limit="", message="", hint="do it"
                    ),
                )
            },
            "Next: do it",
        ),
        (
            Status.APPLIED,
            {"contacts": (contact(outcome=Outcome.DELETED),)},
            "To undo: reconcile restore --run 3",
        ),
        (Status.PARTIAL, {}, "Next: reconcile plan"),
        (Status.INTERRUPTED, {}, "Next: reconcile plan"),
    ],
)
def test_the_next_step_of_each_status(status, changes, expected):
    assert told.next_step(report(status, **changes)).startswith(expected)


def test_hostile_names_are_inert():
    evil = contact(name="\x1b[31mRed\x1b[0m [bold]x[/bold] \u202eevil", company="a\nb")
    out = rendered(report(contacts=(evil,)))
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[bold]" in out
    assert "\\u001b" in out


def test_sides_that_were_not_compared_have_no_sum_and_a_finding_may_have_no_value():
    found = FindingPart(
        code="pbx_refused", level=Level.BLOCK, observed="", limit="", message="No.", hint=""
    )
    nothing = CountsPart(pbx={"read": 0, "matched": 0}, crm={"read": 0})
    out = rendered(report(Status.BLOCKED, findings=(found,), counts=nothing, contacts=()))
    assert "3CX: not compared\nCRM: not compared\n" in out
    assert "BLOCK pbx_refused: No.\n" in out
