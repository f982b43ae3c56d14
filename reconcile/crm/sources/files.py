"""Exports in folders of this machine: a path or a glob → the files of the newest complete night.

Must never open a file twice, follow a symbolic link, wait for a pipe, or hand out bytes that
changed while they were read: what is hashed is what is parsed.
"""

from __future__ import annotations

import glob
import os
import shlex
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconcile.crm.problems import rejected
from reconcile.crm.sources import beside, nights
from reconcile.crm.sources.nights import Found
from reconcile.crm.sources.original import (
    SIZE_LIMIT,
    Original,
    being_written,
    missing,
    readable,
    too_large,
    unfinished,
    with_manifests,
)

if TYPE_CHECKING:
    from reconcile.crm.sources.place import Place
    from reconcile.errors import ExportRejected

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS: Final = {
    stat.S_IFLNK: "a symbolic link, which is not followed",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
}


def fetch(place: Place, *, manifests: bool = True) -> tuple[Original, ...]:
    """The files of one export in their order, with their manifests if asked for.

    Raises ExportRejected (`export_missing`, `export_incomplete`, `export_unreadable`, …).
    """
    paths = find(place.source, base=place.base)
    return tuple(load(path, manifests=manifests) for path in paths)


def find(source: str, *, base: Path) -> tuple[Path, ...]:
    """The files that a path or glob means, relative to `base`; which, says `nights`.

    Raises ExportRejected (`export_missing`, `export_incomplete`, `export_unreadable`).
    """
    path = base / source
    try:
        if os.path.lexists(path) or not glob.has_magic(source):
            return _named(path)
        # Path.glob takes no absolute pattern, and would take a bracket in `base` for one.
        names = glob.glob(source, root_dir=base, recursive=True)  # noqa: PTH207 - see above
        matches = [_found(path) for path in map(base.joinpath, names) if _may_be_export(path)]
        if not matches:
            raise missing(f"no file matches {source}")
        night = nights.newest(matches)
        nights.refuse_unfinished(night, _beside(base / night[0].path))
    except OSError as error:
        raise _unreadable(path, error) from error
    return tuple(base / found.path for found in night)


def _may_be_export(path: Path) -> bool:
    return not (path.is_dir() or beside.is_manifest(path.name))


def _named(path: Path) -> tuple[Path, ...]:
    """One file, named by itself: whatever is there must not show that it is half an export."""
    if path.is_file() and not path.is_symlink():
        nights.refuse_half(_found(path), _beside(path))
    return (path,)


def _beside(path: Path) -> list[Found]:
    """The files of the same folder, but for those that are gone again."""
    found = []
    with os.scandir(path.parent) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                found += [] if entry.is_dir() else [_found(path.parent / entry.name)]
    return found


def _found(path: Path) -> Found:
    written = path.lstat().st_mtime_ns
    return Found(path=str(path), written=written / 1e9)


def load(path: Path, *, manifests: bool = False) -> Original:
    """Read a file whole, and then its manifests, as they are written after it.

    Raises ExportRejected if it is no file, is too large, or is changing.
    """
    original = _load(path, limit=SIZE_LIMIT)
    if not manifests:
        return original
    try:
        with os.scandir(path.parent) as entries:
            names = beside.manifests(path.name, (entry.name for entry in entries))
    except OSError as error:
        raise _unreadable(path.parent, error) from error
    paths = [str(path.parent / name) for name in names]
    return with_manifests(original, paths, lambda p: _load(Path(p), limit=beside.SIZE_LIMIT))


def _load(path: Path, *, limit: int) -> Original:
    if unfinished(path.name):
        raise being_written("its name says that it is still being written")
    try:
        before = path.lstat()
        _check_kind(before, limit=limit)
        content, after = _content(path)
    except FileNotFoundError:
        raise missing("there is no such file") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    if _identity(before) != _identity(after) or len(content) != after.st_size:
        raise being_written("it changed while it was read: it is still being written")
    modified_at = datetime.fromtimestamp(after.st_mtime, tz=UTC)
    return Original(
        name=readable(path.name),
        origin=readable(str(path)),
        content=content,
        modified_at=modified_at,
    )


def _content(path: Path) -> tuple[bytes, os.stat_result]:
    """The bytes, and the file's state after the last of them was read."""
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
        return file.read(), os.fstat(file.fileno())


def _check_kind(state: os.stat_result, *, limit: int) -> None:
    kind = stat.S_IFMT(state.st_mode)
    if kind != stat.S_IFREG:
        what = _KINDS.get(kind, "a device or socket")
        raise rejected("export_not_a_file", f"it is {what}", hint="name the file itself")
    if state.st_size > limit:
        raise too_large(state.st_size, limit=limit)


def _identity(state: os.stat_result) -> tuple[int, int, int, int]:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _unreadable(path: Path, error: OSError) -> ExportRejected:
    hint = f"look at its owner and mode: ls -l {shlex.quote(str(path))}"
    return rejected("export_unreadable", f"it can't be read: {error.strerror}", hint=hint)
