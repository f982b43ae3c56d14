"""The request log for audits (`--trace FILE`): what was sent to 3CX and what came back.

Owns the file. Must never hold a header with a secret, a body, or a name or number that a filter
asks for; and must never change what a run does: if it can't be written, that is said at the end.
"""

from __future__ import annotations

import json
import os
import stat
import time
from threading import Lock
from typing import TYPE_CHECKING, Final

import httpx

from reconcile.errors import UsageError
from reconcile.pbx import odata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path


_BEGIN: Final = b'{"at"'


class Trace:
    """An open request log; several lanes may write to it.

    Each line: `at` (ISO 8601, when it was sent), `method`, `path` (with the query, texts in it as
    '…'), `if_match` (null if none was sent), `status` (null if no answer came), `seconds`, `bytes`
    of the answer's body, and `error` ("" or the kind of failure).
    """

    def __init__(self, path: Path, *, clock: Callable[[], datetime]) -> None:
        """Open for appending, for this user only. Raises UsageError."""
        self.path = path
        self.lost = 0
        """Lines that could not be written."""
        self.reason = ""
        """Why the first of them could not."""
        self._clock = clock
        self._lock = Lock()
        self._is_cut = False
        self._file = _open(path)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def now(self) -> datetime:
        """When a request is sent."""
        return self._clock()

    def note(self, **line: object) -> None:
        """Write one line; never raises."""
        text = json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace")
        with self._lock:
            # After a line that was cut off, the next one begins on a line of its own.
            whole = b"\n" * self._is_cut + text + b"\n"
            try:
                written = os.write(self._file, whole)
            except OSError as error:
                self._lose(error.strerror or type(error).__name__)
            else:
                self._is_cut = 0 < written < len(whole)
                if written < len(whole):
                    self._lose("only a part of a line was written")

    def _lose(self, reason: str) -> None:
        self.lost += 1
        self.reason = self.reason or reason


class TracedTransport(httpx.BaseTransport):
    """The wire, watched: notes each request once its answer has been read, or has failed."""

    def __init__(self, wire: httpx.BaseTransport, trace: Trace) -> None:
        self._wire = wire
        self._trace = trace

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it on; what is raised on the way is raised here, too."""
        at, started = self._trace.now(), time.monotonic()

        def note(status: int | None, size: int, error: str) -> None:
            self._trace.note(
                at=at.isoformat(timespec="milliseconds"),
                method=request.method,
                path=odata.without_texts(request.url.raw_path.decode("ascii")),
                if_match=request.headers.get("If-Match"),
                status=status,
                seconds=round(time.monotonic() - started, 4),
                bytes=size,
                error=error,
            )

        try:
            response = self._wire.handle_request(request)
        except BaseException as error:  # Ctrl-C too: the request may have been sent
            note(None, 0, type(error).__name__)
            raise
        stream: httpx.SyncByteStream = response.stream  # type: ignore[assignment]  # a sync response
        response.stream = _Watched(stream, lambda *read: note(response.status_code, *read))
        return response

    def close(self) -> None:
        """Close the wire; the log is its owner's to close."""
        self._wire.close()


class _Watched(httpx.SyncByteStream):
    """A body that tells, when it is closed, how much of it was read, and what broke it off."""

    def __init__(self, stream: httpx.SyncByteStream, done: Callable[[int, str], None]) -> None:
        self._stream = stream
        self._done = done
        self._size = 0
        self._error = ""
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._stream:
                self._size += len(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            self._error = type(error).__name__
            raise

    def close(self) -> None:
        self._stream.close()
        if not self._closed:
            self._closed = True
            self._done(self._size, self._error)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(path, flags, 0o600)
    except OSError as error:
        raise _refused(path, error.strerror or type(error).__name__) from error
    if why := _unfit(file):
        os.close(file)
        raise _refused(path, why)
    return file


def _unfit(file: int) -> str:
    """Why this is no place for a log; "" once only this user can read it."""
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        return "it is not a file"
    if found.st_nlink > 1:
        return "it has a second name, so that others may rely on it"
    if found.st_size and os.pread(file, len(_BEGIN), 0) != _BEGIN:
        return "it holds something else than a request log"
    try:
        os.fchmod(file, 0o600)
    except OSError as error:
        return f"others may read it ({error.strerror})"
    return ""


def _refused(path: Path, why: str) -> UsageError:
    return UsageError(
        f"The request log {path} can't be written: {why}.",
        hint="name a file in a folder that this user may write: reconcile --trace FILE …",
    )
