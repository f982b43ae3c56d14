"""Scenarios 67 to 76: what people do, what they must not see, and what time does."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from company import SECRET
from scenarios.scene import LEAVERS

from reconcile import byhand, restoring
from reconcile.errors import UsageError
from reconcile.model import Exit, Status, Verdict

OTHERS = (20, 21, 22)


# ------------------------------------------------------------------ limits and approvals


def test_67_a_limit_raised_to_get_past_a_stop_is_asked_about(company):
    company.settings["policy.max_deletes"] = 1
    assert company.night().code == Exit.APPROVAL
    company.tomorrow()
    company.settings["policy.max_deletes"] = 50
    ended = company.night()
    assert (ended.code, ended.findings) == (Exit.APPROVAL, {"policy_loosened"})
    assert "max_deletes 1 → 50" in ended.observed("policy_loosened")
    assert company.untouched()
    company.ends(company.apply, ended.report.digest)
    assert company.left() == set(LEAVERS)


def test_68_a_one_time_approval_leaves_the_limit_as_it_is(company):
    company.settings["policy.max_deletes"] = 1
    first = company.night(company.tonight(without=(*LEAVERS, *OTHERS)))
    assert company.ends(company.apply, first.report.digest).code == Exit.CONVERGED
    assert company.left() == set(LEAVERS)
    company.tomorrow()
    ended = company.night(company.tonight(without=(*LEAVERS, *OTHERS)))
    assert (ended.code, ended.findings) == (Exit.APPROVAL, {"too_many_deletes"})
    assert company.left() == set(LEAVERS)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("policy.protect", {"numbers": ["ask the boss"]}),
        ("policy.protect", {"names": ["  "]}),
        ("policy.protect", {"names": ["GmbH"], "idz": [5]}),
        ("pbx.contact_types", ["3cx"]),
        ("policy.max_delete", 5),
    ],
)
def test_69_what_fits_nothing_is_an_error_of_the_configuration(company, key, value):
    company.exported()
    company.settings[key] = value
    ended = company.ends(company.run)
    assert (ended.code, ended.findings) == (Exit.USAGE, {"config"})
    assert company.server.requests == ()


def test_69_a_protection_outlives_its_line_in_the_configuration(company):
    company.settings["policy.protect"] = {"ids": [5]}
    assert company.night().contact(5).verdict is Verdict.PROTECTED
    del company.settings["policy.protect"]
    company.tomorrow()
    ended = company.night()
    assert ended.contact(5).verdict is Verdict.PROTECTED
    assert "protection_kept" in ended.findings
    assert company.left() == {6}


# ------------------------------------------------------------------ secrets and personal data


def test_70_no_secret_is_anywhere(company, capfd):
    company.server.fail(method="DELETE", status=500, body=f"you sent {SECRET}", times=9)
    ended = company.night()
    company.settings["pbx.client_secret_env"] = "NOT_SET"
    refused = company.ends(company.run)
    assert (ended.code, refused.code) == (Exit.PBX, Exit.USAGE)
    said = "".join([str(refused.error), *map(str, refused.error.problems), *capfd.readouterr()])
    assert SECRET not in said + ended.report.to_json()
    for path in company.folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_71_a_report_is_its_owners_and_can_be_masked(company):
    company.settings["report.mask"] = True
    ended = company.night()
    name = company.book.get(20)["LastName"]
    written = list((company.folder / "reports").rglob("run-*/*"))
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    report = json.loads((company.folder / "reports" / "latest" / "report.json").read_text())
    assert report["contacts"]
    assert name not in json.dumps(report, ensure_ascii=False)
    assert "Lehmann" not in ended.contact(5).name


def test_72_whoever_can_write_the_export_can_not_empty_the_phonebook(company):
    left = []
    for night in (2, 3):
        kept = [c["Id"] for c in company.book.all()][: -40 * night]
        gone = {c["Id"] for c in company.book.all()} - set(kept)
        ended = company.night(company.tonight(without=gone | set(LEAVERS)))
        left.append(len(company.left()))
        assert (ended.code, ended.status) == (Exit.APPROVAL, Status.NEEDS_APPROVAL)
        company.tomorrow()
    assert left == [0, 0]


def test_73_a_planted_row_can_only_keep_a_contact(company):
    leaver = company.book.get(5)
    row = ["X1", leaver["FirstName"], leaver["LastName"], "", "", leaver["PhoneNumber"]]
    ended = company.night(company.tonight(extra=[row]))
    assert (ended.code, company.left()) == (Exit.CONVERGED, {6})


def test_73_and_one_under_another_name_is_shown_to_a_person(company):
    row = ["X1", "Some", "Body", "", "", company.book.get(5)["PhoneNumber"]]
    ended = company.night(company.tonight(extra=[row]))
    assert ended.contact(5).verdict is Verdict.REVIEW
    assert company.left() == {6}


def test_74_a_person_can_be_forgotten(company):
    email = company.book.get(5)["Email"].encode()
    assert company.night().code == Exit.CONVERGED
    for path in (company.folder / "exports").iterdir():
        path.unlink()
    byhand.purge_once(company.config, company.world(), 5)
    with pytest.raises(UsageError):
        restoring.restore_once(company.config, company.world(), contact_id=5)
    for path in company.folder.rglob("*"):
        assert not path.is_file() or email not in path.read_bytes(), path
    assert company.sql("SELECT count(*) FROM tombstone WHERE contact_id = 6") == [(1,)]


# ------------------------------------------------------------------ time


def test_75_after_weeks_of_silence_the_old_export_is_refused(company):
    company.exported()
    company.now += timedelta(days=21)
    ended = company.ends(company.run)
    assert (ended.code, ended.findings) == (Exit.EXPORT, {"export_stale"})
    assert company.untouched()


def test_75_and_a_fresh_one_makes_nobody_due_who_left_meanwhile(company):
    company.now += timedelta(days=21)
    gone = range(30, 38)
    ended = company.night(company.tonight(without=(*LEAVERS, *gone)))
    waiting = {c.id for c in ended.report.contacts if c.verdict is Verdict.WAITING}
    assert waiting == set(gone)
    assert company.left() == set(LEAVERS)


def test_76_another_matcher_than_last_night_is_asked_about(company):
    """As an upgrade leaves it: the accepted export was matched by other rules."""
    company.sql("UPDATE export SET rules = ?", "0" * 64)
    ended = company.night()
    assert (ended.code, ended.findings) == (Exit.APPROVAL, {"rules_changed"})
    assert company.untouched()
