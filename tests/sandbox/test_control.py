from __future__ import annotations

from dataclasses import asdict

import pytest

from reconcile.sandbox import Switches

CONTACTS = "/xapi/v1/Contacts"


@pytest.fixture
def control(server, connect):
    """A person at the admin console: no token."""
    client = connect(server, stranger=True)
    client.base_url = f"{server.url}/sandbox"
    return client


def test_contacts_are_listed_added_edited_and_removed_behind_the_client_s_back(control, book):
    assert control.get("/contacts").json()["value"] == book.all()
    made = control.post("/contacts", json={"FirstName": "No number"})
    assert (made.status_code, made.json()) == (201, {"Id": 6})
    assert control.patch("/contacts/6", json={"Tag": "t"}).json()["Tag"] == "t"
    assert book.get(6)["Tag"] == "t"
    assert control.delete("/contacts/6").status_code == 200
    assert book.get(6) is None


def test_a_contact_may_belong_to_a_department(control, pbx):
    control.post("/contacts", json={"FirstName": "Dora", "scope": "department"})
    assert 6 not in {each["Id"] for each in pbx.get(CONTACTS).json()["value"]}
    assert pbx.get(f"{CONTACTS}(6)").json()["FirstName"] == "Dora"


def test_an_edit_here_makes_a_tag_stale_there(control, pbx):
    tag = pbx.get(f"{CONTACTS}(1)").headers["etag"]
    control.patch("/contacts/1", json={"Title": "x"})
    assert pbx.delete(f"{CONTACTS}(1)", headers={"If-Match": tag}).status_code == 412


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_contact_that_is_not_there_is_404(control, method):
    answer = control.request(method, "/contacts/99", json={})
    assert (answer.status_code, answer.json()) == (404, {"error": "there is no contact 99"})


def test_the_next_request_can_be_made_to_fail(control, pbx, book):
    fault = {
        "method": "DELETE",
        "path_prefix": f"{CONTACTS}(1)",
        "status": 504,
        "body": {"late": True},
        "headers": {"Retry-After": "1"},
        "effect": "after",
        "times": 1,
        "skip": 0,
        "drop": False,
    }
    assert control.post("/fail", json=fault).status_code == 201
    answer = pbx.delete(f"{CONTACTS}(1)")
    assert (answer.status_code, answer.json()) == (504, {"late": True})
    assert answer.headers["retry-after"] == "1"
    assert book.get(1) is None


def test_a_colleague_can_be_hooked_to_a_request(control, pbx, book):
    hook = {
        "method": "DELETE",
        "path_prefix": f"{CONTACTS}(1)",
        "action": "edit",
        "id": 1,
        "fields": {"Title": "meanwhile"},
    }
    assert control.post("/hook", json=hook).status_code == 201
    tag = pbx.get(f"{CONTACTS}(1)").headers["etag"]
    assert pbx.delete(f"{CONTACTS}(1)", headers={"If-Match": tag}).status_code == 412
    assert book.get(1)["Title"] == "meanwhile"


def test_a_hook_may_add_remove_or_end_the_token(control, pbx):
    control.post("/hook", json={"action": "add", "fields": {"FirstName": "By CRM lookup"}})
    control.post("/hook", json={"action": "remove", "id": 1, "nth": 2})
    control.post("/hook", json={"action": "expire-tokens", "nth": 3})
    assert [len(pbx.get(CONTACTS).json()["value"]) for _ in range(2)] == [6, 5]
    assert pbx.get(CONTACTS).status_code == 401


def test_a_hook_that_comes_too_late_finds_nothing_and_harms_nothing(control, pbx):
    control.post("/hook", json={"action": "remove", "id": 99})
    assert pbx.get(CONTACTS).status_code == 200


def test_what_still_waits_can_be_forgotten(control, pbx):
    control.post("/fail", json={})
    control.delete("/script")
    assert pbx.get(CONTACTS).status_code == 200


def test_the_log_says_what_arrived_and_leaves_itself_out(control, pbx, server):
    pbx.get(CONTACTS, params={"$top": "1"})
    pbx.delete(f"{CONTACTS}(9)", headers={"If-Match": 'W/"x"'})
    assert control.get("/requests").json()["value"] == [
        {
            "method": "GET",
            "path": f"{CONTACTS}?$top=1",
            "target": f"{CONTACTS}?%24top=1",
            "if_match": None,
            "status": 200,
        },
        {
            "method": "DELETE",
            "path": f"{CONTACTS}(9)",
            "target": f"{CONTACTS}(9)",
            "if_match": 'W/"x"',
            "status": 404,
        },
    ]
    control.delete("/requests")
    assert server.requests == ()


def test_switches_can_be_read_and_turned_one_by_one(control, server):
    assert control.put("/switches", json={"etags": "none"}).status_code == 200
    assert control.put("/switches", json={"latency": 0.001}).status_code == 200
    now = {"etags": "none", "latency": 0.001}
    assert control.get("/switches").json() == {**asdict(Switches()), **now}
    assert server.switches.etags == "none"


def test_tokens_can_be_ended(control, pbx):
    assert pbx.get(CONTACTS).status_code == 200
    assert control.post("/expire-tokens").status_code == 200
    assert pbx.get(CONTACTS).status_code == 401


@pytest.mark.parametrize(
    "request_",
    [
        ("POST", "/contacts", {"Mobile": "1"}),
        ("POST", "/contacts", {"Tag": 1}),
        ("POST", "/contacts", []),
        ("POST", "/contacts", {"Tag": "t", "scope": "planet"}),
        ("POST", "/contacts", {"Tag": "t", "scope": []}),
        ("PATCH", "/contacts/1", {"Id": 5}),
        ("POST", "/fail", {"surprise": 1}),
        ("POST", "/fail", {"status": "x"}),
        ("POST", "/hook", {"action": "explode"}),
        ("POST", "/hook", {"action": []}),
        ("POST", "/hook", {"action": "edit", "id": 1, "fields": {"Mobile": "1"}}),
        ("POST", "/hook", {"action": "edit", "id": 1, "fields": 5}),
        ("POST", "/hook", {"action": "remove", "id": "x"}),
        ("POST", "/hook", {"action": "add", "nth": 0}),
        ("PUT", "/switches", {"etags": "bold"}),
        ("PUT", "/switches", {"nonsense": 1}),
        ("PUT", "/switches", {"tls": "valid", "etags": "none"}),
    ],
)
def test_what_makes_no_sense_is_400_with_the_reason_and_changes_nothing(
    control, server, book, request_
):
    before = book.all(), server.switches
    method, path, body = request_
    answer = control.request(method, path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert (book.all(), server.switches) == before


def test_a_body_that_is_no_json_is_400(control):
    assert control.post("/fail", content=b"{").status_code == 400


def test_an_unknown_control_is_404(control):
    assert control.get("/nowhere").status_code == 404
