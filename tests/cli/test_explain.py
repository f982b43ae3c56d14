"""explain: why a contact is kept, waiting or deleted, in any run on disk."""

from __future__ import annotations

import gzip
import json
import stat

import pytest


def evidence(office, run):
    return office.folder / "reports" / f"run-{run:06d}" / "evidence.jsonl.gz"


def plain(contact, *fields):
    return [contact[name] for name in fields if contact.get(name)]


def test_the_way_of_a_leaver_is_explained_run_by_run(office):
    leaver = office.deleted()
    office.server.stop()  # nobody is asked: the answers are on disk
    name, number = f"{leaver['FirstName']} {leaver['LastName']}", leaver["PhoneNumber"]
    shown = ["run {}, {}, 20", f"\ncontact {leaver['Id']}: {name}", number]

    first = office("explain", leaver["Id"], "--run", 1)
    assert first.code == 0
    assert "matched: its tag" in first.out
    assert "next: nothing; it stays as long as the CRM has its person" in first.out

    due = office("explain", *name.split(), "--run", 2)
    assert "(found by its name)" in due.out
    assert f"delete: CRM record {leaver['Tag']} is absent since 20" in due.out
    assert "in 1 export\n" in due.out
    digest = json.loads(evidence(office, 2).with_name("report.json").read_text("utf-8"))["digest"]
    assert (
        f"next: if this is right: reconcile apply {digest[:12]}; to keep it: reconcile protect"
        in due.out
    )

    done = office("explain", number)
    assert "(found by its number)" in done.out
    assert "outcome: deleted (" in done.out
    assert "; guard etag)" in done.out
    assert f"next: to undo: reconcile restore --contact {leaver['Id']}" in done.out
    between = office("diff", 1)
    assert between.code == 0
    assert between.out.startswith("From run 1 to run 3: ")
    assert f"matched → deleted (1)\n{leaver['Id']:>8}  {name}" in between.out
    assert json.loads(office("diff", 2, 3, "--json").out)["changed"][0]["before"] == "delete"
    for said, run, command in ((first, 1, "plan"), (due, 2, "plan"), (done, 3, "apply")):
        for text in shown:
            assert text.format(run, command) in said.out
        assert said.err == ""


def test_every_contact_of_a_run_is_on_record_and_private(office):
    by_hand = {"FirstName": "Old", "LastName": "Entry", "PhoneNumber": "030 99900"}
    office.book.add(by_hand)
    office.book.add({**by_hand, "ContactType": "Google"})
    office.ready()
    path = evidence(office, 1)
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    listed = office.book.all()
    assert [line["id"] for line in lines] == sorted(c["Id"] for c in listed)
    assert {line["verdict"] for line in lines} == {"matched", "unmanaged", "out_of_scope"}
    assert all(line["evidence"] for line in lines if line["verdict"] == "matched")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("field", ["Email", "CompanyName", "Tag", "Id"])
def test_json_says_by_what_the_contact_was_found(office, field):
    office.ready()
    target = next(c for c in office.managed if c.get("Email") and c.get("CompanyName"))
    names = {"Email": "email", "CompanyName": "company", "Tag": "crm_id", "Id": "id"}
    said = office("explain", target[field], "--json").json
    assert (said["run"], said["complete"], said["masked"]) == (1, True, False)
    found = {each["contact"]["id"]: each for each in said["contacts"]}
    assert found[target["Id"]]["found_by"] == names[field]
    assert found[target["Id"]]["contact"]["verdict"] == "matched"
    assert found[target["Id"]]["next"].startswith("nothing")


def test_nobody_and_no_run_are_usage_with_the_next_command(office):
    assert office.init().code == 0
    none = office("explain", "1")
    assert (none.code, none.out) == (2, "")
    assert "There is no report of any run" in none.err
    office.export()
    assert office("plan").code == 0
    nobody = office("explain", "Nobody", "Here")
    assert (nobody.code, nobody.out) == (2, "")
    assert "No contact of run 1 is found by this." in nobody.err
    assert "Next: reconcile history, then: reconcile explain WHO --run N" in nobody.err
    assert "Nobody" not in nobody.err
    elsewhere = office("explain", "1", "--run", 7)
    assert elsewhere.code == 2
    assert "There is no report of run 7" in elsewhere.err


def test_a_masked_run_is_explained_by_id_and_shows_nobody(office):
    assert office.init().code == 0
    office.set('directory = "reports"', 'directory = "reports"\nmask = true')
    office.export()
    assert office("plan").code == 0
    target = next(c for c in office.managed if c.get("Email"))
    personal = plain(target, "FirstName", "LastName", "PhoneNumber", "Email", "CompanyName")
    by_id = office("explain", target["Id"])
    assert by_id.code == 0
    assert "matched: " in by_id.out
    kept = gzip.decompress(evidence(office, 1).read_bytes()).decode()
    for text in personal:
        assert text not in by_id.out
        assert text not in kept
        said = office("explain", text)
        assert said.code == 2
        assert "a contact is found only by its Id or its CRM id" in said.err


def test_a_run_without_evidence_has_only_what_its_report_tells(office):
    leaver = office.due()
    office.digest()
    for run in (1, 2):
        evidence(office, run).unlink()
    said = office("explain", leaver["Id"])
    assert said.code == 0
    assert "contacts that matched in it are not on record" in said.out
    assert office("explain", leaver["Id"], "--json").json["complete"] is False
    matched = office("explain", office.managed[0]["Id"])
    assert matched.code == 2
    assert "contacts that matched in it are not on record" in matched.err
    assert "Next: reconcile plan, then ask again" in matched.err


def test_a_blocked_run_is_passed_over_and_a_broken_file_is_said(office):
    office.ready()
    office.exported.write_bytes(b"")
    assert office("plan").code == 3
    assert not evidence(office, 2).exists()
    assert office("explain", "1").out.startswith("run 1, ")
    whole = evidence(office, 1).read_bytes()
    evidence(office, 1).write_bytes(whole[: len(whole) // 2])
    said = office("explain", "1")
    assert said.code == 2
    assert "The evidence of run 1" in said.err
    assert "Next: reconcile report 1" in said.err


def test_evidence_that_can_not_be_written_is_told_as_a_report_that_can_not(office):
    office.ready()
    evidence(office, 2).mkdir(parents=True)
    said = office("plan")
    assert said.code == 8
    assert "only the evidence of matched contacts is missing" in said.err
    assert [p.name for p in evidence(office, 2).parent.iterdir() if p.name.startswith(".")] == []
    last = office("history", "--json").json[0]
    assert (last["id"], last["status"]) == (2, "clean")


def test_a_purged_person_is_in_no_report_and_no_evidence_any_more(office):
    leaver = office.deleted()
    personal = plain(leaver, "LastName", "PhoneNumber", "Email")
    written = [p for p in (office.folder / "reports").rglob("*.*") if p.suffix != ".serial"]
    before = {p: p.stat().st_mtime_ns for p in written}
    said = office("db", "purge", "--contact", leaver["Id"])
    assert said.code == 0
    assert "what 3 reports told of it" in said.out
    for path, changed_at in before.items():
        if path.is_file():
            kept = path.read_bytes()
            text = gzip.decompress(kept).decode() if path.suffix == ".gz" else kept.decode()
            assert [word for word in personal if word in text] == [], path
            assert path.stat().st_mtime_ns == changed_at
    again = office("explain", leaver["Id"], "--json").json["contacts"][0]["contact"]
    assert (again["outcome"], again["name"], again["numbers"]) == ("deleted", "", [])
    assert "what 0 reports told of it" in office("db", "purge", "--contact", leaver["Id"]).out
