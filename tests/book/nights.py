"""The program's own way from two sides to a plan, over the evenings of a book."""

from __future__ import annotations

import hashlib
import os
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from book import sides

from reconcile import crm
from reconcile.core import plan
from reconcile.core.match import match
from reconcile.model import PbxSnapshot, Verdict

if TYPE_CHECKING:
    from book.layouts import Layout
    from book.sides import Entry, Evening

    from reconcile.model import Claim, CrmSnapshot, Decision, Matching

NIGHT = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What one night saw and decided."""

    crm: CrmSnapshot
    pbx: PbxSnapshot
    matching: Matching
    decisions: tuple[Decision, ...]
    before: dict[int, Claim]
    after: dict[int, Claim]
    rules: plan.Rules
    now: datetime

    @property
    def verdicts(self) -> dict[int, Verdict]:
        """Id → verdict, of all contacts."""
        decided = {d.contact.id: d.verdict for d in self.decisions}
        return {i: decided.get(i, Verdict.MATCHED) for i in self.pbx.ids}


def rules_of(prefix: str, *, immediate: bool = True) -> plan.Rules:
    """Without grace, so that whatever would ever be deleted shows at once."""
    return plan.Rules(
        contact_types=frozenset({"3CX"}),
        protection=plan.Protection(),
        owner_tag="",
        grace_exports=1,
        grace_hours=0,
        region="DE",
        outside_prefix=prefix,
        immediate=immediate,
    )


def listing(entries: tuple[Entry, ...], now: datetime) -> PbxSnapshot:
    """What 3CX would list."""
    contacts = [{"ContactType": "3CX", **entry.fields} for entry in entries]
    names = sorted({name for contact in contacts for name in contact})
    return PbxSnapshot(
        url="https://pbx.example.com",
        version="20.0.9.995",
        read_at=now,
        ids=tuple(entry.id for entry in entries),
        etags=('W/"1"',) * len(entries),
        columns={name: tuple(c.get(name, "") for c in contacts) for name in names},
    )


class Series:
    """The nights of one book, format by format.

    Formats that can say the same make the same claims, but for the ids, so the first night is only
    gone through with one of them. What is claimed then holds on the second night in each of them.
    """

    def __init__(self, seed: int) -> None:
        self.book = sides.book(seed)
        self.inactive: crm.Inactive = "gone" if seed % 2 else "keep"
        self._claims: dict[sides.Form, dict[int, Claim]] = {}
        self._known: dict[str, Matching] = {}

    def records(self, evening: Evening, layout: Layout) -> list[sides.Row]:
        """What the export of an evening holds; no CRM keeps an order."""
        records = list(sides.rows(evening, layout.form, self.book.seed))
        random.Random(f"{self.book.seed} order").shuffle(records)  # noqa: S311
        return records

    def first(self, layout: Layout) -> Night:
        """The evening on which everybody is there."""
        return self._night(self.book.first, layout, {}, at=0)

    def second(self, layout: Layout) -> Night:
        """The evening after some have left."""
        return self._night(self.book.second, layout, self.claims(layout), at=1)

    def claims(self, layout: Layout) -> dict[int, Claim]:
        """What the first night claimed, with the ids of this format."""
        if layout.form not in self._claims:
            numbers = {
                layout.id(row.record): str(row.record)
                for row in self.records(self.book.first, layout)
            }
            self._claims[layout.form] = {
                i: replace(claim, crm_id=numbers.get(claim.crm_id, ""))
                for i, claim in self.first(layout).after.items()
            }
        return {
            i: replace(claim, crm_id=layout.id(int(claim.crm_id)) if claim.crm_id else "")
            for i, claim in self._claims[layout.form].items()
        }

    def _night(
        self, evening: Evening, layout: Layout, claims: dict[int, Claim], *, at: int
    ) -> Night:
        now = NIGHT + timedelta(days=at)
        export = read(
            layout.write(self.records(evening, layout)),
            layout.source,
            now=now,
            inactive=self.inactive,
        )
        rules = rules_of(self.book.prefix)
        pbx = listing(evening.entries, now)
        return decide(export, pbx, claims=claims, rules=rules, now=now, known=self._known)


def read(
    files: dict[str, bytes], source: str, *, now: datetime, inactive: crm.Inactive
) -> CrmSnapshot:
    """What the program reads of files that are an hour old."""
    with TemporaryDirectory() as folder:
        written = (now - timedelta(hours=1)).timestamp()
        for name, content in files.items():
            path = Path(folder) / name
            path.write_bytes(content)
            os.utime(path, (written, written))
        return crm.read(
            source, base=Path(folder), mapping={}, now=now, max_age_hours=26, inactive=inactive
        )


def decide(
    export: CrmSnapshot,
    pbx: PbxSnapshot,
    *,
    claims: dict[int, Claim],
    rules: plan.Rules,
    now: datetime,
    known: dict[str, Matching],
) -> Night:
    """Match, plan, and what the ledger would hold afterwards.

    Formats that hold the same are matched once: `known` is what was matched before.
    """
    same = _digest(export, pbx, claims)
    if same not in known:
        known[same] = match(
            export, pbx, claims, region=rules.region, outside_prefix=rules.outside_prefix
        )
    matching = known[same]
    decisions = plan.build(
        pbx, matching, claims=claims, rules=rules, text=export.text, counts=True, now=now
    )
    changes = plan.claim_changes(pbx, matching, decisions, claims=claims, rules=rules, now=now)
    after = {**claims, **{c.contact_id: c for c in changes.renewed}}
    for contact_id in changes.released:
        del after[contact_id]
    return Night(
        crm=export,
        pbx=pbx,
        matching=matching,
        decisions=decisions,
        before=claims,
        after=after,
        rules=rules,
        now=now,
    )


def _digest(export: CrmSnapshot, pbx: PbxSnapshot, claims: dict[int, Claim]) -> str:
    """Of all that a match looks at; lines, headers and the order of columns are no part of it."""
    records = export.records
    spelled = records["first_name"].str.cat(records["last_name"], sep=" ").str.strip()
    full = records["full_name"].where(records["full_name"] != spelled, "")
    columns = {
        str(name): cells
        for name, cells in records.assign(full_name=full).items()
        if name not in {"row", "part"}
    }
    content = {name: list(cells) for name, cells in columns.items() if ":" not in name}
    for kind in ("phone", "shared_phone", "email"):
        several = [cells for name, cells in columns.items() if name.startswith(f"{kind}:")]
        content[kind] = [sorted(filter(None, row)) for row in zip(*several, strict=True)]
    whole = (sorted(content.items()), pbx.columns, sorted(claims.items()))
    return hashlib.sha256(repr(whole).encode("utf-8", "surrogatepass")).hexdigest()
