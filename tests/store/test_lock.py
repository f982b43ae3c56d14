"""One run at a time, and none that a dead process could hold up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from kinds import SQLITE

from reconcile.errors import LockBusy, StateError
from reconcile.store.lock import RunLock

HOLD = (
    "from reconcile.store.lock import RunLock\n"
    "with RunLock(url, base=base, command='reconcile run', now=now) as lock:\n"
    "    print('held', flush=True)\n"
    "    input()\n"
)


@pytest.fixture
def lock(bare):
    """Makes locks on one state, which need not exist."""
    return lambda: RunLock(bare.url, base=bare.base, command="reconcile plan", now=bare.now)


@pytest.fixture
def lock_file(bare):
    return bare.path.with_name("reconcile.db.lock")


@pytest.fixture
def held(bare):
    """Another process that holds the lock."""
    with bare.process(HOLD) as holder:
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


@SQLITE
def test_the_lock_is_a_private_file_beside_the_state_that_stays(lock, lock_file) -> None:
    with lock() as held:
        assert held.still_held()
        inode = lock_file.stat().st_ino
        assert lock_file.stat().st_mode & 0o777 == 0o600
        assert lock_file.parent.stat().st_mode & 0o777 == 0o700
    assert lock_file.stat().st_ino == inode
    assert not held.still_held()
    with lock():
        assert lock_file.stat().st_ino == inode


def test_a_second_process_is_told_at_once_who_holds_it(lock, held, bare) -> None:
    began = time.monotonic()
    with pytest.raises(LockBusy) as refused, lock():
        pass
    assert time.monotonic() - began < 1
    assert refused.value.exit_code == 7
    assert f"reconcile run, process {held.pid} on " in refused.value.message
    assert f"since {bare.now.isoformat()}" in refused.value.message
    assert refused.value.hint.endswith(f"ps -fp {held.pid}")


def test_a_process_killed_with_9_gives_the_lock_up(lock, held) -> None:
    held.kill()
    held.wait()
    with lock() as mine:
        assert mine.still_held()


def test_a_process_that_ends_gives_the_lock_up(lock, held) -> None:
    held.communicate("\n")
    assert held.returncode == 0
    with lock():
        pass


def test_an_error_inside_gives_the_lock_up(lock) -> None:
    with pytest.raises(ZeroDivisionError), lock():
        _ = 1 / 0
    with lock():
        pass


def test_one_process_can_not_hold_it_twice(bare, lock, lock_file) -> None:
    with lock() as first:
        with pytest.raises(LockBusy, match=f"process {os.getpid()} on"), lock():
            pass
        assert first.still_held()
        if not bare.cluster:
            lock_file.read_bytes()  # a record lock would be lost by this: flock is not
        with pytest.raises(LockBusy), lock():
            pass


def test_a_child_process_does_not_inherit_the_lock(lock) -> None:
    with lock():
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child:
        with lock():
            pass
        child.communicate(b"\n")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
@SQLITE
def test_a_holder_that_did_not_sign_is_still_a_holder(lock, lock_file, content: str) -> None:
    with lock():
        lock_file.write_text(content)
        with pytest.raises(LockBusy, match="did not say who it is") as refused, lock():
            pass
        assert refused.value.hint.endswith(f"fuser -v {lock_file}")


@SQLITE
def test_nothing_is_left_of_what_the_last_holder_wrote(lock, lock_file) -> None:
    with lock():
        pass
    lock_file.write_text(json.dumps({"pid": 1, "command": "x" * 1000}))
    with lock():
        with pytest.raises(LockBusy, match=f"reconcile plan, process {os.getpid()} on"), lock():
            pass
        assert b"xxx" not in lock_file.read_bytes()


@SQLITE
def test_a_lock_file_that_was_unlinked_or_replaced_is_noticed(lock, lock_file) -> None:
    with lock() as first:
        lock_file.unlink()
        assert not first.still_held()
        with lock() as second:
            assert second.still_held()
            assert not first.still_held()


@SQLITE
def test_a_lock_file_replaced_while_it_is_being_locked_is_not_taken(bare, lock) -> None:
    with lock():
        pass
    replacing = bare.process(
        "print('begun', flush=True)\n"
        "new, lock = base / 'state/new', base / 'state/reconcile.db.lock'\n"
        "while True:\n"
        "    new.touch()\n"
        "    new.rename(lock)\n"
    )
    with replacing:
        replacing.stdout.readline()
        try:
            refused = next(filter(None, (refusal(lock) for _ in range(100_000))))
        finally:
            replacing.kill()
    assert "did not say who it is" in refused.message


def refusal(lock) -> LockBusy | None:
    try:
        with lock():
            return None
    except LockBusy as error:
        return error


def test_a_lock_can_be_given_up_early(lock) -> None:
    with lock() as first:
        first.release()
        assert not first.still_held()
        with lock():
            pass


@SQLITE
def test_a_full_disk_leaves_no_lock_behind(lock, full_disk) -> None:
    full = lock()
    with full_disk(0), pytest.raises(StateError) as refused, full:
        pass
    assert refused.value.code == "state_disk"
    assert not full.still_held()
    with lock():
        pass


def test_a_lock_that_this_user_may_not_open_is_a_state_error(open_place, without_power) -> None:
    lock = RunLock(open_place.url, base=open_place.base, command="c", now=open_place.now)
    with lock:
        pass
    lock_file = open_place.path.with_name("reconcile.db.lock")
    lock_file.parent.chmod(0o755)
    lock_file.chmod(0o000)
    with without_power(), pytest.raises(StateError, match="Permission denied") as refused, lock:
        pass
    assert str(lock_file) in refused.value.message
