"""The program's own way from two sides to a plan, over the evenings of a book."""

from __future__ import annotations

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


def rules_of(prefix: str) -> plan.Rules:
    """Without grace, so that whatever would ever be deleted shows at once."""
    return plan.Rules(
        contact_types=frozenset({"3CX"}),
        protection=plan.Protection(),
        owner_tag="",
        grace_exports=1,
        grace_hours=0,
        region="DE",
        outside_prefix=prefix,
        immediate=True,
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
        return night(
            layout.write(self.records(evening, layout)),
            layout.file,
            evening.entries,
            claims=claims,
            prefix=self.book.prefix,
            inactive=self.inactive,
            at=at,
        )


def night(
    content: bytes,
    file: str,
    entries: tuple[Entry, ...],
    *,
    claims: dict[int, Claim],
    prefix: str,
    inactive: crm.Inactive,
    at: int,
) -> Night:
    """Read, match, decide, and remember."""
    now = NIGHT + timedelta(days=at)
    with TemporaryDirectory() as folder:
        path = Path(folder) / file
        path.write_bytes(content)
        written = (now - timedelta(hours=1)).timestamp()
        os.utime(path, (written, written))
        export = crm.read(
            file, base=path.parent, mapping={}, now=now, max_age_hours=26, inactive=inactive
        )
    pbx, rules = listing(entries, now), rules_of(prefix)
    matching = match(export, pbx, claims, region="DE", outside_prefix=prefix)
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
