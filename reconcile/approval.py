"""What a person approved, and what of it still stands on fresh data.

A digest is good once, for 24 hours, and until a newer plan is made. Approving covers what stood in
that plan's report: when the ground has moved since, it is asked again.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from reconcile.core import policy
from reconcile.errors import ApprovalRefused
from reconcile.model import (
    PLAN_SCHEMA,
    ContactOutcome,
    Decision,
    Exit,
    Finding,
    Level,
    Outcome,
    Plan,
    StoredPlan,
    Subject,
)
from reconcile.report.build import APPROVAL_HOURS, Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconcile.planning import Planned
    from reconcile.session import Session

DIGEST_LENGTH: Final = 12
"""Hexadecimal digits of a digest that a person must name at least."""


def stored_plan(session: Session, digest: str) -> StoredPlan:
    """The plan that a person means; ApprovalRefused says why it can't be applied."""
    if len(digest) < DIGEST_LENGTH:
        raise ApprovalRefused(
            f"A digest is named by at least {DIGEST_LENGTH} of its characters.",
            hint="reconcile report",
        )
    found = session.ledger.plan(digest.lower())
    if not found:
        raise ApprovalRefused(f"No recorded plan has the digest {digest}.", hint="reconcile plan")
    if len({p.digest for p in found}) > 1:
        raise ApprovalRefused(
            f"{digest} stands for several plans; give more of its characters.",
            hint="reconcile history",
        )
    stored = found[0]
    if stored.used_by_run is not None:
        raise ApprovalRefused(
            f"The plan {digest} was already applied, in run {stored.used_by_run}.",
            hint="reconcile plan",
        )
    return _timely(session, _of_this_state(session, stored))


def _of_this_state(session: Session, stored: StoredPlan) -> StoredPlan:
    """A plan says of which state and which PBX it is; a copied state may hold another's."""
    canonical, ledger = json.loads(stored.canonical), session.ledger
    here = {"schema": PLAN_SCHEMA, "state": ledger.state_id, "pbx": ledger.pbx_url}
    if any(canonical[name] != value for name, value in here.items()):
        raise ApprovalRefused(
            f"The plan {stored.digest[:12]} was made from another state, for another 3CX, or by"
            " another version.",
            hint="reconcile plan",
        )
    return stored


def _timely(session: Session, stored: StoredPlan) -> StoredPlan:
    age = session.now() - stored.created_at
    if not timedelta() <= age <= timedelta(hours=APPROVAL_HOURS):
        raise ApprovalRefused(
            f"The plan {stored.digest[:12]} of run {stored.run_id} is not of the"
            f" last {APPROVAL_HOURS} hours.",
            hint="reconcile plan",
        )
    newest = session.ledger.latest_plan_run()
    if newest is not None and newest > stored.run_id:
        raise ApprovalRefused(
            f"The plan {stored.digest[:12]} of run {stored.run_id} was overtaken by run {newest}.",
            hint=f"reconcile report {newest}",
        )
    return stored


def unchanged_ground(planned: Planned, canonical: Mapping[str, Any]) -> Planned:
    """A person approved what stood in the report: refuse if the ground has moved since.

    A new export may have come, but not one in doubt; the doubts must be those that were approved;
    and the same rules must decide, under the same policy.
    """
    result = planned.result
    if result.plan is None:
        return planned
    moved = _moved(result.plan, canonical)
    if not moved:
        return planned
    finding = Finding(
        code="plan_outdated",
        level=Level.BLOCK,
        subject=Subject.STATE,
        observed=", ".join(moved),
        limit="as in the approved plan",
        message="What the plan was made from has changed since a person approved it.",
        hint="reconcile plan",
        exit_code=Exit.APPROVAL,
    )
    return replace(planned, result=replace(result, findings=(finding, *result.findings)))


def _moved(fresh: Plan, canonical: Mapping[str, Any]) -> list[str]:
    """What is another than in the approved plan."""
    moved = []
    if fresh.rules != canonical["rules"]:
        moved.append("other matching rules or columns")
    moved += policy.changed(canonical["policy"], fresh.policy)
    if fresh.source_sha256 != canonical["source"] and fresh.doubts:
        moved.append("a new export that is in doubt itself")
    elif set(fresh.doubts) - set(canonical["doubts"]):
        moved.append("new doubts about the export")
    return moved


def still_due(
    result: Result, canonical: Mapping[str, Any]
) -> tuple[tuple[Decision, ...], tuple[ContactOutcome, ...]]:
    """Approved and still due; and what became of those that were approved and are not."""
    if result.plan is None or result.pbx is None:
        return (), ()
    approved = {int(entry["id"]): str(entry["fingerprint"]) for entry in canonical["deletes"]}
    due = tuple(
        d for d in result.plan.deletes if approved.get(d.contact.id) == d.contact.fingerprint
    )
    decisions = {d.contact.id: d for d in result.plan.decisions}
    listed, still = set(result.pbx.ids), {d.contact.id for d in due}
    settled = []
    for contact_id, fingerprint in approved.items():
        if contact_id in still:
            continue
        outcome, detail = _lapsed(
            fingerprint, decisions.get(contact_id), listed=contact_id in listed
        )
        settled.append(
            ContactOutcome(
                contact_id=contact_id, outcome=outcome, guard=result.delete_guard, detail=detail
            )
        )
    return due, tuple(settled)


def _lapsed(fingerprint: str, decision: Decision | None, *, listed: bool) -> tuple[Outcome, str]:
    """Why an approved delete is not due any more."""
    if not listed:
        return Outcome.ALREADY_GONE, "it is no longer in 3CX"
    if decision is None:
        return Outcome.NOT_ATTEMPTED, "no longer due: it matches the CRM again"
    if decision.contact.fingerprint != fingerprint:
        return Outcome.CHANGED, "it was edited in 3CX after the plan, and is kept"
    return Outcome.NOT_ATTEMPTED, f"no longer due: {decision.reason}"
