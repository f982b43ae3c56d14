"""Whole runs against the simulated PBX: real HTTP, real SQLite, real files, told time."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from company import SECRET, hired

from reconcile.errors import ApprovalRefused, StateError
from reconcile.model import Exit, IfMatch, Outcome, Status, Verdict
from reconcile.report import told

# ------------------------------------------------------------------ the ordinary nights


def test_the_first_night_claims_everybody_and_deletes_nobody(company):
    company.export(without=[5])
    report = company.plan()
    assert (report.status, report.exit_code) == (Status.CLEAN, Exit.CONVERGED)
    assert report.counts.pbx == {
        "read": 100,
        "out_of_scope": 3,
        "matched": 95,
        "review": 0,
        "protected": 0,
        "unmanaged": 2,
        "waiting": 0,
        "delete": 0,
    }
    with company.ledger() as ledger:
        assert len(ledger.view(now=company.now).claims) == 95


def test_a_leaver_waits_out_the_grace_and_is_deleted_by_digest(company):
    company.export()
    company.plan()
    company.tomorrow()
    company.export(without=[5])
    second = company.plan()
    assert [c.id for c in second.contacts if c.verdict is Verdict.WAITING] == [5]
    company.tomorrow()
    company.export(without=[5], extra=[hired(1)])
    third = company.plan()
    assert (third.status, third.exit_code) == (Status.WAITING, Exit.WAITING)
    assert company.has(5)
    applied = company.apply(third.digest[:12])
    assert (applied.status, applied.exit_code) == (Status.APPLIED, Exit.CONVERGED)
    assert not company.has(5)
    (delete,) = [r for r in company.deletes() if r.path.endswith("Contacts(5)")]
    assert delete.if_match.startswith('W/"')
    assert company.plan().exit_code == Exit.CONVERGED


def test_mode_auto_applies_its_own_plan(company):
    company.settings["mode"] = "auto"
    company.until_due(5, 6)
    report = company.run()
    assert report.status is Status.APPLIED
    assert not company.has(5)
    assert not company.has(6)
    assert {c.outcome for c in report.contacts if c.id in {5, 6}} == {Outcome.DELETED}


def test_mode_review_and_dry_run_never_delete(company):
    company.until_due(5)
    assert company.run().exit_code == Exit.WAITING
    company.settings["mode"] = "auto"
    company.tomorrow()
    company.export(without=[5], extra=[hired(2)])
    assert company.run(dry_run=True).exit_code == Exit.WAITING
    assert company.methods() == {"GET"}
    assert company.has(5)


def test_a_dry_run_sends_nothing_but_gets_and_the_token_request(company):
    company.until_due(5)
    company.plan()
    posts = {r.path for r in company.server.requests if r.method != "GET"}
    assert posts == {"/connect/token"}


def test_the_same_export_again_is_no_new_evidence(company):
    company.export()
    company.plan()
    company.tomorrow()
    company.export(without=[5])
    company.plan()
    company.tomorrow()
    company.export(without=[5])
    report = company.plan()
    assert report.exit_code == Exit.CONVERGED
    assert "export_repeated" in {f.code for f in report.findings}
    (waiting,) = [c for c in report.contacts if c.id == 5]
    assert (waiting.verdict, waiting.absent_exports) == (Verdict.WAITING, 1)


def test_somebody_who_comes_back_is_claimed_again(company):
    company.until_due(5)
    company.export(extra=[hired(1)])
    assert company.plan().exit_code == Exit.CONVERGED
    with company.ledger() as ledger:
        assert ledger.view(now=company.now).claims[5].absent_exports == 0


def test_a_contact_typed_by_hand_is_never_touched(company):
    by_hand = company.book.add({"FirstName": "By", "LastName": "Hand", "PhoneNumber": "030 999888"})
    company.settings["mode"] = "auto"
    company.until_due(5)
    company.run()
    company.tomorrow()
    company.export(extra=[hired(3)], without=[5])
    report = company.run()
    assert company.has(by_hand)
    (found,) = [c for c in report.contacts if c.id == by_hand]
    assert found.verdict is Verdict.UNMANAGED


def test_without_grace_only_the_digest_deletes(company):
    company.settings["mode"] = "auto"
    company.export()
    company.plan()
    company.tomorrow()
    company.export(without=[5])
    report = company.plan(immediate=True)
    assert report.exit_code == Exit.APPROVAL
    assert company.apply(report.digest).status is Status.APPLIED
    assert not company.has(5)


def test_what_is_not_recorded_leaves_no_trace(company):
    company.export()
    report = company.plan(record=False)
    assert report.run.id is None
    assert not (company.folder / "reports" / "latest").exists()
    with company.ledger() as ledger:
        assert ledger.runs() == []
        assert ledger.view(now=company.now).claims == {}


def test_an_old_export_fed_by_hand_makes_claims_and_no_absence(company):
    old = company.export(age_hours=24 * 30, name="last-month.csv")
    report = company.plan(export=str(old))
    assert report.exit_code == Exit.CONVERGED
    assert "export_history" in {f.code for f in report.findings}
    old.unlink()
    company.export(without=[5])
    report = company.plan()
    (leaver,) = [c for c in report.contacts if c.id == 5]
    assert (leaver.verdict, leaver.absent_exports) == (Verdict.WAITING, 1)


def test_matched_contacts_are_reported_if_asked(company):
    company.export()
    assert len(company.plan(with_matched=True).contacts) == 100


def test_an_owner_tag_needs_no_earlier_match(company):
    company.settings["policy.owner_tag"] = company.book.get(5)["Tag"]
    company.export(without=[5])
    report = company.plan()
    (found,) = [c for c in report.contacts if c.id == 5]
    assert found.verdict is Verdict.WAITING


# ------------------------------------------------------------------ edits


def test_an_edit_between_plan_and_apply_keeps_the_contact(company):
    company.until_due(5, 6)
    report = company.plan()
    company.book.edit(5, {"Title": "Is back"})
    applied = company.apply(report.digest)
    assert (applied.status, applied.exit_code) == (Status.PARTIAL, Exit.PARTIAL)
    assert {c.id: c.outcome for c in applied.contacts if c.outcome} == {
        5: Outcome.CHANGED,
        6: Outcome.DELETED,
    }
    assert company.has(5)
    company.tomorrow()
    company.export(without=[5, 6], extra=[hired(2)])
    (again,) = [c for c in company.plan().contacts if c.id == 5]
    assert (again.verdict, again.absent_exports) == (Verdict.WAITING, 1)


def test_an_edit_between_re_read_and_delete_is_stopped_by_the_etag(company):
    company.until_due(5)
    report = company.plan()
    company.server.hook(
        lambda: company.book.edit(5, {"Title": "Is back"}),
        method="DELETE",
        path_prefix="/xapi/v1/Contacts(5)",
    )
    applied = company.apply(report.digest)
    assert applied.exit_code == Exit.PARTIAL
    assert company.has(5)


def test_a_contact_that_is_gone_or_back_before_the_apply_is_no_failure(company):
    company.until_due(5, 6)
    report = company.plan()
    company.book.remove(5)
    company.export(without=[5], extra=[hired(1)])
    applied = company.apply(report.digest)
    assert applied.exit_code == Exit.CONVERGED
    assert company.has(6)
    assert "1 already gone, 1 not attempted" in applied.headline


# ------------------------------------------------------------------ approval


def test_a_digest_is_good_once(company):
    company.until_due(5)
    digest = company.plan().digest
    company.apply(digest)
    assert not company.has(5)
    with pytest.raises(ApprovalRefused, match="already applied"):
        company.apply(digest)


@pytest.mark.parametrize(("hours", "refused"), [(24, False), (24.1, True)])
def test_a_digest_is_good_for_24_hours(company, hours, refused):
    company.until_due(5)
    company.settings["crm.max_age_hours"] = 48
    digest = company.plan().digest
    company.now += timedelta(hours=hours)
    if refused:
        with pytest.raises(ApprovalRefused, match="not of the last 24 hours"):
            company.apply(digest)
    else:
        assert company.apply(digest).status is Status.APPLIED


def test_a_newer_plan_overtakes_an_older_one(company):
    company.until_due(5)
    first = company.plan().digest
    company.tomorrow()
    company.export(without=[5, 6], extra=[hired(2)])
    company.plan()
    company.now -= timedelta(hours=12)
    with pytest.raises(ApprovalRefused, match="overtaken"):
        company.apply(first)
    assert company.has(5)


@pytest.mark.parametrize("digest", ["abc", "0" * 12])
def test_a_digest_that_is_too_short_or_unknown_is_refused(company, digest):
    with pytest.raises(ApprovalRefused):
        company.apply(digest)


def test_another_configuration_makes_a_plan_outdated(company):
    company.until_due(5)
    digest = company.plan().digest
    company.settings["crm.region"] = "FR"
    report = company.apply(digest)
    assert report.exit_code == Exit.APPROVAL
    assert report.findings[0].code == "plan_outdated"
    assert company.has(5)


def test_a_doubtful_new_export_makes_a_plan_outdated(company):
    company.until_due(5)
    digest = company.plan().digest
    company.now += timedelta(hours=2)
    company.export(without=[5, *range(40, 70)])
    report = company.apply(digest)
    assert report.exit_code == Exit.APPROVAL
    assert company.has(5)


def test_a_new_leaver_is_not_covered_by_an_older_approval(company):
    company.until_due(5)
    company.settings["policy.grace_exports"] = 1
    company.settings["policy.grace_hours"] = 0.0
    digest = company.plan().digest
    company.now += timedelta(hours=2)
    company.export(without=[5, 6], extra=[hired(1)])
    report = company.apply(digest)
    assert report.status is Status.APPLIED
    assert not company.has(5)
    assert company.has(6)


# ------------------------------------------------------------------ the guards, end to end


def test_an_apply_that_was_stopped_before_its_first_delete_can_be_approved_again(company):
    company.until_due(5)
    first = company.plan().digest
    company.server.fail(method="DELETE", status=403)
    assert company.apply(first).exit_code == Exit.PBX
    again = company.plan()
    assert again.digest == first
    assert company.apply(first).status is Status.APPLIED
    assert not company.has(5)


def test_a_shrunk_export_asks_and_does_not_count_until_approved(company):
    company.export()
    company.plan()
    for _ in range(3):
        company.tomorrow()
        company.export(without=range(50, 100), extra=[hired(company.now.day)])
        report = company.plan()
        assert report.exit_code == Exit.APPROVAL
        assert {"export_shrank", "matched_share"} <= {f.code for f in report.findings}
    with company.ledger() as ledger:
        assert all(c.absent_exports == 0 for c in ledger.view(now=company.now).claims.values())
    applied = company.apply(report.digest)
    assert applied.exit_code == Exit.CONVERGED
    with company.ledger() as ledger:
        claims = ledger.view(now=company.now).claims
    absent = {c.id for c in applied.contacts if c.verdict is Verdict.WAITING}
    assert {i for i, claim in claims.items() if claim.absent_exports == 1} == absent
    assert len(absent) > 40
    assert len(company.book.all()) == 100


def test_many_deletes_ask_in_auto_too(company):
    company.settings["mode"] = "auto"
    company.settings["policy.max_deletes"] = 2
    company.until_due(5, 6, 7)
    report = company.run()
    assert report.exit_code == Exit.APPROVAL
    assert company.methods() == {"GET"}
    assert company.apply(report.digest).status is Status.APPLIED


def test_an_export_older_than_the_last_is_refused(company):
    company.export()
    company.plan()
    company.tomorrow()
    older = company.export(without=[5], age_hours=25.5)
    for other in older.parent.iterdir():
        if other != older:
            other.unlink()
    report = company.plan()
    assert report.exit_code == Exit.EXPORT
    assert report.findings[0].code == "export_older"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "export_empty"),
        (b"Record ID,First Name,Last Name,Phone Number\r\n", "export_empty"),
        (b"Record ID,First Name,Phone Number\r\n1,Jo,030 1234567\r\n2,An", "export_truncated"),
        (b"Record ID,First Name,Ph0ne\r\n1,Jo,030 1234567\r\n", "header_unknown"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "export_wrong_format"),
    ],
)
def test_an_export_that_can_not_be_believed_stops_everything(company, raw, code):
    company.until_due(5)
    company.settings["mode"] = "auto"
    path = company.export(raw=raw)
    report = company.run()
    assert (report.status, report.exit_code) == (Status.BLOCKED, Exit.EXPORT)
    assert code in {f.code for f in report.findings}
    assert path.name in report.findings[0].observed
    assert report.findings[0].hint
    assert company.methods() == {"GET"}
    assert len(company.book.all()) == 100


def test_what_is_proved_of_the_pbx_is_told_without_an_export_too(company):
    company.until_due(5)
    company.settings["mode"] = "auto"
    proved = company.run().pbx
    company.export(raw=b"")
    report = company.run()
    assert (report.status, proved.if_match) == (Status.BLOCKED, IfMatch.ENFORCED)
    assert (report.pbx.if_match, report.pbx.probe) == (proved.if_match, proved.probe)
    assert "Nothing is proved" not in told.probed(report.pbx)


def test_both_sides_are_read_even_if_the_first_is_wrong(company):
    company.export(raw=b"")
    company.server.fail(path_prefix="/xapi/v1/Contacts", status=403, times=50)
    report = company.plan()
    assert {f.exit_code for f in report.findings if hasattr(f, "exit_code")} == set()
    assert {"export_empty", "pbx_refused"} <= {f.code for f in report.findings}
    assert report.exit_code == Exit.EXPORT


def test_an_empty_listing_is_not_believed(company):
    company.until_due(5)
    for contact in company.book.all():
        company.book.remove(contact["Id"])
    report = company.plan()
    assert report.exit_code == Exit.PBX
    assert report.findings[0].code == "pbx_empty"
    with company.ledger() as ledger:
        assert len(ledger.view(now=company.now).claims) == 96


def test_a_pbx_that_can_not_be_reached_is_exit_6(company):
    company.export()
    company.server.stop()
    report = company.plan()
    assert report.exit_code == Exit.PBX
    assert report.findings[0].code == "pbx_unreachable"


def test_the_state_of_another_pbx_is_refused(company):
    company.export()
    company.plan()
    company.settings["pbx.url"] = "http://127.0.0.1:1"
    with pytest.raises(StateError) as caught:
        company.plan()
    assert caught.value.hint


# ------------------------------------------------------------------ the delete guard


def test_a_pbx_that_ignores_if_match_is_found_out_on_a_contact_of_our_own(company):
    company.server.switches = type(company.server.switches)(if_match="ignored")
    company.until_due(5)
    report = company.apply(company.plan().digest)
    assert (report.status, report.exit_code) == (Status.BLOCKED, Exit.PBX)
    assert report.findings[0].code == "delete_guard_unavailable"
    assert report.pbx.if_match == "ignored"
    assert len(company.book.all()) == 100


def test_a_pbx_without_etags_is_blocked_until_compare_is_chosen(company):
    company.server.switches = type(company.server.switches)(etags="none")
    company.until_due(5)
    report = company.plan()
    assert report.exit_code == Exit.PBX
    company.settings["pbx.delete_guard"] = "compare"
    report = company.apply(company.plan().digest)
    assert report.status is Status.APPLIED
    (delete,) = company.deletes()
    assert delete.if_match is None
    (done,) = [c for c in report.contacts if c.outcome]
    assert done.guard == "compare"


def test_the_proof_is_made_once_per_pbx_and_version(company):
    company.settings["mode"] = "auto"
    company.until_due(5)
    company.run()
    made = len([r for r in company.server.requests if r.method == "POST" and "Contacts" in r.path])
    assert made == 2
    company.tomorrow()
    company.export(without=[5, 6], extra=[hired(2)])
    company.run()
    company.tomorrow()
    company.export(without=[5, 6], extra=[hired(3)])
    assert company.run().status is Status.APPLIED
    again = [r for r in company.server.requests if r.method == "POST" and "Contacts" in r.path]
    assert len(again) == made


# ------------------------------------------------------------------ stopping


def test_a_signal_before_the_deletes_deletes_nothing(company):
    company.until_due(5)
    company.stop = Exit.TERMINATED
    report = company.plan()
    assert (report.status, report.exit_code) == (Status.INTERRUPTED, Exit.TERMINATED)


def test_a_signal_between_two_deletes_finishes_the_one_in_hand(company):
    company.until_due(5, 6)
    digest = company.plan().digest

    def signal():
        company.stop = Exit.INTERRUPTED

    company.server.hook(signal, method="DELETE", path_prefix="/xapi/v1/Contacts(5)")
    report = company.apply(digest)
    assert report.exit_code == Exit.INTERRUPTED
    assert {c.id: c.outcome for c in report.contacts if c.outcome} == {
        5: Outcome.DELETED,
        6: Outcome.NOT_ATTEMPTED,
    }
    company.stop = None
    with company.ledger() as ledger:
        assert ledger.view(now=company.now).unresolved == ()
    company.apply(company.plan().digest)
    assert not company.has(6)


# ------------------------------------------------------------------ the report on disk


def test_every_run_leaves_its_report_and_history(company):
    company.until_due(5)
    report = company.plan()
    path = company.folder / "reports" / f"run-{report.run.id:06d}" / "report.json"
    assert json.loads(path.read_text())["digest"] == report.digest
    assert (company.folder / "reports" / "latest" / "report.json").read_text() == path.read_text()
    assert report.previous.changes[0].now == "delete"
    with company.ledger() as ledger:
        (newest, *_) = ledger.runs()
    assert (newest.id, newest.digest, newest.exit_code) == (report.run.id, report.digest, 10)


def test_no_secret_is_anywhere_on_disk(company):
    company.until_due(5)
    company.apply(company.plan().digest)
    for path in company.folder.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
