"""What people are told, as it arrives: by mail and at a webhook."""

from __future__ import annotations

from datetime import timedelta

import pytest
from company import hired
from hostile import texts
from reported import result

from reconcile import notify
from reconcile.errors import ConfigError, Problem
from reconcile.model import Exit, Level, Status, Verdict
from reconcile.notify import message, news
from reconcile.report.build import build
from reconcile.report.model import FindingPart


def person(company, contact_id):
    return company.book.get(contact_id)


def test_a_night_that_deletes_says_whom_why_and_how_to_undo_it(company, hook, mailbox):
    company.settings["mode"] = "auto"
    company.tell(hook.url, mailbox.url)
    leaver = person(company, 5)
    company.until_due(5)
    assert company.night() is Exit.CONVERGED
    assert hook.titles == ["contacts were deleted"]
    assert hook.last["type"] == "success"
    for text in (hook.last["message"], mailbox.text("plain")):
        lines = text.splitlines()
        assert lines[0] == "1 of 100 phone-system contacts was deleted."
        (told,) = [line for line in lines if line.startswith("- ")]
        assert told.startswith(f"- {leaver['FirstName']} {leaver['LastName']}, ")
        assert leaver["CompanyName"] in told
        assert leaver["PhoneNumber"] in told
        assert ": deleted (" in told
        assert "To undo: reconcile restore --run 3" in lines
    (mail,) = mailbox.got
    assert mail["To"] == "it@example.com"
    assert mail["Subject"] == "reconcile, 127.0.0.1: contacts were deleted"


def test_a_night_with_nothing_to_do_and_a_plan_by_hand_are_told_to_nobody(company, hook):
    company.tell(hook.url)
    company.export()
    assert company.night() is Exit.CONVERGED
    company.until_due(5)
    assert company.plan().exit_code is Exit.WAITING
    assert hook.got == []


def test_deletes_that_wait_are_told_once_then_again_if_somebody_is_new(company, hook):
    company.tell(hook.url, digest="")
    company.until_due(5)
    assert company.night() is Exit.WAITING
    assert hook.titles == ["deletes wait for a person"]
    digest = company.plan().digest[:12]
    assert f"Next: if this is right, reconcile apply {digest} (until " in hook.last["message"]
    assert hook.last["type"] == "info"

    company.tomorrow()
    company.export(without=[5, 6], extra=[hired(2)])
    assert company.night() is Exit.WAITING  # 6 is absent for the first time
    assert len(hook.got) == 1
    company.tomorrow()
    company.export(without=[5, 6], extra=[hired(3)])
    assert company.night() is Exit.WAITING
    assert len(hook.got) == 2
    assert "To delete (2):" in hook.last["message"]


def test_what_nobody_reacts_to_is_told_again_after_three_days(company, hook):
    company.tell(hook.url, digest="")
    company.until_due(5)
    told = []
    for night in range(8):
        company.export(without=[5], extra=[hired(night)])
        assert company.night() is Exit.WAITING
        told.append(len(hook.got))
        company.tomorrow()
    assert told == [1, 1, 1, 2, 2, 2, 3, 3]


def test_what_was_well_in_between_is_news(company, hook):
    company.tell(hook.url, digest="")
    company.settings |= {"policy.grace_exports": 1, "policy.grace_hours": 0}
    company.export()
    company.plan()
    company.tomorrow()
    company.export(without=[5])
    assert company.night() is Exit.WAITING
    company.tomorrow()
    company.export(extra=[hired(1)])
    assert company.night() is Exit.CONVERGED
    company.tomorrow()
    company.export(without=[5], extra=[hired(2)])
    assert company.night() is Exit.WAITING
    assert hook.titles == ["deletes wait for a person"] * 2


def test_what_could_not_be_told_is_told_the_next_night(company, hook, capsys):
    company.tell(hook.url, digest="")
    hook.status = 500
    company.until_due(5)
    assert company.night() is Exit.WAITING
    hook.status = 200
    company.tomorrow()
    company.export(without=[5], extra=[hired(2)])
    assert company.night() is Exit.WAITING
    company.tomorrow()
    company.export(without=[5], extra=[hired(3)])
    assert company.night() is Exit.WAITING
    assert len(hook.got) == 2
    assert capsys.readouterr().err.count("did not take the message") == 1


def test_a_note_that_can_not_be_read_silences_nobody(company, report):
    reports, later = company.folder / "reports", company.now + timedelta(hours=1)
    assert news.is_news(report, reports, now=later)
    news.remember(report, reports, now=company.now)
    assert not news.is_news(report, reports, now=later)
    assert news.is_news(report, reports, now=company.now - timedelta(hours=1))  # a clock set back
    (path,) = reports.glob("run-*/told.json")
    assert path.stat().st_mode & 0o777 == 0o600
    good = path.read_bytes()
    for note in (b"", b"{}", b"[]", b'{"at": 7}', b'{"at": "soon"}', b'{"at": "2026-11-25"}'):
        path.write_bytes(note)
        assert news.is_news(report, reports, now=later), note
    path.write_bytes(good)
    path.with_name("report.json").unlink()
    assert news.is_news(report, reports, now=later)


def test_a_plan_that_asks_for_approval_names_the_finding(company, hook):
    company.tell(hook.url)
    company.settings["policy.max_deletes"] = 0
    company.until_due(5)
    assert company.night() is Exit.APPROVAL
    assert hook.titles == ["a plan asks for approval"]
    assert hook.last["type"] == "warning"
    assert "\n- Asks a person: too" in hook.last["message"].replace("\uff3f", "_")


def test_a_run_that_was_stopped_names_what_stands_against_it(company, hook):
    company.tell(hook.url)
    company.export(raw=b"")
    assert company.night() is Exit.EXPORT
    assert hook.titles == ["a run was stopped"]
    assert hook.last["type"] == "failure"
    assert "\n- Stops it: export_empty: " in hook.last["message"]
    assert "\nNext: " in hook.last["message"]
    company.tomorrow()
    company.export(raw=b"")
    company.night()
    assert len(hook.got) == 1  # the same


def test_a_plan_that_was_partly_applied_is_told_every_time(company, hook):
    company.settings |= {"mode": "auto", "pbx.delete_guard": "compare"}
    company.tell(hook.url)
    company.until_due(5)
    company.server.fail(method="DELETE", path_prefix="/xapi/v1/Contacts", status=403, times=9)
    assert company.night() is Exit.PBX
    assert hook.titles == ["a plan was only partly applied"]
    assert "refused" in hook.last["message"]
    company.tomorrow()
    company.export(without=[5], extra=[hired(2)])
    assert company.night() is Exit.PBX
    assert len(hook.got) == 2


def test_a_run_that_was_interrupted_is_told(company, hook):
    company.tell(hook.url)
    company.export()
    company.stop = Exit.TERMINATED
    assert company.night() is Exit.TERMINATED
    assert hook.titles == ["a run was interrupted"]


def test_a_night_that_could_not_be_is_told_with_the_mend(company, hook):
    company.tell(hook.url)
    (company.folder / "state" / "reconcile.db").unlink()
    assert company.night() is Exit.STATE
    assert hook.titles == ["a run could not be made"]
    assert "does not exist" in hook.last["message"]
    assert "test_a_night_that_could_not_be0/state/" in hook.last["message"]
    assert "\nNothing is deleted while that is so.\n" in hook.last["message"]
    assert "Next: reconcile db upgrade" in hook.last["message"]


def test_a_bug_is_told_by_its_kind_and_goes_on(company, hook):
    company.tell(hook.url)
    with pytest.raises(KeyError), notify.watched(company.config, company.world()):
        raise KeyError("Jo Doe")
    assert hook.titles == ["a run could not be made"]
    assert "A bug stopped it (KeyError)" in hook.last["message"]
    assert "Jo Doe" not in hook.last["message"]


def test_ctrl_c_is_no_message(company, hook):
    company.tell(hook.url)
    with pytest.raises(KeyboardInterrupt), notify.watched(company.config, company.world()):
        raise KeyboardInterrupt
    assert hook.got == []


def test_a_masked_report_makes_a_masked_message(company, hook):
    company.settings |= {"mode": "auto", "report.mask": True}
    company.tell(hook.url)
    leaver = person(company, 5)
    company.until_due(5)
    company.night()
    for text in (leaver["LastName"], leaver["CompanyName"], leaver["PhoneNumber"]):
        assert text not in hook.last["message"]
    assert f"- {leaver['FirstName'][0]}. {leaver['LastName'][0]}." in hook.last["message"]


# ---------------------------------------------------------------------------- texts


@pytest.fixture
def report(company):
    """One with a delete."""
    company.until_due(5)
    return company.plan()


def called(report, text, count=1):
    """The report with so many deletes of people who are called like this."""
    (part,) = [c for c in report.contacts if c.verdict is Verdict.DELETE]
    other = {"name": text, "company": text, "numbers": (text,), "reason": text}
    parts = tuple(part.model_copy(update=other | {"id": n}) for n in range(count))
    return report.model_copy(update={"contacts": parts})


def test_a_long_list_is_cut_and_says_how_many_more(report):
    told = message.of_report(
        called(report, "Jo Doe of a rather long family name", 500), "https://x"
    )
    assert len(told.body) <= message.LONGEST
    shown = told.body.count("\n- ")
    assert shown > 3
    assert f"\n… and {500 - shown} more\n" in told.body
    assert "To delete (500):" in told.body
    assert "Next: if this is right, reconcile apply " in told.body


ACTING = "@<>[]`*|~#\\"


def test_a_name_is_no_markup_no_mention_and_no_link(report):
    for text in (*texts.LITERAL, *texts.SURROGATES, "<!channel> <@U1> @everyone", "_a_ __b__ _"):
        told = message.of_report(called(report, text), "https://x")
        lines = [line for line in told.body.splitlines() if line.startswith("- ")]
        assert len(lines) == 1, text
        assert not set(ACTING) & set(lines[0]), text
        assert "://" not in lines[0], text
        assert texts.acts(told.body) == [], text
        assert len(told.body) <= message.LONGEST, text


def test_many_findings_are_cut_and_counted(report):
    finding = FindingPart(
        code="x", level=Level.BLOCK, observed="y", limit="z", message="Why.", hint="reconcile plan"
    )
    many = report.model_copy(update={"status": Status.BLOCKED, "findings": (finding,) * 5})
    told = message.of_report(many, "https://x")
    assert told.body.count("\n- Stops it: x: y (limit z). Why.") == 3
    assert "\n… and 2 more findings\n" in told.body
    assert "Next: reconcile plan" in told.body


def test_underscores_stay_where_they_emphasise_nothing():
    assert message.theirs("/srv/a_b__c") == "/srv/a_b__c"
    assert "_" not in message.theirs("_a_ b_ (_c")


def test_an_error_is_as_inert_and_its_command_can_be_copied():
    problem = Problem(code="x", message="<!channel> *a*")
    error = ConfigError("@here", problems=[problem] * 9, hint="pip install 'reconcile-3cx[x]' @a")
    told = message.of_error(error, "https://pbx.example.com:5001")
    assert told.title == "reconcile, pbx.example.com: a run could not be made"
    assert "@" not in told.body
    assert "<" not in told.body
    assert "*" not in told.body
    assert told.body.count("channel") == 3
    assert "Next: pip install 'reconcile-3cx[x]'" in told.body


def test_a_mail_shows_a_name_as_text(company, mailbox):
    company.tell(mailbox.url + "&format=html")
    company.until_due(5)
    report = called(company.plan(), "&lt;b&gt;<script>alert(1)</script>")
    notify.tell(company.config, company.world(), report)
    html = mailbox.text("html")
    assert "<script" not in html
    assert "&amp;lt;b" in html


def test_a_finding_without_a_value_is_told_as_a_sentence():
    finding = FindingPart(
        code="export_missing", level=Level.BLOCK, observed="", limit="", message="None.", hint=""
    )
    report = build(result(), previous=None, masked=False)
    stopped = report.model_copy(update={"status": Status.BLOCKED, "findings": (finding,)})
    lines = message.of_report(stopped, "https://pbx.example.com").body.splitlines()
    assert "- Stops it: export_missing: None." in lines
