"""A bug of ours: its traceback goes to a file, and a person is told where."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback

import click

from reconcile import __version__
from reconcile.model import Exit


def explain_bug(error: Exception) -> int:
    """Write the traceback, without the values of variables, to a private file; gives 1."""
    handle, name = tempfile.mkstemp(prefix="reconcile-crash-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"reconcile {__version__}, Python {platform.python_version()}, {sys.platform}\n")
        file.writelines(traceback.format_exception(error))
    click.echo(
        f"reconcile: a bug stopped this command ({type(error).__name__}). Nothing more was deleted."
        f"\n  The details are in {name}; please report them."
        "\n  Next: reconcile history, then reconcile plan",
        err=True,
    )
    return Exit.BUG
