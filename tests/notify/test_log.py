"""The log of runs, in both forms, and what never stands in it."""

from __future__ import annotations

import json
import stat

import pytest

from reconcile import notify
from reconcile.model import Exit, Status
from reconcile.notify.log import Log


@pytest.fixture
def logged(company):
    """A company that deletes by itself and keeps a log."""
    company.settings |= {"mode": "auto", "log.file": "runs.log", "log.format": "json"}
    return company


def lines(company):
    return [json.loads(line) for line in written(company).splitlines()]


def written(company):
    return (company.folder / "runs.log").read_text("utf-8")


def events(company):
    return [(line["level"], line["event"]) for line in lines(company)]


def test_a_night_is_logged_as_json_lines_from_beginning_to_end(logged):
    logged.until_due(5)
    leaver = logged.book.get(5)
    assert logged.night() is Exit.CONVERGED
    at, common = logged.now.isoformat(timespec="seconds"), {"command": "run"}
    began, export, pbx, *rest, ended = lines(logged)
    assert began == {"at": at, "level": "info", "event": "run_began", **common, "mode": "auto"}
    assert (export["event"], export["records"], len(export["sha256"])) == ("export_read", 98, 64)
    assert (pbx["event"], pbx["contacts"]) == ("pbx_read", 100)
    deleted = [line for line in rest if line["event"] == "contact"]
    run = {"at": at, "level": "info", "command": "run", "run": ended["run"]}
    assert deleted == [
        {**run, "event": "contact", "contact": 5, "outcome": "deleted", "guard": "etag"}
    ]
    counted = {"matched": ended["matched"], "waiting": 0, "review": ended["review"], "delete": 1}
    digest = {"digest": ended["digest"], "seconds": 0.0}
    status = {"status": "applied", "exit_code": 0}
    assert ended == {**run, "event": "run_ended", **status, **digest, **counted}
    assert ended["matched"] > 90
    assert len(ended["digest"]) == 64
    assert stat.S_IMODE((logged.folder / "runs.log").stat().st_mode) == 0o600
    personal = {leaver[f] for f in ("FirstName", "LastName", "PhoneNumber", "Email", "CompanyName")}
    assert not [text for text in personal if text and text in written(logged)]


def test_a_stopped_night_names_its_finding_by_code(logged):
    logged.export(raw=b"")
    assert logged.night() is Exit.EXPORT
    assert events(logged) == [
        ("info", "run_began"),
        ("info", "pbx_read"),
        ("error", "finding"),
        ("error", "run_ended"),
    ]
    assert lines(logged)[2]["code"] == "export_empty"


def test_what_is_no_delete_is_a_warning(logged):
    logged.until_due(5, 6)
    logged.server.fail(method="DELETE", path_prefix="/xapi/v1/Contacts(6)", status=412)
    assert logged.night() is Exit.PARTIAL
    told = {(line["contact"], line["level"]) for line in lines(logged) if "contact" in line}
    assert told == {(5, "info"), (6, "warning")}
    assert events(logged)[-1] == ("warning", "run_ended")


def test_as_text_a_line_is_a_time_a_level_an_event_and_pairs(logged):
    logged.settings["log.format"] = "text"
    logged.export()
    logged.night()
    began, *_, ended = written(logged).splitlines()
    at = logged.now.isoformat(timespec="seconds")
    assert began == f"{at} INFO run_began command=run mode=auto"
    assert ended.startswith(f"{at} INFO run_ended command=run run=1 status=clean exit_code=0 ")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        *[(None, '""'), ("", '""'), (0, "0"), ("a b", '"a b"'), ('a"b', r'"a\"b"')],
        *[("a=b", '"a=b"'), ("a\nb", r'"a\nb"'), ("a\\b", r'"a\\b"'), (Status.CLEAN, "clean")],
    ],
)
def test_a_value_that_is_no_word_stands_in_quotes(logged, value, told):
    logged.settings["log.format"] = "text"
    log = Log(config=logged.config, world=logged.world(), command="plan")
    log._say(logged.now, "info", "x", value=value)  # noqa: SLF001 - no run has such values
    assert written(logged).rstrip("\n").endswith(f"x command=plan value={told}")


def test_a_run_that_raises_is_logged_by_what_it_is_and_not_by_its_words(logged):
    logged.export()
    with pytest.raises(RuntimeError), notify.logged(logged.config, logged.world(), "plan"):
        raise RuntimeError("Jo Doe")
    (logged.folder / "state" / "reconcile.db").unlink(missing_ok=True)
    assert logged.night() is Exit.STATE
    failed = [line for line in lines(logged) if line["event"] == "run_failed"]
    assert [(line["command"], line["level"]) for line in failed] == [
        ("plan", "error"),
        ("run", "error"),
    ]
    assert failed[0]["error"] == "RuntimeError"
    assert failed[1]["error"].startswith("state")
    assert "Jo Doe" not in written(logged)


def test_a_log_that_can_not_be_written_costs_one_line(logged, capsys):
    (logged.folder / "runs.log").mkdir()
    logged.export()
    assert logged.night() is Exit.CONVERGED
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "log" in line] == [
        f"reconcile: no log: {logged.folder / 'runs.log'} can't be written: Is a directory"
    ]


def test_without_a_file_there_is_no_log(company):
    company.export()
    before = set(company.folder.iterdir())
    company.night()
    assert {p.name for p in set(company.folder.iterdir()) - before} <= {"reports", "state"}
