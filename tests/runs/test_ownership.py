"""Claims and protections by hand: kept in the state, said in the history."""

from __future__ import annotations

import pytest
from company import hired

from reconcile import ownership
from reconcile.config import Protect
from reconcile.errors import LockBusy, UsageError
from reconcile.model import Exit, Verdict
from reconcile.store.lock import RunLock


def verdict(report, contact_id):
    return {c.id: c.verdict for c in report.contacts}.get(contact_id)


def said(report, code):
    return [f for f in report.findings if f.code == code]


def history(company):
    with company.ledger() as ledger:
        return [(r.command, r.headline) for r in ledger.runs()]


# ---------------------------------------------------------------------------- protect


@pytest.mark.parametrize(
    "named",
    [
        {"ids": (5,)},
        {"tags": ("boss",)},
        {"numbers": ("030 555 1234",)},
        {"names": ("Ann Keeper",)},
    ],
)
def test_what_is_protected_by_hand_stays(company, named):
    fields = {
        "Tag": "boss",
        "FirstName": "Ann",
        "LastName": "Keeper",
        "PhoneNumber": "+49 30 5551234",
    }
    company.book.edit(5, fields)
    company.until_due(5)
    lines = ownership.protect_once(
        company.config, company.world(), Protect.typed(**named), why="asked for"
    )
    assert lines[0].startswith("Protected: ")
    assert verdict(company.plan(), 5) is Verdict.PROTECTED
    assert history(company)[1] == ("protect", "1 protections made by tester.")
    (kept,) = ownership.protections(company.config, company.world())
    assert (kept.created_by, kept.reason) == ("tester", "asked for")


def test_a_protection_outlives_its_line_in_the_configuration(company):
    company.settings["policy.protect"] = {"ids": [5], "names": ["The Boss"]}
    company.until_due(5)
    assert verdict(company.plan(), 5) is Verdict.PROTECTED
    del company.settings["policy.protect"]
    company.now = company.now.replace(hour=4)
    report = company.plan()
    assert verdict(report, 5) is Verdict.PROTECTED
    (kept,) = said(report, "protection_kept")
    assert kept.observed == "id 5, name The Boss"
    lines = ownership.unprotect_once(company.config, company.world(), Protect.typed(ids=(5,)))
    assert lines == ("No longer protected: id 5.",)
    company.now = company.now.replace(hour=5)
    assert verdict(company.plan(), 5) is not Verdict.PROTECTED


def test_what_the_configuration_still_names_can_not_be_taken_back(company):
    company.settings["policy.protect"] = {"ids": [5]}
    company.until_due(5)
    company.plan()
    (line,) = ownership.unprotect_once(company.config, company.world(), Protect.typed(ids=(5,)))
    assert "Still protected" in line
    assert verdict(company.plan(), 5) is Verdict.PROTECTED


def test_protections_of_the_configuration_are_listed_before_the_first_run(company):
    company.settings["policy.protect"] = {"tags": [" vip "]}
    (shown,) = ownership.protections(company.config, company.world())
    assert (shown.kind, shown.value, shown.created_by) == ("tag", "vip", "config.toml")


def test_a_dry_run_that_is_not_recorded_keeps_no_protection(company):
    company.settings["policy.protect"] = {"ids": [5]}
    company.export()
    company.plan(record=False)
    with company.ledger() as ledger:
        assert ledger.protections() == []


def test_what_was_never_protected_is_said_to_be_so(company):
    lines = ownership.unprotect_once(company.config, company.world(), Protect.typed(tags=("x",)))
    assert lines == ("Not protected: tag x.",)
    assert history(company) == []


@pytest.mark.parametrize("named", [{"numbers": ("none",)}, {"names": ("...",)}, {"tags": (" ",)}])
def test_what_no_contact_can_fit_protects_nobody_and_is_refused(named):
    with pytest.raises(UsageError, match="fit no contact"):
        Protect.typed(**named)


# ---------------------------------------------------------------------------- release


def test_a_released_contact_is_unmanaged(company):
    company.until_due(5)
    lines = ownership.release_once(company.config, company.world(), frozenset({5, 4000}))
    assert lines == (
        "Contact 5 is released: it is unmanaged until it matches the CRM again.",
        "Contact 4000 has no claim, so it is not ours to delete anyway.",
    )
    assert verdict(company.plan(), 5) is Verdict.UNMANAGED
    assert history(company)[1] == ("release", "1 contact was released by tester.")


def test_a_released_contact_that_matches_again_is_claimed_again(company):
    company.until_due(5)
    ownership.release_once(company.config, company.world(), frozenset({5}))
    company.tomorrow()
    company.export()
    company.plan()
    company.tomorrow()
    company.export(without=[5])
    assert verdict(company.plan(), 5) is Verdict.WAITING


def test_to_release_what_is_not_claimed_leaves_no_trace(company):
    ownership.release_once(company.config, company.world(), frozenset({5}))
    assert history(company) == []


def test_ownership_does_not_change_under_a_run(company):
    config, world = company.config, company.world()
    with RunLock(config.state.url, base=config.base, command="run", now=company.now):
        with pytest.raises(LockBusy):
            ownership.release_once(config, world, frozenset({5}))
        with pytest.raises(LockBusy):
            ownership.protect_once(config, world, Protect.typed(ids=(5,)), why="")


def test_adoption_is_in_the_history(company):
    stranger = company.book.add(
        {"FirstName": "Old", "LastName": "Friend", "PhoneNumber": "+49 170 9990001"}
    )
    company.export()
    company.plan()
    _, done = ownership.adopt_once(
        company.config,
        company.world(),
        ids=frozenset({stranger}),
        exceptions=ownership.Exceptions(),
        confirm=lambda _adoption: True,
    )
    assert done
    assert history(company)[0] == ("adopt", "1 contact was claimed by tester.")


# ---------------------------------------------------------------------------- the policy


def test_a_limit_that_was_raised_is_approved_once(company):
    """Scenario 67: nobody gets past a stop by a line in the configuration alone."""
    company.settings["mode"] = "auto"
    company.settings["policy.max_deletes"] = 1
    company.until_due(5, 6)
    assert [f.code for f in company.run().findings if f.level == "approve"] == ["too_many_deletes"]
    company.settings["policy.max_deletes"] = 2
    company.tomorrow()
    company.export(without=[5, 6], extra=[hired(1), hired(2)])
    report = company.run()
    (asked,) = said(report, "policy_loosened")
    assert asked.observed == "max_deletes 1 → 2"
    assert report.exit_code is Exit.APPROVAL
    assert not company.deletes()
    company.now = company.now.replace(hour=6)
    assert company.apply(report.digest).exit_code is Exit.CONVERGED
    assert not company.has(5)
    company.tomorrow()
    company.export(without=[5, 6, 7], extra=[hired(1), hired(2), hired(3)])
    company.run()
    company.tomorrow()
    company.export(without=[5, 6, 7], extra=[hired(1), hired(2), hired(3), hired(4)])
    assert not said(company.run(), "policy_loosened")
    assert not company.has(7)


def test_waiting_does_not_make_a_looser_policy_an_accepted_one(company):
    company.settings["mode"] = "auto"
    company.settings["policy.max_deletes"] = 1
    company.until_due(5, 6)
    company.run()
    company.settings["policy.max_deletes"] = 2
    for night in range(2, 5):
        company.tomorrow()
        company.export(without=[5, 6], extra=[hired(n) for n in range(night + 1)])
        assert said(company.run(), "policy_loosened")
    assert company.has(5)


def test_a_stricter_policy_is_nobody_s_business(company):
    company.settings["mode"] = "auto"
    company.until_due(5)
    company.settings["policy.max_deletes"] = 1
    assert company.run().exit_code is Exit.CONVERGED
    assert not company.has(5)


# ---------------------------------------------------------------------------- sentinels


def test_an_export_without_a_sentinel_is_no_evidence(company):
    company.settings["crm.sentinels"] = [company.book.get(9)["Tag"], " 12345 "]
    company.export()
    report = company.plan()
    (missing,) = said(report, "sentinel_missing")
    assert missing.observed == "1 missing: 12345"
    assert (report.status, report.exit_code) == ("blocked", Exit.EXPORT)
    with company.ledger() as ledger:
        assert ledger.view(now=company.now).last_accepted is None
    company.settings["crm.sentinels"] = [company.book.get(9)["Tag"]]
    assert company.plan().exit_code is Exit.CONVERGED
