"""Part numbers in the names of files that are one export together."""

from __future__ import annotations

import re
from typing import Final

_ENDINGS: Final = re.compile(
    r"(?:\.(?:csv|tsv|txt|xlsx|json|jsonl|ndjson|vcf|parquet|zip|gz))+$", re.I
)
_PART: Final = re.compile(
    r"(?P<base>.*?)[ _.-]*\(?(?:part[ _-]?)?(?<!\d)(?P<part>\d{1,3})(?:[ _-]?of[ _-]?(?P<of>\d{1,3}))?\)?$",
    re.I,
)
_DATE: Final = re.compile(
    r"(?:19|20)\d\d[-_.]?\d\d(?:[-_.]?\d\d)?$|\b\d\d?[-_.]\d\d?[-_.](?:20)?\d\d$"
)


def split(name: str) -> tuple[str, int | None, int | None]:
    """Base, part number, of how many."""
    stem = _ENDINGS.sub("", name)
    found = _PART.fullmatch(stem)
    if found is None or not found["base"] or _DATE.search(stem):
        return stem, None, None
    return found["base"], int(found["part"]), int(found["of"]) if found["of"] else None
