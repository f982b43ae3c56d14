"""A company of a hundred people for each test."""

from __future__ import annotations

import pytest
from company import SECRET, Company

from reconcile.sandbox import Book, SandboxServer


@pytest.fixture
def company(tmp_path):
    server = SandboxServer(Book.seeded(100, seed=3), client_secret=SECRET)
    with server:
        made = Company(server=server, folder=tmp_path)
        made.create_state()
        yield made
