"""The tables of the book, at the end of the run, whichever worker a book was tried in."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import asdict

import pytest

_KEY = "book"
_SHARE = "of findable"


@pytest.fixture
def table(record_property):
    """Take one line of a table: `table(title, name, tally)`, a dataclass of numbers that add up."""

    def take(title: str, name: str, tally) -> None:
        record_property(_KEY, json.dumps([title, name, asdict(tally)]))

    return take


def pytest_terminal_summary(terminalreporter):
    """Add up what the tests took."""
    tables: dict[str, dict[str, Counter]] = defaultdict(dict)
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for key, value in getattr(report, "user_properties", ()):
                if key == _KEY and report.when == "call":
                    title, name, numbers = json.loads(value)
                    line = tables[title].setdefault(name, Counter(dict.fromkeys(numbers, 0)))
                    line.update(numbers)
    for title, lines in tables.items():
        _write(terminalreporter, title, lines)


def _write(terminalreporter, title: str, lines: dict[str, Counter]) -> None:
    total = Counter()
    for line in lines.values():
        total.update(line)
    names = list(next(iter(lines.values())))
    terminalreporter.section(title)
    terminalreporter.write_line(_row("", [name.replace("_", " ") for name in names], [_SHARE]))
    for name, line in {**lines, "all": total}.items():
        terminalreporter.write_line(_row(name, [line[n] for n in names], _share(line)))


def _share(line: Counter) -> list[str]:
    findable = line["found"] + line["missed"]
    return [f"{line['found'] / findable:.2%}"] if findable else []


def _row(first: str, cells, last) -> str:
    return (
        f"{first:<24}"
        + "".join(f"{cell:>10}" for cell in cells)
        + "".join(map("{:>13}".format, last))
    )
