"""docs/sandbox.md says what the sandbox does: switches, values, profiles, working requests."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from reconcile.sandbox import Switches
from reconcile.sandbox.control import Control
from reconcile.sandbox.faults import Fault
from reconcile.sandbox.profiles import assembled
from reconcile.sandbox.switches import PROFILES

MANUAL = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text("utf-8")
REQUESTS = [
    shlex.split(command)
    for block in re.findall(r"```sh\n(.*?)```", MANUAL, re.DOTALL)
    for command in re.findall(r"^curl .*?(?=^\S|\Z)", block, re.DOTALL | re.MULTILINE)
]


@pytest.mark.parametrize("name", [each.name for each in fields(Switches)])
def test_every_switch_is_in_the_table_with_its_values_the_default_first(name):
    default = getattr(Switches(), name)
    values = get_args(get_type_hints(Switches)[name])
    cell = ", ".join(f"`{value}`" for value in values) if values else str(default)
    assert f"\n| `{name}` | {cell} | " in MANUAL
    assert default == (values or (default,))[0]


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_in_the_manual_with_its_version(name):
    assert f"\n| `{name}` | version {PROFILES[name].version}: " in MANUAL


@pytest.mark.parametrize("name", [each.name for each in fields(Fault)])
def test_every_field_of_a_fault_is_in_the_manual(name):
    assert f"`{name}`" in MANUAL


def test_the_profile_that_the_manual_shows_can_be_used(tmp_path):
    (shown,) = re.findall(r"```toml\n(.*?)```", MANUAL, re.DOTALL)
    path = tmp_path / "ours.toml"
    path.write_text(shown)
    asked = assembled(str(path), ["throttle=429", "latency=0.05"])
    assert (asked.version, asked.top_limit, asked.next_link) == ("20.0.9.995", "50", "absolute")


def _request(words):
    """A command line of curl as (method, path, body)."""
    given = iter(words)
    method, path, body = "GET", "", None
    for word in given:
        if word == "-X":
            method = next(given)
        elif word == "-d":
            body = next(given)
        elif word.startswith("$PBX/"):
            path = word.removeprefix("$PBX")
    return method, path, body


def test_every_request_that_the_manual_shows_works_and_none_is_missing(server, connect):
    admin = connect(server, stranger=True)
    as_curl = {"Content-Type": "application/x-www-form-urlencoded"}
    shown = set()
    for words in REQUESTS:
        method, path, body = _request(words)
        answer = admin.request(method, path, content=body, headers=as_curl)
        assert answer.is_success, (words, answer.text)
        shown.add((method, path.rstrip("0123456789")))
    offered = [name for name in vars(Control) if not name.startswith("_")]
    assert len(shown) == len(offered)
