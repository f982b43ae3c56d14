"""One unpacked file: which format it is, by its content, and what it is if it is no export.

A format that the configuration names refuses every other: a change of format is no accident.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from reconcile.crm.columns import is_header
from reconcile.crm.formats import delimited, objects, parquet, spreadsheet, vcard
from reconcile.crm.formats.decoding import beginning
from reconcile.crm.problems import rejected

if TYPE_CHECKING:
    from reconcile.crm.formats.table import Format, Table


class _Kind(NamedTuple):
    """A format with what it is called in words."""

    reader: Format
    called: str


KINDS: Final = {
    "parquet": _Kind(parquet, "a Parquet file"),
    "xlsx": _Kind(spreadsheet, "a workbook (XLSX)"),
    "vcard": _Kind(vcard, "a file of vCards"),
    "json": _Kind(objects, "JSON"),
    "csv": _Kind(delimited, "a CSV file"),
}
"""In the order in which they are asked; CSV is what no other recognises."""
FORMATS: Final = ("auto", *reversed(KINDS))

_DETAILS: Final = {
    "auto": "by the content of the file",
    "csv": "delimited text: comma, semicolon or tab",
    "json": "a list of objects, the answer of an API, or one object on each line (NDJSON)",
    "vcard": "vCard 2.1, 3.0 and 4.0",
    "xlsx": "a workbook of Excel; not XLS, XLSB or ODS",
    "parquet": "Parquet, as data warehouses write it",
}

_TAR: Final = slice(257, 262)
_BINARY: Final = {
    b"PK": "a ZIP archive inside an archive",
    b"\x1f\x8b": "a gzip archive inside an archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF document",
    b"{\\rtf": "a text document (RTF)",
    b"SQLite format 3": "an SQLite database",
}
_PAGES: Final = {
    re.compile(
        r'<\?xml.*?(<\?mso-application progid="excel|urn:schemas-microsoft-com:office:spr)'
    ): ("an XML spreadsheet of Excel 2003; save it as XLSX, or let the CRM export CSV"),
    re.compile(r"<\?xml(?!.*<html)"): "an XML document",
    re.compile(r"<(table\b|.*(<table\b|urn:schemas-microsoft-com:office))"): (
        "an HTML page with a table, which some CRMs (Bitrix24) call an Excel file; let it export"
        " CSV, or open it in a spreadsheet program and save it as XLSX"
    ),
    re.compile("<"): "an HTML page, such as a login or error page",
}


def described() -> dict[str, str]:
    """Name of each format → what it is."""
    return {name: _DETAILS[name] for name in FORMATS}


def read(content: bytes, *, format: str = "auto") -> tuple[str, Table]:  # noqa: A002 - the word of the config
    """The name of the format, and the table. Raises ExportRejected."""
    if format not in FORMATS:
        known = ", ".join(FORMATS)
        raise rejected("export_wrong_format", f'no format is called "{format}"; known: {known}')
    start = beginning(content)
    expected = KINDS[format].called if format != "auto" else "an export"
    if what := _no_export(content, start):
        raise rejected("export_wrong_format", f"it is {what}, where {expected} is expected", row=1)
    found = next(name for name, kind in KINDS.items() if kind.reader.recognises(content))
    if format not in ("auto", found) and start:
        what = KINDS[found].called
        hint = 'name the right `format` in [crm] of the configuration, or "auto"'
        message = f"it is {what}, where {expected} is expected"
        raise rejected("export_wrong_format", message, row=1, hint=hint)
    return found, KINDS[found].reader.read(content, is_header=is_header)


def _no_export(content: bytes, start: str) -> str:
    """What the content is, if no reader is for it."""
    if content[_TAR] == b"ustar":
        return "a tar archive"
    if any(name for name in ("parquet", "xlsx") if KINDS[name].reader.recognises(content)):
        return ""
    binary = next((what for magic, what in _BINARY.items() if content.startswith(magic)), "")
    flat = " ".join(start.split()).lower()
    return binary or next((what for page, what in _PAGES.items() if page.match(flat)), "")
