"""[crm]: which source the export has, and what goes together; every problem with its path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import canaries
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile import config
from reconcile.core import locations
from reconcile.errors import ConfigError
from reconcile.session import World, place_of

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-s3cret-9XZ"
REST = """
region = "DE"
[pbx]
url = "https://pbx.example.com"
client_id = "reconcile"
client_secret_env = "SECRET"
"""


def load(tmp_path: Path, crm: str) -> config.Config:
    path = canaries.exempt(tmp_path / "config.toml")
    path.write_text(f'mode = "review"\n[crm]\n{crm}{REST}', "utf-8")
    return config.load(path)


def problems(tmp_path: Path, crm: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, crm)
    assert CANARY not in f"{caught.value}{caught.value.problems}"
    return {p.column: p.message for p in caught.value.problems}


def world(**environ: str) -> World:
    def never() -> Any:
        raise AssertionError

    return World(environ=environ, clock=never, sleep=lambda _: None, user="jo")


GOOD = {
    "a path": 'source = "exports/c.csv"',
    "a glob": 'source = "exports/**/c-[0-9]?.csv"',
    "a web server": 'source = "https://crm.example.com/c.csv?view=7"',
    "this machine": 'source = "http://localhost:8000/c.csv"',
    "this machine by number": 'source = "http://127.0.0.1/c.csv"',
    "with a token": 'source = "https://x.example/"\nauth = "bearer"\nsecret_env = "T"',
    "with a password": (
        'source = "https://x.example/"\nauth = "basic"\nuser = "jo"\nsecret_file = "pw"'
        '\nca_file = "ca"'
    ),
    "a signed address": 'source_env = "ADDRESS"',
    "a store": 's3://e/c*.csv"\noptions = { key = "AKIA", endpoint_url = "https://s3.example" }',
    "a store of this machine": 's3://e/c"\noptions = { endpoint_url = "http://127.0.0.1:9000" }',
    "a login": 'sftp://jo@files.example/c*.csv"\noptions = { client_keys = "id", port = 22 }',
    "a password for it": 'sftp://files.example/c.csv"\nsecret_file = "pw"',
    "a database": 'url = "mysql://jo@db/crm?ssl_ca=/ca.pem"\nsql = "SELECT 1"\nsecret_env = "P"',
    "a database file": 'url = "sqlite:///crm.db"\nsql = "SELECT 1"',
}

BAD = {
    "nothing": ("", {"source": "is required"}),
    "nothing in it": ('source = ""', {"source": "is required"}),
    "a NUL": ('source = "c\\u0000.csv"', {"source": "holds a character"}),
    "blanks": ('source = " "', {"source": "must not be empty"}),
    "two": ('source = "a"\nsource_env = "B"', {"source_env": "crm.source can't both be set"}),
    "three": (
        'source = "a"\nsource_env = "B"\nurl = "sqlite:///x"\nsql = "SELECT 1"',
        {"source_env": "can't both", "url": "can't both"},
    ),
    "no query": ('url = "sqlite:///x"', {"sql": "is required with crm.url"}),
    "no database": ('source = "a"\nsql = "SELECT 1"', {"url": "is required with crm.sql"}),
    "a query that writes": (
        'url = "sqlite:///x"\nsql = "DROP TABLE x"',
        {"sql": "must be one SELECT"},
    ),
    "no address of a database": ('url = "crm.db"\nsql = "SELECT 1"', {"url": "must be an address"}),
    "a password for a database": (
        f'url = "mysql://jo:{CANARY}@db/crm"\nsql = "SELECT 1"',
        {"url": "must hold no password"},
    ),
    "a secret for a database": (
        f'url = "mysql://jo@db/crm?password={CANARY}"\nsql = "SELECT 1"',
        {"url": "must hold no secret"},
    ),
    "plain http": ('source = "http://x.example/c"', {"source": "must begin with https://"}),
    "a host that only begins so": (
        'source = "http://localhost.example.com/"',
        {"source": "must begin with https://"},
    ),
    "a password": (f'source = "https://jo:{CANARY}@x/c"', {"source": "must hold no password"}),
    "a token for a user": (f'source = "https://{CANARY}@x/c"', {"source": "crm.user"}),
    "a password of sftp": (f'source = "sftp://jo:{CANARY}@x/c"', {"source": "no password"}),
    "a token in a query": (f'source = "https://x/c?token={CANARY}"', {"source": "crm.source_env"}),
    "a signature": (f'source = "https://x/c?sig={CANARY}"', {"source": "crm.source_env"}),
    "a signed one": (f'source = "https://x/c?X-Amz-Date={CANARY}"', {"source": "crm.source_env"}),
    "an ftp server": ('source = "ftp://x/c"', {"source": "use sftp://"}),
    "a file as an address": ('source = "file:///x/c"', {"source": "write its path alone"}),
    "a chain": ('source = "zip://c.csv::s3://b/z.zip"', {"source": "must be one address"}),
    "another auth": (
        'source = "https://x/"\nauth = "digest"',
        {"auth": "should be 'none', 'bearer' or 'basic'"},
    ),
    "auth for a path": (
        'source = "a"\nauth = "bearer"\nsecret_env = "T"',
        {"auth": "for https:// only", "secret_env": "is used by nothing"},
    ),
    "auth without a secret": (
        'source = "https://x/"\nauth = "bearer"',
        {"secret_env": "is required"},
    ),
    "basic without a user": (
        'source = "https://x/"\nauth = "basic"\nsecret_env = "T"',
        {"user": 'is required with crm.auth = "basic"'},
    ),
    "a user for nothing": ('source = "https://x/"\nuser = "jo"', {"user": "only"}),
    "a secret for nothing": (
        'source = "https://x/"\nsecret_env = "T"',
        {"secret_env": "set crm.auth"},
    ),
    "a secret for a path": ('source = "a"\nsecret_file = "T"', {"secret_file": "used by nothing"}),
    "two secrets": (
        'source = "s3://b/c"\nsecret_env = "T"\nsecret_file = "f"',
        {"secret_file": "crm.secret_env can't both be set"},
    ),
    "an authority for nothing": ('source = "a"\nca_file = "ca"', {"ca_file": "https:// only"}),
    "options for a path": (
        'source = "a"\noptions = { key = "x" }',
        {"options": "s3:// and sftp://"},
    ),
    "options for the web": (
        'source = "https://x/"\noptions = { key = "x" }',
        {"options": "s3:// and sftp://"},
    ),
    "secrets among options": (
        f'source = "s3://b/c"\noptions = {{ secret = "{CANARY}", token = "{CANARY}" }}',
        {"options.secret": "looks like a secret", "options.token": "looks like a secret"},
    ),
    "a passphrase among options": (
        f'source = "sftp://b/c"\noptions = {{ passphrase = "{CANARY}" }}',
        {"options.passphrase": "looks like a secret"},
    ),
    "unverified": (
        'source = "s3://b/c"\noptions = { use_ssl = false, verify = false }',
        {"options.use_ssl": "can't be turned off", "options.verify": "can't be turned off"},
    ),
    "any host key": (
        'source = "sftp://b/c"\noptions = { known_hosts = "" }',
        {"options.known_hosts": "always verified"},
    ),
    "any host key at all": (
        'source = "sftp://b/c"\noptions = { known_hosts = false }',
        {"options.known_hosts": "always verified"},
    ),
    "a plain store": (
        'source = "s3://b/c"\noptions = { endpoint_url = "http://s3.example" }',
        {"options.endpoint_url": "must begin with https://"},
    ),
    "a list among options": (
        'source = "s3://b/c"\noptions = { a = [1] }',
        {"options.a.str": "must be a text", "options.a.int": "whole", "options.a.bool": "true or"},
    ),
    "no time at all": ('source = "a"\ntimeout_seconds = 0', {"timeout_seconds": "greater than 0"}),
}


@pytest.mark.parametrize("crm", GOOD.values(), ids=GOOD)
def test_what_goes_together_is_accepted(tmp_path: Path, crm: str) -> None:
    load(tmp_path, crm if crm.startswith(("source", "url")) else f'source = "{crm}')


@pytest.mark.parametrize(("crm", "found"), BAD.values(), ids=BAD)
def test_what_does_not_is_refused_with_its_path(
    tmp_path: Path, crm: str, found: dict[str, str]
) -> None:
    said = problems(tmp_path, crm)
    assert set(said) == {f"crm.{key}" for key in found}
    for key, words in found.items():
        assert words in said[f"crm.{key}"]


def test_all_of_it_is_said_at_once_with_what_else_is_wrong(tmp_path: Path) -> None:
    crm = 'source = "http://x/c"\nauth = "basic"\nformats = "csv"\nmax_age_hours = "x"'
    assert set(problems(tmp_path, crm)) == {
        "crm.source",
        "crm.user",
        "crm.secret_env",
        "crm.formats",
        "crm.max_age_hours",
    }


def test_a_section_that_is_no_table_is_said(tmp_path: Path) -> None:
    path = canaries.exempt(tmp_path / "config.toml")
    path.write_text('mode = "review"\ncrm = "c.csv"\n' + REST[REST.index("[pbx]") :], "utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert [p.column for p in caught.value.problems] == ["crm"]


# ------------------------------------------------------------------ the place


def test_everything_of_the_configuration_is_in_the_place(tmp_path: Path) -> None:
    crm = (
        'source = "https://x.example/c.csv"\nauth = "basic"\nuser = "jo"\nsecret_env = "PW"\n'
        'ca_file = "ca.pem"\ntimeout_seconds = 7'
    )
    here = world(PW=f" {CANARY}\n")
    place = place_of(load(tmp_path, crm), here)
    assert (place.kind, place.source, place.user) == ("web", "https://x.example/c.csv", "jo")
    assert (place.auth, place.secret, place.timeout) == ("basic", CANARY, 7)
    assert place.ca_file == str(tmp_path.resolve() / "ca.pem")
    assert place.sleep is here.sleep
    assert CANARY not in repr(place)


def test_a_database_and_a_store_are_places_too(tmp_path: Path) -> None:
    database = place_of(
        load(tmp_path, 'url = "mysql://jo@db:3306/suite"\nsql = "SELECT 1"'), world()
    )
    assert (database.kind, database.origin, database.name) == (
        "sql",
        "mysql://db:3306/suite",
        "suite",
    )
    store = place_of(load(tmp_path, 'source = "s3://b/c.csv"\noptions = { key = "x" }'), world())
    assert (store.kind, store.scheme, store.options) == ("remote", "s3", {"key": "x"})


def test_an_export_named_by_hand_is_a_file_whatever_is_configured(tmp_path: Path) -> None:
    found = load(tmp_path, 'source = "https://x/"\nauth = "bearer"\nsecret_env = "T"')
    place = place_of(found, world(), export="/old/c-1.csv")
    assert (place.kind, place.name, place.secret) == ("files", "c-1.csv", "")


@pytest.mark.parametrize("environ", [{}, {"T": " "}])
def test_a_secret_that_is_not_there_is_said(tmp_path: Path, environ: dict[str, str]) -> None:
    found = load(tmp_path, 'source = "https://x/"\nauth = "bearer"\nsecret_env = "T"')
    with pytest.raises(ConfigError, match="secret of the CRM export is not available") as caught:
        place_of(found, world(**environ))
    assert "the environment variable T is missing" in caught.value.problems[0].message
    assert caught.value.hint == "export T=…"


def test_a_secret_file_of_the_source_is_as_private_as_the_other(tmp_path: Path) -> None:
    found = load(tmp_path, 'source = "s3://b/c"\nsecret_file = "pw"')
    canaries.exempt(tmp_path / "pw").write_text(f"{CANARY}\n")
    (tmp_path / "pw").chmod(0o640)
    with pytest.raises(ConfigError) as caught:
        place_of(found, world())
    assert "chmod 600" in caught.value.hint
    (tmp_path / "pw").chmod(0o600)
    assert place_of(found, world()).secret == CANARY


def test_a_signed_address_comes_from_the_environment(tmp_path: Path) -> None:
    found = load(tmp_path, 'source_env = "ADDRESS"')
    place = place_of(found, world(ADDRESS=f"https://s3.example/c.csv?X-Amz-Signature={CANARY}"))
    assert (place.kind, place.name, place.origin) == ("web", "c.csv", "https://s3.example/c.csv")
    assert CANARY not in f"{place!r}{place.origin}{place.name}"


@pytest.mark.parametrize(
    "address",
    ["", f"/c.csv?{CANARY}", f"s3://b/{CANARY}", f"http://x/{CANARY}", f"https://jo:{CANARY}@x/"],
)
def test_an_address_from_the_environment_is_looked_at_too(tmp_path: Path, address: str) -> None:
    found = load(tmp_path, 'source_env = "ADDRESS"')
    with pytest.raises(ConfigError) as caught:
        place_of(found, world(ADDRESS=address))
    assert "ADDRESS" in caught.value.problems[0].message
    assert CANARY not in f"{caught.value}{caught.value.problems}{caught.value.hint}"


@given(
    user=st.from_regex(r"[a-z]{1,8}(:[a-z:@]{1,8})?", fullmatch=True),
    host=st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,3})?(:[0-9]{2,4})?", fullmatch=True),
    path=st.from_regex(r"(/[a-z@:.]{1,8}){0,3}", fullmatch=True),
    tail=st.from_regex(r"[?#][a-z=&?#/@:]{1,12}", fullmatch=True),
)
def test_an_address_is_shown_without_user_and_query(
    user: str, host: str, path: str, tail: str
) -> None:
    assert locations.shown(f"https://{user}@{host}{path}{tail}") == f"https://{host}{path}"


@given(name=st.from_regex(r"[a-z_]*(secret|password|token|passphrase)[a-z_]*", fullmatch=True))
def test_no_option_of_a_secretive_name_is_accepted(name: str) -> None:
    found = dict(locations.faults({"source": "s3://b/c", "options": {name: CANARY}}))
    assert re.search("looks like a secret", found[f"options.{name}"])
