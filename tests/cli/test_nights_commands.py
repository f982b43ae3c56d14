"""plan, apply, run, report, history: what cron and a person call."""

from __future__ import annotations

import json
from pathlib import Path


def test_plan_is_10_with_deletes_and_3_without_an_export_and_6_without_a_pbx(office):
    leaver = office.due()
    office.server.clear_requests()
    waiting = office("plan", "--json")
    assert waiting.code == 10
    assert [c["id"] for c in waiting.json["contacts"] if c["verdict"] == "delete"] == [leaver["Id"]]
    assert waiting.json["exit_code"] == 10
    assert office.methods() == {"GET"}

    office.exported.write_bytes(b"")
    rejected = office("plan")
    assert rejected.code == 3
    assert "contacts.csv" in rejected.out
    assert "\nNext: " in rejected.out
    assert office.has(leaver["Id"])

    office.export()
    office.server.stop()
    away = office("plan")
    assert away.code == 6
    assert "can't be reached" in away.out


def test_plan_without_record_leaves_state_and_reports_alone(office):
    office.due()
    before = office("history", "--json").json
    said = office("plan", "--no-record")
    assert said.code == 10
    assert "can't be applied. Next: reconcile plan" in " ".join(said.out.split())
    assert office("history", "--json").json == before
    assert not (office.folder / "reports" / "run-000002").exists()


def test_plan_takes_another_export_from_where_one_stands(office):
    office.ready()
    (office.folder / "sub").mkdir()
    office.exported.rename(office.folder / "sub" / "old.csv")
    said = office("plan", "--export", "sub/old.csv", "--json")
    assert (said.code, said.json["source"]["name"]) == (0, "old.csv")


def test_plan_now_needs_no_grace_and_a_person(office):
    office.ready(grace=True)
    leaver = office.managed[3]
    office.export(without=[leaver])
    assert office("plan").code == 0
    said = office("plan", "--now", "--json")
    assert said.code == 4
    applied = office("apply", said.json["digest"])
    assert applied.code == 0
    assert not office.has(leaver["Id"])


def test_apply_deletes_once_and_says_how_to_undo(office):
    leaver = office.due()
    digest = office.digest()
    unknown = office("apply", "0" * 12)
    assert unknown.code == 4
    assert "No recorded plan has the digest" in unknown.err
    assert "Nothing was deleted.\n  Next: reconcile plan" in unknown.err
    done = office("apply", digest, "--json")
    assert (done.code, done.json["status"]) == (0, "applied")
    assert not office.has(leaver["Id"])
    again = office("apply", digest)
    assert again.code == 4
    assert "was already applied, in run 3" in again.err


def test_run_pings_and_does_what_the_mode_says(office, receiver):
    leaver = office.due()
    text = office.config.read_text("utf-8")
    office.config.write_text(text + f'\n[notify]\nhealthcheck_url = "{receiver.url}"\n')
    assert office("run").code == 10
    assert receiver.paths == ["/ping/abc/start", "/ping/abc"]
    assert receiver.pings[1][1].startswith("exit 10: 1 of 40")
    office.set('mode = "review"', 'mode = "auto"')
    assert office("run", "--dry-run").code == 10
    assert office.has(leaver["Id"])
    assert office("run").code == 0
    assert not office.has(leaver["Id"])
    office.exported.write_bytes(b"")
    assert office("run").code == 3
    assert receiver.paths[-2:] == ["/ping/abc/start", "/ping/abc/fail"]
    (office.folder / "state" / "reconcile.db").unlink()
    assert office("run").code == 8
    assert receiver.pings[-1] == ("/ping/abc/fail", "stopped by StateError")


def test_a_dead_receiver_costs_a_line_each_and_nothing_else(office):
    office.ready()
    text = office.config.read_text("utf-8")
    office.config.write_text(text + '\n[notify]\nhealthcheck_url = "http://127.0.0.1:9/ping"\n')
    said = office("run")
    assert said.code == 0
    assert said.err == "reconcile: no health-check ping: ConnectError\n" * 2


def test_report_and_history_show_any_run_again(office):
    assert office.init().code == 0
    none = office("report")
    assert none.code == 2
    assert "There is no report of any run" in none.err
    assert office("history").out == "There was no run yet. Next: reconcile plan\n"
    office.export()
    assert office("plan").code == 0
    latest = office("report")
    assert latest.code == 0
    assert "run 1, plan, mode review" in latest.out
    stored = json.loads((office.folder / "reports" / "latest" / "report.json").read_text("utf-8"))
    assert office("report", 1, "--format", "json").json == stored
    missing = office("report", 7)
    assert missing.code == 2
    assert "There is no report of run 7" in missing.err
    assert "Next: reconcile history" in missing.err
    (line,) = office("history").out.splitlines()[1:]
    assert line.split()[0] == "1"
    assert "clean" in line
    page = Path("reports", "run-000001", "report.html")
    assert f"\nTo read, print and sign: {page}\n" in latest.out
    assert (office.folder / page).exists()


def test_history_shows_the_trend_of_the_last_runs(office):
    office.due()
    assert office("plan").code == 10
    lines = office("history", LC_ALL="C.UTF-8").out.splitlines()
    at = lines.index("the last 2 runs with a report, to run 2")
    claimed = len(office.managed)
    trend = [" ".join(line.split()) for line in lines[at + 1 :]]
    assert trend == [
        f"matched \u2588\u2587 {claimed - 1}, at most {claimed}",
        "waiting \u2581\u2581 0, at most 0",
        "review \u2581\u2581 0, at most 0",
        "to delete \u2581\u2588 1, at most 1",
        "deleted \u2581\u2581 0, at most 0",
    ]
    plain = office("history", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0").out
    assert " to delete  _#  1, at most 1" in plain.splitlines()


def test_a_quiet_run_speaks_only_if_there_is_something_to_say(office):
    office.ready()
    said = office("run", "--quiet")
    assert (said.code, said.out, said.err) == (0, "", "")
    leaver = office.managed[3]
    office.export(without=[leaver])
    due = office("run", "--quiet")
    assert due.code == 10
    assert due.out.startswith("1 of ")
    office.exported.write_bytes(b"")
    assert office("run", "--quiet").out.startswith("Nothing was deleted. The CRM export")


def test_history_knows_the_pbx_by_any_spelling_of_its_address(office):
    office.ready()
    office.set(office.server.url, office.server.url.replace("http", "HTTP") + "/")
    assert office("plan").code == 0
    assert office("history").code == 0
    assert office("db", "purge").code == 0


def test_what_is_done_by_hand_is_logged_too(office):
    leaver = office.due()
    text = office.config.read_text("utf-8")
    office.config.write_text(text + '\n[log]\nfile = "runs.log"\nformat = "json"\n')
    digest = office("plan", "--json").json["digest"]
    assert office("apply", digest).code == 0
    lines = [json.loads(line) for line in (office.folder / "runs.log").read_text().splitlines()]
    ended = [line for line in lines if line["event"] == "run_ended"]
    assert [(line["command"], line["status"]) for line in ended] == [
        ("plan", "waiting"),
        ("apply", "applied"),
    ]
    assert [line["contact"] for line in lines if line["event"] == "contact"] == [leaver["Id"]]
