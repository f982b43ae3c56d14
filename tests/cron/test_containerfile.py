"""cron/Containerfile: what it copies is enough, what it runs is run.

Not executed: an engine. Its lines are run in a folder, with only what they were given; the wheel's
dependencies are installed in `make prove` only, as tests/test_packaging.py installs them, too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from amounts import PROVE

from reconcile.cli.commands import group

ROOT = Path(__file__).parents[2]
FILE = ROOT / "cron" / "Containerfile"
USER = "10001"


@dataclass
class Stage:
    """What stands after one FROM: (instruction, argument), in order."""

    base: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [argument for name, argument in self.lines if name == instruction]


def stages() -> list[Stage]:
    text = re.sub(r"^#.*\n", "", FILE.read_text("utf-8"), flags=re.MULTILINE)
    found = [Stage(base="")]
    for line in filter(None, re.sub(r"\\\n", " ", text).splitlines()):
        name, argument = line.split(maxsplit=1)
        if name == "FROM":
            found.append(Stage(base=argument))
        else:
            found[-1].lines.append((name, argument))
    return found


GLOBAL, BUILD, IMAGE = stages()


def test_the_image_has_the_python_of_the_tests_and_the_same_in_both_stages():
    assert GLOBAL.all("ARG") == ["PYTHON=3.11"]
    assert {stage.base.split()[0] for stage in (BUILD, IMAGE)} == {
        "docker.io/library/python:${PYTHON}-slim"
    }
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert config["project"]["requires-python"] == ">=3.11"


def test_the_image_is_made_from_what_it_copies(tmp_path):
    """The wheel, with its migrations and templates, in an environment of its own."""
    source, opt = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    for words in map(str.split, BUILD.all("COPY")):
        for name in words[:-1]:
            assert (ROOT / name).exists(), name
        copy(words, source)
    (extras,) = BUILD.all("ARG")
    (command,) = BUILD.all("RUN")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE"))}
    environ = {
        **kept,
        **dict([extras.split("=")]),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **({} if PROVE else {"PIP_NO_DEPS": "1"}),
    }
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace("/opt/reconcile", str(opt))],
        cwd=source,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "does not provide the extra" not in done.stdout + done.stderr
    (packages,) = opt.glob("lib/python3.*/site-packages")
    assert (packages / "reconcile" / "migrations" / "env.py").exists()
    assert (packages / "reconcile" / "report" / "templates" / "report.html").exists()
    program = opt / "bin" / "reconcile"
    assert os.access(program, os.X_OK)
    if PROVE:
        subprocess.run([program, "demo", "--help"], check=True, env=environ)
        imports = "import apprise, asyncssh, fsspec, prometheus_client, psycopg, pymysql, s3fs"
        subprocess.run([opt / "bin" / "python", "-c", imports], check=True, env=environ)


def copy(words: list[str], into: Path) -> None:
    """COPY, as an engine does it; compiled modules of this machine are no part of a wheel."""
    *names, target = words
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, into / target, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, into / target)


def test_nothing_is_copied_but_what_a_wheel_is_made_of():
    """A secret.env, an export or a state in the folder stays outside of the image."""
    copied = {name for words in map(str.split, BUILD.all("COPY")) for name in words[:-1]}
    assert copied == {
        *("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "NOTICE"),
        *("reconcile", "migrations"),
    }
    assert IMAGE.all("COPY") == ["--from=build /opt/reconcile /opt/reconcile"]


def test_the_user_is_made_and_is_that_of_the_manifests(tmp_path):
    etc = tmp_path / "etc"
    etc.mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        (etc / name).touch()
    (command,) = IMAGE.all("RUN")
    apart = re.sub(r"(groupadd|useradd)", rf"\1 --prefix {tmp_path}", command)
    subprocess.run(["/bin/sh", "-c", apart], check=True)
    name, _, user, its_group, _, home, _ = (etc / "passwd").read_text().strip().split(":")
    assert (name, user, its_group) == ("reconcile", USER, USER)
    assert (etc / "group").read_text().startswith(f"reconcile:x:{USER}:")
    assert IMAGE.all("USER") == [f"{USER}:{USER}"]
    assert IMAGE.all("WORKDIR") == [home]
    text = (ROOT / "cron" / "kubernetes.yaml").read_text("utf-8")
    (job,) = [thing for thing in yaml.safe_load_all(text) if thing["kind"] == "CronJob"]
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    security = pod["securityContext"]
    assert {str(security[k]) for k in ("runAsUser", "runAsGroup", "fsGroup")} == {USER}
    assert pod["containers"][0]["volumeMounts"][0]["mountPath"] == home


def test_it_starts_the_nights_unless_told_otherwise():
    assert IMAGE.all("ENTRYPOINT") == ['["reconcile"]']
    (command,) = map(yaml.safe_load, IMAGE.all("CMD"))
    assert [*command[1:], command[0] in group.commands] == [True]
    assert "/opt/reconcile/bin" in IMAGE.all("ENV")[0]


@pytest.mark.parametrize("word", ["SECRET", "PASSWORD", "TOKEN", ".env"])
def test_no_secret_is_asked_for_or_kept(word):
    assert not [line for stage in stages() for line in stage.lines if word in line[1]]
