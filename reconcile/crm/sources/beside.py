"""Which files beside an export are its manifests, by their names. Pure.

A manifest of `contacts.csv` is called like it with one of these endings behind
(`contacts.csv.rows`) or in place of its own (`contacts.rows`); the list that `sha256sum` writes may
be one for the whole folder. None of them is ever an export that a glob means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from reconcile.crm import parts

if TYPE_CHECKING:
    from collections.abc import Iterable

    Kind = Literal["own", "stem", "folder"]

SIZE_LIMIT: Final = 1024 * 1024
"""Bytes. A manifest beyond it is none."""
MARKERS: Final = (".ok", ".done")
"""What jobs write when they are done, mostly with nothing in it."""
LINES: Final = ".lines"
_ENDINGS: Final = (
    ".sha256",
    ".sha256sum",
    ".manifest.json",
    ".manifest",
    ".rows",
    ".count",
    LINES,
    *MARKERS,
)
_LISTS: Final = frozenset(("sha256sums", "sha256sum", "sha256sums.txt", "sha256sum.txt"))


def is_manifest(name: str) -> bool:
    """Whether a file of this name is a manifest, of whatever export."""
    folded = name.casefold()
    return folded in _LISTS or folded.endswith(_ENDINGS)


def kind(name: str, export: str) -> Kind | None:
    """How a manifest of this name belongs to the export: `own`, by its `stem`, or as the folder's.

    None: not at all.
    """
    folded = name.casefold()
    if folded in _LISTS:
        return "folder"
    if folded in {f"{export.casefold()}{ending}" for ending in _ENDINGS}:
        return "own"
    stem = parts.stem(export).casefold()
    return "stem" if folded in {f"{stem}{ending}" for ending in _ENDINGS} else None


def manifests(export: str, names: Iterable[str]) -> list[str]:
    """Those of the names in its folder that are manifests of the export."""
    return sorted(name for name in names if name != export and kind(name, export))
