"""A mark that is carried to another machine: that one then refuses what the first would refuse."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from kinds import SQLITE

from reconcile.errors import StateError, UsageError
from reconcile.store import lineage
from reconcile.store.lineage import Mark


@pytest.fixture
def used(state):
    """A state that was written three times, by the first machine."""
    with state.open() as ledger:
        for contact_id in (1, 2, 3):
            ledger.adopt([state.claim(contact_id)])
    return state


@pytest.fixture
def second(used, tmp_path):
    """The other machine: the same state, and no mark of it."""
    base = tmp_path / "second"
    base.mkdir()
    if not used.cluster:
        shutil.copytree(used.path.parent, base / "state")
        (base / "state" / used.database.mark.name).unlink()
    return replace(used, base=base)


def own(machine) -> Mark:
    return lineage.own(machine.url, base=machine.base, marks=machine.reports)


def take(machine, mark: Mark) -> str:
    return lineage.take(machine.url, base=machine.base, marks=machine.reports, given=mark)


def test_a_machine_without_a_mark_is_told_where_to_get_one(second) -> None:
    for refuses in (second.open, lambda: own(second)):
        with pytest.raises(StateError) as refused:
            refuses()
        assert refused.value.code == "state_restored"
        hint = "if another machine works with it, take its mark: reconcile db mark; "
        assert refused.value.hint.startswith(hint)
        assert refused.value.hint.endswith("reconcile db rebind")
    assert "take its mark" in str(second.check().problems[0])


def test_a_mark_that_was_taken_lets_a_machine_work_and_changes_nothing(used, second) -> None:
    before, mark = used.content(), own(used)
    assert mark.serial == 3
    assert Mark.of(str(mark)) == mark
    said = take(second, mark)
    assert "was written 3 times, at least 3 of which another machine has seen" in said
    assert used.content() == before
    assert second.check().ok
    with second.open() as ledger:
        ledger.adopt([second.claim(4)])
    assert own(second).serial == 4
    take(second, mark)
    assert lineage.known(second.url, base=second.base, folder=second.reports) == (own(second),)


def test_marks_of_other_states_and_of_newer_ones_are_refused(used, second) -> None:
    with pytest.raises(StateError) as refused:
        take(second, Mark(state_id="0" * 32, serial=3))
    assert (refused.value.code, refused.value.exit_code) == ("state_mark", 8)
    with pytest.raises(StateError) as refused:
        take(second, replace(own(used), serial=4))
    assert refused.value.code == "state_restored"
    assert "at least 1 of 4 are not in it" in refused.value.message
    assert not second.reports.exists()
    with pytest.raises(UsageError, match="is no mark"):
        Mark.of("abc")


def test_a_machine_that_knows_better_stays_with_what_it_knows(used) -> None:
    """A lower mark lets no older state pass, and takes none back."""
    mark, kept = own(used), used.backup()
    with used.open() as ledger:
        ledger.adopt([used.claim(4)])
    used.put_back(kept)
    with pytest.raises(StateError) as refused:
        take(used, mark)
    assert refused.value.code == "state_restored"
    lineage.carry([mark], folder=used.reports)
    assert lineage.known(used.url, base=used.base, folder=used.reports)[0].serial == 4


def test_marks_travel_without_the_database(used, second) -> None:
    """As with a job that is run on another machine, and back."""
    carried = lineage.known(used.url, base=used.base, folder=used.reports)
    assert [mark.serial for mark in carried] == [3]
    lineage.carry(carried, folder=second.reports)
    file = second.reports / f"state-{carried[0].state_id}.serial"
    assert file.read_text() == f"{carried[0].state_id} 3\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(second.reports.iterdir()) == [file]
    with second.open() as ledger:
        ledger.adopt([second.claim(4)])
    back = lineage.known(second.url, base=second.base, folder=second.reports)
    lineage.carry([*back, Mark(state_id="f" * 32, serial=9)], folder=used.reports)
    found = lineage.known(used.url, base=used.base, folder=used.reports)
    assert sorted(mark.serial for mark in found) == [4, 9]


def test_a_machine_that_worked_with_nothing_knows_nothing(bare) -> None:
    assert lineage.known(bare.url, base=bare.base, folder=bare.reports) == ()


@SQLITE
def test_a_mark_that_can_not_be_written_is_told(used) -> None:
    mark = own(used)
    (used.base / "file").touch()
    with pytest.raises(StateError) as refused:
        lineage.carry([mark], folder=used.base / "file" / "reports")
    assert refused.value.code == "state_permission"
