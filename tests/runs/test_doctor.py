"""Each line of the doctor that says something is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcile import doctor
from reconcile.model import Exit
from reconcile.store.lock import RunLock

TOML = """
mode = "review"
[crm]
source = "exports/*.csv"
region = "DE"
[pbx]
url = "{url}"
client_id = "reconcile"
client_secret_env = "SECRET"
{more}
"""


def examine(company, *, more="", probe=False):
    """Name → check, and the exit code."""
    path = company.folder / "config.toml"
    path.write_text(TOML.format(url=company.server.url, more=more), "utf-8")
    found = doctor.examine(path, company.world(), probe=probe)
    return {check.name: check for check in found}, doctor.exit_code(found)


@pytest.fixture
def sound(company):
    """A company whose doctor has nothing to say."""
    company.export()
    return company


def test_everything_is_in_order(sound):
    found, code = examine(sound, probe=True)
    wrong = [c for c in found.values() if c.state == "fail"]
    assert (wrong, code) == ([], Exit.CONVERGED)
    assert found["etags"].said == "ETags weak, If-Match enforced, delete_guard etag"
    assert found["listing"].said == "complete, read by $skip"
    assert found["probe"].said == (
        "An old ETag was refused with 412, the right one accepted. ETags in: list, entity, header. "
        "A DELETE with the right ETag: accepted. A DELETE without one: accepted. "
        "Contacts in a page: 100. A missing Id is answered: 404, odata. "
        "Version 20.0.9.995, 2026-11-23 02:30 UTC."
    )


def test_without_the_probe_it_only_reads(sound):
    found, _ = examine(sound)
    assert "probe" not in found
    assert sound.methods() == {"GET"}


def test_a_proof_is_shown_until_the_version_changes(sound):
    examine(sound, probe=True)
    found, _ = examine(sound)
    assert "right one accepted" in found["probe"].said
    sound.server.switches = replace(sound.server.switches, version="20.0.10.1")
    found, _ = examine(sound)
    assert "probe" not in found
    assert found["etags"].state == "warn"


def test_a_pbx_that_is_read_by_key_is_said_to_be(sound):
    sound.server.switches = replace(sound.server.switches, skip_orderby="refused")
    found, code = examine(sound)
    assert (found["listing"].state, code) == ("ok", Exit.CONVERGED)
    assert "refuses $skip" in found["listing"].said


def test_reports_that_can_not_be_written(sound):
    (sound.folder / "reports").write_text("a file")
    found, code = examine(sound)
    assert (found["reports"].state, code) == ("fail", Exit.STATE)


def test_a_state_that_others_can_read(sound):
    (sound.folder / "state" / "reconcile.db").chmod(0o644)
    found, code = examine(sound)
    assert (found["state"].state, code) == ("fail", Exit.STATE)
    assert found["state"].mend


def test_a_phonebook_without_any_contact(sound):
    for contact in sound.book.all():
        sound.book.remove(contact["Id"])
    found, code = examine(sound)
    assert (found["role"].state, code) == ("fail", Exit.PBX)
    assert "System Administrator" in found["role"].mend


def test_a_role_that_may_not_read(sound):
    sound.server.fail(path_prefix="/xapi/v1/Contacts", status=403, times=20)
    found, code = examine(sound)
    assert (found["role"].state, code) == ("fail", Exit.PBX)


def test_clocks_that_differ(sound):
    sound.now += timedelta(days=365)
    found, _ = examine(sound, more="[policy]")
    assert found["clock"].state == "warn"


def test_a_state_in_use(sound):
    found = sound.config
    with RunLock(found.state.url, base=found.base, command="run", now=sound.now):
        checks, code = examine(sound)
    assert (checks["lock"].state, code) == ("fail", Exit.LOCKED)
    assert sound.server.requests == ()  # its token would have ended the run's


def test_a_probe_that_proved_nothing_says_why(sound):
    sound.server.fail(method="POST", path_prefix="/xapi/v1/Contacts", status=403)
    found, code = examine(sound, probe=True)
    assert (found["etags"].state, code) == ("fail", Exit.PBX)
    assert "403" in found["etags"].said


@pytest.mark.parametrize(
    "switch",
    [{"etags": "none"}, {"if_match": "ignored"}, {"if_match": "always_412"}],
)
def test_a_pbx_that_can_not_guard_is_mended_by_compare(sound, switch):
    sound.server.switches = type(sound.server.switches)(**switch)
    found, code = examine(sound, probe=True)
    assert (found["etags"].state, code) == ("fail", Exit.PBX)
    assert "compare" in found["etags"].mend
    found, code = examine(sound, more='delete_guard = "compare"')
    assert (found["etags"].state, code) == ("ok", Exit.CONVERGED)
