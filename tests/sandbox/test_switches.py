from __future__ import annotations

from typing import get_args, get_type_hints

import pytest

from reconcile.sandbox import Switches
from reconcile.sandbox.switches import PROFILES

NAMED = {name: get_args(kind) for name, kind in get_type_hints(Switches).items() if get_args(kind)}
ELSEWHERE = {"throttle", "forbidden", "lost_response", "tls"}
"""These answer for the whole server, or end a connection; they have tests of their own."""
VALUES = [
    (name, value)
    for name, values in NAMED.items()
    for value in values
    if name not in ELSEWHERE and (name, value) != ("token_error", "500")
]
CONTACTS = "/xapi/v1/Contacts"


def test_the_first_of_the_named_values_is_the_default():
    assert Switches() == Switches(**{name: values[0] for name, values in NAMED.items()})
    assert Switches().version == "20.0.9.995"


def test_switches_are_read_from_words_as_a_command_line_has_them():
    parsed = Switches.parse({"etags": "none", "latency": "0.25", "throttle_every": "7"})
    assert parsed == Switches(etags="none", latency=0.25, throttle_every=7)


def test_switches_are_read_from_the_numbers_of_json_or_toml():
    parsed = Switches.parse({"top_limit": 50, "restart_after": 3, "restart_seconds": 1})
    assert parsed == Switches(top_limit="50", restart_after=3, restart_seconds=1.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"etag": "weak"}, "there is no switch etag; there are blacklist_after, count, default_pa"),
        ({"b": 1, "a": 1}, "there is no switch a, b; there are"),
        ({"etags": "bold"}, "etags is one of weak, strong, none; not 'bold'"),
        ({"if_match": ""}, "if_match is one of enforced, ignored, required, always_412, malformed"),
        ({"expires_in": 60}, "expires_in is one of seconds, minutes; not '60'"),
        ({"latency": "soon"}, "latency is a number; not 'soon'"),
        ({"latency": -1}, "latency is a number, 0.0 or more; not -1.0"),
        ({"latency": "nan"}, "latency is a number, 0.0 or more; not nan"),
        ({"latency": "inf"}, "latency is a number, 0.0 or more; not inf"),
        ({"throttle_every": 1}, "throttle_every is a number, 2 or more; not 1"),
        ({"throttle_every": "2.5"}, "throttle_every is a number; not '2.5'"),
        ({"forbidden_after": -1}, "forbidden_after is a number, 0 or more; not -1"),
        ({"restart_after": True}, "restart_after is a number; not True"),
        ({"version": "20.0.9 (beta)"}, "version is made of numbers and dots; not '20.0.9"),
        ({"version": "20..9"}, "version is made of numbers and dots"),
        ({"version": "9" * 10}, "version is made of numbers and dots"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_choice(values, said):
    with pytest.raises(ValueError, match="^" + said.replace("(", r"\(").replace(")", r"\)")):
        Switches.parse(values)


def test_a_number_may_be_greater_than_any_float():
    assert Switches.parse({"restart_after": "1" + "0" * 400}).restart_after == 10**400


def test_some_are_turned_and_the_others_stay():
    ideal = Switches.profile("ideal")
    turned = ideal.turned({"if_match": "required"})
    assert turned == Switches(version="20.0.10.100", etags="strong", if_match="required")
    assert ideal.if_match == "enforced"
    assert turned.turned({}) == turned
    with pytest.raises(ValueError, match="there is no switch profile"):
        ideal.turned({"profile": "ideal"})


def test_a_profile_is_a_kind_of_pbx():
    old, new = Switches.profile("20.0.8"), Switches.profile("20.0.9+")
    assert (old.version, old.expires_in) == ("20.0.8.1109", "minutes")
    assert (new.version, new.expires_in) == ("20.0.9.995", "seconds")
    assert {(each.etags, each.if_match) for each in (old, new)} == {("none", "ignored")}


def test_an_unknown_profile_is_refused_with_the_choice():
    with pytest.raises(
        ValueError, match=r"^there is no profile 19; there are 20.0.8, 20.0.9\+, id"
    ):
        Switches.profile("19")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_serves_contacts_and_says_its_version(server, pbx, profile):
    server.switches = Switches.profile(profile)
    answer = pbx.get(CONTACTS, params={"$top": "100", "$count": "true"})
    assert answer.headers["x-3cx-version"] == server.switches.version
    assert (answer.json()["@odata.count"], len(answer.json()["value"])) == (5, 5)


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_whatever_is_unknown_contacts_can_be_listed_read_made_changed_and_deleted(
    *, pbx, turn, book, name, value
):
    turn(**{name: value})
    listed = pbx.get(CONTACTS, params={"$top": "2"})
    assert [len(listed.json()["value"]), listed.status_code] == [2, 200]
    made = pbx.post(CONTACTS, json={"FirstName": "N", "PhoneNumber": "9"})
    assert (made.status_code, made.json()["Id"]) == (201, 6)
    path = f"{CONTACTS}(6)"
    assert pbx.patch(path, json={"Title": "x"}).is_success
    assert pbx.get(path).json()["Title"] == "x"
    deleted = pbx.delete(path)
    assert deleted.is_success == (value != "required")
    assert (book.get(6) is None) == (value != "required")
