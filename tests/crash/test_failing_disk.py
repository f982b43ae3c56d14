"""Every write failing in turn, and a disk that is full: no delete without its tombstone, exit 8."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import pytest
from amounts import PROVE, amount, note
from crash.machine import ANYWHERE, LANES, ON_STATE, RESTORE, Injection, spread
from kinds import SQLITE

from reconcile.model import Exit

KINDS = [("ENOSPC", True), ("EIO", False), ("ENOSPC", False), ("EIO", True)]
"""The error, and whether it is there to stay."""
FEW = {"pwrite64": 2, "fdatasync": 2}
"""How many calls fail in a check, in as many ways, of the kinds that are more than one."""
PAGE = 4096


def ended(machine, child):
    """Its exit code, which must be explained in words that are true."""
    code, said = child.wait(), child.said()
    assert code in {Exit.CONVERGED, Exit.STATE}, said
    if code == Exit.STATE:
        assert "Next: " in said
    if machine.gone():
        assert "Nothing was deleted" not in said
    return code


def ways(codes):
    """`exit 0: 2, exit 8: 5`."""
    return ", ".join(f"exit {int(c)}: {codes.count(c)}" for c in sorted(set(codes)))


def in_turn(machine, call, chosen, *, error, lasting, everywhere=False):
    """Let each of these calls fail in a run of its own; how the runs ended."""
    for number, step in enumerate(chosen):
        machine.stage(lanes=LANES[number % 2])
        injection = Injection(
            calls=call,
            effect=f"error={error}",
            when=f"{step}+" if lasting else str(step),
            everywhere=everywhere,
        )
        code = ended(machine, machine.start("run", injection=injection))
        machine.check()
        struck = machine.was_struck()
        machine.converge()
        if struck:  # one run, or one lane, may make a call less than another
            yield code


@pytest.mark.parametrize(
    ("call", "error", "lasting"),
    [
        (call, error, lasting)
        for call in ON_STATE
        for error, lasting in KINDS[: amount(check=FEW.get(call, 1), prove=len(KINDS))]
    ],
)
@SQLITE
def test_every_call_on_the_state_failing_in_turn_loses_nothing(machine, call, error, lasting):
    steps = machine.calls(call)
    chosen = spread(steps, amount(check=FEW.get(call, 1), prove=10_000), seed=11)
    codes = list(in_turn(machine, call, chosen, error=error, lasting=lasting))
    how = "from then on" if lasting else "once"
    assert codes
    note(f"{call} failing with {error} {how}", f"{len(codes)} of {len(steps)}; {ways(codes)}")


@pytest.mark.parametrize("call", ANYWHERE if PROVE else ANYWHERE[:2])
@SQLITE
def test_every_call_that_puts_a_file_in_its_place_failing_in_turn_loses_nothing(machine, call):
    steps = machine.calls(call, everywhere=True)
    chosen = spread(steps, amount(check=1, prove=10_000), seed=13)
    codes = list(in_turn(machine, call, chosen, error="ENOSPC", lasting=False, everywhere=True))
    assert codes
    note(f"{call} failing with ENOSPC", f"{len(codes)} of {len(steps)}; {ways(codes)}")


@SQLITE
def test_a_restore_whose_writes_fail_in_turn_doubles_nobody_when_it_is_repeated(machine):
    steps = machine.calls("pwrite64", scene="done", command=RESTORE)
    chosen = spread(steps, amount(check=2, prove=10_000), seed=41)
    codes = []
    for step in chosen:
        machine.stage("done")
        full = Injection(calls="pwrite64", effect="error=ENOSPC", when=f"{step}+")
        codes.append(ended(machine, machine.start(*RESTORE, injection=full)))
        machine.check_restored()
    note("pwrite64 of a restore failing", f"{len(chosen)} of {len(steps)}; {ways(codes)}")


@SQLITE
def test_no_file_may_grow_beyond_a_limit(machine):
    sizes = range(PAGE, 80 * PAGE, PAGE)
    codes = []
    for size in spread(sizes, amount(check=2, prove=len(sizes)), seed=17):
        machine.stage()
        codes.append(ended(machine, machine.start("run", largest=size)))
        machine.check()
        machine.converge()
    note("a limit on the size of files", f"{len(codes)} of {len(sizes)} sizes; {ways(codes)}")


# ---------------------------------------------------------------------------- a disk of its own


def mount(folder, *options):
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def may_mount():
    """Whether this user may have a small disk; in a container often not even root may."""
    with TemporaryDirectory() as folder:
        if mount(folder, "size=64k"):
            subprocess.run(["umount", folder], check=True)  # noqa: S607
            return True
    return False


@contextmanager
def small_disk(folder, size):
    """The folder's files on a disk of their own, with so many bytes."""
    folder.mkdir(exist_ok=True)
    kept = folder.with_name(f"{folder.name}-kept")
    shutil.copytree(folder, kept, symlinks=True)
    assert mount(folder, f"size={size}", "mode=700")
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True, symlinks=True)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


def used(folder):
    """Bytes, in whole pages."""
    sizes = [p.stat().st_size for p in folder.rglob("*") if p.is_file()]
    return sum(-(-size // PAGE) * PAGE for size in sizes)


DISKS = [("state", 120, 2), ("reports", 80, 1)] if may_mount() else []


@pytest.mark.parametrize(("name", "pages", "few"), DISKS, ids=[d[0] for d in DISKS])
@SQLITE
def test_a_disk_that_fills_up(machine, name, pages, few):
    codes = []
    for room in spread(range(pages), amount(check=few, prove=pages), seed=19):
        machine.stage()
        folder = machine.company.folder / name
        with small_disk(folder, used(folder) + (room + 1) * PAGE):
            codes.append(ended(machine, machine.start("run")))
            assert mount(folder, "remount", "size=64m")
            machine.check()
            machine.converge()
    note(f"a full disk under {name}", f"{len(codes)} of {pages} sizes; {ways(codes)}")
