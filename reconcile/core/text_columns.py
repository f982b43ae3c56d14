"""Whole columns of names and companies → exactly `text.name_key` and `text.company_key`, faster.

Cells of printable ASCII are folded in columns, on Arrow strings; every other one goes to `text`,
once per distinct value. Tests compare the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.core import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_PLAIN_NAME: Final = r"^[ -%'->@-~]*$"
"""Printable ASCII without an ampersand (an HTML entity?) and a question mark (a lost letter?)."""
_PLAIN_COMPANY: Final = r"^(?:[ -%'-\-/->@-~]|& )*$"
"""Without a dot, too: it may belong to a legal form. No entity has a blank behind its ampersand."""
_SPELT_OUT: Final = r"(?i)[ ,](?:sp ?z|ges ?m)"
"""The beginning of a legal form that has no dots and may have blanks."""
_DIGITS: Final = "0123456789"
_TRANSLITERATED: Final = r"(a)[ae]+|(o)e+|(u)e+"


def name_keys(cells: pa.Array) -> pa.Array:
    """`text.name_key` of each cell."""
    return _keys(cells, lambda some: _mask(some, _PLAIN_NAME), _names, text.name_key)


def company_keys(cells: pa.Array) -> pa.Array:
    """`text.company_key` of each cell."""
    return _keys(cells, _is_plain_company, _companies, text.company_key)


def are_roles(addresses: pa.Array) -> NDArray[np.bool_]:
    """Which addresses belong to a task (info@, sales@) and so to nobody in particular."""
    local = pc.replace_substring_regex(addresses, "(?s)[@+].*", "")
    roles = pa.array(sorted(text.ROLES), pa.large_string())
    whole, bare = (
        pc.is_in(one, value_set=roles) for one in (local, pc.ascii_rtrim(local, _DIGITS))
    )
    return np.asarray(pc.or_(whole, bare).to_numpy(zero_copy_only=False), dtype="bool")


def _keys(
    cells: pa.Array,
    is_plain: Callable[[pa.Array], NDArray[np.bool_]],
    fast: Callable[[pa.Array], pa.Array],
    slow: Callable[[str], str],
) -> pa.Array:
    """Each cell's key, made once per distinct cell."""
    coded = cells.dictionary_encode()
    plain = is_plain(coded.dictionary)
    rest = coded.dictionary.filter(pa.array(~plain)).to_pylist()
    keys = pa.concat_arrays(
        [
            fast(coded.dictionary.filter(pa.array(plain))),
            pa.array(list(map(slow, rest)), pa.large_string()),
        ]
    )
    place = np.empty(len(plain), dtype="int64")  # of each distinct cell's key among those
    place[np.concatenate([np.flatnonzero(plain), np.flatnonzero(~plain)])] = np.arange(len(plain))
    return keys.take(pa.array(place[coded.indices.to_numpy()]))


def _mask(cells: pa.Array, pattern: str) -> NDArray[np.bool_]:
    found = pc.match_substring_regex(cells, pattern)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype="bool")


def _is_plain_company(cells: pa.Array) -> NDArray[np.bool_]:
    return _mask(cells, _PLAIN_COMPANY) & ~_mask(cells, _SPELT_OUT)


def _words(cells: pa.Array) -> pa.Array:
    """`text.words` of plain cells, as lists."""
    folded = pc.replace_substring_regex(pc.ascii_lower(cells), _TRANSLITERATED, r"\1\2\3")
    visible = pc.replace_substring(folded, "'", "")
    spaced = pc.ascii_trim(pc.replace_substring_regex(visible, "[^a-z0-9_]+", " "), " ")
    return pc.split_pattern(spaced, " ")


def _names(cells: pa.Array) -> pa.Array:
    words = _words(cells)
    coded = pc.list_flatten(words).dictionary_encode()
    order = pc.array_sort_indices(coded.dictionary).to_numpy().astype("int64")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    count = max(1, len(order))
    pairs = pc.list_parent_indices(words).to_numpy() * count + rank[coded.indices.to_numpy()]
    pairs.sort()  # the words of each cell in order; an equal neighbour is its second
    at, nth = np.divmod(pairs[np.diff(pairs, prepend=-1) != 0], count)
    return _joined(len(cells), at, coded.dictionary.take(pa.array(order[nth])), text.TITLES)


def _companies(cells: pa.Array) -> pa.Array:
    cut = pc.utf8_slice_codeunits(pc.ascii_trim(cells, " "), 0, text.COMPANY_LENGTH)
    words = _words(cut)
    at = pc.list_parent_indices(words).to_numpy()
    return _joined(len(cells), at, pc.list_flatten(words), text.LEGAL_FORMS)


def _joined(count: int, at: NDArray[np.int64], word: pa.Array, idle: frozenset[str]) -> pa.Array:
    """The words of each cell, without the idle ones unless there are no others."""
    value_set = pa.array(sorted(idle), pa.large_string())
    telling = ~pc.is_in(word, value_set=value_set).to_numpy(zero_copy_only=False).astype("bool")
    has_telling = np.zeros(count, dtype="bool")
    has_telling[at[telling]] = True
    kept = telling | ~has_telling[at]
    ends = np.concatenate([[0], np.cumsum(np.bincount(at[kept], minlength=count))])
    lists = pa.LargeListArray.from_arrays(pa.array(ends), word.filter(pa.array(kept)))
    return pc.binary_join(lists, pa.scalar(" ", pa.large_string()))
