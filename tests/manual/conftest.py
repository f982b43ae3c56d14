"""A reader with an empty home folder."""

from __future__ import annotations

import pytest
from manual.walking import Shell, Walk


@pytest.fixture
def walk(tmp_path, tmp_path_factory):
    reader = Walk(Shell(tmp_path, tmp_path_factory.mktemp("commands")))
    yield reader
    reader.end()
