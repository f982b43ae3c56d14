"""Whether a text is one SQL statement that only reads.

A plain check of words, for the slip of a pen. What keeps a database from being written to is a
login without that right, and the read-only transaction that the query runs in.
"""

from __future__ import annotations

import re
from typing import Final

_APART: Final = re.compile(
    r"'(?:[^'\\]|''|\\.)*'"
    r'|"(?:[^"\\]|""|\\.)*"'
    r"|`(?:[^`]|``)*`"
    r"|--[^\n]*"
    r"|/\*.*?\*/",
    re.DOTALL,
)
"""Texts, quoted names and comments: no words of the statement."""
_WRITING: Final = re.compile(
    r"\b(insert|update|delete|merge|into|drop|alter|create|truncate|grant|revoke|call|exec|execute"
    r"|do|attach|pragma|load|lock|handler|copy|vacuum)\b",
    re.IGNORECASE,
)


def fault_of(statement: str) -> str:
    """What keeps it from being one reading statement; "" if nothing does."""
    if re.search(r"/\*[!M]", statement):
        return "holds a comment that MySQL executes"
    words = _APART.sub(" ", statement).strip()
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
