"""The probe tells what a PBX does with ETags, exactly, and leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconcile.errors import PbxError
from reconcile.model import Acceptance, EtagKind, IfMatch
from reconcile.pbx.client import PbxReader
from reconcile.pbx.probe import PROBE_CONTACT, probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pbx.conftest import FakePbx, Seen

    from reconcile.model import Probe

NOT_FOUND = '{"error":{"code":"","message":"WARNINGS.XAPI.NOT_FOUND"}}'
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


YES, NO, OPEN = Acceptance.ACCEPTED, Acceptance.REFUSED, Acceptance.UNPROVEN
EVERYWHERE = "list, entity, header"


@pytest.mark.parametrize(
    ("etags", "if_match", "where", "verdict", "words"),
    [
        ("strong", "enforced", EVERYWHERE, (IfMatch.ENFORCED, YES, YES), "refused with 412"),
        ("weak", "enforced", EVERYWHERE, (IfMatch.ENFORCED, YES, YES), "right one accepted"),
        ("weak", "enforced", "header", (IfMatch.ENFORCED, YES, YES), "refused with 412"),
        ("weak", "enforced", "list, entity", (IfMatch.ENFORCED, YES, YES), "refused with 412"),
        (
            "strong",
            "required",
            "entity",
            (IfMatch.ENFORCED, YES, NO),
            "without an ETag was answered 4",
        ),
        ("strong", "ignored", EVERYWHERE, (IfMatch.IGNORED, OPEN, YES), "old ETag was done"),
        ("weak", "ignored", EVERYWHERE, (IfMatch.IGNORED, OPEN, YES), "answered 204"),
        ("none", "ignored", "", (IfMatch.UNPROVEN, OPEN, YES), "issues no ETag"),
        ("none", "enforced", "", (IfMatch.UNPROVEN, OPEN, YES), "issues no ETag"),
        ("none", "required", "", (IfMatch.UNPROVEN, OPEN, NO), "without an ETag was answered 428"),
        ("weak", "always_412", "entity", (IfMatch.UNPROVEN, NO, YES), "nothing can be deleted"),
    ],
)
def test_the_verdict_is_exact(
    *,
    pbx: FakePbx,
    reader: PbxReader,
    now: datetime,
    etags: str,
    if_match: str,
    where: str,
    verdict: tuple[IfMatch, Acceptance, Acceptance],
    words: str,
) -> None:
    pbx.add(FirstName="Ann", PhoneNumber="2")
    pbx.etags, pbx.if_match, pbx.etag_in = etags, if_match, set(where.split(", "))
    proof = probe(reader.connection, reader, now=now)
    assert (proof.etags, proof.etags_in) == (EtagKind(etags), where)
    assert (proof.if_match, proof.right_etag, proof.without_etag) == verdict
    assert words in proof.detail
    assert (proof.pbx_url, proof.pbx_version, proof.probed_at) == (pbx.url, "20.0.9.995", now)
    left = [] if (etags, if_match) != ("none", "required") else [2, 3]
    assert list(pbx.contacts) == [1, *left]
    assert ("by hand" in proof.detail) is bool(left)


@pytest.mark.parametrize("missing", [(404, ""), (404, NOT_FOUND), (400, NOT_FOUND), (410, "<p>")])
def test_what_a_missing_id_is_answered_is_seen(
    pbx: FakePbx, run: Callable[[], Probe], missing: tuple[int, str]
) -> None:
    status, body = missing

    def gone(_seen: Seen) -> None:
        if not {4, 5} & pbx.contacts.keys():
            pbx.answers("GET", r"Contacts\([45]\)", status=status, body=body, times=9)

    pbx.hooks("GET", "Id eq 5", gone)
    kind = {"": "empty", NOT_FOUND: "odata", "<p>": "html"}[body]
    assert run().missing == f"{status}, {kind}"


def test_how_the_listing_is_read_is_told(pbx: FakePbx, reader: PbxReader, now: datetime) -> None:
    pbx.fill(60)
    pbx.page_cap = 40
    reader.snapshot(now=now)
    proof = probe(reader.connection, reader, now=now)
    assert (proof.paging, proof.page_cap) == ("skip", 40)
    pbx.refuses, pbx.page_cap, pbx.top_limit = {"$skip"}, 100, 50
    other = PbxReader(reader.connection)
    with other:
        other.snapshot(now=now)
        proof = probe(other.connection, other, now=now)
    assert (proof.paging, proof.page_cap) == ("key", 50)


@pytest.mark.parametrize(("limit", "cap"), [(100, 100), (200, 0)])
def test_the_page_limit_is_found_by_asking_for_one_too_many(
    *, pbx: FakePbx, run: Callable[[], Probe], limit: int, cap: int
) -> None:
    pbx.top_limit = limit
    assert run().page_cap == cap


def test_a_refusal_without_a_number_means_that_the_known_limit_holds(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    pbx.answers("GET", r"\$top=101", status=400)
    assert run().page_cap == 100


def test_no_tag_is_sent_that_the_server_did_not_issue(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    run()
    sent = [(seen.path, seen.headers.get("if-match")) for seen in pbx.sent("DELETE")]
    first, second = "/xapi/v1/Contacts(4)", "/xapi/v1/Contacts(5)"
    assert sent == [(first, '"v1"'), (first, '"v1"'), (first, '"v2"'), (second, None)]


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
    pbx.hooks("DELETE", "", lambda _seen: None, times=2)
    pbx.answers("DELETE", "", drop=True, effect=True)
    proof = run()
    assert proof.if_match is IfMatch.UNPROVEN
    assert "the right one was not answered" in proof.detail


def test_one_412_by_chance_is_no_proof(pbx: FakePbx, run: Callable[[], Probe]) -> None:
    pbx.if_match = "ignored"
    pbx.answers("DELETE", "", status=412)
    assert run().if_match is IfMatch.IGNORED


def test_an_id_that_somebody_else_got_meanwhile_is_left_alone(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    """The tag was ignored, and before the look a real person got the Id."""
    pbx.add(FirstName="Ann", PhoneNumber="2")
    pbx.if_match = "ignored"
    person = {"Id": 2, "FirstName": "Real", "LastName": "Person", "PhoneNumber": "+49301"}

    def reuse(_seen: Seen) -> None:
        pbx.contacts[2] = person

    pbx.hooks("DELETE", "", lambda _seen: pbx.hooks("GET", r"Contacts\(2\)", reuse))
    proof = probe(reader.connection, reader, now=now)
    assert proof.if_match is IfMatch.IGNORED
    assert pbx.contacts[2] == person
    assert [seen.path for seen in pbx.sent("DELETE")].count("/xapi/v1/Contacts(2)") == 1


def test_a_pbx_that_does_not_keep_the_tag_is_told_to_a_person(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.add(FirstName="Ann", PhoneNumber="2")
    pbx.hooks("GET", r"Contacts\(2\)", lambda _seen: pbx.edit(2, Tag=None), times=99)
    proof = probe(reader.connection, reader, now=now)
    assert proof.if_match is IfMatch.UNPROVEN
    assert "in the 3CX console by hand (2)" in proof.detail
    assert 2 in pbx.contacts


def test_a_creation_that_is_done_later_is_told_to_a_person(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.answers("POST", "Contacts", drop=True)
    proof = probe(reader.connection, reader, now=now)
    assert "by hand (if there is one)" in proof.detail


def test_a_412_that_deletes_all_the_same_proves_nothing(
    pbx: FakePbx, run: Callable[[], Probe]
) -> None:
    pbx.if_match = "ignored"
    pbx.answers("DELETE", "", status=412, effect=True)
    assert run().if_match is IfMatch.UNPROVEN
    assert [seen.headers.get("if-match") for seen in pbx.sent("DELETE")] == ['"v1"', None]


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
    pbx.hooks("GET", "Tag eq '[^']*'$", lambda _seen: None)
    pbx.answers("GET", "Tag eq '[^']*'$", body=body)
    assert "disagree" in run().detail


def test_a_contact_that_somebody_makes_their_own_is_left_alone(
    pbx: FakePbx, reader: PbxReader, now: datetime
) -> None:
    pbx.hooks("GET", r"Contacts\(1\)", lambda _seen: pbx.edit(1, FirstName="Ann", PhoneNumber="2"))
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
    assert 'Delete the contact "reconcile-probe" in the 3CX console by hand (1, 2).' in proof.detail
    again = probe(reader.connection, reader, now=now)
    assert "An earlier probe's contact 1 can't be deleted" in again.detail
    assert list(pbx.contacts) == [1, 2]


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
    reader = connect(pbx, client_secret="canary-secret-wrong")
    with pytest.raises(PbxError):
        probe(reader.connection, reader, now=now)
