"""Both sides as columns: who is on each, and by which keys they can be known.

A side's keys stay folded up (a value and its keys stand once, however many carry it) until it is
known which of them the other side has, too: an export of a million rows has four million keys, of
which a night needs a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.core import countries, phone_columns, phones, text_columns
from reconcile.core.text import addresses
from reconcile.model import NUMBER_FIELDS, PbxSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Positions = NDArray[np.int64]
    Mask = NDArray[np.bool_]

KINDS: Final = ("claim", "crm_id", "email", "number", "name_company", "short", "name")
"""Of keys, and of what else two people can be known by; from the best proof to the least."""
OWN: Final = ("email", "number")
"""The kinds that a person carries, and may share."""
UNKNOWN: Final = -1
"""The position of a key that the other side doesn't have."""
_PLAIN_ADDRESS: Final = r"^[A-Za-z0-9_%\-][A-Za-z0-9._%\-]*@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+$"
_TEXT: Final = pd.StringDtype("pyarrow", na_value=np.nan)
"""What pandas calls `str`."""
_SPREAD: Final = 8
"""So many times as many numbers are counted as there are, at most."""
_KIND: Final = pd.CategoricalDtype([*KINDS], ordered=True)


# ---------------------------------------------------------------------------- columns of text


def arrow(texts: pd.Series[str] | pa.ChunkedArray | Iterable[str]) -> pa.Array:
    """A column as one Arrow array."""
    made = texts if isinstance(texts, pa.ChunkedArray) else pa.array(texts, pa.large_string())
    return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made


def series(texts: pa.Array) -> pd.Series[str]:
    """An Arrow array as a column."""
    return pd.Series(pd.array(texts, dtype=_TEXT))


def listed(texts: pd.Series[str]) -> list[str]:
    """A column as Python's texts; pandas' own iteration takes ten times as long."""
    return list(arrow(texts).to_pylist())


def mask(values: pa.Array) -> Mask:
    """An Arrow array of truths as numpy's."""
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype="bool")


def among(texts: pa.Array, others: pa.Array) -> Mask:
    """Which texts are also among the others."""
    return mask(pc.is_in(texts, value_set=others))


def positions(texts: pa.Array, others: pa.Array) -> Positions:
    """Where each text stands among the others, or `UNKNOWN`."""
    found = pc.index_in(texts, value_set=others).fill_null(UNKNOWN)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype="int64")


def kinds(kind: str, count: int) -> pd.Categorical:
    """A column of one kind."""
    code = np.full(count, KINDS.index(kind), dtype="int8")
    return pd.Categorical.from_codes(code, dtype=_KIND)


def runs(starts: Positions, counts: Positions) -> tuple[Positions, Positions]:
    """Runs of positions, one after the other: of each position which run it is of, and itself."""
    run = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return run, np.arange(len(run)) + (starts - before)[run]


def repeated(one: Positions, other: Positions) -> Mask:
    """Which pairs of positions have stood before."""
    return np.asarray(pd.Index(one * (1 + other.max(initial=0)) + other).duplicated(), "bool")


def joined(ours: Positions, theirs: Positions) -> tuple[Positions, Positions]:
    """Where equal numbers stand in both, each of ours with each of theirs, in our order."""
    ours, theirs = _small(ours, theirs)
    count = np.bincount(theirs, minlength=ours.max(initial=-1) + 1)
    which, whose = runs((np.cumsum(count) - count)[ours], count[ours])
    return which, np.argsort(theirs, kind="stable")[whose]


def _small(ours: Positions, theirs: Positions) -> tuple[Positions, Positions]:
    """The same, or other numbers that are equal where these are: so small that they are counted."""
    if max(ours.max(initial=0), theirs.max(initial=0)) <= _SPREAD * (len(ours) + len(theirs)):
        return ours, theirs
    code, _ = pd.factorize(np.concatenate([ours, theirs]))
    return code[: len(ours)], code[len(ours) :]


# ---------------------------------------------------------------------------- who


def people(records: pd.DataFrame) -> pd.DataFrame:
    """One row per record: id, line, name as shown, comparable name and company, gone."""
    first, company = arrow(records["first_name"]), arrow(records["company"])
    joined, full = _joined(first, arrow(records["last_name"])), arrow(records["full_name"])
    longer = pc.greater_equal(pc.utf8_length(joined), pc.utf8_length(full))
    shown = pc.if_else(longer, joined, full)
    return pd.DataFrame(
        {
            "crm_id": records["id"].array,
            "line": records["row"].array,
            "part": records["part"].array,
            "shown": series(shown),
            "name": series(text_columns.name_keys(shown)),
            "first": series(text_columns.name_keys(first)),
            "company_shown": records["company"].array,
            "company": series(text_columns.company_keys(company)),
            "merged_into": records["merged_into"].array,
            "gone": records["gone"].to_numpy(dtype="bool"),
        }
    )


def absent_ids(records: pd.DataFrame, ids: Sequence[str]) -> tuple[str, ...]:
    """Which of these CRM ids no record has, flagged as gone or not."""
    wanted = [i.strip() for i in ids]
    found = among(pa.array(wanted, pa.large_string()), arrow(records["id"]))
    return tuple(i for i, is_there in zip(wanted, found, strict=True) if not is_there)


def contacts(pbx: PbxSnapshot) -> pd.DataFrame:
    """One row per contact: Id, name as shown, comparable name and company."""
    first, company = pbx.text("FirstName"), pbx.text("CompanyName")
    shown = _joined(first, pbx.text("LastName"))
    return pd.DataFrame(
        {
            "id": np.array(pbx.ids, dtype="int64"),
            "shown": series(shown),
            "name": series(text_columns.name_keys(shown)),
            "first": series(text_columns.name_keys(first)),
            "company_shown": series(company),
            "company": series(text_columns.company_keys(company)),
        }
    )


def _joined(first: pa.Array, last: pa.Array) -> pa.Array:
    blank = pa.scalar(" ", pa.large_string())
    return pc.utf8_trim_whitespace(pc.binary_join_element_wise(first, last, blank))


# ---------------------------------------------------------------------------- their keys


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells with a value: whose each one is, and what stands in it."""

    at: Positions
    value: pa.Array

    @classmethod
    def of(cls, columns: Iterable[pa.Array]) -> Cells:
        """Of several columns, one after the other; blank cells are left out."""
        at, value = [np.empty(0, dtype="int64")], [pa.array([], pa.large_string())]
        for column in columns:
            filled = pc.not_equal(column, "")
            at.append(np.flatnonzero(mask(filled)))
            value.append(column.filter(filled))
        return cls(np.concatenate(at), pa.concat_arrays(value))

    def only(self, some: Mask) -> Cells:
        """Those of them."""
        return Cells(self.at[some], self.value.filter(pa.array(some)))


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of cells, folded up: the values stand once, and each value's keys together."""

    kind: str
    """Of a number that is compared as text it is `short` all the same."""
    at: Positions
    """Whose a cell is. No two cells of one position have the same value."""
    code: Positions
    """Which value stands in the cell."""
    value: pa.Array
    owner: Positions
    """Of each key the value, in ascending order."""
    key: pa.Array

    @classmethod
    def of(
        cls, kind: str, at: Positions, coded: pa.Array, *, owner: Positions, key: pa.Array
    ) -> Keys:
        """`coded` are the values of the cells as a dictionary, `at` whose they are."""
        code = coded.indices.to_numpy().astype("int64")
        first = ~repeated(at, code)
        return cls(kind, at[first], code[first], coded.dictionary, owner, key)

    def carriers(self, some: Mask | None = None) -> Positions:
        """Positions that have a key, or one of some keys; they may repeat."""
        return self.at[self._cells_with(some)]

    def numbered(self, start: int, ids: Positions) -> pd.DataFrame:
        """Unfolded: at, kind; the position in `value`, counted from a start on; and the key's id.

        `ids` are those of the keys.
        """
        at, code, nth = self.unfolded(slice(None))
        columns = {"at": at, "kind": self._kinds(nth), "value": code + start, "id": ids[nth]}
        return pd.DataFrame(columns, copy=False)

    def shared(self, ids: Positions) -> pd.DataFrame:
        """Unfolded, what the other side has, too: at, kind, and its id there, which `ids` are."""
        at, _, nth = self.unfolded(self._cells_with(ids != UNKNOWN))
        both = ids[nth] != UNKNOWN
        at, nth = at[both], nth[both]
        return pd.DataFrame({"at": at, "kind": self._kinds(nth), "id": ids[nth]}, copy=False)

    def unfolded(self, cells: Mask | slice) -> tuple[Positions, Positions, Positions]:
        """A row for each key of those cells: whose it is, the value, and the key's position."""
        at, code = self.at[cells], self.code[cells]
        cell, nth = self.keys_of(code)
        return at[cell], code[cell], nth

    def keys_of(self, code: Positions) -> tuple[Positions, Positions]:
        """The keys' positions of those values, one after the other; and which value each is of."""
        ends = np.concatenate([[0], np.cumsum(np.bincount(self.owner, minlength=len(self.value)))])
        return runs(ends[code], ends[code + 1] - ends[code])

    def is_text(self) -> Mask:
        """Which keys are of numbers that are compared as text."""
        return mask(pc.starts_with(self.key, phones.SHORT))

    def _cells_with(self, some: Mask | None) -> Mask:
        has = np.zeros(len(self.value), dtype="bool")
        has[self.owner if some is None else self.owner[some]] = True
        return has[self.code]

    def _kinds(self, nth: Positions) -> pd.Categorical:
        column = kinds(self.kind, len(nth))
        if self.kind == "number":
            column[self.is_text()[nth]] = "short"
        return column


@dataclass(frozen=True, slots=True)
class PbxKeys:
    """The keys of the PBX's contacts, unfolded; texts stand once, in arrays beside the table."""

    table: pd.DataFrame
    """A row for each key of each value: at, kind, and the positions `value` and `id`."""
    value: pa.Array
    """A text may stand there twice: as a number and as an address."""
    key: pa.Array
    of_kind: Mapping[str, slice]
    """Where the keys of a kind stand in `key`: two kinds have none in common."""
    role: Mask
    """Of each key whether it is the address of a task, such as info@."""

    @classmethod
    def of(cls, *folded: Keys) -> PbxKeys:
        """Of numbers, of addresses, and of names with companies."""
        coded = [keys.key.dictionary_encode() for keys in folded]
        key = pa.concat_arrays([each.dictionary for each in coded])
        ids = _slices([each.dictionary for each in coded])
        value = pa.concat_arrays([keys.value for keys in folded])
        values = _slices([keys.value for keys in folded])
        tables = [
            keys.numbered(values[at].start, each.indices.to_numpy().astype("int64") + ids[at].start)
            for at, (keys, each) in enumerate(zip(folded, coded, strict=True))
        ]
        of_kind = {keys.kind: some for keys, some in zip(folded, ids, strict=True)}
        role = np.zeros(len(key), dtype="bool")
        role[of_kind["email"]] = text_columns.are_roles(key[of_kind["email"]])
        return cls(pd.concat(tables, ignore_index=True), value, key, of_kind, role)

    def own(self) -> pd.DataFrame:
        """The rows of what a person carries, and may share."""
        return self.table[self.table["kind"].isin(OWN)]


def with_values(rows: pd.DataFrame, value: pa.Array) -> pd.DataFrame:
    """The rows with texts in place of the positions where those stand."""
    texts = value.take(pa.array(rows["value"].to_numpy()))
    return rows.assign(value=series(texts).array)


def _slices(columns: Iterable[pa.Array]) -> list[slice]:
    """Where each column stands when they are put one behind the other."""
    ends = np.cumsum([0, *map(len, columns)]).tolist()
    return list(map(slice, ends, ends[1:]))


def found(keys: Iterable[Keys], other: PbxKeys) -> tuple[Positions, ...]:
    """Where each of the keys stands in `other.key`, or `UNKNOWN`; those of a kind come together."""
    ids: list[Positions] = []
    for kind, alike in groupby(keys, attrgetter("kind")):
        every = [folded.key for folded in alike]
        some = other.of_kind[kind]
        place = positions(pa.concat_arrays(every), other.key[some])  # at once: it may be large
        place[place != UNKNOWN] += some.start
        ids += np.split(place, np.cumsum([len(key) for key in every])[:-1])
    return tuple(ids)


def crm_keys(records: pd.DataFrame, people: pd.DataFrame, region: str) -> tuple[Keys, ...]:
    """All keys of the export."""
    numbers = Cells.of([*_columns(records, "phone:"), *_columns(records, "shared_phone:")])
    return (
        *_regional_numbers(numbers, records, region),
        _emails(Cells.of(_columns(records, "email:"))),
        _name_company(people),
    )


def main_numbers(records: pd.DataFrame, region: str) -> frozenset[str]:
    """The keys of companies' main numbers."""
    cells = Cells.of(_columns(records, "shared_phone:"))
    if not len(cells.at):
        return frozenset()
    every = _regional_numbers(cells, records, region)
    return frozenset(key for keys in every for key in keys.key.to_pylist())


def pbx_keys(
    pbx: PbxSnapshot,
    contacts: pd.DataFrame,
    region: str,
    outside_prefix: str,
    *,
    read: Keys | None = None,
) -> PbxKeys:
    """All keys of the PBX.

    `read` are numbers of the other side that were read for the region: most are the same. The fax
    is no key.
    """
    numbers = Cells.of(pbx.texts[name] for name in NUMBER_FIELDS if name in pbx.texts)
    return PbxKeys.of(
        _numbers(numbers, region, outside_prefix, read=None if outside_prefix else read),
        _emails(Cells.of([pbx.text("Email")])),
        _name_company(contacts),
    )


def _columns(records: pd.DataFrame, prefix: str) -> Iterator[pa.Array]:
    return (arrow(records[c]) for c in records.columns if str(c).startswith(prefix))


def _emails(cells: Cells) -> Keys:
    """See `text.addresses`.

    Nearly every cell is one address without anything to undo: its key is its lower case.
    """
    coded = cells.value.dictionary_encode()
    lower = pc.ascii_lower(coded.dictionary)
    plain = mask(pc.match_substring_regex(coded.dictionary, _PLAIN_ADDRESS))
    plain &= ~mask(pc.match_substring(lower, "googlemail"))
    slow = np.flatnonzero(~plain)
    found = [addresses(value) for value in coded.dictionary.take(pa.array(slow)).to_pylist()]
    owner = np.concatenate([np.flatnonzero(plain), np.repeat(slow, list(map(len, found)))])
    keys = pa.array([key for keys in found for key in keys], pa.large_string())
    key = pa.concat_arrays([lower.filter(pa.array(plain)), keys])
    order = np.argsort(owner, kind="stable")
    return Keys.of("email", cells.at, coded, owner=owner[order], key=key.take(pa.array(order)))


def _numbers(cells: Cells, region: str, outside_prefix: str = "", read: Keys | None = None) -> Keys:
    """Also those compared as text; what was `read` for the same region is not read again."""
    coded = cells.value.dictionary_encode()
    seen = (
        positions(coded.dictionary, read.value) if read else np.full(len(coded.dictionary), UNKNOWN)
    )
    new, known = np.flatnonzero(seen == UNKNOWN), np.flatnonzero(seen != UNKNOWN)
    table = phone_columns.keys_or_text(
        coded.dictionary.take(pa.array(new)), region, outside_prefix=outside_prefix
    )
    owner = new[table["cell"].to_numpy()]
    key = table["key"].combine_chunks().cast(pa.large_string())
    if read and len(known):
        which, nth = read.keys_of(seen[known])
        owner = np.concatenate([owner, known[which]])
        key = pa.concat_arrays([key, read.key.take(pa.array(nth))])
        order = np.argsort(owner, kind="stable")
        owner, key = owner[order], key.take(pa.array(order))
    return Keys.of("number", cells.at, coded, owner=owner, key=key)


def _regional_numbers(cells: Cells, records: pd.DataFrame, region: str) -> tuple[Keys, ...]:
    """Each number read for the configured region, and for its record's own country.

    Both readings are kept: when the two differ and the number has no plus, either may be meant.
    """
    own = _regions(records)
    others = [o for o in own.unique() if o not in {"", region}]
    theirs = own.to_numpy()[cells.at]
    return (
        _numbers(cells, region),
        *(_numbers(cells.only(theirs == other), other) for other in others),
    )


def _regions(records: pd.DataFrame) -> pd.Series[str]:
    """Of each record's country, or else that of its company; "" for one that is not known."""
    country = records["country"]
    country = country.where(country != "", records["company_country"])
    codes, written = pd.factorize(country)
    regions = (countries.alpha2(text) or "" for text in written)
    known = [r if r in phonenumbers.SUPPORTED_REGIONS else "" for r in regions]
    return pd.Series(np.array(known, dtype="object")[codes] if known else [], dtype="object")


def _name_company(side: pd.DataFrame) -> Keys:
    """The key made of a name and a company, where there are both."""
    name, company = arrow(side["name"]), arrow(side["company"])
    at = np.flatnonzero(mask(pc.and_(pc.not_equal(name, ""), pc.not_equal(company, ""))))
    some = pa.array(at)
    mark = pa.scalar(" @ ", pa.large_string())
    key = pc.binary_join_element_wise(name.take(some), company.take(some), mark)
    every = np.arange(len(at))
    return Keys("name_company", at, every, key, every, key)
