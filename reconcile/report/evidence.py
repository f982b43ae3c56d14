"""The evidence of every contact of a run: `run-NNNNNN/evidence.jsonl.gz` beside its report.

A line of JSON per contact, the fields of `ContactPart`, by Id; matched contacts stand in it too.
Written whole or not at all, readable by its owner only, and removed with the run's folder. Lines
are made, packed, read and unpacked some at a time: a large phonebook is never in memory twice.
"""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from reconcile.errors import UsageError
from reconcile.report import files
from reconcile.report.model import ContactPart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_LEVEL: Final = 1
"""Of gzip: 100,000 contacts take 5 MB; a higher one takes longer than the bytes are worth."""


def write(lines: Iterable[bytes], directory: Path, run_id: int) -> Path:
    """Write the evidence of a recorded run, whose folder is there; gives the file's path.

    Each is as `report.lines` makes it, or many are, joined.
    """
    file = path(directory, run_id)
    try:
        pack(lines, file)
    except OSError as error:
        done = "What the run did stands in the state and in its report; only the evidence of"
        done += " matched contacts is missing."
        raise files.unwritable(directory, error, consequence=done) from error
    return file


def pack(lines: Iterable[bytes], path: Path) -> None:
    """Write contacts to the file, packed."""
    with (
        files.whole(path) as file,
        gzip.GzipFile("", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0) as packed,
    ):
        for some in lines:
            packed.write(some)


def path(directory: Path, run_id: int) -> Path:
    """Where the evidence of a run is, or would be."""
    return directory / files.folder_name(run_id) / files.EVIDENCE


def has(directory: Path, run_id: int) -> bool:
    """Whether the run left evidence; runs of older versions and those without a plan did not."""
    return path(directory, run_id).is_file()


def latest(directory: Path) -> int | None:
    """The latest run that has evidence."""
    return max((run for run in files.run_ids(directory) if has(directory, run)), default=None)


def read(directory: Path, run_id: int) -> Iterator[ContactPart]:
    """The contacts of a run by Id; raises UsageError if the file can't be read."""
    with _opened(directory, run_id) as lines:
        yield from map(ContactPart.model_validate_json, lines)


def one(directory: Path, run_id: int, contact_id: int) -> ContactPart | None:
    """One contact of a run, or None if it is not in it; raises UsageError as `read` does."""
    begins = f'{{"id":{contact_id},'.encode()
    with _opened(directory, run_id) as lines:
        found = next((line for line in lines if line.startswith(begins)), None)
        return ContactPart.model_validate_json(found) if found else None


@contextmanager
def _opened(directory: Path, run_id: int) -> Iterator[Iterable[bytes]]:
    try:
        with gzip.open(path(directory, run_id)) as lines:
            yield lines
    except (OSError, EOFError, zlib.error, ValidationError) as error:
        message = f"The evidence of run {run_id} in {directory} can't be read."
        raise UsageError(message, hint=f"reconcile report {run_id}") from error
