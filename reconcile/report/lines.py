"""The contacts of a run as lines of JSON; those that are simply matched are made as columns.

Of a large phonebook nearly everybody is, and an object for each would take longer than the match.
So only who has a text that JSON or `report.inert` writes differently goes through an object. Tests
compare the two.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.core import sides, word_columns
from reconcile.model import NUMBER_FIELDS, Verdict
from reconcile.report import json_columns
from reconcile.report.inert import json_text
from reconcile.report.json_columns import BLANK
from reconcile.report.model import ContactPart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconcile.core.evidence import Columns
    from reconcile.core.sides import Mask
    from reconcile.model import PbxSnapshot

_SHOWN: Final = ("FirstName", "LastName", "CompanyName", "Email")
"""Properties of a contact that a report tells besides its numbers."""


def line(part: ContactPart) -> bytes:
    """A contact as its line."""
    return f"{json_text(part.model_dump_json())}\n".encode()


_BLANK: Final = json.loads(line(ContactPart(id=0, verdict=Verdict.MATCHED, reason="")))
"""The fields in their order, with what stands in those that a matched contact does not fill."""


def matched(pbx: PbxSnapshot, found: Columns, block: range, some: Mask) -> list[bytes | None]:
    """The lines of some contacts of a block, which one strong proof keeps; None for the others.

    None, too, for those whose line takes an object.
    """
    chosen = pa.array(some)
    texts = {name: pbx.texts[name][block.start : block.stop].filter(chosen) for name in pbx.texts}
    blank = pa.array([""] * int(some.sum()), pa.large_string())
    first, last, company, email = (texts.get(name, blank) for name in _SHOWN)
    between = pc.if_else(pc.and_(pc.not_equal(first, ""), pc.not_equal(last, "")), " ", "")
    at = block.start + np.flatnonzero(some)
    name, best = json_columns.joined([first, between.cast(first.type), last]), found.best(at)
    told = {
        "reason": word_columns.sentences(best, name),
        "name": name,
        "company": company,
        "email": email,
        "crm_id": sides.arrow(best["crm_id"]),
    }
    numbers = [texts[name] for name in NUMBER_FIELDS if name in texts]
    made = _lines(told, pa.array(found.contact_ids[at]), numbers).cast(pa.large_binary())
    every = pc.replace_with_mask(pa.nulls(len(block), made.type), chosen, made)
    return list(every.to_pylist())


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
    return json_columns.plain(
        json_columns.joined(["{", *pieces[1:], "}\n"]), [*texts.values(), *numbers]
    )


def _listed(numbers: Sequence[pa.Array]) -> pa.Array | str:
    """The texts of each contact that are not blank, quoted, with commas between."""
    quoted = [
        pc.if_else(pc.equal(text, ""), BLANK, json_columns.joined(['"', text, '",']))
        for text in numbers
    ]
    return pc.ascii_rtrim(json_columns.joined(quoted), ",") if quoted else ""
