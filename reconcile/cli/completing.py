"""Shells that complete our commands, by click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from click.shell_completion import BashComplete, FishComplete, ZshComplete

if TYPE_CHECKING:
    import click

_SHELLS: Final = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_VARIABLE: Final = "_RECONCILE_COMPLETE"
"""What click looks for in the environment of `reconcile`."""


def script(group: click.Group, shell: str) -> str:
    """What the start-up file of `bash`, `zsh` or `fish` takes in."""
    return _SHELLS[shell](group, {}, "reconcile", _VARIABLE).source()
