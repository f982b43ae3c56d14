"""The manual says what the program does: commands, keys, exit codes, verdicts, findings."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from reconcile.cli.commands import group
from reconcile.config import Document
from reconcile.model import Acceptance, EtagKind, Exit, IfMatch, Outcome, Verdict
from reconcile.report import told

ROOT = Path(__file__).parent.parent
DOCS = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
README = (ROOT / "README.md").read_text("utf-8")


def commands(command: click.Command, name: str = "reconcile"):
    """(full name, command) of every command that does something."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from commands(child, f"{name} {child.name}")
    else:
        yield name, command


@pytest.mark.parametrize(("name", "command"), list(commands(group)), ids=str)
def test_every_command_has_help_and_a_place_in_the_manual(name, command):
    assert command.help
    assert f"`{name}" in DOCS["commands.md"]


def keys(model, prefix=""):
    for name, field in model.model_fields.items():
        nested = hasattr(field.annotation, "model_fields") and name != "protect"
        if nested:
            yield from keys(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


@pytest.mark.parametrize("key", list(keys(Document)))
def test_every_key_is_in_the_manual(key):
    assert f"| `{key}` |" in DOCS["configuration.md"]


@pytest.mark.parametrize("code", list(Exit))
def test_every_exit_code_is_in_the_manual(code):
    assert f"\n| {int(code)} |" in DOCS["exit-codes.md"]


@pytest.mark.parametrize("word", [*Verdict, *Outcome])
def test_every_verdict_and_outcome_is_in_the_manual(word):
    assert f"\n| `{word}` |" in DOCS["verdicts.md"]


@pytest.mark.parametrize("word", [*IfMatch, *Acceptance, *EtagKind])
def test_every_word_of_a_proof_is_in_the_manual(word):
    assert f"`{word}`" in DOCS["pbx.md"]


_OF_A_READ = ("export_", "header_", "id_", "pbx_", "plan_", "listing_", "manifest_")


def finding_codes() -> set[str]:
    """Every `code="…"` in the modules that make findings or problems."""
    sources = [*(ROOT / "reconcile").rglob("*.py")]
    text = "\n".join(p.read_text("utf-8") for p in sources if "sandbox" not in p.parts)
    stated = re.findall(r"""code\s*=\s*["']([a-z_]+)["']""", text)
    guarding = (ROOT / "reconcile" / "core" / "guards.py").read_text("utf-8")
    return {*re.findall(r"code=\"([a-z_]+)\"", guarding)} | {
        code for code in stated if code.startswith(_OF_A_READ)
    }


def test_every_finding_is_in_the_manual():
    missing = {c for c in finding_codes() if f"`{c}`" not in DOCS["verdicts.md"]}
    assert missing == set()
    assert len(finding_codes()) > 15


def test_every_guard_has_a_name_that_a_person_reads():
    guarding = (ROOT / "reconcile" / "core" / "guards.py").read_text("utf-8")
    assert set(told.GUARDS) == set(re.findall(r"code=\"([a-z_]+)\"", guarding))


def test_the_commands_of_the_readme_exist():
    shown = re.findall(r"^(?:reconcile|make) .*$", README, re.MULTILINE)
    known = {name for name, _ in commands(group)}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert shown
    for line in shown:
        words = shlex.split(line, comments=True)
        if words[0] == "make":
            assert words[1] in targets
        else:
            assert f"reconcile {words[1]}" in known, line


def test_the_manual_and_the_readme_link_to_files_that_exist():
    for folder, text in [(ROOT, README), *((ROOT / "docs", text) for text in DOCS.values())]:
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (folder / target).exists(), target
