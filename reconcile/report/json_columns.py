"""Columns of texts put together to columns of JSON: many rows of a report at once.

An object for each of a million rows would take longer than all that was found out about them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN: Final = r"^[ !#-\[\]-~\x{a0}-\x{ac}\x{ae}-\x{5ff}]*$"
"""Texts that stand in JSON as they are and that nothing in them acts: ASCII without control
characters, quote and backslash, and what else is below U+0600 without controls and U+00AD."""
BLANK: Final = pa.scalar("", pa.large_string())


def joined(pieces: Sequence[str | pa.Array]) -> pa.Array:
    """Columns one after the other, with words between."""
    parts: list[pa.Array | pa.Scalar] = []
    said = ""
    for piece in pieces:
        if isinstance(piece, str):
            said += piece
        else:
            parts += [_text(said), piece] if said else [piece]
            said = ""
    return pc.binary_join_element_wise(*parts, _text(said), BLANK)


def plain(rows: pa.Array, texts: Sequence[pa.Array]) -> pa.Array:
    """The rows whose texts stand in JSON as they are; null for the others."""
    is_plain = pc.match_substring_regex(joined(texts), PLAIN)
    return pc.if_else(is_plain, rows, pa.scalar(None, rows.type))


def _text(words: str) -> pa.Scalar:
    return pa.scalar(words, pa.large_string())
