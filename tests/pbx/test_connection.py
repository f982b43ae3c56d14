"""The address of the PBX has one spelling, and bad ones are refused."""

from __future__ import annotations

import pytest

from reconcile.errors import ConfigError
from reconcile.pbx.client import Connection


def connection(url: str = "https://pbx.example.com", **settings: object) -> Connection:
    given = {"url": url, "client_id": "me", "client_secret": "canary-secret-5f1d"}
    return Connection(**{**given, **settings})  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://PBX.Example.com/", "https://pbx.example.com"),
        ("https://pbx.example.com:443", "https://pbx.example.com"),
        (" https://pbx.example.com:5001 ", "https://pbx.example.com:5001"),
        ("HTTPS://müller.example", "https://xn--mller-kva.example"),
        ("https://10.0.0.7:5001", "https://10.0.0.7:5001"),
        ("https://[2001:db8::1]:5001/", "https://[2001:db8::1]:5001"),
        ("http://127.0.0.1:5004", "http://127.0.0.1:5004"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_an_address_is_kept_in_one_spelling(url: str, kept: str) -> None:
    assert connection(url).url == kept


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("pbx.example.com", "begin with https://"),
        ("", "begin with https://"),
        ("ftp://pbx.example.com", "begin with https://"),
        ("http://pbx.example.com", "this machine only"),
        ("http://10.0.0.7", "this machine only"),
        ("https://pbx.example.com/xapi/v1", "without /xapi/v1"),
        ("https://pbx.example.com/?x=1", "nothing after"),
        ("https://pbx.example.com?", "nothing after"),
        ("https://pbx.example.com#x", "nothing after"),
        ("https://me:canary-pw-5f1d@pbx.example.com", "no user name"),
        ("https://@pbx.example.com", "no user name"),
        ("https://pbx.example.com\\.evil.test", "nothing after"),
        ("https://", "no host"),
        ("https://a b", "no host"),
        ("https://-a-", "no host"),
        ("https://a..b", "no host"),
        ("https://a.", "no host"),
        (f"https://{'a' * 64}.example", "no host"),
        (f"https://{'a.' * 130}b", "no host"),
        ("https://pbx.example.com:0", "impossible port"),
        ("https://pbx.example.com:99999", "impossible port"),
        ("https://pbx.example.com:port", "no address"),
        ("https://[::1", "no address"),
    ],
)
def test_a_bad_address_is_refused_with_its_reason(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        connection(url)
    assert "canary" not in caught.value.message
    assert "https://HOST" in caught.value.hint


@pytest.mark.parametrize(
    "settings",
    [{"client_id": ""}, {"client_secret": ""}, {"concurrency": 0}, {"timeout": 0.0}],
)
def test_empty_credentials_and_impossible_limits_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        connection(**settings)


def test_the_secret_is_not_shown() -> None:
    assert "canary" not in repr(connection())
