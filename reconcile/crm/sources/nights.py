"""Which of many files are one export: those of the newest complete night. Pure.

The newest file decides. If its name has a part number, the files of the same name (but for the
number), in the same folder, of the same night are one export, in their order; a night is what was
written within `NIGHT` before the newest. Accounts beside contacts are another table of the same
export, and decide nothing. Whatever could be half an export is refused:

    tonight has             and                                              the export is
    one file, no number     nothing of that name with a number               that file
    1 2 3, or 0 1 2         (or without a number, then 2, or then 1)         all of them
    1 3, or 2 3             a gap, or no beginning                           refused
    1of3 2of3               fewer, or another total                          refused
    1                       an earlier night's 2 still beside it             refused: 2 may be late
    1 2                     an earlier name's night (dates differ) had 1 2 3 refused: 3 may be late
    1 2 3                   2 much older than 1: an earlier export's         refused
    120                     118, 119, each of a night of its own: a serial   that file
    120                     nothing of a lower number                        that file
    2                       1 of the night before, or nothing                refused: 1 may be late
    120 121                 two serials in one night                         refused
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

from reconcile.crm import parts
from reconcile.crm.problems import rejected
from reconcile.crm.sources.original import being_written, finished_name, readable, unfinished

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconcile.errors import ExportRejected

NIGHT: Final = 6 * 3600
"""Seconds before the newest file within which files of its name belong to its export."""
_SLACK: Final = 15 * 60
"""Seconds by which a part may be older than the one before it, as copies come in any order."""
_SERIAL: Final = 20
"""From here on, a number that stands alone counts nights: so many parts can't all be late."""
_CONTACTS: Final = frozenset({"contact", "contacts"})
_ACCOUNTS: Final = frozenset({"account", "accounts"})
_OWN_NIGHTS: Final = 2
"""Earlier nights with a lower number each, before numbers from the beginning are a serial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that is there; nothing of it has been read."""

    path: str
    written: float
    """Seconds since the epoch."""

    @property
    def name(self) -> str:
        """The file's name without its folder, for people."""
        return readable(PurePath(self.path).name)


class _Series(NamedTuple):
    """What names have in common that differ by their part number only."""

    folder: str
    base: str
    suffix: str


class _Part(NamedTuple):
    series: _Series
    number: int | None
    of: int | None
    file: Found


def newest(matches: Sequence[Found]) -> tuple[Found, ...]:
    """The files of the newest complete night, in the order of their parts.

    Raises ExportRejected (`export_incomplete`, `export_being_written`).
    """
    accounts = [found for found in matches if _word(found) in _ACCOUNTS]
    if not accounts or all(_word(found) not in _CONTACTS for found in matches):
        return _newest(matches)
    night = _newest([found for found in matches if found not in accounts])
    begin, folder = night[-1].written - NIGHT, PurePath(night[0].path).parent
    beside = [a for a in accounts if a.written >= begin and PurePath(a.path).parent == folder]
    return (*night, *(_newest(beside) if beside else ()))


def _word(found: Found) -> str:
    """The letters of a name without its endings and part number."""
    return re.sub(r"[\W\d_]+", "", parts.split(found.name)[0]).casefold()


def _newest(matches: Sequence[Found]) -> tuple[Found, ...]:
    last = max(matches, key=lambda found: (found.written, found.name))
    if unfinished(last.name):
        raise being_written(f"the newest file, {last.name}, is still being written")
    split = [_split(found) for found in matches if not unfinished(found.name)]
    series = [part for part in split if part.series == _split(last).series]
    begin = last.written - NIGHT
    tonight = _numbered([part for part in series if part.file.written >= begin], series)
    earlier = _numbered([part for part in series if part.file.written < begin], series)
    if not _is_serial(list(tonight), earlier):
        stated = {part.of for part in series if part.file in tonight.values()}
        _refuse_gaps(tonight, earlier, stated)
        _refuse_late(tonight, earlier)
        _refuse_fewer(tonight, _earlier_names(split, _split(last).series, begin))
        _refuse_mixed(tonight)
    return tuple(tonight.values())


def refuse_unfinished(night: Iterable[Found], beside: Iterable[Found]) -> None:
    """Raise `export_being_written` if a part, or a newer file of the same name, is on its way."""
    by_name = {found.name: found for found in night}
    begin = max(found.written for found in by_name.values()) - NIGHT
    series = {_split(found).series for found in by_name.values()}
    for found in beside:
        if not unfinished(found.name):
            continue
        final = Found(path=found.path[: len(finished_name(found.path))], written=found.written)
        replaced = by_name.get(final.name)
        since = replaced.written if replaced else begin
        if _split(final).series in series and found.written >= since:
            raise being_written(f"{found.name} lies beside it: it is still being written")


def refuse_half(named: Found, beside: Sequence[Found]) -> None:
    """Raise ExportRejected if a file that was named by itself is one part of several."""
    if unfinished(named.name):
        return
    refuse_unfinished([named], beside)
    part = _split(named)
    others = [
        other.file.name
        for other in map(_split, (f for f in beside if not unfinished(f.name)))
        if other.series == part.series
        and other.file.name != named.name
        and abs(other.file.written - named.written) <= NIGHT
    ]
    if others:
        raise _incomplete(
            f"it looks like one part of several: {_listed(others)} was written in the same night",
            hint="name all parts by a glob, or move the others into another folder",
        )


# ---------------------------------------------------------------------------- numbers


def _split(found: Found) -> _Part:
    path = PurePath(found.path)
    base, number, of = parts.split(path.name)
    series = _Series(folder=str(path.parent), base=base, suffix="".join(path.suffixes[-1:]))
    return _Part(series=series, number=number, of=of, file=found)


def _numbered(some: Iterable[_Part], series: Iterable[_Part]) -> dict[int, Found]:
    """Number → file, in order. A name without a number stands before the first that has one."""
    bare = 0 if any(part.number == 1 for part in series) else 1
    numbered: dict[int, Found] = {}
    for part in sorted(some, key=lambda p: (bare if p.number is None else p.number, p.file.name)):
        number = bare if part.number is None else part.number
        if number in numbered:
            raise _incomplete(
                f"{numbered[number].name} and {part.file.name} are the same part",
                hint="leave one of them in the folder",
            )
        numbered[number] = part.file
    return numbered


def _is_serial(tonight: Sequence[int], earlier: Mapping[int, Found]) -> bool:
    """Whether the only number of this night counts nights, as Pipedrive's does, and not parts."""
    first = _first(tonight, earlier)
    if len(tonight) != 1 or tonight[0] == first:
        return False
    if not earlier:
        return tonight[0] >= _SERIAL
    if max(earlier) > tonight[0] or (min(earlier) == first and len(earlier) < _OWN_NIGHTS):
        return False
    return all(b.written - a.written > NIGHT for a, b in pairwise(earlier.values()))


def _first(tonight: Iterable[int], earlier: Iterable[int]) -> int:
    """The number that parts begin with; the lower one if it was ever seen."""
    return min(1, *tonight, *earlier)


def _refuse_gaps(
    tonight: Mapping[int, Found], earlier: Iterable[int], stated: set[int | None]
) -> None:
    last, total = max(tonight), max((of for of in stated if of is not None), default=0)
    if total and (len(stated) > 1 or total < last):
        raise _incomplete("its files disagree on how many parts there are", hint=_AGAIN)
    lacking = parts.missing(tonight, of=total)
    if _first(tonight, earlier) not in tonight and 1 in tonight:
        lacking.insert(0, 0)
    if lacking:
        raise _incomplete(
            f"part {_listed(map(str, lacking))} is missing: the newest night has"
            f" {_listed(found.name for found in tonight.values())}",
            hint=f"{_AGAIN}; if each file is a whole export, leave only the newest in the folder",
        )


def _refuse_late(tonight: Mapping[int, Found], earlier: Mapping[int, Found]) -> None:
    """A higher part of an earlier night: either tonight's is late, or there is none any more."""
    late = [found.name for number, found in earlier.items() if number > max(tonight)]
    if late:
        raise _incomplete(
            f"{_listed(late)} is of an earlier night: this night's is missing",
            hint=f"if the export has only {len(tonight)} parts now, remove it; otherwise {_AGAIN}",
        )


def _refuse_fewer(tonight: Mapping[int, Found], before: Mapping[str, int]) -> None:
    """Names with a date leave no old part behind that could show what is missing."""
    for base, count in before.items():
        if count > len(tonight):
            raise _incomplete(
                f"it has {len(tonight)} parts, and {base} had {count}",
                hint="if the export has become shorter, move the longer one's files into another"
                f" folder; otherwise {_AGAIN}",
            )


def _refuse_mixed(tonight: Mapping[int, Found]) -> None:
    for before, part in pairwise(tonight.values()):
        if part.written < before.written - _SLACK:
            raise _incomplete(
                f"{part.name} is older than {before.name}: it belongs to an earlier export",
                hint=_AGAIN,
            )


def _earlier_names(split: Iterable[_Part], series: _Series, begin: float) -> dict[str, int]:
    """Of names that differ by digits, such as a date: name → how many parts its export had."""
    nights: dict[_Series, list[_Part]] = {}
    for part in split:
        same = _shape(part.series) == _shape(series) and part.series != series
        if same and part.file.written < begin:
            nights.setdefault(part.series, []).append(part)
    return {key.base: count for key, some in nights.items() if (count := _count(some)) > 1}


def _shape(series: _Series) -> str:
    return re.sub(r"\d+", "#", "\0".join(series))


def _count(some: Sequence[_Part]) -> int:
    """How many parts they are together; 1 if they are no parts of one export."""
    numbers = {1 if part.number is None else part.number for part in some}
    whole = len(numbers) == len(some) and numbers == set(range(min(numbers), max(numbers) + 1))
    return len(some) if whole and min(numbers) <= 1 else 1


# ---------------------------------------------------------------------------- words

_AGAIN: Final = "let the CRM export again, all parts of it"


def _incomplete(message: str, *, hint: str) -> ExportRejected:
    return rejected("export_incomplete", message, hint=hint)


def _listed(names: Iterable[str]) -> str:
    """The first few, and how many more."""
    most = 5
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
