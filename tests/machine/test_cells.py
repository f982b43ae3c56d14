"""432 cells over the real server: who is where, and whether the contact is still there afterwards.

{absent, in the CRM, out of scope, in a row that can't be read} x {in 3CX, edited, gone} x {managed,
unmanaged} x {protected, not} x a grace of {none, one, two exports} x an ETag that {holds, has
changed, is not issued}. One contact is deleted of them: absent, untouched, ours, and unprotected,
when its grace is over and its ETag holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product

import pytest
from amounts import note
from company import SECRET
from machine import people
from machine.office import Office
from machine.witness import Witness

from reconcile.errors import ApprovalRefused
from reconcile.model import Exit
from reconcile.sandbox import SandboxServer, Switches

CRM = ("absent", "present", "out of scope", "unreadable")
PBX = ("there", "edited", "gone")
GRACES = {"none": 0, "one": 1, "two": 2}
STAFF = 60
"""People who stay, so that a leaver is the ordinary thing that it is in a company."""


@dataclass(frozen=True)
class Cell:
    number: int
    crm: str
    pbx: str
    managed: bool
    protected: bool

    @property
    def person(self) -> people.Person:
        return people.person(STAFF + self.number)

    @property
    def verdict(self) -> str:
        """On the last night, when every grace is over."""
        if self.pbx == "gone":
            return "not listed"
        if self.crm == "out of scope":
            return "out_of_scope"
        if self.crm in {"present", "unreadable"}:  # whose row is mended by then
            return "matched"
        if self.protected:
            return "protected"
        if not self.managed:
            return "unmanaged"
        return "review" if self.pbx == "edited" else "delete"


CELLS = [
    Cell(number, *each)
    for number, each in enumerate(product(CRM, PBX, (True, False), (True, False)))
]


@dataclass
class Firm:
    """A company whose staff is all of the cells, and some others."""

    office: Office
    ids: dict[int, int]

    def export(self, *, first: bool = False, unreadable: bool = False) -> None:
        """The first one claims who is to be managed; the later ones lack who is absent."""
        stay = [people.person(number) for number in range(STAFF)]
        shown = [c for c in CELLS if c.managed] if first else self._alive()
        everybody = {p.key: p for p in (*stay, *(c.person for c in shown))}
        serial = "".join("abcdefghij"[int(n)] for n in f"{self.office.now:%Y%m%d%H}")
        written = self.office.written(everybody, notes={"P0": serial})
        if unreadable:
            written = replace(written, content=self._damaged(written.content))
        self.office.lay(written)

    @staticmethod
    def _alive() -> list[Cell]:
        return [c for c in CELLS if c.crm in {"present", "unreadable"}]

    @staticmethod
    def _damaged(content: bytes) -> bytes:
        for cell in CELLS:
            if cell.crm == "unreadable":
                content = content.replace(f",{cell.person.mail},".encode(), b",")
        return content

    def prepare(self) -> None:
        """What befell the contacts in 3CX since they were claimed."""
        for cell in CELLS:
            if cell.pbx == "edited":
                self.office.book.edit(self.ids[cell.number], {"Title": "Is edited"})
            elif cell.pbx == "gone":
                self.office.book.remove_by_hand(self.ids[cell.number])

    def is_there(self, cell: Cell) -> bool:
        return self.office.has(self.ids[cell.number])


def founded(server: SandboxServer, folder) -> Firm:
    office = Office(server=server, folder=folder)
    for number in range(STAFF):
        office.book.add(people.person(number).contact)
    kinds = {c.number: "M365" if c.crm == "out of scope" else "3CX" for c in CELLS}
    ids = {
        c.number: office.book.add({**c.person.contact, "ContactType": kinds[c.number]})
        for c in CELLS
    }
    office.settings |= {
        "policy.protect": {"ids": [ids[c.number] for c in CELLS if c.protected]},
        "policy.grace_hours": 0.0,
        "policy.max_shrink_percent": 50.0,
        "policy.min_matched_percent": 50.0,
    }
    office.create_state()
    return Firm(office=office, ids=ids)


@pytest.mark.parametrize("etag", ["holds", "changed", "none"])
@pytest.mark.parametrize("grace", GRACES)
def test_of_all_cells_one_is_deleted(tmp_path, grace, etag):
    kind = "none" if etag == "none" else "weak"
    with SandboxServer(Witness(), client_secret=SECRET, switches=Switches(etags=kind)) as server:
        firm = founded(server, tmp_path)
        firm.office.settings["policy.grace_exports"] = max(1, GRACES[grace])
        digest = last_night(firm, grace)
        deleted = applied(firm, digest, etag)
    note("cells over the real server", f"{9 * len(CELLS)} in 9 companies, 3 contacts deleted")
    assert deleted == [c for c in CELLS if c.verdict == "delete" and etag == "holds"]


def last_night(firm: Firm, grace: str) -> str:
    """The nights up to the one on which grace is over; gives its plan's digest."""
    office = firm.office
    firm.export(first=True)
    assert office.plan().exit_code == Exit.CONVERGED
    for night in range(GRACES[grace] - 1):
        office.tomorrow()
        firm.export()
        waits = {c.id for c in office.plan().contacts if c.verdict == "waiting"}
        assert waits == {i for c, i in by_id(firm) if would_wait(c)}, night
    office.tomorrow()
    firm.prepare()
    firm.export(unreadable=True)
    rejected = office.plan(immediate=grace == "none")
    assert (rejected.exit_code, rejected.contacts) == (Exit.EXPORT, ())
    office.now += timedelta(hours=1)
    firm.export()
    report = office.plan(immediate=grace == "none", with_matched=True)
    said = {c.id: c.verdict for c in report.contacts}
    for cell, contact_id in by_id(firm):
        assert said.get(contact_id, "not listed") == cell.verdict, (cell, grace)
    return report.digest


def by_id(firm: Firm):
    return [(cell, firm.ids[cell.number]) for cell in CELLS]


def would_wait(cell: Cell) -> bool:
    """Before anything was edited or removed."""
    return cell.crm == "absent" and cell.managed and not cell.protected


def applied(firm: Firm, digest: str, etag: str) -> list[Cell]:
    """Apply the plan; with the ETag `changed` by a colleague right before each DELETE."""
    office = firm.office
    before = [cell for cell in CELLS if firm.is_there(cell)]
    if etag == "changed":
        for cell, contact_id in by_id(firm):
            if cell.verdict == "delete":
                address = f"/xapi/v1/Contacts({contact_id})"
                office.server.hook(
                    lambda at=contact_id: office.book.edit(at, {"Title": "Is back"}),
                    method="DELETE",
                    path_prefix=address,
                )
    if etag == "none":  # the plan was blocked, so there is nothing that could be approved
        with pytest.raises(ApprovalRefused):
            office.apply(digest)
    else:
        report = office.apply(digest)
        codes = {"holds": Exit.CONVERGED, "changed": Exit.PARTIAL}
        assert report.exit_code == codes[etag], report.headline
    return [cell for cell in before if not firm.is_there(cell)]
