"""The report: one frozen model of a run's result, which every renderer takes.

Field names are the contract of section 9 of the design (`reconcile-report/1`); what is read back
from a report.json is validated by the same model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    TypeAdapter,
    WrapValidator,
)

from reconcile.model import (
    Acceptance,
    DeleteGuard,
    EtagKind,
    Exit,
    IfMatch,
    Level,
    Outcome,
    Status,
    Verdict,
)
from reconcile.report.inert import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RunPart(_Part):
    """Which run this is."""

    id: int | None
    """None for a run that left no record (`plan --no-record`)."""
    command: str
    mode: str
    started_at: datetime
    finished_at: datetime
    version: str


class ColumnPart(_Part):
    """How a column of the export was read."""

    header: str
    reads_as: str
    why: str


class SourcePart(_Part):
    """The export."""

    name: str
    format: str
    encoding: str
    sha256: str
    size: int
    rows: int
    records: int
    rejected: int
    gone: int
    generated_at: datetime
    columns: tuple[ColumnPart, ...]


class ProbePart(_Part):
    """What was proved on a throw-away contact of this version of the phone system."""

    probed_at: datetime
    etags_in: str
    right_etag: Acceptance
    without_etag: Acceptance
    paging: str
    page_cap: int
    missing: str
    detail: str


class PbxPart(_Part):
    """The phone system, and what is known of its delete guard."""

    url: str
    version: str
    contacts: int
    delete_guard: DeleteGuard
    etags: EtagKind
    if_match: IfMatch
    probe: ProbePart | None = None
    """None if nothing was proved on this version yet."""


class CountsPart(_Part):
    """The arithmetic of both sides; each adds up to its `read`."""

    pbx: dict[str, int]
    crm: dict[str, int]


class FindingPart(_Part):
    """What a guard says."""

    code: str
    level: Level
    observed: str
    limit: str
    message: str
    hint: str


class GuardPart(_Part):
    """What a guard saw, whether or not it is a finding."""

    code: str
    observed: str
    limit: str
    level: Level | None
    """Of the finding; None where the value is within its limit."""


class ContactPart(_Part):
    """One contact, its verdict, and what became of it."""

    id: int
    verdict: Verdict
    reason: str
    evidence: tuple[str, ...] = ()
    name: str = ""
    company: str = ""
    numbers: tuple[str, ...] = ()
    email: str = ""
    crm_id: str = ""
    first_absent: datetime | None = None
    absent_exports: int = 0
    due: datetime | None = None
    outcome: Outcome | None = None
    outcome_detail: str = ""
    guard: DeleteGuard | None = None


class DriftPart(_Part):
    """A field in which a contact and its CRM record differ."""

    id: int
    crm_id: str
    field: str
    crm: str
    pbx: str


class MissingPart(_Part):
    """A CRM record with a number that 3CX does not have."""

    crm_id: str
    row: int
    name: str
    company: str


class LongList(Sequence[MissingPart], ABC):
    """Rows that are made when they are looked at."""

    @abstractmethod
    def pieces(self, margin: str) -> Iterator[str]:
        """As `row_pieces` gives them."""

    def __eq__(self, other: object) -> bool:
        """As any sequence of the same rows."""
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment] # what equals a list of its rows has none


def _as_it_is(value: object, validate: Callable[[object], Iterable[MissingPart]]) -> object:
    return value if isinstance(value, LongList) else tuple(validate(value))


class DuplicatePart(_Part):
    """One person with several contacts."""

    crm_id: str
    name: str
    ids: tuple[int, ...]


class ChangePart(_Part):
    """A contact whose verdict is another one than in the report before; "" stands for `matched`."""

    id: int
    before: str
    now: str


class PreviousPart(_Part):
    """What changed since the last report."""

    run: int | None
    finished_at: datetime
    changes: tuple[ChangePart, ...]


class TrendPart(_Part):
    """One of the last runs, in numbers."""

    run: int
    finished_at: datetime
    status: Status
    matched: int
    waiting: int
    review: int
    delete: int
    """What was planned to be deleted."""
    deleted: int


class Report(_Part):
    """The result of one run."""

    format: Literal["reconcile-report/1"] = Field(default="reconcile-report/1", alias="schema")
    run: RunPart
    status: Status
    exit_code: Exit
    digest: str
    approve_until: datetime | None
    """Until when `reconcile apply DIGEST` takes this plan; None if there is nothing to approve."""
    headline: str
    source: SourcePart | None
    pbx: PbxPart | None
    counts: CountsPart
    findings: tuple[FindingPart, ...]
    contacts: tuple[ContactPart, ...]
    drift: tuple[DriftPart, ...] = ()
    missing: Annotated[Sequence[MissingPart], WrapValidator(_as_it_is)] = ()
    duplicates: tuple[DuplicatePart, ...] = ()
    previous: PreviousPart | None = None
    guards: tuple[GuardPart, ...] = ()
    """Every guard with its value and its limit, in the order in which they look; none where a side
    could not be read."""
    trend: tuple[TrendPart, ...] = ()
    """The last runs that left a report, the oldest first, and this one."""
    masked: bool | None = None
    """Whether personal data is shown as initials and last digits; None: an older version wrote it,
    which did not say."""

    @property
    def is_uneventful(self) -> bool:
        """Nothing is due, nothing was tried, and nothing went wrong."""
        return self.status is Status.CLEAN and not any(c.outcome for c in self.contacts)

    def to_json(self) -> str:
        """The content of report.json."""
        return "".join(self.json_pieces())

    def json_pieces(self) -> Iterator[str]:
        """The content of report.json a piece at a time, as one may have a million rows."""
        rows: dict[str, Sequence[_Part]] = {name: getattr(self, name) for name in _LONG}
        shell = self.model_copy(update=dict.fromkeys(_LONG, ()))
        if self.previous:
            rows[_CHANGES] = self.previous.changes
            previous = self.previous.model_copy(update={"changes": ()})
            shell = shell.model_copy(update={"previous": previous})
        rest = shell.model_dump_json(indent=2, by_alias=True) + "\n"
        for name, parts in rows.items():
            before, place, rest = rest.partition(f'\n{_margin(name)}"{name}": [')
            yield json_text(before + place)
            write = parts.pieces if isinstance(parts, LongList) else partial(row_pieces, parts)
            yield from write(_margin(name))
        yield json_text(rest)


_LONG: Final = ("contacts", "drift", "missing", "duplicates")
"""The lists of a report that may be long, in its order."""
_CHANGES: Final = "changes"
"""The last of them, which stands in `previous`."""
_AT_ONCE: Final = 500
"""Rows that are written together."""
_ROWS: Final = TypeAdapter(tuple[SerializeAsAny[_Part], ...])


def _margin(name: str) -> str:
    return "    " if name == _CHANGES else "  "


def row_pieces(rows: Sequence[_Part], margin: str) -> Iterator[str]:
    """What stands between the brackets. JSON has no line end in a text: each line gets a margin."""
    for at in range(0, len(rows), _AT_ONCE):
        text = _ROWS.dump_json(tuple(rows[at : at + _AT_ONCE]), indent=2).decode()
        inside = text.removeprefix("[").removesuffix("\n]").replace("\n", f"\n{margin}")
        yield json_text(f",{inside}" if at else inside)
    if rows:
        yield f"\n{margin}"
