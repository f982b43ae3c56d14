"""The house of section 3 of the design, read from the imports themselves."""

from __future__ import annotations

import ast
import importlib
import tomllib
from pathlib import Path

import pytest
from mutants import OWN

ROOT = Path(__file__).parent.parent / "reconcile"
FLOORS = {
    "errors": 0,
    "secrecy": 0,
    "model": 0,
    "core": 1,
    "config": 2,
    "crm": 2,
    "pbx": 2,
    "store": 2,
    "report": 2,
    "session": 3,
    "apply": 3,
    "approval": 3,
    "planning": 3,
    "run": 3,
    "byhand": 3,
    "hold": 3,
    "lanes": 1,
    "bulk": 1,
    "ownership": 3,
    "restoring": 3,
    "setup": 3,
    "doctor": 4,
    "fleet": 4,
    "schedule": 4,
    "slots": 3,
    "notify": 4,
    "sandbox": 4,
    "cli": 4,
    "__main__": 5,
}
ADAPTERS = {"config", "crm", "pbx", "store", "report"}
MATCHER = {"core/match.py", "core/sides.py", "core/differences.py", "core/evidence.py"}
COLUMNS = {"core/phone_columns.py", "core/text_columns.py", "core/word_columns.py"}
TOLD = {"report/json_columns.py", "report/lines.py", "report/missing.py"}
BRACKETS = {
    "pandas": {"crm"} | MATCHER,
    "pyarrow": {"bulk.py", "crm", "model.py"} | COLUMNS | MATCHER | TOLD,
    "httpx": {"pbx", "notify", "crm/sources/web.py"},
    "httpcore": {"pbx"},
    "msgspec": {"pbx"},
    "sqlalchemy": {"store", "crm/sources/sql.py"},
    "fsspec": {"crm/sources/remote.py"},
    "sshfs": {"crm/sources/remote.py"},
    "alembic": {"store"},
    "portalocker": {"store"},
    "psutil": {"store"},
    "click": {"cli"},
    "apscheduler": {"schedule.py", "slots.py"},
    "dask": {"fleet"},
    "distributed": {"fleet"},
    "apprise": {"notify"},
    "prometheus_client": {"notify"},
    "starlette": {"sandbox"},
    "uvicorn": {"sandbox"},
}
IMPURE = {"os", "time", "random", "logging", "socket", "subprocess", "pathlib", "io", "sys"}


def modules():
    return sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path, *, typing_only: bool = True):
    """Names imported anywhere in a module; without those for type checkers only, if asked."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped = set()
    if not typing_only:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                skipped |= set(ast.walk(node))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path):
    """The rooms of ours that a module imports from, its own left out."""
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "reconcile" and len(parts) > 1 and parts[1] in FLOORS.keys() - {room(path)}:
            yield parts[1]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_loads_and_says_what_it_is_for(path):
    if path.name == "__main__.py":  # runs the command
        return
    name = ".".join(("reconcile", *path.relative_to(ROOT).with_suffix("").parts))
    assert importlib.import_module(name.removesuffix(".__init__")).__doc__


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_imports_only_from_lower_floors_and_its_own(path):
    own = room(path)
    if own in {"__init__", "py"}:
        return
    for other in ours(path):
        lower = FLOORS[other] < FLOORS[own]
        beside = FLOORS[other] == FLOORS[own] and FLOORS[own] in {0, 3, 4}
        assert lower or beside, f"{own} imports {other}"
        assert not (own in ADAPTERS and other in ADAPTERS), f"{own} imports {other}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_third_parties_stay_in_their_rooms(path):
    here = str(path.relative_to(ROOT))
    for name in imports(path, typing_only=False):
        rooms = BRACKETS.get(name.split(".")[0])
        allowed = rooms is None or here in rooms or here.split("/", maxsplit=1)[0] in rooms
        assert allowed, f"{here} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "core").glob("*.py")), ids=lambda p: p.name)
def test_the_core_is_pure(path):
    assert not IMPURE & {name.split(".")[0] for name in imports(path)}
    called = {
        node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute))
    }
    assert not {"open", "print", "now", "today", "utcnow"} & called


def test_the_model_and_the_errors_import_nothing_of_ours():
    for name in ("model.py", "errors.py"):
        assert list(ours(ROOT / name)) == []


def test_the_veto_shares_no_code_with_readers_or_matcher():
    assert [n for n in imports(ROOT / "core" / "veto.py") if n.startswith("reconcile")] == []


def test_the_sandbox_shares_no_code_with_the_client():
    simulator = [p for p in (ROOT / "sandbox").glob("*.py") if p.name != "demo.py"]
    assert simulator
    for path in simulator:
        assert "pbx" not in set(ours(path))


def test_bulk_actions_are_named_nowhere_in_the_client():
    for path in (ROOT / "pbx").glob("*.py"):
        text = path.read_text("utf-8")
        for action in ("DeleteContactsBy", "BatchContactsDelete", "BulkDelete", "Pbx.Delete"):
            assert action not in text


def test_no_room_is_called_by_what_it_is_not():
    names = {path.stem for path in modules()}
    assert not names & {"utils", "util", "common", "helpers", "manager", "base", "misc"}


def test_a_dry_run_never_constructs_a_writer():
    """Only what has something approved to do names PbxWriter."""
    users = {str(p.relative_to(ROOT)) for p in modules() if "PbxWriter(" in p.read_text("utf-8")}
    assert users == {"run.py", "restoring.py"} | {u for u in users if u.startswith("pbx/")}


def test_each_module_that_is_changed_line_by_line_has_tests_of_its_own():
    top = ROOT.parent
    tried = tomllib.loads((top / "pyproject.toml").read_text())["tool"]["mutmut"]
    paths = [path for pattern in tried["only_mutate"] for path in top.glob(pattern)]
    names = {".".join(path.relative_to(top).with_suffix("").parts) for path in paths}
    assert names - {"reconcile.core.__init__"} == set(OWN)
    selected = [name for name in tried["pytest_add_cli_args_test_selection"] if name[0] != "-"]
    for name in {name for files in OWN.values() for name in files}:
        file = f"tests/{name}.py"
        assert (top / file).exists()
        assert file.startswith(tuple(selected))
