"""Two machines on each kind of database."""

from __future__ import annotations

import canaries
import pytest
from slots.pair import Pair

from reconcile.sandbox import Book, SandboxServer


@pytest.fixture
def pair(tmp_path, kind, request):
    """Everybody is claimed by a plan of the first machine."""
    server = request.getfixturevalue("cluster") if kind == "postgresql" else None
    with SandboxServer(Book.seeded(30, seed=3), client_secret=canaries.SECRET) as sandbox:
        yield Pair.founded(tmp_path, sandbox, server)
