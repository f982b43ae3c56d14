"""What must have happened at an office before a page's commands have something to do."""

from __future__ import annotations

import json
import re
import shlex
import urllib.request

from manual.pages import ROOT

YOURS = "https://phone.example.com:5001"
"""The address of the reader's own 3CX on the pages."""


def packages(command: str) -> None:
    """`pip install` names this project, and extras that it has."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    name, extras = re.fullmatch(r"([\w-]+)(?:\[([\w,]+)\])?", shlex.split(command)[-1]).groups()
    assert f'name = "{name}"' in project
    for extra in (extras or "").split(",") if extras else ():
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE)


def leave(walk, url: str) -> None:
    """An evening at the office: all have matched once, one has left, and somebody was typed in.

    The README's plan then has something due, as yours will have one day.
    """
    walk.set("grace_exports = 1\ngrace_hours = 0")
    assert walk.shell("reconcile plan")[0] == 0
    exported = walk.shell.folder / "exports" / "contacts.csv"
    rows = exported.read_text("utf-8").splitlines(keepends=True)
    exported.write_text("".join(rows[:-1]), "utf-8")
    somebody = json.dumps({"FirstName": "Jo", "LastName": "Doe", "PhoneNumber": "+49 30 55"})
    request = urllib.request.Request(  # noqa: S310 - the sandbox's own address
        f"{url}/sandbox/contacts", data=somebody.encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
        assert answer.status < 300
