"""The table of the book, at the end of the run, whichever worker a book was tried in."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict

import pytest
from book.oracle import Tally

_KEY = "book"
_HEAD = (
    "format",
    "books",
    "people",
    "contacts",
    "claimed",
    "leavers",
    "found",
    "review",
    "missed",
    "wrong",
)


@pytest.fixture
def table(record_property):
    """Take one line of the table: `table(section, format, tally)`."""

    def take(section: str, name: str, tally: Tally) -> None:
        record_property(_KEY, json.dumps([section, name, asdict(tally)]))

    return take


def pytest_terminal_summary(terminalreporter):
    """Add up what the tests took."""
    sections: dict[str, dict[str, Tally]] = defaultdict(dict)
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for key, value in getattr(report, "user_properties", ()):
                if key == _KEY and report.when == "call":
                    section, name, tally = json.loads(value)
                    sections[section].setdefault(name, Tally()).add(Tally(**tally))
    for section, lines in sections.items():
        _write(terminalreporter, section, lines)


def _write(terminalreporter, section: str, lines: dict[str, Tally]) -> None:
    total = Tally()
    for tally in lines.values():
        total.add(tally)
    terminalreporter.section(section)
    terminalreporter.write_line(_line(_HEAD))
    for name, tally in {**lines, "all": total}.items():
        terminalreporter.write_line(
            _line((name, *asdict(tally).values())) + f"  {tally.share:7.2%}"
        )


def _line(cells) -> str:
    first, *others = map(str, cells)
    return f"{first:<26}" + "".join(f"{cell:>9}" for cell in others)
