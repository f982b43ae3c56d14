"""docs/safety.md: every test that it names exists, and every code of the program is explained."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from reconcile.model import Exit

ROOT = Path(__file__).parent.parent
SAFETY = (ROOT / "docs" / "safety.md").read_text("utf-8")
VERDICTS = (ROOT / "docs" / "verdicts.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", SAFETY)))


def functions(path: str) -> set[str]:
    """The names of a file's functions, read and not run."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_exists():
    missing = [f"{path}::{name}" for path, name in NAMED if name not in functions(path)]
    assert missing == []
    assert len(NAMED) > 50


@pytest.mark.parametrize("section", re.findall(r"^### (.+)$", SAFETY, re.MULTILINE)[:5])
def test_every_promise_names_a_test(section):
    text = SAFETY.split(f"### {section}\n", 1)[1].split("\n#", 1)[0]
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows
    assert [row for row in rows if "::test_" not in row] == []


def text_in(node: ast.expr | None) -> set[str]:
    """The texts that an expression may be: itself, or either side of a condition."""
    if isinstance(node, ast.IfExp):
        return text_in(node.body) | text_in(node.orelse)
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return {node.value} - {""} if is_text else set()


def codes_in(tree: ast.Module) -> set[str]:
    """Every `code="…"` of a call or a default, every class's `code`, every `rejected("…")`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "code":
            found |= text_in(node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "rejected":
            found |= text_in(node.args[0])
        elif isinstance(node, ast.arguments):
            pairs = zip(node.kwonlyargs, node.kw_defaults, strict=True)
            found |= {t for arg, value in pairs if arg.arg == "code" for t in text_in(value)}
        elif isinstance(node, ast.ClassDef):
            lines = [line for line in node.body if isinstance(line, ast.Assign)]
            found |= {
                t for line in lines if line.targets[0].id == "code" for t in text_in(line.value)
            }
    return found


def all_codes() -> set[str]:
    files = [p for p in (ROOT / "reconcile").rglob("*.py") if "sandbox" not in p.parts]
    return {code for p in files for code in codes_in(ast.parse(p.read_text("utf-8")))}


ABSTRACT = {"error", "pbx_error", "export_rejected"}
"""Codes of classes of errors; each that is raised has a narrower one, or stands in a report."""


def test_every_code_is_in_the_manual():
    codes = all_codes()
    explained = {code for code in codes if f"`{code}`" in SAFETY + VERDICTS}
    assert codes - explained - ABSTRACT == set()
    assert {"state_corrupt", "export_truncated", "lock_busy", "group_lost", "held"} <= codes
    assert len(codes) > 55


def test_no_code_is_in_the_manual_that_the_program_does_not_have():
    table = SAFETY.split("## Errors without a report", 1)[1].split("\n## ", 1)[0]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {code for cell in first for code in re.findall(r"`(\w+)`", cell)} <= all_codes()


@pytest.mark.parametrize("code", list(Exit))
def test_every_exit_code_has_its_place(code):
    cells = re.findall(r"^\|[^|]*\|([^|]*)\|", SAFETY, re.MULTILINE)
    assert any(re.search(rf"\b{int(code)}\b", cell) for cell in cells)
