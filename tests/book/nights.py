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


def rules_of(
    prefix: str, *, immediate: bool = True, grace: tuple[int, float] = (1, 0)
) -> plan.Rules:
    """Without grace, so that whatever would ever be deleted shows at once; or with it."""
    return plan.Rules(
        contact_types=frozenset({"3CX"}),
        protection=plan.Protection(),
        owner_tag="",
        grace_exports=grace[0],
        grace_hours=grace[1],
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

    While everybody is there, all formats with ids make the same claims, and so do all without; what
    matters besides is whether the names survive the encoding. So the first night is only gone
    through with one of each kind, and what was claimed holds on the second night in every format.
    """

    def __init__(self, seed: int) -> None:
        self.book = sides.book(seed)
        self.inactive: crm.Inactive = "gone" if seed % 2 else "keep"
        self._claims: dict[tuple[bool, bool], dict[int, Claim]] = {}
        self._known: dict[str, Matching] = {}

    def records(self, evening: Evening, layout: Layout) -> list[sides.Row]:
        """What the export of an evening holds; no CRM keeps an order."""
        records = list(sides.rows(evening, layout.form, self.book.seed))
        random.Random(f"{self.book.seed} order").shuffle(records)  # noqa: S311
        return records

    def first(self, layout: Layout) -> Night:
        """The evening on which everybody is there."""
        return self._night(self.book.first, layout, {}, at=0)

    def second(self, layout: Layout, *, own: bool = False) -> Night:
        """The evening after some have left; `own`: the first one was in this format, too."""
        claims = self.first(layout).after if own else self.claims(layout)
        return self._night(self.book.second, layout, claims, at=1)

    def claims(self, layout: Layout) -> dict[int, Claim]:
        """What the first night claimed, with the ids of this format."""
        kind = layout.form.ids, layout.form.wide
        if kind not in self._claims:
            records = self.records(self.book.first, layout)
            numbers = {layout.id(row.record): str(row.record) for row in records}
            self._claims[kind] = {
                i: replace(claim, crm_id=numbers[claim.crm_id] if claim.crm_id else "")
                for i, claim in self.first(layout).after.items()
            }
        return {
            i: replace(claim, crm_id=layout.id(int(claim.crm_id)) if claim.crm_id else "")
            for i, claim in self._claims[kind].items()
        }

    def _night(
        self, evening: Evening, layout: Layout, claims: dict[int, Claim], *, at: int
    ) -> Night:
        rules = rules_of(self.book.prefix)
        return self.night(evening, layout, claims, rules=rules, now=NIGHT + timedelta(days=at))

    def night(
        self,
        evening: Evening,
        layout: Layout,
        claims: dict[int, Claim],
        *,
        rules: plan.Rules,
        now: datetime,
    ) -> Night:
        """Any evening, under any rules."""
        files = layout.write(self.records(evening, layout))
        export = read(files, layout.source, now=now, inactive=self.inactive)
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
