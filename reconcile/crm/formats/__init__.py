"""Bytes of one file format to rows of text.

A format is a module with `read(text, *, encoding) -> Table`. What is no export at all (a login
page, a spreadsheet, an archive) is refused here by its name, before it is taken for a table.
"""

from __future__ import annotations

import re
from typing import Final

from reconcile.crm.formats import delimited
from reconcile.crm.formats.decoding import decode
from reconcile.crm.formats.table import Table
from reconcile.crm.problems import rejected

__all__ = ["Table", "read"]

_READERS: Final = {"csv": delimited.read}
_BINARY: Final = {
    b"PK\x03\x04": "a ZIP archive or an XLSX workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (XLS)",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF document",
}
_PAGES: Final = {
    re.compile(r"\s*<\?xml(?!.*<html)", re.IGNORECASE | re.DOTALL): "an XML document",
    re.compile(r"\s*<"): "an HTML page, such as a login or error page",
    re.compile(r"\s*[{\[]"): "a JSON document, such as an error message",
}


def read(content: bytes, *, format: str = "auto") -> Table:  # noqa: A002 - the word of the config
    """The table that the bytes hold; its own problems stand in it.

    Raises ExportRejected if there is nothing to show: it is empty, something else, or not text.
    """
    if format not in ("auto", *_READERS):
        known = ", ".join(("auto", *_READERS))
        raise rejected("export_wrong_format", f'no format is called "{format}"; known: {known}')
    _refuse(next((what for magic, what in _BINARY.items() if content.startswith(magic)), ""))
    text, encoding = decode(content)
    if not text or text.isspace():
        raise rejected("export_empty", "it is empty (0 rows)")
    _refuse(next((what for page, what in _PAGES.items() if page.match(text[:4096])), ""))
    return _READERS["csv"](text, encoding=encoding)


def _refuse(what: str) -> None:
    if what:
        message = f"it is {what}, where a CSV file is expected"
        raise rejected("export_wrong_format", message, row=1)
