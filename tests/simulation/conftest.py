"""The figures of the simulation at the end of the run, whichever process a firm was tried in."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from statistics import median

import pytest
from amounts import amount


def pytest_terminal_summary(terminalreporter):
    """Add up what the tests took."""
    years, proofs = _told(terminalreporter)
    if years:
        terminalreporter.section("simulated years")
        for line in (*_figures(years), "", *_table(proofs)):
            terminalreporter.write_line(line)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    """At most one honest night in ninety was stopped, of all firms together: some are too few."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    years, _ = _told(reporter) if reporter else ({}, [])
    sums = years.get("figures", {})
    is_whole = sums.get("firms") == amount(check=2, prove=50)
    if is_whole and sums["stopped"] > math.ceil(sums["honest"] / 90):
        reporter.write_line(f"\n{sums['stopped']} of {sums['honest']} nights stopped without need")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _told(terminalreporter):
    """The sums of all years, and the proofs of all disasters."""
    years, proofs = defaultdict(Counter), []
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for key, value in report.user_properties if report.when == "call" else ():
                if key == "simulation":
                    for name, numbers in value.items():
                        years[name].update(numbers)
                elif key == "disaster":
                    proofs.append(value)
    return years, proofs


def _figures(years):
    sums = years["figures"]
    waits = sorted(Counter({int(n): c for n, c in years["waits"].items()}).elements())
    every = sums["honest"] / sums["stopped"] if sums["stopped"] else sums["honest"]
    yield (
        f"{sums['firms']} firms, {sums['nights']:,} nights, {sums['deleted']:,} deletes,"
        f" {sums['wrong']} wrong, {sums['late']} late"
    )
    yield (
        f"stops without need: {sums['stopped']} in {sums['honest']:,} honest nights"
        f" (one in {every:.0f}), {sums['aftermath']} of them within three nights of a disaster;"
        f" {_listed(years['stops'])}"
    )
    if waits:
        last = waits[int(len(waits) * 0.99)]
        yield (
            f"nights from the first export without a person to the delete: median"
            f" {median(waits):.0f}, 99 % within {last}, longest {waits[-1]}"
        )
    yield f"leavers left to a person: {_listed(years['excused'])}"


def _listed(counter):
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"


def _table(proofs):
    """Markdown: each disaster, what it would have deleted, and what carried it."""
    yield "| disaster | times | unguarded | stood against it | enough alone | needed |"
    yield "|---|---|---|---|---|---|"
    by_name = defaultdict(list)
    for proof in proofs:
        by_name[proof["disaster"]].append(proof)
    for name, some in sorted(by_name.items()):
        standing = Counter(guard for proof in some for guard in proof["standing"])
        alone = Counter(guard for proof in some for guard in proof["alone"])
        needed = Counter(guard for proof in some for guard, _ in proof["needed"])
        worst = max(proof["unguarded"] for proof in some)
        cells = (standing, alone, needed)
        yield f"| {name} | {len(some)} | {worst} | " + " | ".join(map(_listed, cells)) + " |"
