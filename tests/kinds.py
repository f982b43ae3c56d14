"""The kinds of database that a state can be in: a test that asks for a state runs on each."""

from __future__ import annotations

import os
from itertools import count
from typing import Final

import pytest

_ALL: Final = ("sqlite", "postgresql")
KINDS: Final = _ALL[:1] if "MUTANT_UNDER_TEST" in os.environ else _ALL
"""A changed line is tried thousands of times, and what it does is not the database's."""
SQLITE: Final = pytest.mark.parametrize("kind", ["sqlite"])
"""For what only a file can have, or suffer."""
POSTGRESQL: Final = pytest.mark.parametrize("kind", ["postgresql"])
"""For what only a server can do."""

NUMBERS: Final = count(1)
"""For names of schemas: each test has its own."""
