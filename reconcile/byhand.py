"""One contact at a time by hand, and forgetting.

A delete by hand is journalled like a night's run, and guarded by the same preconditions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from reconcile import apply, hold
from reconcile.errors import UsageError
from reconcile.model import (
    Contact,
    ContactOutcome,
    Decision,
    DeleteGuard,
    Evidence,
    Exit,
    Outcome,
    PbxSnapshot,
    Status,
    Verdict,
)
from reconcile.planning import resolve_intents
from reconcile.report.forget import forget
from reconcile.run import apply_plan, prove_guard
from reconcile.session import Session, World, local, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconcile.config import Config
    from reconcile.store.purging import PurgeResult


# ---------------------------------------------------------------------------- purge


def purge_once(config: Config, world: World, contact_id: int | None) -> PurgeResult:
    """Remove what is older than `state.keep_days`, or all that is kept of one contact."""
    before = world.clock() - timedelta(days=config.state.keep_days)
    with local(config, world, "db purge") as ledger:
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
    contact, or if it is protected or of a type that is not managed, and ApprovalRefused while a
    person wants that nothing is deleted.
    """
    with opened(config, world, "contact delete") as session:
        hold.refuse(session)
        resolve_intents(session)
        listed = session.reader.snapshot(now=session.now())
        found = session.reader.contact(contact_id)
        if found is None:
            raise _no_such(contact_id)
        current = found[0]
        _refuse_protected(session, current)
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


def _refuse_protected(session: Session, current: Contact) -> None:
    rules = session.config.rules(session.ledger.protections(), immediate=True)
    kind = current.field("ContactType")
    why = rules.why_protected(current)
    if kind not in rules.contact_types:
        why = f"its type {kind or '(none)'} is not in pbx.contact_types"
    if why:
        raise UsageError(
            f"Contact {current.id} is not deleted: {why}.",
            hint="if it shall go: take it out of the configuration, and reconcile protect --remove",
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
    return apply_plan(session, approved, run_id, read_at=listed.read_at).outcomes[0]


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
