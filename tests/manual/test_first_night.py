"""The newcomer's path: docs/first-night.md and the README are typed, and print what they show."""

from __future__ import annotations

import json
import re
import shlex
import urllib.request

import pytest
from manual.pages import PAGES, ROOT, Step, blocks, difference, steps

PAGE = PAGES["docs/first-night.md"]
YOURS = "https://phone.example.com:5001"
EXPORT = "~/Downloads/hubspot-crm-exports-all-contacts-2026-11-{}.csv"


def packages(command: str) -> None:
    """`pip install` names this project, and extras that it has."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    name, extras = re.fullmatch(r"([\w-]+)(?:\[([\w,]+)\])?", shlex.split(command)[2]).groups()
    assert f'name = "{name}"' in project
    for extra in (extras or "").split(",") if extras else ():
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE)


def demo_of_the_makefile() -> str:
    """What `make demo` runs after its set-up, which this test is part of."""
    recipe = (ROOT / "Makefile").read_text("utf-8").split("\ndemo:", 1)[1].splitlines()[1]
    return recipe.strip().replace("$(BIN)/", "")


def test_the_first_night_goes_as_the_page_says(walk):
    """Both halves: the rehearsal, and a 3CX without ETags in place of the reader's own."""
    (walk.shell.home / "Downloads").mkdir()
    first, second = EXPORT.format(26), EXPORT.format(27)
    walk.begin_sandbox(
        f"reconcile sandbox --profile 20.0.9+ --contacts 120 --seed 7 --export {first}", shown=YOURS
    )
    assert walk.shell(f"grep -v '^1120,' {first} > {second}")[0] == 0
    taken = 0
    for language, content in blocks(PAGE):
        if language == "toml":
            walk.set(content)
            continue
        assert language == "console"
        for step in steps(content):
            taken += 1
            if step.command.startswith("pip install"):
                packages(step.command)
                continue
            if step.command == "make demo":
                step = Step(demo_of_the_makefile(), step.shown)  # noqa: PLW2901 - the same step
            code, printed = walk.take(step)
            lost = difference(step.printed, printed)
            assert not lost, f"{step.command}\nnot printed: {lost}\n\n{printed}"
            assert code not in (1, 2), printed
            assert "Traceback" not in printed
    assert taken > 25


def leave(walk, url: str) -> None:
    """An evening at the office: all have matched once, one has left, and somebody was typed in.

    The README's plan then has something due, as yours will have one day.
    """
    walk.set("grace_exports = 1\ngrace_hours = 0")
    assert walk.shell("reconcile plan")[0] == 0
    exported = walk.shell.folder / "exports" / "contacts.csv"
    rows = exported.read_text("utf-8").splitlines(keepends=True)
    exported.write_text("".join(rows[:-1]), "utf-8")
    somebody = json.dumps({"FirstName": "Jo", "LastName": "Doe", "PhoneNumber": "+49 30 55"})
    request = urllib.request.Request(  # noqa: S310 - the sandbox's own address
        f"{url}/sandbox/contacts", data=somebody.encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
        assert answer.status < 300


def test_the_first_real_night_of_the_readme_can_be_typed(walk):
    [night] = [c for _, c in blocks(PAGES["README.md"]) if "reconcile init" in c]
    export = walk.shell.home / "reconcile" / "exports" / "contacts.csv"
    walk.begin_sandbox(f"reconcile sandbox --contacts 40 --export {export}", shown=YOURS)
    codes = {"plan": 10}
    done = []
    for step in steps(night):
        command = step.command.split("#")[0].strip()
        name = command.split()[1]
        if command.startswith("pip install"):
            packages(command)
            continue
        if name == "plan":
            leave(walk, walk.real[YOURS])
        answers = f"\n\n\n{YOURS}\n\n\n\n" if name == "init" else ""
        code, printed = walk.shell(walk.typed(step.command), walk.typed(answers))
        walk.learn(printed)
        assert code == codes.get(name, 0), f"{command}\n{printed}"
        done.append(name)
    assert done[-3:] == ["explain", "apply", "restore"]


@pytest.mark.parametrize(
    ("shown", "printed", "lost"),
    [
        ("a\nb\n", "a b", ""),
        ("a\n…\nd\n", "a b c\nd", ""),
        ("a\n…\n", "a b", ""),
        ("…\nd", "a b c d", ""),
        ("at 2026-01-02 03:04, 2ffa0c81b3d4", "at 2027-12-11 10:09,\nd9ed70701e8a", ""),
        ("", "", ""),
        ("", "a", "a"),
        ("b …", "a b", "b"),
        ("a … c", "a b c d", "d"),
        ("a … d … b …", "a b c d", "b"),
        ("a x …", "a b", "a x"),
    ],
)
def test_what_a_page_shows_is_compared_piece_by_piece(shown, printed, lost):
    assert difference(shown, printed) == lost
