"""Two configurations that name one PBX: their runs exclude each other, whatever their states."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile import doctor
from reconcile.errors import LockBusy
from reconcile.model import Exit
from reconcile.session import opened
from reconcile.store.lock import PbxLock, RunLock

TOML = """
mode = "review"
[crm]
source = "exports/*.csv"
region = "DE"
[pbx]
url = "{url}"
client_id = "reconcile"
client_secret_env = "SECRET"
"""


@pytest.fixture
def other(company, tmp_path):
    """The same PBX, with a folder and a state of its own."""
    made = replace(company, folder=tmp_path / "other")
    made.create_state()
    company.export()
    made.export()
    return made


def test_a_run_of_another_configuration_waits_outside(company, other):
    with opened(company.config, company.world(), "run"):
        for command in (other.plan, other.run, lambda: other.apply("0" * 12)):
            with pytest.raises(LockBusy, match="works on the PBX") as refused:
                command()
            assert refused.value.exit_code == Exit.LOCKED
            assert company.server.url in refused.value.message
    assert company.server.requests == ()
    assert other.plan().exit_code == Exit.CONVERGED


def test_the_address_may_be_spelled_in_another_way(company, other):
    other.settings["pbx.url"] = f" {company.server.url.upper()}/ "
    with opened(company.config, company.world(), "run"), pytest.raises(LockBusy):
        other.plan()


def test_a_session_holds_both_locks_and_tells_when_one_is_lost(company):
    config, world = company.config, company.world()
    with opened(config, world, "run") as session:
        assert session.locked()
        with pytest.raises(LockBusy, match="holds the lock"):
            RunLock(config.state.url, base=config.base, command="c", now=company.now).__enter__()
        with pytest.raises(LockBusy, match="works on the PBX"):
            PbxLock(company.server.url).__enter__()
        config.base.joinpath("state", "reconcile.db.lock").unlink()
        assert not session.locked()
    assert not session.locked()


def test_a_run_that_can_not_have_the_pbx_gives_its_state_back(company, other):
    with PbxLock(company.server.url), pytest.raises(LockBusy):
        other.plan()
    found = other.config
    with RunLock(found.state.url, base=found.base, command="c", now=other.now) as lock:
        assert lock.still_held()


@pytest.mark.parametrize("with_state", [True, False])
def test_the_doctor_does_not_ask_a_pbx_that_a_run_works_on(company, *, with_state: bool):
    """Its token would end the run's, whatever state the run has."""
    company.export()
    path = company.folder / "config.toml"
    path.write_text(TOML.format(url=company.server.url), "utf-8")
    if not with_state:
        (company.folder / "state" / "reconcile.db").unlink()
    with PbxLock(company.server.url):
        checks = doctor.examine(path, company.world(), probe=False)
    assert [c.exit_code for c in checks if c.name == "lock"] == [Exit.LOCKED]
    assert company.server.requests == ()


def test_the_doctor_tells_of_a_state_that_was_put_back(company):
    company.export()
    path = company.folder / "config.toml"
    path.write_text(TOML.format(url=company.server.url), "utf-8")
    state = company.folder / "state" / "reconcile.db"
    old = state.read_bytes()
    assert company.plan().exit_code == Exit.CONVERGED
    state.write_bytes(old)
    checks = doctor.examine(path, company.world(), probe=False)
    (found,) = [c for c in checks if c.name == "state"]
    assert (found.state, found.exit_code) == ("fail", Exit.STATE)
    assert "was put back from a backup" in found.said
    assert "reconcile db rebind" in found.said
