"""The move of a state to PostgreSQL and back, as an administrator types it."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def url(cluster):
    """An empty database, as a configuration names it."""
    cluster.create("typed")
    return cluster.url("typed", schema="customer1")


def use(office, url: str) -> None:
    """Set state.url."""
    text = office.config.read_text("utf-8")
    before = next(
        line
        for line in text.splitlines()
        if line.startswith('url = "')
        and "://" in line
        and line.split('"')[1].startswith(("sqlite", "postgresql"))
    )
    office.config.write_text(text.replace(before, f"url = {json.dumps(url)}"), "utf-8")


def test_a_state_goes_to_a_server_works_there_and_comes_back(office, url):
    leaver = office.deleted()
    copied = office("db", "copy", "sqlite:///state/reconcile.db", url)
    assert copied.code == 0
    assert "each row was compared" in copied.out
    again = office("db", "copy", "sqlite:///state/reconcile.db", url)
    assert (again.code, "is not empty" in again.err) == (8, True)
    use(office, url)
    assert "The state is sound" in office("db", "check").out
    assert office("history").code == 0
    assert office("plan", "--json").json["run"]["id"] == 4
    assert office("restore", "--run", 3).code == 0
    backup = office("db", "backup")
    assert "customer1.0004-" in backup.out
    assert office("db", "purge", "--contact", leaver["Id"]).code == 0
    checked = office("doctor", "--json").json
    assert {c["name"]: c["state"] for c in checked if c["name"] == "state"} == {"state": "ok"}
    back = office("db", "copy", url, "sqlite:///back.db")
    assert back.code == 0
    use(office, "sqlite:///back.db")
    assert office("plan", "--json").json["run"]["id"] > 5
    use(office, "sqlite:///state/reconcile.db")
    old = office("plan")
    assert (old.code, "put back from a backup" in old.err) == (8, True)


def test_a_password_on_the_command_line_is_refused_and_not_repeated(office):
    office.init()
    refused = office(
        "db", "copy", "sqlite:///state/reconcile.db", "postgresql://a:canary-pw-99@h/d"
    )
    assert refused.code == 2
    assert "must hold no password" in refused.err
    assert "canary" not in refused.err + refused.out
