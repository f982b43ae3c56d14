"""What holds while a process keeps millions of texts and rows."""

from __future__ import annotations

import gc

import pyarrow as pa
import pytest

from reconcile.bulk import in_bulk


@pytest.fixture(params=[True, False], ids=["searching", "not searching"])
def was_on(request):
    before = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if before else gc.disable)()


def test_cycles_are_not_searched_for_meanwhile_and_then_as_before(was_on):
    @in_bulk()
    def fails():
        return gc.isenabled() / 0

    with in_bulk():
        assert not gc.isenabled()
    assert gc.isenabled() is was_on
    with pytest.raises(ZeroDivisionError):
        fails()
    assert gc.isenabled() is was_on


def test_arrow_takes_its_memory_where_all_do():
    with in_bulk():
        assert pa.array(["a"]).nbytes
        assert pa.default_memory_pool().backend_name == "system"
