"""Whether a text is one SQL statement that only reads.

A plain check of words, for the slip of a pen. What keeps a database from being written to is a
login without that right, and the read-only transaction that the query runs in.
"""

from __future__ import annotations

import re
from typing import Final

_OTHERS: Final = r"|`(?:[^`]|``)*`|--[^\n]*|/\*.*?\*/"
_APART: Final = (
    re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""" + _OTHERS, re.DOTALL),
    re.compile(r"""'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*\"""" + _OTHERS, re.DOTALL),
)
"""Texts, quoted names and comments: no words of the statement. As standard SQL has them, and as
MySQL does, where a backslash hides a quote: it must only read either way."""
_WRITING: Final = re.compile(
    r"\b(insert|update|delete|merge|into|drop|alter|create|truncate|grant|revoke|call|exec|execute"
    r"|do|attach|pragma|load|lock|handler|copy|vacuum)\b",
    re.IGNORECASE,
)


def fault_of(statement: str) -> str:
    """What keeps it from being one reading statement; "" if nothing does."""
    if re.search(r"/\*[!M]", statement):
        return "holds a comment that MySQL executes"
    if re.search(r"\binto\s+(?:outfile|dumpfile)\b", statement, re.IGNORECASE):
        return "must only read: it writes INTO a file"
    faults = (_fault_of_words(apart.sub(" ", statement).strip()) for apart in _APART)
    return next(filter(None, faults), "")


def _fault_of_words(words: str) -> str:
    words = words.removesuffix(";").rstrip()
    if not re.match(r"(?:select|with)\b", words.lstrip("( \n\t"), re.IGNORECASE):
        return "must be one SELECT"
    if ";" in words:
        return "must be one statement"
    if found := _WRITING.search(words):
        return (
            f"must only read: it holds the word {found[1].upper()}; a column of that name: quote it"
        )
    return ""
