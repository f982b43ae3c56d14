"""The contacts of a run as lines of JSON; those that are simply matched are made as columns.

Of a large phonebook nearly everybody is, and an object for each would take longer than the match.
So only who has a text that JSON or `report.inert` writes differently goes through an object. Tests
compare the two.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.core import sides, word_columns
from reconcile.model import NUMBER_FIELDS, Verdict
from reconcile.report.inert import json_text
from reconcile.report.model import ContactPart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconcile.core.evidence import Columns
    from reconcile.model import PbxSnapshot

PLAIN: Final = r"^[ !#-\[\]-~\x{a0}-\x{ac}\x{ae}-\x{5ff}]*$"
"""Texts that stand in JSON as they are and that nothing in them acts: ASCII without control
characters, quote and backslash, and what else is below U+0600 without controls and U+00AD."""


_SHOWN: Final = ("FirstName", "LastName", "CompanyName", "Email")
"""Properties of a contact that a report tells besides its numbers."""


def line(part: ContactPart) -> bytes:
    """A contact as its line."""
    return f"{json_text(part.model_dump_json())}\n".encode()


_BLANK: Final = json.loads(line(ContactPart(id=0, verdict=Verdict.MATCHED, reason="")))
"""The fields in their order, with what stands in those that a matched contact does not fill."""


def matched(pbx: PbxSnapshot, found: Columns, at: Sequence[int]) -> list[bytes | None]:
    """The lines of contacts that one strong proof keeps; None where it takes an object."""
    first, last, company, email = (_texts(pbx.column(name), at) for name in _SHOWN)
    numbers = [_texts(pbx.columns[name], at) for name in NUMBER_FIELDS if name in pbx.columns]
    between = pc.if_else(pc.and_(pc.not_equal(first, ""), pc.not_equal(last, "")), " ", "")
    name, best = _joined([first, between.cast(first.type), last]), found.best(at)
    texts = {
        "reason": word_columns.sentences(best, name),
        "name": name,
        "company": company,
        "email": email,
        "crm_id": sides.arrow(best["crm_id"]),
    }
    ids = pa.array([pbx.ids[position] for position in at], pa.int64())
    made = _lines(texts, ids, numbers).cast(pa.large_binary()).to_pylist()
    return list(made)


def _texts(column: Sequence[str], at: Sequence[int]) -> pa.Array:
    """What stands at positions that are near each other, in ascending order."""
    start, end = (at[0], at[-1] + 1) if at else (0, 0)
    return sides.arrow(column[start:end]).take(pa.array([i - start for i in at], pa.int64()))


def _lines(texts: Mapping[str, pa.Array], ids: pa.Array, numbers: Sequence[pa.Array]) -> pa.Array:
    """`texts` are fields of `ContactPart`; the reason is the only evidence. Blank numbers are none.

    Null where a text is not plain.
    """
    values = {name: ['"', text, '"'] for name, text in texts.items()}
    values["evidence"] = ['["', texts["reason"], '"]']
    values["numbers"] = ["[", _listed(numbers), "]"]
    values["id"] = [ids.cast(pa.large_string())]
    pieces: list[str | pa.Array] = []
    for name, blank in _BLANK.items():
        pieces += [",", f'"{name}":', *values.get(name, [json.dumps(blank)])]
    plain = pc.match_substring_regex(_joined([*texts.values(), *numbers]), PLAIN)
    whole = _joined(["{", *pieces[1:], "}\n"])
    return pc.if_else(plain, whole, pa.scalar(None, whole.type))


def _listed(numbers: Sequence[pa.Array]) -> pa.Array | str:
    """The texts of each contact that are not blank, quoted, with commas between."""
    quoted = [
        pc.if_else(pc.equal(text, ""), _text(""), _joined(['"', text, '",'])) for text in numbers
    ]
    return pc.ascii_rtrim(_joined(quoted), ",") if quoted else ""


def _joined(pieces: Sequence[str | pa.Array]) -> pa.Array:
    """Columns one after the other, with words between."""
    parts: list[pa.Array | pa.Scalar] = []
    said = ""
    for piece in pieces:
        if isinstance(piece, str):
            said += piece
        else:
            parts += [_text(said), piece] if said else [piece]
            said = ""
    return pc.binary_join_element_wise(*parts, _text(said), _text(""))


def _text(words: str) -> pa.Scalar:
    return pa.scalar(words, pa.large_string())
