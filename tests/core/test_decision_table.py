"""The decision table as a whole: every combination of what it looks at has its verdict here.

`ROWS` and `OWNED` are the tables of the manual, written down once more and not derived from the
program. What the program says of each cell is compared with them, and so is what it remembers for
the next night: a grace that went on counting through a doubt would be a wrong delete later.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import builders as b
import pytest
from amounts import PROVE, note

from reconcile.core import plan
from reconcile.model import (
    Claim,
    ClaimOrigin,
    Decision,
    Evidence,
    Matching,
    PbxSnapshot,
    Proof,
    Strength,
)

if TYPE_CHECKING:
    from datetime import datetime

TAG = "from-crm"
KNOWN, UNKNOWN = "+49301234567", "+49307654321"
"""A number that the export's text still holds somewhere, and one that it doesn't."""
TEXT = "Record ID,Notes\n1,used to be 030 123 45 67\n"
HOURS = {
    "below": timedelta(hours=20, seconds=-1),
    "at": timedelta(hours=20),
    "above": timedelta(hours=20, seconds=1),
}
TYPES = ("3CX", "M365", "") if PROVE else ("3CX", "M365")
GRACES = (0, 1, 2, 3) if PROVE else (1, 2)
ANY = None


class Row(NamedTuple):
    """What a cell must be for this row; ANY is whatever it is."""

    verdict: str
    managed: bool | None = ANY
    evidence: str | None = ANY
    has_key: bool | None = ANY
    protected: bool | None = ANY
    owned: bool | None = ANY
    edited: bool | None = ANY
    vetoed: bool | None = ANY
    long_enough: bool | None = ANY


ROWS = (
    Row("out_of_scope", managed=False),
    Row("matched", evidence="strong"),
    Row("review", evidence="weak"),
    Row("review", has_key=False),
    Row("protected", protected=True),
    Row("unmanaged", owned=False),
    Row("review", edited=True),
    Row("review", vetoed=True),
    Row("waiting", long_enough=False),
    Row("delete"),
)
"""The first row that fits wins."""

OWNED = {
    # the claim, the Id is still the same person's, it carries the tag that is configured
    ("none", True, False): False,
    ("none", True, True): True,
    ("match", True, False): True,
    ("match", True, True): True,
    ("match", False, False): False,
    ("match", False, True): True,
    ("adopt", True, False): True,
    ("adopt", True, True): True,
    ("adopt", False, False): False,
    ("adopt", False, True): True,
    ("tag", True, False): False,
    ("tag", True, True): True,
    ("tag", False, False): False,
    ("tag", False, True): True,
}

PROOFS = {
    "none": (),
    "weak": (
        Proof(
            kind="number",
            strength=Strength.WEAK,
            key=UNKNOWN,
            crm_id="1",
            crm_row=2,
            crm_name="Ann Lee",
            why="but the names differ",
        ),
    ),
    "strong": (
        Proof(
            kind="number",
            strength=Strength.STRONG,
            key=UNKNOWN,
            crm_id="1",
            crm_row=2,
            crm_name="Jo Doe",
            why="and the names agree",
            owns=True,
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for all contacts of a night."""

    grace: int
    is_tag_configured: bool
    immediate: bool
    export: str
    """`new`, `repeated`, or `history`: an older one fed by hand."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One contact, as the table sees it."""

    type: str
    evidence: str
    has_key: bool
    protected: bool
    claim: str
    same_person: bool
    edited: bool
    carries_tag: bool
    vetoed: bool
    before: int
    """In so many exports it was absent until now."""
    hours: str
    """Since its first absence, against the hours of grace."""


KNOWN_STATES = ((True, False), (True, True), (False, True))
"""The same person, edited: somebody else's content always differs, so the fourth can't be."""


def cells(grace: int) -> list[Cell]:
    """Every combination; what only a claim can tell is left out of those without one."""
    strengths = ("strong", "weak", "none")
    common = product(TYPES, strengths, (True, False), (True, False))
    claimed = [
        (claim, *state, tag, vetoed, before, hours)
        for claim, state, tag, vetoed, before, hours in product(
            ("match", "adopt", "tag"),
            KNOWN_STATES,
            (True, False),
            (True, False),
            range(grace + 2),
            HOURS,
        )
    ]
    unclaimed = [
        ("none", True, False, tag, vetoed, 0, "below")
        for tag, vetoed in product((True, False), (True, False))
    ]
    return [Cell(*first, *rest) for first, rest in product(common, [*claimed, *unclaimed])]


def settings(grace: int) -> list[Setting]:
    exports_ = ("new", "repeated", "history")
    return [Setting(grace, *each) for each in product((True, False), (True, False), exports_)]


# ---------------------------------------------------------------------------- what must come out


def expected(cell: Cell, setting: Setting) -> str:
    """The verdict of the first row that fits."""
    facts = {
        "managed": cell.type == "3CX",
        "evidence": cell.evidence,
        "has_key": cell.has_key,
        "protected": cell.protected,
        "owned": is_owned(cell, setting),
        "edited": cell.edited,
        "vetoed": cell.vetoed,
        "long_enough": is_long_enough(cell, setting),
    }
    return next(
        row.verdict
        for row in ROWS
        if all(
            wanted in {ANY, facts[name]} for name, wanted in row._asdict().items() if name in facts
        )
    )


def is_owned(cell: Cell, setting: Setting) -> bool:
    has_tag = setting.is_tag_configured and cell.carries_tag
    return OWNED[cell.claim, cell.same_person, has_tag]


def exports(cell: Cell, setting: Setting) -> int:
    """In so many exports it is absent, tonight's with them; only a new one counts."""
    return cell.before + (setting.export == "new")


def is_long_enough(cell: Cell, setting: Setting) -> bool:
    """An older export proves no absence; an absence that begins tonight is no hour old."""
    if setting.export == "history":
        return False
    if setting.immediate:
        return True
    is_late = cell.before > 0 and cell.hours in {"at", "above"}
    return exports(cell, setting) >= setting.grace and is_late


def remembered(cell: Cell, setting: Setting, verdict: str) -> int | None:
    """The absences that the ledger holds afterwards; None: there is no claim any more."""
    if setting.export == "history" and cell.claim != "none":
        return cell.before
    if verdict == "matched":
        return 0
    if setting.export == "history":
        return None
    if not is_owned(cell, setting) or (cell.claim == "none" and verdict == "out_of_scope"):
        return None
    return exports(cell, setting) if verdict in {"waiting", "delete"} else 0


# ---------------------------------------------------------------------------- what the program says


def snapshot(every: list[Cell]) -> PbxSnapshot:
    rows = len(every)
    return PbxSnapshot(
        url="https://pbx.example.com",
        version="20.0.9.995",
        read_at=b.NOW,
        ids=range(1, rows + 1),
        etags=("",) * rows,
        columns={
            "FirstName": ("Jo",) * rows,
            "LastName": ("Doe",) * rows,
            "ContactType": tuple(c.type for c in every),
            "Tag": tuple(TAG if c.carries_tag else "" for c in every),
        },
    )


def evidence(contact_id: int, cell: Cell) -> Evidence:
    return Evidence(
        contact_id=contact_id,
        proofs=PROOFS[cell.evidence],
        has_key=cell.has_key,
        unseen=(KNOWN if cell.vetoed else UNKNOWN,),
        same_person=cell.same_person,
    )


def claim(pbx: PbxSnapshot, contact_id: int, cell: Cell) -> Claim:
    contact = pbx.contact(contact_id - 1)
    return Claim(
        contact_id=contact_id,
        crm_id="4711",
        name=contact.name if cell.same_person else "Ann Lee",
        fingerprint="as it was" if cell.edited else contact.fingerprint,
        origin=ClaimOrigin(cell.claim),
        first_absent=b.NOW - HOURS[cell.hours],
        absent_exports=cell.before,
    )


def rules(every: list[Cell], setting: Setting) -> plan.Rules:
    protected = [at for at, cell in enumerate(every, 1) if cell.protected]
    return plan.Rules(
        contact_types=frozenset({"3CX"}),
        protection=plan.Protection.of(ids=protected),
        owner_tag=TAG if setting.is_tag_configured else "",
        grace_exports=setting.grace,
        grace_hours=20,
        region="DE",
        immediate=setting.immediate,
    )


def said(every: list[Cell], setting: Setting) -> tuple[dict[int, Decision], dict[int, Claim]]:
    """What the program decides of each contact, and the claims that it keeps."""
    pbx, by_table = snapshot(every), rules(every, setting)
    matching = Matching(
        evidence=tuple(evidence(at, cell) for at, cell in enumerate(every, 1)), counts_crm={}
    )
    claims = {at: claim(pbx, at, cell) for at, cell in enumerate(every, 1) if cell.claim != "none"}
    decisions = plan.build(
        pbx,
        matching,
        claims=claims,
        rules=by_table,
        text=TEXT,
        counts=setting.export == "new",
        now=b.NOW,
    )
    is_history = setting.export == "history"
    if is_history:
        decisions = plan.without_deletes(decisions)
    changes = plan.claim_changes(
        pbx, matching, decisions, claims=claims, rules=by_table, now=b.NOW, history=is_history
    )
    kept = {i: c for i, c in claims.items() if i not in changes.released}
    kept |= {c.contact_id: c for c in changes.renewed}
    return {d.contact.id: d for d in decisions}, kept


def first_absence(cell: Cell) -> datetime:
    return b.NOW - HOURS[cell.hours] if cell.before else b.NOW


@pytest.mark.parametrize("grace", GRACES)
def test_every_combination_has_its_verdict(grace):
    tried: Counter[str] = Counter()
    every = cells(grace)
    for setting in settings(grace):
        decisions, kept = said(every, setting)
        for at, cell in enumerate(every, 1):
            check(cell, setting, decisions.get(at), kept.get(at))
            tried[expected(cell, setting)] += 1
    verdicts = ", ".join(f"{n:,} {verdict}" for verdict, n in sorted(tried.items()))
    note(f"decision table, grace of {grace}", f"{tried.total():,} cells ({verdicts})")
    assert set(tried) == {row.verdict for row in ROWS}


def check(cell: Cell, setting: Setting, found: Decision | None, after: Claim | None) -> None:
    """One cell: its verdict, what it counts, and what is remembered of it."""
    wanted = expected(cell, setting)
    assert (found.verdict.value if found else "matched") == wanted, (cell, setting)
    if found and wanted in {"waiting", "delete"}:
        assert found.absent_exports == exports(cell, setting), (cell, setting)
        assert found.first_absent == first_absence(cell), (cell, setting)
    absences = after.absent_exports if after else None
    assert absences == remembered(cell, setting, wanted), (cell, setting)
