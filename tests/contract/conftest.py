"""A PBX and a state for every case, quickly; and how many cases there were."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import canaries
import pytest
from company import SECRET
from contract.phonebook import NOW, Evening, Pbx, small_book

from reconcile.sandbox import SandboxServer
from reconcile.sandbox.switches import Switches
from reconcile.store import migrate
from reconcile.store.ledger import Ledger

STATE = "sqlite:///state/reconcile.db"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A state as `db upgrade` makes it, bound to no PBX yet; copied for every case."""
    folder = tmp_path_factory.mktemp("migrated")
    migrate.upgrade(STATE, base=folder, now=NOW)
    return folder


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def folder(migrated, stack):
    """A place with a state in it, gone after the case: there are thousands."""
    place = Path(stack.enter_context(TemporaryDirectory()))
    shutil.copytree(migrated, place, dirs_exist_ok=True)
    yield place
    assert not list(canaries.in_files(place))


@pytest.fixture
def start(stack):
    """Starts a PBX with its client; a new one for every case takes 2 ms."""

    def started(switches=None, *, book=None, **client):
        found = switches or Switches()
        server = SandboxServer(book or small_book(), client_secret=SECRET, switches=found)
        stack.enter_context(server)
        pbx = Pbx(server=server, **client)
        stack.callback(pbx.reader.close)
        return pbx

    return started


@pytest.fixture
def evening(start, stack, folder):
    """Starts a PBX and makes the plan of the evening."""

    def made(switches=None, *, book=None, timeout=5.0, **more):
        pbx = start(switches, book=book, timeout=timeout)
        opened = Ledger.open(STATE, base=folder, pbx_url=pbx.server.url)
        return Evening(pbx=pbx, ledger=stack.enter_context(opened), **more)

    return made


def pytest_terminal_summary(terminalreporter):
    """How many combinations were run, by suite and operation."""
    counts = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            place = getattr(report, "nodeid", "")
            if getattr(report, "when", "") == "call" and "tests/contract/" in place:
                counts[place.partition("[")[0].rpartition("/")[2]] += 1
    if counts:
        terminalreporter.section("contract with the PBX")
        for name, count in sorted(counts.items()):
            terminalreporter.write_line(f"{count:6} {name}")
        terminalreporter.write_line(f"{sum(counts.values()):6} combinations")
