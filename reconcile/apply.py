"""Each contact in its order: re-read, compare, intent, DELETE, outcome.

Owns the order of these steps and the table of section 6 of the design; must never delete without an
`ApprovedPlan`, a re-read that equals the plan, and an intent with its tombstone on disk. Nothing
but a GET is ever repeated blindly: after an answer that leaves open what happened, it looks first.

The contacts of a run are taken one after the other until a first delete is confirmed, and from then
on in several lanes, each with one contact in hand. "Stop" means all of them: no lane takes another
contact, and none sends a DELETE any more; what is on its way gets its outcome.

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

from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Protocol

from reconcile.errors import PbxError, StateError
from reconcile.lanes import Counted, Gathered, abreast
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
    from contextlib import AbstractContextManager
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


class SharableJournal(Journal, Protocol):
    """A journal whose entries can share a commit."""

    def together(self) -> AbstractContextManager[None]:
        """One commit, at its end, for all that is written inside."""


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
    journal: SharableJournal
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    held: Callable[[], Held | None]
    """Why the run may not delete now; asked right before each DELETE."""
    lanes: Callable[[], int] = lambda: 1
    """How many contacts may be in hand now; fewer once the PBX has complained."""


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
    course = _Course(plan, interrupted, progress)
    hand = _Hand(plan, tools, run_id, course, tools.journal, tools.held)
    _lane(course, hand, lambda: tools.lanes() == 1 or not hand.canary_confirmed)
    if course.goes_on:
        hand.journal = journal = _SharedJournal(tools.journal)
        hand.held = _asked_together(tools.held)
        lanes = Counted(tools.lanes)
        try:
            abreast(partial(_lane, course, hand, lanes.may_stay), lanes.count)
            journal.finish()
        except (KeyboardInterrupt, StateError) as error:
            course.end(error)
    return course.applied()


def _lane(course: _Course, hand: _Hand, goes_on: Callable[[], bool]) -> None:
    """Take one contact after the other, until none is left or something ends it for all."""
    try:
        while goes_on() and (taken := course.take()) is not None:
            at, decision = taken
            try:
                course.note(at, hand.take(decision))
            except _Stop as stop:
                course.end(stop)
                course.note(at, stop.outcome)
    except BaseException as error:  # noqa: BLE001 - raised again where all lanes have ended
        course.end(error)


class _Course:
    """How far the plan is: which contact is next, what became of the others, and why it ended."""

    def __init__(
        self,
        plan: ApprovedPlan,
        interrupted: Callable[[], bool],
        progress: Callable[[int, int], None],
    ) -> None:
        self._plan = plan
        self._interrupted = interrupted
        self._progress = progress
        self._next = 0
        self._outcomes: dict[int, ContactOutcome] = {}
        """By the place in the plan."""
        self._stop: _Stop | None = None
        self._failure: BaseException | None = None
        """What neither the PBX nor the state of the run explains: of the journal, or a bug."""
        self._was_interrupted = False
        self._lock = Lock()

    @property
    def goes_on(self) -> bool:
        """Whether there is another contact, and no reason to leave it."""
        ended = self._stop or self._failure or self._was_interrupted
        return not ended and self._next < len(self._plan.deletes)

    @property
    def ended(self) -> str:
        """Why nothing more is sent, not even what is in hand; "" while something may be."""
        if self._failure is not None:
            return "the run failed before it was sent"
        return f"the run stopped: {self._stop.why}" if self._stop else ""

    def take(self) -> tuple[int, Decision] | None:
        """The next contact and its place in the plan; None if there is none for anybody."""
        with self._lock:
            self._was_interrupted |= self.goes_on and self._interrupted()
            if not self.goes_on:
                return None
            at = self._next
            self._next += 1
        return at, self._plan.deletes[at]

    def note(self, at: int, outcome: ContactOutcome) -> None:
        """What became of a contact."""
        with self._lock:
            self._outcomes[at] = outcome
            self._progress(len(self._outcomes), len(self._plan.deletes))

    def end(self, why: BaseException) -> None:
        """Nothing more is sent, by no lane; the first reason counts."""
        with self._lock:
            if isinstance(why, _Stop):
                self._stop = self._stop or why
            else:
                self._failure = self._failure or why

    def applied(self) -> Applied:
        """What became of all, in the plan's order. Raises a failure, once every lane has ended."""
        if isinstance(self._failure, StateError):
            self._failure.consequence = self._so_far()
        if self._failure is not None:
            raise self._failure
        why = self.ended or "the run was interrupted"
        outcomes = [
            self._outcomes.get(at) or _not_attempted(decision, self._plan.guard, why)
            for at, decision in enumerate(self._plan.deletes)
        ]
        if self._stop:
            return Applied(outcomes=tuple(outcomes), stopped=self._stop.why, held=self._stop.held)
        stopped = "interrupted" if self._was_interrupted else ""
        return Applied(outcomes=tuple(outcomes), stopped=stopped, interrupted=self._was_interrupted)

    def _so_far(self) -> str:
        """What is true when the journal can't be written: no DELETE left without its intent."""
        deleted = sum(1 for o in self._outcomes.values() if o.outcome is Outcome.DELETED)
        return f"Deleted before: {deleted}. The next run looks what became of what was in hand."


def _not_attempted(decision: Decision, guard: DeleteGuard, why: str) -> ContactOutcome:
    return ContactOutcome(
        contact_id=decision.contact.id, outcome=Outcome.NOT_ATTEMPTED, guard=guard, detail=why
    )


def _asked_together(held: Callable[[], Held | None]) -> Callable[[], Held | None]:
    """The same for several lanes: one look for all who ask at the same time."""
    look: Gathered[None, Held | None] = Gathered(lambda askers: [held()] * len(askers))
    return partial(look, None)


class _SharedJournal:
    """A journal for several lanes, whose entries share commits.

    A lane goes on once its intent is committed. Its outcome goes with the next commit of anybody:
    if there is none any more, the next run looks, as after a kill.
    """

    def __init__(self, journal: SharableJournal) -> None:
        self._journal = journal
        self._write: Gathered[Callable[[], Any], Any] = Gathered(self._write_all)

    def intend(self, **intent: Any) -> int:  # noqa: ANN401 - as the journal's own
        """Commit the tombstone and the intent, with what others have to write."""
        action_id: int = self._write(partial(self._journal.intend, **intent))
        return action_id

    def settle(self, action_id: int, **outcome: Any) -> None:  # noqa: ANN401 - as the journal's own
        """Have the outcome committed with the next intent, or by `finish`."""
        self._write.leave(partial(self._journal.settle, action_id, **outcome))

    def finish(self) -> None:
        """Commit what is left. Raises StateError."""
        self._write.finish()

    def _write_all(self, entries: list[Callable[[], Any]]) -> list[Any]:
        with self._journal.together():
            return [write() for write in entries]


@dataclass(slots=True)
class _Hand:
    """Takes contact after contact, in every lane; remembers what bears on the next ones."""

    plan: ApprovedPlan
    tools: Tools
    run_id: int
    course: _Course
    journal: Journal
    held: Callable[[], Held | None]
    canary_confirmed: bool = False
    unforeseen: int = 0
    """Answers in a row that said gone of what had just been read; over all lanes."""
    waited: float = 0.0
    """Seconds, over all contacts."""
    waits: int = 0
    """How often the PBX asked to wait, and was waited for."""
    waiting: Lock = field(default_factory=Lock)
    """Whoever waits for the PBX has it; nobody asks it for anything meanwhile."""

    def take(self, decision: Decision) -> ContactOutcome:
        """One contact, from its re-read to its outcome."""
        attempt = _Attempt(decision)
        while True:
            with self.waiting:
                pass  # nobody asks the PBX for anything while it has asked to be left alone
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
            if (held := self.held()) is not None:
                raise _Stop(self._refrained(attempt, held.why), held.why, held)
            if why := self.course.ended:
                return self._refrained(attempt, why)
            attempt.waits_before = self.waits
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
        return self.journal.intend(
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
        """Wait as long as the server asks; stop if that is too long or too often.

        One lane waits for all: who was asked to wait before it did has waited with it.
        """
        wait = _WAIT if answer.retry_after is None else answer.retry_after
        attempt.waits += 1
        with self.waiting:
            is_new = attempt.waits_before == self.waits
            self.waited += wait if is_new else 0
            too_long = attempt.waits > _MAX_WAITS or wait > _MAX_WAIT or self.waited > _MAX_WAITED
            if is_new and not too_long:
                self.tools.sleep(max(wait, 0.0))
                self.waits += 1
        if too_long:
            raise self._refused(attempt, f"{detail}, and asks to wait too long", answer.status)

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
            self.journal.settle(
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

    def _refrained(self, attempt: _Attempt, why: str) -> ContactOutcome:
        """No DELETE is sent any more; one that was sent before may still be on its way."""
        under_way = attempt.in_doubt and not attempt.without_effect
        outcome = Outcome.UNCONFIRMED if under_way else Outcome.NOT_ATTEMPTED
        return self._end(attempt, outcome, why)


@dataclass(slots=True)
class _Attempt:
    """What has been tried with the contact in hand."""

    decision: Decision
    sent: Contact | None = None
    """The contact as the last re-read showed it, with the tag that its DELETE carried."""
    action_id: int | None = None
    renewals: int = 0
    waits: int = 0
    waits_before: int = 0
    """How often anybody had waited for the PBX when the last DELETE was sent."""
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
