"""What the state remembers, as frozen values in and out. One method is one transaction.

Owns every row: runs, accepted exports, claims, the journal with its tombstones, approvals, probes
and protections. Must never decide anything, talk to anyone, or look at the clock: `now` is an
argument. Every failure of the database is a StateError; anything else that comes out is a bug.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from reconcile.errors import ApprovalRefused, LockBusy, StateError
from reconcile.model import LedgerView, Outcome
from reconcile.store import gates, lineage, purging, rows, tables
from reconcile.store.engine import located, upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from sqlalchemy import Connection, Table, Update

    from reconcile.model import (
        AcceptedExport,
        Action,
        Claim,
        DeleteGuard,
        Freeze,
        Probe,
        ProtectionKind,
        ProtectionRecord,
        RunRecord,
        Slot,
        SlotHad,
        Status,
        StoredPlan,
        Tombstone,
    )
    from reconcile.store.purging import PurgeResult

_GONE: Final = frozenset({Outcome.DELETED, Outcome.ALREADY_GONE})
"""The outcomes after which there is no contact left to claim."""

_DONE: Final = "What was done before stands in the state; nothing more was deleted."


class Ledger:
    """The state of one PBX, open for reading and writing. Use it as a context manager.

    Writing is for the holder of the run lock; reading is for anyone at any time.
    """

    def __init__(self, marks: lineage.Marks, *, pbx_url: str, marked: bool) -> None:
        self.state = marks.state
        self.pbx_url = pbx_url
        self.state_id = marks.state_id
        """The random name of this state, given at its creation; backups of it share it."""
        self._marks = marks
        self._marked = marked
        """Whether there is any mark of this state: there must be, before the first write."""
        self._ahead = False
        """Whether something was written since this ledger last noted it in the marks."""
        self._open: Connection | None = None
        """The transaction of a group of entries, while it is written."""
        self._slot: Slot | None = None
        """The slot of the run that was begun here."""
        self._writer = self.state.engine(writing=True)
        self._reader = self.state.engine(writing=False)

    @classmethod
    def open(cls, url: str, *, base: Path, pbx_url: str, marks: Path | None = None) -> Ledger:
        """Open a state that passes all gates, is of this PBX (or of none), and is the newest.

        `marks` is the folder of the reports, where the second mark of its age is kept. Raises
        StateError for any that isn't, and ConfigError for a URL that names no state.
        """
        state = located(url, base=base)
        with ExitStack() as undone:
            undone.callback(state.close)
            with state.explained():
                state_id, bound = gates.admitted(state)
                gates.is_of(pbx_url, bound, state)
                line = lineage.Marks(state=state, state_id=state_id, folder=marks)
                marked = lineage.is_newest(line)
            undone.pop_all()
        return cls(line, pbx_url=pbx_url, marked=marked)

    def close(self) -> None:
        """Note how often the state was written, and close all connections.

        The last one brings the write-ahead log into the file. Raises StateError if a mark can't be
        written; the connections are closed all the same.
        """
        try:
            if self._ahead:
                self._note()
        finally:
            self._reader.dispose()
            self._writer.dispose()
            self.state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A mark may lag, so its failure must not hide the error that ended the work.
        with suppress(StateError) if error else nullcontext():
            self.close()

    def _note(self) -> None:
        """Bring the marks up to what is committed."""
        try:
            with self.state.explained(), self._writer.begin() as connection:
                self._marks.note(connection)
        except StateError as error:
            error.consequence = _DONE
            raise
        self._marked, self._ahead = True, False

    @contextmanager
    def together(self) -> Iterator[None]:
        """One commit for all that one thread writes inside: durable at the end, or none of it.

        For a group of the journal's entries; nobody else may write meanwhile.
        """
        with self._writing() as connection:
            self._open = connection
            try:
                yield
            finally:
                self._open = None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self._open is not None:
            yield self._open
            return
        if not self._marked:
            self._note()
        with self.state.explained(), self._writer.begin() as connection:
            yield connection
            lineage.count_up(connection)
        self._ahead = True

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self.state.explained(), self._reader.begin() as connection:
            yield connection

    # ------------------------------------------------------------------------ runs

    def begin_run(self, *, command: str, mode: str, now: datetime, slot: Slot | None = None) -> int:
        """Note that a run began; its number. The first run binds the state to its PBX.

        With a slot it is noted in the same breath as the run's, taken over from one that came to no
        end. Raises LockBusy if one has, which the holder of the run lock can't meet.
        """
        values = {"command": command, "mode": mode, "pbx_url": self.pbx_url, "started_at": now}
        with self._writing() as connection:
            _, bound = gates.identity(connection, self.state)
            gates.is_of(self.pbx_url, bound, self.state)
            connection.execute(update(tables.state).values(pbx_url=self.pbx_url))
            run_id = _key(connection, tables.run, values | {"digest": "", "headline": ""})
            if slot:
                self._take(connection, replace(slot, run_id=run_id), now)
        self._note()
        return run_id

    def _take(self, connection: Connection, slot: Slot, now: datetime) -> None:
        if had := rows.slot_had(connection, slot.moment, now):
            raise _overtaken(f"{_said(slot)} was taken by run {had.run.id}")
        upsert(connection, tables.slot, [slot])
        self._slot = slot

    def _still_has_its_slot(self, connection: Connection) -> None:
        """Pass unless another run took the slot over, as it can once this one lost its lock."""
        if self._slot is None:
            return
        holder = rows.slot(connection, self._slot.moment)
        if holder is None or holder.run_id != self._slot.run_id:
            raise _overtaken(f"{_said(self._slot)} is no longer that of run {self._slot.run_id}")

    def slot(self, moment: datetime) -> Slot | None:
        """Who took a slot, whatever became of the run."""
        with self._reading() as connection:
            return rows.slot(connection, moment)

    def slot_had(self, moment: datetime, *, now: datetime) -> SlotHad | None:
        """The run that has come to its end for a slot, or since."""
        with self._reading() as connection:
            return rows.slot_had(connection, moment, now)

    def finish_run(
        self,
        run_id: int,
        *,
        status: Status,
        exit_code: int,
        digest: str,
        headline: str,
        now: datetime,
    ) -> None:
        """Note how a run ended.

        Raises StateError unless it is open, LockBusy if another run took its slot over.
        """
        statement = (
            update(tables.run)
            .where(tables.run.c.id == run_id, tables.run.c.finished_at.is_(None))
            .values(
                status=status,
                exit_code=exit_code,
                digest=digest,
                headline=headline,
                finished_at=now,
            )
        )
        with self._writing() as connection:
            self._still_has_its_slot(connection)
            self._change_one(connection, statement, f"run {run_id} is not open")

    def runs(self, *, limit: int | None = None) -> list[RunRecord]:
        """The past runs, the newest first; all of them without a limit."""
        with self._reading() as connection:
            return rows.runs(connection, limit=limit)

    def run(self, run_id: int) -> RunRecord | None:
        """One past run."""
        with self._reading() as connection:
            found = rows.runs(connection, run_id=run_id)
        return found[0] if found else None

    def last_run(self, *, command: str, status: Status) -> RunRecord | None:
        """The newest run of a command that ended so."""
        with self._reading() as connection:
            found = rows.runs(connection, command=command, status=status, limit=1)
        return found[0] if found else None

    # ------------------------------------------------------------------------ what was learned

    def view(self, *, now: datetime) -> LedgerView:
        """What the core needs to know, all as of one moment."""
        with self._reading() as connection:
            return LedgerView(
                claims=rows.claims(connection),
                last_accepted=rows.last_accepted(connection),
                newest_generated_at=rows.newest_generated_at(connection),
                contents=rows.contents(connection),
                most_records=rows.most_records(connection, now),
                deleted_last_week=rows.deleted_last_week(connection, now),
                unresolved=tuple(rows.actions(connection, unresolved=True)),
                manifests=rows.manifests(connection),
                freeze=rows.standing(connection, now)[1],
                protections=tuple(rows.protections(connection)),
            )

    def record(
        self,
        run_id: int,
        *,
        accepted: AcceptedExport | None,
        claims: Sequence[Claim],
        released: Sequence[int],
        plan: StoredPlan | None,
    ) -> None:
        """Keep what a run learned: all of it or nothing.

        A contact that is both claimed and released ends released: the safe reading of the two.
        Raises LockBusy if another run has begun since, as it can once this one lost its lock: what
        that one, or a person, has changed would be undone.
        """
        with self._writing() as connection:
            if (newest := rows.newest_run(connection)) != run_id:
                raise _overtaken(f"The newest run is {newest}, not {run_id}")
            if accepted:
                _insert_export(connection, replace(accepted, run_id=run_id))
            upsert(connection, tables.claim, claims)
            _release(connection, released)
            if plan:
                connection.execute(_storing(replace(plan, run_id=run_id)))

    def adopt(self, claims: Sequence[Claim]) -> None:
        """Claim contacts by hand."""
        with self._writing() as connection:
            upsert(connection, tables.claim, claims)

    def release(self, contact_ids: Iterable[int]) -> None:
        """Give up claims: these contacts can't be deleted any more."""
        with self._writing() as connection:
            _release(connection, contact_ids)

    # ------------------------------------------------------------------------ plans, approvals

    def plan(self, digest_prefix: str) -> list[StoredPlan]:
        """The stored plans whose digest begins so, the newest first.

        Raises StateError for a plan that was altered: its text must hash to its digest.
        """
        with self._reading() as connection:
            found = rows.plans(connection, digest_prefix)
        for plan in found:
            if not rows.is_unaltered(plan):
                raise StateError(
                    f"The plan of run {plan.run_id} in {self.state} does not hash to its digest: "
                    "it was altered.",
                    hint="reconcile plan",
                    code="state_corrupt",
                )
        return found

    def latest_plan_run(self) -> int | None:
        """The newest run that stored a plan."""
        with self._reading() as connection:
            return rows.latest_plan_run(connection)

    def use_approval(
        self, plan_run_id: int, *, run_id: int, approved_by: str, now: datetime
    ) -> None:
        """Use up the plan that a run made. Raises ApprovalRefused if it was used before.

        A later run may make the same plan again, with the same digest: after an apply that died or
        was refused before its first delete, it must be approved again and can be.
        """
        statement = insert(tables.approval).values(
            plan_run_id=plan_run_id, run_id=run_id, approved_by=approved_by, approved_at=now
        )
        try:
            with self._writing() as connection:
                connection.execute(statement)
        except IntegrityError as error:
            with self._reading() as connection:
                used = rows.approval(connection, plan_run_id)
            if used is None:
                raise
            raise ApprovalRefused(
                f"The plan of run {plan_run_id} was already applied, by run {used.run_id} "
                f"({used.approved_by}, {used.approved_at:%Y-%m-%d %H:%M} UTC); "
                "an approval is good once.",
                hint="reconcile plan",
            ) from error

    # ------------------------------------------------------------------------ the journal

    def intend(
        self,
        *,
        run_id: int,
        contact_id: int,
        fingerprint: str,
        guard: DeleteGuard,
        entity: Mapping[str, Any],
        reason: str,
        crm_id: str,
        now: datetime,
    ) -> int:
        """Before a DELETE leaves: the tombstone and the intent, durable; the action's number."""
        grave = {"run_id": run_id, "contact_id": contact_id, "entity": json.dumps(dict(entity))}
        grave |= {"reason": reason, "crm_id": crm_id, "created_at": now}
        intent = {"run_id": run_id, "contact_id": contact_id, "fingerprint": fingerprint}
        intent |= {"guard": guard, "intended_at": now, "detail": ""}
        with self._writing() as connection:
            tombstone_id = _key(connection, tables.tombstone, grave)
            return _key(connection, tables.action, intent | {"tombstone_id": tombstone_id})

    def settle(self, action_id: int, *, outcome: Outcome, detail: str, now: datetime) -> None:
        """What became of an intent; a contact that is gone loses its claim in the same breath.

        Raises StateError if the action is unknown or was settled before.
        """
        became = {"outcome": outcome, "detail": detail, "ended_at": now}
        with self._writing() as connection:
            refusal = f"action {action_id} is not unsettled"
            self._change_one(connection, _SETTLE, refusal, {"action_id": action_id} | became)
            if outcome in _GONE:
                connection.execute(_UNCLAIM, {"action_id": action_id})

    def reopen(self, action_id: int, *, detail: str, claim: Claim | None) -> None:
        """A delete that was not done after all: its intent is open again, and its claim is back.

        Raises StateError if the action is unknown.
        """
        statement = (
            update(tables.action)
            .where(tables.action.c.id == action_id)
            .values(outcome=Outcome.UNCONFIRMED, detail=detail)
        )
        with self._writing() as connection:
            self._change_one(connection, statement, f"there is no action {action_id}")
            if claim is not None:
                upsert(connection, tables.claim, [claim])

    def actions(
        self,
        *,
        run_id: int | None = None,
        contact_id: int | None = None,
        unresolved: bool = False,
    ) -> list[Action]:
        """The journal in its order, of one run, of one contact, or of the intents left open."""
        with self._reading() as connection:
            return rows.actions(
                connection, run_id=run_id, contact_id=contact_id, unresolved=unresolved
            )

    def tombstones(
        self, *, run_id: int | None = None, contact_id: int | None = None
    ) -> list[Tombstone]:
        """The tombstones in their order, each with its outcome; purged ones are none any more."""
        with self._reading() as connection:
            return rows.tombstones(connection, run_id=run_id, contact_id=contact_id)

    def mark_restored(self, tombstone_id: int, *, new_contact_id: int, now: datetime) -> None:
        """Note under which Id a contact was put back. Raises StateError if it was before."""
        grave = tables.tombstone.c
        statement = (
            update(tables.tombstone)
            .where(grave.id == tombstone_id, grave.restored_as.is_(None))
            .values(restored_as=new_contact_id, restored_at=now)
        )
        with self._writing() as connection:
            self._change_one(connection, statement, f"tombstone {tombstone_id} is not unrestored")

    # ------------------------------------------------------------------------ probes, protections

    def save_probe(self, probe: Probe) -> None:
        """Keep what the probe proved; a newer proof of the same PBX and version replaces it."""
        with self._writing() as connection:
            upsert(connection, tables.probe, [probe])

    def probe(self, *, pbx_url: str, pbx_version: str) -> Probe | None:
        """What was proved about exactly this PBX in exactly this version."""
        with self._reading() as connection:
            return rows.probe(connection, pbx_url, pbx_version)

    def protections(self) -> list[ProtectionRecord]:
        """What was protected by hand."""
        with self._reading() as connection:
            return rows.protections(connection)

    def protect(self, record: ProtectionRecord) -> None:
        """Protect by hand; the same again replaces who, when and why."""
        with self._writing() as connection:
            upsert(connection, tables.protection, [record])

    def unprotect(self, *, kind: ProtectionKind, value: str) -> bool:
        """Take back a protection made by hand; False if there was none."""
        entry = tables.protection.c
        statement = delete(tables.protection).where(entry.kind == kind, entry.value == value)
        with self._writing() as connection:
            return connection.execute(statement).rowcount > 0

    def freeze(self, freeze: Freeze | None) -> None:
        """Let nothing be deleted until a moment; None lifts it. Holds for a run under way, too."""
        values = {
            "frozen_until": freeze.until if freeze else None,
            "frozen_by": freeze.frozen_by if freeze else None,
            "frozen_why": freeze.why if freeze else None,
        }
        with self._writing() as connection:
            connection.execute(update(tables.state).values(values))

    def frozen(self, *, now: datetime) -> Freeze | None:
        """The freeze that holds now."""
        with self._reading() as connection:
            return rows.standing(connection, now)[1]

    def standing(self, *, now: datetime) -> tuple[int, Freeze | None]:
        """The newest run, 0 if there was none, and the freeze that holds now: as of one moment."""
        with self._reading() as connection:
            return rows.standing(connection, now)

    # ------------------------------------------------------------------------ forgetting

    def purge(
        self, *, before: datetime | None = None, contact_id: int | None = None
    ) -> PurgeResult:
        """Forget: what is older than `before`, or one contact's personal data; exactly one of them.

        What an unresolved intent still needs is kept, and so is what a guard compares with. What
        was forgotten is gone from the disk too, not only from its tables. Raises UsageError.
        """
        with self._writing() as connection:
            result = purging.purge(connection, before=before, contact_id=contact_id)
        with self.state.explained():
            self.state.erase(self._writer)
        return result

    def _change_one(
        self,
        connection: Connection,
        statement: Update,
        refusal: str,
        values: Mapping[str, object] | None = None,
    ) -> None:
        if connection.execute(statement, values).rowcount != 1:
            raise StateError(
                f"{self.state}: {refusal}; nothing was changed.", hint="reconcile db check"
            )


_insert: Final = cache(insert)
_SETTLE: Final = update(tables.action).where(
    tables.action.c.id == bindparam("action_id"), rows.is_open()
)
_UNCLAIM: Final = delete(tables.claim).where(
    tables.claim.c.contact_id
    == select(tables.action.c.contact_id)
    .where(tables.action.c.id == bindparam("action_id"))
    .scalar_subquery()
)
"""Written for each delete: a statement that is there already is composed once."""


def _storing(plan: StoredPlan) -> Update:
    return (
        update(tables.run)
        .where(tables.run.c.id == plan.run_id)
        .values(plan_digest=plan.digest, plan=plan.canonical, planned_at=plan.created_at)
    )


def _said(slot: Slot) -> str:
    return f"The slot {slot.moment:%Y-%m-%d %H:%M} UTC"


def _overtaken(what: str) -> LockBusy:
    return LockBusy(
        f"{what}: this run has lost its lock meanwhile.",
        hint="nothing: that run goes on; to see it: reconcile history",
        consequence=_DONE,
    )


def _key(connection: Connection, table: Table, values: Mapping[str, object]) -> int:
    key: Any = connection.execute(_insert(table), values).inserted_primary_key
    return int(key[0])


def _insert_export(connection: Connection, accepted: AcceptedExport) -> None:
    values = {column.name: getattr(accepted, column.name) for column in tables.export.columns}
    connection.execute(
        insert(tables.export).values(values | {"fill": json.dumps(dict(accepted.fill))})
    )


def _release(connection: Connection, contact_ids: Iterable[int]) -> None:
    if doomed := [{"released": contact_id} for contact_id in contact_ids]:
        matching = tables.claim.c.contact_id == bindparam("released")
        connection.execute(delete(tables.claim).where(matching), doomed)
