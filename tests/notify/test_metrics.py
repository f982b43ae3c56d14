"""The metrics, read back as node_exporter does; also after a run that left no report."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconcile import notify
from reconcile.model import Exit


@pytest.fixture
def measured(company):
    """A company with metrics, and what they say."""
    (company.folder / "metrics").mkdir()
    company.settings["notify.metrics_file"] = "metrics/reconcile.prom"
    return company


def read(company):
    """Name, with its labels, → value."""
    text = (company.folder / "metrics" / "reconcile.prom").read_text("utf-8")
    samples = [s for f in text_string_to_metric_families(text) for s in f.samples]
    assert all(s.timestamp is None for s in samples)  # the collector takes none
    return {(s.name, *sorted(s.labels.values())): s.value for s in samples}


def test_a_night_is_measured(measured):
    measured.settings["mode"] = "auto"
    measured.until_due(5)
    assert measured.night() is Exit.CONVERGED
    found, now = read(measured), measured.now.timestamp()
    assert found["reconcile_last_run_timestamp_seconds",] == now
    assert found["reconcile_last_success_timestamp_seconds",] == now
    assert found["reconcile_last_run_duration_seconds",] == 0
    assert found["reconcile_last_run_exit_code",] == 0
    assert found["reconcile_pbx_contacts",] == 100
    assert found["reconcile_crm_records",] == 98
    assert found["reconcile_contacts", "delete"] == 1
    assert found["reconcile_outcomes", "deleted"] == 1
    verdicts = [value for name, value in found.items() if name[0] == "reconcile_contacts"]
    assert sum(verdicts) == 100
    file = measured.folder / "metrics" / "reconcile.prom"
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(file.parent.iterdir()) == [file]


def test_a_night_that_was_stopped_counts_its_findings_and_is_no_success(measured):
    measured.export()
    measured.night()
    well = measured.now.timestamp()
    measured.tomorrow()
    measured.export(raw=b"")
    assert measured.night() is Exit.EXPORT
    found = read(measured)
    assert found["reconcile_last_run_timestamp_seconds",] == measured.now.timestamp()
    assert found["reconcile_last_success_timestamp_seconds",] == well
    assert found["reconcile_last_run_exit_code",] == 3
    assert found["reconcile_findings", "block", "export_empty"] == 1
    assert ("reconcile_crm_records",) not in found
    assert not [name for name in found if name[0] == "reconcile_contacts"]


def test_a_night_that_could_not_be_shows_that_and_when_it_last_was_well(measured):
    measured.export()
    measured.night()
    well = measured.now.timestamp()
    (measured.folder / "state" / "reconcile.db").unlink()
    measured.tomorrow()
    assert measured.night() is Exit.STATE
    assert read(measured) == {
        ("reconcile_last_run_timestamp_seconds",): measured.now.timestamp(),
        ("reconcile_last_success_timestamp_seconds",): well,
        ("reconcile_last_run_duration_seconds",): 0,
        ("reconcile_last_run_exit_code",): 8,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyError(), 1), (KeyboardInterrupt(), 130), (SystemExit(143), 143), (SystemExit("x"), 1)],
)
def test_whatever_stops_a_night_is_its_exit_code(measured, error, code):
    with pytest.raises(type(error)), notify.watched(measured.config, measured.world()):
        raise error
    found = read(measured)
    assert found["reconcile_last_run_exit_code",] == code
    assert found["reconcile_last_success_timestamp_seconds",] == 0


def test_what_a_run_waited_for_its_slot_is_no_part_of_it(measured):
    def waits_then_fails():
        with notify.watched(measured.config, measured.world(), for_slot=True) as watch:
            measured.now += timedelta(minutes=50)
            watch.begins()
            measured.now += timedelta(seconds=7)
            raise KeyError

    with pytest.raises(KeyError):
        waits_then_fails()
    assert read(measured)["reconcile_last_run_duration_seconds",] == 7


def test_waiting_for_a_person_is_a_success(measured):
    measured.until_due(5)
    assert measured.night() is Exit.WAITING
    found = read(measured)
    assert found["reconcile_last_success_timestamp_seconds",] == measured.now.timestamp()
    assert found["reconcile_last_run_exit_code",] == 10


def test_a_file_that_can_not_be_read_is_replaced_and_one_that_can_not_be_written_costs_a_line(
    measured, capsys
):
    file = measured.folder / "metrics" / "reconcile.prom"
    file.write_text("{{{ no metrics")
    measured.export()
    measured.night()
    assert read(measured)["reconcile_last_run_exit_code",] == 0
    capsys.readouterr()
    measured.settings["notify.metrics_file"] = "nowhere/reconcile.prom"
    measured.tomorrow()
    measured.export()
    assert measured.night() is Exit.CONVERGED
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith("reconcile: no metrics: ")
    assert said.endswith("nowhere/reconcile.prom can't be written: No such file or directory")
