"""What all tests have in common: none of them is timed, as machines are noisy."""

from __future__ import annotations

from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import canaries
import databases
import mutants
import pytest
from amounts import figures
from company import founded
from hypothesis import HealthCheck, settings
from kinds import KINDS
from shelf import Shelf

settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("untimed")


LONG = {
    *("test_book.py", "test_cut.py", "test_damaged.py", "test_export_caps.py", "test_large.py"),
    *(
        "test_containerfile.py",
        "test_cron_daemon.py",
        "test_first_night.py",
        "test_machine.py",
        "test_packaging.py",
        "test_page.py",
        "test_sequence.py",
        "test_simulation.py",
    ),
}


def pytest_configure():
    """If a line was changed to see who notices, this is its process."""
    mutants.prepare()


def pytest_collection_modifyitems(items):
    """Long ones first: at the end all processes would wait for the one that has them."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Figures travel with the test's report, from whichever process it ran in.

    And whatever a test says or writes is looked through for secrets.
    """
    outcome = yield
    if call.when == "teardown":
        report = outcome.get_result()
        report.user_properties.extend(("figures", said) for said in figures())
        if said := canaries.left_behind(report.sections, item.funcargs.get("tmp_path")):
            before = f"{report.longrepr}\n" if report.failed else ""
            report.outcome, report.longrepr = "failed", before + said


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """What was prepared once in this process."""
    return Shelf(folder=tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="session")
def cluster():
    """A PostgreSQL for the states of all tests of this process."""
    with databases.cluster() as made:
        yield made


@pytest.fixture(params=KINDS)
def kind(request):
    """The kind of database that a state is in; who asks for it runs on each."""
    return request.param


@pytest.fixture
def company(tmp_path, shelf):
    """A company of a hundred people, and its PBX."""
    with founded(shelf, tmp_path) as made:
        yield made


@dataclass
class Receiver:
    """A health-check service: a real HTTP server that remembers what it was told."""

    url: str
    pings: list = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.pings]


@pytest.fixture
def receiver():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.pings.append((self.path, body.decode()))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Receiver(f"http://127.0.0.1:{server.server_address[1]}/ping/abc")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session", autouse=True)
def _no_secret_in_shared_folders(tmp_path_factory):
    """The folders that tests share, at the very end; theirs alone were looked through before."""
    yield
    found = list(canaries.in_shared_folders(tmp_path_factory.getbasetemp()))
    assert not found, "\n".join(found)


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
