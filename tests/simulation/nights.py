"""The program's own way from an export and a listing to deletes, with guards that can be taken off.

Reading, matching, planning, guarding, remembering and applying are the real parts; what stands
between them here is what `reconcile.planning` does, and a test holds the two against each other.
A matching is a function of what it is given: where that is the same, it is not made again.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from reconcile import __version__, apply, config, crm, planning
from reconcile.approval import still_due, unchanged_ground
from reconcile.core import guards, match, plan, sides
from reconcile.errors import ExportRejected
from reconcile.model import (
    AcceptedExport,
    Answer,
    Contact,
    DeleteGuard,
    Level,
    Matching,
    Outcome,
    PbxSnapshot,
    Plan,
    Status,
    Strength,
)
from reconcile.report.build import Result
from reconcile.session import Session, World
from reconcile.store import migrate
from reconcile.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from simulation.exports import Tonight
    from simulation.firm import Entry

    from reconcile.model import Claim, CrmSnapshot, Decision, Finding, LedgerView

SENTINEL: Final = "sentinel_missing"
GRACE: Final = "grace"
VETO: Final = "veto"
REVIEW: Final = "conservative match"
KEYS: Final = "other match keys"
PERSON: Final = "identity of the Id"
EDITED: Final = "edited since"
NOT_FINDINGS: Final = (GRACE, VETO, REVIEW, KEYS, PERSON, EDITED)
"""Guards that keep single contacts; all others have the code of a refusal or of a finding."""
_URL: Final = "https://pbx.example.com"
_KNOWN_KEPT: Final = 48


@dataclass(frozen=True)
class Guards:
    """Which guards are on: all but `off`, or none but `only`."""

    off: frozenset[str] = frozenset()
    only: frozenset[str] | None = None

    def on(self, guard: str) -> bool:
        """Whether this one is."""
        return guard in self.only if self.only is not None else guard not in self.off


ALL_ON: Final = Guards()


@dataclass(frozen=True)
class Look:
    """When somebody looks, and with which guards."""

    now: datetime
    on: Guards = ALL_ON


@dataclass
class Phones:
    """The 3CX side as apply knows it: reads and deletes in the book of the firm."""

    book: dict[int, Entry]
    deleted: list[int] = field(default_factory=list)

    def contact(self, contact_id: int) -> tuple[Contact, dict[str, Any]] | None:
        """As it is now."""
        entry = self.book.get(contact_id)
        if entry is None:
            return None
        fields = {n: v for n, v in entry.fields.items() if v} | {"ContactType": "3CX"}
        return Contact(id=contact_id, fields=fields, etag=""), dict(fields)

    def snapshot(self, *, now: datetime, progress: object) -> PbxSnapshot:
        """All of it."""
        del progress
        return listing(self.book, now)

    def delete(self, contact_id: int, _precondition: object) -> Answer:
        """As asked."""
        self.deleted.append(contact_id)
        return Answer(status=204 if self.book.pop(contact_id, None) else 404)


def listing(book: Mapping[int, Entry], now: datetime) -> PbxSnapshot:
    """What 3CX lists of these contacts."""
    ids = sorted(book)
    names = sorted({name for entry in book.values() for name in entry.fields})
    columns = {name: tuple(book[i].fields.get(name, "") for i in ids) for name in names}
    return PbxSnapshot(
        url=_URL,
        version="20.0.9.995",
        read_at=now,
        ids=ids,
        etags=("",) * len(ids),
        columns=columns | {"ContactType": ("3CX",) * len(ids)},
    )


@dataclass(kw_only=True)
class Night:
    """What a night saw and did."""

    refused: tuple[str, ...] = ()
    """Codes for which a side was not read."""
    findings: tuple[Finding, ...] = ()
    decisions: tuple[Decision, ...] = ()
    matching: Matching | None = None
    claims: Mapping[int, Claim] = field(default_factory=dict)
    """What was claimed before."""
    repeated: bool = False
    planned: planning.Planned | None = None
    deleted: tuple[int, ...] = ()
    approved: bool = False

    @property
    def stops(self) -> tuple[str, ...]:
        """Codes that kept this night from deleting."""
        asks = (f.code for f in self.findings if f.level is not Level.INFO)
        return (*self.refused, *asks)


class Program:
    """`reconcile run` in mode auto, night for night, with its own state."""

    known: dict[int, Matching]

    def __init__(
        self, folder: Path, *, sentinels: tuple[str, ...], known: dict | None = None
    ) -> None:
        self.folder = folder
        self.sentinels = sentinels
        self.known = {} if known is None else known
        self.config = config.validate(
            {
                "mode": "auto",
                "crm": {"source": "contacts*.csv*", "region": "DE", "sentinels": list(sentinels)},
                "pbx": {
                    "url": _URL,
                    "client_id": "reconcile",
                    "client_secret_env": "SECRET",
                    "delete_guard": "compare",
                },
            },
            folder / "config.toml",
        )
        self.opened: Ledger | None = None

    def create(self, now: datetime) -> None:
        """A new state."""
        migrate.upgrade(self.config.state.url, base=self.folder, now=now)

    @property
    def ledger(self) -> Ledger:
        """The state, opened once."""
        if self.opened is None:
            self.opened = Ledger.open(self.config.state.url, base=self.folder, pbx_url=_URL)
        return self.opened

    def copy(self, folder: Path) -> Program:
        """Another program with the same state, which goes its own way."""
        self.close()
        shutil.copytree(self.folder / "state", folder / "state")
        return Program(folder, sentinels=self.sentinels, known=self.known)

    def close(self, *, remove: bool = False) -> None:
        """Close the state; `remove`: nothing is left of it."""
        if self.opened is not None:
            self.opened.close()
            self.opened = None
        if remove:
            shutil.rmtree(self.folder)

    # ------------------------------------------------------------------ a night

    def run(
        self, tonight: Tonight, book: dict[int, Entry], now: datetime, on: Guards = ALL_ON
    ) -> Night:
        """Read, decide, and delete what no finding stands against.

        `now` is the true time; the machine may believe another one.
        """
        now += tonight.clock
        look, session = Look(now, on), self._session(book, now)
        run_id = self.ledger.begin_run(command="run", mode="auto", now=now)
        night = self._planned(look, tonight, book, run_id)
        planned = night.planned
        if planned is not None:
            planning.remember(session, planned, approved=False)
            if not night.stops and planned.result.plan and planned.result.plan.deletes:
                due = planned.result.plan.deletes
                night.deleted = self._apply(session, planned, due, by="mode auto")
        self._finish(run_id, now)
        return night

    def approve(self, night: Night, tonight: Tonight, book: dict[int, Entry], look: Look) -> Night:
        """A person has read the report, and applies the plan by its digest."""
        if night.planned is None or night.planned.result.plan is None:
            return night
        approved = night.planned.result.plan
        (stored, *_) = self.ledger.plan(approved.digest)
        session = self._session(book, look.now)
        run_id = self.ledger.begin_run(command="apply", mode="auto", now=look.now)
        again = self._planned(look, tonight, book, run_id)
        planned = again.planned
        if planned is not None:
            canonical = json.loads(stored.canonical)
            planned = unchanged_ground(planned, canonical)
            if not planned.result.blocked:
                due, _ = still_due(planned.result, canonical)
                planning.remember(session, planned, approved=True, keep_plan=False)
                again.deleted = self._apply(session, planned, due, by="a person")
        self._finish(run_id, look.now)
        return again

    def _apply(
        self, session: Session, planned: planning.Planned, due: tuple[Decision, ...], *, by: str
    ) -> tuple[int, ...]:
        result = planned.result
        if not due or result.plan is None or result.run_id is None:
            return ()
        phones: Any = session.reader
        tools = apply.Tools(
            reader=phones,
            writer=phones,
            journal=self.ledger,
            clock=session.world.clock,
            sleep=session.world.sleep,
            held=lambda: None,
        )
        approved = apply.ApprovedPlan(
            digest=result.plan.digest,
            approved_by=by,
            guard=DeleteGuard.COMPARE,
            probe=None,
            deletes=due,
        )
        done = apply.execute(approved, tools, run_id=result.run_id)
        return tuple(o.contact_id for o in done.outcomes if o.outcome is Outcome.DELETED)

    def _session(self, book: dict[int, Entry], now: datetime) -> Session:
        world = World(
            environ={"SECRET": "s"}, clock=lambda: now, sleep=lambda _s: None, user="somebody"
        )
        reader: Any = Phones(book)
        nothing: Any = None
        return Session(
            config=self.config,
            world=world,
            ledger=self.ledger,
            reader=reader,
            connection=nothing,
            reports=self.folder,
            locked=lambda: True,
        )

    def _finish(self, run_id: int, now: datetime) -> None:
        self.ledger.finish_run(
            run_id, status=Status.CLEAN, exit_code=0, digest="", headline="", now=now
        )

    def looks(
        self, tonight: Tonight, book: dict[int, Entry], now: datetime
    ) -> tuple[planning.Planned | None, planning.Planned]:
        """The same night twice, unrecorded: as decided here, and as `reconcile plan` decides it."""
        session = self._session(book, now)
        ours = self._planned(Look(now), tonight, book, None).planned
        request = planning.Request(command="run", record=False)
        return ours, planning.make(session, request)

    # ------------------------------------------------------------------ the two sides

    def put(self, tonight: Tonight, content: bytes, now: datetime) -> None:
        """Lay the export into its folder, in place of the last one."""
        for old in self.folder.glob("contacts*.csv*"):
            old.unlink()
        files = {tonight.name: content}
        if tonight.manifest:
            count = len(tonight.rows) if tonight.promised is None else tonight.promised
            files["contacts.csv.rows"] = f"{count}\n".encode()
        made = (now - tonight.clock - tonight.age).timestamp()
        for name, written in files.items():
            path = self.folder / name
            path.write_bytes(written)
            os.utime(path, (made, made))

    def _read(
        self, tonight: Tonight, now: datetime, on: Guards
    ) -> tuple[CrmSnapshot | None, tuple[str, ...]]:
        """What the reader makes of the file; with its refusals off, of the rows behind it."""
        raw = tonight.raw if tonight.raw is not None else tonight.written()
        age = self.config.crm.max_age_hours
        found, codes = self._reading(tonight, raw, now, age)
        if found is not None or any(map(on.on, codes)):
            return found, codes
        lenient = replace(
            tonight, name="contacts.csv", age=timedelta(hours=1), clock=timedelta(), promised=None
        )
        found, again = self._reading(lenient, tonight.written(), now, None)
        if found is not None or any(on.on(code) for code in again if code != "export_empty"):
            return found, again
        return self._nothing(lenient, now), ()

    def _reading(
        self, tonight: Tonight, content: bytes, now: datetime, age: float | None
    ) -> tuple[CrmSnapshot | None, tuple[str, ...]]:
        self.put(tonight, content, now)
        try:
            found = crm.read(
                self.config.crm.source,
                base=self.folder,
                mapping={},
                now=now,
                max_age_hours=age,
            )
        except ExportRejected as error:
            return None, tuple(dict.fromkeys(p.code for p in error.problems))
        return found, ()

    def _nothing(self, tonight: Tonight, now: datetime) -> CrmSnapshot:
        """An export without a record, as a reader would give it that refuses nothing."""
        one = replace(tonight, rows=[["1", "Nobody", "Here", *[""] * (len(tonight.header) - 3)]])
        found, codes = self._reading(one, one.written(), now, None)
        if found is None:
            raise AssertionError(codes)
        source = replace(found.source, rows=0, content="0" * 64)
        return replace(found, source=source, records=found.records.iloc[:0], text="\n")

    @staticmethod
    def _listed(
        tonight: Tonight, book: dict[int, Entry], now: datetime, on: Guards
    ) -> tuple[PbxSnapshot | None, tuple[str, ...]]:
        if tonight.incomplete and on.on("pbx_incomplete"):
            return None, ("pbx_incomplete",)
        ids = book.keys() if tonight.listed is None else book.keys() & tonight.listed
        return listing({i: book[i] for i in ids}, now), ()

    # ------------------------------------------------------------------ the middle

    def _planned(
        self, look: Look, tonight: Tonight, book: dict[int, Entry], run_id: int | None
    ) -> Night:
        crm_side, refused = self._read(tonight, look.now, look.on)
        pbx_side, unlisted = self._listed(tonight, book, look.now, look.on)
        if crm_side is None or pbx_side is None:
            return Night(refused=(*refused, *unlisted))
        return self._compared(look, crm_side, pbx_side, run_id)

    def _compared(
        self, look: Look, crm_side: CrmSnapshot, pbx_side: PbxSnapshot, run_id: int | None
    ) -> Night:
        view = self.ledger.view(now=look.now)
        claims = view.claims if look.on.on(EDITED) else _as_listed(view.claims, pbx_side)
        rules = self.config.rules(view.protections, immediate=False)
        if not look.on.on(GRACE):
            rules = replace(rules, grace_exports=1, grace_hours=0)
        last = view.last_accepted
        repeated = view.run_with(crm_side.source.content) is not None
        matching = _weakened(self._matching(crm_side, pbx_side, view.claims), look.on)
        decisions = plan.build(
            pbx_side,
            matching,
            claims=claims,
            rules=rules,
            text=crm_side.text if look.on.on(VETO) else "\n",
            counts=not repeated,
            now=look.now,
        )
        facts = self._facts(
            view, crm_side, pbx_side, matching=matching, decisions=decisions, rules=rules
        )
        findings = tuple(f for f in guards.evaluate(facts) if look.on.on(f.code))
        result = self._result(facts, look, crm_side, findings=findings, run_id=run_id)
        planned = planning.Planned(
            result=result,
            decisions=decisions,
            claims=plan.claim_changes(
                pbx_side, matching, decisions, claims=claims, rules=rules, now=look.now
            ),
            accepted=self._accepted(facts, look.now, run_id),
            repeated=repeated
            and last is not None
            and (last.rules, last.policy) == (facts.rules, facts.policy),
            policy_before=last.policy if last else "",
        )
        return Night(
            findings=findings,
            decisions=decisions,
            matching=matching,
            claims=view.claims,
            repeated=repeated,
            planned=planned,
        )

    def _facts(
        self,
        view: LedgerView,
        crm_side: CrmSnapshot,
        pbx_side: PbxSnapshot,
        *,
        matching: Matching,
        decisions: tuple[Decision, ...],
        rules: plan.Rules,
    ) -> guards.Facts:
        return guards.Facts(
            source=crm_side.source,
            pbx=pbx_side,
            matching=matching,
            decisions=decisions,
            ledger=view,
            limits=self.config.limits(),
            rules=plan.rules_fingerprint(crm_side.source, rules),
            delete_guard=self.config.pbx.delete_guard,
            probe=None,
            policy=self.config.allowed(),
            asks_manifest=self.config.crm.manifest != "ignore",
            lost_sentinels=sides.absent_ids(crm_side.records, self.config.crm.sentinels),
        )

    def _result(
        self,
        facts: guards.Facts,
        look: Look,
        crm_side: CrmSnapshot,
        *,
        findings: tuple[Finding, ...],
        run_id: int | None,
    ) -> Result:
        made = Plan(
            pbx_url=facts.pbx.url,
            immediate=False,
            rules=facts.rules,
            state_id=self.ledger.state_id,
            source_sha256=facts.source.content,
            guard=facts.delete_guard,
            decisions=facts.decisions,
            matched=len(facts.matching.evidence) - len(facts.decisions),
            doubts=guards.doubts(findings),
            policy=facts.policy,
        )
        return Result(
            run_id=run_id,
            command="run",
            mode="auto",
            started_at=look.now,
            finished_at=look.now,
            version=__version__,
            delete_guard=facts.delete_guard,
            findings=guards.with_digest(findings, made.digest),
            crm=crm_side,
            pbx=facts.pbx,
            matching=facts.matching,
            plan=made,
        )

    @staticmethod
    def _accepted(facts: guards.Facts, now: datetime, run_id: int | None) -> AcceptedExport:
        return AcceptedExport(
            run_id=run_id or 0,
            sha256=facts.source.content,
            name=facts.source.name,
            generated_at=facts.source.generated_at,
            accepted_at=now,
            records=facts.living,
            fill=guards.fill_of(facts.matching),
            rules=facts.rules,
            vetoes=guards.vetoes_of(facts.decisions),
            manifest=facts.source.manifest,
            policy=facts.policy,
        )

    def _matching(
        self, crm_side: CrmSnapshot, pbx_side: PbxSnapshot, claims: Mapping[int, Any]
    ) -> Matching:
        key = _digest(crm_side, pbx_side, claims)
        if key not in self.known:
            while len(self.known) > _KNOWN_KEPT:
                del self.known[next(iter(self.known))]
            self.known[key] = match.match(crm_side, pbx_side, claims, region="DE")
        return self.known[key]


def _as_listed(claims: Mapping[int, Claim], pbx_side: PbxSnapshot) -> dict[int, Claim]:
    """The claims as if no contact had been edited since."""
    at = {contact_id: position for position, contact_id in enumerate(pbx_side.ids)}
    return {
        i: replace(claim, fingerprint=pbx_side.contact(at[i]).fingerprint) if i in at else claim
        for i, claim in claims.items()
    }


def _digest(crm_side: CrmSnapshot, pbx_side: PbxSnapshot, claims: Mapping[int, Any]) -> int:
    """Of all that a match looks at."""
    records = crm_side.records
    cells = tuple((str(name), tuple(records[name].tolist())) for name in records.columns)
    contacts = tuple(sorted((n, tuple(v)) for n, v in pbx_side.columns.items()))
    ours = tuple((i, c.crm_id, c.name, c.fingerprint, c.origin) for i, c in sorted(claims.items()))
    return hash((cells, tuple(pbx_side.ids), contacts, ours))


def _weakened(matching: Matching, on: Guards) -> Matching:
    """The same evidence without what is switched off."""
    if all(map(on.on, (REVIEW, KEYS, PERSON))):
        return matching
    evidence = []
    for one in matching.evidence:
        proofs = one.proofs
        if not on.on(KEYS):
            proofs = tuple(p for p in proofs if p.kind in {"claim", "crm_id"} or p.strength < 2)
        if not on.on(REVIEW):
            proofs = tuple(p for p in proofs if p.strength is Strength.STRONG)
        same = one.same_person or not on.on(PERSON)
        has_key = one.has_key or not on.on(REVIEW)
        evidence.append(replace(one, proofs=proofs, same_person=same, has_key=has_key))
    return replace(matching, evidence=tuple(evidence))
