"""What must be true of every command, seen from outside: I1 to I14 of the manual of safety.

Looks at the phone system's own log, at what its book went through, and at the truth that the test
knows; never at why the program did what it did.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from machine.office import Absence, PlanNote
from machine.witness import PROBE, accepted_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from machine.office import Export, Office
    from machine.witness import Removal, Witness

    from reconcile.report.model import Report
    from reconcile.sandbox.requestlog import LoggedRequest

ABOUT_DELETES = frozenset(
    {"too_many_deletes", "too_large_share", "too_many_in_a_week", "group_lost", "without_grace"}
)
"""Findings that ask for approval without doubting the export: it counts as evidence."""
AFTER_RECORDING = frozenset({"delete_guard_unavailable", "delete_guard_unproven"})
"""Findings that stop the deletes when what the run saw is in the state already."""
_CONTACT = re.compile(r"/xapi/v1/Contacts\((\d+)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One contact as a person in the company knows it, whatever its Id."""

    key: int
    id: int
    person: str | None
    """Whose contact it is; None: nobody of the CRM, it was typed in by hand."""


@dataclass(kw_only=True)
class Command:
    """One command, what it met and what it did."""

    office: Office
    kind: str
    """`plan`, `run`, `dry`, `now`, `history`, `apply`, or another that never deletes."""
    started: datetime
    seen: dict[int, tuple[Entry, Mapping[str, Any]]]
    """Id → the contact at the moment when the command began."""
    export: Export | None
    settings: Mapping[str, Any]
    accepted_before: int
    probed: set[int]
    """Ids that contacts of the probe have had during it."""
    takes_etags: bool
    """Whether this PBX issues ETags and does not refuse every one of them."""
    approved: PlanNote | None = None
    is_newest: bool = False
    stop_file: bool = False
    is_frozen: bool = False
    ended: datetime | None = None
    """Clocks may jump while it runs, either way."""
    report: Report | None = None
    crashed: bool = False
    hushed: int | None = None
    """So many requests had been sent when a person, or the clock, said that no more may be."""
    requests: tuple[LoggedRequest, ...] = ()
    removals: list[Removal] = field(default_factory=list)

    @property
    def times(self) -> tuple[datetime, datetime]:
        """The earliest and the latest moment of it."""
        return min(self.started, self.ended), max(self.started, self.ended)

    @property
    def codes(self) -> set[tuple[str, str]]:
        return {(f.level.value, f.code) for f in self.report.findings} if self.report else set()

    @property
    def is_blocked(self) -> bool:
        return any(level == "block" for level, _ in self.codes)

    @property
    def was_kept_from_recording(self) -> bool:
        return any(level == "block" and code not in AFTER_RECORDING for level, code in self.codes)

    @property
    def doubts(self) -> set[str]:
        return {c for level, c in self.codes if level == "approve"} - ABOUT_DELETES

    @property
    def has_accepted(self) -> bool:
        return accepted_run(self.office.state) > self.accepted_before

    @property
    def deletes(self) -> list[tuple[int, int, LoggedRequest]]:
        """(how many requests came before, Id, request) of every DELETE of a contact we know."""
        found = [(at, r, _CONTACT.search(r.path)) for at, r in enumerate(self.requests)]
        return [
            (at, int(m[1]), r)
            for at, r, m in found
            if r.method == "DELETE" and m and int(m[1]) in self.seen.keys() - self.probed
        ]

    def has_deleted(self, requests: tuple[LoggedRequest, ...]) -> bool:
        """Whether a DELETE of a contact we know has been sent so far."""
        found = [_CONTACT.search(r.path) for r in requests if r.method == "DELETE"]
        return any(m and int(m[1]) in self.seen.keys() - self.probed for m in found)

    def setting(self, name: str, default: Any) -> Any:
        return self.settings.get(name, default)


# ---------------------------------------------------------------------------- what it may know


def learn(command: Command) -> None:
    """What the program may know after a command: always rather more than it does."""
    office, export = command.office, command.export
    if command.report is not None and command.report.run.id is not None:
        for kind, values in office.configured().items():
            office.stuck.setdefault(kind, set()).update(values)
    if export is None or command.kind not in {"plan", "run", "dry", "now", "history", "apply"}:
        return
    is_unknown = command.report is None and command.crashed
    counts = command.has_accepted
    is_repeated = export.sha256 == office.last_sha
    was_recorded = counts or (
        is_repeated
        and command.report is not None
        and not command.was_kept_from_recording
        and not command.doubts
    )
    may_be_recorded = was_recorded or is_unknown
    for entry, fields in command.seen.values():
        if entry.person in export.shown:
            _learn_presence(
                command, entry, fields, may_be_recorded=may_be_recorded, was_recorded=was_recorded
            )
        elif command.kind != "history":
            is_new = counts and not is_repeated
            _learn_absence(command, entry, fields, may_be_recorded=may_be_recorded, is_new=is_new)
    if counts and command.kind != "history":
        office.last_sha = export.sha256
        office.misled |= export.lies and command.approved is not None and command.approved.lies


def _learn_presence(
    command: Command,
    entry: Entry,
    fields: Mapping[str, Any],
    *,
    may_be_recorded: bool,
    was_recorded: bool,
) -> None:
    office = command.office
    if may_be_recorded:
        office.claimable.add(entry.key)
    if command.kind == "history":
        return
    if command.report is not None and not command.was_kept_from_recording:
        office.absent[entry.key] = []
    if was_recorded:
        office.absent[entry.key] = []
        office.known[entry.key] = fields


def _learn_absence(
    command: Command,
    entry: Entry,
    fields: Mapping[str, Any],
    *,
    may_be_recorded: bool,
    is_new: bool,
) -> None:
    office, key = command.office, entry.key
    tagged = fields["Tag"] and fields["Tag"] == command.setting("policy.owner_tag", "")
    first = [Absence(sha256=command.export.sha256, at=command.times[0])] if is_new else []
    if tagged and may_be_recorded:
        office.claimable.add(key)
    if key in office.known and fields != office.known[key]:
        if may_be_recorded:
            office.known[key] = fields
            office.absent[key] = first if tagged else []
    elif is_new and (office.is_protected(fields) or holds(command.export, fields)):
        office.absent[key] = []
    elif is_new:
        office.absent[key] = [*office.absent.get(key, ()), *first]
    office.known.setdefault(key, fields)


def holds(export: Export, fields: Mapping[str, Any]) -> bool:
    numbers = filter(None, (fields["PhoneNumber"], fields["Mobile2"]))
    return any(export.holds(number) for number in numbers)


# ---------------------------------------------------------------------------- what must be true


def judge(command: Command, book: Witness) -> None:
    """Everything that can be wrong with a command, said with what it was."""
    for what in violations(command, book):
        raise AssertionError(f"{what} [{command.kind}]")


def violations(command: Command, book: Witness) -> Iterator[str]:
    yield from _wire(command)
    yield from _strangers(command, book)
    yield from _amounts(command)
    for at, contact_id, request in command.deletes:
        entry, fields = command.seen[contact_id]
        label = f"DELETE of {entry}, request {at}"
        for check in (_ownership, _absence, _authority, _truth):
            yield from (f"{label}: {what}" for what in check(command, entry, fields))
        yield from (f"{label}: {what}" for what in _condition(command, book, request, fields))
    for removal in command.removals:
        yield from _removed(command, removal)


def _wire(command: Command) -> Iterator[str]:
    """I10, I11: who may not delete sends nothing but GETs and the token request."""
    others = {r.method for r in command.requests if "/connect/token" not in r.path} - {"GET"}
    if command.kind in {"plan", "dry", "now", "history", "adopt", "none"} and others:
        yield f"I11: a dry run sent {others}"
    if command.kind == "run" and command.settings["mode"] == "review" and others:
        yield f"I11: a run in review mode sent {others}"
    if command.kind == "restore" and others - {"POST"}:
        yield f"a restore sent {others}"
    if command.is_blocked and command.deletes and "held" not in str(command.codes):
        yield f"I10: deletes in spite of {command.codes}"
    if command.stop_file and command.deletes:
        yield "deletes although the file STOP was there"
    if command.is_frozen and command.deletes:
        yield "deletes in spite of a freeze"
    if command.hushed is not None:
        late = {i for at, i, _ in command.deletes if at >= command.hushed}
        if len(late) > 1:
            yield f"deletes after it was told to stop: {late}"


def _strangers(command: Command, book: Witness) -> Iterator[str]:
    """Deletes of nobody we know are those of the probe's own contacts; none is in bulk."""
    for request in command.requests:
        found = _CONTACT.search(request.path)
        if request.method == "DELETE" and (not found or int(found[1]) not in command.seen):
            names = {
                fields["FirstName"]
                for (i, _), fields in book.contents.items()
                if found and i == int(found[1])
            }
            if PROBE not in names:
                yield f"a DELETE of nobody we know: {request}"
        if "Delete" in request.path:
            yield f"a bulk action: {request}"


def _amounts(command: Command) -> Iterator[str]:
    """I8: so many a run and in seven days, unless a person approved just this plan."""
    count = len({i for _, i, _ in command.deletes})
    if command.kind != "run" or not count:
        return
    base = len(command.seen)
    if count > command.setting("policy.max_deletes", 20):
        yield f"I8: {count} deletes are more than allowed"
    percent = command.setting("policy.max_delete_percent", 2.0)
    if count > 2 and count / base * 100 > percent:
        yield f"I8: {count} deletes of {base} are more than {percent} %"
    week = [at for at in command.office.deleted if _within_a_week(command.times[0], at)]
    sum_, base = count + len(week), base + len(week)
    percent = command.setting("policy.max_weekly_percent", 5.0)
    if sum_ > 10 and sum_ / base * 100 > percent:
        yield f"I8: {sum_} deletes of {base} in a week are more than {percent} %"


def _within_a_week(now: datetime, then: datetime) -> bool:
    return now - timedelta(days=7) < then <= now


def _ownership(command: Command, entry: Entry, fields: Mapping[str, Any]) -> Iterator[str]:
    """I2, I5: ours, of a managed type, and unprotected."""
    if entry.key not in command.office.claimable:
        yield "I2: it was never claimed"
    if fields["ContactType"] != "3CX":
        yield "I5: its type is not managed"
    if command.office.is_protected(fields):
        yield "I5: it is protected"


def _absence(command: Command, entry: Entry, fields: Mapping[str, Any]) -> Iterator[str]:
    """I3, I4, I5: absent in enough exports, for long enough, unedited, and in no corner of them."""
    export = command.export
    if export is None:
        yield "I3: there was no export"
        return
    if entry.person in export.shown:
        yield "I3: its person stands in this very export"
    if holds(export, fields):
        yield "I5: its number stands somewhere in the export"
    if command.approved and command.approved.immediate:
        return
    absences = command.office.absent.get(entry.key, [])
    needed = command.setting("policy.grace_exports", 2)
    if len(absences) < needed:
        yield f"I3, I4: absent and unedited in {len(absences)} exports of {needed}"
    elif command.times[1] - absences[0].at < timedelta(
        hours=command.setting("policy.grace_hours", 20)
    ):
        yield f"I3: absent only since {absences[0].at}, at {command.times[1]}"


def _authority(command: Command, entry: Entry, fields: Mapping[str, Any]) -> Iterator[str]:
    """I1, I8: in a plan that a person approved, once and in time; or in mode auto with no doubt."""
    if command.kind == "run":
        if command.settings["mode"] != "auto":
            yield "I1: nobody approved it, and the mode is review"
        if asks := {c for level, c in command.codes if level == "approve"}:
            yield f"I8: {asks} ask for a person"
        return
    plan = command.approved
    if command.kind != "apply" or plan is None:
        yield f"I1: {command.kind} deletes nothing"
        return
    if plan.digest in command.office.used:
        yield "I1: the approval was used before"
    if not command.is_newest:
        yield "I1: the plan was overtaken"
    ages = [moment - plan.at for moment in command.times]
    if not any(timedelta() <= age <= timedelta(hours=24) for age in ages):
        yield f"I1: the plan is of {plan.at}, at {command.started}"
    if plan.deletes.get(entry.key) != fields:
        yield "I1, I4: it is not in the approved plan as it is now"
    if policy(plan.settings) != policy(command.settings):
        yield "I1: the plan was made under another policy"


def policy(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a plan was made under; an owner tag that is empty is none at all."""
    named = {n: v for n, v in settings.items() if n.startswith("policy.") and v != ""}
    named.pop("policy.protect", None)
    return {**named, "pbx.delete_guard": settings["pbx.delete_guard"]}


def _truth(command: Command, entry: Entry, _fields: Mapping[str, Any]) -> Iterator[str]:
    """What it is all about; a person who approves a lie is the only excuse."""
    if command.export and entry.person in command.export.truth and not command.office.misled:
        yield "ITS PERSON IS IN THE CRM"


def _condition(
    command: Command, book: Witness, request: LoggedRequest, fields: Mapping[str, Any]
) -> Iterator[str]:
    """I6: If-Match is an ETag that the server issued for exactly the content of the plan."""
    tag = request.if_match
    if tag is None:
        if command.settings["pbx.delete_guard"] == "etag" or command.takes_etags:
            yield "I6: without If-Match"
        return
    issued = book.contents.get((fields["Id"], tag.removeprefix("W/").strip('"')))
    if issued is None:
        yield f"I6: {tag} was never issued"
    elif dict(issued) != dict(fields):
        yield f"I6: {tag} was issued for another content"


def _removed(command: Command, removal: Removal) -> Iterator[str]:
    """I4, I7: what is gone is what was planned, and was buried first."""
    if removal.fields["FirstName"] == PROBE:
        return
    label = f"contact {removal.contact_id} is gone"
    if removal.contact_id not in command.seen:
        yield f"{label}: nobody planned that"
        return
    _, fields = command.seen[removal.contact_id]
    if dict(removal.fields) != dict(fields):
        yield f"{label}: I4: edited since the plan"
    if removal.grave is None:
        yield f"{label}: I7: without a tombstone"
    elif _whole(removal.grave) != _whole(removal.fields):
        yield f"{label}: I7: the tombstone is not the contact"


def _whole(entity: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entity.items() if value not in {None, ""}}
