"""freeze, protect, release, restore --drill: what an administrator types, and what is answered."""

from __future__ import annotations

import re


def test_a_freeze_is_set_shown_and_lifted(office):
    office.ready()
    assert office("freeze").out == "Deletes are not frozen.\n"
    said = office("freeze", "--until", "2999-12-24", "--why", "new CRM")
    assert said.code == 0
    assert re.match(
        r"Deletes are frozen until 2999-12-25 00:00 CET \(by \S+: new CRM\)\.\n"
        r"To let them go on: reconcile freeze --lift\n",
        said.out,
    )
    assert office("freeze").out == said.out
    assert office("freeze", "--lift").out == "Deletes are not frozen.\n"


def test_a_freeze_needs_a_date_that_comes(office):
    office.ready()
    said = office("freeze", "--until", "soon")
    assert said.code == 2
    assert "'soon' is no date" in said.err
    assert office("freeze", "--until", "2001-01-01").code == 2
    assert office("freeze", "--until", "2999-01-01", "--lift").code == 2


def test_the_stop_file_is_said(office):
    office.ready()
    (office.folder / "STOP").touch()
    assert "The file STOP is there" in office("freeze").out
    assert "the file STOP" in office("plan").out
    refused = office("apply", "0" * 12)
    assert refused.code == 4
    assert "remove the file STOP" in refused.err


def test_protections_are_made_listed_and_taken_back(office):
    office.ready()
    assert office("protect").out == "Nobody is protected. Next: reconcile protect --help\n"
    made = office("protect", 5, "--tag", "vip", "--number", "030 123456", "--why", "the board")
    assert made.code == 0
    assert made.out.splitlines() == [
        "Protected: id 5.",
        "Protected: tag vip.",
        "Protected: number 030 123456.",
    ]
    listed = office("protect").out
    assert "id      5  (by " in listed
    assert ": the board)" in listed
    assert [p["kind"] for p in office("protect", "--json").json] == ["id", "number", "tag"]
    assert "No longer protected: id 5." in office("protect", "--remove", 5).out
    assert office("protect", "--number", "none").code == 2


def test_a_claim_is_released(office):
    office.ready()
    contact = office.managed[0]["Id"]
    assert f"Contact {contact} is released" in office("release", contact).out
    assert "has no claim" in office("release", contact).out
    assert office("release").code == 2


def test_a_restore_is_practised(office):
    office.ready()
    said = office("restore", "--drill")
    assert said.code == 0
    assert "came back" in said.out
    assert "Next: reconcile plan" in said.out
    assert office("restore", "--drill", "--json").json["ok"] is True
    assert "a restore succeeded on" in office("doctor").out
    assert office("restore", "--drill", "--dry-run").code == 2
    assert office("restore", "--drill", "--run", 1).code == 2


def test_the_doctor_knows_a_protection_that_fits_nobody_and_a_restore_never_practised(office):
    office.ready()
    contact = office.managed[0]
    office("protect", contact["Id"], "--tag", "typing-eror")
    said = office("doctor")
    assert said.code == 0
    assert "2 protections; of these fit no contact: tag typing-eror" in said.out
    assert "a restore was never practised" in said.out
