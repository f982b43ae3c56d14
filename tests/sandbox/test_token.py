from __future__ import annotations

import pytest

from reconcile.sandbox import Switches


@pytest.fixture
def caller(server, connect):
    """A client without a token."""
    return connect(server, stranger=True)


def _token(caller, grant):
    return caller.post("/connect/token", data=grant).json()["access_token"]


def _status(caller, token):
    return caller.get("/xapi/v1/Defs", headers={"Authorization": f"Bearer {token}"}).status_code


def test_the_right_client_gets_a_bearer_token(caller, grant):
    answer = caller.post("/connect/token", data=grant)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    body = answer.json()
    assert body.pop("access_token")
    assert body == {"token_type": "Bearer", "expires_in": 3600, "refresh_token": None}


def test_a_multipart_form_is_as_good(caller, grant):
    parts = {name: (None, value) for name, value in grant.items()}
    answer = caller.post("/connect/token", files=parts)
    assert answer.request.headers["content-type"].startswith("multipart/form-data")
    assert _status(caller, answer.json()["access_token"]) == 200


def test_before_20_0_9_the_lifetime_was_told_in_minutes(caller, grant, turn):
    turn(expires_in="minutes")
    assert caller.post("/connect/token", data=grant).json()["expires_in"] == 60


def test_a_new_token_ends_the_one_before(caller, grant):
    first = _token(caller, grant)
    assert _status(caller, first) == 200
    second = _token(caller, grant)
    assert (_status(caller, first), _status(caller, second)) == (401, 200)


@pytest.mark.parametrize("field", ["client_id", "client_secret"])
@pytest.mark.parametrize("wrong", ["", "wrong", "пароль"])
def test_a_wrong_client_is_refused_in_json_and_the_live_token_stays(caller, grant, field, wrong):
    token = _token(caller, grant)
    answer = caller.post("/connect/token", data={**grant, field: wrong})
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "unauthorized",
        "error_description": "The request requires valid user authentication.",
    }
    assert _status(caller, token) == 200


def test_basic_authentication_is_not_accepted(caller, grant):
    basic = (grant.pop("client_id"), grant.pop("client_secret"))
    assert caller.post("/connect/token", data=grant, auth=basic).status_code == 401


@pytest.mark.parametrize("grant_type", ["", "password"])
def test_another_grant_is_refused(caller, grant, grant_type):
    answer = caller.post("/connect/token", data={**grant, "grant_type": grant_type})
    assert (answer.status_code, answer.json()) == (400, {"error": "unsupported_grant_type"})


def test_a_body_that_is_no_form_is_refused(caller, grant):
    assert caller.post("/connect/token", json=grant).status_code == 400
    broken = {"Content-Type": "multipart/form-data"}
    answer = caller.post("/connect/token", content=b"x", headers=broken)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


def test_only_post_gives_tokens(caller):
    assert caller.get("/connect/token").status_code == 405


@pytest.mark.parametrize("path", ["/Contacts", "/Contacts(1)", "/Nowhere", "", "/", "/$metadata"])
@pytest.mark.parametrize(
    "authorization", [None, "Bearer wrong", "Bearer", "Basic {token}", "{token}"]
)
def test_without_a_valid_bearer_everything_is_401_without_a_body(
    caller, grant, path, authorization
):
    token = _token(caller, grant)
    if authorization is not None:
        caller.headers["Authorization"] = authorization.format(token=token)
    answer = caller.get(f"/xapi/v1{path}")
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["content-length"] == "0"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_scheme_may_be_written_in_any_case(caller, grant):
    token = _token(caller, grant)
    answer = caller.get("/xapi/v1/Defs", headers={"Authorization": f"bearer {token}"})
    assert answer.status_code == 200


def test_a_token_lives_sixty_minutes_whatever_the_unit(start, connect, grant):
    now = [1000.0]
    caller = connect(start(clock=lambda: now[0]), stranger=True)
    token = _token(caller, grant)
    now[0] += 3599
    assert _status(caller, token) == 200
    now[0] += 1
    assert _status(caller, token) == 401
    assert _status(caller, _token(caller, grant)) == 200


def test_tokens_can_be_ended_by_hand(server, caller, grant):
    token = _token(caller, grant)
    server.expire_tokens()
    assert _status(caller, token) == 401


def test_another_client_may_be_the_right_one(start, connect, grant):
    caller = connect(start(client_id="nightly", client_secret="other"), stranger=True)
    assert caller.post("/connect/token", data=grant).status_code == 401
    grant.update(client_id="nightly", client_secret="other")
    assert caller.post("/connect/token", data=grant).status_code == 200


@pytest.mark.parametrize(("kind", "status"), [("401", 401), ("400", 400)])
def test_a_wrong_client_is_refused_as_this_pbx_does_it(*, caller, grant, turn, kind, status):
    turn(token_error=kind)
    answer = caller.post("/connect/token", data={**grant, "client_secret": "wrong"})
    assert answer.status_code == status
    assert answer.json()["error"] == {"401": "unauthorized", "400": "invalid_client"}[kind]
    assert _status(caller, _token(caller, grant)) == 200


def test_while_its_database_is_down_no_client_gets_a_token(caller, grant, turn):
    token = _token(caller, grant)
    turn(token_error="500")
    for given in (grant, {**grant, "client_secret": "wrong"}, {}):
        answer = caller.post("/connect/token", data=given)
        assert (answer.status_code, answer.content) == (500, b"")
    assert _status(caller, token) == 200


def test_tokens_may_live_side_by_side(caller, grant, turn):
    turn(live_tokens="many")
    tokens = [_token(caller, grant) for _ in range(3)]
    assert [_status(caller, token) for token in tokens] == [200] * 3
    turn()
    assert [_status(caller, token) for token in tokens] == [200] * 3
    last = _token(caller, grant)
    assert [_status(caller, token) for token in (*tokens, last)] == [401] * 3 + [200]


def test_tokens_that_live_side_by_side_are_ended_together_by_hand(server, caller, grant, turn):
    turn(live_tokens="many")
    tokens = [_token(caller, grant) for _ in range(2)]
    server.expire_tokens()
    assert [_status(caller, token) for token in tokens] == [401] * 2


def test_each_of_several_tokens_has_its_own_sixty_minutes(start, connect, grant):
    now = [0.0]
    server = start(clock=lambda: now[0], switches=Switches(live_tokens="many"))
    caller = connect(server, stranger=True)
    first = _token(caller, grant)
    now[0] = 2000.0
    second = _token(caller, grant)
    now[0] = 3600.0
    third = _token(caller, grant)
    assert [_status(caller, token) for token in (first, second, third)] == [401, 200, 200]
