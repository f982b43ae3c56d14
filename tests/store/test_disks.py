"""A state on a network file system is refused: neither lock nor journal is safe there."""

from __future__ import annotations

from pathlib import PurePosixPath

import psutil
import pytest
from kinds import SQLITE

from reconcile.errors import StateError
from reconcile.store import files
from reconcile.store.disks import Mount, holding, mounts

ROOT = Mount("/dev/vda1", "/", "ext4")


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        *((kind, True) for kind in ("nfs", "nfs4", "nfs4.1", "cifs", "smb3", "smbfs", "afs")),
        *((kind, True) for kind in ("ceph", "fuse.ceph-fuse", "fuse.glusterfs", "lustre")),
        *((kind, True) for kind in ("gpfs", "beegfs", "9p", "drvfs", "davfs", "webdav")),
        *((kind, True) for kind in ("fuse.sshfs", "fuse.s3fs", "fuse.rclone", "FUSE.SSHFS")),
        *((kind, True) for kind in ("fuse.gcsfuse", "fuse.juicefs", "ncpfs", "afpfs")),
        *((kind, False) for kind in ("ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "f2fs")),
        *((kind, False) for kind in ("fuse", "fuseblk", "fuse.gocryptfs", "apfs", "ntfs3", "")),
    ],
)
def test_which_kinds_reach_over_a_network(kind: str, *, network: bool) -> None:
    assert Mount("server:/share", "/srv", kind).is_network is network


def test_a_fuse_that_names_no_kind_is_known_by_its_address() -> None:
    assert Mount("https://dav.example.com/", "/srv", "fuse").is_network
    assert not Mount("/dev/sdb1", "/srv", "fuse").is_network


def test_the_root_of_a_container_may_be_a_9p() -> None:
    assert not Mount("none", "/", "9p").is_network
    assert Mount("C:\\", "/mnt/c", "9p").is_network
    assert Mount("server:/", "/", "nfs").is_network


@pytest.mark.parametrize(
    ("path", "point"),
    [
        ("/srv/state/reconcile.db", "/srv/state"),
        ("/srv/state", "/srv/state"),
        ("/srv/stateful/reconcile.db", "/srv"),
        ("/srv/reconcile.db", "/srv"),
        ("/etc/reconcile.db", "/"),
    ],
)
def test_a_path_lies_on_the_deepest_mount_above_it(path: str, point: str) -> None:
    mounted = [
        Mount("b", "/srv/state", "nfs"),
        ROOT,
        Mount("a", "/srv", "xfs"),
        Mount("c", "/srv/state/deeper", "xfs"),
    ]
    assert holding(PurePosixPath(path), mounted).point == point


def test_of_two_mounts_at_one_point_the_later_counts() -> None:
    mounted = [ROOT, Mount("auto", "/home", "autofs"), Mount("server:/home", "/home", "nfs4")]
    assert holding(PurePosixPath("/home/anna/s.db"), mounted) == mounted[2]
    assert holding(PurePosixPath("/home/anna/s.db"), mounted[::-1]) == mounted[1]


def test_a_network_file_system_is_refused_with_its_name(state) -> None:
    share = Mount("server:/share", str(state.base), "nfs4")
    with pytest.raises(StateError) as refused:
        files.is_local(state.path, [ROOT, share])
    assert (refused.value.exit_code, refused.value.code) == (8, "state_network")
    assert f"(nfs4, mounted at {state.base})" in refused.value.message
    assert "state.url" in refused.value.hint


def test_a_local_disk_and_a_machine_that_tells_nothing_pass(state) -> None:
    files.is_local(state.path, [Mount("server:/share", "/srv", "nfs4"), ROOT])
    files.is_local(state.path, [])


def test_this_machine_tells_what_is_mounted() -> None:
    found = mounts()
    assert holding(PurePosixPath("/proc/self/status"), found).kind == "proc"
    assert holding(PurePosixPath("/dev/null"), found) is not None


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Lets the operating system tell of other mounts, or of none."""

    def tell(*mounted: Mount) -> None:
        proc = tmp_path / "proc"
        (proc / "self").mkdir(parents=True)
        lines = [f"{m.source} {m.point} {m.kind} rw 0 0\n" for m in mounted]
        if mounted:
            (proc / "self" / "mounts").write_text("".join(lines))
        monkeypatch.setattr(psutil, "PROCFS_PATH", str(proc))

    return tell


@SQLITE
def test_neither_opened_nor_upgraded_nor_called_sound_on_a_share(state, machine) -> None:
    with state.open() as ledger:
        ledger.begin_run(command="run", mode="auto", now=state.now)
    before = state.path.read_bytes()
    machine(ROOT, Mount("server:/share", str(state.base), "nfs4"))
    for act in (state.open, state.upgrade):
        with pytest.raises(StateError) as refused:
            act()
        assert refused.value.code == "state_network"
    assert [problem.code for problem in state.check().problems] == ["state_network"]
    assert state.path.read_bytes() == before


@SQLITE
def test_no_state_is_created_on_a_share(bare, machine) -> None:
    machine(ROOT, Mount("server:/share", str(bare.base), "cifs"))
    with pytest.raises(StateError, match="network file system"):
        bare.upgrade()
    assert not bare.path.exists()


def test_mounts_that_can_not_be_read_stop_nobody(state, machine) -> None:
    machine()
    assert mounts() == []
    state.open().close()


def test_a_mount_point_with_a_space_is_found(machine) -> None:
    machine(ROOT, Mount("//server/share", r"/srv/our\040files", "cifs"))
    found = holding(PurePosixPath("/srv/our files/s.db"), mounts())
    assert found.point == "/srv/our files"
    assert found.kind == "cifs"
