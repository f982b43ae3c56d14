"""Text from the CRM and from 3CX, made so that it can't act on whoever looks at it.

Control characters and ANSI sequences move a terminal's cursor, bidi overrides show a text
backwards, line and paragraph separators make one record look like two. All are shown as their code.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_ACTING: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories: control, format (bidi, zero width), half of a pair, private use, separators."""
_BASIC: Final = 0xFFFF
_SUSPECT: Final = re.compile(r"[^\x20-\x7e]")


def printable(text: str) -> str:
    """The text on one line, with the code of every character that could act, as Python has it."""
    return _escaped(text, lambda c: f"\\u{ord(c):04x}" if ord(c) <= _BASIC else f"\\U{ord(c):08x}")


def json_text(document: str) -> str:
    """The JSON document with the same meaning, such characters in its texts escaped.

    JSON escapes C0 controls by itself, but lets U+009B through, which some terminals take for the
    beginning of a sequence. The line ends between values stay.
    """
    lines = document.split("\n")
    if "".join(lines).isprintable():  # nearly every one, and this is quick
        return document
    return "\n".join(_escaped(line, _json_escape) for line in lines)


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return _SUSPECT.sub(lambda m: escape(m[0]) if _acts(m[0]) else m[0], text)


def _acts(character: str) -> bool:
    return unicodedata.category(character) in _ACTING


def _json_escape(character: str) -> str:
    """Its code, or both codes of what UTF-16 writes as a pair (RFC 8259, section 7)."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
