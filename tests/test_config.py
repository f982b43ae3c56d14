"""config.toml: every problem at once, each with its path; secrets from elsewhere."""

from __future__ import annotations

import tomllib
from pathlib import Path

import canaries
import pytest
from canaries import SECRET

from reconcile import config
from reconcile.errors import ConfigError
from reconcile.model import DeleteGuard, Mode

GOOD = """
mode = "review"
[crm]
source = "exports/*.csv"
region = "DE"
[pbx]
url = "https://pbx.example.com"
client_id = "reconcile"
client_secret_env = "SECRET"
"""


def load(tmp_path: Path, text: str = GOOD) -> config.Config:
    path = canaries.exempt(tmp_path / "config.toml")
    path.write_text(text, "utf-8")
    return config.load(path)


def problems(tmp_path: Path, text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return {p.column: p.message for p in caught.value.problems}


def test_the_least_configuration_has_the_defaults_of_the_design(tmp_path):
    found = load(tmp_path)
    assert found.mode is Mode.REVIEW
    assert found.pbx.delete_guard is DeleteGuard.ETAG
    assert (found.policy.grace_exports, found.policy.grace_hours) == (2, 20)
    assert found.path("x") == tmp_path.resolve() / "x"


def test_the_example_is_valid_and_names_every_key(tmp_path):
    text = (Path(__file__).parent.parent / "config.example.toml").read_text("utf-8")
    load(tmp_path, text)
    document = tomllib.loads(text)
    fields = config.Document.model_fields
    for section in ("crm", "pbx", "policy", "state", "report", "schedule", "notify"):
        known = set(fields[section].annotation.model_fields)
        assert set(document[section]) == known, section


def test_the_prefix_of_an_outside_line_is_one_of_the_rules(tmp_path):
    found = load(tmp_path, GOOD + 'outside_prefix = "0"')
    assert found.rules(immediate=False).outside_prefix == "0"


def test_the_mode_is_required(tmp_path):
    assert problems(tmp_path, GOOD.replace('mode = "review"', "")) == {
        "mode": "is required and has no default"
    }


def test_every_problem_is_listed_at_once_with_its_path(tmp_path):
    text = GOOD.replace('"DE"', '"Germany"') + 'concurency = 4\n[policy]\nmax_deletes = "20"\n'
    assert problems(tmp_path, text) == {
        "crm.region": 'must be a country code of two capital letters, such as "DE"',
        "pbx.concurency": "is not a key of the configuration",
        "policy.max_deletes": "must be a whole number",
    }


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("[policy]\nmax_delete_percent = 101", "policy.max_delete_percent"),
        ("[policy]\nmax_deletes = -1", "policy.max_deletes"),
        ("[policy]\ngrace_exports = 0", "policy.grace_exports"),
        ('[state]\nurl = "mysql://x"', "state.url"),
        ('[schedule]\ncron = "nightly"', "schedule.cron"),
        ('[schedule]\ntimezone = "Mars/Olympus"', "schedule.timezone"),
        ('[notify]\nhealthcheck_url = "ftp://x"', "notify.healthcheck_url"),
        ('[notify]\nurls = ["slack://x/y/z"]', "notify.urls"),
        ('[notify]\ndigest = "someday"', "notify.digest"),
        ('[notify]\nmetrics_file = "x.txt"', "notify.metrics_file"),
        ('[notify]\nurls_env = "A"\nurls_file = "b"', "notify"),
        ('contact_types = ["3cx"]', "pbx.contact_types"),
        ("contact_types = []", "pbx.contact_types"),
        ('delete_guard = "none"', "pbx.delete_guard"),
        ('outside_prefix = "0-"', "pbx.outside_prefix"),
        ('outside_prefix = "00000"', "pbx.outside_prefix"),
        ('[policy]\nprotect = { numbers = ["110", "0000"] }', "policy.protect"),
        ('[policy]\nprotect = { names = ["-"] }', "policy.protect"),
        ('[policy]\nprotect = { tags = [" "] }', "policy.protect"),
        ("[policy]\ngrace_hours = inf", "policy.grace_hours"),
    ],
)
def test_an_impossible_value_names_its_path(tmp_path, line, path):
    assert list(problems(tmp_path, GOOD + line)) == [path]


def test_a_secret_in_the_configuration_is_an_unknown_key_and_not_repeated(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD + 'client_secret = "canary-secret-7Q"\n')
    assert "canary" not in str(caught.value) + str(caught.value.problems)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://reconcile:canary-pw-1234@host/db",
        "postgresql://reconcile:canary-pw-1234/with/slashes@host/db",
        "postgresql://reconcile:canary-pw-1234?x@host/db",
        "postgres://reconcile@host/db?password=canary-pw-1234",
        "postgresql://host/db?sslPassword=canary-pw-1234",
    ],
)
def test_a_password_of_the_states_server_is_refused_and_not_repeated(tmp_path, url):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f'{GOOD}[state]\nurl = "{url}"\n')
    [problem] = caught.value.problems
    assert problem.column == "state.url"
    assert "must hold no password" in problem.message
    assert "PGPASSWORD" in problem.message
    assert "canary" not in str(caught.value) + str(caught.value.problems)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///state/reconcile.db",
        "postgresql+psycopg://reconcile@host:5432/db?schema=customer1",
        "postgresql:///db?host=/var/run/postgresql",
    ],
)
def test_a_state_is_in_a_file_or_on_a_server(tmp_path, url):
    assert load(tmp_path, f'{GOOD}[state]\nurl = "{url}"\n').state.url == url


def test_no_file_broken_toml_and_no_text_are_explained(tmp_path):
    with pytest.raises(ConfigError, match="no configuration"):
        config.load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(tmp_path, "mode = ")
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="can't be read"):
        config.load(tmp_path / "config.toml")


# ------------------------------------------------------------------ the secret


def test_the_secret_comes_from_the_environment(tmp_path):
    assert load(tmp_path).client_secret({"SECRET": f" {SECRET}\n"}) == SECRET


@pytest.mark.parametrize("environ", [{}, {"SECRET": "  "}])
def test_an_empty_environment_is_no_secret(tmp_path, environ):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path).client_secret(environ)
    assert "SECRET" in str(caught.value.problems[0])


def with_file(tmp_path: Path) -> config.Config:
    return load(tmp_path, GOOD.replace('_env = "SECRET"', '_file = "secret.txt"'))


def test_the_secret_comes_from_a_private_file(tmp_path):
    file = canaries.exempt(tmp_path / "secret.txt")
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    assert with_file(tmp_path).client_secret({}) == SECRET


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    file = canaries.exempt(tmp_path / "secret.txt")
    file.write_text(f"{SECRET}\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        with_file(tmp_path).client_secret({})
    assert "chmod 600" in str(caught.value.problems[0])


def test_a_missing_secret_file_is_named(tmp_path):
    with pytest.raises(ConfigError) as caught:
        with_file(tmp_path).client_secret({})
    assert "secret.txt" in str(caught.value.problems[0])


@pytest.mark.parametrize("line", ["", 'client_secret_env = "A"\nclient_secret_file = "b"\n'])
def test_exactly_one_place_must_be_named(tmp_path, line):
    found = load(tmp_path, GOOD.replace('client_secret_env = "SECRET"\n', line))
    with pytest.raises(ConfigError, match="not available"):
        found.client_secret({"A": "x"})


# ------------------------------------------------------------------ what the core gets


def test_rules_and_limits_come_from_the_policy(tmp_path):
    text = GOOD + "[policy]\nmax_deletes = 7\nprotect = { ids = [5], names = ['Jo Doe'] }\n"
    found = load(tmp_path, text)
    assert found.limits().max_deletes == 7
    rules = found.rules(immediate=True)
    assert rules.immediate
    assert rules.protection.ids == {5}
    assert rules.protection.name_keys == {"do jo"}


def test_how_an_export_is_read_has_defaults_without_a_configuration(tmp_path):
    defaults = {"mapping": {}, "inactive": "keep", "format": "auto", "manifest": "auto"}
    assert config.how_read(tmp_path / "none.toml") == defaults
    said = 'format = "json"\ninactive = "gone"\n[crm.columns]\nphone = "Nummer"\n[pbx]'
    load(tmp_path, GOOD.replace("[pbx]", said))
    found = config.how_read(tmp_path / "config.toml")
    assert found == {
        "mapping": {"phone": "Nummer"},
        "inactive": "gone",
        "format": "json",
        "manifest": "auto",
    }


def test_the_home_of_somebody_unknown_is_explained(tmp_path):
    found = load(tmp_path)
    with pytest.raises(ConfigError, match=r"~nobody-here/log can't be found") as caught:
        found.path("~nobody-here/log")
    assert caught.value.hint == "edit the configuration, then: reconcile doctor"
