"""Texts that people put into names to see what happens, and that break what is careless."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from hypothesis import strategies as st

LITERAL: Final = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '=HYPERLINK("http://evil.test","Jo")',
    "+SUM(1)",
    "-2+3",
    "@cmd",
    "| a | b |",
    "[red]Jo[/red] :smile: [link=http://evil.test]x[/link]",
    "\x1b[2J\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31mred",
    "a\rb",
    "a\nb",
    "a\r\nBLOCK export_empty: forged",
    "a\tb",
    "a\x00b",
    "a\x08\x08\x7fb",
    "\u202egnp.exe",
    "\u2066a\u2069\u200e\u200f\u061c",
    "zero\u200bwidth\u200c\u200d\ufeff",
    "line\u2028para\u2029\x85\x0b\x0c\x1c",
    "\U000e0001tag\U000e007f",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 family",
    "\ue000 private \uf8ff",
    "z\u0335\u0321a\u0337l\u0334g\u0338o",
    "{id} %s %(x)s {0.__class__} ${HOME} `id`",
    "'; DROP TABLE claim; --",
    "\\u000a \\n \\x1b",
    "../../etc/passwd",
    "x" * 10_000,
    "\U0001f600" * 2_000,
    "a b " * 2_500,
    "CRM record (" * 800,
    "@" * 5_000,
    "\u202e" * 3_000,
]
SURROGATES: Final = ["half \ud800 pair", "\udfff", "\udc80\udcff"]
"""Only where Python may hold them: no file and no database can."""
_PIECES: Final = [*'\n\r\0\x9b\u202e\u2028|=\\"ä', "\x1b[31m", "<b>"]

text: Final = st.one_of(
    st.sampled_from(LITERAL),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.lists(st.sampled_from(_PIECES), max_size=8).map("".join),
)
"""Any text that a file can hold."""
ACTING: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def acts(shown: str) -> list[str]:
    """The characters of what is shown that could act on a terminal; a line end is none."""
    found = (c for c in shown if c != "\n" and unicodedata.category(c) in ACTING)
    return [f"U+{ord(c):04X}" for c in found]


def plain(shown: str) -> str:
    """What a terminal shows, without the escape sequences of colours that are our own."""
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)
