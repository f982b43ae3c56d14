"""The 76 scenarios: each has its tests, named after its number, or a line that says why not.

| numbers | what goes wrong | tests |
|---|---|---|
| 1-27 | the export | `test_crm_input.py` |
| 28-49 | the phone system | `test_pbx_side.py` |
| 50-66 | runs, crashes, the state | `test_runs_and_state.py` |
| 67-76 | people, secrets, time | `test_people_and_secrets.py` |

Each is a whole run against the simulated phone system, with real files, HTTP and SQLite. Tonight's
honest run would delete two contacts (`scene.py`): where nothing is deleted, something held it back.
"""

from __future__ import annotations

import ast
from pathlib import Path

from amounts import note

HERE = Path(__file__).parent

NOT_APPLICABLE: dict[int, str] = {}
"""Number → why it has no test."""

OTHERWISE = {
    11: "an export with another delimiter is read by its content; only a mixture is refused",
    12: "BOM, UTF-16 and cp1252 are read; only a mixture is refused",
    17: "new ids alone ask for nothing: numbers, addresses and names go on matching",
    26: "config.toml is its owner's: an export may be anywhere; a manifest's names are not opened",
    32: "the proof holds for one PBX and one version of it; each delete is compared besides",
    45: "a replica has no mark of its own; old data only ends grace and makes contacts unmanaged",
    63: "a report that can't be written is the state's trouble (8), a bug's traceback is 1",
    65: "7 before the first delete, 5 after it, as with every stop",
    69: "protection is by value, so none fits everybody; what fits nobody, `reconcile doctor` says",
    75: "no guard of its own: a stale export is refused, and grace needs two exports",
}
"""Number → what is decided in another way than the list of scenarios proposes."""


def numbers_tested() -> dict[int, list[str]]:
    """Number → the tests that carry it."""
    found: dict[int, list[str]] = {}
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name[5:7].isdecimal():
                found.setdefault(int(node.name[5:7]), []).append(node.name)
    return found


def test_every_scenario_has_its_tests_or_a_reason():
    tested = numbers_tested()
    assert set(tested) | set(NOT_APPLICABLE) == set(range(1, 77))
    assert not set(tested) & set(NOT_APPLICABLE)
    assert set(OTHERWISE) <= set(tested)
    note("scenarios", f"{len(tested)} of 76, in {sum(map(len, tested.values()))} tests")
