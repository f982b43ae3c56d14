"""A reader with an empty home folder."""

from __future__ import annotations

import pytest
from manual.walking import Shell, Walk


@pytest.fixture
def walk(tmp_path):
    reader = Walk(Shell(tmp_path))
    yield reader
    reader.end()
