"""Each command line of docs/nights.md is executed, or as much of it as a test machine can.

A line of a kind that is not known here fails: how to execute it has to be said first. Never
executed are what asks a running systemd, an engine, a cluster or Windows: of those lines the files,
names and options are looked at, and what they would run inside is executed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from datetime import date, timedelta
from inspect import signature
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from reconcile.cli.commands import group

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "nights.md").read_text("utf-8")
LINES = [
    line
    for block in re.findall(r"^```console\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
SPOKEN = sorted(set(re.findall(r"`(reconcile [^`]+)`", MANUAL)))
IMAGE = "reconcile:0.1.0"
DATA = "/var/lib/reconcile"


def test_there_is_a_line_for_each_way():
    programs = {line.removeprefix("sudo ").split()[0] for line in LINES}
    assert programs == {
        *("useradd", "install", "systemctl", "journalctl"),
        *("podman", "kubectl", "schtasks", "wsl"),
    }
    assert len(LINES) > 25


# ---------------------------------------------------------------------------- ours, in prose


@pytest.mark.parametrize("line", SPOKEN)
def test_a_command_in_the_text_is_executed(installed, line):
    words = shlex.split(line)[1:]
    if words == ["schedule"]:  # it stays; tests/cron/test_scheduled_nights.py executes it
        assert words[0] in group.commands
        return
    tomorrow = f"{date.today() + timedelta(days=1)}"  # noqa: DTZ011 - a date as a person types it
    words = [re.sub(r"^20\d\d-\d\d-\d\d$", tomorrow, word) for word in words]
    code, said = installed.reconcile(*words)
    assert code == 0, said


# ---------------------------------------------------------------------------- systemd


def units() -> set[str]:
    return {path.name for path in (ROOT / "cron").glob("reconcile*")}


def useradd(words, tmp_path):
    """In account files of its own."""
    etc = tmp_path / "etc"
    etc.mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        (etc / name).touch()
    subprocess.run([*words[:1], "--prefix", str(tmp_path), *words[1:]], check=True)
    assert (etc / "passwd").read_text().startswith("reconcile:")
    service = (ROOT / "cron" / "reconcile.service").read_text("utf-8")
    assert "\nUser=reconcile\n" in service


def install(words, tmp_path):
    """Into a folder of its own in place of / ."""
    *options, target = words
    into = tmp_path / target.lstrip("/")
    if "-d" not in options:
        into.mkdir(parents=True)
    subprocess.run([*options, str(into)], cwd=ROOT, check=True)
    if "-d" in options:
        assert (into.stat().st_uid, into.stat().st_mode & 0o777) == (10001, 0o700)
    else:
        assert {path.name for path in into.iterdir()} == units()


def systemctl(words, tmp_path):
    """Enabling works offline; starting, reloading and listing ask the manager."""
    for word in words:
        if "." in word:
            assert re.sub("@.*", "@.service", word) in units()
    if words[1] == "enable":
        folder = tmp_path / "etc" / "systemd" / "system"
        folder.mkdir(parents=True)
        for name in units():
            shutil.copy(ROOT / "cron" / name, folder)
        offline = [f"--root={tmp_path}", *(word for word in words[1:] if word != "--now")]
        subprocess.run([words[0], *offline], check=True, capture_output=True)
        assert (folder / "timers.target.wants" / "reconcile.timer").is_symlink()
    else:
        assert words[1] in ("daemon-reload", "list-timers", "start")


def journalctl(words):
    """It reads the journal of this machine, if there is one; and knows the options."""
    subprocess.run([*words, "--no-pager", "--quiet"], check=True, capture_output=True)
    failed = (ROOT / "cron" / "reconcile-failed@.service").read_text("utf-8")
    for word in words:
        if word.startswith("--identifier="):
            assert f"SyslogIdentifier={word.partition('=')[2]}\n" in failed
        if word.startswith("--unit="):
            assert word.partition("=")[2] in units()


# ---------------------------------------------------------------------------- containers


def podman(words, request):
    """No engine; what would run in the container does."""
    verb, *rest = words[1:]
    if verb == "build":
        assert (ROOT / rest[rest.index("--file") + 1]).exists()
        assert rest[rest.index("--tag") + 1] == IMAGE
        assert (ROOT / rest[-1] / "pyproject.toml").exists()
        return
    if verb == "exec":
        assert rest[:2] == ["reconcile", "reconcile"]
        executed(rest[2:], request)
        return
    options, command = rest[: rest.index(IMAGE)], rest[rest.index(IMAGE) + 1 :]
    assert options[options.index("--volume") + 1].partition(":")[2] == DATA
    assert options[options.index("--env-file") + 1] == "secret.env"
    if command:
        executed(command, request)
    else:
        assert {"--read-only", "--tmpfs", "--detach"} <= set(options)
        assert options[options.index("--stop-timeout") + 1] == "180"


def executed(words, request):
    """A command of ours, which has to end well."""
    code, said = request.getfixturevalue("installed").reconcile(*words)
    assert code == 0, said


# ---------------------------------------------------------------------------- Kubernetes


def objects() -> dict[str, dict]:
    """What the manifests make: kind/name → object."""
    found = {}
    for path in (ROOT / "cron").glob("kubernetes*.yaml"):
        for thing in yaml.safe_load_all(path.read_text("utf-8")):
            found[f"{thing['kind'].lower()}/{thing['metadata']['name']}"] = thing
    return found


def kubectl(words, request):
    """No cluster; tests/cron/test_kubernetes.py reads and runs the manifests."""
    match words[1:]:
        case ["create", "secret", "generic", name, origin]:
            assert origin == "--from-env-file=secret.env"
            assert f"name: {name}\n" in (ROOT / "cron" / "kubernetes.yaml").read_text("utf-8")
        case ["apply", "-f", name]:
            assert (ROOT / name).exists()
        case ["exec", pod, "--", "reconcile", *command]:
            assert f"pod/{pod}" in objects()
            executed(command, request)
        case ["delete", "pod", pod]:
            assert f"pod/{pod}" in objects()
        case ["create", "job", _, origin]:
            assert origin.removeprefix("--from=") in objects()
        case ["logs", job]:
            assert f"create job {job.removeprefix('job/')} " in MANUAL
        case ["patch", "cronjob", name, "--patch", patch]:
            thing = objects()[f"cronjob/{name}"]
            thing["spec"] |= json.loads(patch)["spec"]
            assert kubernetes_validate.validate(
                thing, kubernetes_validate.latest_version(), strict=True
            )
        case _:
            pytest.fail(f"not known: {words}")


# ---------------------------------------------------------------------------- Windows


def schtasks(words):
    """No Windows; tests/cron/test_windows_task.py reads the file."""
    options = dict(zip(words[2::2], words[3::2], strict=False))
    assert words[1] in ("/Create", "/Run", "/Query")
    assert options["/TN"] == "reconcile"
    if "/XML" in options:
        assert (ROOT / options["/XML"].replace("\\", "/")).exists()


def wsl(words, request):
    """No WSL; what would run inside does."""
    if words[1:] == ["--version"]:
        return
    program = words.index("--exec") + 1
    assert words[1:program] == ["--distribution", "Debian", "--user", "reconcile", "--exec"]
    installed = request.getfixturevalue("installed")
    done = installed.run(*(installed.placed(word) for word in words[program:]))
    assert done.returncode == 0, done.stderr


KINDS = {
    kind.__name__: kind
    for kind in (useradd, install, systemctl, journalctl, podman, kubectl, schtasks, wsl)
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_manual_does_what_it_should(line, request, tmp_path):
    assert tmp_path.exists()  # what is left in it is looked through for secrets
    # Backslashes are Windows' there, and no quoting.
    words = shlex.split(line.replace("\\", "\\\\")) if "\\" in line else shlex.split(line)
    words = words[1:] if words[0] == "sudo" else words
    assert os.sep not in words[0]
    kind = KINDS[words[0]]
    _, *wanted = signature(kind).parameters
    kind(words, **{name: request.getfixturevalue(name) for name in wanted})
