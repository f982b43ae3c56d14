"""Reports on disk: `<report.directory>/run-NNNNNN/report.json` and `report.html`, and `latest`.

Written whole or not at all, and readable by their owner only: a report holds personal data.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from pydantic import ValidationError

from reconcile.errors import StateError, UsageError
from reconcile.report.forms import utf8
from reconcile.report.model import Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

NAME: Final = "report.json"
PAGE: Final = "report.html"
EVIDENCE: Final = "evidence.jsonl.gz"
CARRIED: Final = (NAME, PAGE, EVIDENCE)
"""The files of a run; a report from another machine has these and no others."""


def check_writable(directory: Path) -> None:
    """Raise StateError if no report could be written; asked before the first delete."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise unwritable(directory, error) from error


def write(report: Report, directory: Path) -> Path:
    """Write both files of a recorded run and point `latest` at them; gives report.json's path.

    The page comes last: the next run and every other form need report.json only.
    """
    file = path(directory, report.run.id or 0)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        put(report, file)
        _point_latest(directory, file.parent.name)
    except OSError as error:
        done = "What the run did stands in the state; only its report is missing."
        raise unwritable(directory, error, consequence=done) from error
    try:
        put_page(report, page(directory, report.run.id or 0))
    except OSError as error:
        done = "What the run did stands in the state and in report.json; only the page is missing."
        raise unwritable(directory, error, consequence=done) from error
    return file


def put(report: Report, path: Path) -> None:
    """Write the report to the file."""
    with whole(path) as file:
        file.writelines(piece.encode() for piece in report.json_pieces())


def put_page(report: Report, path: Path) -> None:
    """Write the report as a page to the file."""
    from reconcile.report import html  # jinja2: whoever only looks for a report needs none

    with whole(path) as file, utf8(file) as text:
        html.render(report, text)


def folder_name(run_id: int) -> str:
    """`run-000012`."""
    return f"run-{run_id:06d}"


def path(directory: Path, run_id: int) -> Path:
    """Where the report of a run is, or would be."""
    return directory / folder_name(run_id) / NAME


def page(directory: Path, run_id: int) -> Path:
    """Where the report of a run is as a page, or would be."""
    return directory / folder_name(run_id) / PAGE


def page_of(report: Report, directory: Path) -> str:
    """Where a report is as a page, seen from here; "" if there is none."""
    found = page(directory, report.run.id or 0)
    if not os.access(found, os.R_OK):
        return ""
    with suppress(OSError, ValueError):  # it lies elsewhere, or this folder was removed meanwhile
        return str(found.relative_to(Path.cwd()))
    return str(found)


def has(directory: Path, run_id: int) -> bool:
    """Whether the run left a report."""
    return path(directory, run_id).is_file()


def run_ids(directory: Path) -> list[int]:
    """The runs that have a folder, the oldest first."""
    numbers = (folder.name.removeprefix("run-") for folder in directory.glob("run-*"))
    return sorted(map(int, filter(str.isdecimal, numbers)))


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes its place when it is complete: a reader sees the old or the new.

    Temporary file beside it, private to its owner, fsync, rename.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the pair of mkstemp
    except BaseException:
        os.unlink(temporary)  # noqa: PTH108 - as above
        raise


def _point_latest(directory: Path, target: str) -> None:
    temporary = directory / f".latest.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(directory / "latest")


def unwritable(directory: Path, error: OSError, *, consequence: str = "") -> StateError:
    """The error for a folder of reports that takes none."""
    return StateError(
        f"No report can be written to {directory}: {error.strerror or error}.",
        hint="make room or mend the folder's rights, then: reconcile history",
        code="report_unwritable",
        consequence=consequence,
    )


def read(directory: Path, run_id: int | None = None) -> Report:
    """The report of a run, or the latest one; raises UsageError if there is none."""
    file = directory / (folder_name(run_id) if run_id is not None else "latest") / NAME
    which = f"run {run_id}" if run_id is not None else "any run"
    try:
        return Report.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        message = f"There is no report of {which} in {directory}."
        raise UsageError(message, hint="reconcile history") from error
    except (OSError, ValidationError) as error:
        message = f"The report of {which} in {directory} can't be read."
        raise UsageError(message, hint="reconcile history") from error


def latest(directory: Path) -> Report | None:
    """The latest report, or None if there is none that can be read."""
    try:
        return read(directory)
    except UsageError:
        return None


def last_planned(directory: Path) -> Report | None:
    """The last report of a run that came to a plan, or None if there is none."""
    for run_id in reversed(run_ids(directory)):
        with suppress(UsageError):
            found = read(directory, run_id)
            if found.digest:
                return found
    return None


def latest_run(directory: Path) -> int | None:
    """The run of the latest report; None if there is none."""
    found = [run_id for run_id in run_ids(directory) if has(directory, run_id)]
    return max(found, default=None)


def carried(directory: Path, run_id: int, names: Iterable[str] = CARRIED) -> dict[str, bytes]:
    """By its name, each file of a run's report that there is, for another machine."""
    folder = path(directory, run_id).parent
    content = {}
    for name in names:
        with suppress(OSError):
            content[name] = (folder / name).read_bytes()
    return content


def take_in(content: Mapping[str, bytes], directory: Path, run_id: int) -> None:
    """Have the report of a run that was made elsewhere; what is here of that run stays.

    Raises StateError.
    """
    folder = path(directory, run_id).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in CARRIED:
            if name in content and not (folder / name).exists():
                with whole(folder / name) as file:
                    file.write(content[name])
        if run_id == latest_run(directory):
            _point_latest(directory, folder.name)
    except OSError as error:
        done = "What the run did stands in the state, and its report on the machine that ran it."
        raise unwritable(directory, error, consequence=done) from error


def prune(directory: Path, *, before: datetime) -> int:
    """Remove the folders of runs whose report is older than `before`; gives their number."""
    removed = 0
    for folder in sorted(directory.glob("run-*")):
        file = folder / NAME
        if file.is_file() and file.stat().st_mtime < before.timestamp():
            shutil.rmtree(folder)
            removed += 1
    return removed
