"""Bytes → text, by rule and never by guessing.

A byte order mark says what the file is; without one it is strict UTF-8, or else strict Windows-1252
(which is what Excel and older CRMs write; five of its bytes are undefined). Statistical guessers
take both for other code pages and exchange letters in names.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from reconcile.crm.problems import rejected

_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_UTF8_SEQUENCE: Final = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_HIGH: Final = re.compile(rb"[\x80-\xff]")


def beginning(content: bytes) -> str:
    """The first characters without blanks before them, to tell formats apart by; never refused."""
    head = content[:4096]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        start = head.decode("utf-16", errors="ignore")
    else:
        start = head.removeprefix(codecs.BOM_UTF8).decode("latin-1")
    return start.lstrip(" \t\r\n")


def decode(content: bytes) -> tuple[str, str]:
    """The text and the name of its encoding. Raises ExportRejected (`export_malformed`)."""
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "")
    text, encoding = _strictly(content, encoding) if encoding else _unmarked(content)
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        message = "it holds a NUL character: damaged, or UTF-16 without a byte order mark"
        raise rejected("export_malformed", message, row=row)
    return text, encoding


def _unmarked(content: bytes) -> tuple[str, str]:
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if _is_damaged_utf8(content):
            raise _undecodable(error, "UTF-8, which most of the file is") from None
        return _strictly(content, "cp1252")


def _is_damaged_utf8(content: bytes) -> bool:
    """Whether most high bytes are whole UTF-8 characters: `Ã¼` for every ü is no other encoding."""
    whole = _UTF8_SEQUENCE.findall(content)
    stray = len(_HIGH.findall(content)) - sum(map(len, whole))
    return len(whole) > stray


def _strictly(content: bytes, encoding: str) -> tuple[str, str]:
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError as error:
        named = "UTF-8 or Windows-1252" if encoding == "cp1252" else encoding.upper()
        raise _undecodable(error, named) from None


def _undecodable(error: UnicodeDecodeError, named: str) -> Exception:
    row = None if named == "UTF-16" else error.object.count(b"\n", 0, error.start) + 1
    return rejected("export_malformed", f"its bytes are not {named}: cut or damaged", row=row)
