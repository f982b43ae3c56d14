"""What a policy allows, as it was accepted, and whether it has been loosened since.

Must never say "loosened" of what only forbids more: an administrator who tightens a limit is not
asked for anything. Protection is no part of it: it is kept in the state, and taking a line out of
the configuration takes nothing away.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOWER_IS_STRICTER: Final = (
    "max_deletes",
    "max_delete_percent",
    "max_weekly_percent",
    "max_shrink_percent",
)
_HIGHER_IS_STRICTER: Final = ("min_matched_percent", "grace_exports", "grace_hours")
_STRICTEST_FIRST: Final = {
    "delete_guard": ("etag", "compare"),
    "manifest": ("required", "auto", "ignore"),
}


def written(values: Mapping[str, Any]) -> str:
    """A policy as canonical JSON: the same policy gives the same text."""
    return json.dumps(dict(values), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def changed(before: str, now: str) -> tuple[str, ...]:
    """What is another than before, as `max_deletes 20 → 50`; nothing, if `before` isn't known."""
    return tuple(words for _, words in _differences(before, now))


def loosened(before: str, now: str) -> tuple[str, ...]:
    """Of what is another than before, that which allows more."""
    return tuple(words for allows_more, words in _differences(before, now) if allows_more)


def _differences(before: str, now: str) -> Iterator[tuple[bool, str]]:
    old, new = json.loads(before or "{}"), json.loads(now or "{}")
    for key in sorted(old.keys() & new.keys()):
        if old[key] != new[key]:
            words = f"{key} {_shown(old[key])} → {_shown(new[key])}"
            yield _allows_more(key, old[key], new[key]), words


def _allows_more(key: str, old: Any, new: Any) -> bool:  # noqa: ANN401 - any value of TOML
    if key in _LOWER_IS_STRICTER:
        return bool(new > old)
    if key in _HIGHER_IS_STRICTER:
        return bool(new < old)
    if key in _STRICTEST_FIRST:
        order = _STRICTEST_FIRST[key]
        return order.index(new) > order.index(old)
    if key == "sentinels":
        return not set(old) <= set(new)
    return True


def _shown(value: Any) -> str:  # noqa: ANN401 - any value of TOML
    if isinstance(value, list):
        return f"{len(value)} of them"
    return str(value) if value != "" else "(none)"
