"""Files and what is packed in them: ZIP archives and gzip, unpacked in memory and never onto disk.

An archive is a list of names and promises, and none of it is believed: what is unpacked is counted
while it comes out, its checksum must hold, and names that lead out of a folder refuse it.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from reconcile.crm.formats import spreadsheet
from reconcile.crm.formats.damaged import UNPACKABLE
from reconcile.crm.formats.limits import check_limit
from reconcile.crm.problems import rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconcile.errors import ExportRejected

MEMBERS_LIMIT: Final = 10_000
"""Files in an archive; a backup of a CRM has a few hundred."""
EXPORT_LIMIT: Final = 512 * 1024**2
"""Bytes of all that is unpacked of one export."""
RATIO_LIMIT: Final = 200
"""To how many times its size a file may unpack; tables come to 30 at most, nothing but zeros to
a thousand."""
RATIO_FROM: Final = 4 * 1024**2
"""Bytes up to which nobody asks: a short list of very similar people packs well."""
_CHUNK: Final = 1024 * 1024
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_GZIP: Final = b"\x1f\x8b"
_GZIP_ENDING: Final = re.compile(r"\.(gz|gzip)$", re.IGNORECASE)
_LEADING_OUT: Final = re.compile(r"[/\\]|[a-z]:|(.*[/\\])?\.\.([/\\]|$)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class File:
    """A file that may be unpacked: its name is known, its content is read when it is wanted."""

    name: str
    """With its folders inside the archive."""
    load: Callable[[], bytes] = field(repr=False)
    packed: bool = False
    """Whether it is one of the members of an archive."""
    given: int = 0
    """The place of the file, or of the archive, among those that were given."""

    @classmethod
    def of(cls, name: str, content: bytes) -> File:
        """A file whose content is there."""
        return cls(name, lambda: content)


def is_packed(content: bytes) -> bool:
    """Whether it is an archive, or a workbook, which is one, too."""
    return content.startswith((_GZIP, *_ZIP))


def unpack(name: str, content: bytes) -> tuple[str, tuple[File, ...]]:
    """What it was packed by (`gzip`, `zip` or nothing), and the files in it; itself if in nothing.

    Raises ExportRejected if the archive is cut off, damaged, locked, too large, or leads out.
    """
    how = []
    if content.startswith(_GZIP):
        content, name = _ungzip(content), _GZIP_ENDING.sub("", name)
        how.append("gzip")
    if content.startswith(_ZIP) and not spreadsheet.recognises(content):
        how.append("zip")
        return ", ".join(how), tuple(_members(content))
    return ", ".join(how), (File.of(name, content),)


# ---------------------------------------------------------------------------- gzip


def _ungzip(content: bytes) -> bytes:
    """The content of a gzip file, of all its members."""
    rest, pieces, budget = content, [], _Budget()
    budget.begin(len(content))
    while rest:
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            for piece in _inflated(stream, rest):
                budget.take(piece)
                pieces.append(piece)
        except zlib.error as error:
            message = "it can't be unpacked: the gzip archive is damaged"
            raise rejected("export_malformed", message) from error
        if not stream.eof:
            raise rejected("export_truncated", "it ends in the middle of a gzip archive")
        rest = stream.unused_data.lstrip(b"\0")
    return b"".join(pieces)


def _inflated(stream: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    while packed and not stream.eof:
        yield stream.decompress(packed, _CHUNK)
        packed = stream.unconsumed_tail
    while not stream.eof and (piece := stream.decompress(b"", _CHUNK)):
        yield piece


class _Budget:
    """Counts what comes out of an archive, and stops it. Raises ExportRejected."""

    def __init__(self) -> None:
        self.total = self.packed = self.unpacked = 0

    def begin(self, packed: int) -> None:
        """The next file of so many bytes is unpacked."""
        self.packed, self.unpacked = packed, 0

    def take(self, piece: bytes) -> None:
        """Count a piece of it."""
        self.unpacked += len(piece)
        self.total += len(piece)
        check_limit(self.total, EXPORT_LIMIT, "bytes when it is unpacked")
        if self.unpacked > max(RATIO_FROM, RATIO_LIMIT * self.packed):
            message = (
                f"it unpacks to more than {RATIO_LIMIT} times its size, which no table does:"
                " the archive is made to fill the memory"
            )
            raise rejected("export_too_large", message)


# ---------------------------------------------------------------------------- ZIP


def _members(content: bytes) -> Iterator[File]:
    """The files of an archive. Its list of names is checked as a whole before any is given out."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except UNPACKABLE as error:
        message = "it has no end, where a ZIP archive has its list of files: it is cut off"
        raise rejected("export_truncated", message) from error
    members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    check_limit(len(members), MEMBERS_LIMIT, "files in the archive")
    _check_names(members)
    budget = _Budget()
    for member in members:
        yield File(member.filename, partial(_content, archive, member, budget), packed=True)


def _check_names(members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse the whole archive for one name that can't be trusted."""
    wrong = (
        ("has no name", lambda m: not PurePosixPath(m.filename).name),
        ("leads out of its folder", lambda m: _LEADING_OUT.match(m.filename)),
        ("is a symbolic link", lambda m: stat.S_ISLNK(m.external_attr >> 16)),
        ("is encrypted; let the CRM make it without a password", lambda m: m.flag_bits & 1),
    )
    for what, is_wrong in wrong:
        for member in filter(is_wrong, members):
            raise _refused(f"{_shown(member.filename)} in the archive {what}")
    seen: set[str] = set()
    for member in members:
        if member.filename.casefold() in seen:
            raise _refused(f"two files in the archive are called {_shown(member.filename)}")
        seen.add(member.filename.casefold())


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: _Budget) -> bytes:
    """One member, unpacked piece by piece; at its end its checksum has been compared."""
    check_limit(member.file_size, EXPORT_LIMIT, "bytes when it is unpacked")
    budget.begin(member.compress_size)
    pieces = []
    try:
        with archive.open(member) as stream:
            while piece := stream.read(_CHUNK):
                budget.take(piece)
                pieces.append(piece)
    except UNPACKABLE as error:
        message = f"{_shown(member.filename)} can't be unpacked: the archive is damaged"
        raise rejected("export_malformed", message) from error
    return b"".join(pieces)


def _refused(message: str) -> ExportRejected:
    hint = "let the CRM export again; do not pack it by hand"
    return rejected("export_malformed", message, hint=hint)


def _shown(name: str) -> str:
    """A name for people to read, whatever somebody put into it."""
    return repr(name[:80])


def listed(names: Iterable[str], *, most: int = 10) -> str:
    """The first names, and how many more."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(map(_shown, every[:most])) + more
