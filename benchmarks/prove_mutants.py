"""Every line of what decides and deletes, changed in every way, and whether a test notices.

`make prove`: takes hours, prints what was killed per module, and fails below the share asked for.
What survives and why that is no fault stands in docs/safety.md. Runs mutmut in the project's
folder, where `[tool.mutmut]` of pyproject.toml says which modules and which tests; of these each
line is tried with those of its own module (tests/mutants.py). What was tried before and has not
changed is not tried again (`mutants/`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

from mutants import OWN, own

KILLED = ("killed", "timeout", "suspicious", "segfault", "caught by type check")
"""How a mutant ends that a test noticed; a loop without end is one, too."""
_SMALL = "reconcile.core.policy"
"""A module that is tried first, as mutmut finds out on the way which test goes through what."""


def main() -> None:
    """Run, count, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as reconcile.core.guards; else all")
    parser.add_argument("--share", type=float, default=95.0, help="per cent that must be killed")
    options = parser.parse_args()
    _mutmut("run", f"{_SMALL}.*")
    only_own_tests(Path("mutants/mutmut-stats.json"))
    _mutmut("run", f"{_SMALL}.*")  # again: what is named is tried anew, now with its own tests
    _mutmut("run", *(f"{module}.*" for module in options.modules))
    found = results(tuple(options.modules))
    killed = tried = 0
    for module, ends in sorted(found.items()):
        dead, all_of_them = sum(ends[how] for how in KILLED), sum(ends.values())
        killed, tried = killed + dead, tried + all_of_them
        print(f"{module:<32} {dead:>6,} of {all_of_them:>6,} {dead / all_of_them:>7.1%}")
    share = killed / tried * 100 if tried else 0.0
    print(f"{'together':<32} {killed:>6,} of {tried:>6,} {share:>6.1f}%")
    if share < options.share:
        raise SystemExit(f"fewer than {options.share:g} % were killed: mutmut results, mutmut show")


def only_own_tests(path: Path) -> None:
    """Leave to each function the tests of its own module: mutmut asks those that go through it."""
    stats = json.loads(path.read_text())
    through = stats["tests_by_mangled_function_name"]
    for name in through:
        module = name.rpartition(".")[0]
        if module in OWN:
            through[name] = own(module, through[name])
    path.write_text(json.dumps(stats))


def _mutmut(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "mutmut", *arguments], check=True)


def results(modules: tuple[str, ...]) -> dict[str, Counter[str]]:
    """Module → how many of its mutants ended how; those that were not tried are left out."""
    said = subprocess.run(
        [sys.executable, "-m", "mutmut", "results", "--all", "true"],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for line in said.stdout.splitlines():
        name, _, end = line.strip().rpartition(": ")
        module = name.rpartition(".")[0]
        if name and end not in {"not checked", "skipped"} and module.startswith(modules or ""):
            found[module][end] += 1
    return found


if __name__ == "__main__":
    main()
