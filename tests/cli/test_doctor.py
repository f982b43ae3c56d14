"""`reconcile doctor`: a line each, with the mend; and `reconcile columns`."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from reconcile.cli.world import end_trace
from reconcile.pbx.trace import Trace


def switched(office, **switches):
    office.server.switches = dataclasses.replace(office.server.switches, **switches)


def states(said):
    return {check["name"]: check["state"] for check in said.json}


@pytest.fixture
def set_up(office):
    assert office.init().code == 0
    office.export()
    return office


def test_all_is_well_and_the_probe_is_remembered(set_up):
    said = set_up("doctor")
    assert said.code == 0
    names = [line.split()[1].rstrip(":") for line in said.out.splitlines() if line[0] != " "]
    first = "config export columns reports state pbx token role listing clock etags"
    assert names[:-1] == [*first.split(), "protect", "drill"]
    assert "WARN  etags: ETags weak, If-Match unproven" in said.out
    assert "reconcile doctor --probe" in said.out
    assert said.out.endswith("\nNext: reconcile plan\n")
    assert set_up.methods() == {"GET"}

    probed = set_up("doctor", "--probe", "--json")
    assert probed.code == 0
    assert {name for name, state in states(probed).items() if state != "ok"} == {"drill"}
    assert list(states(probed))[-3:] == ["probe", "protect", "drill"]
    assert len(set_up.book.all()) == 40  # the throw-away contact is gone
    again = set_up("doctor")
    assert "OK    etags: ETags weak, If-Match enforced, delete_guard etag" in again.out


def test_the_request_log_has_what_was_sent_and_no_secret(set_up, tmp_path):
    assert set_up("--trace", "requests.jsonl", "doctor", "--probe").code == 0
    log = tmp_path / "requests.jsonl"
    assert log.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [(x["method"], x["path"], x["if_match"], x["status"]) for x in lines] == [
        (r.method, unquote(r.path.replace("'reconcile-probe'", "'…'")), r.if_match, r.status)
        for r in set_up.server.requests
    ]
    assert [x["status"] for x in lines if x["method"] == "DELETE"] == [412, 412, 204, 204]


def test_a_request_log_that_can_not_be_written_stops_before_anything_is_done(set_up):
    said = set_up("--trace", "nowhere/requests.jsonl", "doctor", "--probe")
    assert said.code == 2
    assert "nowhere/requests.jsonl can't be written: No such file or directory" in said.err
    assert "Next: name a file" in said.err
    assert set_up.server.requests == ()


def test_a_request_log_with_gaps_says_so_when_the_command_ends(tmp_path, capsys):
    trace = Trace(tmp_path / "log", clock=lambda: datetime.now(UTC))
    end_trace(trace)
    assert capsys.readouterr().err == ""
    trace = Trace(tmp_path / "log", clock=lambda: datetime.now(UTC))
    trace.lost, trace.reason = 2, "No space left on device"
    end_trace(trace)
    said = capsys.readouterr().err
    assert said.endswith("/log lacks 2 requests: No space left on device.\n")


def test_without_a_configuration_it_says_how_to_make_one(office):
    said = office("doctor")
    assert said.code == 2
    assert said.out == (
        "FAIL  config: There is no configuration at config.toml.\n"
        "      → reconcile init\n"
        "Next: mend what says FAIL, then: reconcile doctor\n"
    )


def test_every_problem_of_a_configuration_has_its_line(set_up):
    set_up.set('mode = "review"', 'mode = "maybe"')
    set_up.set("max_deletes = 20", 'max_deletes = "20"')
    said = set_up("doctor")
    assert said.code == 2
    assert said.out.count("FAIL  config: ") == 2
    assert "policy.max_deletes" in said.out


def test_without_a_secret_it_names_the_variable(set_up):
    said = set_up("doctor", RECONCILE_3CX_SECRET="")
    assert said.code == 2
    assert "FAIL  secret: the environment variable RECONCILE_3CX_SECRET is missing" in said.out
    assert "→ export RECONCILE_3CX_SECRET=…" in said.out
    assert set_up.server.requests == ()


def test_an_address_that_is_none_is_no_fault_of_the_secret(set_up):
    set_up.set(set_up.server.url, f"{set_up.server.url}/xapi/v1")
    said = set_up("doctor")
    assert said.code == 2
    assert "FAIL  pbx: " in said.out
    assert "without /xapi/v1" in said.out
    assert "FAIL  secret" not in said.out


def test_without_an_export_and_without_a_state_the_rest_is_still_looked_at(set_up):
    set_up.exported.unlink()
    (set_up.folder / "state" / "reconcile.db").unlink()
    said = set_up("doctor", "--probe", "--json")
    assert said.code == 3  # that of the first failure
    found = states(said)
    assert (found["export"], found["state"], found["role"]) == ("fail", "fail", "ok")
    assert "etags" not in found  # a proof could not be kept
    assert set_up.methods() == {"GET"}
    (state,) = [check for check in said.json if check["name"] == "state"]
    assert state["exit_code"] == 8
    assert state["mend"].startswith("reconcile db upgrade")


def test_an_unknown_header_sends_to_columns(set_up):
    set_up.exported.write_text("Foo,Bar\n1,2\n")
    said = set_up("doctor")
    assert said.code == 3
    assert "FAIL  export: contacts.csv, row 1" in said.out
    assert "reconcile columns " in said.out


def test_a_pbx_that_is_away_or_says_no_is_told_apart(set_up):
    wrong = set_up("doctor", RECONCILE_3CX_SECRET="canary-secret-wrong")
    assert wrong.code == 6
    assert "FAIL  token: " in wrong.out
    assert "canary-secret-wrong" not in wrong.out

    set_up.server.fail(method="GET", path_prefix="/xapi/v1/Contacts", status=403, times=9)
    forbidden = set_up("doctor")
    assert forbidden.code == 6
    assert "OK    token: " in forbidden.out
    assert "FAIL  role: " in forbidden.out
    assert "role System Administrator" in forbidden.out

    set_up.server.stop()
    away = set_up("doctor")
    assert away.code == 6
    assert "FAIL  pbx: " in away.out
    assert "can't be reached" in away.out
    assert "→ Check host and port in pbx.url" in away.out


def test_a_pbx_without_etags_needs_the_other_guard(set_up):
    switched(set_up, etags="none")
    said = set_up("doctor")
    assert said.code == 6
    assert "FAIL  etags: ETags none" in said.out
    assert '→ set pbx.delete_guard = "compare"' in said.out
    set_up.set('delete_guard = "etag"', 'delete_guard = "compare"')
    assert "OK    etags: ETags none" in set_up("doctor").out


def test_a_pbx_that_ignores_if_match_is_found_out_by_the_probe(set_up):
    switched(set_up, if_match="ignored")
    said = set_up("doctor", "--probe")
    assert said.code == 6
    assert "FAIL  etags: ETags weak, If-Match ignored" in said.out


# ---------------------------------------------------------------------------- columns


def test_columns_shows_how_a_good_file_is_read(office):
    office.export()
    said = office("columns", office.exported)
    assert said.code == 0
    assert said.out.startswith('contacts.csv: csv; delimiter ",", utf-8, header in row 1\n')
    flat = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "Record ID → id synonym" in flat
    assert "100.0% phone:Mobile Phone Number" in flat
    assert "40 records, 0 of them flagged deleted, archived or merged away" in flat
    assert flat[-1] == "Nothing stands against this export. Next: reconcile doctor"
    for row in office.rows()[1:4]:
        assert row[4] not in said.out  # masked
    assert office("columns", office.exported, "--json").json["records"] == 40


def test_columns_gives_the_mapping_for_an_unknown_header_and_it_works(office):
    assert office.init().code == 0
    rows = "Kennung,Vor,Nachname,Fernsprecher\n1,Jo,Doe,030 1234567\n2,Al,Roe,030 7654321\n"
    office.exported.parent.mkdir()
    office.exported.write_text(rows)
    said = office("columns", office.exported)
    assert said.code == 3
    assert "This export can't be used:" in said.out
    assert "no column holds a person's phone number" in said.out
    assert "Next: write this under [crm]" in said.out
    assert said.out.splitlines()[-1].startswith("  columns = { ")
    office.set("max_age_hours = 26", 'max_age_hours = 26\ncolumns = { phone = "Fernsprecher" }')
    mapped = office("columns", office.exported)
    assert mapped.code == 0
    assert ["Fernsprecher", "→", "phone", "config"] in [x.split() for x in mapped.out.splitlines()]


def test_columns_says_what_is_wrong_with_a_file_and_what_to_do(office):
    missing = office("columns", "nowhere.csv")
    assert missing.code == 3
    assert missing.out.startswith("nowhere.csv: it could not be read as a table.\n")
    assert "there is no such file" in missing.out
    (office.folder / "login.csv").write_text("<!DOCTYPE html><html><body>Login</body></html>")
    login = office("columns", "login.csv", "--json")
    assert login.code == 3
    assert login.json["problems"][0]["file"] == "login.csv"
    assert login.json["hint"]
