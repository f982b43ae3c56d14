"""One machine for all tests of this folder that run in one process."""

from __future__ import annotations

import pytest
from crash.machine import Machine, Starter


@pytest.fixture(scope="session")
def _machines(tmp_path_factory):
    starter = Starter()
    made = Machine(folder=tmp_path_factory.mktemp("machine"), starter=starter)
    yield made
    made.close()
    starter.end()


@pytest.fixture
def machine(_machines):
    yield _machines
    _machines.close()
