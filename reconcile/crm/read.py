"""An export, wherever it is and whatever wrote it → a CrmSnapshot, or everything that is wrong.

One examination serves both: `read` gives out a snapshot only if nothing is wrong with the export,
`describe` shows how far the reading came.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconcile.crm import formats, looks, manifests, records, sources
from reconcile.crm.columns import Columns, Inactive, assign
from reconcile.crm.sources.place import Place
from reconcile.errors import ExportRejected, Problem
from reconcile.model import CrmSnapshot, ExportColumn, ExportSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconcile.crm.manifests import Asked

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
    looks_like: str = ""
    """The CRM whose exports have such headers; "" if that is not clear."""
    parts: tuple[str, ...] = ()
    """The files that it is made of, if they are several or came out of an archive."""
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
class Known:
    """What can be read, for `reconcile columns --formats`."""

    formats: Mapping[str, str]
    """Name in the configuration → what it is."""
    crms: tuple[str, ...]


def known() -> Known:
    """All formats and CRMs."""
    return Known(formats=formats.described(), crms=tuple(looks.MARKS))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examined:
    """How far the reading came, and everything that stands against the export."""

    name: str
    table: formats.Table | None = None
    said: tuple[manifests.Statement, ...] = ()
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
    manifest: Asked = "auto",
) -> CrmSnapshot:
    """The complete content of the newest export that `source`, a path or glob under `base`, means.

    `mapping` is the configuration's `crm.columns` (its rules stand in `columns`), `inactive` its
    `crm.inactive` (see `records`), `manifest` its `crm.manifest` (see `manifests`). Without
    `max_age_hours` the export may be of any age. Raises ExportRejected with all problems found.
    """
    found = _examine(
        source,
        base=base,
        mapping=mapping,
        now=now,
        max_age_hours=max_age_hours,
        format=format,
        inactive=inactive,
        manifest=manifest,
    )
    if found.problems or found.snapshot is None:
        message = f"The CRM export {found.name} can't be used."
        raise ExportRejected(message, problems=found.problems, hint=found.hint)
    return found.snapshot


def describe(
    source: str | Path | Sequence[Path],
    *,
    mapping: Mapping[str, str],
    base: Path = Path(),
    now: datetime | None = None,
    max_age_hours: float | None = None,
    format: str = "auto",  # noqa: A002 - the word of the config
    inactive: Inactive = "keep",
    manifest: Asked = "auto",
) -> Reading:
    """How `read` would read it, with what it would refuse. Without `now` any age will do.

    `source` is a path, a glob, a folder (its newest complete night), or all files of one export.
    """
    found = _examine(
        _meant(source, base),
        base=base,
        mapping=mapping,
        now=now,
        max_age_hours=max_age_hours,
        format=format,
        inactive=inactive,
        manifest=manifest,
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
    notes = (
        *manifests.notes(found.said, found.table, found.problems),
        *records.notes(found.table, found.columns.columns, found.snapshot.records),
    )
    return replace(_with_content(shown, found.snapshot), notes=notes)


def _meant(source: str | Path | Sequence[Path], base: Path) -> str | Sequence[Path]:
    """A folder is the export in it; one file is one file."""
    if not isinstance(source, str | Path):
        if len(source) > 1:
            return source
        source = source[0]
    return str(Path(source) / "*") if (base / source).is_dir() else str(source)


# ---------------------------------------------------------------------------- examining


def _examine(
    location: str | Place | Sequence[Path],
    *,
    base: Path,
    mapping: Mapping[str, str],
    now: datetime | None,
    max_age_hours: float | None,
    format: str,  # noqa: A002 - the word of the config
    inactive: Inactive,
    manifest: Asked,
) -> _Examined:
    listed = () if isinstance(location, str | Place) else location
    place = location if isinstance(location, Place) else Place(source=str(location), base=base)
    name, origin = (listed[0].name, str(listed[0])) if listed else (place.name, place.origin)
    problems: tuple[Problem, ...] = ()
    with_manifests = manifest != "ignore"
    try:
        originals = (
            _each(listed, manifests=with_manifests)
            if listed
            else sources.fetch(place, now=now, manifests=with_manifests)
        )
        name = _name(originals)
        origin = originals[0].origin if len(originals) == 1 else origin
        problems = _age_problems(originals, now=now, max_age_hours=max_age_hours)
        said, unreadable = manifests.statements(originals)
        wrong = manifests.differences(said, originals, now=now, max_age_hours=max_age_hours)
        problems += (*unreadable, *wrong)
        table = formats.read_files([(o.name, o.content) for o in originals], format=format)
    except ExportRejected as error:
        found = _Examined(name=name, problems=(*problems, *error.problems), hint=error.hint)
        return _located(found, origin)
    columns = assign(table.header, mapping, row=table.header_row, inactive=inactive)
    problems += (*table.problems, *columns.problems)
    problems += tuple(_manifest_problems(said, originals, table, manifest))
    snapshot = None
    if not (table.problems or columns.problems):
        snapshot = _snapshot(originals, table, columns.columns, said if with_manifests else None)
        problems += records.id_problems(snapshot.records, columns.columns)
        problems += records.gone_problems(snapshot.records, columns.columns)
    found = _Examined(
        name=name, table=table, said=said, columns=columns, snapshot=snapshot, problems=problems
    )
    return _located(found, origin)


def _manifest_problems(
    said: Sequence[manifests.Statement],
    originals: Sequence[sources.Original],
    table: formats.Table,
    asked: Asked,
) -> Iterator[Problem]:
    """What the number of records that came out has against what is said of it."""
    if asked == "ignore":
        return
    if not table.problems:
        yield from manifests.miscounts(said, originals, table)
    if asked == "required":
        yield from manifests.missing(said, originals, table)


def _located(found: _Examined, origin: str) -> _Examined:
    """The problems with the file's name, and the next command for the first of them."""
    if not found.problems:
        return found
    parts = found.table.parts if found.table else ()
    file = parts[0] if len(parts) == 1 else found.name
    listed = [replace(problem, file=problem.file or file) for problem in found.problems[:_LISTED]]
    if more := len(found.problems) - len(listed):
        listed.append(Problem(code=listed[-1].code, message=f"and {more} more problems"))
    problems = tuple(listed)
    return replace(
        found, problems=problems, hint=found.hint or sources.hint(origin, problems[0].code)
    )


def _each(paths: Sequence[Path], *, manifests: bool) -> tuple[sources.Original, ...]:
    """Files that were named one by one, and must be all parts of an export.

    A shell that expands a glob names their manifests as well.
    """
    exports = [path for path in paths if not sources.is_manifest(path.name)] or paths
    formats.check_parts([path.name for path in exports])
    return tuple(sources.load(path, manifests=manifests) for path in exports)


def _name(originals: Sequence[sources.Original]) -> str:
    """What the export is called; of several files the first gives the name."""
    more = len(originals) - 1
    return f"{originals[0].name} and {more} more" if more else originals[0].name


def _age_problems(
    originals: Sequence[sources.Original], *, now: datetime | None, max_age_hours: float | None
) -> tuple[Problem, ...]:
    """What the time of each file has against it."""
    return tuple(
        replace(problem, file=original.name)
        for original in originals
        for problem in sources.age_problems(original, now=now, max_age_hours=max_age_hours)
    )


def _sha256(originals: Sequence[sources.Original]) -> str:
    """Of exactly the bytes that were parsed; of several files, of their names and digests."""
    if len(originals) == 1:
        return originals[0].sha256
    listed = "".join(f"{original.name}\0{original.sha256}\n" for original in originals)
    return hashlib.sha256(listed.encode()).hexdigest()


def _snapshot(
    originals: Sequence[sources.Original],
    table: formats.Table,
    columns: tuple[ExportColumn, ...],
    said: Sequence[manifests.Statement] | None,
) -> CrmSnapshot:
    """What was read; without `said`, nobody asked for a proof of it."""
    frame = records.build(table, columns)
    ignored = sum(table.ignored.values())
    numbers, lossy = records.numbers(frame)
    evidence = ExportSource(
        name=_name(originals),
        format=table.format,
        encoding=table.encoding,
        sha256=_sha256(originals),
        content=table.digest(),
        size=sum(len(original.content) for original in originals),
        generated_at=min((*(o.modified_at for o in originals), *_made(said or ()))),
        rows=len(frame) + ignored,
        columns=columns,
        rejected=ignored,
        gone=int(frame["gone"].sum()),
        numbers=numbers,
        lossy=lossy,
        manifest="" if said is None else manifests.proved(said, table),
    )
    return CrmSnapshot(source=evidence, records=frame, text=table.text)


def _made(said: Iterable[manifests.Statement]) -> Iterator[datetime]:
    """When the export was made, by its manifests: a copy may have a younger time of its own."""
    return (statement.made for statement in said if statement.made is not None)


# ---------------------------------------------------------------------------- describing


def _with_form(shown: Reading, table: formats.Table) -> Reading:
    return replace(
        shown,
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        header_row=table.header_row,
        looks_like=looks.like(table.header),
        parts=table.parts,
        ignored=table.ignored,
    )


def _with_content(shown: Reading, snapshot: CrmSnapshot) -> Reading:
    frame = snapshot.records
    keys = [str(name) for name in frame.columns if str(name).startswith(_KEYS)]
    samples = frame.drop(columns=["row", "part", "gone"]).head(_SAMPLES).to_dict(orient="records")
    return replace(
        shown,
        records=len(frame),
        gone=snapshot.source.gone,
        fill={name: round(float((frame[name] != "").mean()), 4) for name in keys},
        samples=tuple({str(k): _masked(v) for k, v in row.items() if v} for row in samples),
    )


def _masked(value: str) -> str:
    """The first letter of each word, one digit, and the shape of the rest: `j•@e••••••.c••`."""
    masked = re.sub(r"\B\w|\b\d|\b\w\b", "•", value)
    begin = re.match(r"\+?\d", value)
    return begin[0] + masked[begin.end() :] if begin else masked
