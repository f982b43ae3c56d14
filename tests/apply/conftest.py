"""A small company on the evening of a delete: some have left, and a plan is approved."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import pytest
from amounts import PROVE
from company import founded

if TYPE_CHECKING:
    from datetime import datetime

    from company import Company

    from reconcile.model import Outcome
    from reconcile.report.model import Report


@dataclass
class Evening:
    """One apply with its leavers, and what it left on the wire, in the book and in the journal."""

    company: Company
    digest: str = ""
    leavers: tuple[int, ...] = ()
    buried: dict[int, bool] = field(default_factory=dict)
    """Contact → whether its tombstone and intent were on disk when its first DELETE arrived."""
    report: Report | None = None

    def plan(self, *leavers: int, start: datetime | None = None) -> None:
        """Bring the leavers to their last night, and make the plan that deletes them."""
        company = self.company
        self.leavers = leavers
        company.now = start or company.now
        self.digest = company.prepare(lambda: self._planned(*leavers), "evening", leavers)
        company.server.clear_requests()
        for contact_id in leavers:
            self.at_delete(contact_id, lambda contact_id=contact_id: self._dig(contact_id))

    def _planned(self, *leavers: int) -> str:
        self.company.until_due(*leavers)
        return self.company.plan().digest

    def apply(self) -> None:
        self.report = self.company.apply(self.digest)
        self.check_tombstones()

    def check_tombstones(self) -> None:
        """Every DELETE that arrived had its tombstone and its intent on disk before."""
        assert all(self.buried.values())
        assert set(self.buried) == {i for i in self.leavers if self.deletes(i)}

    def _dig(self, contact_id: int) -> None:
        with self.company.ledger() as ledger:
            graves = ledger.tombstones(contact_id=contact_id)
            intents = ledger.actions(contact_id=contact_id, unresolved=True)
        self.buried[contact_id] = bool(graves) and bool(intents)

    # ------------------------------------------------------------------ what goes wrong

    def fail(self, contact_id: int, *, method: str = "DELETE", **fault) -> None:
        path = f"/xapi/v1/Contacts({contact_id})"
        self.company.server.fail(method=method, path_prefix=path, **fault)

    def at_delete(self, contact_id: int, act, *, nth: int = 1) -> None:
        self._hook(act, "DELETE", contact_id, nth)

    def at_read(self, contact_id: int, act, *, nth: int = 1) -> None:
        self._hook(act, "GET", contact_id, nth)

    def _hook(self, act, method: str, contact_id: int, nth: int) -> None:
        path = f"/xapi/v1/Contacts({contact_id})"
        self.company.server.hook(act, method=method, path_prefix=path, nth=nth)

    # ------------------------------------------------------------------ what became of it

    @property
    def outcomes(self) -> dict[int, Outcome]:
        """As the report says."""
        return {c.id: c.outcome for c in self.report.contacts if c.outcome}

    def detail(self, contact_id: int) -> str:
        (found,) = [c for c in self.report.contacts if c.id == contact_id]
        return found.outcome_detail

    @property
    def journal(self) -> dict[int, Outcome | None]:
        """As the state says, for as long as a contact has one row at most."""
        with self.company.ledger() as ledger:
            actions = ledger.actions()
        assert len({a.contact_id for a in actions}) == len(actions)
        return {a.contact_id: a.outcome for a in actions}

    def wire(self, contact_id: int) -> list[str]:
        """The methods of the requests for this one contact, in their order."""
        path = f"/xapi/v1/Contacts({contact_id})"
        return [r.method for r in self.company.server.requests if r.path == path]

    def deletes(self, contact_id: int) -> list:
        path = f"/xapi/v1/Contacts({contact_id})"
        return [r for r in self.company.deletes() if r.path == path]


def pytest_collection_modifyitems(config, items):
    """With the state on a server every second test in a check, and all of them in a proof."""
    if PROVE:
        return
    left = [item for item in items if _is_left_to_proofs(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


def _is_left_to_proofs(item):
    here = item.path.parent == Path(__file__).parent
    on_server = getattr(item, "callspec", None) and item.callspec.params.get("kind") == "postgresql"
    return here and on_server and crc32(item.name.encode()) % 2


@pytest.fixture
def company(tmp_path, shelf, kind, request):
    """A company for each kind of database that can have its state."""
    cluster = request.getfixturevalue("cluster") if kind == "postgresql" else None
    with founded(shelf, tmp_path, cluster) as made:
        yield made


@pytest.fixture
def evening(company):
    """One contact after the other, so that what is on the wire has an order."""
    company.settings["pbx.concurrency"] = 1
    return Evening(company=company)
