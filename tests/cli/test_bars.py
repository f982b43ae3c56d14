"""Progress on a terminal: a real one, with the real command at its other end."""

from __future__ import annotations

import os
import pty
import re

import pytest
import warm


@pytest.fixture
def terminal():
    """The two ends of a terminal: what a person sees, and what a program writes to."""
    seen, written = pty.openpty()
    yield seen, written
    os.close(seen)


def on(terminal, office, *args, code):
    """What a person sees of a command whose stderr is a terminal."""
    seen, written = terminal
    environ = office.environment(TERM="xterm", COLUMNS="100")
    with warm.start(*args, cwd=office.folder, env=environ, stderr=written) as process:
        shown = b""
        while part := _read(seen):
            shown += part
        said, _ = process.communicate()
    assert process.returncode == code
    return said, shown.decode()


def _read(seen):
    try:
        return os.read(seen, 65536)
    except OSError:  # so Linux says that nobody writes to it any more
        return b""


def bars(shown):
    """Label → the last state of each bar."""
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[?\d]*[A-Za-z]", "", shown))
    found = (
        re.match(r"(reading the export|listing 3CX|deleting) +\[([#-]+)\] +(\S+)", line)
        for line in lines
    )
    return {m[1]: m[3] for m in found if m}


def test_what_takes_long_has_a_bar_and_the_terminal_is_left_as_it_was(office, terminal):
    office.ready()
    contacts = len(office.book.all())
    said, shown = on(terminal, office, "plan", code=0)
    assert bars(shown) == {"reading the export": "1/1", "listing 3CX": f"{contacts}/{contacts}"}
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l")
    assert "\x1b" not in said


def test_deletes_have_a_bar_and_whatever_is_said_after_it_has_its_own_line(office, terminal):
    office.due()
    digest = office("plan", "--json").json["digest"]
    _, shown = on(terminal, office, "apply", digest, code=0)
    assert bars(shown)["deleting"] == "1/1"


def test_a_bar_that_does_not_end_is_left_before_the_error_is_said(office, terminal):
    office.ready()
    office.exported.write_bytes(b"")
    _, shown = on(terminal, office, "plan", code=3)
    assert bars(shown)["reading the export"] == "0/1"
    assert re.search(r"reading the export[^\r\n]*\r\n", shown)
