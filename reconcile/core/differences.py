"""What a match leaves to be told of both sides: who is missing, double, or not the same any more.

It decides nothing: no verdict is made of it, only the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, overload

import numpy as np
import pandas as pd

from reconcile.core import sides
from reconcile.model import Drift, Duplicate, Evidence, Matching, MissingRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reconcile.core.sides import Keys, Mask

_STATES: Final = ("without_number", "missing", "matched", "gone")
_COUNTED: Final = ("matched", "missing", "gone", "without_number")
_KEYED: Final = {"phone": "number", "email": "email"}
"""Canonical column → the kind of key that its values give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """Both sides, and who is whom; `at` is the position of a contact, `row` that of a record."""

    records: pd.DataFrame
    people: pd.DataFrame
    contacts: pd.DataFrame
    crm_keys: tuple[Keys, ...]
    pbx_keys: pd.DataFrame
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


def told(linked: Linked, evidence: tuple[Evidence, ...]) -> Matching:
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
        columns = (sides.listed(self._people[n]) for n in ("crm_id", "shown", "company_shown"))
        for line, crm_id, shown, company in zip(self._people["line"], *columns, strict=True):
            yield MissingRecord(crm_id=crm_id, row=int(line), name=shown, company=company)


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
    links = linked.links.reset_index()
    texts = [
        _text_drift(linked, links, "name", shown="shown"),
        _text_drift(linked, links, "company", shown="company_shown"),
        _key_drift(linked, links, "number", "numbers"),
        _key_drift(linked, links, "email", "email"),
    ]
    table = pd.concat(texts).sort_values(["at", "field"])
    ids = linked.contacts["id"].reindex(table["at"])
    crm_ids = linked.people["crm_id"].reindex(table["row"])
    return tuple(
        Drift(contact_id=int(i), crm_id=crm_id, field=field, crm=crm, pbx=pbx)
        for i, crm_id, field, crm, pbx in zip(
            ids, crm_ids, table["field"], table["crm"], table["pbx"], strict=True
        )
    )


def _text_drift(linked: Linked, links: pd.DataFrame, field: str, *, shown: str) -> pd.DataFrame:
    """Links whose comparable text differs; an empty one in the CRM says nothing."""
    theirs = linked.people[field].iloc[links["row"]].array
    ours = linked.contacts[field].iloc[links["at"]].array
    differs = links[(theirs != ours) & (theirs != "")]
    told: pd.DataFrame = differs.assign(
        field=field,
        crm=linked.people[shown].iloc[differs["row"]].array,
        pbx=linked.contacts[shown].iloc[differs["at"]].array,
    )
    return told


def _key_drift(linked: Linked, links: pd.DataFrame, kind: str, field: str) -> pd.DataFrame:
    """Links in which one side has a value that the other side has no reading of."""
    is_linked = np.zeros(len(linked.people), dtype="bool")
    is_linked[links["row"]] = True
    tables = [k.table(is_linked[k.at]) for k in linked.crm_keys if k.kind == kind]
    every = pd.concat(tables).rename(columns={"at": "row"}), linked.pbx_keys
    their_keys, our_keys = (keys[keys["kind"] == kind] for keys in every)
    theirs = links.merge(their_keys[["row", "value", "key"]], on="row")
    ours = links.merge(our_keys[["at", "value", "key"]], on="at")
    both = pd.concat([theirs, ours])
    code = pd.factorize(both["key"])[0]
    read = both["at"].to_numpy() * (len(code) + 1) + code  # who has which key, as one number
    known, seen = read[: len(theirs)], read[len(theirs) :]
    crm = _lacking(theirs, pd.Series(known).isin(seen).to_numpy())
    pbx = _lacking(ours, pd.Series(seen).isin(known).to_numpy())
    joined = pd.DataFrame({"crm": crm, "pbx": pbx}).fillna("").astype("str")
    return joined.rename_axis(["at", "row"]).reset_index().assign(field=field)


def _lacking(keys: pd.DataFrame, covered: Mask) -> pd.Series[str]:
    """(at, row) → the values of which no key is covered by the other side, joined by a comma."""
    some = keys["at"].isin(keys.loc[~covered, "at"]).to_numpy()  # most have nothing to tell
    rows = keys[some].assign(covered=covered[some])
    found = rows.groupby(["at", "row", "value"])["covered"].any()
    left = found[~found].reset_index()
    return left.groupby(["at", "row"])["value"].agg(", ".join)


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
