"""restore, adopt, contact: what a person does by hand."""

from __future__ import annotations

import dataclasses

import pytest


def test_restore_puts_back_once_and_says_so_again(office):
    leaver = office.deleted()
    foreseen = office("restore", "--run", 3, "--dry-run")
    assert foreseen.code == 0
    assert "would be restored" in foreseen.out
    assert len(office.book.all()) == 39
    back = office("restore", "--run", 3, "--json")
    (one,) = back.json
    assert (back.code, one["done"]) == (0, "restored")
    now = office.book.get(one["new_id"])
    assert {k: now[k] for k in ("FirstName", "Tag")} == {k: leaver[k] for k in ("FirstName", "Tag")}
    for args in (("--run", 3), ("--contact", leaver["Id"]), ("--run", 3, "--dry-run")):
        again = office("restore", *args)
        assert again.code == 0
        assert f"already restored as contact {one['new_id']}" in again.out
    assert len(office.book.all()) == 40


def test_restore_finds_the_contact_that_is_there_again(office):
    leaver = office.deleted()
    fields = {k: v for k, v in leaver.items() if k != "Id" and not k.startswith("@")}
    new = office.book.add(fields)
    said = office("restore", "--contact", leaver["Id"])
    assert said.code == 0
    assert f"already there as contact {new}" in said.out
    assert len(office.book.all()) == 40


def test_restore_of_nothing_is_usage(office):
    office.ready()
    said = office("restore", "--run", 1)
    assert said.code == 2
    assert "Nothing was deleted in run 1 that could be restored." in said.err
    assert "Next: reconcile history" in said.err


def test_restore_that_3cx_refuses_is_partly_done(office):
    leaver = office.deleted()
    office.server.fail(method="POST", path_prefix="/xapi/v1/Contacts", status=403)
    said = office("restore", "--run", 3)
    assert said.code == 5
    assert "not restored: " in said.out
    assert "the same command again" in said.out
    assert office("restore", "--contact", leaver["Id"]).code == 0
    assert len(office.book.all()) == 40


@pytest.fixture
def old(office):
    """A phonebook with three contacts that nobody knows."""
    office.ready()
    return [
        office.book.add(
            {"FirstName": f"Old{n}", "LastName": "Entry", "PhoneNumber": f"030 9990{n}", "Tag": tag}
        )
        for n, tag in enumerate(("", "keep", ""))
    ]


def test_adopt_takes_the_named_and_says_why_not_the_others(office, old):
    matched = office.managed[0]["Id"]
    said = office("adopt", old[0], matched, 99999, "--yes")
    assert said.code == 5
    assert "Old0 Entry, 030 99900" in said.out
    assert f"not adopted: contact {matched}: matched" in said.out
    assert "not adopted: contact 99999: 3CX has no such contact" in said.out
    assert "Claimed: 1. Nothing was deleted." in said.out
    assert office("adopt", 99999, "--yes").code == 2
    plan = office("plan", "--now")
    assert plan.code == 4
    assert "Old0 Entry" in plan.out


@pytest.mark.usefixtures("old")
def test_adopt_asks_and_takes_no_for_an_answer(office):
    said = office("adopt", "--unmanaged", answers="n\n")
    assert said.code == 0
    assert "Old1 Entry" in said.out
    assert "Claim these" in said.err
    assert "No contact was claimed." in said.out
    nobody = office("adopt", "--unmanaged")
    assert nobody.code == 2
    assert "nobody answered" in nobody.err
    assert office("plan", "--now").code == 0


def test_adopt_leaves_out_ids_tags_and_the_lines_of_a_file(office, old):
    others = [c["Id"] for c in office.book.all() if c["ContactType"] == "3CX" and not c.get("Tag")]
    (office.folder / "keep.txt").write_text("\n".join(map(str, set(others) - set(old))) + "\n")
    said = office(
        "adopt",
        "--unmanaged",
        "--except",
        "keep",
        "--except",
        "@keep.txt",
        "--except",
        old[2],
        "--yes",
    )
    assert said.code == 0
    assert "Claimed: 1." in said.out
    assert "Old0" in said.out
    missing = office("adopt", "--unmanaged", "--except", "@nowhere.txt", "--yes")
    assert missing.code == 2
    assert "nowhere.txt can't be read" in missing.err


def test_one_contact_is_listed_shown_and_deleted(office):
    office.ready()
    target = office.managed[2]["Id"]
    assert len(office("contact", "list").out.splitlines()) == 40
    found = office("contact", "get", target).json
    assert found["id"] == target
    stale = office("contact", "delete", target, "--if-match", 'W/"stale"')
    assert (stale.code, stale.json["outcome"]) == (5, "changed")
    assert "412" in stale.json["detail"]
    assert f"reconcile contact get {target}" in stale.json["detail"]
    assert office.has(target)
    done = office("contact", "delete", target, "--if-match", found["etag"])
    assert (done.code, done.json["outcome"]) == (0, "deleted")
    assert not office.has(target)
    other = office.managed[0]["Id"]
    assert office("contact", "delete", other).code == 0
    runs = office("history", "--json").json
    assert [r["command"] for r in runs[:3]] == ["contact delete"] * 3
    assert [r["exit_code"] for r in runs[:3]] == [0, 0, 5]
    back = office("restore", "--contact", target)  # so there was a journal and a tombstone
    assert back.code == 0
    assert len(office.book.all()) == 39


def test_what_is_not_there_or_not_allowed_is_told_apart(office):
    office.ready()
    for command in ("get", "delete"):
        said = office("contact", command, 99999)
        assert said.code == 2
        assert "3CX has no contact 99999." in said.err
    target = office.managed[0]["Id"]
    wrong = office("contact", "delete", target, RECONCILE_3CX_SECRET="canary-secret-wrong")
    assert wrong.code == 6
    assert "rejected the client id" in wrong.err
    office.set("protect = { ids = []", f"protect = {{ ids = [{target}]")
    kept = office("contact", "delete", target)
    assert kept.code == 2
    assert f"Contact {target} is not deleted: " in kept.err
    dialled = office.book.add({"FirstName": "D", "PhoneNumber": "00301234567"})
    office.set("numbers = []", 'numbers = ["+49 30 1234567"]')
    office.set('contact_types = ["3CX"]', 'contact_types = ["3CX"]\noutside_prefix = "0"')
    assert "is on the protect list" in office("contact", "delete", dialled).err
    foreign = office.book.add({"FirstName": "G", "PhoneNumber": "1", "ContactType": "Google"})
    assert "not in pbx.contact_types" in office("contact", "delete", foreign).err
    assert office.has(target)
    assert office.has(foreign)


def test_without_etags_if_match_cannot_be_met_and_compare_deletes(office):
    assert office.init().code == 0
    office.server.switches = dataclasses.replace(office.server.switches, etags="none")
    target = office.managed[0]["Id"]
    said = office("contact", "delete", target, "--if-match", '"1"')
    assert said.code == 5
    assert "3CX issues no ETag for this contact" in said.json["detail"]
    assert office("contact", "delete", target).code == 6
    office.set('delete_guard = "etag"', 'delete_guard = "compare"')
    done = office("contact", "delete", target)
    assert (done.code, done.json["guard"]) == (0, "compare")
