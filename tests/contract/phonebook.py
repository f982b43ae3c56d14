"""One evening with one simulated PBX, and what is true of it by the PBX's own book and log."""

from __future__ import annotations

import signal
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from company import SECRET

from reconcile import apply
from reconcile.errors import PbxError
from reconcile.model import (
    ContactOutcome,
    Decision,
    DeleteGuard,
    EtagKind,
    Evidence,
    IfMatch,
    Outcome,
    Probe,
    Verdict,
    fingerprint,
)
from reconcile.pbx.client import Connection, PbxReader, PbxWriter
from reconcile.sandbox import Book
from reconcile.sandbox.server import CLIENT_ID
from reconcile.sandbox.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconcile.model import PbxSnapshot
    from reconcile.sandbox import SandboxServer
    from reconcile.sandbox.requestlog import LoggedRequest
    from reconcile.store.ledger import Ledger

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
PATIENCE = 20
"""Seconds after which a case has waited without an end."""
MAX_WAITED = 600.0
"""Seconds that one evening may ask to wait, all requests together."""
MAX_DELETES = 6
"""Times that one contact's DELETE is sent at most: each after a new look."""
GONE = frozenset({Outcome.DELETED, Outcome.ALREADY_GONE})

FIRST, EDITED_BEFORE, EDITED_BETWEEN, REMOVED_BEFORE, REMOVED_BETWEEN, LAST = 2, 3, 4, 5, 6, 8
PLANNED = (FIRST, EDITED_BEFORE, EDITED_BETWEEN, REMOVED_BEFORE, REMOVED_BETWEEN, LAST)
EDIT = {"LastName": "Edited by a colleague"}


class Endless(BaseException):
    """The case did not come to an end; no `except Exception` may swallow that."""


@contextmanager
def ends() -> Iterator[None]:
    """The block must end within `PATIENCE` seconds."""

    def fail(_signal: int, _frame: object) -> None:
        raise Endless(f"no end after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


FEW = 9
MANY = 230
"""Contacts; some fit on a page, and some take three of the largest."""


def small_book(contacts: int = FEW) -> Book:
    """People of the company, and one contact that belongs to a department."""
    book = Book.seeded(contacts, seed=3)
    book.add({"FirstName": "Dora", "PhoneNumber": "+49305550"}, scope="department")
    return book


def content(fields: dict[str, Any]) -> str:
    """What a contact says, without what is empty; the Id is no part of it."""
    return fingerprint((n, str(v)) for n, v in fields.items() if n != "Id" and v)


def path(contact_id: int) -> str:
    return f"/xapi/v1/Contacts({contact_id})"


@dataclass
class Pbx:
    """A PBX with its client, and everything that the client asked to wait."""

    server: SandboxServer
    timeout: float = 5.0
    secret: str = SECRET
    lanes: int = 4
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reader = PbxReader(self.connection(), sleep=self.waits.append)

    def connection(self) -> Connection:
        return Connection(
            url=self.server.url,
            client_id=CLIENT_ID,
            client_secret=self.secret,
            timeout=self.timeout,
            concurrency=self.lanes,
            ca_file=str(getattr(self.server, "ca_file", None) or ""),
        )

    @property
    def book(self) -> Book:
        return self.server.book

    def sent(self, method: str, prefix: str = "") -> list[LoggedRequest]:
        """What arrived, as the server logged it."""
        return [r for r in self.server.requests if r.method == method and r.path.startswith(prefix)]

    def listed(self) -> dict[int, str]:
        """What a complete listing holds: Id → content, by the book."""
        with_all = self.server.switches.list_scope == "all"
        return {
            row.id: content(dict(row.fields))
            for row in self.book.rows()
            if with_all or row.scope == "company"
        }

    def tag(self, version: str) -> str | None:
        """The ETag that this PBX issues for a version of a contact; None if it issues none."""
        prefix = {"weak": "W/", "strong": "", "none": None}[self.server.switches.etags]
        return None if prefix is None else f'{prefix}"{version}"'

    def snapshot(self) -> PbxSnapshot | PbxError:
        """The listing, or why there is none; whatever comes, it has been checked."""
        try:
            found = self.reader.snapshot(now=NOW)
        except PbxError as refusal:
            check_clear(refusal)
            return refusal
        contacts = [found.contact(at) for at in range(len(found))]
        assert {c.id: c.fingerprint for c in contacts} == self.listed()
        assert [c.id for c in contacts] == sorted(self.listed())
        tags = {self.tag(row.version) for row in self.book.rows()}
        assert {c.etag or None for c in contacts} <= {None, *tags}
        return found

    def heal(self) -> None:
        """The PBX is mended: it starts anew, with nothing wrong with it."""
        self.server.stop()
        self.server.clear_script()
        self.server.switches = Switches(tls=self.server.switches.tls)
        self.server.start()

    def check_waits(self) -> None:
        assert sum(self.waits) <= MAX_WAITED, self.waits


def check_clear(refusal: PbxError) -> None:
    """A refusal says what happened and what to do."""
    assert refusal.message.strip()
    assert refusal.hint.strip()
    assert SECRET not in f"{refusal.message} {refusal.hint}"


@dataclass
class Evening:
    """A plan, carried out while colleagues edit and remove; then checked against the book."""

    pbx: Pbx
    ledger: Ledger
    guard: DeleteGuard = DeleteGuard.COMPARE
    planned: tuple[int, ...] = PLANNED
    applied: apply.Applied | None = None
    lanes: int = 1
    removed: set[int] = field(default_factory=set)
    """By colleagues."""
    edited: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        book = self.pbx.book
        self.before = {row.id: row for row in book.rows()}
        self.decisions = tuple(self._decision(i) for i in self.planned)
        self.run_id = self.ledger.begin_run(command="apply", mode="review", now=NOW)
        colleagues = (
            (EDITED_BEFORE, "GET", self._edit),
            (EDITED_BETWEEN, "DELETE", self._edit),
            (REMOVED_BEFORE, "GET", self._remove),
            (REMOVED_BETWEEN, "DELETE", self._remove),
        )
        for contact_id, method, act in colleagues:
            if contact_id in self.planned:
                place = path(contact_id)
                self.pbx.server.hook(partial(act, contact_id), method=method, path_prefix=place)

    def _decision(self, contact_id: int) -> Decision:
        return Decision(
            contact=PbxReader.as_contact(self.before[contact_id].fields),
            verdict=Verdict.DELETE,
            reason="absent in 2 of 2 exports",
            evidence=Evidence(contact_id=contact_id),
            crm_id=f"C{contact_id}",
        )

    def _edit(self, contact_id: int) -> None:
        self.pbx.book.edit(contact_id, EDIT)
        self.edited.add(contact_id)

    def _remove(self, contact_id: int) -> None:
        self.pbx.book.remove(contact_id)
        self.removed.add(contact_id)

    def apply(self, *, lanes: int = 1) -> dict[int, Outcome]:
        """Carry the plan out, within bounds, and check everything that must hold in any case.

        With one lane, so that what is expected of each contact doesn't hang on who was faster.
        """
        self.lanes = lanes
        started = time.monotonic()
        probe = Probe(
            pbx_url=self.pbx.server.url,
            pbx_version="",
            probed_at=NOW,
            etags=EtagKind.WEAK,
            if_match=IfMatch.ENFORCED,
        )
        plan = apply.ApprovedPlan(
            digest="d",
            approved_by="tester",
            guard=self.guard,
            probe=probe,
            deletes=self.decisions,
        )
        tools = apply.Tools(
            reader=self.pbx.reader,
            writer=PbxWriter(self.pbx.reader),
            journal=self.ledger,
            clock=lambda: NOW,
            sleep=self.pbx.waits.append,
            held=lambda: None,
            lanes=lambda: lanes,
        )
        with ends():
            self.applied = apply.execute(plan, tools, run_id=self.run_id)
        assert time.monotonic() - started < PATIENCE
        self.check()
        return {o.contact_id: o.outcome for o in self.applied.outcomes}

    # ------------------------------------------------------------------ what must always hold

    @property
    def deletes(self) -> list[LoggedRequest]:
        return self.pbx.sent("DELETE")

    def check(self) -> None:
        """Everything that holds whatever the PBX does."""
        self.check_nobody_else_was_hurt()
        self.check_requests()
        self.check_outcomes(self.applied.outcomes)
        self.check_journal()
        self.pbx.check_waits()

    def check_nobody_else_was_hurt(self) -> None:
        now = {row.id: row.version for row in self.pbx.book.rows()}
        strangers = {i: r.version for i, r in self.before.items() if i not in self.planned}
        assert {i: now.get(i) for i in strangers} == strangers
        if EDITED_BEFORE in self.edited:
            assert EDITED_BEFORE in now
            assert not [r for r in self.deletes if r.path == path(EDITED_BEFORE)]
        if EDITED_BETWEEN in self.edited and self._is_guarded():
            assert EDITED_BETWEEN in now

    def _is_guarded(self) -> bool:
        """Whether this PBX refuses a DELETE for a content that is no longer there."""
        switches = self.pbx.server.switches
        if switches.etags == "none":
            return switches.if_match == "required"
        return switches.if_match != "ignored"

    def check_requests(self) -> None:
        """Only what was planned, each by itself, under the tag of the planned content."""
        posts = {r.path for r in self.pbx.sent("POST")}
        assert posts <= {"/connect/token"}
        assert {r.method for r in self.pbx.server.requests} <= {"GET", "POST", "DELETE"}
        tags = {path(i): self.pbx.tag(self.before[i].version) for i in self.planned}
        assert [(r.path, r.if_match) for r in self.deletes if r.if_match != tags[r.path]] == []
        assert max(Counter(r.path for r in self.deletes).values(), default=0) <= MAX_DELETES

    def check_outcomes(self, outcomes: Iterable[ContactOutcome]) -> None:
        """One for each planned contact, in order, and true by the book."""
        assert tuple(o.contact_id for o in outcomes) == self.planned
        for outcome in outcomes:
            self.check_truth(outcome)
        unconfirmed = [o for o in outcomes if o.outcome is Outcome.UNCONFIRMED]
        assert not unconfirmed or self.applied.stopped
        attempted = [o for o in outcomes if o.outcome is not Outcome.NOT_ATTEMPTED]
        reached = max((outcomes.index(o) + 1 for o in attempted), default=0)
        assert reached - len(attempted) < self.lanes  # of those in hand at a stop
        assert len(attempted) == len(outcomes) or self.applied.stopped.strip()
        assert all(o.detail.strip() for o in outcomes)

    def check_truth(self, outcome: ContactOutcome) -> None:
        is_there = self.pbx.book.row(outcome.contact_id) is not None
        if outcome.outcome in GONE:
            assert not is_there, outcome
        elif outcome.outcome is not Outcome.UNCONFIRMED:
            assert is_there or outcome.contact_id in self.removed, outcome
            if outcome.outcome is Outcome.CHANGED:
                return
        if outcome.outcome is Outcome.NOT_ATTEMPTED:
            sent = [r for r in self.deletes if r.path == path(outcome.contact_id)]
            assert not sent or is_there, outcome

    def check_journal(self) -> None:
        """What is gone through us has its tombstone; every intent its outcome, the reported one."""
        graves = {t.contact_id: t for t in self.ledger.tombstones(run_id=self.run_id)}
        gone = set(self.before) - {row.id for row in self.pbx.book.rows()} - self.removed
        assert gone <= set(graves)
        assert {path(i) for i in graves} >= {r.path for r in self.deletes}
        for contact_id, grave in graves.items():
            assert content(dict(grave.entity)) == content(dict(self.before[contact_id].fields))
        reported = {o.contact_id: o.outcome for o in self.applied.outcomes}
        written = self.ledger.actions(run_id=self.run_id)
        assert len({a.contact_id for a in written}) == len(written)
        assert [a for a in written if a.outcome is not reported[a.contact_id]] == []

    def check_by_looking(self) -> None:
        """Once the PBX is well again, looking tells what became of each unconfirmed contact."""
        doubtful = self.ledger.actions(run_id=self.run_id, unresolved=True)
        assert all(a.outcome is Outcome.UNCONFIRMED for a in doubtful)
        if not doubtful:
            return
        self.pbx.heal()
        with PbxReader(self.pbx.connection()) as reader:
            found = apply.resolve(doubtful, reader=reader, journal=self.ledger, clock=lambda: NOW)
        assert {o.contact_id for o in found} == {a.contact_id for a in doubtful}
        for outcome in found:
            assert outcome.outcome is not Outcome.UNCONFIRMED
            self.check_truth(outcome)
        assert self.ledger.actions(unresolved=True) == []
