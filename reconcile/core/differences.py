"""What a match leaves to be told of both sides: who is missing, double, or not the same any more.

It decides nothing: no verdict is made of it, only the report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import repeat
from typing import TYPE_CHECKING, Final, overload

import numpy as np
import pandas as pd
import pyarrow as pa

from reconcile.core import sides
from reconcile.model import Drift, Duplicate, Evidence, Matching, MissingRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reconcile.core.sides import Keys, Mask, Positions

    _Differing = tuple[int, str, str, str]
    """Position of a contact, the field, and what stands in it in the CRM and in 3CX."""

_STATES: Final = ("without_number", "missing", "matched", "gone")
_COUNTED: Final = ("matched", "missing", "gone", "without_number")
_AT_ONCE: Final = 10_000
"""So many records are made at a time."""
_KEYED: Final = {"phone": "number", "email": "email"}
"""Canonical column → the kind of key that its values give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """Both sides, and who is whom; `at` is the position of a contact, `row` that of a record."""

    records: pd.DataFrame
    people: pd.DataFrame
    contacts: pd.DataFrame
    crm_keys: tuple[Keys, ...]
    key_ids: tuple[Positions, ...]
    """Where each of those stands among the PBX's, or `UNKNOWN`."""
    pbx_keys: sides.PbxKeys
    links: pd.Series[int]
    """at → row: the record that a contact is."""
    proved: NDArray[np.int64]
    """Every row for which there is a strong proof."""

    def has(self, kind: str) -> Mask:
        """Which records have a key of a kind."""
        found = np.zeros(len(self.people), dtype="bool")
        for keys in self.crm_keys:
            if keys.kind == kind:
                found[keys.carriers(~keys.is_text())] = True
        return found


def told(linked: Linked, evidence: Sequence[Evidence]) -> Matching:
    """The whole of a match: the evidence, and the CRM's side of it."""
    has = {kind: linked.has(kind) for kind in _KEYED.values()}
    state = _record_states(linked, has["number"])
    count = dict(zip(_STATES, np.bincount(state, minlength=len(_STATES)).tolist(), strict=True))
    return Matching(
        evidence=evidence,
        counts_crm={"read": len(state), **{name: count[name] for name in _COUNTED}},
        missing=_Missing(linked.people[state == _STATES.index("missing")]),
        duplicates=_duplicates(linked),
        drift=_drift(linked),
        fill=_fill(linked.records, has),
    )


def _record_states(linked: Linked, has_number: Mask) -> NDArray[np.int8]:
    """Each record is gone, matched, missing in 3CX, or without any number; see `_STATES`."""
    state = has_number.astype("int8")
    state[linked.proved] = _STATES.index("matched")
    state[linked.people["gone"].to_numpy()] = _STATES.index("gone")
    return state


class _Missing(Sequence[MissingRecord]):
    """Records that 3CX lacks, made when they are asked for: it may be nearly all of a million."""

    def __init__(self, people: pd.DataFrame) -> None:
        self._people = people

    def __len__(self) -> int:
        return len(self._people)

    @overload
    def __getitem__(self, index: int) -> MissingRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[MissingRecord]: ...
    def __getitem__(self, index: int | slice) -> MissingRecord | Sequence[MissingRecord]:
        if isinstance(index, slice):
            return _Missing(self._people.iloc[index])
        at = range(len(self))[index]
        return next(iter(self[at : at + 1]))

    def __iter__(self) -> Iterator[MissingRecord]:
        for some in self.table.to_batches(_AT_ONCE):
            yield from (MissingRecord(**row) for row in some.to_pylist())

    @property
    def table(self) -> pa.Table:
        """A column for each field of `MissingRecord`."""
        texts = {n: sides.arrow(self._people[column]) for n, column in _TEXTS.items()}
        line = pa.array(self._people["line"].to_numpy(dtype="int64"))
        return pa.table({"row": line, **texts}).select(_RECORD.names)


def records_table(records: Sequence[MissingRecord]) -> pa.Table:
    """Records that 3CX lacks as a table with a column for each field."""
    if isinstance(records, _Missing):
        return records.table
    return pa.Table.from_pylist(list(map(asdict, records)), _RECORD)


_TEXTS: Final = {"crm_id": "crm_id", "name": "shown", "company": "company_shown"}
"""Of a missing record the texts, and which column of people has each."""
_RECORD: Final = pa.schema(
    [(f.name, pa.int64() if f.name == "row" else pa.large_string()) for f in fields(MissingRecord)]
)


def _duplicates(linked: Linked) -> tuple[Duplicate, ...]:
    """One person, several contacts."""
    several = linked.links[linked.links.duplicated(keep=False)]
    ids = linked.contacts["id"].loc[several.index].groupby(several).agg(tuple)
    people = linked.people.loc[ids.index]
    return tuple(
        Duplicate(crm_id=crm_id, name=shown, contact_ids=tuple(sorted(group)))
        for crm_id, shown, group in zip(people["crm_id"], people["shown"], ids, strict=True)
    )


# ---------------------------------------------------------------------------- drift


def _drift(linked: Linked) -> tuple[Drift, ...]:
    """Matched contacts whose name, company, numbers or address say something else in the CRM."""
    differing = sorted(
        [
            *_text_drift(linked, "name", shown="shown"),
            *_text_drift(linked, "company", shown="company_shown"),
            *_key_drift(linked, "number", "numbers"),
            *_key_drift(linked, "email", "email"),
        ]
    )
    positions = [at for at, *_ in differing]
    ids = linked.contacts["id"].reindex(positions).tolist()
    crm_ids = linked.people["crm_id"].iloc[linked.links.loc[positions]]
    return tuple(
        Drift(contact_id=contact_id, crm_id=crm_id, field=field, crm=crm, pbx=pbx)
        for contact_id, crm_id, (_, field, crm, pbx) in zip(ids, crm_ids, differing, strict=True)
    )


def _text_drift(linked: Linked, field: str, *, shown: str) -> Iterator[_Differing]:
    """Contacts whose comparable text differs; an empty one in the CRM says nothing."""
    rows = linked.links.to_numpy()
    theirs = linked.people[field].iloc[rows].array
    ours = linked.contacts[field].iloc[linked.links.index].array
    differs = linked.links[(theirs != ours) & (theirs != "")]
    crm = linked.people[shown].iloc[differs.to_numpy()]
    pbx = linked.contacts[shown].iloc[differs.index]
    return zip(differs.index, repeat(field), crm, pbx, strict=False)


def _key_drift(linked: Linked, kind: str, field: str) -> Iterator[_Differing]:
    """Contacts of which one side has a value that the other side has no reading of."""
    ours, theirs = _Values.of_pbx(linked, kind), _Values.of_crm(linked, kind)
    crm, pbx = theirs.without_reading_in(ours), ours.without_reading_in(theirs)
    for at in crm.keys() | pbx.keys():
        yield at, field, ", ".join(sorted(crm[at])), ", ".join(sorted(pbx[at]))


@dataclass(frozen=True, slots=True)
class _Values:
    """The numbers or addresses of one side: a row for each reading of each value."""

    at: Positions
    """The contact that has it, or whose record does."""
    key: Positions
    """Which of the PBX's keys it is read as; `UNKNOWN` if it is none of them."""
    code: Positions
    """Which of the texts it is."""
    text: pa.Array
    """Each may stand there more than once: read for several regions."""

    @classmethod
    def of_pbx(cls, linked: Linked, kind: str) -> _Values:
        """Of the contacts that are linked."""
        keys = linked.pbx_keys.table
        is_linked = np.zeros(len(linked.contacts), dtype="bool")
        is_linked[linked.links.index] = True
        some = (keys["kind"] == kind).to_numpy() & is_linked[keys["at"].to_numpy()]
        at, key, code = (keys[name].to_numpy()[some] for name in ("at", "id", "value"))
        return cls(at, key, code, linked.pbx_keys.value)

    @classmethod
    def of_crm(cls, linked: Linked, kind: str) -> _Values:
        """Of the records that they are linked with, as often as they are."""
        each = zip(linked.crm_keys, linked.key_ids, strict=True)
        some = [(keys, ids) for keys, ids in each if keys.kind == kind]
        before = np.cumsum([0, *(len(keys.value) for keys, _ in some)])
        rows = [_rows_of(keys, ids, linked) for keys, ids in some]
        at, key, code = zip(*rows, strict=True)
        text = pa.concat_arrays([keys.value for keys, _ in some])
        moved = [codes + start for codes, start in zip(code, before, strict=False)]
        return cls(np.concatenate(at), np.concatenate(key), np.concatenate(moved), text)

    def without_reading_in(self, other: _Values) -> defaultdict[int, list[str]]:
        """Contact → the values of which the other side has no reading."""
        keys = 2 + max(self.key.max(initial=0), other.key.max(initial=0))  # and one for UNKNOWN
        ours, theirs = (values.at * keys + values.key + 1 for values in (self, other))
        is_read = pd.Index(ours).isin(theirs) & (self.key != sides.UNKNOWN)
        doubtful = np.zeros(self.at.max(initial=-1) + 1, dtype="bool")
        doubtful[self.at[~is_read]] = True
        some = doubtful[self.at]
        text = self.text.take(pa.array(self.code[some])).to_pylist()
        values = list(zip(self.at[some].tolist(), text, strict=True))
        read = {value for value, known in zip(values, is_read[some].tolist(), strict=True) if known}
        found = defaultdict[int, list[str]](list)
        for contact, value in set(values) - read:
            found[contact].append(value)
        return found


def _rows_of(keys: Keys, ids: Positions, linked: Linked) -> tuple[Positions, Positions, Positions]:
    """Of linked records: the contact, its key among the PBX's, and which value it is read from."""
    is_linked = np.zeros(len(linked.people), dtype="bool")
    is_linked[linked.links] = True
    row, code, nth = keys.unfolded(is_linked[keys.at])
    some = ~keys.is_text()[nth]
    which, link = sides.joined(row[some], np.asarray(linked.links, "int64"))
    return linked.links.index.to_numpy()[link], ids[nth[some]][which], code[some][which]


# ---------------------------------------------------------------------------- how full it is


def _fill(records: pd.DataFrame, has: dict[str, Mask]) -> dict[str, float]:
    """Canonical column → share of the living records that have a value in it.

    Of numbers and addresses only those count that give a key: a column may be full and spoilt.
    """
    alive = ~records["gone"].to_numpy(dtype="bool")
    if not alive.any():
        return {}
    filled: dict[str, Mask] = {}
    for column in map(str, records.columns.drop(["row", "gone"])):
        name = column.partition(":")[0]
        filled[name] = filled.get(name, False) | (records[column] != "").to_numpy(dtype="bool")
    for name in filled.keys() & _KEYED.keys():
        filled[name] &= has[_KEYED[name]]
    return {name: round(float(share[alive].mean()), 4) for name, share in sorted(filled.items())}
