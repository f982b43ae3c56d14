"""The search for leaked secrets finds what is planted; otherwise its silence would mean nothing."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import canaries
import pytest
from canaries import SECRET

TESTS = Path(__file__).parents[1]
START = """
import gzip, logging, os, sys
from pathlib import Path
import canaries, pytest
SECRET = "canary-" + "secret-7Q"
"""
PLANTED = {
    "stdout": "def test(): print(SECRET)",
    "stderr": "def test(): sys.stderr.write(SECRET)",
    "a log": "def test(): logging.getLogger('httpx').error('Bearer %s', SECRET)",
    "a child": "def test(): os.write(1, SECRET.encode())",
    "a file": "def test(tmp_path): (tmp_path / 'x').write_text(f'a {SECRET} b')",
    "a file deep down": "def test(tmp_path): (tmp_path / 'a').mkdir(); "
    "(tmp_path / 'a' / 'x').write_text(SECRET)",
    "a packed file": "def test(tmp_path): "
    "(tmp_path / 'x').write_bytes(gzip.compress(SECRET.encode()))",
    "a file's name": "def test(tmp_path): (tmp_path / SECRET).touch()",
    "a token of the sandbox": "def test(tmp_path): "
    "(tmp_path / 'x').write_text('sandbox-token-' + 'x' * 64)",
    "a fixture": "@pytest.fixture\ndef late(tmp_path):\n    yield\n"
    "    (tmp_path / 'x').write_text(SECRET)\ndef test(late): pass",
    "a folder that tests share": "def test(tmp_path_factory): "
    "(tmp_path_factory.mktemp('shared') / 'x').write_text(SECRET)",
    "only what was named is exempt": "def test(tmp_path): "
    "canaries.exempt(tmp_path / 'x'); (tmp_path / 'y').write_text(SECRET)",
    "an exemption ends with its test": "def test(tmp_path): canaries.exempt(tmp_path)\n"
    "def test_2(tmp_path): (tmp_path / 'x').write_text(SECRET)",
}
INNOCENT = {
    "nothing": "def test(tmp_path): print('canary'); (tmp_path / 'x').write_text('the canary')",
    "an exempt file": "def test(tmp_path): canaries.exempt(tmp_path / 'x').write_text(SECRET)",
    "an exempt folder": "def test(tmp_path): canaries.exempt(tmp_path); "
    "(tmp_path / 'x').write_text(SECRET)",
    "a link out of the folder": "def test(tmp_path): (tmp_path / 'x').symlink_to('/dev/zero')",
    "a pipe": "def test(tmp_path): os.mkfifo(tmp_path / 'x')",
}


def outcome(folder: Path, *bodies: str) -> list[str]:
    """What pytest says of suites of one file each, under the hook that all tests here have."""
    canaries.exempt(folder)
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {TESTS}\n")
    (folder / "conftest.py").write_bytes((TESTS / "conftest.py").read_bytes())
    for number, body in enumerate(bodies):
        (folder / f"test_{number}.py").write_text(START + body + "\n")
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={folder}/t", "-rA"],
        cwd=folder,
        env=plain,
        capture_output=True,
        text=True,
        check=False,
    )
    return [*done.stdout.splitlines(), f"exit {done.returncode}"]


def test_a_secret_is_found_wherever_it_was_planted(tmp_path):
    said = outcome(tmp_path, *PLANTED.values())
    shared = list(PLANTED).index("a folder that tests share")
    for number, where in enumerate(PLANTED):
        failed = any(line.startswith(f"ERROR test_{number}.py") for line in said)
        assert failed or number == shared, where
    assert any("/shared0/x: canary-secret-7Q" in line for line in said)
    assert said[-1] == "exit 1"


def test_what_is_innocent_passes(tmp_path):
    said = outcome(tmp_path, *INNOCENT.values())
    assert not [line for line in said if line.startswith("ERROR")]
    assert said[-1] == "exit 0"


@pytest.mark.parametrize("user", ["", "j", "jo", "joe", "joey"])
def test_http_basic_does_not_hide_a_secret(user):
    assert canaries.leaks(b"Authorization: Basic " + b64encode(f"{user}:{SECRET}".encode()))


def test_a_packed_secret_is_found_and_a_bomb_is_not_unpacked():
    assert canaries.leaks(gzip.compress(SECRET.encode())) == [SECRET]
    assert canaries.leaks(gzip.compress(bytes(2 * canaries.MOST) + SECRET.encode())) == []
    assert canaries.leaks(b"\x1f\x8bno gzip") == []
