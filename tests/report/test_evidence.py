"""The evidence of every contact of a run, on disk."""

from __future__ import annotations

import gzip
import os
import stat
from dataclasses import replace
from datetime import timedelta

import builders as b
import pytest
from reported import outcomes, result

from reconcile.errors import StateError, UsageError
from reconcile.model import Outcome, Verdict
from reconcile.report import evidence, files
from reconcile.report.build import build, every_contact, every_line


@pytest.fixture
def reports(tmp_path):
    """The folder of reports in which run 12 left its report."""
    files.write(build(result(), previous=None, masked=False), tmp_path)
    return tmp_path


def test_every_contact_of_the_run_is_there_by_id(reports):
    evidence.write(every_line(result(), masked=False), reports, 12)
    found = list(evidence.read(reports, 12))
    assert [(c.id, c.verdict) for c in found] == [
        (1, Verdict.MATCHED),
        (7, Verdict.DELETE),
        (8, Verdict.REVIEW),
    ]
    sentence = "number +49 30 1111111 belongs to CRM record 1, and the names agree"
    assert (found[0].reason, found[0].evidence, found[0].crm_id) == (sentence, (sentence,), "1")


def test_what_it_says_of_a_contact_is_what_the_report_says():
    told = build(result(), previous=None, masked=False, with_matched=True)
    assert tuple(every_contact(result(), masked=False)) == told.contacts
    masked = build(result(), previous=None, masked=True, with_matched=True)
    assert tuple(every_contact(result(), masked=True)) == masked.contacts


def test_an_apply_tells_what_became_of_each(reports):
    applied = result(outcomes=outcomes(Outcome.DELETED))
    evidence.write(every_line(applied, masked=False), reports, 12)
    assert [c.outcome for c in evidence.read(reports, 12)] == [None, Outcome.DELETED, None]


def test_a_strong_proof_of_what_is_not_managed_makes_no_second_line():
    made = result()
    ann = replace(made.plan.decisions[0], contact=made.pbx.contact(0), verdict="out_of_scope")
    scoped = replace(made, plan=replace(made.plan, decisions=(ann, *made.plan.decisions)))
    found = [(c.id, c.verdict) for c in every_contact(scoped, masked=False)]
    assert found == [(1, "out_of_scope"), (7, "delete"), (8, "review")]


def test_contacts_are_made_one_by_one():
    contacts = every_contact(result(), masked=False)
    assert next(contacts).id == 1
    assert next(contacts).id == 7


def test_the_file_is_private_and_the_same_contacts_give_the_same_bytes(reports):
    path = evidence.write(every_line(result(), masked=False), reports, 12)
    assert path == reports / "run-000012" / "evidence.jsonl.gz"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    evidence.write(every_line(result(), masked=False), reports, 12)
    assert path.read_bytes() == before


def test_a_file_that_breaks_off_in_writing_is_none(reports):
    def broken():
        yield from every_line(result(), masked=False)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evidence.write(broken(), reports, 12)
    left = sorted(p.name for p in (reports / "run-000012").iterdir())
    assert left == ["report.html", "report.json"]
    assert not evidence.has(reports, 12)


def test_a_folder_that_takes_no_file_is_told_as_a_report_that_is_missing(reports):
    with pytest.raises(StateError, match="No report can be written") as raised:
        evidence.write((), reports, 13)
    assert raised.value.consequence.endswith("only the evidence of matched contacts is missing.")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:40] + bytes(20) + whole[60:],
        lambda _: b"no archive",
        lambda _: gzip.compress(b'{"id": 1}\n'),
    ],
    ids=["cut off", "damaged", "another file", "another form"],
)
def test_a_file_that_can_not_be_read_is_usage(reports, spoil):
    path = evidence.write(every_line(result(), masked=False), reports, 12)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UsageError, match=r"The evidence of run 12 in .* can't be read"):
        list(evidence.read(reports, 12))


def test_the_latest_run_with_evidence_is_the_one_with_the_highest_number(reports):
    assert evidence.latest(reports) is None
    assert evidence.latest(reports / "nowhere") is None
    (reports / "run-elsewhere").mkdir()
    for run in (999_999, 1_000_000, 12):
        (reports / files.folder_name(run)).mkdir(exist_ok=True)
        evidence.write((), reports, run)
    (reports / files.folder_name(2_000_000)).mkdir()
    assert evidence.latest(reports) == 1_000_000


def test_evidence_goes_with_its_run(reports):
    path = evidence.write(every_line(result(), masked=False), reports, 12)
    os.utime(files.path(reports, 12), (0, 0))
    assert files.prune(reports, before=b.NOW - timedelta(days=90)) == 1
    assert not path.exists()
