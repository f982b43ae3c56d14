"""Receivers that are away, slow or wrong cost a line each, and nothing secret stands in it."""

from __future__ import annotations

import os
import sys

import canaries
import pytest
from canaries import SECRET
from company import hired

from reconcile import doctor, notify
from reconcile.errors import ConfigError
from reconcile.model import Exit
from reconcile.notify import delivery, sender

NOBODY = "json://127.0.0.1:9/hook"
UNKNOWN = "json://"


@pytest.fixture
def due(company):
    """Tonight somebody is due, and there is something to tell."""
    company.until_due(5)
    company.settings["mode"] = "auto"
    return company


def lines(capsys):
    """What is said besides the line of the night."""
    return [x for x in capsys.readouterr().err.splitlines() if not x.startswith("reconcile: run ")]


def test_a_receiver_that_is_away_costs_a_line_and_the_others_are_told(due, hook, capsys):
    due.tell(NOBODY, UNKNOWN, hook.url)
    assert due.night() is Exit.CONVERGED
    assert not due.has(5)
    assert hook.titles == ["contacts were deleted"]
    assert lines(capsys) == [
        "reconcile: no message: number 1 (json://) of the receivers did not take the message",
        "reconcile: no message: number 2 (json://) of the receivers is not understood",
    ]


def test_a_receiver_that_fails_or_sends_elsewhere_is_not_followed(due, hook, capsys):
    due.tell(hook.url)
    for status in (500, 307):
        hook.status = status
        assert due.night() is Exit.CONVERGED
        assert lines(capsys) == [
            "reconcile: no message: number 1 (json://) of the receivers did not take the message"
        ]
        assert len(hook.got) == 1  # no second try, no redirect
        hook.got.clear()
        due.until_due(6)


def test_a_receiver_that_hangs_is_given_up_and_the_others_are_told(due, hook, mailbox, capsys):
    hook.hangs = True
    patient = "?rto=50&cto=50"  # what apprise itself would wait
    due.tell(hook.url + patient, mailbox.url, timeout_seconds=10)
    assert due.night() is Exit.CONVERGED
    assert len(mailbox.got) == 1
    assert lines(capsys) == [
        "reconcile: no message: number 1 (json://) of the receivers did not answer in time"
    ]


def test_nothing_of_a_secret_address_is_said(due, capsys):
    file = canaries.exempt(due.folder / "receivers.txt")
    secret = [
        f"slack://{SECRET}/B/C",
        f"mailto://me:{SECRET}@127.0.0.1:9?to=it@example.com",
        f"json://127.0.0.1:9/{SECRET}",
        SECRET,
        f"pw:{SECRET}@https://127.0.0.1:9",
    ]
    file.write_text("\n".join(secret))
    file.chmod(0o600)
    due.settings |= {"notify.urls_file": "receivers.txt"}
    assert due.night() is Exit.CONVERGED
    said = lines(capsys)
    assert len(said) == len(secret)
    assert not canaries.leaks("\n".join(said).encode())
    assert "(slack://)" in said[0]


def test_addresses_come_from_the_environment_after_those_of_the_configuration(due, hook):
    due.tell("json://host/a", urls_env="SECRET")
    assert due.config.receivers({"SECRET": f" {hook.url}\n  mailto://b "}) == (
        "json://host/a",
        hook.url,
        "mailto://b",
    )


def test_a_place_without_addresses_or_for_everybody_to_read_costs_a_line(due, capsys):
    due.settings["notify.urls_env"] = "NOWHERE"
    assert due.night() is Exit.CONVERGED
    (said,) = lines(capsys)
    assert said.startswith("reconcile: no message: the environment variable NOWHERE is missing")
    assert said.endswith(" Next: export NOWHERE=…")
    del due.settings["notify.urls_env"]
    (due.folder / "urls.txt").write_text("json://x")
    (due.folder / "urls.txt").chmod(0o644)
    due.settings["notify.urls_file"] = "urls.txt"
    with pytest.raises(ConfigError, match="not available") as caught:
        due.config.receivers({})
    assert "chmod 600 urls.txt" in str(caught.value.problems[0])


@pytest.mark.parametrize(
    "url",
    [
        "mailto://me:pw@example.com",
        "slack://a/b/c",
        "discord://1/x",
        "tgram://1/2",
        "json://u:p@host/x",
        "json://host/x?pass=1",
        "jsons://host/x?+Authorization=Bearer",
        "jsons://host/x?-X-Api-Key=1",
        "mailtos://user:pa/ss@gmail.com",
        "mailto://user:pa?ss@gmail.com",
        "mailto://user:pa#ss@gmail.com",
        "json://tok@host/x",
        "json://host/x?%70assword=1",
        "https://hooks.slack.com/services/a/b/c",
        "json://[::1",
        "host",
        "",
    ],
)
def test_what_may_be_a_secret_does_not_stand_in_the_configuration(company, url):
    company.tell("json://host/x", url)
    with pytest.raises(ConfigError) as caught:
        _ = company.config
    (problem,) = caught.value.problems
    assert problem.column == "notify.urls"
    assert problem.message.startswith("number 2 may hold a password or a token")
    assert "notify.urls_env" in problem.message
    assert not url or url not in problem.message


@pytest.mark.parametrize(
    "url",
    [
        *("mailto://host?from=a@b.de&to=c@d.de", "mailtos://me@host", "jsons://host/x"),
        *("forms://host", "json://host:8080/x", "json://[::1]:8080/x"),
    ],
)
def test_what_is_public_may(company, url):
    company.tell(url)
    assert company.config.receivers({}) == (url,)


def test_without_the_extra_a_run_says_how_to_get_it_and_is_the_same(due, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    due.tell(NOBODY, metrics_file="r.prom")
    assert due.night() is Exit.CONVERGED
    needs = "needs the optional dependency group `notify`, which is not installed."
    mend = "Next: pip install 'reconcile-3cx[notify]'"
    assert lines(capsys) == [
        f"reconcile: no metrics: Writing metrics {needs} {mend}",
        f"reconcile: no message: Sending messages {needs} {mend}",
    ]


def test_a_bug_in_telling_changes_nothing_and_says_its_kind_only(due, hook, capsys):
    """With a status that no report of ours has."""
    due.tell(hook.url, metrics_file="r.prom")
    odd = due.run().model_copy(update={"status": "a-status-that-is-none", "counts": None})
    notify.tell(due.config, due.world(), odd)
    assert lines(capsys) == [
        "reconcile: no metrics: AttributeError",
        "reconcile: no message: KeyError",
    ]
    assert hook.got == []


def test_a_state_that_can_not_be_read_costs_the_digest_and_not_the_message(due, hook, capsys):
    due.tell(hook.url)
    report = due.run()
    (due.folder / "state" / "reconcile.db").unlink()
    notify.tell(due.config, due.world(), report)
    assert hook.titles == ["contacts were deleted"]
    (said,) = lines(capsys)
    assert said.startswith("reconcile: no weekly digest: ")


def test_whether_an_address_is_understood_is_known_without_sending(hook):
    found = delivery.understood([hook.url, "nonsense://x", "slack://x"])
    assert [f.well for f in found] == [True, False, False]
    assert [f.name for f in found] == [
        "number 1 (json://)",
        "number 2 (nonsense://)",
        "number 3 (slack://)",
    ]
    assert hook.got == []


def test_a_service_that_raises_is_one_that_refused():
    said = []
    message = {"title": "a", "body": "b", "kind": "info"}
    sender._send(0, None, [message], lambda *answer: said.append(answer))  # noqa: SLF001 - no service
    assert said == [(0, sender.REFUSED)]


def test_a_file_of_the_folder_is_no_module_of_the_sender(due, hook, monkeypatch):
    for name in ("apprise", "json", "logging"):
        (due.folder / f"{name}.py").write_text("raise SystemExit(3)\n")
    monkeypatch.chdir(due.folder)
    due.tell(hook.url)
    assert due.night() is Exit.CONVERGED
    assert hook.titles == ["contacts were deleted"]


def test_apply_is_told_and_a_digest_that_is_refused_is_not(due, hook):
    due.settings["mode"] = "review"
    due.tell(hook.url)
    due.night()
    digest = due.plan().digest
    notify.tell(due.config, due.world(), due.apply(digest))
    assert hook.titles == ["deletes wait for a person", "contacts were deleted"]
    due.tomorrow()
    due.export(extra=[hired(4)])
    assert due.night() is Exit.CONVERGED


def test_without_the_extra_the_doctor_names_it(due, hook, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    text = (
        f'mode = "review"\n[crm]\nsource = "exports/*.csv"\nregion = "DE"\n'
        f'[pbx]\nurl = "{due.server.url}"\nclient_id = "reconcile"\nclient_secret_env = "SECRET"\n'
        f'[notify]\nurls = ["{hook.url}"]\nmetrics_file = "r.prom"\n'
    )
    (due.folder / "config.toml").write_text(text, "utf-8")
    checks = doctor.examine(due.folder / "config.toml", due.world(), probe=False)
    found = {c.name: c for c in checks if c.name in {"notify", "metrics"}}
    assert {c.state for c in found.values()} == {"fail"}
    assert {c.mend for c in found.values()} == {"pip install 'reconcile-3cx[notify]'"}
    assert doctor.exit_code(checks) is Exit.USAGE


@pytest.mark.parametrize(
    "variable",
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9"),
        ("HTTPS_PROXY", "foo://x"),
        ("SSL_CERT_FILE", "/nonexistent"),
        ("HEALTHCHECK", "https://a..b/ping"),
    ],
    ids=lambda variable: variable[0],
)
def test_whatever_keeps_a_ping_from_being_sent_stops_no_night(due, capsys, monkeypatch, variable):
    monkeypatch.setenv(*variable)
    url = os.environ.get("HEALTHCHECK", "https://127.0.0.1:9/ping")
    due.settings["notify.healthcheck_url"] = url
    assert due.night() is Exit.CONVERGED
    said = lines(capsys)
    assert len(said) == 2
    assert all(line.startswith("reconcile: no health-check ping: ") for line in said)
