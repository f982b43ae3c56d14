"""One machine for each kind of database, for all tests of this folder that run in one process."""

from __future__ import annotations

from functools import cache

import pytest
from crash.machine import Machine, Starter


@pytest.fixture(scope="session")
def starter():
    """The process that is forked for each run."""
    made = Starter()
    yield made
    made.end()


@pytest.fixture(scope="session")
def _machines(tmp_path_factory, starter, request):
    @cache
    def made(kind):
        cluster = request.getfixturevalue("cluster") if kind == "postgresql" else None
        return Machine(folder=tmp_path_factory.mktemp(kind), starter=starter, cluster=cluster)

    return made


@pytest.fixture
def machine(_machines, kind):
    found = _machines(kind)
    yield found
    found.close()
