"""Whole columns of proofs → exactly the sentences of `core.words`, faster.

Nothing is worded here: `words.sentence` is asked once for proofs that are alike, with marks where
they differ, and what differs is put in place of the marks. Tests compare the two.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.core import sides, words
from reconcile.core.evidence import PROOFS, objects

if TYPE_CHECKING:
    from reconcile.core.sides import Mask, Positions
    from reconcile.model import Proof

_MARKED: Final = ("key", "crm_id", "crm_part", "crm_name")
"""What differs of proofs that are alike, besides the line."""
_LINE: Final = 7_777_777_777_777_777
"""Stands for the line of a record; none has so high a number."""
_MARKS: Final = re.compile(f"\x02([a-z_]+)\x03|{_LINE}")
_AS_IT_IS: Final = ("email", "crm_id")
"""Kinds whose key is said as it is; others' as people write a number."""


def sentences(proofs: pa.Table, names: pa.Array) -> pa.Array:
    """`words.sentence` of each proof, beside which stands the name of its contact.

    `proofs` is as `evidence.PROOFS`.
    """
    told = _are_one(sides.arrow(proofs["crm_name"]), names)
    which = _alike(proofs, told)
    order = np.argsort(which, kind="stable")
    said = [pa.array([], pa.large_string())]
    for at in np.split(order, np.flatnonzero(np.diff(which[order])) + 1) if len(order) else ():
        (first,) = objects(proofs.take(pa.array(at[:1])))
        pieces = _pieces(first, told=bool(told[at[0]]))
        said.append(_joined(pieces, proofs.take(pa.array(at)), first.kind))
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return pa.concat_arrays(said).take(pa.array(back))


def _are_one(theirs: pa.Array, ours: pa.Array) -> Mask:
    """Whether the record's name and the contact's read the same, but for upper and lower case."""
    same = sides.mask(pc.equal(theirs, ours)).copy()
    others = np.flatnonzero(~same)
    pairs = (texts.take(pa.array(others)).to_pylist() for texts in (theirs, ours))
    same[others] = [a.casefold() == b.casefold() for a, b in zip(*pairs, strict=True)]
    return same


def _alike(proofs: pa.Table, told: Mask) -> Positions:
    """A number for each proof: the same for those whose sentences differ in what is marked only."""
    which = told.astype("int64")
    for name in PROOFS.names:
        column = proofs[name].combine_chunks()
        if name in _MARKED:
            column = pc.not_equal(column, "")
        elif name == "crm_row":
            column = pc.not_equal(column, 0)
        coded = column.dictionary_encode()
        which = which * len(coded.dictionary) + coded.indices.to_numpy()
    return which


def _pieces(proof: Proof, *, told: bool) -> list[str | None]:
    """The sentence of proofs that are alike: words, what is marked, words, …; None is the line."""
    marks: dict[str, Any] = {n: f"\x02{n}\x03" for n in _MARKED if getattr(proof, n)}
    marked = replace(proof, **marks, crm_row=_LINE if proof.crm_row else 0)
    return _MARKS.split(words.sentence(marked, marked.crm_name if told else ""))


def _joined(pieces: list[str | None], proofs: pa.Table, kind: str) -> pa.Array:
    """The sentence with what stands in its place for each proof."""
    parts = [pa.scalar(words, pa.large_string()) for words in pieces]
    for at, name in enumerate(pieces[1::2]):
        column = proofs[name or "crm_row"].combine_chunks().cast(pa.large_string())
        is_number = name == "key" and kind not in _AS_IT_IS
        parts[2 * at + 1] = _numbers(column) if is_number else column
    first = pa.array([""] * len(proofs), pa.large_string())  # a sentence may have nothing marked
    return pc.binary_join_element_wise(first, *parts, pa.scalar("", pa.large_string()))


def _numbers(keys: pa.Array) -> pa.Array:
    """`words.number` of each key."""
    coded = keys.dictionary_encode()
    written = pa.array(map(words.number, coded.dictionary.to_pylist()), pa.large_string())
    return written.take(coded.indices)
