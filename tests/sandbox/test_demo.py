"""The demo: three nights, told as they happen."""

from __future__ import annotations

import io
import json

import pytest

from reconcile.errors import UsageError
from reconcile.sandbox.demo import run_demo


def test_the_demo_shows_what_it_promises_and_keeps_its_files(tmp_path):
    out = io.StringIO()
    assert run_demo(out, keep=tmp_path / "demo") == 0
    said = out.getvalue()
    for promised in ("was deleted", "was kept", "was never touched", "and restored"):
        assert promised in said
    assert "  NO " not in said
    report = json.loads((tmp_path / "demo" / "reports" / "latest" / "report.json").read_text())
    outcomes = sorted(c["outcome"] for c in report["contacts"] if c["outcome"])
    assert outcomes == ["changed", "deleted"]
    assert len(list((tmp_path / "demo" / "exports").iterdir())) == 3


def test_the_demo_never_writes_into_a_folder_in_use(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UsageError, match="not an empty folder"):
        run_demo(io.StringIO(), keep=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
