"""Why a contact is, or was, kept, waiting or deleted: the answer to `explain WHO`.

Looks only into what a run left on disk; asks neither the CRM nor 3CX, and changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from reconcile.core import phones
from reconcile.core.text import Agreement, addresses, agreement, company_key, is_word, name_key
from reconcile.errors import UsageError
from reconcile.model import Outcome, Verdict
from reconcile.report import evidence, files, mask

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from reconcile.report.model import ContactPart, Report


_PLAIN: Final = re.compile(r"\+?[0-9 ()\-]*")
"""A cell with one number and nothing else, whose keys end as it ends."""
_END: Final = 4
_FEW: Final = 3


class Found(IntEnum):
    """By what a contact was found; the higher, the better."""

    COMPANY = 1
    NAME = 2
    NUMBER = 3
    EMAIL = 4
    CRM_ID = 5
    ID = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """What a person typed to find a contact, in every way in which it may be meant."""

    typed: str
    number_keys: frozenset[str] = frozenset()
    """As `phones.keys_or_text` makes them."""
    ends: frozenset[str] = frozenset()
    """Their last digits: without them a plain cell need not be parsed."""
    addresses: frozenset[str] = frozenset()
    name: str = ""
    """As `text.name_key` makes it; "" if it can't be a name."""
    company: str = ""
    region: str = ""
    outside_prefix: str = ""

    @classmethod
    def of(cls, typed: str, *, region: str, outside_prefix: str = "") -> Who:
        """From the command line. Initials alone name nobody, and an address is no name."""
        text = typed.strip()
        emails = frozenset(addresses(text))
        key = name_key(text)
        is_name = not emails and any(map(str.isalpha, key)) and any(map(is_word, key.split()))
        keys = frozenset(phones.keys_or_text(text, region))
        return cls(
            typed=text,
            number_keys=keys,
            ends=frozenset(k.removeprefix(phones.SHORT)[-_END:] for k in keys),
            addresses=emails,
            name=key if is_name else "",
            company=company_key(text) if is_name else "",
            region=region,
            outside_prefix=outside_prefix,
        )

    def by_id(self) -> Who:
        """The same where nothing else can be read: its Id or its CRM id."""
        return Who(typed=self.typed)

    def finds(self, part: ContactPart) -> tuple[Found, int] | None:
        """How well this is the contact, to be compared; None if it is not."""
        if self.typed == str(part.id):
            return Found.ID, 0
        if part.crm_id and self.typed == part.crm_id:
            return Found.CRM_ID, 0
        if self.addresses and self.addresses.intersection(addresses(part.email)):
            return Found.EMAIL, 0
        if self.number_keys and any(map(self._has_number, part.numbers)):
            return Found.NUMBER, 0
        return self._named(part)

    def _has_number(self, cell: str) -> bool:
        if _PLAIN.fullmatch(cell) and not any(
            end in re.sub("[^0-9]", "", cell) for end in self.ends
        ):
            return False
        keys = phones.keys_or_text(cell, self.region, outside_prefix=self.outside_prefix)
        return not self.number_keys.isdisjoint(keys)

    def _named(self, part: ContactPart) -> tuple[Found, int] | None:
        if not self.name:
            return None
        if (agreed := agreement(self.name, name_key(part.name))) >= Agreement.INITIALS:
            return Found.NAME, agreed
        agreed = agreement(self.company, company_key(part.company))
        return (Found.COMPANY, agreed) if agreed >= Agreement.COMPATIBLE else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """Runs, one after the other, that said the same of a contact."""

    first: int
    last: int
    since: datetime | None
    """When the first of them had ended; None if the report no longer knows."""
    said: str
    """The verdict, or what became of it; "" where 3CX did not have it."""
    reason: str
    """As the last of them gave it."""
    name: str
    """Whose contact it was then: an Id may be given to somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One contact that was found."""

    found_by: str
    """`id`, `crm_id`, `email`, `number`, `name` or `company`."""
    contact: ContactPart
    next: str
    """What one can do now, with the command."""
    story: tuple[Chapter, ...] = ()
    """What the runs up to this one said of it; only where few contacts were found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The contacts of one run that somebody asked for, the best first."""

    run: int
    command: str
    started_at: datetime
    complete: bool
    """False if the run has no evidence file: then matched contacts are not on record."""
    masked: bool
    """Names, numbers and addresses are not readable, and nobody can be found by them."""
    contacts: tuple[Explained, ...]


def explain(directory: Path, who: Who, run_id: int | None = None) -> Explanation:
    """Find the contacts that `who` means, in a run or in the latest that has evidence.

    Raises UsageError if there is no such run on record, or no such contact in it.
    """
    report = files.read(directory, evidence.latest(directory) if run_id is None else run_id)
    run = report.run.id or 0
    complete = evidence.has(directory, run)
    masked = mask.is_masked(report)
    meant = who.by_id() if masked else who
    parts = evidence.read(directory, run) if complete else report.contacts
    found = [(rank, part) for part in parts if (rank := meant.finds(part)) is not None]
    if not found:
        raise _nobody(run, complete=complete, masked=masked)
    found.sort(key=lambda each: (-each[0][0], -each[0][1], each[1].id))
    return Explanation(
        run=run,
        command=report.run.command,
        started_at=report.run.started_at,
        complete=complete,
        masked=masked,
        contacts=tuple(
            Explained(
                found_by=by.name.lower(),
                contact=part,
                next=next_step(part, report),
                story=story(directory, part.id, report) if len(found) <= _FEW else (),
            )
            for (by, _), part in found
        ),
    )


def story(directory: Path, contact_id: int, report: Report) -> tuple[Chapter, ...]:
    """What the last runs with evidence said of a contact, the oldest first, up to this report's."""
    when = {part.run: part.finished_at for part in report.trend}
    told: list[Chapter] = []
    for run in files.run_ids(directory):
        if run > (report.run.id or 0) or not evidence.has(directory, run):
            continue
        try:
            part = evidence.one(directory, run, contact_id)
        except UsageError:
            continue  # a damaged file of another night says nothing against this one
        said = (part.outcome or part.verdict).value if part else ""
        reason, name = (part.reason, part.name) if part else ("", "")
        if told and (told[-1].said, told[-1].name) == (said, name):
            told[-1] = replace(told[-1], last=run, reason=reason)
            continue
        since = when.get(run)
        told.append(Chapter(first=run, last=run, since=since, said=said, reason=reason, name=name))
    return tuple(told)


def _nobody(run: int, *, complete: bool, masked: bool) -> UsageError:
    gaps = [*([] if complete else [INCOMPLETE]), *([MASKED] if masked else [])]
    message = " ".join([f"No contact of run {run} is found by this.", *gaps])
    again = "reconcile history, then: reconcile explain WHO --run N"
    return UsageError(message, hint=again if complete else "reconcile plan, then ask again")


INCOMPLETE: Final = "The run left no evidence file: contacts that matched in it are not on record."
MASKED: Final = (
    "Its names, numbers and addresses are masked (report.mask), so a contact is found only by its"
    " Id or its CRM id."
)


def next_step(part: ContactPart, report: Report) -> str:
    """What one can do about a contact now; its outcome, if it has one, goes before its verdict."""
    if part.outcome is not None:
        return _AFTER[part.outcome].format(id=part.id)
    if part.verdict is Verdict.DELETE and report.approve_until is not None:
        return f"if this is right: reconcile apply {report.digest[:12]}; {_KEEP}".format(id=part.id)
    return _NEXT[part.verdict].format(id=part.id)


_KEEP: Final = "to keep it: reconcile protect {id}"
_NEXT: Final = {
    Verdict.OUT_OF_SCOPE: "nothing; only the types in pbx.contact_types are managed",
    Verdict.MATCHED: "nothing; it stays as long as the CRM has its person",
    Verdict.REVIEW: "look at it: reconcile contact get {id}; if its person has left: reconcile"
    f" contact delete {{id}}; {_KEEP}",
    Verdict.PROTECTED: "nothing; it stays until its protection is taken back: reconcile protect"
    " shows who is protected",
    Verdict.UNMANAGED: "nothing, no run deletes it; if it came from the CRM all the same: reconcile"
    " adopt {id}, then reconcile plan",
    Verdict.WAITING: f"nothing, the coming nights decide; {_KEEP}",
    Verdict.DELETE: f"reconcile plan, for a plan that can be applied; {_KEEP}",
}
_AFTER: Final = {
    Outcome.DELETED: "to undo: reconcile restore --contact {id}",
    Outcome.ALREADY_GONE: "nothing; it had gone before the run came to it",
    Outcome.CHANGED: "it was kept; reconcile plan judges it anew",
    Outcome.REFUSED: "to see what 3CX refuses: reconcile doctor",
    Outcome.UNCONFIRMED: "reconcile plan looks first what became of it",
    Outcome.NOT_ATTEMPTED: "reconcile plan judges it anew",
}
