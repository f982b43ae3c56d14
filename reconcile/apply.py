"""One contact at a time: re-read, compare, intent, DELETE, outcome.

Owns the order of these steps and the table of section 6 of the design; must never delete without an
`ApprovedPlan`, a re-read that equals the plan, and an intent with its tombstone on disk. Nothing
but a GET is ever repeated blindly: after an answer that leaves open what happened, it looks first.

| answer to DELETE             | what is done                                                    |
|------------------------------|-----------------------------------------------------------------|
| 200, 204                     | `deleted`; a run's first one is confirmed by GET before the next|
| 404, 410                     | look: there → `refused`, stop; gone → `already_gone`; two in a  |
|                              | row that no re-read foresaw: stop. After an answer that left it |
|                              | open, it was ours: `deleted`                                    |
| 412, 409, 428                | `changed`: kept, never tried again in this run; but a look that |
|                              | finds it unchanged, tag and all → `refused`, stop               |
| 401                          | begun again from its re-read; a second 401 stops the run        |
| 429, 503                     | wait as asked (bounded), begun again from its re-read           |
| other 5xx, timeout, lost     | look: gone → `deleted`; unchanged → once more; changed →        |
|                              | `changed`; unreadable → `unconfirmed`, stop                     |
| 403, 3xx, 405, anything else | stop, and look: there → `refused`; gone → `deleted`, but after a |
|                              | 403, which may hide contacts, `unconfirmed`                     |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from reconcile.errors import PbxError, StateError
from reconcile.model import (
    Acceptance,
    Action,
    Answer,
    Contact,
    ContactOutcome,
    ContentMatch,
    Decision,
    DeleteGuard,
    Held,
    IfMatch,
    Outcome,
    Precondition,
    Probe,
    ServerEtag,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

_DONE: Final = frozenset({200, 204})
_GONE: Final = frozenset({404, 410})
_MOVED: Final = frozenset({412, 409, 428})
_UNAUTHORIZED: Final = 401
_UNAVAILABLE: Final = 503
_ERRORS: Final = 500
_BUSY: Final = frozenset({429, 503})
_WITHDRAWN: Final = frozenset({401, 403, 429})
"""Answers that say by their meaning that nothing was done."""
_BROKEN: Final = frozenset(range(500, 600)) - _BUSY
_MAX_WAIT: Final = 120.0
"""Seconds; a server that asks for more is not waited for."""
_MAX_WAITED: Final = 600.0
"""Seconds; so much waiting is left to a later run, over all contacts of this one."""
_WAIT: Final = 2.0
"""Seconds, when a 429 or 503 doesn't say how long."""
_MAX_WAITS: Final = 3
_MAX_UNFORESEEN: Final = 2
_LEFT_OPEN: Final = "an earlier run left it open; a look showed that"


class Reader(Protocol):
    """What apply needs of a `PbxReader`."""

    def contact(self, contact_id: int) -> tuple[Contact, dict[str, Any]] | None:
        """Read the contact as it is now, and its raw entity; None if there is none."""


class Writer(Protocol):
    """What apply needs of a `PbxWriter`."""

    def delete(self, contact_id: int, precondition: Precondition) -> Answer:
        """One conditional DELETE, never repeated by itself."""


class Journal(Protocol):
    """What apply needs of the ledger: intent before, outcome after, each its own commit."""

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
        """Commit the tombstone and the intent; gives the action's id."""

    def settle(self, action_id: int, *, outcome: Outcome, detail: str, now: datetime) -> None:
        """Commit the outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedPlan:
    """The only thing that is ever executed: what a person, or `mode = "auto"`, let through."""

    digest: str
    approved_by: str
    guard: DeleteGuard
    probe: Probe | None
    deletes: tuple[Decision, ...]

    def __post_init__(self) -> None:
        """Refuse a plan whose guard is not available: absence of the proof refuses."""
        enforced = self.probe is not None and self.probe.if_match is IfMatch.ENFORCED
        if not self.digest or not self.approved_by:
            raise ValueError("a plan is approved by naming its digest and who approved it")
        if self.guard is DeleteGuard.ETAG and not enforced:
            raise ValueError("delete_guard etag needs the proof that a stale ETag is refused")

    @property
    def refuses_tags(self) -> bool:
        """Whether the PBX was seen to refuse every ETag, the right one too."""
        return self.probe is not None and self.probe.right_etag is Acceptance.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of every delete of the plan, in its order."""

    outcomes: tuple[ContactOutcome, ...]
    stopped: str = ""
    """Why the rest was not attempted; "" if all was."""
    interrupted: bool = False
    held: Held | None = None
    """What was no longer true of the run, if that stopped it."""


class _Stop(Exception):
    """Nothing more is deleted in this run."""

    def __init__(self, outcome: ContactOutcome, why: str, held: Held | None = None) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why
        self.held = held


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What deleting needs of the world."""

    reader: Reader
    writer: Writer
    journal: Journal
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    held: Callable[[], Held | None]
    """Why the run may not delete now; asked right before each DELETE."""


def execute(
    plan: ApprovedPlan,
    tools: Tools,
    *,
    run_id: int,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Applied:
    """Delete what the plan says, each contact under its precondition.

    Raises nothing that the PBX can cause: whatever it answers is an outcome. A StateError of the
    journal is raised, and then no DELETE was sent without its intent.
    """
    hand = _Hand(plan, tools, run_id)
    outcomes: list[ContactOutcome] = []
    for decision in plan.deletes:
        if interrupted():
            rest = _not_attempted(plan, len(outcomes), "the run was interrupted")
            return Applied(outcomes=(*outcomes, *rest), stopped="interrupted", interrupted=True)
        try:
            outcomes.append(hand.take(decision))
        except StateError as error:
            error.consequence = _so_far(outcomes)
            raise
        except _Stop as stop:
            outcomes.append(stop.outcome)
            rest = _not_attempted(plan, len(outcomes), f"the run stopped: {stop.why}")
            return Applied(outcomes=(*outcomes, *rest), stopped=stop.why, held=stop.held)
        progress(len(outcomes), len(plan.deletes))
    return Applied(outcomes=tuple(outcomes))


def _so_far(outcomes: list[ContactOutcome]) -> str:
    """What is true when the journal can't be written: no DELETE left without its intent."""
    deleted = sum(1 for o in outcomes if o.outcome is Outcome.DELETED)
    return f"Deleted before: {deleted}. The next run looks what became of the contact in hand."


def _not_attempted(plan: ApprovedPlan, done: int, why: str) -> tuple[ContactOutcome, ...]:
    return tuple(
        ContactOutcome(
            contact_id=d.contact.id,
            outcome=Outcome.NOT_ATTEMPTED,
            guard=plan.guard,
            detail=why,
        )
        for d in plan.deletes[done:]
    )


@dataclass(slots=True)
class _Hand:
    """Takes one contact after the other, and remembers what bears on the next."""

    plan: ApprovedPlan
    tools: Tools
    run_id: int
    canary_confirmed: bool = False
    unforeseen: int = 0
    waited: float = 0.0
    """Seconds, over all contacts."""

    def take(self, decision: Decision) -> ContactOutcome:
        """One contact, from its re-read to its outcome."""
        attempt = _Attempt(decision)
        while True:
            current = self._reread(attempt)
            if current is None and attempt.in_doubt:
                return self._found_gone(attempt, "its DELETE was not answered")
            if current is None:
                return self._end(attempt, Outcome.ALREADY_GONE, "it was gone when it was re-read")
            contact, entity = current
            if contact.fingerprint != decision.contact.fingerprint:
                return self._end(attempt, Outcome.CHANGED, "it was edited in 3CX after the plan")
            precondition, attempt.sent = self._precondition(attempt, contact), contact
            if attempt.action_id is None:
                attempt.action_id = self._intend(decision, contact, entity)
            if (held := self.tools.held()) is not None:
                raise self._refrained(attempt, held)
            answer = self.tools.writer.delete(contact.id, precondition)
            if (outcome := self._outcome(attempt, answer)) is not None:
                return outcome

    def _reread(self, attempt: _Attempt) -> tuple[Contact, dict[str, Any]] | None:
        try:
            return self.tools.reader.contact(attempt.decision.contact.id)
        except PbxError as error:
            known = attempt.action_id is None or attempt.without_effect
            outcome = Outcome.NOT_ATTEMPTED if known else Outcome.UNCONFIRMED
            why = f"it could not be read: {str(error).rstrip('.')}"
            raise self._stop(attempt, outcome, why) from error

    def _precondition(self, attempt: _Attempt, contact: Contact) -> Precondition:
        """The tag that the server issued for exactly this content, or the comparison itself.

        Under `compare` a tag is left out where the probe saw that even the right one is refused.
        """
        if contact.etag and not self.plan.refuses_tags:
            return ServerEtag(tag=contact.etag)
        if self.plan.guard is DeleteGuard.ETAG:
            raise self._stop(attempt, Outcome.REFUSED, "3CX issued no ETag for it")
        return ContentMatch(fingerprint=contact.fingerprint)

    def _intend(self, decision: Decision, contact: Contact, entity: Mapping[str, Any]) -> int:
        return self.tools.journal.intend(
            run_id=self.run_id,
            contact_id=contact.id,
            fingerprint=contact.fingerprint,
            guard=self.plan.guard,
            entity=entity,
            reason=decision.reason,
            crm_id=decision.crm_id,
            now=self.tools.clock(),
        )

    def _outcome(self, attempt: _Attempt, answer: Answer) -> ContactOutcome | None:
        """The table of the module's docstring; None: begin again from the re-read."""
        said = f"3CX answered {answer.status}" if answer.status else "no answer came back"
        detail = f"{said}: {answer.detail}" if answer.detail else said
        status = answer.status
        attempt.without_effect = status != _UNAVAILABLE
        attempt.in_doubt |= status is None or status >= _ERRORS
        if status in _DONE:
            return self._deleted(attempt, detail)
        if status in _GONE or answer.not_found:
            return self._said_gone(attempt, detail)
        if status in _MOVED:
            return self._moved(attempt, detail)
        if status == _UNAUTHORIZED and attempt.allows_renewal():
            return None
        if status in _BUSY:
            self._waited(attempt, answer, detail)
            return None
        if status is None or status in _BROKEN:
            return self._unknown(attempt, detail)
        raise self._refused(attempt, detail, status)

    def _deleted(self, attempt: _Attempt, detail: str) -> ContactOutcome:
        """Book it; the canary only after a GET has shown that it is really gone."""
        if not self.canary_confirmed:
            attempt.without_effect = False
            current = self._reread(attempt)
            planned = attempt.decision.contact.fingerprint
            # With another content the Id is somebody else's by now, so this one is gone.
            if current is not None and current[0].fingerprint == planned:
                why = f"{detail}, but the contact is still there"
                raise self._stop(attempt, Outcome.UNCONFIRMED, why)
            self.canary_confirmed = True
        self.unforeseen = 0
        return self._end(attempt, Outcome.DELETED, detail)

    def _moved(self, attempt: _Attempt, detail: str) -> ContactOutcome:
        """Changed, unless it is what was sent: then this PBX refuses every such delete."""
        try:
            current = self.tools.reader.contact(attempt.decision.contact.id)
        except PbxError:
            outcome = Outcome.UNCONFIRMED if attempt.in_doubt else Outcome.CHANGED
            return self._end(attempt, outcome, detail)
        if current is None and attempt.in_doubt:
            return self._found_gone(attempt, detail)
        if current is None:
            return self._end(attempt, Outcome.ALREADY_GONE, f"{detail}; a look: it is gone")
        if current[0] == attempt.sent:
            why = f"{detail}, though it has not changed; reconcile doctor --probe finds out why"
            raise self._stop(attempt, Outcome.REFUSED, why)
        return self._end(attempt, Outcome.CHANGED, detail)

    def _said_gone(self, attempt: _Attempt, detail: str) -> ContactOutcome:
        """Gone between re-read and DELETE: by a person once, by a wrong base path twice."""
        doubted, attempt.without_effect = attempt.in_doubt, False
        if self._reread(attempt) is not None:
            raise self._stop(attempt, Outcome.REFUSED, f"{detail}, but the contact is there")
        if doubted:
            return self._found_gone(attempt, detail)
        self.unforeseen += 1
        if self.unforeseen >= _MAX_UNFORESEEN:
            why = f"{detail}, twice in a row for contacts that had just been read"
            raise self._stop(attempt, Outcome.ALREADY_GONE, why)
        return self._end(attempt, Outcome.ALREADY_GONE, detail)

    def _refused(self, attempt: _Attempt, detail: str, status: int | None = None) -> _Stop:
        """Nothing more in this run; what such an answer did to the contact, a look shows.

        Only a look that finds it proves that nothing was done. After an answer that withdraws
        rights, one that finds nothing proves as little: lost rights hide contacts.
        """
        is_clear = status in _WITHDRAWN and not attempt.in_doubt
        try:
            current = self.tools.reader.contact(attempt.decision.contact.id)
        except PbxError:
            outcome = Outcome.REFUSED if is_clear else Outcome.UNCONFIRMED
            return self._stop(attempt, outcome, detail)
        if current is not None:
            return self._stop(attempt, Outcome.REFUSED, detail)
        outcome = Outcome.UNCONFIRMED if is_clear else Outcome.DELETED
        return self._stop(attempt, outcome, f"{detail}; a look showed that it is gone")

    def _waited(self, attempt: _Attempt, answer: Answer, detail: str) -> None:
        """Wait as long as the server asks; stop if that is too long or too often."""
        wait = _WAIT if answer.retry_after is None else answer.retry_after
        attempt.waits += 1
        self.waited += wait
        if attempt.waits > _MAX_WAITS or wait > _MAX_WAIT or self.waited > _MAX_WAITED:
            raise self._refused(attempt, f"{detail}, and asks to wait too long", answer.status)
        self.tools.sleep(max(wait, 0.0))

    def _unknown(self, attempt: _Attempt, detail: str) -> ContactOutcome | None:
        """Nobody knows whether the server did it: look, then act."""
        attempt.without_effect = False
        current = self._reread(attempt)
        if current is None:
            return self._found_gone(attempt, detail)
        if current[0].fingerprint != attempt.decision.contact.fingerprint:
            return self._end(attempt, Outcome.CHANGED, f"{detail}; a look showed that it changed")
        attempt.without_effect = True
        attempt.unknowns += 1
        if attempt.unknowns > 1:
            raise self._stop(attempt, Outcome.REFUSED, f"{detail}, twice; the contact is there")
        return None

    def _found_gone(self, attempt: _Attempt, detail: str) -> ContactOutcome:
        """Gone after a DELETE that nobody answered for: ours, so that restore brings it back."""
        self.canary_confirmed = True
        self.unforeseen = 0
        return self._end(attempt, Outcome.DELETED, f"{detail}; a look showed that it is gone")

    def _end(self, attempt: _Attempt, outcome: Outcome, detail: str) -> ContactOutcome:
        """Commit the outcome, if there was an intent."""
        if attempt.action_id is not None:
            self.tools.journal.settle(
                attempt.action_id, outcome=outcome, detail=detail, now=self.tools.clock()
            )
        return ContactOutcome(
            contact_id=attempt.decision.contact.id,
            outcome=outcome,
            guard=self.plan.guard,
            detail=detail,
        )

    def _stop(self, attempt: _Attempt, outcome: Outcome, why: str) -> _Stop:
        label = f"contact {attempt.decision.contact.id}"
        return _Stop(self._end(attempt, outcome, why), f"{label}: {why}")

    def _refrained(self, attempt: _Attempt, held: Held) -> _Stop:
        """No DELETE is sent any more; one that was sent before may still be on its way."""
        under_way = attempt.in_doubt and not attempt.without_effect
        outcome = Outcome.UNCONFIRMED if under_way else Outcome.NOT_ATTEMPTED
        return _Stop(self._end(attempt, outcome, held.why), held.why, held)


@dataclass(slots=True)
class _Attempt:
    """What has been tried with the contact in hand."""

    decision: Decision
    sent: Contact | None = None
    """The contact as the last re-read showed it, with the tag that its DELETE carried."""
    action_id: int | None = None
    renewals: int = 0
    waits: int = 0
    unknowns: int = 0
    in_doubt: bool = False
    """An answer left open whether the DELETE was done (nothing, or a 5xx of a proxy)."""
    without_effect: bool = False
    """The last answer said that nothing was done (401, 429)."""

    def allows_renewal(self) -> bool:
        """Whether this is the contact's first 401."""
        self.renewals += 1
        return self.renewals == 1


def resolve(
    actions: Iterable[Action],
    *,
    reader: Reader,
    journal: Journal,
    clock: Callable[[], datetime],
) -> tuple[ContactOutcome, ...]:
    """Find out what became of intents that a run left open: by looking, never by assuming.

    A run that died left them without an outcome; one that could not look, `unconfirmed`.

    Raises PbxError if 3CX can't be asked; what was resolved until then stays resolved.
    """
    return tuple(_resolved(action, reader, journal, clock) for action in actions)


def _resolved(
    action: Action, reader: Reader, journal: Journal, clock: Callable[[], datetime]
) -> ContactOutcome:
    current = reader.contact(action.contact_id)
    if current is None:
        outcome, detail = Outcome.DELETED, f"{_LEFT_OPEN} it is gone"
    elif current[0].fingerprint == action.fingerprint:
        outcome, detail = Outcome.NOT_ATTEMPTED, f"{_LEFT_OPEN} it is unchanged"
    else:
        outcome, detail = Outcome.CHANGED, f"{_LEFT_OPEN} it changed"
    journal.settle(action.id, outcome=outcome, detail=detail, now=clock())
    return ContactOutcome(
        contact_id=action.contact_id, outcome=outcome, guard=action.guard, detail=detail
    )
