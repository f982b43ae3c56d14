"""sandbox and db."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import urllib.request


def test_sandbox_takes_switches_and_ends_by_ctrl_c(office, end):
    with office.start(
        "sandbox", "--port", "0", "--contacts", "7", "--with", "etags=none"
    ) as process:
        line = process.stdout.readline()
        (url,) = re.findall(r"http://\S+(?=,)", line)
        with urllib.request.urlopen(f"{url}/sandbox/switches", timeout=10) as answer:  # noqa: S310 - the URL that it printed
            assert json.load(answer)["etags"] == "none"
        said = end(process, signal.SIGINT)
    assert (said.code, said.err) == (0, "")


def test_sandbox_says_what_is_wrong_with_its_options(office):
    switch = office("sandbox", "--with", "etags=some")
    assert switch.code == 2
    assert "--with etags=some: etags is one of weak, strong, none" in switch.err
    (office.folder / "file").write_text("")
    export = office("sandbox", "--port", "0", "--export", "file/contacts.csv")
    assert export.code == 2
    assert "The export file/contacts.csv can't be written" in export.err
    taken = office("sandbox", "--port", office.server.url.rpartition(":")[2])
    assert taken.code == 2
    assert "can't listen on port" in taken.err
    assert "reconcile sandbox --port 0" in taken.err


def test_a_new_state_in_place_of_a_lost_one_overwrites_no_report(office):
    office.deleted()
    reports = office.folder / "reports"
    before = {p: p.read_bytes() for p in reports.rglob("run-*/*")}
    for file in (office.folder / "state").iterdir():
        file.unlink()
    assert office("plan").code == 8
    assert office("db", "upgrade").code == 0
    assert office("plan", "--json").json["run"]["id"] == 4
    assert {p: p.read_bytes() for p in before} == before
    for file in (*(office.folder / "state").iterdir(), office.config):
        file.unlink()
    assert office.init().code == 0
    assert office("plan", "--json").json["run"]["id"] == 5


def test_db_is_created_checked_copied_and_purged(office):
    leaver = office.deleted()
    state = office.folder / "state" / "reconcile.db"
    assert "nothing to do" in office("db", "upgrade").out
    check = office("db", "check")
    assert check.code == 0
    assert check.out.endswith("The state is sound. Next: reconcile plan\n")
    assert office("db", "check", "--json").json["runs"] == 3
    copied = office("db", "backup", "copy.db")
    assert copied.code == 0
    assert "copied to copy.db" in copied.out
    assert office("db", "backup", "copy.db").code == 8
    assert "0 tombstones" in office("db", "purge").out
    assert "Removed: 1 tombstones" in office("db", "purge", "--contact", leaver["Id"]).out
    assert office("restore", "--run", 3).code == 2
    state.chmod(0o644)
    open_to_all = office("db", "check")
    assert open_to_all.code == 8
    assert "chmod 600" in open_to_all.out
    assert "The state is not sound." in open_to_all.out
    state.chmod(0o600)
    with sqlite3.connect(state) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    newer = office("plan")
    assert newer.code == 8
    assert "newer version" in newer.err
    state.unlink()
    assert office("db", "check").code == 8
    assert "was created, empty" in office("db", "upgrade").out
