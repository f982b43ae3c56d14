"""The wheel, built and installed into an empty environment away from the source tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    """A process that must succeed; gives its output."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**clean, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy: two builds in one tree disturb each other, and what one left the next."""
    out = tmp_path_factory.mktemp("wheel")
    other = ("tests", "build", "dist", "mutants", "*.egg-info", "__pycache__")
    tree = shutil.copytree(ROOT, out / "tree", ignore=shutil.ignore_patterns(".*", *other))
    run(sys.executable, "-m", "build", "--wheel", "--outdir", out, tree, cwd=out)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_migration_and_nothing_else(wheel):
    tree = {str(p.relative_to(ROOT)) for p in (ROOT / "reconcile").rglob("*.py")}
    tree |= {f"reconcile/{p.relative_to(ROOT)}" for p in (ROOT / "migrations").rglob("*.py")}
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
    assert {n for n in names if n.endswith(".py")} == tree
    assert {n for n in names if not n.endswith(".py")} <= {
        "reconcile/py.typed",
        "reconcile/migrations/script.py.mako",
        "reconcile/report/templates/early.js",
        "reconcile/report/templates/fleet.html",
        *(f"reconcile/report/templates/report.{kind}" for kind in ("html", "css", "js")),
    }


def test_the_wheel_works_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(
        *pip,
        "install",
        "--quiet",
        "--no-compile",
        "-c",
        constraints,
        f"{wheel}[sandbox]",
        cwd=tmp_path,
    )
    reconcile = python.with_name("reconcile")
    assert "changed" in run(reconcile, "demo", cwd=tmp_path)
    run(
        reconcile,
        "init",
        "--mode=review",
        "--source=exports/*.csv",
        "--region=DE",
        "--pbx-url=https://pbx.example.com",
        "--client-id=reconcile",
        "--secret-env=SECRET",
        "--delete-guard=etag",
        cwd=tmp_path,
    )
    assert (tmp_path / "state" / "reconcile.db").exists()
    assert "nothing" in run(reconcile, "db", "upgrade", cwd=tmp_path).lower()
