"""What a source gives out: the bytes of one file, read once, with the evidence of what they are.

Owns the limits of a file and the next command for whoever's export was refused.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconcile.crm.problems import rejected
from reconcile.errors import ExportRejected, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

SIZE_LIMIT: Final = 200 * 1024 * 1024
"""Bytes. An export beyond it is no contact list, or needs another way in."""
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far in the future a file's time may be before it proves nothing."""
_UNFINISHED: Final = (".part", ".partial", ".filepart", ".tmp", ".crdownload", ".download")
"""Names that uploaders and browsers give to what they are still writing."""
_OF_THE_EXPORT: Final = ("export_", "manifest_")
_MANIFEST: Final = (
    "look at the job that writes the manifest; what counts as one: docs/sources.md; if there is"
    ' none, set crm.manifest = "auto"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The bytes of one file, as they were at one moment: the private copy that is parsed."""

    name: str
    """The file's name without its folder."""
    origin: str
    """The path or the address that it came from, without user, password and query."""
    content: bytes = field(repr=False)
    modified_at: datetime
    manifests: tuple[Original, ...] = ()
    """What lay beside it when it had been read, and may say what it is."""
    unread: tuple[Problem, ...] = ()
    """Why some of what lay there could not be read."""

    @property
    def sha256(self) -> str:
        """Of exactly the bytes that are parsed."""
        return hashlib.sha256(self.content).hexdigest()


def readable(name: str) -> str:
    """A file's name for people and reports; bytes of it that are no UTF-8 are written out."""
    return name.encode("utf-8", "backslashreplace").decode()


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


def with_manifests(
    original: Original, paths: Iterable[str], load: Callable[[str], Original]
) -> Original:
    """The same with its manifests; one that can't be read is a problem, as it may say no."""
    manifests, unread = list[Original](), list[Problem]()
    for path in paths:
        try:
            manifests.append(load(path))
        except ExportRejected as error:
            name = readable(path.rpartition("/")[2])
            unread += (
                replace(problem, code="manifest_mismatch", file=name) for problem in error.problems
            )
    return replace(original, manifests=tuple(manifests), unread=tuple(unread))


def hint(origin: str, code: str) -> str:
    """The next command for somebody whose export from there was refused with this code."""
    if "://" in origin:
        return _hint_afar(origin, code)
    file = shlex.quote(origin)
    if code == "export_from_the_future":
        return f"compare the clocks: date; ls -l {file}"
    if code == "export_stale":
        return (
            "look at the job that writes the export; to make claims from this old one:"
            f" reconcile plan --export {file}"
        )
    if code == "export_wrong_format":
        return f"look into the file, and at the login of the job that fetches it: head {file}"
    if code == "manifest_missing":
        return f"{_MANIFEST}, then: reconcile columns {file}"
    again = "let the CRM export again, then: " if code.startswith(_OF_THE_EXPORT) else ""
    return f"{again}reconcile columns {file}"


def _hint_afar(origin: str, code: str) -> str:
    """The same for what is fetched: a command that reads files can't look at it there."""
    if code == "export_from_the_future":
        return f"compare the clocks of this machine and of {origin}: date"
    if code == "export_stale":
        return f"look at the job that writes {origin}, then: reconcile doctor"
    if code == "export_wrong_format":
        return f"look at what {origin} answers, and at the login for it, then: reconcile doctor"
    if code.startswith("manifest_"):
        return f"{_MANIFEST}, then: reconcile doctor"
    return f"fetch {origin} by hand into a FILE, and look how it is read: reconcile columns FILE"


def unfinished(name: str) -> bool:
    """Whether this is the name of a file that is still being written."""
    return name.lower().endswith(_UNFINISHED)


def finished_name(name: str) -> str:
    """The name that a file will have when it is complete."""
    ending = next(e for e in _UNFINISHED if name.lower().endswith(e))
    return name[: -len(ending)]


# ---------------------------------------------------------------------------- refusals


def missing(message: str) -> ExportRejected:
    """Nothing is there."""
    hint = "check `source` in [crm] of the configuration, and the job that writes the export"
    return rejected("export_missing", message, hint=hint)


def being_written(message: str) -> ExportRejected:
    """Something is there, and is not complete yet."""
    hint = "let the export write to another name and rename the file when it is complete"
    return rejected("export_being_written", message, hint=hint)


def too_large(size: int | None = None, *, limit: int = SIZE_LIMIT) -> ExportRejected:
    """More bytes than any contact list has; how many, if that is known."""
    has = "more bytes than that" if size is None else f"{size:,} bytes"
    message = f"it has {has}; the limit is {limit:,}"
    return rejected("export_too_large", message, hint="export contacts only, without notes")


def unreachable(message: str, *, hint: str) -> ExportRejected:
    """What should give out the export can't be asked, or says no."""
    return rejected("export_unreachable", message, hint=hint)
