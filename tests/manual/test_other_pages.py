"""The commands of the pages for whoever looks after it, typed at an office where somebody left."""

from __future__ import annotations

import shlex

import pytest
import warm
from manual.pages import PAGES, blocks, steps
from manual.staging import YOURS, leave, packages
from manual.walking import SECRET


@pytest.fixture
def office(walk):
    """One has left and is due; a plan says so, and a digest waits."""
    export = walk.shell.home / "exports" / "contacts.csv"
    (walk.shell.home / "backup").mkdir()
    walk.begin_sandbox(f"reconcile sandbox --contacts 40 --export {export}", shown=YOURS)
    answers = f"\n\n\n{YOURS}\n\n\n\n"
    assert walk.shell("reconcile init", walk.typed(answers))[0] == 0
    assert walk.shell(f"export RECONCILE_3CX_SECRET={SECRET}")[0] == 0
    leave(walk, walk.real[YOURS])
    code, printed = walk.shell("reconcile plan")
    assert code == 10
    walk.learn(printed)
    walk.real |= {"/backup": str(walk.shell.home / "backup"), "FILE": str(export)}
    walk.real |= {"WHO": "Doe", " ID": " 7", "DATE": "2126-12-24"}
    return walk


def done(walk, command: str) -> str:
    """The command with what stands for its words here, done; without a shell, as it needs none."""
    words = shlex.split(walk.typed(command), comments=True)[1:]
    environ = {**walk.shell.environ, "RECONCILE_3CX_SECRET": SECRET}
    with warm.start(*words, cwd=walk.shell.home, env=environ) as process:
        printed = "".join(process.communicate(timeout=120))
    assert process.returncode == 0, f"{command}\n{printed}"
    walk.learn(printed)
    return printed


def test_what_approving_undoing_and_the_questions_say_can_be_done(office):
    """In this order, as one would; a freeze and a protection end with their question."""
    typed = 0
    for page in ("approving", "undoing", "questions"):
        for language, block in blocks(PAGES[f"docs/{page}.md"]):
            assert language == "console"
            for step in steps(block):
                if step.command.startswith("pip install"):
                    packages(step.command)
                    continue
                done(office, step.command)
                typed += 1
            done(office, "reconcile freeze --lift")
            done(office, "reconcile protect ID --remove")
    assert typed > 25
