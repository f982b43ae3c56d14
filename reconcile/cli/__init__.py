"""What people type: parse, call, print, exit code. No logic.

Nothing heavy is imported at the top of this package: `reconcile --help` needs click and no more.
Reports and data go to stdout, progress and messages to stderr.
"""

from __future__ import annotations

import io
import os
import resource
import sys
from typing import TYPE_CHECKING

import click

from reconcile.errors import ReconcileError
from reconcile.model import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(args: Sequence[str] | None = None) -> None:
    """Run one command and exit with the code of section 7 of the design."""
    _leave_no_core()
    _show_what_the_terminal_cannot()
    sys.exit(_code(args))


def _code(args: Sequence[str] | None) -> int:
    from reconcile.cli.commands import group

    try:
        code = group.main(args=args, prog_name="reconcile", standalone_mode=False)
    except ReconcileError as error:
        return _explain(error)
    except click.exceptions.Abort as abort:
        return _aborted(abort)
    except click.ClickException as error:
        error.show()
        return int(Exit.USAGE)
    except SystemExit as leaving:
        if leaving.code == 1:  # how click ends when nobody reads; nothing else here exits with 1
            return unread(Exit.CONVERGED)
        raise
    except Exception as error:  # noqa: BLE001 - the one place where a bug becomes exit code 1
        from reconcile.cli.crash import explain_bug

        return explain_bug(error)
    return int(code) if isinstance(code, int) else int(Exit.CONVERGED)


def _leave_no_core() -> None:
    """No memory image on disk, whatever crashes: it would hold the secret and the token."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _show_what_the_terminal_cannot() -> None:
    """A character that the locale doesn't have is shown by its code, and stops nothing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def unread(code: int) -> int:
    """The reader of our output went away (`| head`): nothing to say; what was done stays done."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(code)


def _aborted(abort: click.exceptions.Abort) -> int:
    """Ctrl-C, or a question that nobody is there to answer."""
    if isinstance(abort.__context__, EOFError):
        click.echo(
            "\nreconcile: nobody answered the question, so nothing was done."
            "\n  Next: give the answers as options, see --help",
            err=True,
        )
        return int(Exit.USAGE)
    click.echo(
        "reconcile: interrupted. The next run looks first at what this one left unfinished.",
        err=True,
    )
    return int(Exit.INTERRUPTED)


def _explain(error: ReconcileError) -> int:
    """What happened, where, what was not done, and the next command."""
    from reconcile.report.inert import printable

    click.echo(f"reconcile: {printable(error.message)}", err=True)
    for problem in error.problems:
        click.echo(f"  - {printable(str(problem))}", err=True)
    click.echo(f"  {error.consequence}", err=True)
    if error.hint:
        click.echo(f"  Next: {printable(error.hint)}", err=True)
    return error.exit_code
