"""An export, wherever it is and whatever wrote it → a CrmSnapshot, or everything that is wrong.

One examination serves both: `read` gives out a snapshot only if nothing is wrong with the export,
`describe` shows how far the reading came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconcile.crm import formats, records, sources
from reconcile.crm.columns import Columns, Inactive, assign
from reconcile.crm.sources.place import Place
from reconcile.errors import ExportRejected, Problem
from reconcile.model import CrmSnapshot, ExportColumn, ExportSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_SAMPLES: Final = 3
_LISTED: Final = 25
"""Problems that are listed, of all kinds together; the rest is counted."""
_KEYS: Final = ("phone:", "shared_phone:", "email:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How an export is read, for `reconcile columns`; what was not reached is empty."""

    name: str
    format: str = ""
    encoding: str = ""
    delimiter: str = ""
    header_row: int = 0
    columns: tuple[ExportColumn, ...] = ()
    records: int = 0
    gone: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict)
    """Why lines are no records → how many."""
    fill: Mapping[str, float] = field(default_factory=dict)
    """Number or e-mail column, as in `CrmSnapshot.records` → share of records with a value."""
    samples: tuple[Mapping[str, str], ...] = ()
    """Column → masked value, of the first records; columns without a value left out."""
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    toml: str = ""
    """What to write in [crm] of the configuration; "" if no header is in doubt."""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examined:
    """How far the reading came, and everything that stands against the export."""

    name: str
    table: formats.Table | None = None
    columns: Columns = field(default_factory=Columns)
    snapshot: CrmSnapshot | None = None
    problems: tuple[Problem, ...] = ()
    hint: str = ""


def read(
    source: str | Place,
    *,
    base: Path = Path(),
    mapping: Mapping[str, str],
    now: datetime,
    max_age_hours: float | None,
    format: str = "auto",  # noqa: A002 - the word of the config
    inactive: Inactive = "keep",
) -> CrmSnapshot:
    """The complete content of the newest export that `source`, a path or glob under `base`, means.

    `mapping` is the configuration's `crm.columns` (its rules stand in `columns`), `inactive` its
    `crm.inactive` (see `records`). Without `max_age_hours` the export may be of any age. Raises
    ExportRejected with all problems found.
    """
    found = _examine(
        source,
        base=base,
        mapping=mapping,
        now=now,
        max_age_hours=max_age_hours,
        format=format,
        inactive=inactive,
    )
    if found.problems or found.snapshot is None:
        message = f"The CRM export {found.name} can't be used."
        raise ExportRejected(message, problems=found.problems, hint=found.hint)
    return found.snapshot


def describe(
    source: str | Path,
    *,
    mapping: Mapping[str, str],
    base: Path = Path(),
    now: datetime | None = None,
    max_age_hours: float | None = None,
    format: str = "auto",  # noqa: A002 - the word of the config
    inactive: Inactive = "keep",
) -> Reading:
    """How `read` would read it, with what it would refuse. Without `now` any age will do."""
    found = _examine(
        str(source),
        base=base,
        mapping=mapping,
        now=now,
        max_age_hours=max_age_hours,
        format=format,
        inactive=inactive,
    )
    shown = Reading(
        name=found.name,
        columns=found.columns.columns,
        problems=found.problems,
        toml=found.columns.toml,
        hint=found.hint,
    )
    if found.table is None:
        return shown
    shown = _with_form(shown, found.table)
    if found.snapshot is None:
        return shown
    notes = records.notes(found.table, found.columns.columns, found.snapshot.records)
    return replace(_with_content(shown, found.snapshot), notes=tuple(notes))


# ---------------------------------------------------------------------------- examining


def _examine(
    location: str | Place,
    *,
    base: Path,
    mapping: Mapping[str, str],
    now: datetime | None,
    max_age_hours: float | None,
    format: str,  # noqa: A002 - the word of the config
    inactive: Inactive,
) -> _Examined:
    place = location if isinstance(location, Place) else Place(source=location, base=base)
    name, origin = place.name, place.origin
    problems: tuple[Problem, ...] = ()
    try:
        original = sources.fetch(place, now=now)[0]
        name, origin = original.name, original.origin
        problems = sources.age_problems(original, now=now, max_age_hours=max_age_hours)
        table = formats.read(original.content, format=format)
    except ExportRejected as error:
        found = _Examined(name=name, problems=(*problems, *error.problems), hint=error.hint)
        return _located(found, origin)
    columns = assign(table.header, mapping, row=table.header_row, inactive=inactive)
    problems += (*table.problems, *columns.problems)
    snapshot = None
    if not (table.problems or columns.problems):
        snapshot = _snapshot(original, table, columns.columns)
        problems += records.id_problems(snapshot.records, columns.columns)
    found = _Examined(name=name, table=table, columns=columns, snapshot=snapshot, problems=problems)
    return _located(found, origin)


def _located(found: _Examined, origin: str) -> _Examined:
    """The problems with the file's name, and the next command for the first of them."""
    if not found.problems:
        return found
    listed = [
        replace(problem, file=problem.file or found.name) for problem in found.problems[:_LISTED]
    ]
    if more := len(found.problems) - len(listed):
        listed.append(Problem(code=listed[-1].code, message=f"and {more} more problems"))
    problems = tuple(listed)
    return replace(
        found, problems=problems, hint=found.hint or sources.hint(origin, problems[0].code)
    )


def _snapshot(
    original: sources.Original, table: formats.Table, columns: tuple[ExportColumn, ...]
) -> CrmSnapshot:
    frame = records.build(table, columns)
    ignored = sum(table.ignored.values())
    evidence = ExportSource(
        name=original.name,
        format=table.format,
        encoding=table.encoding,
        sha256=original.sha256,
        size=len(original.content),
        generated_at=original.modified_at,
        rows=len(frame) + ignored,
        columns=columns,
        rejected=ignored,
        gone=int(frame["gone"].sum()),
    )
    return CrmSnapshot(source=evidence, records=frame, text=table.text)


# ---------------------------------------------------------------------------- describing


def _with_form(shown: Reading, table: formats.Table) -> Reading:
    return replace(
        shown,
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        header_row=table.header_row,
        ignored=table.ignored,
    )


def _with_content(shown: Reading, snapshot: CrmSnapshot) -> Reading:
    frame = snapshot.records
    keys = [str(name) for name in frame.columns if str(name).startswith(_KEYS)]
    samples = frame.drop(columns=["row", "gone"]).head(_SAMPLES).to_dict(orient="records")
    return replace(
        shown,
        records=len(frame),
        gone=snapshot.source.gone,
        fill={name: round(float((frame[name] != "").mean()), 4) for name in keys},
        samples=tuple({str(k): _masked(v) for k, v in row.items() if v} for row in samples),
    )


def _masked(value: str) -> str:
    """The first character of each word, and the shape of the rest: `j•@e••••••.c••`."""
    return re.sub(r"\B\w", "•", value)
