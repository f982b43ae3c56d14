"""The outcome table of deleting, row by row: real faults on the wire, the real journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from company import SECRET

from reconcile import apply, hold
from reconcile.errors import PbxRefused, StateError
from reconcile.model import (
    Acceptance,
    DeleteGuard,
    EtagKind,
    Exit,
    IfMatch,
    Outcome,
    Probe,
    ServerEtag,
    Status,
)
from reconcile.pbx.client import Connection, PbxReader
from reconcile.sandbox.answers import etag

NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


def all_stays(company, *contact_ids):
    assert all(company.has(i) for i in contact_ids)


# ------------------------------------------------------------------ 200, 204


def test_every_due_contact_is_deleted_under_the_tag_that_the_server_issued(evening, company):
    evening.plan(5, 6)
    tags = {i: etag(company.book.row(i), company.server.switches) for i in (5, 6)}
    before = company.book.all()
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED, 6: Outcome.DELETED}
    assert (evening.report.status, evening.report.exit_code) == (Status.APPLIED, Exit.CONVERGED)
    assert [c for c in before if c["Id"] not in tags] == company.book.all()
    assert {i: [r.if_match for r in evening.deletes(i)] for i in tags} == {
        i: [tag] for i, tag in tags.items()
    }


def test_the_first_delete_of_a_run_is_confirmed_before_the_second_leaves(evening):
    evening.plan(5, 6, 7)
    evening.apply()
    assert evening.wire(5) == ["GET", "DELETE", "GET"]
    assert evening.wire(6) == evening.wire(7) == ["GET", "DELETE"]


def test_the_tombstone_is_the_whole_contact_as_it_was(evening, company):
    evening.plan(5)
    was = company.book.get(5)
    evening.apply()
    with company.ledger() as ledger:
        (grave,) = ledger.tombstones(contact_id=5)
    assert grave.entity == was
    assert grave.outcome is Outcome.DELETED
    assert grave.crm_id == was["Tag"]


@pytest.mark.parametrize("status", [200, 204])
def test_200_and_204_are_deletes(evening, company, status):
    evening.plan(5, 6)
    evening.fail(5, status=status, effect="after")
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED, 6: Outcome.DELETED}
    assert not company.has(5)
    assert len(evening.deletes(5)) == 1


def test_a_page_with_status_200_is_no_delete_until_a_look_shows_it(evening):
    evening.plan(5)
    evening.fail(5, status=200, body="<!DOCTYPE html><html><body>Log in</body></html>")
    evening.apply()
    assert evening.wire(5)[:5] == ["GET", "DELETE", "GET", "GET", "DELETE"]
    assert evening.outcomes == {5: Outcome.DELETED}


def test_a_canary_that_is_still_there_stops_the_run(evening, company):
    evening.plan(5, 6)
    evening.fail(5, status=204)
    evening.apply()
    assert evening.outcomes == {5: Outcome.UNCONFIRMED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.UNCONFIRMED}
    assert evening.report.exit_code == Exit.PBX
    assert "Stopped: contact 5: " in evening.report.headline
    assert "still there" in evening.report.headline
    assert evening.detail(6).startswith("the run stopped: contact 5: ")
    assert {c.guard for c in evening.report.contacts if c.outcome} == {DeleteGuard.ETAG}
    assert (len(evening.deletes(5)), evening.wire(6)) == (1, [])
    all_stays(company, 5, 6)


def test_a_canary_that_can_not_be_looked_at_stops_the_run(evening, company):
    evening.plan(5, 6)
    evening.fail(5, method="GET", status=403, skip=1)
    evening.apply()
    assert evening.outcomes == {5: Outcome.UNCONFIRMED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.UNCONFIRMED}
    assert evening.report.exit_code == Exit.PBX
    assert evening.wire(6) == []
    assert company.has(6)


def test_a_later_delete_without_effect_is_found_in_the_listing(evening, company):
    evening.plan(5, 6)
    evening.fail(6, status=204)
    evening.apply()
    assert evening.outcomes == {5: Outcome.DELETED, 6: Outcome.UNCONFIRMED}
    assert evening.report.exit_code == Exit.PARTIAL
    assert "does not show it as gone" in evening.detail(6)
    assert evening.journal == {5: Outcome.DELETED, 6: Outcome.UNCONFIRMED}
    company.plan()
    assert evening.journal == {5: Outcome.DELETED, 6: Outcome.NOT_ATTEMPTED}
    with company.ledger() as ledger:
        assert 6 in ledger.view(now=company.now).claims


def test_an_id_that_is_somebody_elses_by_the_closing_listing_is_a_done_delete(evening, company):
    evening.plan(5, 6)
    stranger = {"FirstName": "New", "PhoneNumber": "+49301"}
    closing = "/xapi/v1/Contacts?$top=100&$skip=0"
    company.server.hook(
        lambda: company.book.add(stranger, reuse_id=True), path_prefix=closing, nth=2
    )
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED, 6: Outcome.DELETED}


def test_a_closing_listing_that_shows_nobody_any_more_proves_nothing(evening, company):
    """So it looks to a client whose rights were taken away."""
    evening.plan(5)

    def hide():
        for row in company.book.all():
            company.book.remove(row["Id"])

    company.server.hook(hide, path_prefix="/xapi/v1/Contacts?$top=1&$count", nth=3)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.UNCONFIRMED}
    assert evening.report.exit_code in {Exit.PARTIAL, Exit.PBX}


# ------------------------------------------------------------------ 404, 410, and gone before


def test_a_contact_that_somebody_else_deletes_first_is_already_gone(evening, company):
    evening.plan(5, 6)
    evening.at_delete(5, lambda: company.book.remove(5))
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.ALREADY_GONE, 6: Outcome.DELETED}
    assert evening.report.exit_code == Exit.CONVERGED


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, ""),
        (410, ""),
        (400, {"error": {"code": "", "message": "WARNINGS.XAPI.NOT_FOUND"}}),
    ],
)
def test_404_410_and_not_found_in_words_are_already_gone(evening, company, status, body):
    evening.plan(5, 6)
    evening.at_delete(5, lambda: company.book.remove(5))
    evening.fail(5, status=status, body=body)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.ALREADY_GONE, 6: Outcome.DELETED}


def test_two_unforeseen_ones_in_a_row_stop_the_run(evening, company):
    evening.plan(5, 6, 7)
    evening.at_delete(5, lambda: company.book.remove(5))
    evening.at_delete(6, lambda: company.book.remove(6))
    evening.apply()
    assert evening.outcomes[7] is Outcome.NOT_ATTEMPTED
    assert evening.journal == {5: Outcome.ALREADY_GONE, 6: Outcome.ALREADY_GONE}
    assert "twice in a row" in evening.report.headline
    assert evening.report.exit_code in {Exit.PARTIAL, Exit.PBX}
    assert evening.wire(7) == []
    all_stays(company, 7)


@pytest.mark.parametrize(("status", "body"), [(404, ""), (410, ""), (404, "<html>nginx</html>")])
def test_a_404_for_a_contact_that_is_there_stops_the_run(evening, company, status, body):
    """A proxy that lets no DELETE through, or a wrong base path: not a contact that is gone."""
    evening.plan(5, 6)
    evening.fail(5, status=status, body=body)
    evening.apply()
    assert evening.outcomes == {5: Outcome.REFUSED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.REFUSED}
    assert "but the contact is there" in evening.detail(5)
    all_stays(company, 5, 6)


def test_a_404_that_can_not_be_looked_into_is_unconfirmed_and_resolved_by_the_next_run(
    evening, company
):
    evening.plan(5)
    evening.fail(5, status=404)
    evening.fail(5, method="GET", skip=1, status=500, times=3)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.UNCONFIRMED}
    company.plan()
    assert evening.journal == {5: Outcome.NOT_ATTEMPTED}


@pytest.mark.parametrize("status", [202, 400, 405, 418])
def test_an_answer_that_stops_the_run_is_not_believed_where_the_contact_is_gone(
    evening, company, status
):
    """A proxy may refuse what the PBX has done; `deleted` is what restore brings back."""
    evening.plan(5, 6)
    evening.fail(5, status=status, effect="after")
    evening.apply()
    assert evening.outcomes == {5: Outcome.DELETED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.DELETED}
    assert f"answered {status}" in evening.report.headline
    all_stays(company, 6)


def test_a_403_after_which_the_contact_is_not_seen_is_left_open(evening, company):
    """Lost rights hide contacts; when they are back, the next run sees what is true."""
    evening.plan(5, 6)
    evening.fail(5, status=403)
    evening.fail(5, method="GET", skip=1, status=404)
    evening.company.server.fail(
        method="GET",
        path_prefix="/xapi/v1/Contacts?$top=1&$filter=Id eq 5",
        status=200,
        body={"value": []},
    )
    evening.apply()
    assert evening.outcomes == {5: Outcome.UNCONFIRMED, 6: Outcome.NOT_ATTEMPTED}
    assert "does not show it as gone" not in evening.detail(5), "it was never taken for gone"
    company.plan()
    assert evening.journal == {5: Outcome.NOT_ATTEMPTED}
    all_stays(company, 5, 6)


@pytest.mark.parametrize(
    "fault", [{"status": 403}, {"status": 429, "headers": {"Retry-After": "86400"}}]
)
def test_an_answer_without_rights_that_can_not_be_looked_into_is_a_refusal(evening, company, fault):
    """Nothing was in doubt before it, and it says itself that nothing was done."""
    evening.plan(5, 6)
    evening.fail(5, **fault)
    evening.fail(5, method="GET", skip=1, status=403)
    evening.apply()
    assert evening.outcomes == {5: Outcome.REFUSED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.REFUSED}
    all_stays(company, 5, 6)


@pytest.mark.parametrize(
    ("look", "effect", "outcome"),
    [
        ({"skip": 3, "status": 403}, "before", Outcome.UNCONFIRMED),
        (None, "after", Outcome.DELETED),
        (None, "before", Outcome.REFUSED),
    ],
)
def test_a_403_after_a_504_leaves_in_doubt_what_a_look_does_not_show(
    evening, look, effect, outcome
):
    evening.plan(5)
    evening.fail(5, status=504)
    evening.fail(5, status=403, effect=effect)
    if look:
        evening.fail(5, method="GET", **look)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: outcome}


def test_an_odd_answer_that_can_not_be_looked_into_is_unconfirmed(evening, company):
    evening.plan(5)
    evening.fail(5, status=405, effect="after")
    evening.fail(5, method="GET", skip=1, status=403)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.UNCONFIRMED}
    company.plan()
    assert evening.journal == {5: Outcome.DELETED}


def test_a_412_after_a_504_that_did_it_is_a_delete_of_ours(evening):
    evening.plan(5)
    evening.fail(5, status=504)
    evening.fail(5, status=412, effect="after")
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED}
    assert "412" in evening.detail(5)
    assert evening.detail(5).endswith("; a look showed that it is gone")


def test_a_504_that_did_it_is_a_delete_of_ours(evening):
    evening.plan(5)
    evening.fail(5, status=504, effect="after")
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED}
    assert "504" in evening.detail(5)
    assert evening.detail(5).endswith("; a look showed that it is gone")


def test_a_412_after_a_504_that_can_not_be_looked_into_is_unconfirmed(evening):
    evening.plan(5)
    evening.fail(5, status=504)
    evening.fail(5, status=412)
    evening.fail(5, method="GET", skip=3, status=403)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.UNCONFIRMED}


def test_an_id_that_somebody_got_right_after_the_canary_is_a_done_delete(evening, company):
    evening.plan(5, 6)
    stranger = {"FirstName": "New", "PhoneNumber": "+49301"}
    evening.at_read(5, lambda: company.book.add(stranger, reuse_id=True), nth=2)
    evening.apply()
    assert evening.journal == {5: Outcome.DELETED, 6: Outcome.DELETED}
    assert company.book.get(5)["FirstName"] == "New"


def test_waiting_has_an_end_over_all_contacts(evening, company):
    evening.plan(5, 6, 7)
    for contact_id in (5, 6, 7):
        evening.fail(contact_id, status=429, times=3, headers={"Retry-After": "100"})
    evening.apply()
    assert sum(company.slept) == 600
    assert "too long" in evening.report.headline


@pytest.mark.parametrize(
    ("effect", "outcome"), [("before", Outcome.REFUSED), ("after", Outcome.DELETED)]
)
def test_a_503_that_asks_to_wait_a_day_is_looked_into(evening, company, effect, outcome):
    evening.plan(5, 6)
    evening.fail(5, status=503, effect=effect, headers={"Retry-After": "86400"})
    evening.apply()
    assert evening.outcomes == {5: outcome, 6: Outcome.NOT_ATTEMPTED}
    assert company.has(5) is (outcome is Outcome.REFUSED)
    assert company.slept == []


def test_a_503_that_can_not_be_looked_into_is_unconfirmed(evening, company):
    evening.plan(5)
    evening.fail(5, status=503, effect="after", headers={"Retry-After": "86400"})
    evening.fail(5, method="GET", skip=1, status=403)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.UNCONFIRMED}
    company.plan()
    assert evening.journal == {5: Outcome.DELETED}


@pytest.mark.parametrize("status", [500, 504])
def test_a_404_after_an_error_that_did_it_is_a_delete_of_ours(evening, status):
    """And after it a 404 is the first one again, that stops nothing."""
    evening.plan(5, 6)
    evening.fail(5, status=status)
    evening.fail(5, status=404, effect="after")
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED, 6: Outcome.DELETED}
    assert "404" in evening.detail(5)
    assert evening.detail(5).endswith("; a look showed that it is gone")
    assert evening.wire(6) == ["GET", "DELETE"], "the canary has been looked at"


def test_a_delete_that_was_found_between_two_404s_breaks_the_row(evening, company):
    evening.plan(5, 6, 7)
    evening.at_delete(5, lambda: company.book.remove(5))
    evening.fail(6, status=504, effect="after")
    evening.at_delete(7, lambda: company.book.remove(7))
    evening.apply()
    assert evening.outcomes == {
        5: Outcome.ALREADY_GONE,
        6: Outcome.DELETED,
        7: Outcome.ALREADY_GONE,
    }
    assert evening.report.exit_code == Exit.CONVERGED


def test_404s_with_a_delete_between_them_do_not_stop_the_run(evening, company):
    evening.plan(5, 6, 7)
    evening.at_delete(5, lambda: company.book.remove(5))
    evening.at_delete(7, lambda: company.book.remove(7))
    evening.apply()
    assert evening.outcomes == {
        5: Outcome.ALREADY_GONE,
        6: Outcome.DELETED,
        7: Outcome.ALREADY_GONE,
    }
    assert evening.report.exit_code == Exit.CONVERGED


def test_what_the_re_read_foresaw_is_no_reason_to_stop_and_gets_no_delete(evening, company):
    evening.plan(5, 6, 7)
    evening.at_read(5, lambda: company.book.remove(5))
    evening.at_read(6, lambda: company.book.remove(6))
    evening.apply()
    assert evening.outcomes == {
        5: Outcome.ALREADY_GONE,
        6: Outcome.ALREADY_GONE,
        7: Outcome.DELETED,
    }
    assert evening.detail(5) == evening.detail(6) == "it was gone when it was re-read"
    assert evening.journal == {7: Outcome.DELETED}
    assert evening.wire(5) == evening.wire(6) == ["GET"]


# ------------------------------------------------------------------ changed


def test_an_edit_before_the_re_read_is_seen_and_no_delete_leaves(evening, company):
    evening.plan(5, 6)
    evening.at_read(5, lambda: company.book.edit(5, {"Title": "Is back"}))
    evening.apply()
    assert evening.outcomes == {5: Outcome.CHANGED, 6: Outcome.DELETED}
    assert evening.detail(5) == "it was edited in 3CX after the plan"
    assert evening.journal == {6: Outcome.DELETED}
    assert (evening.wire(5), evening.report.exit_code) == (["GET"], Exit.PARTIAL)
    assert company.book.get(5)["Title"] == "Is back"


def test_an_edit_after_the_re_read_is_refused_by_the_server(evening, company):
    evening.plan(5, 6)
    evening.at_delete(5, lambda: company.book.edit(5, {"Title": "Is back"}))
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.CHANGED, 6: Outcome.DELETED}
    assert [r.status for r in evening.deletes(5)] == [412]
    assert company.book.get(5)["Title"] == "Is back"


@pytest.mark.parametrize("status", [409, 412, 428])
def test_412_409_and_428_keep_the_contact_and_are_never_tried_again(evening, company, status):
    evening.plan(5, 6)
    evening.at_delete(5, lambda: company.book.edit(5, {"Title": "Is back"}))
    evening.fail(5, status=status)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.CHANGED, 6: Outcome.DELETED}
    assert evening.wire(5) == ["GET", "DELETE", "GET"]
    assert (evening.report.status, evening.report.exit_code) == (Status.PARTIAL, Exit.PARTIAL)
    assert str(status) in evening.detail(5)
    all_stays(company, 5)


@pytest.mark.parametrize("status", [409, 412, 428])
def test_a_refusal_of_a_contact_that_has_not_changed_stops_the_run(evening, company, status):
    evening.plan(5, 6)
    evening.fail(5, status=status)
    evening.apply()
    assert evening.outcomes == {5: Outcome.REFUSED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.REFUSED}
    assert "reconcile doctor --probe" in evening.report.headline
    all_stays(company, 5, 6)


def test_a_412_for_a_contact_that_is_gone_meanwhile_is_already_gone(evening, company):
    evening.plan(5)
    evening.at_delete(5, lambda: company.book.remove(5))
    evening.fail(5, status=412)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.ALREADY_GONE}


def test_a_412_that_can_not_be_looked_into_is_believed(evening, company):
    evening.plan(5)
    evening.fail(5, status=412)
    evening.fail(5, method="GET", skip=1, status=403)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.CHANGED}
    all_stays(company, 5)


@pytest.mark.parametrize("if_match", ["always_412", "malformed"])
def test_guard_compare_leaves_a_tag_out_where_even_the_right_one_is_refused(
    evening, company, if_match
):
    """Found out by the probe; without it the run stops and says how to find out."""
    company.settings["pbx.delete_guard"] = "compare"
    company.server.switches = replace(company.server.switches, if_match=if_match)
    evening.plan(5)
    evening.apply()
    assert evening.outcomes == {5: Outcome.REFUSED}
    with company.ledger() as ledger:
        values = {"pbx_url": company.server.url, "pbx_version": company.server.switches.version}
        refused = a_probe(**values, if_match=IfMatch.UNPROVEN, right_etag=Acceptance.REFUSED)
        ledger.save_probe(refused)
    company.server.clear_requests()
    evening.digest = company.plan().digest
    evening.apply()
    assert [r.if_match for r in evening.deletes(5)] == [None]
    assert evening.outcomes == {5: Outcome.DELETED}


# ------------------------------------------------------------------ 401


def test_after_one_401_the_contact_is_begun_again_from_its_re_read(evening, company):
    evening.plan(5)
    evening.at_delete(5, company.server.expire_tokens)
    evening.apply()
    assert [r.status for r in evening.deletes(5)] == [401, 204]
    assert evening.wire(5) == ["GET", "DELETE", "GET", "DELETE", "GET"]
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED}


def test_an_edit_during_a_401_is_seen_by_the_second_re_read(evening, company):
    evening.plan(5)
    evening.at_delete(5, lambda: company.book.edit(5, {"Title": "Is back"}))
    evening.fail(5, status=401)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.CHANGED}
    assert evening.wire(5) == ["GET", "DELETE", "GET"]
    all_stays(company, 5)


def test_a_second_401_stops_the_run(evening, company):
    evening.plan(5, 6)
    evening.fail(5, status=401, times=5)
    evening.apply()
    assert evening.outcomes == {5: Outcome.REFUSED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.REFUSED}
    assert evening.report.exit_code == Exit.PBX
    assert (len(evening.deletes(5)), evening.wire(6)) == (2, [])
    all_stays(company, 5, 6)


def test_no_new_token_after_a_401_stops_the_run_and_nothing_was_attempted(evening, company):
    evening.plan(5, 6)
    evening.at_delete(5, company.server.expire_tokens)
    evening.at_delete(5, lambda: company.server.fail(path_prefix="/connect/token", status=401))
    evening.apply()
    assert evening.outcomes == {5: Outcome.NOT_ATTEMPTED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.NOT_ATTEMPTED}
    assert len(evening.deletes(5)) == 1
    all_stays(company, 5, 6)


# ------------------------------------------------------------------ 429, 503


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        ({"status": 429, "headers": {"Retry-After": "7"}}, 7.0),
        ({"status": 429, "headers": {"Retry-After": "0"}}, 0.0),
        ({"status": 429, "headers": {"Retry-After": "120"}}, 120.0),
        ({"status": 429}, 2.0),
        ({"status": 503, "headers": {"Retry-After": "7"}}, 7.0),
        ({"status": 503}, 2.0),
    ],
)
def test_a_busy_server_is_waited_for_as_it_asks(evening, company, fault, waits):
    evening.plan(5)
    evening.fail(5, **fault)
    evening.apply()
    assert company.slept == [waits]
    assert evening.wire(5) == ["GET", "DELETE", "GET", "DELETE", "GET"]
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED}


@pytest.mark.parametrize(
    ("status", "outcome"), [(429, Outcome.NOT_ATTEMPTED), (503, Outcome.UNCONFIRMED)]
)
def test_who_stops_while_a_busy_server_is_waited_for_stops_before_the_next_delete(
    evening, company, status, outcome
):
    """After 503 the first one may still be on its way; 429 says that it was not taken."""
    evening.plan(5, 6)
    evening.fail(5, status=status)
    evening.at_read(5, (company.folder / hold.STOP_FILE).touch, nth=2)
    evening.apply()
    assert evening.wire(5)[:3] == ["GET", "DELETE", "GET"]
    assert len(evening.deletes(5)) == 1
    assert evening.outcomes == {5: outcome, 6: Outcome.NOT_ATTEMPTED}
    all_stays(company, 5, 6)


@pytest.mark.parametrize(("status", "asks"), [(429, "121"), (429, "86400"), (503, "86400")])
def test_a_server_that_asks_for_too_long_a_wait_stops_the_run(evening, company, status, asks):
    evening.plan(5, 6)
    evening.fail(5, status=status, headers={"Retry-After": asks})
    evening.apply()
    assert company.slept == []
    assert evening.outcomes == {5: Outcome.REFUSED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.detail(5).startswith(f"3CX answered {status}")
    assert evening.journal == {5: Outcome.REFUSED}
    assert (len(evening.deletes(5)), evening.wire(6)) == (1, [])
    assert evening.report.exit_code == Exit.PBX
    all_stays(company, 5, 6)


def test_three_waits_are_enough_and_a_fourth_stops_the_run(evening, company):
    evening.plan(5, 6)
    evening.fail(5, status=429, times=3)
    evening.fail(6, status=429, times=4)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED, 6: Outcome.REFUSED}
    assert (len(evening.deletes(5)), len(evening.deletes(6))) == (4, 4)
    assert company.slept == [2.0] * 6
    assert evening.report.exit_code == Exit.PARTIAL
    all_stays(company, 6)


def test_an_edit_during_the_wait_is_seen(evening, company):
    evening.plan(5)
    evening.at_delete(5, lambda: company.book.edit(5, {"Title": "Is back"}))
    evening.fail(5, status=429)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.CHANGED}
    assert len(evening.deletes(5)) == 1


def test_a_503_from_a_proxy_after_the_delete_was_done_is_our_delete(evening, company):
    evening.plan(5, 6)
    evening.fail(5, status=503, effect="after")
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED, 6: Outcome.DELETED}
    assert len(evening.deletes(5)) == 1
    assert not company.has(5)


def test_a_503_after_which_nothing_can_be_read_is_unconfirmed(evening, company):
    evening.plan(5, 6)
    evening.fail(5, status=503, effect="after")
    evening.fail(5, method="GET", status=403, skip=1)
    evening.apply()
    assert evening.outcomes == {5: Outcome.UNCONFIRMED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.UNCONFIRMED}
    assert company.has(6)


# ------------------------------------------------------------------ nobody knows


@pytest.mark.parametrize("fault", [{"status": s} for s in (500, 502, 504)] + [{"drop": True}])
def test_what_had_no_effect_is_looked_at_and_sent_once_more(evening, fault):
    evening.plan(5, 6)
    evening.fail(5, **fault)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED, 6: Outcome.DELETED}
    assert len(evening.deletes(5)) == 2
    assert evening.wire(5) == ["GET", "DELETE", "GET", "GET", "DELETE", "GET"]


@pytest.mark.parametrize("fault", [{"status": s} for s in (500, 504)] + [{"drop": True}])
def test_what_had_an_effect_is_looked_at_and_not_sent_again(evening, fault):
    evening.plan(5, 6)
    evening.fail(5, effect="after", **fault)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED, 6: Outcome.DELETED}
    assert evening.wire(5) == ["GET", "DELETE", "GET"]
    answer = f"3CX answered {fault['status']}" if "status" in fault else "no answer came back"
    assert evening.detail(5).startswith(answer)
    assert evening.detail(5).endswith("; a look showed that it is gone")


@pytest.mark.parametrize("fault", [{"status": 500}, {"drop": True}])
def test_an_edit_while_nobody_knows_keeps_the_contact(evening, company, fault):
    evening.plan(5, 6)
    evening.at_delete(5, lambda: company.book.edit(5, {"Title": "Is back"}))
    evening.fail(5, **fault)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.CHANGED, 6: Outcome.DELETED}
    assert evening.wire(5) == ["GET", "DELETE", "GET"]
    assert company.book.get(5)["Title"] == "Is back"


@pytest.mark.parametrize("effect", ["before", "after"])
@pytest.mark.parametrize("fault", [{"status": 500}, {"drop": True}])
def test_what_can_not_be_looked_at_is_unconfirmed_and_stops_the_run(
    evening, company, fault, effect
):
    evening.plan(5, 6)
    evening.fail(5, effect=effect, **fault)
    evening.fail(5, method="GET", status=403, skip=1)
    evening.apply()
    assert evening.outcomes == {5: Outcome.UNCONFIRMED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.UNCONFIRMED}
    assert evening.report.exit_code == Exit.PBX
    assert (len(evening.deletes(5)), evening.wire(6)) == (1, [])
    assert company.has(5) is (effect == "before")
    assert company.has(6)


@pytest.mark.parametrize("fault", [{"status": 500}, {"drop": True}])
def test_a_contact_that_is_still_there_after_two_failures_stops_the_run(evening, company, fault):
    evening.plan(5, 6)
    evening.fail(5, times=5, **fault)
    evening.apply()
    assert evening.outcomes == {5: Outcome.REFUSED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.REFUSED}
    assert evening.report.exit_code == Exit.PBX
    assert (len(evening.deletes(5)), evening.wire(6)) == (2, [])
    all_stays(company, 5, 6)


def test_a_slow_delete_that_lands_between_look_and_re_read_is_our_delete(evening, company):
    evening.plan(5, 6)
    evening.fail(5, status=504)
    evening.at_read(5, lambda: company.book.remove(5), nth=3)
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED, 6: Outcome.DELETED}
    assert evening.detail(5) == "its DELETE was not answered; a look showed that it is gone"
    assert len(evening.deletes(5)) == 1


def test_a_re_read_that_fails_after_a_failure_without_effect_deletes_nothing(evening, company):
    evening.plan(5, 6)
    evening.fail(5, status=500)
    evening.fail(5, method="GET", status=403, skip=2)
    evening.apply()
    assert evening.outcomes == {5: Outcome.NOT_ATTEMPTED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.NOT_ATTEMPTED}
    assert len(evening.deletes(5)) == 1
    all_stays(company, 5, 6)


# ------------------------------------------------------------------ refused


@pytest.mark.parametrize("status", [302, 400, 403, 405, 418])
def test_whatever_else_is_answered_stops_the_run(evening, company, status):
    evening.plan(5, 6)
    evening.fail(5, status=status, headers={"Location": "https://elsewhere.example/"})
    evening.apply()
    assert evening.outcomes == {5: Outcome.REFUSED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {5: Outcome.REFUSED}
    assert (evening.report.status, evening.report.exit_code) == (Status.PARTIAL, Exit.PBX)
    assert str(status) in evening.detail(5)
    assert str(status) in evening.report.headline
    assert (len(evening.deletes(5)), evening.wire(6)) == (1, [])
    all_stays(company, 5, 6)


def test_a_refusal_after_the_first_delete_is_partial(evening, company):
    evening.plan(5, 6, 7)
    evening.fail(6, status=403)
    evening.apply()
    assert evening.outcomes == {
        5: Outcome.DELETED,
        6: Outcome.REFUSED,
        7: Outcome.NOT_ATTEMPTED,
    }
    assert evening.report.exit_code == Exit.PARTIAL
    all_stays(company, 6, 7)


# ------------------------------------------------------------------ before the first DELETE


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 403}, "answered 403: this API client may not do that, or not from here"),
        ({"status": 500}, "answered 500"),
        ({"drop": True}, "broke the connection off before its answer was whole"),
    ],
)
def test_a_contact_that_can_not_be_re_read_is_not_attempted(evening, company, fault, said):
    evening.plan(5, 6)
    evening.fail(5, method="GET", times=3, **fault)
    evening.apply()
    assert evening.outcomes == {5: Outcome.NOT_ATTEMPTED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.journal == {}
    assert evening.report.exit_code == Exit.PBX
    assert "could not be read" in evening.report.headline
    assert evening.detail(5) == f"it could not be read: {company.server.url} {said}"
    assert evening.deletes(5) == evening.deletes(6) == []
    all_stays(company, 5, 6)


def test_a_404_on_the_re_read_that_the_listing_contradicts_is_not_believed(evening, company):
    evening.plan(5, 6)
    evening.fail(5, method="GET", status=404)
    evening.apply()
    assert evening.outcomes == {5: Outcome.NOT_ATTEMPTED, 6: Outcome.NOT_ATTEMPTED}
    all_stays(company, 5, 6)


def test_under_guard_etag_a_contact_without_a_tag_is_refused(evening, company):
    evening.plan(5, 6)

    def lose_tags():
        company.server.switches = replace(company.server.switches, etags="none")

    evening.at_read(5, lose_tags)
    evening.apply()
    assert evening.outcomes == {5: Outcome.REFUSED, 6: Outcome.NOT_ATTEMPTED}
    assert evening.detail(5) == "3CX issued no ETag for it"
    assert evening.journal == {}
    assert evening.deletes(5) == []
    all_stays(company, 5, 6)


@pytest.mark.parametrize("kind", ["none", "weak", "strong"])
def test_guard_compare_sends_a_tag_where_there_is_one(evening, company, kind):
    company.settings["pbx.delete_guard"] = "compare"
    company.server.switches = replace(company.server.switches, etags=kind)
    evening.plan(5)
    tag = etag(company.book.row(5), company.server.switches)
    evening.apply()
    assert [r.if_match for r in evening.deletes(5)] == [tag or None]
    assert {c.guard for c in evening.report.contacts if c.outcome} == {DeleteGuard.COMPARE}
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED}


def test_guard_compare_sees_an_edit_before_the_re_read(evening, company):
    company.settings["pbx.delete_guard"] = "compare"
    company.server.switches = replace(company.server.switches, etags="none")
    evening.plan(5)
    evening.at_read(5, lambda: company.book.edit(5, {"Title": "Is back"}))
    evening.apply()
    assert evening.outcomes == {5: Outcome.CHANGED}
    assert evening.deletes(5) == []


# ------------------------------------------------------------------ stopping, and what else happens


@pytest.mark.parametrize(("code", "when"), [(Exit.TERMINATED, 5), (Exit.INTERRUPTED, 6)])
def test_a_signal_stops_before_the_next_contact(evening, company, code, when):
    evening.plan(5, 6, 7)
    evening.at_delete(when, lambda: setattr(company, "stop", code))
    evening.apply()
    done = {i for i in (5, 6, 7) if i <= when}
    assert {i for i, o in evening.outcomes.items() if o is Outcome.DELETED} == done
    assert evening.outcomes[7] is Outcome.NOT_ATTEMPTED
    assert (evening.report.status, evening.report.exit_code) == (Status.INTERRUPTED, code)
    assert evening.wire(7) == []
    assert set(evening.journal) == done


def test_somebody_else_deleting_meanwhile_is_said_and_not_booked_as_ours(evening, company):
    evening.plan(5)
    evening.at_delete(5, lambda: company.book.remove(9))
    evening.apply()
    assert evening.outcomes == evening.journal == {5: Outcome.DELETED}
    (found,) = [f for f in evening.report.findings if f.code == "listing_disagrees"]
    assert "9" in found.observed


def test_a_listing_that_can_not_be_read_again_is_said(evening, company):
    evening.plan(5, 6)
    path = "/xapi/v1/Contacts?"
    evening.at_delete(6, lambda: company.server.fail(method="GET", path_prefix=path, status=403))
    evening.apply()
    assert evening.outcomes == {5: Outcome.DELETED, 6: Outcome.DELETED}
    assert "listing_disagrees" in {f.code for f in evening.report.findings}


def renamed(company, before, after):
    """Take a table away from under the ledger, as a broken disk would, or give it back."""
    company.sql(f"ALTER TABLE {before} RENAME TO {after}")


def test_no_delete_leaves_if_its_tombstone_can_not_be_written(evening, company):
    evening.plan(5, 6)
    evening.at_read(5, lambda: renamed(company, "tombstone", "lost"))
    with pytest.raises(StateError):
        company.apply(evening.digest)
    assert evening.deletes(5) == evening.deletes(6) == []
    all_stays(company, 5, 6)


def test_an_outcome_that_can_not_be_written_ends_the_run_and_is_found_out_later(evening, company):
    evening.plan(5, 6)
    evening.at_delete(5, lambda: renamed(company, "action", "lost"))
    with pytest.raises(StateError):
        company.apply(evening.digest)
    renamed(company, "lost", "action")
    assert evening.wire(6) == []
    assert evening.journal == {5: None}
    company.plan()
    assert evening.journal == {5: Outcome.DELETED}


def test_progress_is_told_after_every_contact(evening, company):
    evening.plan(5, 6)
    told = []
    quiet = company.world()

    def watched():
        return replace(quiet, progress=lambda *step: told.append(step))

    company.world = watched
    evening.apply()
    assert [t for t in told if t[0] == "deleting"] == [("deleting", 1, 2), ("deleting", 2, 2)]


# ------------------------------------------------------------------ resolving a dead run's intents


@pytest.fixture
def intended(company):
    """Three intents that a dead run left."""
    company.export()
    company.plan()
    connection = Connection(url=company.server.url, client_id="reconcile", client_secret=SECRET)
    with company.ledger() as ledger, PbxReader(connection, sleep=company.slept.append) as reader:
        run_id = ledger.begin_run(command="apply", mode="review", now=company.now)
        for contact_id in (5, 6, 7):
            contact, entity = reader.contact(contact_id)
            ledger.intend(
                run_id=run_id,
                contact_id=contact_id,
                fingerprint=contact.fingerprint,
                guard=DeleteGuard.ETAG,
                entity=entity,
                reason="has left",
                crm_id="1",
                now=company.now,
            )
        company.book.remove(5)
        company.book.edit(7, {"Title": "Is back"})
        yield ledger, reader


def resolved(ledger, reader, company):
    return apply.resolve(
        ledger.actions(unresolved=True), reader=reader, journal=ledger, clock=lambda: company.now
    )


def test_an_intent_is_resolved_by_looking(intended, evening, company):
    outcomes = resolved(*intended, company)
    expected = {5: Outcome.DELETED, 6: Outcome.NOT_ATTEMPTED, 7: Outcome.CHANGED}
    assert {o.contact_id: o.outcome for o in outcomes} == expected == evening.journal
    assert {o.guard for o in outcomes} == {DeleteGuard.ETAG}
    assert [o.detail.rpartition("showed that ")[2] for o in outcomes] == [
        "it is gone",
        "it is unchanged",
        "it changed",
    ]
    journal = intended[0].actions()
    assert {a.ended_at for a in journal} == {company.now}
    assert [a.detail for a in journal] == [o.detail for o in outcomes]
    assert company.deletes() == []
    claims = intended[0].view(now=company.now).claims
    assert 5 not in claims
    assert {6, 7} <= set(claims)


def test_what_was_resolved_before_3cx_failed_stays_resolved(intended, evening, company):
    evening.fail(6, method="GET", status=403)
    with pytest.raises(PbxRefused):
        resolved(*intended, company)
    assert evening.journal == {5: Outcome.DELETED, 6: None, 7: None}
    resolved(*intended, company)
    assert evening.journal[6] is Outcome.NOT_ATTEMPTED


def test_nothing_is_planned_over_an_intent_that_can_not_be_resolved(intended, evening, company):
    intended[0].close()
    evening.fail(5, method="GET", status=403)
    report = company.plan()
    assert (report.status, report.exit_code) == (Status.BLOCKED, Exit.STATE)
    assert report.findings[0].code == "unresolved_intents"
    assert evening.journal == {5: None, 6: None, 7: None}


# ------------------------------------------------------------------ values that refuse


def a_probe(**changes):
    values = {
        "pbx_url": "https://pbx.example.com",
        "pbx_version": "20.0.9",
        "probed_at": NOW,
        "etags": EtagKind.WEAK,
        "if_match": IfMatch.ENFORCED,
    }
    return Probe(**values | changes)


def a_plan(**changes):
    values = {
        "digest": "d" * 64,
        "approved_by": "tester",
        "guard": DeleteGuard.ETAG,
        "probe": a_probe(),
        "deletes": (),
    }
    return apply.ApprovedPlan(**values | changes)


def test_an_approved_plan_with_its_proof_is_accepted():
    assert a_plan().guard is DeleteGuard.ETAG
    assert a_plan(guard=DeleteGuard.COMPARE, probe=None).probe is None


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": ""},
        {"approved_by": ""},
        {"digest": "", "approved_by": "", "guard": DeleteGuard.COMPARE},
        {"probe": None},
        {"probe": a_probe(if_match=IfMatch.IGNORED)},
        {"probe": a_probe(if_match=IfMatch.UNPROVEN)},
    ],
)
def test_a_plan_without_approval_or_proof_can_not_be_made(changes):
    with pytest.raises(ValueError, match=r"approved|proof"):
        a_plan(**changes)


@pytest.mark.parametrize("tag", ["", " ", "*", " * ", '"a"\r\nX: y', '"\x00"', '"\x7f"', '"a"\t'])
def test_a_tag_that_would_switch_the_guard_off_is_none(tag):
    with pytest.raises(ValueError, match="ETag"):
        ServerEtag(tag=tag)


@pytest.mark.parametrize("tag", ['"a"', 'W/"2001"'])
def test_a_tag_that_a_server_issues_is_kept_as_it_is(tag):
    assert ServerEtag(tag=tag).tag == tag
