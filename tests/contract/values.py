"""Every value of every switch, taken from the sandbox's own type hints.

A new switch with named values joins by itself; one with a number must be given representative
values here, and a test says so.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from reconcile.sandbox.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Mapping

FOREVER = 600.0
"""Seconds; a PBX that is away for so long does not come back while a test looks."""

NUMBERS: dict[str, dict[str, dict[str, Any]]] = {
    "restart_after": {
        "3,at once": {"restart_after": 3, "restart_seconds": 0.0},
        "4,forever": {"restart_after": 4, "restart_seconds": FOREVER},
    },
    "blacklist_after": {"1": {"blacklist_after": 1}},
    "version": {"20.0.8.1109": {"version": "20.0.8.1109"}, "none": {"version": ""}},
    "latency": {"0.01": {"latency": 0.01}},
}
"""Switches without named values: name → the values that are tried."""

COMPANIONS = {"throttle_every", "forbidden_after", "restart_seconds"}
"""Switches that only say when or how long another one acts."""

WITH = {"forbidden": {"forbidden_after": 2}}
"""What a value is tried with: a 403 for the very first request would hide the other of a pair."""

AT_START = {"tls"}
"""Can't be turned while the server runs; tried alone."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value of one switch that is not the default."""

    row: str
    name: str
    turned: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.row}={self.name}"


def hints() -> dict[str, Any]:
    return {f.name: get_type_hints(Switches)[f.name] for f in fields(Switches)}


def rows() -> dict[str, tuple[Value, ...]]:
    """Switch → its values but the default."""
    ordinary = Switches()
    found = {}
    for row, kind in hints().items():
        if row in COMPANIONS:
            continue
        named = [v for v in get_args(kind) if v != getattr(ordinary, row)]
        choice = {v: {row: v, **WITH.get(row, {})} for v in named} or NUMBERS.get(row, {})
        found[row] = tuple(Value(row=row, name=n, turned=t) for n, t in choice.items())
    return found


def singles() -> tuple[Value, ...]:
    """Every value alone, the default first."""
    default = Value(row="default", name="all", turned={})
    return (default, *(v for values in rows().values() for v in values if v.row not in AT_START))


def rhythms() -> dict[str, Switches]:
    """Values that act every so often, or from some moment on, at several paces.

    A 403 after more requests would let a listing of `phonebook.MANY` contacts pass.
    """
    names = hints()
    throttled = [v for v in get_args(names["throttle"]) if v != "never"]
    forbidden = [v for v in get_args(names["forbidden"]) if v != "never"]
    found = {
        f"throttle={value} every {every}": Switches(throttle=value, throttle_every=every)
        for value in throttled
        for every in (2, 3, 7)
    }
    return found | {
        f"forbidden={value} after {after}": Switches(forbidden=value, forbidden_after=after)
        for value in forbidden
        for after in range(6)
    }


def pairs(most: int) -> tuple[tuple[Value, Value], ...]:
    """Two values of two different switches; with a default in it, it would be a single.

    Any two switches meet, in at most so many pairs of their values: first those with the values
    that were met least often so far, so that none is left out.
    """
    free = {row: values for row, values in rows().items() if row not in AT_START}
    met: Counter[str] = Counter()
    found = []
    for left, right in combinations(free, 2):
        left_over = list(product(free[left], free[right]))
        for _ in range(min(most, len(left_over))):
            pair = min(left_over, key=lambda two: sum(met[str(value)] for value in two))
            left_over.remove(pair)
            met.update(map(str, pair))
            found.append(pair)
    return tuple(found)


def switches(*values: Value) -> Switches:
    """A PBX with these values."""
    return Switches(**{k: v for value in values for k, v in value.turned.items()})
