"""What became of the contacts between two runs."""

from __future__ import annotations

import pytest
from reported import outcomes, result

from reconcile.cli import show
from reconcile.errors import UsageError
from reconcile.model import Outcome, Verdict
from reconcile.report import evidence, files
from reconcile.report.build import build, every_contact
from reconcile.report.diff import Changed, diff
from reconcile.report.lines import line
from reconcile.report.model import ContactPart


def keep(directory, run, parts):
    made = build(result(run_id=run), previous=None, masked=False)
    files.write(made, directory)
    evidence.write(map(line, parts), directory, run)


@pytest.fixture
def reports(tmp_path):
    """In run 12 Jo waits; in run 13 Jo is deleted, Eve is as she was, Max is new, Ann is gone."""
    keep(tmp_path, 12, every_contact(result(run_id=12, grace=2), masked=False))
    later = list(every_contact(result(run_id=13, outcomes=outcomes(Outcome.DELETED)), masked=False))
    new = ContactPart(id=9, verdict=Verdict.MATCHED, reason="its tag", name="Max New")
    keep(tmp_path, 13, [*later[1:], new])
    return tmp_path


def test_each_contact_that_changed_is_told_by_id(reports):
    found = diff(reports, 12, 13)
    assert (found.before, found.now, found.unchanged) == (12, 13, 1)
    ann, jo, new = found.changed
    assert (ann.id, ann.name, ann.before, ann.now, ann.reason) == (1, "Ann Lee", "matched", "", "")
    assert (jo.id, jo.company, jo.before, jo.now) == (7, "ACME", "waiting", "deleted")
    assert jo.reason.startswith("CRM record 4711 is absent")
    assert new == Changed(
        id=9, name="Max New", company="", before="", now="matched", reason="its tag"
    )


def test_the_latest_run_is_meant_if_none_is_named(reports):
    assert diff(reports, 12) == diff(reports, 12, 13)
    assert diff(reports, 13).changed == ()


def test_a_way_back_is_told_the_other_way_round(reports):
    assert [(c.before, c.now) for c in diff(reports, 13, 12).changed] == [
        ("", "matched"),
        ("deleted", "waiting"),
        ("matched", ""),
    ]


@pytest.mark.parametrize(("before", "now", "missing"), [(1, 13, 1), (12, 99, 99), (99, None, 99)])
def test_a_run_without_evidence_is_said(reports, before, now, missing):
    with pytest.raises(UsageError, match=f"Run {missing} left no evidence in ") as caught:
        diff(reports, before, now)
    assert caught.value.hint == "reconcile history"


def test_where_no_run_left_evidence_the_first_is_said(tmp_path):
    with pytest.raises(UsageError, match="Run 3 left no evidence"):
        diff(tmp_path, 3)


def test_changes_are_shown_by_kind_and_cut_short(tmp_path):
    parts = [ContactPart(id=i, verdict=Verdict.WAITING, reason="", name=f"N{i}") for i in range(30)]
    keep(tmp_path, 12, parts)
    due = [p.model_copy(update={"verdict": Verdict.DELETE, "reason": "absent"}) for p in parts]
    keep(tmp_path, 13, [*due[:25], *parts[25:28]])
    found = diff(tmp_path, 12)
    lines = show.difference(found, full=False).splitlines()
    assert lines[0] == "From run 12 to run 13: 27 changed, 3 contacts are as they were."
    assert lines[2:4] == ["waiting → delete (25)", "       0  N0: absent"]
    assert lines[23] == "          … and 5 more; all of them: --full"
    assert lines[25:] == ["waiting → not there (2)", "      28  N28", "      29  N29"]
    assert "more" not in show.difference(found, full=True)
