"""What a person does by hand: restore, adopt, purge, and the single manual delete.

Everything here is journalled like a night's run, and guarded by the same preconditions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconcile import apply
from reconcile.core.plan import claim_for
from reconcile.errors import PbxError, UsageError
from reconcile.model import (
    NUMBER_FIELDS,
    Claim,
    ClaimOrigin,
    Contact,
    ContactOutcome,
    Decision,
    DeleteGuard,
    Evidence,
    Exit,
    Outcome,
    PbxSnapshot,
    Status,
    Tombstone,
    Verdict,
)
from reconcile.pbx.client import PbxWriter
from reconcile.pbx.connection import origin
from reconcile.planning import Request, planned_decisions, resolve_intents
from reconcile.report.forget import forget
from reconcile.run import apply_plan, prove_guard
from reconcile.session import Session, World, opened
from reconcile.store.ledger import Ledger
from reconcile.store.lock import RunLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from reconcile.config import Config
    from reconcile.store.purging import PurgeResult

_SERVER_ASSIGNED: Final = frozenset({"Id"})
"""What a restore can't bring back: 3CX gives a new Id."""
_LOOKED_UP_BY: Final = (*NUMBER_FIELDS, "Email", "LastName", "FirstName", "CompanyName", "Tag")
"""What an earlier restore is looked for by: the first of these that the contact has."""


# ---------------------------------------------------------------------------- restore


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What became of one tombstone."""

    contact_id: int
    label: str
    new_id: int | None
    done: str
    """`restored`, `already there`, or why not."""
    ok: bool


def restore_once(
    config: Config,
    world: World,
    *,
    run_id: int | None = None,
    contact_id: int | None = None,
    dry_run: bool = False,
) -> tuple[Restored, ...]:
    """Put deleted contacts back from their tombstones; safe to repeat.

    Each is looked for before it is created, so that a contact which is there again, from an earlier
    restore or by hand, isn't doubled. A restored contact has a new Id and no claim: it is
    unmanaged until it matches again. A signal ends it after the contact in hand. Raises UsageError
    if there is nothing to restore.
    """
    with opened(config, world, "restore") as session:
        resolve_intents(session)
        tombstones = _restorable(session, run_id, contact_id)
        if dry_run:
            return tuple(_foreseen(t) for t in tombstones)
        started = session.now()
        run = session.ledger.begin_run(command="restore", mode=config.mode, now=started)
        writer = PbxWriter(session.reader)
        done = tuple(_restore(session, writer, t) for t in tombstones)
        _finish(session, run, done)
        return done


def restored_code(done: tuple[Restored, ...], world: World) -> Exit:
    """The exit code of a restore: 0 only if everything is back."""
    if all(r.ok for r in done):
        return Exit.CONVERGED
    return world.interrupted() or Exit.PARTIAL


def _restorable(
    session: Session, run_id: int | None, contact_id: int | None
) -> tuple[Tombstone, ...]:
    """The tombstones of contacts that we deleted and have not put back."""
    found = session.ledger.tombstones(run_id=run_id, contact_id=contact_id)
    gone = [t for t in found if t.outcome in {Outcome.DELETED, Outcome.UNCONFIRMED}]
    if not gone:
        which = f"run {run_id}" if run_id is not None else f"contact {contact_id}"
        raise UsageError(
            f"Nothing was deleted in {which} that could be restored.", hint="reconcile history"
        )
    return tuple(t for t in gone if t.restored_as is None) or tuple(gone)


def _foreseen(tombstone: Tombstone) -> Restored:
    """What a restore would do, without asking 3CX."""
    if tombstone.restored_as is not None:
        return _result(tombstone, tombstone.restored_as, "already restored", ok=True)
    return _result(tombstone, None, "would be restored, unless it is there again", ok=True)


def _restore(session: Session, writer: PbxWriter, tombstone: Tombstone) -> Restored:
    if tombstone.restored_as is not None:
        return _result(tombstone, tombstone.restored_as, "already restored", ok=True)
    if session.world.interrupted():
        return _result(tombstone, None, "not restored: interrupted", ok=False)
    wanted = {k: v for k, v in tombstone.entity.items() if k not in _SERVER_ASSIGNED}
    try:
        there = _same(session, tombstone.entity)
        done = "already there" if there else "restored"
        contact = there or writer.create(wanted)
    except PbxError as error:
        return _result(tombstone, None, f"not restored: {error.message}", ok=False)
    session.ledger.mark_restored(tombstone.id, new_contact_id=contact.id, now=session.now())
    return _result(tombstone, contact.id, done, ok=True)


def _same(session: Session, entity: Mapping[str, Any]) -> Contact | None:
    """The contact in 3CX that has exactly this content, whatever its Id."""
    wanted = session.reader.as_contact(entity)
    name = next((n for n in _LOOKED_UP_BY if wanted.field(n)), "")
    candidates = session.reader.find(name, wanted.field(name)) if name else ()
    return next((c for c in candidates if c.fingerprint == wanted.fingerprint), None)


def _result(tombstone: Tombstone, new_id: int | None, done: str, *, ok: bool) -> Restored:
    entity = tombstone.entity
    names = (str(entity.get(k) or "") for k in ("FirstName", "LastName", "CompanyName"))
    return Restored(
        contact_id=tombstone.contact_id,
        label=" ".join(filter(None, names)) or f"contact {tombstone.contact_id}",
        new_id=new_id,
        done=done,
        ok=ok,
    )


def _finish(session: Session, run_id: int, done: tuple[Restored, ...]) -> None:
    ok = sum(1 for r in done if r.ok)
    code = restored_code(done, session.world)
    statuses = {Exit.CONVERGED: Status.APPLIED, Exit.PARTIAL: Status.PARTIAL}
    session.ledger.finish_run(
        run_id,
        status=statuses.get(code, Status.INTERRUPTED),
        exit_code=code,
        digest="",
        headline=f"{ok} of {len(done)} deleted contacts are back in 3CX.",
        now=session.now(),
    )


# ---------------------------------------------------------------------------- adopt


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What an adoption would do, or did."""

    contacts: tuple[Contact, ...]
    refused: tuple[str, ...] = ()
    """Why a named contact can't be adopted, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceptions:
    """What `--except` takes out: Ids and tags."""

    ids: frozenset[int] = frozenset()
    tags: frozenset[str] = frozenset()

    def takes_out(self, contact: Contact) -> bool:
        """Whether the contact stays as it is."""
        return contact.id in self.ids or contact.field("Tag").casefold() in self.tags

    @classmethod
    def of(cls, given: Iterable[str]) -> Exceptions:
        """Numbers are Ids, `@FILE` is a file with one of them a line, everything else is a tag."""
        words = [word for item in given for word in _words(item)]
        return cls(
            ids=frozenset(int(w) for w in words if w.isdecimal()),
            tags=frozenset(w.casefold() for w in words if not w.isdecimal()),
        )


def _words(item: str) -> list[str]:
    if not item.startswith("@"):
        return [item.strip()] if item.strip() else []
    try:
        lines = Path(item[1:]).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The file of exceptions {item[1:]} can't be read: {error}.") from error
    return [line.strip() for line in lines if line.strip()]


def adopt_once(
    config: Config,
    world: World,
    *,
    ids: frozenset[int] | None,
    exceptions: Exceptions,
    confirm: Callable[[Adoption], bool],
) -> tuple[Adoption, bool]:
    """Claim contacts that match nothing: the named ones, or all unmanaged ones with `ids=None`.

    Both sides are read afresh; `confirm` is shown the list and decides. Gives the list and whether
    the claims were recorded. Nothing is deleted: that takes `plan --now` and its digest.
    """
    with opened(config, world, "adopt") as session:
        decisions, listed = planned_decisions(session, Request(command="adopt", record=False))
        adoption = _adoption(decisions, listed, ids, exceptions)
        if not adoption.contacts or not confirm(adoption):
            return adoption, False
        session.ledger.adopt([_adopted(c, world.user) for c in adoption.contacts])
        return adoption, True


def adopted_code(adoption: Adoption, *, done: bool) -> Exit:
    """The exit code of an adoption: 0 only if nothing that was named was refused."""
    if not adoption.refused:
        return Exit.CONVERGED
    return Exit.PARTIAL if done else Exit.USAGE


def _adoption(
    decisions: tuple[Decision, ...],
    listed: PbxSnapshot,
    ids: frozenset[int] | None,
    exceptions: Exceptions,
) -> Adoption:
    free = {d.contact.id: d.contact for d in decisions if d.verdict is Verdict.UNMANAGED}
    free = {i: c for i, c in free.items() if not exceptions.takes_out(c)}
    if ids is None:
        return Adoption(contacts=tuple(free.values()))
    verdicts = {d.contact.id: f"{d.verdict}: {d.reason}" for d in decisions}
    known = set(listed.ids)
    refused = [f"contact {i}: {_why_not(i, verdicts, known)}" for i in sorted(ids) if i not in free]
    return Adoption(contacts=tuple(c for i, c in free.items() if i in ids), refused=tuple(refused))


def _why_not(contact_id: int, verdicts: dict[int, str], known: set[int]) -> str:
    if contact_id not in known:
        return "3CX has no such contact"
    return verdicts.get(contact_id, "matched: it is in the CRM")


def _adopted(contact: Contact, user: str) -> Claim:
    return claim_for(contact, crm_id="", origin=ClaimOrigin.ADOPT, claimed_by=user)


# ---------------------------------------------------------------------------- purge


def purge_once(config: Config, world: World, contact_id: int | None) -> PurgeResult:
    """Remove what is older than `state.keep_days`, or all that is kept of one contact."""
    now = world.clock()
    url, base = config.state.url, config.base
    before = now - timedelta(days=config.state.keep_days)
    with (
        RunLock(url, base=base, command="db purge", now=now),
        Ledger.open(url, base=base, pbx_url=origin(config.pbx.url)) as ledger,
    ):
        if contact_id is None:
            return ledger.purge(before=before)
        graves = ledger.tombstones()
        same = {g.contact_id for g in graves if g.restored_as == contact_id}
        result = ledger.purge(contact_id=contact_id)
        reports = config.path(config.report.directory)
        return replace(result, reports=forget(reports, frozenset({contact_id, *same})))


# ---------------------------------------------------------------------------- one contact


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """The answer to `contact delete`, as it is printed."""

    outcome: ContactOutcome
    exit_code: Exit


def contacts(config: Config, world: World) -> Iterator[Contact]:
    """Every contact that 3CX lists, by Id."""
    with opened(config, world, "contact list") as session:
        listed = session.reader.snapshot(now=session.now())
        for position in range(len(listed)):
            yield listed.contact(position)


def contact(config: Config, world: World, contact_id: int) -> Contact:
    """One contact; raises UsageError if 3CX has none of this Id."""
    with opened(config, world, "contact get") as session:
        found = session.reader.contact(contact_id)
    if found is None:
        raise _no_such(contact_id)
    return found[0]


def _no_such(contact_id: int) -> UsageError:
    return UsageError(
        f"3CX has no contact {contact_id}.",
        hint="reconcile contact list",
        code="contact_missing",
    )


def delete_by_hand(
    config: Config, world: World, contact_id: int, *, if_match: str | None
) -> ByHand:
    """Delete one contact that a person names, under the same guards and with the same journal.

    With `if_match`, only if that is still the contact's ETag. Raises UsageError if there is no such
    contact, or if it is protected or of a type that is not managed.
    """
    with opened(config, world, "contact delete") as session:
        resolve_intents(session)
        listed = session.reader.snapshot(now=session.now())
        found = session.reader.contact(contact_id)
        if found is None:
            raise _no_such(contact_id)
        current = found[0]
        _refuse_protected(config, current)
        run_id = session.ledger.begin_run(
            command="contact delete", mode=config.mode, now=session.now()
        )
        outcome = _delete(session, listed, current, run_id, if_match=if_match)
        answer = ByHand(outcome=outcome, exit_code=_exit_code(outcome))
        session.ledger.finish_run(
            run_id,
            status=Status.APPLIED if answer.exit_code is Exit.CONVERGED else Status.PARTIAL,
            exit_code=answer.exit_code,
            digest="",
            headline=f"Contact {contact_id} by hand: {outcome.outcome} ({outcome.detail}).",
            now=session.now(),
        )
        return answer


def _refuse_protected(config: Config, current: Contact) -> None:
    rules = config.rules(immediate=True)
    kind = current.field("ContactType")
    why = rules.why_protected(current)
    if kind not in rules.contact_types:
        why = f"its type {kind or '(none)'} is not in pbx.contact_types"
    if why:
        raise UsageError(
            f"Contact {current.id} is not deleted: {why}.",
            hint="take it out of the list in the configuration, if that is meant",
            code="contact_protected",
        )


def _delete(
    session: Session,
    listed: PbxSnapshot,
    current: Contact,
    run_id: int,
    *,
    if_match: str | None,
) -> ContactOutcome:
    guard = session.config.pbx.delete_guard
    if if_match is not None and if_match != current.etag:
        return _outcome(current, Outcome.CHANGED, guard, _other_etag(current))
    probe, refused = prove_guard(session, listed, needed=True)
    if refused is not None:
        return _outcome(current, Outcome.REFUSED, guard, f"{refused.observed}: {refused.hint}")
    reason = f"deleted by hand by {session.world.user}"
    decision = Decision(
        contact=current,
        verdict=Verdict.DELETE,
        reason=reason,
        evidence=Evidence(contact_id=current.id),
    )
    approved = apply.ApprovedPlan(
        digest=f"by-hand-{run_id}",
        approved_by=session.world.user,
        guard=guard,
        probe=probe,
        deletes=(decision,),
    )
    return apply_plan(session, approved, run_id).outcomes[0]


def _other_etag(current: Contact) -> str:
    if not current.etag:
        return "412: 3CX issues no ETag for this contact, so --if-match can't be met; it is kept"
    return (
        f"412: the contact's ETag is {current.etag} now: it was edited meanwhile, and is kept;"
        f" look at it with: reconcile contact get {current.id}"
    )


def _outcome(current: Contact, outcome: Outcome, guard: DeleteGuard, detail: str) -> ContactOutcome:
    return ContactOutcome(contact_id=current.id, outcome=outcome, guard=guard, detail=detail)


def _exit_code(outcome: ContactOutcome) -> Exit:
    match outcome.outcome:
        case Outcome.DELETED | Outcome.ALREADY_GONE:
            return Exit.CONVERGED
        case Outcome.CHANGED:
            return Exit.PARTIAL
        case _:
            return Exit.PBX
