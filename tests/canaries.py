"""What is secret in a test has a form by which it is found again wherever it may have leaked.

After every test its output, its log and every file in its folder are looked through (conftest.py);
a test that writes a secret into a file on purpose names that file: `canaries.exempt(path)`.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SECRET: Final = "canary-secret-7Q"
WRONG: Final = "canary-secret-wrong"
"""A secret, too, and no right one."""

MOST: Final = 20 * 1024 * 1024
"""Bytes of a file that is looked through."""


def _in_base64(word: bytes) -> Iterator[bytes]:
    """How a word looks inside base64, wherever it begins: HTTP Basic is no encryption."""
    for before in range(3):
        text = b64encode(bytes(before) + word)
        yield text[-(-before * 4 // 3) : (before + len(word)) * 4 // 3]


_PLAIN: Final = (
    rb"canary-(?:secret|s3cret|token|pw)-[0-9A-Za-z]{2,}|sandbox-token-[0-9A-Za-z_-]{16}"
)
"""Those of the tests, and the tokens that the sandbox issues."""
_LEAK: Final = re.compile(b"|".join([_PLAIN, *map(re.escape, _in_base64(b"canary-s"))]))
BEGINNINGS: Final = (b"canary-", b"sandbox-token-", *_in_base64(b"canary-s"))
"""One of them stands wherever a secret does: much quicker to look for in much."""
_EXEMPT: Final[set[Path]] = set()
_LOOKED_THROUGH: Final[set[Path]] = set()


def exempt(path: Path) -> Path:
    """The file or folder is where this test keeps a secret; gives the path."""
    _EXEMPT.add(path)
    return path


def leaks(content: bytes) -> list[str]:
    """The secrets in it, packed by gzip or not."""
    found = {match.decode() for match in _LEAK.findall(content)}
    if content.startswith(b"\x1f\x8b"):
        found |= {match.decode() for match in _LEAK.findall(_unpacked(content))}
    return sorted(found)


def in_files(folder: Path) -> Iterator[str]:
    """A line for each file below the folder that holds a secret, or is called by one."""
    for path in sorted(folder.rglob("*")):
        if _EXEMPT.intersection((path, *path.parents)):
            continue
        found = leaks(path.name.encode("utf-8", "surrogateescape"))
        if path.is_file() and not path.is_symlink():
            found += leaks(_content(path))
        if found:
            yield f"{path}: {', '.join(found)}"


def in_output(sections: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line for each captured stream that holds a secret."""
    for title, text in sections:
        if found := leaks(text.encode("utf-8", "surrogatepass")):
            yield f"{title}: {', '.join(found)}"


def in_shared_folders(root: Path) -> Iterator[str]:
    """The same for all folders of the tests but those that belonged to one test."""
    for folder in set(root.iterdir()) - _LOOKED_THROUGH:
        if folder.is_dir() and not folder.is_symlink():
            yield from in_files(folder)


def left_behind(sections: Iterable[tuple[str, str]], folder: Path | None) -> str:
    """What a test has left where no secret may be, in words; "" if nothing."""
    found = [*chain(in_output(sections), in_files(folder) if folder else ())]
    _LOOKED_THROUGH.update(filter(None, [folder]))
    _EXEMPT.clear()
    return "\n".join(["a secret was left behind:", *found]) if found else ""


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST + 1)
    except OSError:
        return b""  # gone meanwhile, or not even its owner may read it
    return content if len(content) <= MOST else b""


def _unpacked(content: bytes) -> bytes:
    """What can be unpacked of it, and no more than a file may have."""
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(content, MOST)
    except zlib.error:
        return b""
