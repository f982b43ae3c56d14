from __future__ import annotations

import re
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from reconcile.cli.commands import sandbox
from reconcile.errors import UsageError
from reconcile.sandbox.profiles import assembled, differences
from reconcile.sandbox.switches import PROFILES, Switches


def test_without_anything_it_is_the_default():
    assert assembled(None, []) == Switches()
    assert differences(Switches()) == {}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_goes_by_its_name_which_the_help_says(name):
    assert assembled(name, []) == PROFILES[name]
    (option,) = (each for each in sandbox.params if each.name == "profile")
    assert name in option.help


def test_what_the_command_line_says_goes_before_the_profile():
    asked = assembled("ideal", ["if_match=required", "latency=0.5", "version=", "etags=weak"])
    expected = {"if_match": "required", "latency": 0.5, "version": ""}
    assert differences(asked) == expected


def test_a_file_starts_from_a_profile_and_the_command_line_goes_before_both(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text('etags = "strong"\ntop_limit = 50\nversion = "20.0.7.1"\nprofile = "20.0.8"\n')
    assert differences(assembled(str(path), ["version=20.0.8.2", "if_match=enforced"])) == {
        "etags": "strong",
        "top_limit": "50",
        "expires_in": "minutes",
        "version": "20.0.8.2",
    }


def test_a_file_may_do_without_a_profile(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text("throttle_every = 7\nrestart_seconds = 0.5\n")
    expected = {"throttle_every": 7, "restart_seconds": 0.5}
    assert differences(assembled(str(path), [])) == expected


def _problems(profile, words):
    with pytest.raises(UsageError) as refused:
        assembled(profile, words)
    assert refused.value.exit_code == 2
    assert refused.value.hint
    return [str(problem) for problem in refused.value.problems]


def test_everything_that_is_wrong_is_said_at_once_with_file_and_name(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text('profile = 20\netags = "bold"\nlatency = -1\nsurprise = true\norder = {}\n')
    said = _problems(str(path), ["if_match=x", "etags"])
    assert [line.partition(":")[0] for line in said] == [
        f"{path}, profile",
        f"{path}, etags",
        f"{path}, latency",
        f"{path}, surprise",
        f"{path}, order",
        "--with if_match=x",
        "--with etags",
    ]
    assert said[0].endswith("there is no profile 20; there are 20.0.8, 20.0.9+, ideal.")
    assert said[1].endswith("etags is one of weak, strong, none; not 'bold'.")
    assert "there is no switch surprise; there are " in said[3]
    assert said[-1].endswith("not ''.")


def test_an_unknown_profile_is_refused_with_the_choice():
    (said,) = _problems("20.0.10", [])
    assert said.startswith("--profile 20.0.10: there is no profile 20.0.10; there are 20.0.8,")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "it can't be read: No such file or directory."),
        (b"etags =", "it is not valid TOML: "),
        (b'etags = "\xff"', "it is not valid TOML: "),
    ],
)
def test_a_file_that_is_none_is_named_and_the_rest_is_still_looked_at(tmp_path, content, said):
    path = tmp_path / "ours.toml"
    if content is not None:
        path.write_bytes(content)
    first, second = _problems(str(path), ["etags=x"])
    assert first.startswith(f"{path}: {said}")
    assert second.startswith("--with etags=x: ")


def test_the_command_says_what_is_not_as_by_default_and_whom_to_trust():
    words = "-m reconcile sandbox --port 0 --profile ideal --with tls=valid --with latency=0.01"
    with subprocess.Popen(
        [sys.executable, *words.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        where, changed, trusted, _ = (process.stdout.readline() for _ in range(4))
        (url,) = re.findall(r"(https://\S+),", where)
        (ca_file,) = re.findall(r"^pbx\.ca_file.*: (/.*)\n", trusted)
        trust = ssl.create_default_context(cafile=ca_file)
        now = httpx.get(f"{url}/sandbox/switches", verify=trust).json()
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=10) == ("", "")
    assert changed == (
        "Other than by default: etags=strong, tls=valid, version=20.0.10.100, latency=0.01.\n"
    )
    assert Switches(**now) == assembled("ideal", ["tls=valid", "latency=0.01"])
    assert not Path(ca_file).exists()
