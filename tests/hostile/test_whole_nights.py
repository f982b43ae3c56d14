"""Whole nights among people whose names do harm: every command, and what it leaves on disk."""

from __future__ import annotations

import json
import stat
from contextlib import suppress

import pytest
from canaries import SECRET
from hostile import texts
from hostile.measured import commands

from reconcile.sandbox import Book, SandboxServer

CONFIG = """
mode = "review"
[crm]
source = "exports/*.json"
region = "DE"
[pbx]
url = "{url}"
client_id = "reconcile"
client_secret_env = "RECONCILE_3CX_SECRET"
delete_guard = "compare"
[policy]
grace_exports = 1
grace_hours = 0
max_deletes = 100
max_delete_percent = 50.0
max_shrink_percent = 50.0
[report]
mask = {mask}
"""
CALLED = [t for t in texts.LITERAL if len(t) <= 50]
"""What the people who leave are called: so short that 3CX takes it back."""
LONG = [t for t in texts.LITERAL if len(t) > 50]
ASKED = {"Id", "FirstName", "LastName", "CompanyName", "PhoneNumber", "Email", "Tag", "Title"}


def person(number: int, name: str, **more: str) -> dict[str, str]:
    return {
        "FirstName": name,
        "LastName": f"Doe{chr(97 + number // 26)}{chr(97 + number % 26)}",
        "CompanyName": name,
        "Title": name,
        "PhoneNumber": f"+49305550{number:04}",
        "Email": f"person{number}@example.com",
        "Tag": f"t{number}",
        **more,
    }


def exported(people: list[dict[str, str]]) -> str:
    """What the CRM exports of them; a NUL is in no export that is accepted."""
    keys = {"Tag": "Record ID", "FirstName": "First Name", "LastName": "Last Name"}
    keys |= {"CompanyName": "Company Name", "Email": "Email", "PhoneNumber": "Phone Number"}
    rows = [{keys[k]: v.replace("\0", "") for k, v in p.items() if k in keys} for p in people]
    return json.dumps(rows, ensure_ascii=False)


def checked(ended: list, *, as_json: bool = False) -> list[str]:
    """What was said, none of which acts; each line is JSON if it should be."""
    for each in ended:
        assert each.code in {0, 2, 4, 10}, each.said[-2000:]
        assert texts.acts(each.said) == []
        assert len(each.said.splitlines()) == each.said.count("\n")
        if as_json:
            for line in [each.said] if each.said.startswith("{\n") else each.said.splitlines():
                json.loads(line)
    return [each.said for each in ended]


@pytest.fixture
def town(tmp_path):
    """Everybody in the CRM and in 3CX; those with the long names stay."""
    people = [person(n, name) for n, name in enumerate([*CALLED, *LONG])]
    people += [person(n, "Jo") for n in range(len(people), 60)]
    with SandboxServer(Book(), client_secret=SECRET) as server:
        for each in people:
            server.book.add(each)
        for n, name in enumerate(CALLED, 100):
            surname = f"Typedbyhand{chr(n - 3)}"
            server.book.add({**person(n, name), "LastName": surname, "Tag": ""})
        (tmp_path / "exports").mkdir()
        yield tmp_path, server, people


def test_27_whole_nights_with_hostile_names_on_both_sides(town):
    folder, server, people = town
    (folder / "config.toml").write_text(CONFIG.format(url=server.url, mask="false"))
    export = folder / "exports" / "contacts.json"
    export.write_text(exported(people), "utf-8")
    leavers = [c["Id"] for c in server.book.all()][: len(CALLED)]
    before = {i: {k: v for k, v in server.book.get(i).items() if k in ASKED} for i in leavers}
    checked(commands(folder, ["db", "upgrade"], ["plan"], ["columns", str(export)]))
    export.write_text(exported([*people[len(CALLED) :], person(90, "New")]), "utf-8")
    (planned,) = checked(commands(folder, ["plan", "--json"]), as_json=True)
    digest = json.loads(planned)["digest"]
    names = {c["name"] for c in json.loads(planned)["contacts"] if c["verdict"] == "delete"}
    assert len(names) == len(CALLED)
    checked(commands(folder, ["plan", "--all", "--full"], ["apply", digest, "--full"]))
    assert not [i for i in leavers if server.book.get(i)]
    one = str(leavers[0])
    checked(
        commands(
            folder,
            ["history"],
            ["report", "--full"],
            ["explain", one],
            ["explain", "Doeaa"],
            ["explain", CALLED[0]],
            ["doctor"],
            ["adopt", "--unmanaged"],
            ["db", "check"],
            ["restore", "--run", "4", "--dry-run"],
            ["restore", "--run", "4"],
            ["protect", "--name", CALLED[9], "--why", CALLED[8]],
            ["protect"],
            ["freeze", "--until", "2999-01-01", "--why", CALLED[9]],
            ["--config", CALLED[8], "plan"],
        )
    )
    checked(
        commands(
            folder,
            ["history", "--json"],
            ["report", "--format", "json"],
            ["explain", one, "--json"],
            ["columns", str(export), "--json"],
            ["contact", "list"],
            ["contact", "get", str(server.book.all()[0]["Id"])],
        ),
        as_json=True,
    )
    back = [{k: v for k, v in c.items() if k in ASKED} for c in server.book.all()]
    for contact_id in leavers:
        wanted = {**before[contact_id], "Id": 0}
        assert wanted in [{**c, "Id": 0} for c in back]


def test_71_what_is_left_on_disk_is_its_owners_and_a_masked_report_names_nobody(town):
    folder, server, people = town
    (folder / "config.toml").write_text(CONFIG.format(url=server.url, mask="true"))
    export = folder / "exports" / "contacts.json"
    export.write_text(exported(people), "utf-8")
    checked(commands(folder, ["db", "upgrade"], ["plan"]))
    export.write_text(exported(people[3:]), "utf-8")
    (_, shown) = checked(commands(folder, ["--trace", "trace.jsonl", "plan"], ["report", "--full"]))
    told = [shown]
    for path in [*folder.rglob("reports/**/*"), *folder.rglob("state/*"), folder / "trace.jsonl"]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0 or path.is_symlink(), (path, oct(mode))
        with suppress(IsADirectoryError):
            told += [path.read_bytes().decode("utf-8", "replace")] * ("reports" in path.parts)
    for surname in (p["LastName"] for p in people):
        assert not [text for text in told if surname in text]
