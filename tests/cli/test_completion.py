"""Shells that complete our commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


def test_a_real_bash_completes_commands_and_options(office):
    typed = """
        eval "$(reconcile completion bash)"
        complete -p reconcile
        COMP_WORDS=(reconcile hist); COMP_CWORD=1; _reconcile_completion reconcile
        echo "${COMPREPLY[@]}"
        unset COMPREPLY
        COMP_WORDS=(reconcile run --); COMP_CWORD=2; _reconcile_completion reconcile
        echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["/bin/bash", "-c", typed],
        env=office.environment(PATH=f"{BIN}:/usr/bin:/bin"),
        cwd=office.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    registered, command, options = done.stdout.splitlines()
    assert registered == "complete -o nosort -F _reconcile_completion reconcile"
    assert command == "history"
    of_all = "--all --only --resume --slot --jobs --limit --report --on"
    assert options == f"--dry-run --quiet --full --json {of_all} --help"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_what_click_has_for_them(office, shell):
    script = office("completion", shell)
    assert script.code == 0
    assert f"_RECONCILE_COMPLETE={shell}_complete" in script.out
    asked = {"_RECONCILE_COMPLETE": f"{shell}_complete", "COMP_WORDS": "reconcile hist"}
    assert "history" in office(**asked, COMP_CWORD="1" if shell == "zsh" else "hist").out


def test_another_shell_is_usage(office):
    assert office("completion", "cmd").code == 2
