"""The server of the state fails: nothing more is deleted, and nothing that was is forgotten."""

from __future__ import annotations

import databases
import pytest
from amounts import amount, note
from crash.machine import LEAVERS, Machine, at, spread
from databases import DATABASE

from reconcile.model import Exit


@pytest.fixture
def kind():
    """Nothing here is of a file."""
    return "postgresql"


def ended(child):
    """Its exit code, explained in words."""
    code, said = child.wait(), child.said()
    if code != Exit.CONVERGED:
        assert "Next: " in said
    return code


def test_all_sessions_ended_at_any_request_nothing_more_is_deleted(machine):
    requests = machine.requests()
    chosen = spread(requests, amount(check=4, prove=10_000), seed=43)
    codes = []
    for nth in chosen:
        machine.stage()
        gone = []

        def strike(gone=gone):
            machine.cluster.end_sessions(DATABASE)
            gone.append(machine.gone())

        machine.company.server.hook(strike, nth=nth)
        code = ended(machine.start("run"))
        assert code in {Exit.STATE, Exit.LOCKED, Exit.PARTIAL}
        assert len(machine.gone() - gone[0]) <= 1  # the one in hand
        codes.append(code)
        machine.check()
        machine.converge()
    kinds = ", ".join(f"exit {int(c)}: {codes.count(c)}" for c in sorted(set(codes)))
    note("all sessions of the state ended at a request", f"{len(chosen)}; {kinds}")


@pytest.mark.parametrize("contact_id", LEAVERS[: amount(check=1, prove=4)])
def test_a_server_that_dies_at_a_delete_has_kept_its_tombstone(starter, tmp_path, contact_id):
    """Though it is set up to tell of commits that are in its memory only."""
    with databases.cluster("-c", "synchronous_commit=off", "-c", "wal_writer_delay=10s") as cluster:
        machine = Machine(folder=tmp_path, starter=starter, cluster=cluster)
        machine.stage()
        server = machine.company.server
        server.hook(cluster.strike_down, method="DELETE", path_prefix=at(contact_id))
        assert ended(machine.start("run")) == Exit.STATE
        with cluster.again():
            assert contact_id in machine.gone()
            assert contact_id in machine.unresolved()
            machine.check()
            machine.converge()
        machine.close()
