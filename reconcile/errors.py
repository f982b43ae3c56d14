"""Everything that can go wrong and that a person can do something about.

    ReconcileError                      exit
    ├─ UsageError                        2   a command line that makes no sense
    │  ├─ ConfigError                    2   config.toml, every problem at once
    │  └─ MissingExtra                   2   an optional dependency is not installed
    ├─ ExportRejected                    3   the CRM export can't be believed
    ├─ ApprovalRefused                   4   a digest that is unknown, used, stale or expired
    ├─ PbxError                          6   3CX unavailable, refused, or not to be trusted
    │  ├─ PbxUnreachable                 6
    │  ├─ PbxRefused                     6   401, 403, or anything that an administrator must mend
    │  └─ PbxUntrusted                   6   an answer that breaks the contract, an incomplete list
    ├─ LockBusy                          7   another run holds the lock
    └─ StateError                        8   missing, corrupt, older or newer schema, another PBX's

Exit codes 0, 1, 4, 5, 10, 130 and 143 are results of a run, not errors; they stand in `model.Exit`.
An error says what happened (`message`), where (`problems`, one line each), what was not done
(`consequence`) and the next command (`hint`). No error carries a secret, a token or a request body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where.

    `code` is the finding's name (`export_truncated`, `pbx_incomplete`, …); `row` is the line of the
    file as an editor counts it (1 is the header of a plain CSV file); empty means "not applicable".
    """

    code: str
    message: str
    file: str = ""
    row: int | None = None
    column: str = ""

    def __str__(self) -> str:
        """The problem as a person reads it: `contacts.csv, row 17, column "Phone": …`."""
        row = "" if self.row is None else f"row {self.row}"
        column = f'column "{self.column}"' if self.column else ""
        where = ", ".join(part for part in (self.file, row, column) if part)
        return f"{where}: {self.message}" if where else self.message


class ReconcileError(Exception):
    """A failure that is explained to a person; never a traceback."""

    exit_code = 1
    code = "error"
    consequence = "Nothing was deleted."

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        hint: str = "",
        code: str = "",
        consequence: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)
        self.hint = hint
        self.code = code or type(self).code
        self.consequence = consequence or type(self).consequence


class UsageError(ReconcileError):
    """A command line that makes no sense."""

    exit_code = 2
    code = "usage"
    consequence = "Nothing was done."


class ConfigError(UsageError):
    """config.toml is missing or wrong; `problems` lists everything that is."""

    code = "config"


class MissingExtra(UsageError):
    """A feature needs an optional dependency that is not installed."""

    code = "missing_extra"

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the optional dependency group `{extra}`, which is not installed.",
            hint=f"pip install 'reconcile-3cx[{extra}]'",
        )


class ExportRejected(ReconcileError):
    """The CRM export can't be believed; `problems` says all that is wrong with it."""

    exit_code = 3
    code = "export_rejected"
    consequence = "The export was not used. Nothing was deleted."


class ApprovalRefused(ReconcileError):
    """A digest that is unknown, already used, expired, or overtaken by a newer plan."""

    exit_code = 4
    code = "approval_refused"


class PbxError(ReconcileError):
    """3CX is unavailable, refused, or is not to be trusted."""

    exit_code = 6
    code = "pbx_error"


class PbxUnreachable(PbxError):
    """No usable answer: connection refused, timeout, TLS failure, or 5xx after all tries."""

    code = "pbx_unreachable"


class PbxRefused(PbxError):
    """3CX said no: credentials, role, licence or IP restriction. Never tried in a loop."""

    code = "pbx_refused"


class PbxUntrusted(PbxError):
    """3CX answered something that breaks its own contract, or a listing that is not complete."""

    code = "pbx_incomplete"


class LockBusy(ReconcileError):
    """Another run holds the lock."""

    exit_code = 7
    code = "lock_busy"
    consequence = "Nothing was done."


class StateError(ReconcileError):
    """The state database is missing, corrupt, of another schema version, or another PBX's."""

    exit_code = 8
    code = "state"
    consequence = "Nothing is deleted while that is so."
    """True at a start and in the middle: a disk may fill up when contacts are gone already."""
