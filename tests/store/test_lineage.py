"""A state that was put back from a backup is noticed, and nothing else is taken for one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from amounts import amount, note
from kinds import SQLITE

from reconcile.errors import StateError
from reconcile.model import Freeze, ProtectionKind, ProtectionRecord
from reconcile.store import lineage
from reconcile.store.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path


def serial(state) -> int:
    [(found,)] = state.sql("SELECT serial FROM state")
    return found


def beside(state) -> Path:
    return state.database.mark


def in_reports(state) -> Path:
    [(name,)] = state.sql("SELECT id FROM state")
    return state.reports / f"state-{name}.serial"


def noted(state) -> list[int]:
    """What the marks say; both must be there."""
    return [int(mark.read_text().split()[1]) for mark in (beside(state), in_reports(state))]


def write(state, *contact_ids: int) -> None:
    """A command that writes once for each contact."""
    with state.open() as ledger:
        for contact_id in contact_ids:
            ledger.adopt([state.claim(contact_id)])


def refusal(state) -> StateError:
    """The refusal, which the check tells too, in the same words."""
    with pytest.raises(StateError) as refused:
        state.open()
    assert (refused.value.exit_code, refused.value.code) == (8, "state_restored")
    assert refused.value.hint.endswith("reconcile db rebind")
    [problem] = state.check().problems
    assert problem.code == "state_restored"
    assert refused.value.message in problem.message
    assert "reconcile db rebind" in problem.message
    return refused.value


# ---------------------------------------------------------------------------- counting, noting


def test_every_write_is_counted_and_nothing_else(state, ledger, run_id, plan) -> None:
    assert serial(state) == 1
    freeze = Freeze(until=state.now, frozen_by="anna", why="")
    protection = ProtectionRecord(
        kind=ProtectionKind.ID, value="7", created_by="anna", created_at=state.now, reason=""
    )
    writes = [
        lambda: ledger.adopt([state.claim(1)]),
        lambda: ledger.release([1]),
        lambda: ledger.freeze(freeze),
        lambda: ledger.protect(protection),
        lambda: ledger.unprotect(kind=ProtectionKind.ID, value="7"),
        lambda: ledger.record(run_id, accepted=None, claims=(), released=(), plan=plan),
        lambda: ledger.use_approval(run_id, run_id=run_id, approved_by="anna", now=state.now),
        lambda: ledger.purge(before=state.now),
        lambda: ledger.begin_run(command="plan", mode="review", now=state.now),
    ]
    for count, act in enumerate(writes, start=2):
        act()
        assert serial(state) == count
    for look in (ledger.runs, ledger.protections, ledger.latest_plan_run, ledger.tombstones):
        look()
    ledger.view(now=state.now)
    with pytest.raises(StateError):
        ledger.mark_restored(99, new_contact_id=1, now=state.now)
    assert serial(state) == 1 + len(writes)


def test_what_is_written_is_noted_when_a_run_begins_and_at_the_end(state) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(1)])
        assert noted(state) == [0, 0]
        ledger.begin_run(command="run", mode="auto", now=state.now)
        assert noted(state) == [2, 2]
        ledger.adopt([state.claim(2)])
        assert noted(state) == [2, 2]
    assert noted(state) == [3, 3]
    assert serial(state) == 3


def test_the_marks_are_private_and_the_only_files_that_are_left(state) -> None:
    write(state, 1)
    assert {file.stat().st_mode & 0o777 for file in (beside(state), in_reports(state))} == {0o600}
    assert state.reports.stat().st_mode & 0o777 == 0o700
    assert list(state.reports.iterdir()) == [in_reports(state)]
    there = {beside(state), *([] if state.cluster else [state.path])}
    assert set(beside(state).parent.iterdir()) == there


def test_looking_leaves_no_mark_and_moves_none(state) -> None:
    with state.open() as ledger:
        ledger.view(now=state.now)
    assert state.check().ok
    assert not state.reports.exists()
    assert not beside(state).exists()
    write(state, 1)
    before = [file.stat().st_mtime_ns for file in (beside(state), in_reports(state))]
    with state.open() as ledger:
        ledger.runs()
    assert [file.stat().st_mtime_ns for file in (beside(state), in_reports(state))] == before


def test_without_a_folder_of_reports_there_is_one_mark(state) -> None:
    with Ledger.open(state.url, base=state.base, pbx_url=state.pbx_url) as ledger:
        ledger.adopt([state.claim(1)])
    assert beside(state).read_text().endswith(" 1\n")
    assert not state.reports.exists()
    state.open().close()


@SQLITE
def test_what_root_notes_belongs_to_whom_the_state_belongs(state) -> None:
    if os.geteuid() == 0:
        os.chown(state.path, 65534, 65534)
    write(state, 1)
    owner = state.path.stat().st_uid, state.path.stat().st_gid
    for mark in (beside(state), in_reports(state)):
        assert (mark.stat().st_uid, mark.stat().st_gid) == owner


def test_what_another_user_notes_is_its_own(open_place, without_power) -> None:
    open_place.upgrade()
    open_place.base.chmod(0o777)
    if os.geteuid() == 0:
        for path in (open_place.path, open_place.path.parent):
            os.chown(path, 65534, 65534)
    with without_power():
        write(open_place, 1)
        assert noted(open_place) == [1, 1]
        assert in_reports(open_place).stat().st_uid == os.geteuid()


def test_a_mark_never_goes_back(state) -> None:
    write(state, 1, 2, 3)
    with state.open() as ledger:
        ledger.adopt([state.claim(4)])
        for mark in (beside(state), in_reports(state)):
            mark.write_text(f"{ledger.state_id} 77\n")
    assert noted(state) == [77, 77]


def test_what_a_killed_process_left_of_a_mark_is_in_nobodys_way(state) -> None:
    write(state, 1)
    for mark in (beside(state), in_reports(state)):
        mark.with_name(f"{mark.name}.new").write_text("half a mar")
    write(state, 2)
    assert noted(state) == [2, 2]
    assert list(state.reports.iterdir()) == [in_reports(state)]


# ---------------------------------------------------------------------------- noticing


def test_a_backup_that_was_put_back_is_noticed(state) -> None:
    write(state, 1)
    copy = state.backup()
    write(state, 2, 3)
    state.put_back(copy)
    error = refusal(state)
    assert str(error).startswith(f"{state.name} was put back from a backup")
    assert "at least 2 of 3 are not in it" in error.message
    for lost in ("Claims", "protections", "freezes", "approvals", "tombstones"):
        assert lost in error.message


def test_one_lost_write_is_enough_and_none_is_not(state) -> None:
    write(state, 1)
    copy = state.backup()
    state.put_back(copy)
    state.open().close()
    assert state.check().ok
    write(state, 2)
    state.put_back(copy)
    assert "at least 1 of 2 " in refusal(state).message


@SQLITE
def test_a_whole_folder_that_was_put_back_is_noticed_by_the_reports(state, tmp_path) -> None:
    write(state, 1)
    shutil.copytree(state.path.parent, tmp_path / "saved")
    write(state, 2)
    shutil.rmtree(state.path.parent)
    (tmp_path / "saved").rename(state.path.parent)
    assert "at least 1 of 2 " in refusal(state).message


@SQLITE
def test_a_write_ahead_log_that_was_thrown_away_is_noticed(state) -> None:
    with state.open() as ledger:
        ledger.adopt([state.claim(1)])
        shutil.copy(state.path, state.base / "without-log")
        ledger.begin_run(command="run", mode="auto", now=state.now)
    state.put_back(state.base / "without-log")
    assert "lost its last writes" in refusal(state).message


def test_a_state_from_before_the_upgrade_is_noticed(state) -> None:
    write(state, 1)
    state.sql("UPDATE state SET serial = 0")
    assert "at least 1 of 1 " in refusal(state).message


@pytest.mark.parametrize("lost", ["beside", "reports"])
def test_one_mark_may_be_missing(state, lost: str) -> None:
    write(state, 1)
    {"beside": beside, "reports": in_reports}[lost](state).unlink()
    state.open().close()
    assert state.check().ok
    write(state, 2)
    assert noted(state) == [2, 2]


def test_a_state_of_which_nobody_here_knows_is_refused(state) -> None:
    write(state, 1, 2)
    beside(state).unlink()
    shutil.rmtree(state.reports)
    message = refusal(state).message
    assert "was written 2 times, but there is no mark of that" in message
    assert str(beside(state)) in message
    assert str(in_reports(state)) in message


@pytest.mark.parametrize(
    "text",
    [
        *("", "\n", "\x00\xff", "2\n", "{id}\n", "{id} \n", "{id} two\n", "{id} -2\n"),
        *("{id} 2", "{id} 2 2\n", "x{id} 2\n", f"{{id}} {'9' * 16}\n", f"{'0' * 32} 99\n"),
    ],
)
def test_a_mark_that_says_nothing_of_this_state_is_no_mark(state, text: str) -> None:
    write(state, 1, 2)
    whole = in_reports(state).read_bytes()
    name = whole.decode().split()[0]
    in_reports(state).unlink()
    beside(state).write_bytes(text.format(id=name).encode("latin-1"))
    assert "there is no mark" in refusal(state).message
    in_reports(state).write_bytes(whole)
    state.open().close()


def test_a_new_state_in_the_place_of_a_lost_one_begins_its_own_marks(state) -> None:
    write(state, 1, 2)
    old = in_reports(state)
    state.lose()
    state.upgrade()
    state.open().close()
    write(state, 1)
    assert noted(state) == [1, 1]
    assert old.exists()


@SQLITE
def test_a_state_moves_with_its_marks_or_to_another_name(state, tmp_path) -> None:
    write(state, 1)
    other = replace(state, base=tmp_path / "other")
    shutil.copytree(state.path.parent, other.path.parent)
    other.open().close()
    state.path.rename(state.path.with_name("renamed.db"))
    url = "sqlite:///state/renamed.db"
    Ledger.open(url, base=state.base, pbx_url=state.pbx_url, marks=state.reports).close()


def test_a_mark_that_can_not_be_read_is_a_state_error(open_place, without_power) -> None:
    open_place.upgrade()
    with open_place.open() as ledger:
        ledger.adopt([open_place.claim(1)])
    for path in (open_place.path.parent, open_place.reports):
        path.chmod(0o777)
    if os.geteuid() == 0:
        os.chown(open_place.path, 65534, 65534)
        os.chown(beside(open_place), 65534, 65534)
    in_reports(open_place).chmod(0o000)
    with without_power(), pytest.raises(StateError) as refused:
        open_place.open()
    assert refused.value.code == "state_permission"
    assert str(in_reports(open_place)) in refused.value.message


# ---------------------------------------------------------------------------- a full disk


def test_a_full_disk_before_the_first_mark_changes_nothing(state, full_disk) -> None:
    with state.open() as ledger:
        with full_disk(10), pytest.raises(StateError) as refused:
            ledger.adopt([state.claim(1)])
        assert refused.value.code == "state_disk"
        assert serial(state) == 0
        ledger.adopt([state.claim(1)])
    assert noted(state) == [1, 1]


def test_a_full_disk_at_the_last_mark_is_told_and_loses_nothing(state, full_disk) -> None:
    write(state, 1)
    ledger = state.open()
    ledger.adopt([state.claim(2)])
    with full_disk(10), pytest.raises(StateError) as refused:
        ledger.close()
    assert (refused.value.exit_code, refused.value.code) == (8, "state_disk")
    assert refused.value.consequence.startswith("What was done before stands in the state")
    assert noted(state) == [1, 1]
    assert [file.name for file in state.reports.iterdir()] == [in_reports(state).name]
    with state.open() as again:
        assert list(again.view(now=state.now).claims) == [1, 2]
    write(state, 3)
    assert noted(state) == [3, 3]


def test_a_mark_that_fails_hides_no_other_error(state, full_disk) -> None:
    ledger = state.open()
    ledger.adopt([state.claim(1)])
    with full_disk(10), pytest.raises(ZeroDivisionError), ledger:
        _ = 1 / 0
    assert (noted(state), serial(state)) == ([0, 0], 1)


# ---------------------------------------------------------------------------- rebind


@pytest.fixture
def restored(state, plan):
    """A state put back from a backup that knew of absences, and of plans; its copies, too."""
    with state.open() as ledger:
        ledger.adopt(
            [
                state.claim(1),
                state.claim(2, first_absent=state.now, absent_exports=2),
                state.claim(3, first_absent=state.now),
                state.claim(4, absent_exports=1),
            ]
        )
        for used in (True, False):
            run_id = ledger.begin_run(command="plan", mode="review", now=state.now)
            ledger.record(run_id, accepted=None, claims=(), released=(), plan=plan)
            if used:
                ledger.use_approval(run_id, run_id=run_id, approved_by="anna", now=state.now)
    copy = state.backup()
    with state.open() as ledger:
        ledger.begin_run(command="apply", mode="review", now=state.now)
    state.lose()
    state.put_back(copy)
    refusal(state)
    return state


def rebind(state, *, last_run: int = 0) -> lineage.RebindResult:
    return lineage.rebind(state.url, base=state.base, marks=state.reports, last_run=last_run)


def test_a_rebind_goes_on_with_the_state_and_believes_no_absence(restored, plan) -> None:
    state = restored
    was = max(noted(state))
    result = rebind(state)
    assert (result.changed, result.absent, result.plans) == (True, 3, 1)
    with state.open() as ledger:
        claims = ledger.view(now=state.now).claims
        assert claims == {n: state.claim(n) for n in (1, 2, 3, 4)}
        assert [p.run_id for p in ledger.plan(plan.digest)] == [1]
    assert noted(state) == [serial(state)] * 2
    assert serial(state) == was + lineage.JUMP
    assert state.check().ok


def test_a_rebind_says_what_it_did_and_what_to_look_at(restored) -> None:
    said = str(rebind(restored, last_run=41))
    assert f"{restored.name} is the state to go on with" in said
    assert "Grace starts again for every contact; 3 were absent." in said
    assert "Plans that waited for an approval are void: 1." in said
    assert "at least the number 42" in said
    for look in ("reconcile protect", "freeze", "reports of the runs since", "reconcile plan"):
        assert look in said


@pytest.mark.parametrize(("last_run", "following"), [(0, 3), (2, 3), (3, 4), (41, 42)])
def test_after_a_rebind_no_report_is_written_over(restored, last_run: int, following: int) -> None:
    assert rebind(restored, last_run=last_run).next_run == following
    with restored.open() as ledger:
        begun = ledger.begin_run(command="plan", mode="review", now=restored.now)
    assert begun == following


def test_a_rebind_of_a_state_without_any_run_still_saves_the_reports(state) -> None:
    write(state, 1)
    beside(state).unlink()
    shutil.rmtree(state.reports)
    assert rebind(state, last_run=7).next_run == 8
    with state.open() as ledger:
        assert ledger.begin_run(command="plan", mode="review", now=state.now) == 8


def test_numbers_that_were_purged_stay_used_after_a_rebind(restored) -> None:
    restored.sql("DELETE FROM approval", "DELETE FROM run")
    rebind(restored)
    with restored.open() as ledger:
        assert ledger.begin_run(command="plan", mode="review", now=restored.now) == 3


def test_the_state_that_was_lost_is_the_older_one_from_then_on(restored) -> None:
    rebind(restored)
    restored.find()
    assert "was put back from a backup" in refusal(restored).message


def test_a_rebind_of_the_newest_state_does_nothing(state, plan) -> None:
    with state.open() as ledger:
        run_id = ledger.begin_run(command="plan", mode="review", now=state.now)
        ledger.record(
            run_id,
            accepted=None,
            claims=[state.claim(1, first_absent=state.now, absent_exports=1)],
            released=(),
            plan=plan,
        )
        view = ledger.view(now=state.now)
    before = noted(state)
    result = rebind(state, last_run=99)
    assert not result.changed
    assert str(result) == f"{state.name} is the newest state that is known here: nothing to do."
    with state.open() as ledger:
        assert ledger.view(now=state.now) == view
        assert len(ledger.plan(plan.digest)) == 1
    assert noted(state) == before


def test_a_second_rebind_does_nothing_more(restored) -> None:
    rebind(restored)
    after = serial(restored)
    assert not rebind(restored).changed
    assert serial(restored) == after


def test_a_rebind_whose_mark_fails_can_be_repeated(restored) -> None:
    (restored.reports / f"{in_reports(restored).name}.new").mkdir()
    with pytest.raises(StateError):
        rebind(restored)
    shutil.rmtree(restored.reports)
    assert not rebind(restored).changed
    write(restored, 9)
    assert noted(restored) == [serial(restored)] * 2


@pytest.mark.parametrize("spoil", ["missing", "open", "damaged"])
@SQLITE
def test_a_rebind_asks_for_everything_else_that_a_state_must_be(restored, spoil: str) -> None:
    if spoil == "missing":
        restored.path.unlink()
    elif spoil == "open":
        restored.path.chmod(0o644)
    else:
        restored.path.write_bytes(b"no database" * 100)
    with pytest.raises(StateError) as refused:
        rebind(restored)
    assert refused.value.code in {"state_missing", "state_permission", "state_corrupt"}


# ---------------------------------------------------------------------------- no false alarm


@pytest.fixture
def looking(state):
    """Somebody opens the state and is kept waiting by the mark in the reports; what they get."""
    with state.open() as ledger, ThreadPoolExecutor(1) as pool:
        mark = state.reports / f"state-{ledger.state_id}.serial"
        state.reports.mkdir(exist_ok=True)
        mark.unlink(missing_ok=True)
        os.mkfifo(mark)
        look = pool.submit(lambda: state.open().close())
        with mark.open("wb", buffering=0) as said:  # waits until somebody reads
            yield mark, said, look


@pytest.fixture
def writer(state):
    """A run that makes one mark only, the one beside the state."""
    with Ledger.open(state.url, base=state.base, pbx_url=state.pbx_url) as ledger:
        yield ledger


def test_a_run_that_writes_while_somebody_looks_is_no_alarm(state, writer, looking) -> None:
    mark, said, look = looking
    writer.begin_run(command="run", mode="auto", now=state.now)
    said.write(f"{writer.state_id} {serial(state)}\n".encode())
    mark.unlink()
    said.close()
    assert look.result(timeout=30) is None


def test_a_first_mark_made_while_somebody_looks_is_no_alarm(state, writer, looking) -> None:
    mark, said, look = looking
    assert not beside(state).exists()
    writer.adopt([state.claim(1)])
    mark.unlink()
    said.close()
    assert look.result(timeout=30) is None


STORM = """
import os, random, signal, sys, time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from reconcile.model import Claim
from reconcile.store import migrate
from reconcile.store.ledger import Ledger

folder, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
now = datetime.fromisoformat("2026-03-01T02:30:00+00:00")
chance = random.Random(seed)

def opened(base):
    return Ledger.open("sqlite:///s.db", base=base, pbx_url="https://pbx", marks=base / "reports")

def write_for_ever(base):
    while True:
        with opened(base) as ledger:
            ledger.adopt([Claim(contact_id=1, crm_id="c", name="n", fingerprint="f")])
            ledger.begin_run(command="run", mode="auto", now=now)
            ledger.release([1])

def fork(base):
    child = os.fork()
    if child == 0:
        write_for_ever(base)
    return child

def highest(base):
    with suppress(FileNotFoundError):
        return int((base / "s.db.serial").read_text().split()[1])
    return -1

looks = high = 0
for number in range(rounds):
    base = folder / str(number // 10)
    if number % 10 == 0:
        migrate.upgrade("sqlite:///s.db", base=base, now=now)
        high = -1
    children = [fork(base) for _ in range(chance.randint(1, 3))]
    end = time.monotonic() + chance.uniform(0, 0.08)
    while time.monotonic() < end:
        opened(base).close()
        looks += 1
        assert highest(base) >= high, "a mark went back"
        high = highest(base)
    for child in children:
        os.kill(child, signal.SIGKILL)
    for child in children:
        os.waitpid(child, 0)
    opened(base).close()
print(looks + rounds, flush=True)
"""


def test_no_kill_and_no_run_beside_is_taken_for_a_restored_backup(tmp_path) -> None:
    rounds = amount(check=40, prove=1000)
    storm = subprocess.run(
        [sys.executable, "-c", STORM, str(tmp_path), str(rounds), "7"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    looks = int(storm.stdout)
    assert looks > rounds
    note("lineage", f"{rounds} times up to 3 writers killed, {looks} looks beside, no false alarm")


def test_many_writers_at_once_are_all_counted_and_noted(state) -> None:
    code = (
        "from reconcile.model import Claim\n"
        "from reconcile.store.ledger import Ledger\n"
        "for n in range(10):\n"
        "    with Ledger.open(url, base=base, pbx_url=pbx_url, marks=base / 'reports') as ledger:\n"
        "        ledger.adopt([Claim(contact_id=n, crm_id='c', name='n', fingerprint='f')])\n"
    )
    for process in [state.process(code) for _ in range(4)]:
        with closing(process.stdin):
            assert process.wait() == 0
        process.stdout.close()
    assert serial(state) == 40
    assert noted(state) == [40, 40]
