"""What people type: parse, call, print, exit code. No logic.

Nothing heavy is imported at the top of this package: `reconcile --help` needs click and no more.
Reports and data go to stdout, progress and messages to stderr.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from reconcile.errors import ReconcileError
from reconcile.model import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(args: Sequence[str] | None = None) -> None:
    """Run one command and exit with the code of section 7 of the design."""
    from reconcile.cli.commands import group

    try:
        code = group.main(args=args, prog_name="reconcile", standalone_mode=False)
    except ReconcileError as error:
        code = _explain(error)
    except click.exceptions.Abort:
        click.echo("Interrupted. Nothing more was done.", err=True)
        code = Exit.INTERRUPTED
    except KeyboardInterrupt:
        click.echo("Interrupted. The next run looks what became of the contact in hand.", err=True)
        code = Exit.INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = Exit.USAGE
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing to say, and nobody to hear it.
        sys.stderr.close()
        code = Exit.CONVERGED
    except Exception as error:  # noqa: BLE001 - the one place where a bug becomes exit code 1
        from reconcile.cli.crash import explain_bug

        code = explain_bug(error)
    sys.exit(int(code) if isinstance(code, int) else int(Exit.CONVERGED))


def _explain(error: ReconcileError) -> int:
    """What happened, where, what was not done, and the next command."""
    from reconcile.report.text import printable

    click.echo(f"reconcile: {printable(error.message)}", err=True)
    for problem in error.problems:
        click.echo(f"  - {printable(str(problem))}", err=True)
    click.echo(f"  {error.consequence}", err=True)
    if error.hint:
        click.echo(f"  Next: {printable(error.hint)}", err=True)
    return error.exit_code
