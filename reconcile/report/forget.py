"""Taking one person out of the reports and the evidence on disk (`db purge --contact`).

The arithmetic stays: the contact keeps its Id, verdict and outcome. What others' evidence says of
the person is masked. Each file keeps its time, by which its run is removed one day.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconcile.report import evidence, files, lines, mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from reconcile.report.model import ContactPart, Report

_REASON: Final = "what was known of this person was removed"


def forget(directory: Path, contact_ids: frozenset[int]) -> int:
    """Remove the personal data of these contacts; gives the number of runs that held some.

    Raises StateError if a file can't be written, and UsageError if one can't be read.
    """
    try:
        runs = files.run_ids(directory)
        person = _Person.of(contact_ids, (part for run in runs for part in _parts(directory, run)))
        return sum([_forget_in(directory, run, person) for run in runs])
    except OSError as error:
        done = "Reports may still hold what was to be removed; the state does not."
        raise files.unwritable(directory, error, consequence=done) from error


def _parts(directory: Path, run: int) -> Iterator[ContactPart]:
    if files.has(directory, run):
        yield from files.read(directory, run).contacts
    if evidence.has(directory, run):
        yield from evidence.read(directory, run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    """Who is to be forgotten: contacts, and what stands elsewhere for them."""

    contact_ids: frozenset[int]
    shown: dict[str, str]
    """What names the person → how it is masked in others' evidence."""
    crm_ids: frozenset[str]

    @classmethod
    def of(cls, contact_ids: frozenset[int], parts: Iterable[ContactPart]) -> _Person:
        """From all that runs have said of them."""
        shown: dict[str, str] = {}
        crm_ids = set[str]()
        for part in parts:
            if part.id in contact_ids:
                plain = filter(None, (part.name, part.email, *part.numbers))
                shown |= {text: mask.value(text) for text in plain}
                crm_ids.add(part.crm_id)
        return cls(contact_ids=contact_ids, shown=shown, crm_ids=frozenset(crm_ids - {""}))

    def gone_from(self, part: ContactPart) -> ContactPart:
        """The contact without what it tells of the person."""
        if part.id in self.contact_ids:
            texts = dict.fromkeys(("name", "company", "email", "crm_id", "outcome_detail"), "")
            rest = {"numbers": (), "evidence": (), "reason": _REASON}
            return part.model_copy(update={**texts, **rest})
        if not any(map(self._speaks, (part.reason, *part.evidence))):
            return part
        sentences = tuple(map(self._masked, part.evidence))
        return part.model_copy(update={"reason": self._masked(part.reason), "evidence": sentences})

    def gone_from_report(self, report: Report) -> Report:
        """The report without the person; who is missing in 3CX may be the same one."""
        changes = {
            "contacts": tuple(map(self.gone_from, report.contacts)),
            "drift": tuple(d for d in report.drift if d.id not in self.contact_ids),
            "missing": tuple(
                m.model_copy(update={"name": "", "company": ""})
                if m.crm_id in self.crm_ids or m.name in self.shown
                else m
                for m in report.missing
            ),
            "duplicates": tuple(
                d if self.contact_ids.isdisjoint(d.ids) else d.model_copy(update={"name": ""})
                for d in report.duplicates
            ),
        }
        return report.model_copy(update=changes)

    def _speaks(self, sentence: str) -> bool:
        of_record = any(f"CRM record {crm_id} " in sentence for crm_id in self.crm_ids)
        return of_record or any(text in sentence for text in self.shown)

    def _masked(self, sentence: str) -> str:
        return mask.sentence(sentence, self.shown) if self._speaks(sentence) else sentence


def _forget_in(directory: Path, run: int, person: _Person) -> bool:
    """Rewrite what a run left, if it held anything of the person.

    A page whose report is gone can't be made anew, so it goes, too.
    """
    changed, page = False, files.page(directory, run)
    if files.has(directory, run):
        before = files.read(directory, run)
        after = person.gone_from_report(before)
        changed = after != before
        if changed:
            # The report last: as long as it tells of the person, the same again changes both.
            if page.exists():
                _in_place(page, lambda path: files.put_page(after, path))
            _in_place(files.path(directory, run), lambda path: files.put(after, path))
    elif page.exists():
        page.unlink()
        changed = True
    if evidence.has(directory, run) and any(
        person.gone_from(part) != part for part in evidence.read(directory, run)
    ):
        parts = map(person.gone_from, evidence.read(directory, run))
        _in_place(
            evidence.path(directory, run), lambda path: evidence.pack(map(lines.line, parts), path)
        )
        changed = True
    return changed


def _in_place(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file anew; it keeps its time."""
    was = path.stat()
    write(path)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
