"""One conditional DELETE, one POST; no answer is lost and nothing is sent twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconcile.errors import PbxError, PbxRefused, PbxUnreachable, PbxUntrusted
from reconcile.model import ContentMatch, ServerEtag
from reconcile.pbx.client import PbxWriter

if TYPE_CHECKING:
    from pbx.conftest import FakePbx

    from reconcile.pbx.client import PbxReader

ANY = ContentMatch(fingerprint="x")
NOT_FOUND = '{"error":{"message":"WARNINGS.XAPI.NOT_FOUND"}}'
JO = {"FirstName": "Jo", "PhoneNumber": "0301"}


@pytest.fixture
def writer(reader: PbxReader) -> PbxWriter:
    return PbxWriter(reader)


@pytest.mark.parametrize("tag", ['"a b"', 'W/"MSwn"', "bare"])
def test_the_etag_goes_back_byte_for_byte(pbx: FakePbx, writer: PbxWriter, tag: str) -> None:
    pbx.add(**JO)
    pbx.answers("DELETE", "", status=204)
    assert writer.delete(1, ServerEtag(tag=tag)).status == 204
    (seen,) = pbx.sent("DELETE")
    assert seen.headers["if-match"] == tag
    assert seen.target == "/xapi/v1/Contacts(1)"
    assert seen.body == b""


def test_without_an_etag_no_if_match_is_made_up(pbx: FakePbx, writer: PbxWriter) -> None:
    pbx.add(**JO)
    assert writer.delete(1, ANY).status == 204
    assert "if-match" not in pbx.sent("DELETE")[0].headers
    assert pbx.contacts == {}


def test_a_stale_etag_is_refused_and_the_contact_stays(pbx: FakePbx, writer: PbxWriter) -> None:
    pbx.add(**JO)
    pbx.edit(1, FirstName="Joe")
    assert writer.delete(1, ServerEtag(tag='"v1"')).status == 412
    assert 1 in pbx.contacts


@pytest.mark.parametrize(
    ("status", "body", "not_found"),
    [
        (200, "", False),
        (200, '{"Id":1}', False),
        (202, "", False),
        (404, "", True),
        (404, NOT_FOUND, True),
        (404, "<html>", False),
        (410, "", True),
        (400, NOT_FOUND, True),
        (400, "", False),
        (403, "", False),
        (405, "", False),
        (409, "", False),
        (412, NOT_FOUND, False),
        (428, "", False),
        (429, "", False),
        (500, "", False),
        (503, NOT_FOUND, False),
    ],
)
def test_every_status_is_handed_back_after_one_request(
    *, pbx: FakePbx, writer: PbxWriter, status: int, body: str, not_found: bool
) -> None:
    pbx.answers("DELETE", "", status=status, body=body, times=9)
    answer = writer.delete(1, ANY)
    assert (answer.status, answer.not_found) == (status, not_found)
    assert len(pbx.sent("DELETE")) == 1


def test_the_reason_and_the_wait_are_handed_back_in_words(
    pbx: FakePbx, writer: PbxWriter, slept: list[float]
) -> None:
    body = '{"error":{"message":"WARNINGS.CANNOT_BE_DELETED"}}'
    pbx.answers("DELETE", "", status=429, body=body, headers={"Retry-After": "7"})
    answer = writer.delete(1, ANY)
    assert answer.detail == "it can't be deleted (WARNINGS.CANNOT_BE_DELETED)"
    assert answer.retry_after == 7.0
    assert slept == []


@pytest.mark.parametrize(
    "body",
    [
        "<html><title>Log in</title>",
        '{"error":{"message":"x"}}',
        '{"error":"invalid_client"}',
        '{"Id":',
        "ok",
    ],
)
def test_a_success_with_anything_but_json_inside_leaves_it_open(
    pbx: FakePbx, writer: PbxWriter, body: str
) -> None:
    pbx.answers("DELETE", "", status=200, body=body)
    answer = writer.delete(1, ANY)
    assert answer.status is None
    assert answer.detail.startswith("it answered 200: ")


@pytest.mark.parametrize("effect", [True, False])
def test_a_lost_answer_is_unknown_and_not_sent_again(
    pbx: FakePbx,
    writer: PbxWriter,
    reader: PbxReader,
    effect: bool,  # noqa: FBT001 - a case
) -> None:
    pbx.add(**JO)
    pbx.add(PhoneNumber="somebody else")
    pbx.answers("DELETE", "", drop=True, effect=effect)
    answer = writer.delete(1, ServerEtag(tag='"v1"'))
    assert answer.status is None
    assert "broke the connection off" in answer.detail
    assert len(pbx.sent("DELETE")) == 1
    assert (reader.contact(1) is None) is effect


def test_half_an_answer_is_unknown(pbx: FakePbx, writer: PbxWriter) -> None:
    pbx.answers("DELETE", "", status=200, body="{", short=True)
    assert writer.delete(1, ANY).status is None


def test_a_connection_that_died_while_idle_is_not_tried_a_second_time(
    pbx: FakePbx, writer: PbxWriter, reader: PbxReader
) -> None:
    pbx.add(**JO)
    reader.contact(1)
    pbx.answers("DELETE", "", drop=True)
    assert writer.delete(1, ANY).status is None
    assert writer.delete(1, ANY).status == 204


def test_a_redirect_of_a_delete_is_handed_back(pbx: FakePbx, writer: PbxWriter) -> None:
    pbx.answers("DELETE", "", status=307, headers={"Location": "https://evil.test/x"})
    answer = writer.delete(1, ANY)
    assert answer.status == 307
    assert "evil.test" in answer.detail
    assert len(pbx.requests) == 2


def test_a_401_is_handed_back_and_the_re_read_gets_a_new_token(
    pbx: FakePbx, writer: PbxWriter, reader: PbxReader
) -> None:
    pbx.add(**JO)
    reader.contact(1)
    pbx.token = "somebody else's"
    assert writer.delete(1, ANY).status == 401
    assert len(pbx.sent("DELETE")) == 1
    assert pbx.tokens == 1
    assert reader.contact(1) is not None
    assert pbx.tokens == 2
    assert writer.delete(1, ANY).status == 204


def test_what_can_be_no_id_is_refused_before_anything_is_sent(
    pbx: FakePbx, writer: PbxWriter
) -> None:
    for contact_id in (0, -1):
        with pytest.raises(ValueError, match="Id of a contact"):
            writer.delete(contact_id, ANY)
    assert pbx.requests == []


# ---------------------------------------------------------------------------- create


def test_a_contact_is_created_from_a_tombstone_without_what_the_server_assigns(
    pbx: FakePbx, writer: PbxWriter
) -> None:
    entity = {"Id": 77, "@odata.etag": "x", "Home": None, "Pager": "", **JO}
    contact = writer.create(entity)
    assert (contact.id, contact.etag, contact.fields) == (1, '"v1"', JO)
    assert json.loads(pbx.sent("POST", "Contacts")[0].body) == JO


def test_a_refused_create_has_the_reason(pbx: FakePbx, writer: PbxWriter) -> None:
    with pytest.raises(PbxRefused, match="a contact needs a number in PhoneNumber"):
        writer.create({"FirstName": "Jo"})
    assert len(pbx.sent("POST", "Contacts")) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, "", PbxRefused),
        (403, "", PbxRefused),
        (404, "", PbxRefused),
        (503, "", PbxUnreachable),
        (204, "", PbxUntrusted),
        (302, "", PbxUntrusted),
        (201, "", PbxUntrusted),
        (201, '{"FirstName":"Jo"}', PbxUntrusted),
    ],
)
def test_no_create_is_sent_twice(
    *, pbx: FakePbx, writer: PbxWriter, status: int, body: str, kind: type[PbxError]
) -> None:
    pbx.answers("POST", "Contacts", status=status, body=body, times=9)
    with pytest.raises(kind):
        writer.create(JO)
    assert len(pbx.sent("POST", "Contacts")) == 1


def test_a_create_whose_answer_is_lost_can_be_looked_for(
    pbx: FakePbx, writer: PbxWriter, reader: PbxReader
) -> None:
    pbx.answers("POST", "Contacts", drop=True, effect=True)
    with pytest.raises(PbxUnreachable):
        writer.create(JO)
    assert len(reader.find("PhoneNumber", "0301")) == 1
