"""One run per PBX on a machine, whatever the state, the configuration or the user."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from amounts import amount, note

from reconcile.errors import LockBusy, StateError
from reconcile.pbx.connection import origin
from reconcile.store.lock import PbxLock

PROCESSES = range(2, 21)


@pytest.fixture
def address(request) -> str:
    """An address that no other test of this machine locks."""
    return f"https://{request.node.name.partition('[')[0].replace('_', '-')}.{os.getpid()}.example"


def refusal(address: str) -> LockBusy | None:
    try:
        with PbxLock(address):
            return None
    except LockBusy as error:
        return error


@contextmanager
def holder(address: str, *, user: int | None = None):
    """Another process, perhaps another user's, that holds the lock until it is told to end."""
    code = (
        "import os, sys\n"
        "from reconcile.store.lock import PbxLock\n"
        f"os.setuid({os.geteuid() if user is None else user})\n"
        f"with PbxLock({address!r}):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read(1)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_at_once_who_works_on_that_pbx(address) -> None:
    with holder(address) as other:
        began = time.monotonic()
        error = refusal(address)
        assert time.monotonic() - began < 1
    assert error.exit_code == 7
    assert str(error) == (
        f"Another run works on the PBX {address}: "
        f"process {other.pid} of the user with the id {os.geteuid()}."
    )
    assert error.hint == f"wait for it to end; to see it: ps -fp {other.pid}"


def test_another_pbx_is_free(address) -> None:
    with holder(address):
        assert refusal(f"{address}:5001") is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://pbx.{}.example", "HTTPS://PBX.{}.EXAMPLE:443/"),
        ("https://pbx.{}.example:5001", " https://pbx.{}.Example:05001/ "),
        ("https://pbx.{}.example", "https://pbx.{}.example:443"),
        ("http://[::1]:{}", "http://[0:0:0:0:0:0:0:1]:{}//"),
        ("https://[2001:db8::a]:{}", "https://[2001:DB8:0::A]:{}"),
    ],
)
def test_two_spellings_of_one_address_are_one_pbx(one: str, other: str) -> None:
    port = 1024 + os.getpid() % 60_000
    with PbxLock(origin(one.format(port))):
        assert refusal(origin(other.format(port))) is not None


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_a_process_that_ends_anyhow_frees_the_pbx(address, end: signal.Signals | None) -> None:
    with holder(address) as other:
        if end is None:
            other.communicate("\n")
        else:
            other.send_signal(end)
            other.wait()
        assert refusal(address) is None


def test_a_process_that_was_stopped_keeps_the_pbx(address) -> None:
    with holder(address) as other:
        other.send_signal(signal.SIGSTOP)
        os.waitpid(other.pid, os.WUNTRACED)
        assert f"process {other.pid} " in str(refusal(address))
        other.send_signal(signal.SIGCONT)
        assert refusal(address) is not None


def test_another_users_process_holds_it_for_everybody(address) -> None:
    user = 65534 if os.geteuid() == 0 else os.geteuid()
    with holder(address, user=user) as other:
        error = refusal(address)
        assert f"process {other.pid} of the user with the id {user}." in str(error)
        other.kill()
        other.wait()
        assert refusal(address) is None


def test_one_process_can_not_hold_it_twice_and_can_give_it_up_early(address) -> None:
    with PbxLock(address) as first:
        assert first.still_held()
        assert f"process {os.getpid()} " in str(refusal(address))
        first.release()
        assert not first.still_held()
        assert refusal(address) is None
        first.release()


def test_an_error_inside_frees_it(address) -> None:
    with pytest.raises(ZeroDivisionError), PbxLock(address) as lock:
        _ = 1 / 0
    assert not lock.still_held()
    assert refusal(address) is None


def test_a_program_started_meanwhile_does_not_inherit_it(address) -> None:
    with PbxLock(address):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child:
        assert refusal(address) is None
        child.communicate(b"\n")


def test_a_holder_that_was_asked_too_often_is_still_a_holder(address) -> None:
    with PbxLock(address) as lock:
        name = f"reconcile-{hashlib.sha256(address.encode()).hexdigest()}"
        with pytest.raises(BlockingIOError):
            ask_in_vain(f"\0{name}")
        error = refusal(address)
        assert lock.still_held()
    assert "could not be asked who it is" in error.message
    assert error.hint.endswith(f"ss -xlp src @{name}")


def ask_in_vain(name: str) -> None:
    while True:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(0)
            asking.connect(name)


def test_a_lock_that_can_not_be_had_at_all_stops_the_run(address) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(StateError, match=os.strerror(errno.EMFILE)) as refused:
            PbxLock(address).__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (refused.value.exit_code, refused.value.code) == (8, "state_lock")
    assert address in refused.value.message


def test_where_there_are_no_such_sockets_it_stands_in_nobodys_way(address) -> None:
    with PbxLock(address, platform="darwin") as one, PbxLock(address, platform="darwin") as other:
        assert one.still_held()
        assert other.still_held()
    assert not one.still_held()


RACE = """
import multiprocessing as mp, os, sys
from datetime import datetime
from pathlib import Path
from contextlib import ExitStack
from reconcile.errors import LockBusy
from reconcile.store.lock import PbxLock, RunLock

address, folder, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
now = datetime.fromisoformat("2026-03-01T02:30:00+00:00")

def contend(state, start, decided, won):
    with ExitStack() as held:
        start.wait()
        try:
            held.enter_context(RunLock(f"sqlite:///{state}.db", base=folder, command="c", now=now))
            held.enter_context(PbxLock(address))
            won.put(True)
        except LockBusy:
            won.put(False)
        decided.wait()

def play(count):
    # Two configurations, each with a state of its own, and as many runs of each.
    fork = mp.get_context("fork")
    start, decided, won = fork.Barrier(count), fork.Barrier(count), fork.Queue()
    runs = [fork.Process(target=contend, args=(n % 2, start, decided, won)) for n in range(count)]
    for run in runs:
        run.start()
    results = [won.get(timeout=60) for _ in runs]
    for run in runs:
        run.join()
    return sum(results)

for number in range(rounds):
    count = 2 + number % 19
    print(count, play(count), flush=True)
"""


def test_of_any_number_of_runs_at_once_exactly_one_wins(address, tmp_path) -> None:
    rounds = amount(check=19, prove=400)
    race = subprocess.run(
        [sys.executable, "-c", RACE, address, str(tmp_path), str(rounds)],
        check=True,
        capture_output=True,
        text=True,
    )
    played = [tuple(map(int, line.split())) for line in race.stdout.splitlines()]
    assert len(played) == rounds
    assert {count for count, _ in played} == set(PROCESSES)
    assert {winners for _, winners in played} == {1}
    contenders = sum(count for count, _ in played)
    note("one run per PBX", f"{rounds} races of 2 to 20 processes ({contenders}), one winner each")
