"""The forms of a report, and which renderer writes each."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, BinaryIO, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconcile.report.model import Report


def write(report: Report, out: TextIO, form: str, *, full: bool = False, page: str = "") -> None:
    """The report in one of its forms; `full` gives every row to those that are cut short.

    `page` is where it stands as a page, which the text names.
    """
    out.flush()
    match form:
        case "html":
            from reconcile.report import html

            with utf8(out.buffer) as file:
                html.render(report, file)
        case "csv":
            from reconcile.report import csv

            with utf8(out.buffer) as file:
                csv.render(report, file)
        case "markdown":
            from reconcile.report import markdown

            with utf8(out.buffer) as file:
                markdown.render(report, file, full=full)
        case "json":
            out.writelines(report.json_pieces())
        case _:
            from reconcile.report import text

            text.render(report, out, full=full, page=page)


@contextmanager
def utf8(binary: BinaryIO) -> Iterator[IO[str]]:
    """A stream of bytes as text in UTF-8, whatever the locale says; it stays open afterwards."""
    file = io.TextIOWrapper(binary, encoding="utf-8", newline="")
    try:
        yield file
    finally:
        file.detach()
