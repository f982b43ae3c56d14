"""What is ours to delete and what is never deleted, as a person says: adopt, release, protect.

Every change says in the history who made it. Nothing here deletes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconcile.core.plan import claim_for
from reconcile.errors import UsageError
from reconcile.model import (
    Claim,
    ClaimOrigin,
    Contact,
    Decision,
    Exit,
    PbxSnapshot,
    ProtectionKind,
    ProtectionRecord,
    Status,
    Verdict,
)
from reconcile.planning import Request, configured, planned_decisions
from reconcile.session import World, local, opened, state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sized

    from reconcile.config import Config, Protect
    from reconcile.store.ledger import Ledger


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
        done = f"{_counted(adoption.contacts)} claimed by {world.user}."
        _note(session.ledger, config, world, command="adopt", done=done)
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


def _note(ledger: Ledger, config: Config, world: World, *, command: str, done: str) -> None:
    """A line in the history: who did what, and when."""
    now = world.clock()
    run_id = ledger.begin_run(command=command, mode=config.mode, now=now)
    ledger.finish_run(
        run_id,
        status=Status.CLEAN,
        exit_code=Exit.CONVERGED,
        digest="",
        headline=done,
        now=now,
    )


def _counted(contacts: Sized) -> str:
    count = len(contacts)
    return "1 contact was" if count == 1 else f"{count:,} contacts were"


# ---------------------------------------------------------------------------- release


def release_once(config: Config, world: World, ids: frozenset[int]) -> tuple[str, ...]:
    """Give up the claims on contacts, so that no plan deletes them; a sentence for each.

    A contact that matches the CRM again is claimed again: what must stay for good is protected.
    """
    with local(config, world, "release") as ledger:
        claims = ledger.view(now=world.clock()).claims
        ours = ids & claims.keys()
        if ours:
            ledger.release(ours)
            done = f"{_counted(ours)} released by {world.user}."
            _note(ledger, config, world, command="release", done=done)
    return tuple(
        f"Contact {i} is released: it is unmanaged until it matches the CRM again."
        if i in ours
        else f"Contact {i} has no claim, so it is not ours to delete anyway."
        for i in sorted(ids)
    )


# ---------------------------------------------------------------------------- protect


def protections(config: Config, world: World) -> tuple[ProtectionRecord, ...]:
    """What the state protects, and what the configuration adds with the next run."""
    with state(config) as ledger:
        kept = ledger.protections()
    known = {(record.kind, record.value) for record in kept}
    return (
        *kept,
        *(r for r in configured(config, world.clock()) if (r.kind, r.value) not in known),
    )


def protect_once(config: Config, world: World, named: Protect, *, why: str) -> tuple[str, ...]:
    """Protect contacts, whatever the CRM says and whatever becomes of the configuration."""
    listed = named.entries()
    with local(config, world, "protect") as ledger:
        for kind, value in listed:
            ledger.protect(
                ProtectionRecord(
                    kind=kind,
                    value=value,
                    created_by=world.user,
                    created_at=world.clock(),
                    reason=why,
                )
            )
        done = f"{len(listed)} protections made by {world.user}."
        _note(ledger, config, world, command="protect", done=done)
    return tuple(f"Protected: {kind} {value}." for kind, value in listed)


def unprotect_once(config: Config, world: World, named: Protect) -> tuple[str, ...]:
    """Take protections back; those that the configuration names come again with the next run."""
    listed, lasting = named.entries(), set(config.policy.protect.entries())
    with local(config, world, "protect") as ledger:
        gone = {entry for entry in listed if ledger.unprotect(kind=entry[0], value=entry[1])}
        if gone:
            done = f"{len(gone)} protections taken back by {world.user}."
            _note(ledger, config, world, command="protect --remove", done=done)
    return tuple(
        _taken_back(entry, was=entry in gone, lasting=entry in lasting) for entry in listed
    )


def _taken_back(entry: tuple[ProtectionKind, str], *, was: bool, lasting: bool) -> str:
    kind, value = entry
    if lasting:
        return (
            f"Still protected: {kind} {value} stands in policy.protect of the configuration; take"
            " it out there first."
        )
    return f"No longer protected: {kind} {value}." if was else f"Not protected: {kind} {value}."
