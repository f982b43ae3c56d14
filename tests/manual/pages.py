"""The manual's pages as data: their commands, and what they show as printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_QUESTION = re.compile(r"^(.*\]:)(.*)$", re.MULTILINE)
_VARYING = {
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d": "TIME",
    r"\d{4}-\d\d-\d\d": "DAY",
    r"\b[0-9a-f]{12}\b": "DIGEST",
}


@dataclass(frozen=True)
class Step:
    """A command of a page, and what the page shows below it."""

    command: str
    shown: str = ""

    @property
    def answers(self) -> str:
        """What is typed behind each question that is shown."""
        return "".join(f"{typed.strip()}\n" for _, typed in _QUESTION.findall(self.shown))

    @property
    def printed(self) -> str:
        """What is shown, without what a person typed."""
        return _QUESTION.sub(r"\1", self.shown)


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, content) of every fenced block, in order."""
    return _BLOCK.findall(text)


def steps(block: str) -> list[Step]:
    """The commands of a console block: behind `$`, or every line if there is none."""
    if not block.startswith("$ "):
        return [Step(line) for line in block.splitlines() if line.strip()]
    found = [part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [Step(command, shown) for command, _, shown in found]


def comparable(text: str) -> str:
    """Without what differs each time: moments, digests, and how lines are broken."""
    for pattern, word in _VARYING.items():
        text = re.sub(pattern, word, text)
    return " ".join(text.split())


def difference(shown: str, printed: str) -> str:
    """The first piece of what a page shows, between its `…`, that was not printed; "" if none."""
    pieces = [comparable(piece) for piece in shown.split("…")]
    text, at = comparable(printed), 0
    for number, piece in enumerate(pieces):
        found = text.find(piece, at)
        if found < 0 or (number == 0 and found > 0):
            return piece
        at = found + len(piece)
    return "" if not pieces[-1] and len(pieces) > 1 else text[at:].strip()
