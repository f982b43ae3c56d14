"""One company for all scenarios, copied for each."""

from __future__ import annotations

import pytest
from company import SECRET
from scenarios import scene

from reconcile.sandbox import SandboxServer


@pytest.fixture(scope="session")
def begun(tmp_path_factory):
    """A folder with the state of three nights."""
    return scene.begun(tmp_path_factory.mktemp("begun"))


@pytest.fixture
def company(begun, tmp_path):
    """The company in the evening of its fourth night."""
    with SandboxServer(scene.book(), client_secret=SECRET) as server:
        yield scene.continued(server, begun, tmp_path)
