"""The newcomer's path: docs/first-night.md and the README are typed, and print what they show."""

from __future__ import annotations

import pytest
from manual.pages import PAGES, ROOT, Step, blocks, difference, steps
from manual.staging import YOURS, leave, packages

PAGE = PAGES["docs/first-night.md"]
EXPORT = "~/Downloads/hubspot-crm-exports-all-contacts-2026-11-{}.csv"


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
