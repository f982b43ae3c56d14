"""Evidence as columns: what is known of every contact, and an object of it where one is asked for.

Of a million contacts nearly all have one plain strong proof. An object for each, and one for its
proof, would take longer than the whole match; so whoever looks at all of them looks at columns,
and `Evidence` is made of the few that need a decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Final, overload

import numpy as np
import pyarrow as pa

from reconcile.core import sides
from reconcile.model import Evidence, Proof, Strength

if TYPE_CHECKING:
    from reconcile.core.sides import Mask, Positions

_TYPES: Final = {
    "str": pa.large_string(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "Strength": pa.int64(),
}
PROOFS: Final = pa.schema([(f.name, _TYPES[str(f.type)]) for f in fields(Proof)])
"""The columns of a table of proofs: the fields of `Proof`."""
_AT_ONCE: Final = 10_000
"""So many pieces are made at a time: a large phonebook is never in memory twice."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Columns(Sequence[Evidence]):
    """Evidence for every contact, in the order of the listing; what is worked out of it is kept."""

    contact_ids: Positions
    proofs: pa.Table
    """As `PROOFS`; those of a contact one after the other, the strongest first."""
    counts: Positions
    """So many proofs each contact has."""
    has_key: Mask
    same_person: Mask
    unseen: Mapping[int, tuple[str, ...]]
    """Position → what the reader found nowhere in the export; of those that have such."""

    def __len__(self) -> int:
        return len(self.contact_ids)

    @overload
    def __getitem__(self, index: int) -> Evidence: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Evidence]: ...
    def __getitem__(self, index: int | slice) -> Evidence | Sequence[Evidence]:
        if isinstance(index, slice):
            return tuple(self.some(range(len(self))[index]))
        return next(self.some([range(len(self))[index]]))

    def __iter__(self) -> Iterator[Evidence]:
        return self.some(range(len(self)))

    def some(self, at: Sequence[int] | Positions) -> Iterator[Evidence]:
        """The evidence at those positions, made as it is asked for."""
        for start in range(0, len(at), _AT_ONCE):
            yield from self._made(np.asarray(at[start : start + _AT_ONCE], dtype="int64"))

    def _made(self, at: Positions) -> Iterator[Evidence]:
        _, rows = sides.runs(self.first[at], self.counts[at])
        proofs = objects(self.proofs.take(pa.array(rows)))
        columns = (c[at].tolist() for c in (self.contact_ids, self.counts))
        truths = (c[at].tolist() for c in (self.has_key, self.same_person))
        for position, contact_id, count, has_key, same_person in zip(
            at.tolist(), *columns, *truths, strict=True
        ):
            yield Evidence(
                contact_id=contact_id,
                proofs=tuple(next(proofs) for _ in range(count)),
                has_key=has_key,
                unseen=self.unseen.get(position, ()),
                same_person=same_person,
            )

    @cached_property
    def first(self) -> Positions:
        """Where each contact's proofs begin."""
        ends: Positions = np.cumsum(self.counts)
        return ends - self.counts

    @cached_property
    def strong(self) -> Mask:
        """Who has strong evidence: whose first proof is."""
        found = np.zeros(len(self), dtype="bool")
        has = np.flatnonzero(self.counts)
        strength = self.proofs["strength"].to_numpy()
        found[has] = strength[self.first[has]] == Strength.STRONG
        return found

    def plain(self, apart: Iterable[int]) -> Mask:
        """Of whom there is nothing to tell but one proof; these ids are not among them."""
        told_apart = np.isin(self.contact_ids, [*apart])
        return np.asarray((self.counts == 1) & ~told_apart)

    def best(self, at: Sequence[int] | Positions) -> pa.Table:
        """The first proof of each contact at those positions, which all have one; as `PROOFS`."""
        return self.proofs.take(pa.array(self.first[np.asarray(at, dtype="int64")]))


def columns(evidence: Sequence[Evidence]) -> Columns:
    """Pieces of evidence as columns; what are columns already stays as it is."""
    if isinstance(evidence, Columns):
        return evidence
    return Columns(
        contact_ids=np.array([piece.contact_id for piece in evidence], dtype="int64"),
        proofs=table(proof for piece in evidence for proof in piece.proofs),
        counts=np.array([len(piece.proofs) for piece in evidence], dtype="int64"),
        has_key=np.array([piece.has_key for piece in evidence], dtype="bool"),
        same_person=np.array([piece.same_person for piece in evidence], dtype="bool"),
        unseen={at: piece.unseen for at, piece in enumerate(evidence) if piece.unseen},
    )


def table(proofs: Iterable[Proof]) -> pa.Table:
    """Proofs as columns."""
    rows = [{name: getattr(proof, name) for name in PROOFS.names} for proof in proofs]
    return pa.Table.from_pylist(rows, PROOFS)


def objects(proofs: pa.Table) -> Iterator[Proof]:
    """The proofs of such columns."""
    made = [column.to_pylist() for column in proofs.columns]
    made[PROOFS.names.index("strength")] = map(Strength, proofs["strength"].to_pylist())
    return (Proof(**dict(zip(PROOFS.names, row, strict=True))) for row in zip(*made, strict=True))
