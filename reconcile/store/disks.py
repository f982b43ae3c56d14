"""On what kind of disk a file lies, as the operating system says.

flock(2) and SQLite's write-ahead log both need one machine's memory: on a network file system two
hosts can each hold "the" lock, and a reader of the log sees half of it (sqlite.org/wal.html).
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence

_NETWORK: Final = (
    "9p",
    "afp",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "curlftpfs",
    "davfs",
    "drvfs",
    "gcsfuse",
    "gluster",
    "gpfs",
    "juicefs",
    "lustre",
    "ncp",
    "nfs",
    "rclone",
    "s3fs",
    "smb",
    "sshfs",
    "webdav",
)
"""How the kinds begin that reach over a network; `fuse.` before them is left out."""


class Mount(NamedTuple):
    """One mounted file system."""

    source: str
    point: str
    kind: str

    @property
    def is_network(self) -> bool:
        """Whether it reaches over a network. The root of a container may well be a 9p."""
        if self.kind == "fuse":  # davfs2 and its like don't say more
            return "://" in self.source
        name = self.kind.lower().removeprefix("fuse.")
        return name.startswith(_NETWORK) and (name, self.point) != ("9p", "/")


def mounts() -> list[Mount]:
    """All that is mounted now, in the order of mounting; none if the system doesn't say."""
    try:
        found = psutil.disk_partitions(all=True)
    except (OSError, psutil.Error):
        return []
    return [Mount(disk.device, disk.mountpoint, disk.fstype) for disk in found]


def holding(path: PurePath, mounted: Sequence[Mount]) -> Mount | None:
    """The file system that a path lies on: the deepest, and of two at one point the later."""
    above = [mount for mount in reversed(mounted) if path.is_relative_to(mount.point)]
    return max(above, key=lambda mount: len(PurePath(mount.point).parts), default=None)
