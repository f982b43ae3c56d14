"""What every format yields: a header, and columns of text below it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from reconcile.errors import Problem

    Offsets = NDArray[np.integer[Any]]
    Flags = NDArray[np.bool_]


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
