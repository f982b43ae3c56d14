"""A bug of ours: its traceback goes to a file, and a person is told where."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import traceback
from typing import TYPE_CHECKING, Final

import click

from reconcile import __version__, secrecy
from reconcile.model import Exit

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHORTEST: Final = 6
"""Characters; what is shorter is part of many words, and no secret."""


def explain_bug(error: Exception) -> int:
    """Write the traceback, without the values of variables, to a private file; gives 1."""
    head = f"reconcile {__version__}, Python {platform.python_version()}, {sys.platform}\n"
    handle, name = tempfile.mkstemp(prefix="reconcile-crash-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        told = secrecy.without("".join(traceback.format_exception(error)))
        file.write(head + without_secrets(told, os.environ))
    click.echo(
        f"reconcile: a bug stopped this command ({type(error).__name__}). Nothing more was deleted."
        f"\n  The details are in {name}; please report them."
        "\n  Next: reconcile history, then reconcile plan",
        err=True,
    )
    return int(Exit.BUG)


def without_secrets(text: str, environ: Mapping[str, str]) -> str:
    """The text without any value of the environment, where the client secret may stand.

    The message of an exception of somebody else's may hold anything. Paths stay, or nobody could
    read a traceback.
    """
    values = {v.strip() for v in environ.values() if os.sep not in v}
    secrets = sorted((v for v in values if len(v) >= _SHORTEST), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, secrets)), "…", text) if secrets else text
