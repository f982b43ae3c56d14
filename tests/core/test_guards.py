"""Each guard on both sides of its limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import builders as b
import pytest
from plausible import accepted, facts, left_open, with_ledger

from reconcile.core import guards
from reconcile.model import (
    Acceptance,
    ClaimOrigin,
    DeleteGuard,
    EtagKind,
    Exit,
    Freeze,
    IfMatch,
    LedgerView,
    Level,
    Matching,
    Probe,
    Subject,
    Verdict,
)


def codes(found):
    return {f.code: f.level for f in guards.evaluate(found)}


def test_an_ordinary_night_has_no_finding():
    assert guards.evaluate(facts(deletes=2)) == ()


# ------------------------------------------------------------------ the reads


def test_an_empty_listing_blocks_with_exit_6():
    (finding,) = guards.evaluate(facts(contacts=0))
    assert (finding.code, finding.level, finding.exit_code) == ("pbx_empty", Level.BLOCK, Exit.PBX)


@pytest.mark.parametrize(
    ("claimed", "lost", "asks"),
    [(200, 10, False), (200, 11, True), (220, 11, False), (219, 11, True), (100, 10, False)],
)
def test_claimed_contacts_that_somebody_else_deleted_ask(claimed, lost, asks):
    claims = {n + 1: b.claim(b.pbx({"Id": n + 1}).contact(0)) for n in range(claimed)}
    found = guards.evaluate(with_ledger(facts(contacts=claimed - lost), claims=claims))
    assert [(f.code, f.level) for f in found] == [("pbx_shrank", Level.APPROVE)] * asks
    assert guards.accepts(found, approved=False) is not asks
    assert not guards.evaluate(
        with_ledger(facts(contacts=claimed - lost, history=True), claims=claims)
    )[1:]


def test_unresolved_intents_block_with_exit_8():
    (finding,) = guards.evaluate(with_ledger(facts(), unresolved=(left_open(77),)))
    assert (finding.level, finding.exit_code) == (Level.BLOCK, Exit.STATE)
    assert "77" in finding.message


@pytest.mark.parametrize(("seconds", "blocked"), [(-1, True), (0, False), (1, False)])
def test_an_export_older_than_the_last_blocks_with_exit_3(seconds, blocked):
    found = facts()
    made = found.ledger.newest_generated_at + timedelta(seconds=seconds)
    found = replace(found, source=replace(found.source, generated_at=made))
    assert (codes(found) == {"export_older": Level.BLOCK}) is blocked
    assert all(f.exit_code is Exit.EXPORT for f in guards.evaluate(found))


def test_the_same_export_again_is_said_and_never_older():
    found = facts()
    old = found.ledger.newest_generated_at - timedelta(days=3)
    source = replace(found.source, content="0" * 64, generated_at=old)
    assert codes(replace(found, source=source)) == {"export_repeated": Level.INFO}


@pytest.mark.parametrize(("ahead", "level"), [(0, Level.BLOCK), (1, Level.APPROVE)])
def test_an_export_dated_in_the_future_does_not_stand_against_all_later_ones(ahead, level):
    found = facts(
        source=replace(b.source(rows=1000, sha256="1" * 64), generated_at=b.NOW - timedelta(days=1))
    )
    newest = found.pbx.read_at + timedelta(seconds=ahead)
    code = "clock_moved" if ahead else "export_older"
    assert codes(with_ledger(found, newest_generated_at=newest)) == {code: level}


def test_the_content_of_long_ago_is_no_new_evidence_whatever_its_time():
    found = with_ledger(facts(), contents={"1" * 64: 2})
    (finding,) = guards.evaluate(found)
    assert (finding.code, finding.observed) == ("export_repeated", "the same content as in run 2")
    assert guards.evaluate(with_ledger(facts(), contents={"2" * 64: 2})) == ()


@pytest.mark.parametrize(
    ("most", "now", "asks"),
    [
        (400, 390, False),
        (500, 490, False),
        (500, 489, True),
        (550, 539, False),
        (549, 538, True),
        (0, 1, False),
    ],
)
def test_exports_that_shrink_slowly_ask(most, now, asks):
    """Last night's was as small as this one: only the week shows it."""
    found = with_ledger(facts(source=b.source(rows=now, sha256="1" * 64)), most_records=most)
    found = with_ledger(found, last_accepted=accepted(records=now))
    assert codes(found) == ({"export_shrinking": Level.APPROVE} if asks else {})


def test_one_loss_is_told_once_and_history_shrinks_nothing():
    found = with_ledger(facts(source=b.source(rows=900, sha256="1" * 64)), most_records=1000)
    assert set(codes(found)) == {"export_shrank"}
    assert set(codes(replace(found, history=True))) == {"export_history"}


def test_an_old_export_fed_by_hand_after_a_newer_one_is_only_refused():
    found = facts()
    made = found.ledger.newest_generated_at - timedelta(days=30)
    found = replace(found, source=replace(found.source, generated_at=made), history=True)
    assert codes(found) == {"export_older": Level.BLOCK}


def test_an_old_export_fed_by_hand_is_said_and_compared_with_nothing():
    found = replace(facts(lost=500), history=True, rules="others")
    assert codes(found) == {"export_history": Level.INFO}


@pytest.mark.parametrize(
    ("before", "now", "asks"),
    [
        (1000, 980, False),  # 2 %: equal is allowed
        (1000, 979, True),
        (1000, 1100, False),
        (100, 90, False),  # 10 records: equal is allowed
        (100, 89, True),
        (10, 1, False),
        (11, 0, True),
    ],
)
def test_a_shrunk_export_asks(before, now, asks):
    found = with_ledger(facts(), last_accepted=accepted(records=before))
    found = replace(found, source=replace(found.source, rows=now))
    assert (codes(found).get("export_shrank") is Level.APPROVE) is asks


def test_records_flagged_as_gone_shrink_the_export_too():
    found = facts()
    found = replace(found, source=replace(found.source, rows=1000, gone=21))
    assert "export_shrank" in codes(found)


@pytest.mark.parametrize(
    ("fill", "asks"), [(0.9, False), (0.85, False), (0.849, True), (0.951, True), (0.0, True)]
)
def test_a_column_that_is_filled_differently_asks(fill, asks):
    found = facts()
    found = replace(found, matching=replace(found.matching, fill={"phone": fill}))
    assert ("fill_moved" in codes(found)) is asks


def test_a_column_that_is_no_key_may_be_filled_as_it_likes():
    found = facts()
    fill = {"phone": 0.9, "country": 0.9}
    assert codes(replace(found, matching=replace(found.matching, fill=fill))) == {}


def test_a_few_records_of_a_small_export_do_not_move_its_fill():
    found = facts()
    found = replace(found, source=replace(found.source, rows=50))
    found = with_ledger(found, last_accepted=accepted(records=50, fill={"phone": 1.0}))
    assert "fill_moved" not in codes(found)


@pytest.mark.parametrize(
    ("numbers", "lossy", "asks"),
    [(1000, 0, False), (1000, 9, False), (1000, 10, True), (50, 1, True), (0, 0, False)],
)
def test_numbers_that_lost_their_digits(numbers, lossy, asks):
    source = replace(b.source(rows=1000), numbers=numbers, lossy=lossy)
    found = facts(source=source)
    assert ("numbers_lost" in codes(found)) is asks
    assert bool(guards.doubts(guards.evaluate(found))) is asks
    assert "numbers_lost" not in codes(facts(source=source, history=True))


def test_changed_rules_ask():
    assert codes(replace(facts(), rules="others")) == {"rules_changed": Level.APPROVE}


@pytest.mark.parametrize(("lost", "asks"), [(50, False), (51, True)])
def test_a_low_matched_share_asks(lost, asks):
    assert ("matched_share" in codes(facts(lost=lost))) is asks


@pytest.mark.parametrize(("lost", "asks"), [(5, False), (6, True)])
def test_a_few_leavers_of_a_small_company_are_no_low_share(lost, asks):
    assert ("matched_share" in codes(facts(contacts=40, lost=lost))) is asks


@pytest.mark.parametrize(
    "change", [{"origin": ClaimOrigin.ADOPT}, {"first_absent": b.NOW, "absent_exports": 1}]
)
def test_contacts_that_did_not_match_before_are_not_missed(change):
    found = facts(lost=500)
    claims = {
        i: replace(claim, **change) if i <= 500 else claim
        for i, claim in found.ledger.claims.items()
    }
    assert codes(with_ledger(found, claims=claims)) == {}


def test_protected_contacts_are_not_missed():
    found = facts(lost=60, vetoed=60)
    protected = tuple(replace(d, verdict=Verdict.PROTECTED, vetoed="") for d in found.decisions)
    assert codes(replace(found, decisions=protected)) == {}


def test_the_first_export_is_compared_with_nothing():
    found = LedgerView()
    assert guards.evaluate(replace(facts(), ledger=found)) == ()


# ------------------------------------------------------------------ the deletes


@pytest.mark.parametrize(("deletes", "asks"), [(20, False), (21, True)])
def test_too_many_deletes_ask(deletes, asks):
    assert ("too_many_deletes" in codes(facts(contacts=2000, deletes=deletes))) is asks


@pytest.mark.parametrize(
    ("contacts", "deletes", "asks"),
    [(500, 10, False), (500, 11, True), (10, 2, False), (10, 3, True)],
)
def test_too_large_a_share_asks(contacts, deletes, asks):
    found = facts(contacts=contacts, deletes=deletes)
    assert ("too_large_share" in codes(found)) is asks


@pytest.mark.parametrize(
    ("before", "deletes", "asks"), [(9, 1, False), (9, 2, True), (30, 0, False)]
)
def test_a_slow_loss_over_a_week_asks(before, deletes, asks):
    found = with_ledger(facts(contacts=100, deletes=deletes), deleted_last_week=before)
    assert ("too_many_in_a_week" in codes(found)) is asks


@pytest.mark.parametrize(("before", "asks"), [(48, False), (49, True)])
def test_a_week_is_measured_against_what_was_there_before(before, asks):
    found = with_ledger(facts(contacts=952, deletes=2), deleted_last_week=before)
    assert ("too_many_in_a_week" in codes(found)) is asks


@pytest.mark.parametrize(
    ("size", "deletes", "asks"),
    [
        *[(10, 3, False), (9, 3, True), (5, 2, True), (4, 2, False), (4, 3, True), (3, 3, True)],
        *[(2, 2, False), (5, 1, False)],
    ],
)
def test_a_company_that_loses_many_asks(size, deletes, asks):
    found = facts(contacts=size, deletes=deletes, company="ACME")
    assert ("group_lost" in codes(found)) is asks


def test_a_department_that_loses_many_asks():
    found = facts(contacts=6, deletes=2)
    rows = [{"Id": i + 1, "CompanyName": "", "Department": "Sales"} for i in range(6)]
    pbx = b.pbx(*rows)
    decisions = tuple(replace(d, contact=pbx.contact(at)) for at, d in enumerate(found.decisions))
    (finding,) = guards.evaluate(replace(found, pbx=pbx, decisions=decisions))
    assert (finding.code, finding.observed) == ("group_lost", "department Sales: 2 of 6 (33 %)")


def test_contacts_without_a_company_are_no_group():
    assert "group_lost" not in codes(facts(contacts=5, deletes=2))


@pytest.mark.parametrize(
    ("vetoed", "known", "level"),
    [(1, 0, None), (2, 0, Level.APPROVE), (3, 2, None), (4, 2, Level.APPROVE)],
)
def test_several_new_vetoes_ask_once(vetoed, known, level):
    found = with_ledger(facts(vetoed=vetoed), last_accepted=accepted(vetoes=known))
    assert codes(found).get("vetoes") is level


def test_vetoes_are_doubts_about_the_export():
    assert guards.doubts(guards.evaluate(facts(vetoed=2, deletes=30))) == ("vetoes",)


@pytest.mark.parametrize(("deletes", "asks"), [(1, True), (0, False)])
def test_a_plan_without_grace_always_asks(deletes, asks):
    found = replace(facts(deletes=deletes), immediate=True)
    assert ("without_grace" in codes(found)) is asks


def test_nothing_claimed_makes_no_share_look_small():
    found = replace(facts(contacts=5, deletes=3), ledger=LedgerView())
    assert "too_large_share" in codes(found)


# ------------------------------------------------------------------ the delete guard


def probe(if_match, etags=EtagKind.WEAK):
    return Probe(
        pbx_url="https://pbx.example.com",
        pbx_version="20.0.9.995",
        probed_at=b.NOW,
        etags=etags,
        if_match=if_match,
    )


def guarded(**changes):
    return replace(facts(deletes=1), delete_guard=DeleteGuard.ETAG, **changes)


def test_a_proved_guard_is_no_finding():
    assert codes(guarded(probe=probe(IfMatch.ENFORCED))) == {}


def test_an_ignored_if_match_blocks_with_exit_6():
    (finding,) = guards.evaluate(guarded(probe=probe(IfMatch.IGNORED)))
    assert (finding.code, finding.level) == ("delete_guard_unavailable", Level.BLOCK)
    assert finding.exit_code is Exit.PBX


def test_a_pbx_that_refuses_every_etag_blocks_with_exit_6():
    found = replace(probe(IfMatch.UNPROVEN), right_etag=Acceptance.REFUSED)
    (finding,) = guards.evaluate(guarded(probe=found))
    assert (finding.code, finding.exit_code) == ("delete_guard_unavailable", Exit.PBX)
    assert "the right one too" in finding.observed
    assert guards.unguarded(found, EtagKind.WEAK).code == "delete_guard_unavailable"


def test_an_etag_that_only_a_single_contact_has_is_one():
    found = guarded(probe=None)
    none = replace(found.pbx, etags=("",) * len(found.pbx))
    assert codes(replace(found, pbx=none))["delete_guard_unavailable"] is Level.BLOCK
    header = replace(none, single_etag='"1"')
    assert codes(replace(found, pbx=header))["delete_guard_unproven"] is Level.INFO
    assert codes(replace(found, pbx=none, probe=probe(IfMatch.ENFORCED))) == {}


def test_one_contact_without_a_tag_is_no_pbx_without_etags():
    found = guarded(probe=probe(IfMatch.ENFORCED))
    assert codes(replace(found, pbx=replace(found.pbx, etags=("", *found.pbx.etags[1:])))) == {}


def test_a_pbx_without_etags_blocks_deletes_and_nothing_else():
    found = guarded()
    tagless = replace(found.pbx, etags=("",) * len(found.pbx))
    assert codes(replace(found, pbx=tagless)) == {"delete_guard_unavailable": Level.BLOCK}
    quiet = replace(facts(), delete_guard=DeleteGuard.ETAG, pbx=tagless)
    assert codes(quiet) == {"delete_guard_unavailable": Level.INFO}


@pytest.mark.parametrize("known", [None, probe(IfMatch.UNPROVEN)])
def test_an_unproven_guard_is_said(known):
    assert codes(guarded(probe=known)) == {"delete_guard_unproven": Level.INFO}


# ------------------------------------------------------------------ what counts as evidence


def finding(level, subject):
    (one,) = guards.evaluate(facts(contacts=0))
    return replace(one, level=level, subject=subject)


@pytest.mark.parametrize(
    ("level", "subject", "approved", "counts"),
    [
        (Level.BLOCK, Subject.EXPORT, True, False),
        (Level.BLOCK, Subject.PBX, False, False),
        (Level.BLOCK, Subject.DELETES, False, True),
        (Level.APPROVE, Subject.EXPORT, False, False),
        (Level.APPROVE, Subject.EXPORT, True, True),
        (Level.APPROVE, Subject.DELETES, False, True),
        (Level.INFO, Subject.EXPORT, False, True),
    ],
)
def test_an_export_in_doubt_counts_only_with_approval(level, subject, approved, counts):
    assert guards.accepts((finding(level, subject),), approved=approved) is counts


def test_the_gravest_finding_comes_first():
    found = facts(deletes=21, lost_sentinels=("1",))
    levels = [f.level for f in guards.evaluate(found)]
    assert levels == sorted(levels, key=[Level.BLOCK, Level.APPROVE, Level.INFO].index)
    assert len(set(levels)) > 1


def test_every_approval_names_the_command():
    found = guards.evaluate(facts(contacts=10, deletes=9))
    assert found
    for finding in guards.with_digest(found, "d" * 64):
        assert f"reconcile apply {'d' * 12}" in finding.hint


def test_only_key_columns_are_remembered():
    matching = Matching(evidence=(), counts_crm={}, fill={"phone": 0.5, "country": 1.0})
    assert guards.fill_of(matching) == {"phone": 0.5}


# ------------------------------------------------------------------ what must be in an export


@pytest.mark.parametrize(("lost", "blocks"), [((), False), (("17",), True)])
def test_a_sentinel_that_is_missing_blocks_with_exit_3(lost, blocks):
    found = guards.evaluate(facts(lost_sentinels=lost))
    assert [(f.code, f.level, f.exit_code) for f in found] == [
        ("sentinel_missing", Level.BLOCK, Exit.EXPORT)
    ] * blocks
    assert not blocks or found[0].observed == "1 missing: 17"


def test_many_missing_sentinels_are_counted_and_some_are_named():
    (found,) = guards.evaluate(facts(lost_sentinels=tuple(map(str, range(12)))))
    assert found.observed == "12 missing: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


def test_an_old_export_fed_by_hand_needs_neither_sentinels_nor_a_manifest():
    found = with_ledger(facts(history=True, lost_sentinels=("1",)), manifests=frozenset({"rows"}))
    assert set(codes(found)) == {"export_history"}


@pytest.mark.parametrize(
    ("seen", "has", "asked", "lacks"),
    [
        ("", "", True, None),
        ("", "rows", True, None),
        ("rows", "rows", True, None),
        ("rows", "rows sha256", True, None),
        ("rows", "", True, "no row count"),
        ("sha256", "", True, "no sha256"),
        ("rows sha256", "rows", True, "no sha256"),
        ("rows sha256", "", True, "no row count and sha256"),
        ("rows sha256", "", False, None),
    ],
)
def test_what_a_manifest_has_proved_is_asked_for_ever_after(seen, has, asked, lacks):
    source = replace(b.source(rows=1000, sha256="1" * 64), manifest=has)
    given = facts(asks_manifest=asked, source=source)
    found = guards.evaluate(with_ledger(given, manifests=frozenset(seen.split())))
    assert [f.observed for f in found] == ([lacks] if lacks else [])
    if lacks:
        assert (found[0].code, found[0].level) == ("manifest_missing", Level.BLOCK)
        assert found[0].exit_code is Exit.EXPORT


# ------------------------------------------------------------------ what a person wants


STRICT, LOOSE = '{"max_deletes":20}', '{"max_deletes":50}'


@pytest.mark.parametrize(
    ("before", "now", "deletes", "asks"),
    [
        (STRICT, LOOSE, 1, True),
        (STRICT, LOOSE, 0, False),
        (LOOSE, STRICT, 1, False),
        (STRICT, STRICT, 1, False),
        ("", LOOSE, 1, False),
    ],
)
def test_a_policy_that_allows_more_is_approved_once(before, now, deletes, asks):
    given = facts(policy=now, deletes=deletes)
    found = guards.evaluate(with_ledger(given, last_accepted=accepted(policy=before)))
    assert [(f.code, f.level, f.observed) for f in found] == [
        ("policy_loosened", Level.APPROVE, "max_deletes 20 → 50")
    ] * asks
    assert guards.accepts(found, approved=False), "it says nothing about the export"


def test_everything_that_is_looser_is_named():
    given = facts(policy='{"a":1,"max_deletes":50}', deletes=1)
    before = accepted(policy='{"a":2,"max_deletes":20}')
    (found,) = guards.evaluate(with_ledger(given, last_accepted=before))
    assert found.observed == "a 2 → 1, max_deletes 20 → 50"


def test_one_open_intent_is_one_contact():
    (found,) = guards.evaluate(with_ledger(facts(), unresolved=(left_open(77),)))
    assert "what became of contact 77, and" in found.message


def test_a_listing_without_etags_says_so_though_no_probe_could_begin():
    finding = guards.unguarded(None, EtagKind.NONE)
    assert (finding.code, finding.observed) == ("delete_guard_unavailable", "3CX issues no ETags")


def test_rules_are_named_by_their_first_twelve_characters():
    found = with_ledger(facts(rules="n" * 20), last_accepted=accepted(rules="w" * 20))
    (finding,) = guards.evaluate(found)
    assert finding.observed == f"rules {'n' * 12}"
    assert finding.limit == f"rules {'w' * 12}, as in run 3"


def test_a_freeze_needs_no_reason():
    freeze = Freeze(until=b.NOW + timedelta(days=1), frozen_by="anna")
    (found,) = guards.evaluate(with_ledger(facts(), freeze=freeze))
    assert found.message == "Deletes are frozen: nothing is deleted until then."


@pytest.mark.parametrize(
    ("count", "words"), [(10, "9"), (11, "9 and 1 more"), (12, "9 and 2 more")]
)
def test_ten_are_named_and_the_others_counted(count, words):
    (found,) = guards.evaluate(facts(lost_sentinels=tuple(map(str, range(count)))))
    assert found.observed.endswith(f"8, {words}")


def test_an_unknown_column_that_is_filled_now_was_empty_before():
    given = facts(matching=replace(facts().matching, fill={"phone": 0.9, "email": 0.25}))
    (found,) = guards.evaluate(given)
    assert found.observed == "email 0% → 25%"
    (found,) = guards.evaluate(
        with_ledger(facts(), last_accepted=accepted(fill={"phone": 0.9, "email": 0.25}))
    )
    assert found.observed == "email 25% → 0%"


def test_a_first_veto_of_all_is_new_and_one_is_not_many():
    found = with_ledger(facts(vetoed=2), last_accepted=None)
    assert codes(found)["vetoes"] is Level.APPROVE
    assert "vetoes" not in codes(with_ledger(facts(vetoed=1), last_accepted=None))


def test_an_empty_listing_says_nothing_of_etags_or_of_contacts_that_are_gone():
    found = facts(contacts=0, delete_guard=DeleteGuard.ETAG)
    found = with_ledger(found, claims=facts(contacts=40).ledger.claims)
    assert [f.code for f in guards.evaluate(found)] == ["pbx_empty", "delete_guard_unproven"]


def test_a_stop_file_and_a_freeze_are_said():
    freeze = Freeze(until=b.NOW + timedelta(days=1), frozen_by="anna", why="new CRM")
    found = guards.evaluate(with_ledger(facts(stop_file="STOP"), freeze=freeze))
    assert [(f.code, f.level) for f in found] == [
        ("stop_file", Level.INFO),
        ("frozen", Level.INFO),
    ]
    assert "anna" in found[1].observed
    assert "(new CRM)" in found[1].message
    assert guards.accepts(found, approved=False)


def test_a_protection_that_the_configuration_lost_is_said():
    (found,) = guards.evaluate(facts(kept_protections=("id 7", "tag vip")))
    assert (found.code, found.level, found.observed) == (
        "protection_kept",
        Level.INFO,
        "id 7, tag vip",
    )


# ------------------------------------------------------------------ what each guard saw


def seen(found):
    return {m.code: (m.observed, m.limit, m.level) for m in guards.measures(found)}


def test_on_an_ordinary_night_every_guard_says_what_it_saw_and_its_limit():
    night = with_ledger(
        facts(
            deletes=2, company="ACME", delete_guard=DeleteGuard.ETAG, probe=probe(IfMatch.ENFORCED)
        ),
        manifests=frozenset({"rows"}),
        most_records=1010,
    )
    night = replace(night, source=replace(night.source, manifest="rows", numbers=900))
    assert seen(night) == {
        "pbx_empty": ("1000 contacts", "at least 1", None),
        "pbx_shrank": ("0 of 1000 claimed contacts (0.0 %) are not there", "5 % and 10", None),
        "unresolved_intents": ("0", "0", None),
        "export_older": ("2026-11-24 02:30 UTC", "not before 2026-11-23 02:30 UTC", None),
        "sentinel_missing": ("none is missing", "all of crm.sentinels", None),
        "manifest_missing": ("nothing is missing", "as with an earlier accepted export", None),
        "export_shrank": ("0 fewer records (0.0 %): 1000, were 1000", "2 % and 10 records", None),
        "export_shrinking": (
            "10 fewer records (1.0 %) in seven days: 1000, were 1010",
            "2 % and 10 records",
            None,
        ),
        "fill_moved": ("at most 0.0 points", "5 points and 5 records", None),
        "numbers_lost": ("0 of 900 numbers (0.0 %)", "less than 1 %", None),
        "rules_changed": ("rules rules", "rules rules, as in run 3", None),
        "matched_share": ("100.0 % (1000 of 1000)", "95 % and 5 lost", None),
        "too_many_deletes": ("2 deletes", "20", None),
        "too_large_share": ("2 of 1000 claimed contacts (0.2 %)", "2 % and 2", None),
        "too_many_in_a_week": (
            "2 of 1000 in seven days (0.2 %), 0 of them done",
            "5 % and 10",
            None,
        ),
        "group_lost": ("company ACME: 2 of 1000 (0 %)", "30 % of at least 5, or 3 of fewer", None),
        "vetoes": ("0, 0 of them known", "1 that is new", None),
        "policy_loosened": ("nothing is looser", "the policy of the last accepted run", None),
        "delete_guard_unproven": ("proved", 'delete_guard = "etag"', None),
    }


def test_guards_that_have_nothing_to_compare_with_have_no_value():
    first = with_ledger(facts(), last_accepted=None, newest_generated_at=None)
    found = seen(first)
    compared = {"export_older", "export_shrank", "export_shrinking", "fill_moved", "rules_changed"}
    assert compared.isdisjoint(found)
    assert "policy_loosened" not in found
    assert "manifest_missing" not in found


def test_a_column_that_moved_within_its_limit_is_measured():
    night = facts(matching=replace(facts().matching, fill={"phone": 0.93, "email": 0.04}))
    assert seen(night)["fill_moved"] == ("at most 4.0 points", "5 points and 5 records", None)
    lower = facts(matching=replace(facts().matching, fill={"phone": 0.86}))
    assert seen(lower)["fill_moved"] == ("at most 4.0 points", "5 points and 5 records", None)


def test_an_export_that_grew_lost_nobody():
    grown = facts(source=b.source(rows=1040, sha256="1" * 64))
    assert seen(grown)["export_shrank"][0] == "0 fewer records (0.0 %): 1040, were 1000"
    grown = with_ledger(grown, most_records=1020)
    assert seen(grown)["export_shrinking"][0].startswith("0 fewer records (0.0 %) in seven days")


def test_of_groups_within_the_limit_the_one_that_loses_most_is_measured():
    rows = [{"Id": i + 1, "CompanyName": "AB"[i % 10 > 6], "Department": "ops"} for i in range(20)]
    pbx = b.pbx(*rows)
    gone = [0, 7, 1]  # 2 of 14 in A, 1 of 6 in B, 3 of 20 in ops
    decisions = tuple(replace(facts(deletes=1).decisions[0], contact=pbx.contact(i)) for i in gone)
    night = facts(contacts=20, pbx=pbx, decisions=decisions)
    assert seen(night)["group_lost"][0] == "company B: 1 of 6 (17 %)"


def test_a_measure_of_a_finding_is_what_the_finding_says():
    night = facts(deletes=21, contacts=100, company="ACME", immediate=True, stop_file="STOP")
    night = replace(night, source=b.source(rows=900, sha256="1" * 64))
    said = {m.code: (m.observed, m.limit, m.level) for m in guards.evaluate(night)}
    found = seen(night)
    assert {"export_shrank", "too_many_deletes", "without_grace", "stop_file"} <= set(said)
    assert {code: value for code, value in found.items() if value[2]} == said


def test_what_is_not_asked_has_no_value_that_looks_fine():
    old = facts(history=True, lost_sentinels=("17",), source=b.source(rows=900, sha256="1" * 64))
    old = replace(old, source=replace(old.source, lossy=50, numbers=100))
    old = with_ledger(old, claims=facts(contacts=1200).ledger.claims)
    asked = {"sentinel_missing", "numbers_lost", "pbx_shrank", "export_shrank", "export_shrinking"}
    assert asked.isdisjoint(seen(old))
    quiet = with_ledger(facts(policy='{"max_deletes": 99}'), deleted_last_week=200)
    assert {"too_many_in_a_week", "policy_loosened"}.isdisjoint(seen(quiet))
    shrunk = with_ledger(facts(source=b.source(rows=900, sha256="1" * 64)), most_records=2000)
    assert "export_shrank" in codes(shrunk)
    assert "export_shrinking" not in seen(shrunk)
    again = with_ledger(facts(), last_accepted=accepted(sha256="1" * 64), newest_generated_at=b.NOW)
    assert "export_older" not in seen(again)
