"""What seldom happens around an apply."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest
from company import hired

from reconcile import ownership, restoring
from reconcile.config import Protect
from reconcile.errors import ApprovalRefused, ReconcileError, StateError
from reconcile.model import DeleteGuard, Exit, Outcome, Status, Verdict
from reconcile.run import prove_guard
from reconcile.session import opened

LISTING = "/xapi/v1/Contacts?"


def outcomes(report):
    return {c.id: c.outcome for c in report.contacts if c.outcome}


@pytest.fixture
def two_due(company):
    """Contacts 5 and 6 are due; gives the company and the digest."""
    company.until_due(5, 6)
    return company, company.plan().digest


def test_a_probe_that_is_refused_stops_before_any_delete(two_due):
    company, digest = two_due
    company.server.fail(method="POST", path_prefix="/xapi/v1/Contacts", status=403)
    report = company.apply(digest)
    assert (report.status, report.exit_code) == (Status.BLOCKED, Exit.PBX)
    assert report.findings[0].code == "delete_guard_unproven"
    assert "403" in report.findings[0].observed
    assert len(company.book.all()) == 100


def test_a_success_without_effect_is_found_by_the_listing(two_due):
    company, digest = two_due
    company.server.fail(method="DELETE", path_prefix="/xapi/v1/Contacts(6)", status=204)
    report = company.apply(digest)
    assert outcomes(report) == {5: Outcome.DELETED, 6: Outcome.UNCONFIRMED}
    assert report.exit_code == Exit.PARTIAL
    assert company.has(6)


def test_what_somebody_else_deletes_meanwhile_is_said(two_due):
    company, digest = two_due
    company.server.hook(
        lambda: company.book.remove(50), method="DELETE", path_prefix="/xapi/v1/Contacts(6)"
    )
    report = company.apply(digest)
    assert report.status is Status.APPLIED
    (finding,) = [f for f in report.findings if f.code == "listing_disagrees"]
    assert finding.observed == "1 others have gone meanwhile: 50"


def test_a_listing_that_can_not_be_read_again_is_said(two_due):
    company, digest = two_due

    def fail():
        company.server.fail(method="GET", path_prefix=LISTING, status=500, times=100)

    company.server.hook(fail, method="DELETE", path_prefix="/xapi/v1/Contacts(6)")
    report = company.apply(digest)
    assert outcomes(report) == {5: Outcome.DELETED, 6: Outcome.DELETED}
    (finding,) = [f for f in report.findings if f.code == "listing_disagrees"]
    assert "could not be read again" in finding.observed


def test_a_blocked_apply_leaves_the_approval_unspent(two_due):
    company, digest = two_due
    company.server.fail(method="GET", path_prefix=LISTING, status=403, times=2)
    assert company.apply(digest).exit_code == Exit.PBX
    company.server.clear_script()
    assert company.apply(digest).status is Status.APPLIED


def test_another_delete_guard_makes_a_plan_outdated(two_due):
    company, digest = two_due
    company.settings["pbx.delete_guard"] = "compare"
    report = company.apply(digest)
    assert report.exit_code == Exit.APPROVAL
    assert report.findings[0].observed == "delete_guard etag → compare"
    assert company.has(5)


def test_a_plan_of_the_future_is_not_applied(two_due):
    company, digest = two_due
    company.now -= timedelta(minutes=5)
    with pytest.raises(ApprovalRefused):
        company.apply(digest)


def test_somebody_seen_in_a_doubtful_export_is_no_longer_absent(company):
    company.settings["mode"] = "auto"
    company.export()
    company.run()
    company.tomorrow()
    company.export(without=[5])
    company.run()
    company.tomorrow()
    company.export(without=range(50, 100))
    assert company.run().exit_code == Exit.APPROVAL
    company.tomorrow()
    company.export(without=[5], extra=[hired(1)])
    report = company.run()
    (waiting,) = [c for c in report.contacts if c.id == 5]
    assert (waiting.verdict, waiting.absent_exports) == (Verdict.WAITING, 1)
    assert company.has(5)


def test_vetoes_that_nobody_saw_are_not_approved(two_due):
    company, digest = two_due
    numbers = [company.book.get(i)["PhoneNumber"] for i in (5, 6)]
    path = company.export(without=[5, 6], extra=[hired(1)])
    lines = path.read_text().splitlines()
    lines[0] += ",Remark"
    lines[1:] = [f"{line}," for line in lines[1:]]
    lines[1] += f"once {numbers[0]}"
    lines[2] += f"once {numbers[1]}"
    company.now += timedelta(hours=2)
    company.export(raw=("\r\n".join(lines) + "\r\n").encode())
    report = company.apply(digest)
    assert report.exit_code == Exit.APPROVAL
    assert company.has(5)
    assert company.has(6)


def test_taking_a_protection_back_starts_the_grace(company):
    company.settings.update({"mode": "auto", "policy.protect": {"ids": [5]}})
    company.until_due(5)
    company.run()
    del company.settings["policy.protect"]
    ownership.unprotect_once(company.config, company.world(), Protect.typed(ids=(5,)))
    company.tomorrow()
    company.export(without=[5], extra=[hired(2)])
    (waiting,) = [c for c in company.run().contacts if c.id == 5]
    assert (waiting.verdict, waiting.absent_exports) == (Verdict.WAITING, 1)


def test_a_contact_that_became_protected_is_no_longer_due(two_due):
    company, digest = two_due
    company.settings["policy.protect"] = {"ids": [5]}
    report = company.apply(digest)
    assert outcomes(report) == {5: Outcome.NOT_ATTEMPTED, 6: Outcome.DELETED}
    (kept,) = [c for c in report.contacts if c.id == 5]
    assert "protect list" in kept.outcome_detail
    assert report.exit_code == Exit.CONVERGED


def test_a_report_that_can_not_be_written_is_said_truly_and_the_run_is_in_history(two_due):
    company, digest = two_due
    with company.ledger() as ledger:
        taken = company.folder / "reports" / f"run-{ledger.runs()[0].id + 1:06d}" / "report.json"
    taken.mkdir(parents=True)
    with pytest.raises(StateError) as caught:
        company.apply(digest)
    assert "only its report is missing" in caught.value.consequence
    assert not company.has(5)
    with company.ledger() as ledger:
        assert ledger.runs()[0].exit_code == Exit.CONVERGED


def test_a_state_that_fails_in_the_middle_says_what_was_done(two_due):
    company, digest = two_due
    state = company.folder / "state" / "reconcile.db"

    def break_the_state():
        with sqlite3.connect(state) as other:
            other.execute("DROP TABLE tombstone")

    company.server.hook(break_the_state, method="DELETE", path_prefix="/xapi/v1/Contacts(5)")
    with pytest.raises(StateError) as caught:
        company.apply(digest)
    assert caught.value.consequence.startswith("Deleted before: 1.")
    assert not company.has(5)
    assert company.has(6)


def test_nothing_is_adopted_while_a_side_can_not_be_read(company):
    company.export(raw=b"")
    with pytest.raises(ReconcileError, match="no plan to work with") as caught:
        ownership.adopt_once(
            company.config,
            company.world(),
            ids=None,
            exceptions=ownership.Exceptions(),
            confirm=lambda _adoption: True,
        )
    assert caught.value.exit_code == Exit.EXPORT
    assert caught.value.problems[0].code == "export_empty"


def test_a_pbx_that_hides_its_version_is_asked_for_its_proof_every_time(two_due):
    company, _ = two_due
    company.server.switches = replace(company.server.switches, version="")
    with opened(company.config, company.world(), "apply") as session:
        listed = session.reader.snapshot(now=company.now)
        assert listed.version == ""
        for _ in range(2):
            probe, refused = prove_guard(session, listed, needed=True)
            assert refused is None
            assert session.ledger.probe(pbx_url=listed.url, pbx_version="") == probe
    made = [r for r in company.server.requests if r.method == "POST" and "Contacts" in r.path]
    assert len(made) == 2 * 2  # two throw-away contacts each


def test_a_restore_after_a_run_that_died_looks_first(two_due):
    """The delete took effect, and nobody was left to write its outcome down."""
    company, _ = two_due
    with company.ledger() as ledger:
        run_id = ledger.begin_run(command="apply", mode="review", now=company.now)
        entity = company.book.get(5)
        ledger.intend(
            run_id=run_id,
            contact_id=5,
            fingerprint="as it was",
            guard=DeleteGuard.ETAG,
            entity={k: v for k, v in entity.items() if v is not None},
            reason="it left",
            crm_id="",
            now=company.now,
        )
    company.book.remove(5)
    (back,) = restoring.restore_once(company.config, company.world(), run_id=run_id)
    assert back.done == "restored"
    assert company.has(back.new_id)


@pytest.mark.parametrize("key", ["schema", "state", "pbx"])
def test_a_plan_of_another_state_pbx_or_version_is_refused(two_due, key):
    """A state that was copied from another machine may hold such plans."""
    company, digest = two_due
    with company.ledger() as ledger:
        [stored] = ledger.plan(digest)
        foreign = {**json.loads(stored.canonical), key: "another"}
        text = json.dumps(foreign, sort_keys=True, separators=(",", ":"))
        other = replace(stored, canonical=text, digest=hashlib.sha256(text.encode()).hexdigest())
        run_id = ledger.begin_run(command="plan", mode="review", now=company.now)
        ledger.record(run_id, accepted=None, claims=(), released=(), plan=other)
    with pytest.raises(ApprovalRefused, match="made from another state, for another 3CX"):
        company.apply(other.digest)
    assert company.has(5)
