"""What each finding says, whole: words that a person acts on at night are part of the contract.

The expected texts stand in `findings.json`, where they can be read as a person reads them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import builders as b
import pytest
from plausible import LIMITS, accepted, facts, left_open, with_ledger

from reconcile.core import guards
from reconcile.model import (
    Acceptance,
    DeleteGuard,
    EtagKind,
    Freeze,
    IfMatch,
    Probe,
)

EXPECTED = json.loads(Path(__file__).with_name("findings.json").read_text("utf-8"))
NIGHT = timedelta(days=1)


def proof(**changes):
    values = {
        "pbx_url": "https://pbx",
        "pbx_version": "20",
        "probed_at": b.NOW,
        "etags": EtagKind.WEAK,
        "if_match": IfMatch.ENFORCED,
    }
    return Probe(**(values | changes))


def etag(tag='W/"1"', **changes):
    """A night that needs the proof of the delete guard."""
    given = facts(deletes=1, delete_guard=DeleteGuard.ETAG, **changes)
    return replace(given, pbx=replace(given.pbx, etags=(tag,) * len(given.pbx)))


def source(**changes):
    return replace(b.source(rows=1000, sha256="1" * 64), **changes)


NIGHTS = {
    "pbx_empty": lambda: facts(contacts=0),
    "pbx_shrank": lambda: replace(facts(contacts=20), ledger=replace(facts(contacts=40).ledger)),
    "unresolved_intents": lambda: with_ledger(facts(), unresolved=(left_open(77), left_open(78))),
    "export_older": lambda: with_ledger(
        facts(source=source(generated_at=b.NOW - NIGHT)), newest_generated_at=b.NOW
    ),
    "clock_moved": lambda: with_ledger(facts(), newest_generated_at=facts().pbx.read_at + NIGHT),
    "export_repeated": lambda: with_ledger(facts(), last_accepted=accepted(sha256="1" * 64)),
    "export_history": lambda: facts(history=True),
    "sentinel_missing": lambda: facts(lost_sentinels=("17", "18")),
    "manifest_missing": lambda: with_ledger(facts(), manifests=frozenset({"rows", "sha256"})),
    "export_shrank": lambda: facts(source=source(rows=900)),
    "export_shrinking": lambda: with_ledger(
        facts(source=source(rows=900)), most_records=1000, last_accepted=accepted(records=905)
    ),
    "fill_moved": lambda: facts(
        matching=replace(facts().matching, fill={"phone": 0.5, "email": 0.25})
    ),
    "numbers_lost": lambda: facts(source=source(numbers=200, lossy=3)),
    "rules_changed": lambda: facts(rules="other" * 5),
    "matched_share": lambda: facts(lost=60),
    "too_many_deletes": lambda: facts(contacts=2000, deletes=21),
    "too_large_share": lambda: facts(contacts=100, deletes=3),
    "too_many_in_a_week": lambda: with_ledger(facts(contacts=100, deletes=2), deleted_last_week=9),
    "group_lost": lambda: facts(contacts=5, deletes=2, company="Acme"),
    "vetoes": lambda: facts(vetoed=2),
    "without_grace": lambda: facts(deletes=1, immediate=True),
    "policy_loosened": lambda: with_ledger(
        facts(deletes=1, policy='{"max_deletes":50}'),
        last_accepted=accepted(policy='{"max_deletes":20}'),
    ),
    "delete_guard_unproven": etag,
    "delete_guard_unavailable": lambda: etag(probe=proof(if_match=IfMatch.IGNORED)),
    "delete_guard_refuses_all": lambda: etag(
        probe=proof(if_match=IfMatch.UNPROVEN, right_etag=Acceptance.REFUSED)
    ),
    "delete_guard_without_etags": lambda: etag(tag=""),
    "stop_file": lambda: facts(stop_file="STOP"),
    "frozen": lambda: with_ledger(
        facts(), freeze=Freeze(until=b.NOW + NIGHT, frozen_by="anna", why="new CRM")
    ),
    "protection_kept": lambda: facts(kept_protections=("id 7",)),
}


def said(findings):
    return [{**asdict(f), "exit_code": int(f.exit_code)} for f in findings]


@pytest.mark.parametrize("night", NIGHTS)
def test_a_finding_says_exactly_this(night):
    found = guards.with_digest(guards.evaluate(NIGHTS[night]()), "0123456789abcdef")
    assert said(found) == EXPECTED[night]


def test_after_a_probe_that_proved_nothing():
    cases = (None, proof(if_match=IfMatch.UNPROVEN, detail="No contact could be made."))
    for case, expected in zip(cases, EXPECTED["unguarded"], strict=True):
        finding = guards.unguarded(case, EtagKind.WEAK)
        assert said([finding]) == [expected]


def test_nothing_is_expected_that_no_night_shows():
    assert set(EXPECTED) == {*NIGHTS, "unguarded"}
    assert LIMITS.max_deletes == 20, "the texts were written with these limits"
