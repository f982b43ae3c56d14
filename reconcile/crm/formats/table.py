"""What every format yields: a header, and columns of text below it.

A format is a module with `recognises(content) -> bool` and `read(content, *, is_header) -> Table`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from reconcile.errors import Problem

    Offsets = NDArray[np.integer[Any]]
    Flags = NDArray[np.bool_]
    IsHeader = Callable[[Sequence[str]], bool]


class Trailer(NamedTuple):
    """What the last line of a text says of the text."""

    row: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many records came out of one file, and how many should have."""

    given: int
    """The place of the file, or of what it was packed in, among those that were given."""
    file: str
    """Its name, as in `Table.parts`; "" if it is the export's own."""
    records: int
    trailer: Trailer | None
    accounts: bool = False
    """Whether its records are the accounts of contacts in another file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What one file holds, before any column has a meaning.

    With problems there are no records: a table is read whole or not at all.
    """

    format: str
    """The format's name with its details, such as `csv; delimiter ","`."""
    encoding: str
    delimiter: str = ""
    header: tuple[str, ...]
    header_row: int
    text: str = field(repr=False)
    """The whole file as text, every line ended by a line feed."""
    cells: tuple[pa.ChunkedArray, ...] = field(default=(), repr=False)
    """One column of text for each header."""
    lines: Offsets = field(default_factory=lambda: np.zeros(0, dtype=np.int64), repr=False)
    """The line of the file where each record starts."""
    ignored: Mapping[str, int] = field(default_factory=dict)
    """Why rows below the header are no records → how many."""
    problems: tuple[Problem, ...] = ()
    parts: tuple[str, ...] = ()
    """The names of the files that it was read from, if they are not the export's own."""
    part: Offsets = field(default_factory=lambda: np.zeros(0, dtype=np.int64), repr=False)
    """Of each record its place in `parts`; empty if there is one file only."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it was put together."""
    trailer: Trailer | None = None
    """Of a single file."""
    tallies: tuple[Tally, ...] = ()
    """One for each file that it was read from."""

    def digest(self) -> str:
        """SHA-256 of headers and cells: the same however often they are packed or saved anew."""
        lengths, texts = hashlib.sha256(repr(self.header).encode()), hashlib.sha256()
        for column in self.cells:
            for chunk in column.cast("string").chunks:
                _, offsets, octets = chunk.buffers()
                ends = np.frombuffer(offsets, "int32")[chunk.offset :][: len(chunk) + 1]
                lengths.update(np.diff(ends).tobytes())
                texts.update(memoryview(octets or b"")[ends[0] : ends[-1]])
        lengths.update(texts.digest())
        return lengths.hexdigest()


class Format(Protocol):
    """A module that reads one format."""

    def recognises(self, content: bytes, /) -> bool:
        """Whether the bytes begin as this format does; a file that is cut off may still do."""

    def read(self, content: bytes, *, is_header: IsHeader) -> Table:
        """The table that the bytes hold; its own problems stand in it.

        Raises ExportRejected if there is nothing to show.
        """
