"""Which plan a person means by a digest, and why it is refused: sentence and next command."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from reported import result

from reconcile import approval
from reconcile.errors import ApprovalRefused
from reconcile.model import Exit, Level, StoredPlan, Subject
from reconcile.planning import Planned
from reconcile.session import opened

ELSEWHERE = "was made from another state, for another 3CX, or by another version."


@contextmanager
def session_of(company):
    with opened(company.config, company.world(), "apply") as session:
        yield session


def keep(session, **changes) -> StoredPlan:
    """A plan of this state and this PBX, as a run stored it."""
    ledger = session.ledger
    made = replace(result().plan, state_id=ledger.state_id, pbx_url=ledger.pbx_url)
    canonical = json.dumps({**json.loads(made.canonical), **changes}, sort_keys=True)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    run_id = ledger.begin_run(command="plan", mode="review", now=session.now())
    plan = StoredPlan(run_id=run_id, digest=digest, created_at=session.now(), canonical=canonical)
    ledger.record(run_id, accepted=None, claims=(), released=(), plan=plan)
    return replace(plan, run_id=run_id)


def of_run(plan):
    return f"The plan {plan.digest[:12]} of run {plan.run_id}"


def refusal(session, digest):
    with pytest.raises(ApprovalRefused) as caught:
        approval.stored_plan(session, digest)
    return caught.value.message, caught.value.hint


def test_a_plan_is_meant_by_twelve_characters_or_more_in_any_case(company):
    with session_of(company) as session:
        plan = keep(session)
        for digest in (plan.digest, plan.digest[:12], plan.digest[:20].upper()):
            assert approval.stored_plan(session, digest) == plan


def test_fewer_characters_mean_none(company):
    with session_of(company) as session:
        plan = keep(session)
        assert refusal(session, plan.digest[:11]) == (
            "A digest is named by at least 12 of its characters.",
            "reconcile report",
        )


def test_a_digest_that_no_run_made_is_refused(company):
    with session_of(company) as session:
        keep(session)
        unknown = "0123456789ab"
        assert refusal(session, unknown) == (
            f"No recorded plan has the digest {unknown}.",
            "reconcile plan",
        )


def test_a_plan_that_was_applied_is_refused_with_its_run(company):
    with session_of(company) as session:
        plan = keep(session)
        ledger = session.ledger
        run_id = ledger.begin_run(command="apply", mode="review", now=session.now())
        ledger.use_approval(plan.run_id, run_id=run_id, approved_by="anna", now=session.now())
        assert refusal(session, plan.digest[:12]) == (
            f"The plan {plan.digest[:12]} was already applied, in run {run_id}.",
            "reconcile plan",
        )


@pytest.mark.parametrize("name", ["schema", "state", "pbx"])
def test_a_plan_from_elsewhere_is_refused(company, name):
    with session_of(company) as session:
        plan = keep(session, **{name: "another"})
        assert refusal(session, plan.digest) == (
            f"The plan {plan.digest[:12]} {ELSEWHERE}",
            "reconcile plan",
        )


@pytest.mark.parametrize(
    ("later", "is_taken"),
    [
        (timedelta(), True),
        (timedelta(hours=24), True),
        (timedelta(hours=24, microseconds=1), False),
        (timedelta(microseconds=-1), False),
    ],
)
def test_a_plan_is_good_for_24_hours_and_not_before_it_was_made(company, later, is_taken):
    with session_of(company) as session:
        plan = keep(session)
        company.now += later
        if is_taken:
            assert approval.stored_plan(session, plan.digest) == plan
        else:
            assert refusal(session, plan.digest) == (
                f"{of_run(plan)} is not of the last 24 hours.",
                "reconcile plan",
            )


def test_a_plan_that_a_newer_one_has_overtaken_is_refused(company):
    with session_of(company) as session:
        plan = keep(session)
        newer = keep(session, rules="other")
        assert refusal(session, plan.digest) == (
            f"{of_run(plan)} was overtaken by run {newer.run_id}.",
            f"reconcile report {newer.run_id}",
        )
        assert approval.stored_plan(session, newer.digest) == newer


# ---------------------------------------------------------------------------- the ground


def ground(canonical=None, **fresh):
    """What is found when a plan like `canonical` is approved and `fresh` is made."""
    plan = result().plan
    approved = {**json.loads(plan.canonical), **(canonical or {})}
    planned = Planned(result=result(plan=replace(plan, **fresh)))
    return approval.unchanged_ground(planned, approved), planned


@pytest.mark.parametrize(
    ("canonical", "fresh"),
    [
        ({}, {}),
        ({"source": "b" * 64}, {}),  # a new export, without a doubt
        ({"doubts": ["export_shrank"]}, {"doubts": ("export_shrank",)}),
        ({"doubts": ["export_shrank", "vetoes"]}, {"doubts": ("vetoes",)}),
    ],
)
def test_ground_that_has_not_moved_is_left_as_it_is(canonical, fresh):
    found, planned = ground(canonical, **fresh)
    assert found is planned


@pytest.mark.parametrize(
    ("canonical", "fresh", "observed"),
    [
        ({"rules": "old"}, {}, "other matching rules or columns"),
        (
            {"source": "b" * 64, "doubts": ["export_shrank"]},
            {"doubts": ("export_shrank",)},
            "a new export that is in doubt itself",
        ),
        ({}, {"doubts": ("export_shrank",)}, "new doubts about the export"),
        (
            {"policy": '{"max_deletes":20}'},
            {"policy": '{"max_deletes":10}'},
            "max_deletes 20 → 10",
        ),
        (
            {"rules": "old"},
            {"doubts": ("vetoes",)},
            "other matching rules or columns, new doubts about the export",
        ),
    ],
)
def test_ground_that_has_moved_blocks_and_says_how(canonical, fresh, observed):
    found, planned = ground(canonical, **fresh)
    finding, *others = found.result.findings
    assert tuple(others) == planned.result.findings
    assert (finding.code, finding.level, finding.subject) == (
        "plan_outdated",
        Level.BLOCK,
        Subject.STATE,
    )
    assert (finding.observed, finding.limit) == (observed, "as in the approved plan")
    assert finding.message == "What the plan was made from has changed since a person approved it."
    assert (finding.hint, finding.exit_code) == ("reconcile plan", Exit.APPROVAL)


def test_without_a_plan_there_is_no_ground_to_compare():
    planned = Planned(result=result(plan=None))
    assert approval.unchanged_ground(planned, {}) is planned
