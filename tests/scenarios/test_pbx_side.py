"""Scenarios 28 to 49: what can be wrong with the phone system, and who else works on it."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace

import pytest
from company import SECRET
from scenarios import scene
from scenarios.scene import FORMER, LEAVERS, SIZE, cases

from reconcile.model import Exit, Outcome, Status, Verdict
from reconcile.sandbox import Book, SandboxServer
from reconcile.sandbox.switches import Switches

FIFTH = "/xapi/v1/Contacts(5)"
LISTING = "/xapi/v1/Contacts?"
STOPPED = {5: Outcome.REFUSED, 6: Outcome.NOT_ATTEMPTED}
DONE = dict.fromkeys(LEAVERS, Outcome.DELETED)


def turned(company, *, proved=False, **switches) -> None:
    """Another kind of PBX; what was proved on the old one counts only if it's `proved`."""
    company.server.switches = replace(company.server.switches, **switches)
    if not proved:
        company.sql("DELETE FROM probe")


def kept(company) -> bool:
    """Everybody who was there is there, whatever was tried."""
    return company.left() == set() and len(company.book.all()) == SIZE - 1


# ------------------------------------------------------------------ contacts that aren't ours


def test_28_a_contact_typed_by_hand_is_never_touched(company):
    by_hand = company.book.add({"FirstName": "By", "LastName": "Hand", "PhoneNumber": "030 999888"})
    company.night()
    company.tomorrow()
    ended = company.night()
    assert ended.contact(by_hand).verdict is Verdict.UNMANAGED
    assert company.has(by_hand)
    assert company.left() == set(LEAVERS)


@pytest.mark.parametrize("kind", cases("M365", "Google", "CRM", check=1))
def test_29_a_contact_of_another_source_is_out_of_scope(company, kind):
    company.book.edit(LEAVERS[0], {"ContactType": kind})
    ended = company.night()
    assert ended.contact(LEAVERS[0]).verdict is Verdict.OUT_OF_SCOPE
    assert company.left() == {LEAVERS[1]}


@pytest.mark.parametrize("scope", cases("person", "department", check=1))
def test_29_a_private_phone_book_is_not_even_listed(company, scope):
    theirs = company.book.add({"FirstName": "My", "LastName": "Aunt"}, scope=scope)
    ended = company.night()
    assert theirs not in {c.id for c in ended.report.contacts}
    assert company.has(theirs)


# ------------------------------------------------------------------ edits


def test_30_an_edit_after_the_plan_keeps_the_contact(company):
    company.exported()
    company.server.hook(lambda: company.book.edit(5, {"Title": "Is back"}), path_prefix=FIFTH)
    ended = company.ends(company.run)
    assert (ended.code, ended.status) == (Exit.PARTIAL, Status.PARTIAL)
    assert ended.outcomes() == {5: Outcome.CHANGED, 6: Outcome.DELETED}
    assert [r.path for r in company.deletes()] == ["/xapi/v1/Contacts(6)"]


def test_31_an_edit_between_our_look_and_our_delete_keeps_the_contact(company):
    company.server.hook(
        lambda: company.book.edit(5, {"Title": "Is back"}), method="DELETE", path_prefix=FIFTH
    )
    ended = company.night()
    assert (ended.code, company.left()) == (Exit.PARTIAL, {6})
    assert ended.outcomes() == {5: Outcome.CHANGED, 6: Outcome.DELETED}
    assert len(company.deletes()) == 2  # never once more with the newer tag


# ------------------------------------------------------------------ the guard of a delete


@pytest.mark.parametrize("version", ["20.0.9.995", "20.0.10.1"], ids=["never proved", "updated"])
def test_32_a_server_that_ignores_if_match_is_found_out_first(company, version):
    turned(company, if_match="ignored", version=version, proved=version != "20.0.9.995")
    ended = company.night()
    assert (ended.code, ended.findings) == (Exit.PBX, {"delete_guard_unavailable"})
    assert ended.report.pbx.if_match == "ignored"
    assert kept(company)


@pytest.mark.parametrize(
    ("kind", "where"),
    cases(
        *[("weak", "header"), ("strong", "body"), ("weak", "both")],
        *[("strong", "both"), ("weak", "body"), ("strong", "header")],
        check=2,
    ),
)
def test_33_an_etag_of_any_form_goes_back_as_it_came(company, kind, where):
    turned(company, etags=kind, etag_emit=where, proved=True)
    ended = company.night()
    assert (ended.code, ended.outcomes()) == (Exit.CONVERGED, DONE)
    start = {"weak": 'W/"', "strong": '"'}[kind]
    assert all(r.if_match.startswith(start) for r in company.deletes())


@pytest.mark.parametrize("proved", [True, False])
def test_33_without_an_etag_nothing_is_deleted(company, proved):
    turned(company, etags="none", proved=proved)
    ended = company.night()
    assert ended.code == Exit.PBX
    assert company.untouched()


@pytest.mark.parametrize(
    ("if_match", "proved"),
    cases(
        *[("always_412", True), ("malformed", False)],
        *[("always_412", False), ("malformed", True)],
        check=2,
    ),
)
def test_34_a_proxy_that_spoils_the_etag_stops_the_run(company, if_match, proved):
    turned(company, if_match=if_match, proved=proved)
    ended = company.night()
    assert ended.code == Exit.PBX
    assert ended.outcomes() == (STOPPED if proved else {})
    assert kept(company)


def test_34_a_proxy_that_strips_if_match_stops_the_run(company):
    company.server.fail(method="DELETE", status=428)
    ended = company.night()
    assert (ended.code, ended.outcomes()) == (Exit.PBX, STOPPED)
    assert len(company.deletes()) == 1
    assert kept(company)


def test_35_a_tag_that_changes_with_no_edit_waits_for_tomorrow(company):
    company.server.hook(lambda: company.book.edit(5, {}), method="DELETE", path_prefix=FIFTH)
    ended = company.night()
    assert (ended.code, ended.outcomes()[5]) == (Exit.PARTIAL, Outcome.CHANGED)
    company.tomorrow()
    again = company.night()
    assert (again.code, again.outcomes()) == (Exit.CONVERGED, {5: Outcome.DELETED})


# ------------------------------------------------------------------ the listing


@pytest.mark.parametrize(
    "switches",
    cases(
        {"skip_orderby": "refused", "page_cap": "40"},
        {"order": "unstable"},
        {"page_cap": "40"},
        {"skip_orderby": "refused"},
        {"order": "arbitrary"},
        {"count": "absent"},
        {"count": "page_size"},
        {"count": "empty_value"},
        {"default_page": "50"},
        check=2,
    ),
    ids=str,
)
def test_36_pages_of_any_make_give_the_whole_listing(company, switches):
    turned(company, **switches, proved=True)
    ended = company.night()
    assert ended.report.counts.pbx["read"] == SIZE - 1
    assert (ended.code, company.left()) == (Exit.CONVERGED, set(LEAVERS))


def listed(company, first, last) -> dict:
    """A page as a wrong PBX would send it."""
    some = [c for c in company.book.all() if first <= c["Id"] <= last]
    return {"@odata.count": SIZE - 1, "value": some}


@pytest.mark.parametrize(
    ("first", "last"), [(1, 60), (1, 0), (50, 150)], ids=["short", "empty", "overlapping"]
)
def test_36_a_wrong_page_is_read_again_or_refused(company, first, last):
    page = listed(company, first, last)
    company.server.fail(path_prefix=LISTING, status=200, body=page, times=50, skip=1)
    ended = company.night()
    assert (ended.code, ended.status) == (Exit.PBX, Status.BLOCKED)
    assert ended.findings & {"pbx_incomplete", "pbx_untrusted"}
    assert company.untouched()


@pytest.mark.parametrize(
    "link",
    cases(
        "http://127.0.0.1:{port}/steal",
        "//127.0.0.1:{port}/steal",
        "http://pbx@127.0.0.1:{port}/xapi/v1/Contacts",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        check=1,
    ),
)
def test_37_a_next_link_never_leads_away(company, link):
    with closing(socket.create_server(("127.0.0.1", 0))) as thief:
        thief.setblocking(False)  # noqa: FBT003 - the method of a socket
        lure = link.format(port=thief.getsockname()[1])
        page = {**listed(company, 1, 100), "@odata.nextLink": lure}
        company.server.fail(path_prefix=LISTING, status=200, body=page)
        ended = company.night()
        with pytest.raises(BlockingIOError):
            thief.accept()
    assert ended.code in {Exit.PBX, Exit.CONVERGED}
    assert company.left() <= set(LEAVERS)


@pytest.mark.parametrize(
    "where", cases("cycle", "other_host", "http", "absolute", "relative", check=1)
)
def test_37_links_of_the_server_itself_change_nothing(company, where):
    turned(company, next_link=where, page_cap="40", proved=True)
    ended = company.night()
    assert (ended.code, ended.report.counts.pbx["read"]) == (Exit.CONVERGED, SIZE - 1)


AWAY = {"status": 302, "headers": {"Location": "http://evil.example/"}}
LOGIN = {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<html>Log in</html>"}


@pytest.mark.parametrize("fault", [AWAY, LOGIN], ids=["redirect", "login page"])
def test_38_a_redirect_or_a_login_page_is_no_listing(company, fault):
    company.server.fail(path_prefix="/xapi/v1/Contacts", **fault, times=50)
    ended = company.night()
    assert (ended.code, ended.findings) == (Exit.PBX, {"pbx_untrusted"})
    assert company.untouched()


def test_38_a_delete_that_is_redirected_stops_the_run(company):
    company.server.fail(method="DELETE", **AWAY, times=50)
    ended = company.night()
    assert (ended.code, ended.outcomes()) == (Exit.PBX, STOPPED)
    assert kept(company)


# ------------------------------------------------------------------ answers to a delete


def test_39_a_token_that_ends_in_the_middle_is_renewed_once(company):
    company.server.hook(company.server.expire_tokens, method="DELETE", path_prefix=FIFTH)
    ended = company.night()
    assert (ended.code, ended.outcomes()) == (Exit.CONVERGED, DONE)


def test_39_a_second_401_stops_the_run(company):
    company.server.fail(method="DELETE", status=401, times=50)
    ended = company.night()
    assert (ended.code, ended.outcomes()) == (Exit.PBX, STOPPED)
    assert len(company.deletes()) == 2
    assert kept(company)


def test_40_a_404_for_what_is_there_is_no_success(company):
    company.server.fail(method="DELETE", status=404, times=50)
    ended = company.night()
    assert (ended.code, ended.outcomes()) == (Exit.PBX, STOPPED)
    assert len(company.deletes()) == 1
    company.server.clear_script()
    company.tomorrow()
    assert company.night().outcomes() == DONE


def test_41_a_success_without_effect_is_not_booked(company):
    company.server.fail(method="DELETE", status=204)
    ended = company.night()
    assert ended.code == Exit.PBX
    assert ended.outcomes() == {5: Outcome.UNCONFIRMED, 6: Outcome.NOT_ATTEMPTED}
    assert kept(company)


def test_41_a_200_with_an_error_in_it_is_looked_into(company):
    error = {"error": {"code": "x", "message": "not today"}}
    company.server.fail(method="DELETE", status=200, body=error, times=50)
    ended = company.night()
    assert (ended.code, ended.status) == (Exit.PBX, Status.PARTIAL)
    assert kept(company)


def test_42_a_delete_whose_answer_was_lost_is_looked_for(company):
    company.server.fail(method="DELETE", effect="after", drop=True)
    ended = company.night()
    assert (ended.code, ended.outcomes()) == (Exit.CONVERGED, DONE)
    assert "a look showed that it is gone" in ended.contact(5).outcome_detail
    assert company.sql("SELECT count(*) FROM tombstone WHERE contact_id = 5") == [(1,)]


@pytest.mark.parametrize(
    ("asked", "waited"), cases(("7", [7.0]), ("-5", [2.0]), ("soon", [2.0]), check=2), ids=str
)
def test_43_a_busy_server_is_waited_for(company, asked, waited):
    company.server.fail(method="DELETE", status=429, headers={"Retry-After": asked})
    ended = company.night()
    assert (ended.code, company.slept) == (Exit.CONVERGED, waited)


@pytest.mark.parametrize(
    ("status", "asked"),
    cases(
        *[(429, {"Retry-After": "86400"}), (503, {})],
        *[(503, {"Retry-After": "86400"}), (429, {})],
        check=2,
    ),
    ids=str,
)
def test_43_but_not_for_ever(company, status, asked):
    company.server.fail(method="DELETE", status=status, headers=asked, times=50)
    ended = company.night()
    assert (ended.code, ended.outcomes()) == (Exit.PBX, STOPPED)
    assert sum(company.slept) <= 6
    assert kept(company)


# ------------------------------------------------------------------ another phonebook


def test_44_an_id_that_is_somebody_elses_now_is_not_ours(company):
    for at in LEAVERS:
        somebody = {"FirstName": "Zed", "LastName": f"Quux{at}", "Email": f"z{at}@else.example"}
        phones = {"PhoneNumber": f"0511 77{at}8899", "Mobile2": "", "Business": "", "Tag": ""}
        company.book.edit(at, {**somebody, **phones, "CompanyName": "Else AG"})
    ended = company.night()
    assert {ended.contact(i).verdict for i in LEAVERS} == {Verdict.UNMANAGED}
    assert company.untouched()


def test_45_a_replica_with_old_data_brings_nobody_into_danger(company):
    """A contact that we deleted is there again, under its Id; another is as it was long ago."""
    former = Book.seeded(SIZE, seed=3).get(FORMER)
    company.book.add({k: v for k, v in former.items() if k != "Id"}, reuse_id=True)
    company.book.edit(LEAVERS[0], {"Title": "as in the old days"})
    ended = company.night(company.tonight(without=(FORMER, *LEAVERS)))
    assert ended.contact(FORMER).verdict is Verdict.UNMANAGED
    assert ended.contact(LEAVERS[0]).verdict is Verdict.REVIEW
    assert company.left() == {LEAVERS[1]}


def test_46_a_phonebook_that_somebody_emptied_is_no_reason_to_go_on(company):
    text = company.tonight()
    before = company.sql("SELECT count(*) FROM claim")
    for contact in company.book.all():
        company.book.remove(contact["Id"])
    ended = company.night(text)
    assert (ended.code, ended.findings) == (Exit.PBX, {"pbx_empty"})
    assert company.methods() == {"GET"}
    assert company.sql("SELECT count(*) FROM claim") == before


def test_46_nor_is_one_of_which_a_few_are_left(company):
    text = company.tonight()
    for contact in company.book.all()[:-3]:
        company.book.remove(contact["Id"])
    claims = company.sql("SELECT count(*) FROM claim")
    ended = company.night(text)
    assert ended.code == Exit.APPROVAL
    assert "pbx_shrank" in ended.findings
    assert ended.outcomes() == {}
    assert company.methods() == {"GET"}
    assert company.sql("SELECT count(*) FROM claim") == claims, "nobody is forgotten"


def test_47_a_contact_that_somebody_else_deleted_first_is_not_counted_as_ours(company):
    company.server.hook(lambda: company.book.remove(5), method="DELETE", path_prefix=FIFTH)
    ended = company.night()
    assert ended.code == Exit.CONVERGED
    assert ended.outcomes() == {5: Outcome.ALREADY_GONE, 6: Outcome.DELETED}
    assert company.sql("SELECT count(*) FROM action WHERE outcome = 'deleted'") == [(2,)]


# ------------------------------------------------------------------ the wire


@pytest.mark.parametrize("tls", ["self_signed", "wrong_name"])
def test_48_a_certificate_that_is_not_the_servers_is_refused(begun, tmp_path, tls):
    with SandboxServer(scene.book(), client_secret=SECRET, switches=Switches(tls=tls)) as server:
        company = scene.continued(server, begun, tmp_path)
        if tls == "wrong_name":
            company.settings["pbx.ca_file"] = str(server.ca_file)
        ended = company.night()
        assert (ended.code, ended.findings) == (Exit.PBX, {"pbx_unreachable"})
        assert server.requests == ()


def test_48_a_name_that_leads_elsewhere_now_gets_nothing(company):
    company.exported()
    company.server.stop()
    ended = company.ends(company.run)
    assert (ended.code, ended.findings) == (Exit.PBX, {"pbx_unreachable"})


def test_49_a_field_with_a_nul_is_only_text(company):
    company.book.edit(5, {"Title": "a\0b"})
    company.book.edit(50, {"Title": "a\0b"})
    ended = company.night()
    assert ended.code == Exit.CONVERGED
    assert company.left() == {6}


def test_49_json_without_end_is_refused(company):
    deep = '{"value":' + "[" * 100_000 + "]" * 100_000 + "}"
    json = {"Content-Type": "application/json"}
    company.server.fail(path_prefix=LISTING, status=200, body=deep, headers=json, times=50)
    ended = company.night()
    assert (ended.code, ended.findings) == (Exit.PBX, {"pbx_untrusted"})
    assert company.untouched()
