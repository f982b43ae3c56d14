"""What an answer to nonsense, and to an Id that is not there, may look like."""

from __future__ import annotations

import pytest

CONTACTS = "/xapi/v1/Contacts"
TOO_MANY = f"{CONTACTS}?$top=101"
LIMIT = "The limit of '100' for Top query has been exceeded."
FORMS = ["odata", "odata_inner", "empty", "text", "html"]


@pytest.fixture
def errors(pbx, turn):
    """A 404 and a 400 of one form, and the 400 of the validation layer."""

    def given(form):
        turn(error_body=form)
        incomplete = pbx.post(CONTACTS, json={"FirstName": "no number"})
        return pbx.get(f"{CONTACTS}(99)"), pbx.get(TOO_MANY), incomplete

    return given


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_error_has_the_same_status_and_version(errors, form):
    answers = errors(form)
    assert [answer.status_code for answer in answers] == [404, 400, 400]
    assert {answer.headers["x-3cx-version"] for answer in answers} == {"20.0.9.995"}


def test_an_error_is_odata_s_as_the_framework_spells_it(errors):
    missing, query, incomplete = (answer.json()["error"] for answer in errors("odata"))
    assert missing == {"code": "", "message": "Resource not found.", "details": []}
    assert list(query) == ["code", "message", "details", "innererror"]
    assert incomplete["details"][0]["code"] == ""


def test_an_error_is_odata_s_as_the_specification_spells_it_without_code(errors):
    missing, query, incomplete = (answer.json()["error"] for answer in errors("odata_inner"))
    assert missing == {"message": "Resource not found.", "details": []}
    assert list(query) == ["message", "details", "innerError"]
    assert query["innerError"]["message"].startswith(LIMIT)
    assert incomplete["details"] == [
        {"message": "WARNINGS.CONTACTS_SPECIFY_PHONE_NUMBER", "target": "PhoneNumber"}
    ]


def test_an_error_may_be_without_a_body(errors):
    for answer in errors("empty"):
        assert (answer.content, answer.headers["content-length"]) == (b"", "0")
        assert "content-type" not in answer.headers


def test_an_error_may_be_a_text(errors):
    missing, query, incomplete = errors("text")
    assert missing.headers["content-type"] == "text/plain; charset=utf-8"
    assert missing.text == "Resource not found."
    assert LIMIT in query.text
    assert incomplete.text == "PhoneNumber:\nWARNINGS.CONTACTS_SPECIFY_PHONE_NUMBER"


def test_an_error_may_be_nginx_s_page(errors):
    missing, query, _ = errors("html")
    assert missing.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>404 Not Found</title>" in missing.text
    assert "<h1>400 Bad Request</h1>" in query.text
    assert LIMIT not in query.text


@pytest.mark.parametrize("form", FORMS)
def test_the_form_is_one_for_all_refusals(pbx, turn, form):
    turn(error_body=form, if_match="required")
    wrong = [
        pbx.get("/xapi/v1/Defs?$select=Tag"),
        pbx.get(f"{CONTACTS}(1)?$select=Mobile"),
        pbx.post(CONTACTS, content=b"{"),
        pbx.patch(f"{CONTACTS}(1)", content=b"{"),
        pbx.patch(f"{CONTACTS}(99)", json={"Tag": "x"}),
        pbx.patch(f"{CONTACTS}(1)", json={"PhoneNumber": ""}),
        pbx.patch(f"{CONTACTS}(1)", json={"Tag": "x"}, headers={"If-Match": '"stale"'}),
        pbx.delete(f"{CONTACTS}(99)"),
        pbx.delete(f"{CONTACTS}(1)"),
        pbx.post(f"{CONTACTS}/Pbx.DeleteContactsById", json={}),
    ]
    assert [answer.status_code for answer in wrong] == [400] * 4 + [404, 400, 412, 404, 428, 400]
    kinds = {answer.headers.get("content-type", "").partition(";")[0] for answer in wrong}
    expected = {"empty": "", "text": "text/plain", "html": "text/html"}
    assert kinds == {expected.get(form, "application/json")}


@pytest.mark.parametrize("form", FORMS)
def test_without_a_token_the_answer_is_bare_whatever_the_form(pbx, turn, server, form):
    turn(error_body=form)
    server.expire_tokens()
    answer = pbx.get(CONTACTS)
    assert (answer.status_code, answer.content) == (401, b"")


def test_a_scripted_fault_is_sent_as_it_was_written_whatever_the_form(pbx, turn, server):
    turn(error_body="html")
    server.fail(status=400, body="as written")
    assert pbx.get(CONTACTS).text == "as written"


NOT_FOUND = [("Id", "WARNINGS.XAPI.NOT_FOUND")]


@pytest.mark.parametrize(
    ("form", "status"), [("404_json", 404), ("404_empty", 404), ("400", 400), ("204", 204)]
)
def test_a_delete_of_what_is_not_there_is_answered_in_one_of_four_ways(pbx, turn, form, status):
    turn(delete_missing=form)
    answer = pbx.delete(f"{CONTACTS}(99)")
    assert answer.status_code == status
    _check_missing(answer, form)
    assert pbx.get(f"{CONTACTS}(99)").json()["error"]["message"] == "Resource not found."


@pytest.mark.parametrize(("form", "status"), [("404_json", 404), ("404_empty", 404), ("400", 400)])
def test_a_get_of_what_is_not_there_is_answered_in_one_of_three_ways(pbx, turn, form, status):
    turn(get_missing=form)
    answer = pbx.get(f"{CONTACTS}(99)")
    assert answer.status_code == status
    _check_missing(answer, form)
    assert pbx.delete(f"{CONTACTS}(99)").json()["error"]["message"] == "Resource not found."


def _check_missing(answer, form):
    if form in {"404_empty", "204"}:
        assert answer.content == b""
    elif form == "404_json":
        assert answer.json()["error"]["message"] == "Resource not found."
    else:
        details = answer.json()["error"]["details"]
        assert [(each["target"], each["message"]) for each in details] == NOT_FOUND


def test_an_empty_404_stays_empty_in_a_form_that_has_a_body(pbx, turn):
    turn(get_missing="404_empty", error_body="html")
    assert pbx.get(f"{CONTACTS}(99)").content == b""


def test_a_missing_contact_can_not_be_changed_however_it_is_read_or_deleted(pbx, turn):
    turn(get_missing="400", delete_missing="204")
    assert pbx.patch(f"{CONTACTS}(99)", json={"Tag": "x"}).status_code == 404
