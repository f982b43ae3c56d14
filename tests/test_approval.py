"""What a person approved, against what is due now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reported import result

from reconcile.approval import still_due
from reconcile.model import ContactOutcome, DeleteGuard, Outcome


def approved(*entries):
    return {"deletes": [{"id": i, "fingerprint": fingerprint} for i, fingerprint in entries]}


def the(found, contact_id):
    return next(d for d in found.plan.decisions if d.contact.id == contact_id)


def test_what_was_approved_and_is_due_as_it_was_is_still_due():
    found = result()
    jo = the(found, 7)
    due, settled = still_due(found, approved((7, jo.contact.fingerprint)))
    assert (due, settled) == ((jo,), ())


def test_what_was_not_approved_is_not_due():
    assert still_due(result(), approved()) == ((), ())


@pytest.mark.parametrize(
    ("contact_id", "fingerprint", "outcome", "detail"),
    [
        (99, "any", Outcome.ALREADY_GONE, "it is no longer in 3CX"),
        (1, "any", Outcome.NOT_ATTEMPTED, "no longer due: it matches the CRM again"),
        (7, "another", Outcome.CHANGED, "it was edited in 3CX after the plan, and is kept"),
    ],
)
def test_why_an_approved_delete_is_not_due_any_more(contact_id, fingerprint, outcome, detail):
    found = result()
    due, settled = still_due(found, approved((contact_id, fingerprint)))
    assert due == ()
    assert settled == (
        ContactOutcome(
            contact_id=contact_id, outcome=outcome, guard=DeleteGuard.ETAG, detail=detail
        ),
    )


def test_another_verdict_is_the_reason_why_it_is_not_due_any_more():
    found = result()
    eve = the(found, 8)
    due, settled = still_due(found, approved((8, eve.contact.fingerprint)))
    assert due == ()
    (outcome,) = settled
    assert outcome.outcome is Outcome.NOT_ATTEMPTED
    assert outcome.detail == f"no longer due: {eve.reason}"
    assert eve.reason


def test_all_that_is_not_due_is_told_beside_what_is():
    found = result()
    jo = the(found, 7).contact.fingerprint
    due, settled = still_due(found, approved((99, "any"), (7, jo), (1, "any")))
    assert [d.contact.id for d in due] == [7]
    assert [o.contact_id for o in settled] == [99, 1]


@pytest.mark.parametrize("missing", ["plan", "pbx"])
def test_without_a_plan_or_a_listing_nothing_is_due(missing):
    jo = the(result(), 7).contact.fingerprint
    assert still_due(replace(result(), **{missing: None}), approved((7, jo))) == ((), ())
