"""The report of all jobs: its order, its words, and that no name in it can act."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import builders as b
import pytest
from reported import result

from reconcile.errors import StateError
from reconcile.model import Exit, RunRecord, Status
from reconcile.report import files, fleet
from reconcile.report.build import build

FOLDER = Path("jobs.d")


def part(name, code, **more):
    return fleet.JobPart(
        name=name, status="failed", exit_code=code, headline=f"{name} ended.", **more
    )


def report(*jobs):
    return fleet.combined(
        jobs, folder=FOLDER, started_at=b.NOW, finished_at=b.NOW + timedelta(minutes=1)
    )


def text(made):
    file = io.StringIO()
    fleet.render(made, file, page="fleet/report.html")
    return file.getvalue()


def page(made):
    file = io.StringIO()
    fleet.render_page(made, file)
    return file.getvalue()


def test_every_exit_code_has_its_place_and_the_worst_is_that_of_all():
    assert sorted(fleet.WORST) == sorted(Exit)
    made = report(*(part(f"job{int(code)}", code) for code in sorted(Exit)))
    order = [int(job.exit_code) for job in made.jobs]
    assert order == [1, 8, 6, 3, 2, 7, 143, 130, 5, 4, 10, 0]
    assert made.exit_code == Exit.BUG
    assert report(part("a", Exit.WAITING), part("b", Exit.CONVERGED)).exit_code == Exit.WAITING
    assert [job.name for job in report(part("b", 0), part("a", 0)).jobs] == ["a", "b"]


def test_a_job_with_a_report_is_counted_as_it_counts_and_linked_if_its_page_is_there(tmp_path):
    made = build(result(), previous=None, masked=False)
    place = fleet.Place(reports=tmp_path / "a b" / "reports", combined=tmp_path / "fleet")
    without = fleet.of_report("acme", made, place, seconds=2.4)
    assert (without.page, without.deletes, without.deleted) == ("", 1, 0)
    assert without.counts == made.counts.pbx
    assert (without.status, without.headline) == (made.status, made.headline)
    assert without.next.startswith("Next: if this is right, reconcile apply")
    place.reports.mkdir(parents=True)
    files.write(made, place.reports)
    linked = fleet.of_report("acme", made, place, seconds=2.4)
    assert linked.page == f"../a%20b/reports/{files.folder_name(made.run.id)}/report.html"
    assert f'<a href="{linked.page}">acme</a>' in page(report(linked))
    assert "3 read = 1 matched" in page(report(linked))


def test_a_run_whose_report_is_gone_is_told_from_the_state(tmp_path):
    record = RunRecord(
        id=7,
        command="run",
        mode="auto",
        started_at=b.NOW,
        finished_at=b.NOW,
        status=Status.APPLIED,
        exit_code=0,
        digest="",
        headline="One was deleted.",
    )
    place = fleet.Place(reports=tmp_path, combined=tmp_path)
    made = fleet.of_record("acme", record, place)
    assert (made.run, made.status, made.exit_code, made.seconds) == (7, "applied", 0, None)
    assert "run 7, before" in page(report(made))
    assert part("beta", Exit.USAGE).took == ""
    assert part("beta", Exit.USAGE, seconds=1234.4).took == "1,234"
    assert "before" in text(report(made))


def test_what_was_explained_stands_there_with_the_next_command_last():
    lines = ["It is wrong.", "  - a.toml: bad", "  Nothing was done.", "  Next: reconcile doctor"]
    made = fleet.of_words("acme", lines, status="failed", exit_code=Exit.USAGE)
    assert made.headline == "It is wrong."
    assert made.said == ("a.toml: bad", "Nothing was done.")
    assert made.next == "Next: reconcile doctor"
    shown = text(report(made))
    assert shown.index("a.toml: bad") < shown.index("Next: reconcile doctor")
    assert fleet.of_words("acme", ["No."], status="refused", exit_code=Exit.USAGE).next == ""


def test_no_name_of_a_job_can_act():
    name = "<script>alert(1)</script>\x1b[31m\u202e"
    made = report(part(name, Exit.PBX, page="../x/report.html"))
    assert "<script>" not in page(made)
    assert "&lt;script&gt;" in page(made)
    for shown in (page(made), text(made), made.to_json()):
        assert not {"\x1b", "\u202e"} & set(shown)
    assert "\\u202e" in text(made)


def test_a_long_sentence_does_not_fill_the_screen():
    made = report(part("acme", Exit.PBX, said=("x" * 1000,)))
    assert text(made).count("x") < 500
    assert page(made).count("x" * 1000) == 1


def test_a_night_is_uneventful_if_it_was_for_each():
    clean = part("a", 0).model_copy(update={"status": Status.CLEAN})
    assert report(clean).is_uneventful
    assert not report(clean, part("b", 0)).is_uneventful
    assert not report(clean.model_copy(update={"deleted": 1})).is_uneventful


def test_a_folder_that_takes_no_report_is_told(tmp_path):
    with pytest.raises(StateError) as caught:
        fleet.write(report(part("acme", 0)), tmp_path / "nowhere")
    assert "stands in their own reports" in caught.value.consequence
