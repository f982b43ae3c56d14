"""Where an export is: a path or a glob → its bytes, read once, with the evidence of what they are.

Must never open a file twice, follow a symbolic link, wait for a pipe, or hand out bytes that
changed while they were read: what is hashed is what is parsed.
"""

from __future__ import annotations

import glob
import hashlib
import os
import shlex
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from reconcile.crm.problems import rejected
from reconcile.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path

SIZE_LIMIT: Final = 200 * 1024 * 1024
"""Bytes. An export beyond it is no contact list, or needs another way in."""
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far in the future a file's time may be before it proves nothing."""
_UNFINISHED: Final = (".part", ".partial", ".filepart", ".tmp", ".crdownload", ".download")
"""Names that uploaders and browsers give to what they are still writing."""
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS: Final = {
    stat.S_IFLNK: "a symbolic link, which is not followed",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The bytes of one export, as they were at one moment."""

    path: Path
    content: bytes = field(repr=False)
    modified_at: datetime

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name

    @property
    def sha256(self) -> str:
        """Of exactly the bytes that are parsed."""
        return hashlib.sha256(self.content).hexdigest()


def fetch(location: str, *, base: Path) -> tuple[Original, ...]:
    """The files of one export, the only one or all of its parts in their order.

    Raises ExportRejected (`export_missing`, `export_unreadable`, …).
    """
    return (load(find(location, base=base)),)


def find(source: str, *, base: Path) -> Path:
    """The file that a path or glob means, relative to `base`: the newest match by its own time.

    Raises ExportRejected (`export_missing`, `export_unreadable`).
    """
    path = base / source
    if os.path.lexists(path) or not glob.has_magic(source):
        return path
    # Path.glob takes no absolute pattern, and would take a bracket in `base` for one.
    names = glob.glob(source, root_dir=base, recursive=True)  # noqa: PTH207 - see above
    matches = [base / name for name in names]
    try:
        return max((p for p in matches if not p.is_dir()), key=_newest)
    except ValueError:
        raise _missing(f"no file matches {source}") from None
    except OSError as error:
        raise _unreadable(path, error) from error


def _newest(path: Path) -> tuple[int, str]:
    """Time first, then the name, so that a tie is settled the same way every night."""
    return path.lstat().st_mtime_ns, path.name


def load(path: Path) -> Original:
    """Read a file whole. Raises ExportRejected if it is no file, is too large, or is changing."""
    if path.name.lower().endswith(_UNFINISHED):
        raise _changing("its name says that it is still being written")
    try:
        before = path.lstat()
        _check_kind(before)
        content, after = _content(path)
    except FileNotFoundError:
        raise _missing("there is no such file") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    if _identity(before) != _identity(after) or len(content) != after.st_size:
        raise _changing("it changed while it was read: it is still being written")
    modified_at = datetime.fromtimestamp(after.st_mtime, tz=UTC)
    return Original(path=path, content=content, modified_at=modified_at)


def _content(path: Path) -> tuple[bytes, os.stat_result]:
    """The bytes, and the file's state after the last of them was read."""
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
        return file.read(), os.fstat(file.fileno())


def _check_kind(state: os.stat_result) -> None:
    kind = stat.S_IFMT(state.st_mode)
    if kind != stat.S_IFREG:
        what = _KINDS.get(kind, "a device or socket")
        raise rejected("export_not_a_file", f"it is {what}", hint="name the file itself")
    if state.st_size > SIZE_LIMIT:
        message = f"it has {state.st_size:,} bytes; the limit is {SIZE_LIMIT:,}"
        raise rejected("export_too_large", message, hint="export contacts only, without notes")


def _identity(state: os.stat_result) -> tuple[int, int, int, int]:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def age_problems(
    original: Original, *, now: datetime | None, max_age_hours: float | None
) -> tuple[Problem, ...]:
    """What a file's time has against it; nothing without `now`."""
    if now is None:
        return ()
    age, written = now - original.modified_at, f"{original.modified_at:%Y-%m-%d %H:%M} UTC"
    if age < -CLOCK_SKEW:
        message = f"it was written at {written}, which is in the future"
        return (Problem(code="export_from_the_future", message=message),)
    if max_age_hours is not None and age > timedelta(hours=max_age_hours):
        message = (
            f"it was written at {written}, {age / timedelta(hours=1):,.1f} hours ago;"
            f" the limit is {max_age_hours:g} hours"
        )
        return (Problem(code="export_stale", message=message),)
    return ()


def hint(path: Path, code: str) -> str:
    """The next command for somebody whose export was refused with this code."""
    file = shlex.quote(str(path))
    if code == "export_from_the_future":
        return f"compare the clocks: date; ls -l {file}"
    if code == "export_stale":
        return (
            "look at the job that writes the export; to make claims from this old one:"
            f" reconcile plan --export {file}"
        )
    if code == "export_wrong_format":
        return f"look into the file, and at the login of the job that fetches it: head {file}"
    again = "let the CRM export again, then: " if code.startswith("export_") else ""
    return f"{again}reconcile columns {file}"


def _missing(message: str) -> Exception:
    hint = "check `source` in [crm] of the configuration, and the job that writes the export"
    return rejected("export_missing", message, hint=hint)


def _unreadable(path: Path, error: OSError) -> Exception:
    hint = f"look at its owner and mode: ls -l {shlex.quote(str(path))}"
    return rejected("export_unreadable", f"it can't be read: {error.strerror}", hint=hint)


def _changing(message: str) -> Exception:
    hint = "let the export write to another name and rename the file when it is complete"
    return rejected("export_being_written", message, hint=hint)
