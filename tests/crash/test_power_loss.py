"""The power goes: of the write-ahead log only a part is there, and the ledger opens all the same.

What was synchronised before a DELETE left is there by the order of the system calls; of what came
after, any part may be missing, empty or rubbish. So it must be in one lane and in several, where
entries of the journal share a commit.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass

import pytest
from amounts import amount, note
from crash.machine import LEAVERS, LISTING, at, spread
from kinds import SQLITE

HEADER, FRAME = 32, 24 + 4096
"""Bytes of a write-ahead log and of a frame in it, with a page of 4,096."""
CALLS = "pwrite64,fdatasync,fsync,sendto"
SEED = 2026


@dataclass
class Power:
    """A run that was stopped after its deletes, with its log, and what was safe at each DELETE."""

    wal: bytes
    safe: dict[int, int]
    """Contact → the bytes of the log that were synchronised when its DELETE left."""

    @property
    def frames(self):
        return (len(self.wal) - HEADER) // FRAME


def struck_after_its_deletes(machine, lanes):
    """The files as a run leaves them that has deleted everybody and is killed before it closes."""
    machine.stage(lanes=lanes)
    server = machine.company.server

    def kill():
        machine.children[-1].send(signal.SIGKILL)

    last = at(LEAVERS[-1])
    server.hook(
        lambda: server.hook(kill, method="GET", path_prefix=LISTING),
        method="DELETE",
        path_prefix=last,
    )
    assert machine.start("run", trace=CALLS).wait() == -signal.SIGKILL
    assert machine.gone() == set(LEAVERS)
    wal = machine.state.with_name(f"{machine.state.name}-wal").read_bytes()
    assert (len(wal) - HEADER) % FRAME == 0
    return Power(wal=wal, safe=safe_at_delete(machine, alone=lanes == 1))


def calls(lines):
    """The system calls where each has ended; a request where it begins, as it may be out at once.

    strace writes a call in two parts if another thread makes one meanwhile.
    """
    begun = {}
    for line in lines:
        thread, _, call = line.partition(" ")
        if call.endswith("<unfinished ...>"):
            begun[thread] = call
            if "sendto(" in call:
                yield call
        elif "resumed>" in call and "sendto" not in call:
            yield begun.pop(thread) + call.partition("resumed>")[2]
        else:
            yield call


def safe_at_delete(machine, *, alone):
    """By the system calls: how much of the log was on the disk, and that its name was, too."""
    log = f"{machine.state.name}-wal>"
    folder = f"{machine.state.parent}>"
    written = synced = 0
    named, marks, safe = False, 0, {}
    for line in calls(machine.seen()):
        if log in line and (at_ := re.search(r"pwrite64\(.*, (\d+), (\d+)\) +=", line)):
            written = max(written, int(at_[1]) + int(at_[2]))
        elif log in line and "sync(" in line:
            synced = written
        elif folder in line and "sync(" in line:
            named = True
        elif "serial.new>" in line and "sync(" in line:
            marks += 1
            assert synced == written  # a mark that leads would take a power cut for a backup
        elif sent := re.search(r'sendto\(.*"DELETE /xapi/v1/Contacts\((\d+)\)', line):
            assert named
            assert synced == written or not alone  # other lanes' entries may just be written
            safe.setdefault(int(sent[1]), synced)
    assert marks
    return {contact_id: safe[contact_id] for contact_id in LEAVERS}


@pytest.fixture(params=[1, 4], ids=["one-lane", "four-lanes"])
def power(machine, request):
    return struck_after_its_deletes(machine, request.param)


def remains(power, cut, draw):
    """What may be in the log after a cut: nothing, zeros, rubbish, or frames with one missing."""
    kept, rest = power.wal[:cut], power.wal[cut:]
    yield kept
    yield kept + bytes(len(rest))
    yield kept + draw.randbytes(len(rest))
    if len(rest) > 2 * FRAME:
        yield kept + bytes(FRAME) + rest[FRAME:]


def buried(state, wal):
    """Who has a tombstone and an intent in such a state: it must open, and be sound."""
    path = state.with_name("after.db")
    shutil.copy(state, path)
    path.with_name("after.db-wal").write_bytes(wal)
    path.with_name("after.db-shm").unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute(
            "SELECT action.contact_id, entity FROM action JOIN tombstone"
            " ON tombstone_id = tombstone.id"
        ).fetchall()
    return {contact_id: json.loads(entity) for contact_id, entity in rows}


@SQLITE
def test_wherever_the_log_ends_a_tombstone_is_there_for_each_delete_before(machine, power):
    draw = random.Random(SEED)  # noqa: S311 - no secret
    boundaries = [HEADER + FRAME * n for n in range(power.frames + 1)]
    inside = [b - draw.randrange(1, FRAME) for b in boundaries[1:]]
    tried = 0
    for cut in spread(sorted(boundaries + inside), amount(check=40, prove=10_000), seed=3):
        for wal in remains(power, cut, draw):
            graves = buried(machine.state, wal)
            tried += 1
            due = {i for i, safe in power.safe.items() if safe <= cut}
            assert due <= graves.keys()
            for contact_id in due:
                assert graves[contact_id]["Id"] == contact_id
    note("power loss", f"{tried} logs cut or torn within {power.frames} frames, seed {SEED}")


@pytest.mark.parametrize("power", [1], indirect=True, ids=["one-lane"])
@SQLITE
def test_the_frame_before_a_delete_is_the_one_that_counts(machine, power):
    for contact_id, safe in power.safe.items():
        assert contact_id in buried(machine.state, power.wal[:safe])
        assert contact_id not in buried(machine.state, power.wal[: safe - 1])


@pytest.mark.parametrize("done", [True, False], ids=["it-took-effect", "it-never-did"])
@SQLITE
def test_after_a_power_loss_at_a_delete_the_next_run_finds_out(machine, power, done):
    folder = machine.folder / "lost"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(machine.company.folder, folder, symlinks=True)
    for contact_id in spread(LEAVERS, amount(check=1, prove=4), seed=31):
        machine.stage()
        machine.put(folder)
        wal = machine.state.with_name(f"{machine.state.name}-wal")
        wal.write_bytes(power.wal[: power.safe[contact_id]])
        wal.with_name(f"{machine.state.name}-shm").unlink()
        for gone in LEAVERS:
            if gone < contact_id or (gone == contact_id and done):
                machine.company.book.remove(gone)
        machine.check()
        machine.converge()
