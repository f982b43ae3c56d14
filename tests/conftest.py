"""What all tests have in common: none of them is timed, as machines are noisy."""

from __future__ import annotations

import pytest
from amounts import figures
from hypothesis import HealthCheck, settings

settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("untimed")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Figures travel with the test's report, from whichever process it ran in."""
    outcome = yield
    if call.when == "teardown":
        outcome.get_result().user_properties.extend(("figures", said) for said in figures())


def pytest_terminal_summary(terminalreporter):
    """What the suites have tried, in numbers."""
    reports = [r for found in terminalreporter.stats.values() for r in found]
    said = [
        value
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "figures"
    ]
    if said:
        terminalreporter.section("what was tried")
    for line in sorted(set(said)):
        terminalreporter.write_line(line)
