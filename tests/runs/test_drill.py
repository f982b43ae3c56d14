"""The restore drill: a contact of our own is deleted and comes back, whatever else is there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile import hold, restoring
from reconcile.errors import ApprovalRefused
from reconcile.model import Exit, Outcome, Status


def drill(company):
    return restoring.drill_once(company.config, company.world())


def runs(company):
    with company.ledger() as ledger:
        return ledger.runs()


def test_a_drill_deletes_and_restores_and_leaves_nothing(company):
    before = company.book.all()
    practised = drill(company)
    assert practised.ok
    assert practised.exit_code is Exit.CONVERGED
    assert "came back" in practised.said
    assert company.book.all() == before
    (run,) = runs(company)
    assert (run.command, run.status, run.headline) == (
        "restore --drill",
        Status.APPLIED,
        practised.said,
    )
    with company.ledger() as ledger:
        (tombstone,) = ledger.tombstones(run_id=run.id)
        (action,) = ledger.actions(run_id=run.id)
    assert tombstone.restored_as is not None
    assert action.outcome is Outcome.DELETED


def test_without_a_delete_guard_nothing_is_practised(company):
    company.server.switches = replace(company.server.switches, etags="none")
    before = company.book.all()
    practised = drill(company)
    assert not practised.ok
    assert practised.exit_code is Exit.PBX
    assert "3CX issues no ETags" in practised.said
    assert company.book.all() == before


def test_a_drill_that_can_not_restore_says_so(company):
    company.settings["pbx.delete_guard"] = "compare"
    company.server.fail(method="POST", path_prefix="/xapi/v1/Contacts", status=403, skip=1)
    before = company.book.all()
    practised = drill(company)
    assert not practised.ok
    assert "not restored" in practised.said
    assert practised.hint == "reconcile doctor --probe"
    assert company.book.all() == before
    assert runs(company)[0].status is Status.PARTIAL


def test_a_field_that_does_not_come_back_is_named(company):
    company.settings["pbx.delete_guard"] = "compare"
    company.server.hook(
        lambda: company.book.edit(102, {"Title": "Prof."}),
        method="GET",
        path_prefix="/xapi/v1/Contacts(102)",
    )
    before = company.book.all()
    practised = drill(company)
    assert practised.said == "The drill did not succeed: it came back without the right Title."
    assert practised.exit_code is Exit.PBX
    assert company.book.all() == before


def test_a_drill_for_which_no_contact_can_be_made_says_so(company):
    company.settings["pbx.delete_guard"] = "compare"
    company.server.fail(method="POST", path_prefix="/xapi/v1/Contacts", status=403)
    practised = drill(company)
    assert practised.said.startswith("The drill did not succeed: ")
    assert runs(company)[0].exit_code == Exit.PBX


def test_a_drill_whose_delete_is_refused_cleans_up(company):
    company.settings["pbx.delete_guard"] = "compare"
    company.server.fail(method="DELETE", path_prefix="/xapi/v1/Contacts", status=412)
    before = company.book.all()
    practised = drill(company)
    assert "was not deleted" in practised.said
    assert company.book.all() == before


def test_a_drill_waits_like_every_delete(company):
    (company.folder / hold.STOP_FILE).touch()
    with pytest.raises(ApprovalRefused):
        drill(company)
    assert company.methods() <= {"GET"}
