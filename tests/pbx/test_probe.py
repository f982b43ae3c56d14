"""The probe tells what a PBX does with ETags, exactly, and leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconcile.errors import PbxError
from reconcile.model import EtagKind, IfMatch
from reconcile.pbx.probe import PROBE_CONTACT, probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pbx.conftest import FakePbx

    from reconcile.model import Probe
    from reconcile.pbx.client import PbxReader

OTHERS = [
    {"FirstName": "Jo", "PhoneNumber": "1", "Tag": "reconcile-probe"},
    {"FirstName": "reconcile-probe", "PhoneNumber": "+999000000000", "Tag": "x"},
    {"FirstName": "Ann", "PhoneNumber": "2"},
]


@pytest.fixture
def run(pbx: FakePbx, reader: PbxReader, now: datetime) -> Callable[[], Probe]:
    """Probes a PBX that has contacts of other people, which must all be there afterwards."""
    for entity in OTHERS:
        pbx.add(**entity)

    def probed() -> Probe:
        proof = probe(reader.connection, reader, now=now)
        assert [{k: v for k, v in e.items() if k != "Id"} for e in pbx.contacts.values()] == OTHERS
        assert not [seen for seen in pbx.sent("DELETE") if "(1)" in seen.path or "(2)" in seen.path]
        return proof

    return probed


@pytest.mark.parametrize(
    ("etags", "if_match", "where", "kind", "verdict", "words"),
    [
        ("strong", "enforced", "list entity", EtagKind.STRONG, IfMatch.ENFORCED, "same ETag"),
        ("weak", "enforced", "list entity", EtagKind.WEAK, IfMatch.ENFORCED, "same ETag"),
        ("weak", "enforced", "header", EtagKind.WEAK, IfMatch.ENFORCED, "listing has no ETags"),
        ("strong", "required", "entity", EtagKind.STRONG, IfMatch.ENFORCED, "no ETags; a single"),
        ("strong", "ignored", "list entity", EtagKind.STRONG, IfMatch.IGNORED, "old ETag was done"),
        ("weak", "ignored", "list entity", EtagKind.WEAK, IfMatch.IGNORED, "answered 204"),
        ("none", "ignored", "list entity", EtagKind.NONE, IfMatch.UNPROVEN, "issues no ETag"),
        ("none", "enforced", "list entity", EtagKind.NONE, IfMatch.UNPROVEN, "issues no ETag"),
        ("weak", "always_412", "entity", EtagKind.WEAK, IfMatch.UNPROVEN, "the right one was"),
    ],
)
def test_the_verdict_is_exact(
    *,
    pbx: FakePbx,
    run: Callable[[], Probe],
    now: datetime,
    etags: str,
    if_match: str,
    where: str,
    kind: EtagKind,
    verdict: IfMatch,
    words: str,
) -> None:
    pbx.etags, pbx.if_match, pbx.etag_in = etags, if_match, set(where.split())
    proof = run()
    assert (proof.etags, proof.if_match) == (kind, verdict)
    assert words in proof.detail
    assert (proof.pbx_url, proof.pbx_version, proof.probed_at) == (pbx.url, "20.0.9.995", now)


def test_no_tag_is_sent_that_the_server_did_not_issue(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    run()
    assert [seen.headers.get("if-match") for seen in pbx.sent("DELETE")] == ['"v1"', '"v2"']


def test_what_a_crashed_probe_left_is_removed_first(pbx: FakePbx, run: Callable[[], Probe]) -> None:
    for _ in range(3):
        pbx.add(**PROBE_CONTACT)
    assert run().if_match is IfMatch.ENFORCED
    first_post = next(
        i for i, s in enumerate(pbx.requests) if s.method == "POST" and "Con" in s.path
    )
    assert sum(seen.method == "DELETE" for seen in pbx.requests[:first_post]) == 3


def test_leftovers_are_removed_even_where_if_match_is_required(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    pbx.if_match = "required"
    pbx.add(**PROBE_CONTACT)
    assert run().if_match is IfMatch.ENFORCED


@pytest.mark.parametrize(
    ("method", "pattern", "status", "words"),
    [
        ("POST", "Contacts", 403, "may not do that"),
        ("POST", "Contacts", 400, "answered 400"),
        ("PATCH", "", 405, "answered 405"),
        ("PATCH", "", 500, "answered 500"),
        ("DELETE", "", 403, "answered 403, not 412"),
        ("DELETE", "", 401, "answered 401, not 412"),
        ("DELETE", "", 204, "answered 204, not 412"),
        ("DELETE", "", 404, "answered 404, not 412"),
        ("GET", r"Contacts\(4\)", 403, "may not do that"),
    ],
)
def test_what_goes_wrong_proves_nothing_and_is_cleaned_up(
    *, pbx: FakePbx, run: Callable[[], Probe], method: str, pattern: str, status: int, words: str
) -> None:
    pbx.answers(method, pattern, status=status)
    proof = run()
    assert proof.if_match is IfMatch.UNPROVEN
    assert words in proof.detail
    assert "by hand" not in proof.detail


def test_a_lost_create_is_found_and_removed(pbx: FakePbx, run: Callable[[], Probe]) -> None:
    pbx.answers("POST", "Contacts", drop=True, effect=True)
    assert run().if_match is IfMatch.UNPROVEN


def test_a_delete_with_an_old_tag_whose_answer_is_lost_was_done_all_the_same(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    pbx.if_match = "ignored"
    pbx.answers("DELETE", "", drop=True, effect=True)
    proof = run()
    assert proof.if_match is IfMatch.IGNORED
    assert "not answered" in proof.detail


def test_a_right_delete_whose_answer_is_lost_proves_nothing(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    pbx.hooks("DELETE", "", lambda _seen: None)
    pbx.answers("DELETE", "", drop=True, effect=True)
    proof = run()
    assert proof.if_match is IfMatch.UNPROVEN
    assert "the right one was not answered" in proof.detail


def test_a_412_that_deletes_all_the_same_proves_nothing(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    pbx.if_match = "ignored"
    pbx.answers("DELETE", "", status=412, effect=True)
    assert run().if_match is IfMatch.UNPROVEN
    assert len(pbx.sent("DELETE")) == 1


def test_a_contact_that_somebody_else_removes_proves_nothing(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    pbx.hooks("DELETE", "", lambda _seen: pbx.contacts.pop(4) and None)
    assert run().if_match is IfMatch.UNPROVEN


def test_a_contact_that_is_gone_after_its_creation_proves_nothing(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    pbx.hooks("GET", r"Contacts\(4\)", lambda _seen: pbx.contacts.pop(4) and None)
    assert "was not there" in run().detail


def test_an_edit_that_does_not_show_proves_nothing(pbx: FakePbx, run: Callable[[], Probe]) -> None:
    pbx.answers("PATCH", "", status=204)
    assert "did not show" in run().detail


def test_an_etag_that_an_edit_does_not_change_proves_nothing(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    def edit_without_a_new_tag(_seen: object) -> None:
        pbx.versions[4] -= 1

    pbx.hooks("PATCH", "", edit_without_a_new_tag)
    proof = run()
    assert (proof.etags, proof.if_match) == (EtagKind.STRONG, IfMatch.UNPROVEN)
    assert "no new ETag" in proof.detail


def test_different_tags_in_listing_and_entity_are_reported(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    entity = '{"value":[{"Id":4,"@odata.etag":"other","FirstName":"%s","Tag":"%s"}]}'
    body = entity % (PROBE_CONTACT["FirstName"], PROBE_CONTACT["Tag"])
    pbx.hooks("GET", "Tag eq", lambda _seen: None)
    pbx.answers("GET", "Tag eq", body=body)
    assert "different ETags" in run().detail


def test_a_contact_that_somebody_makes_their_own_is_left_alone(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.hooks("GET", r"Contacts\(1\)", lambda _seen: pbx.edit(1, FirstName="Ann"))
    proof = probe(reader.connection, reader, now=now)
    assert proof.if_match is IfMatch.UNPROVEN
    assert "by hand" not in proof.detail
    assert pbx.contacts[1]["FirstName"] == "Ann"
    assert not pbx.sent("DELETE")


@pytest.mark.parametrize("etags", ["strong", "none"])
def test_what_can_not_be_removed_is_told_to_a_person(
    pbx: FakePbx, reader: PbxReader, now: datetime, etags: str
) -> None:
    pbx.etags = etags
    pbx.answers("DELETE", "", status=403, times=99)
    proof = probe(reader.connection, reader, now=now)
    assert 'Delete the contact "reconcile-probe" in the 3CX console by hand (1).' in proof.detail
    again = probe(reader.connection, reader, now=now)
    assert "An earlier probe's contact 1 can't be deleted" in again.detail
    assert list(pbx.contacts) == [1]


def test_a_pbx_that_breaks_down_in_the_middle_is_told_to_a_person(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.answers("PATCH", "", status=500)
    pbx.hooks("GET", "Tag eq", lambda _seen: None, times=2)
    pbx.answers("GET", "Contacts", status=500, times=99)
    proof = probe(reader.connection, reader, now=now)
    assert proof.if_match is IfMatch.UNPROVEN
    assert "by hand" in proof.detail


def test_without_a_way_to_find_its_contacts_nothing_is_made(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.refuses = {"$filter"}
    proof = probe(reader.connection, reader, now=now)
    assert proof.if_match is IfMatch.UNPROVEN
    assert "answered 400" in proof.detail
    assert "by hand" not in proof.detail
    assert not pbx.sent("POST", "Contacts")


def test_a_lost_create_that_can_not_be_looked_for_is_told_to_a_person(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    def lose_the_filter(_seen: object) -> None:
        pbx.refuses = {"$filter"}

    pbx.hooks("POST", "Contacts", lose_the_filter)
    pbx.answers("GET", r"Contacts\(", status=500, times=99)
    proof = probe(reader.connection, reader, now=now)
    assert "by hand" in proof.detail


def test_wrong_credentials_are_no_verdict(
    pbx: FakePbx, connect: Callable[..., PbxReader], now: datetime
) -> None:
    reader = connect(pbx, client_secret="wrong")
    with pytest.raises(PbxError):
        probe(reader.connection, reader, now=now)
