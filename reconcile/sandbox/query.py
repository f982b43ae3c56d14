"""OData's query options on the contacts: what is accepted, what is refused, which rows come out.

Pure: a query string and the rows of the book in, some of the rows out.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from reconcile.sandbox.book import TEXTS
from reconcile.sandbox.filters import BadQuery, Term, compile_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from reconcile.sandbox.book import Row
    from reconcile.sandbox.switches import Switches

    SortKey = Callable[[Row], tuple[bool, str | int]]

CONTACT: Final = ("Id", *TEXTS)
_OPTIONS: Final = frozenset(
    (
        "$top",
        "$skip",
        "$skiptoken",
        "$count",
        "$orderby",
        "$select",
        "$filter",
        "$search",
        "$expand",
    )
)
_TOP_LIMIT: Final = {"100": 100, "50": 50, "none": None}
_REFUSED: Final[Mapping[str, Collection[str]]] = {
    "accepted": (),
    "refused": ("$skip", "$orderby"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The query options of one request, understood."""

    top: int | None = None
    skip: int = 0
    """How many contacts stand before the page: `$skip`, or where a `$skiptoken` of ours goes on."""
    count: bool = False
    select: tuple[str, ...] = ()
    """Empty: every property."""
    order: tuple[tuple[str, bool], ...] | None = None
    """(property, descending); empty: ascending Id; None: `$orderby` was not asked for."""
    where: Term | None = None
    search: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The rows that answer a query."""

    rows: Sequence[Row]
    count: int | None
    """How many rows satisfy the filter on all pages; None unless asked."""
    more: bool
    """Whether further rows satisfy the filter after these."""


def parse(query_string: str, switches: Switches, properties: Sequence[str] = CONTACT) -> Query:
    """Understand a query string. Raises BadQuery with the sentence that the server would say."""
    options = _options(query_string, refused_options(switches))
    if "$expand" in options:
        raise BadQuery(_no_property(options["$expand"]))
    return Query(
        top=_top(options.get("$top"), _TOP_LIMIT[switches.top_limit]),
        skip=sum(_whole_number(n, options.get(n)) or 0 for n in ("$skip", "$skiptoken")),
        count=_flag(options.get("$count")),
        select=_select(options.get("$select"), properties),
        order=_order(options.get("$orderby"), properties),
        where=compile_filter(options["$filter"]) if "$filter" in options else None,
        search=options.get("$search", "").strip('"'),
    )


def find(
    query: Query, rows: Sequence[Row], *, size: int | None = None, order: SortKey | None = None
) -> Page:
    """The page that a query asks for, out of all rows in ascending order of Id.

    `size` is how many it has at most, `order` what it is sorted by without `$orderby`.
    """
    start, end = query.skip, None if size is None else query.skip + size
    is_sorted = query.order == () or (query.order is None and order is None)
    if is_sorted and query.where is None and not query.search:
        count = len(rows) if query.count else None
        return Page(rows=rows[start:end], count=count, more=end is not None and end < len(rows))
    found: Iterable[Row] = _matching(query, rows)
    if query.count or not is_sorted:
        found = _sorted(query, found, order)
    count = len(found) if query.count and isinstance(found, list) else None
    # One row further than the page tells whether more follow.
    seen = list(islice(found, start, None if end is None else end + 1))
    return Page(rows=seen[:size], count=count, more=size is not None and len(seen) > size)


def refused_options(switches: Switches) -> Collection[str]:
    """The options that are known, but not taken on this PBX."""
    return _REFUSED[switches.skip_orderby]


def _options(query_string: str, refused: Collection[str]) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query_string, keep_blank_values=True):
        if not name.startswith("$"):
            continue
        if name not in _OPTIONS:
            raise BadQuery(f"The query parameter '{name}' is not supported.")
        if name in refused:
            raise BadQuery(
                f"Query option '{name[1:].capitalize()}' is not allowed. To allow it, set the "
                "'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings."
            )
        if name in options:
            raise BadQuery(f"Query option '{name}' was specified more than once.")
        if not value.strip():
            raise BadQuery(f"The value for OData query '{name}' cannot be empty.")
        options[name] = value
    return options


def _whole_number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise BadQuery(
            f"Invalid value '{text}' for {name} query option found. "
            f"The {name} query option requires a non-negative integer value."
        )
    return int(text)


def _top(text: str | None, limit: int | None) -> int | None:
    top = _whole_number("$top", text)
    if top is not None and limit is not None and top > limit:
        raise BadQuery(
            f"The limit of '{limit}' for Top query has been exceeded. "
            f"The value from the incoming request is '{top}'."
        )
    return top


def _flag(text: str | None) -> bool:
    if text is not None and text not in {"true", "false"}:
        raise BadQuery(
            f"Invalid value '{text}' for $count query option found. "
            "The valid values for $count query option are 'true' and 'false'."
        )
    return text == "true"


def _select(text: str | None, properties: Sequence[str]) -> tuple[str, ...]:
    if text is None or text.strip() == "*":
        return ()
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in properties:
            raise BadQuery(_no_property(name))
    return tuple(dict.fromkeys(names))


def _order(text: str | None, properties: Sequence[str]) -> tuple[tuple[str, bool], ...] | None:
    if text is None:
        return None
    order: list[tuple[str, bool]] = []
    for part in text.split(","):
        name, _, direction = part.strip().partition(" ")
        if name not in properties:
            raise BadQuery(_no_property(name))
        if direction.strip() not in {"", "asc", "desc"}:
            raise BadQuery(f"Syntax error at position {len(name)} in '{part.strip()}'.")
        order.append((name, direction.strip() == "desc"))
    # Ids are unique: nothing after the first Id can matter, and ascending Id is how rows come.
    return () if order[:1] == [("Id", False)] else tuple(order)


def _no_property(name: str) -> str:
    return f"Could not find a property named '{name}' on type 'Pbx.Contact'."


def _matching(query: Query, rows: Sequence[Row]) -> Iterable[Row]:
    least, where, part = 0, None, query.search.lower()
    if query.where is not None:
        least, where = query.where.least, query.where.value
    for row in islice(rows, bisect_left(rows, least, key=attrgetter("id")), None):
        if (where is None or where(row.fields)) and (not part or _speaks_of(row, part)):
            yield row


def _speaks_of(row: Row, part: str) -> bool:
    return any(part in str(row.fields[name] or "").lower() for name in TEXTS)


def _sorted(query: Query, rows: Iterable[Row], order: SortKey | None) -> list[Row]:
    """Sorted by every key, or else by `order`; equal rows stay in ascending order of Id."""
    found = list(rows)
    if query.order is None and order is not None:
        found.sort(key=order)
    for name, descending in reversed(query.order or ()):
        found.sort(key=lambda row: sort_key(row, name), reverse=descending)
    return found


def sort_key(row: Row, name: str) -> tuple[bool, str | int]:
    """What sorts contacts by a property: null first, then by code points."""
    value = row.fields[name]
    return (value is not None, "" if value is None else value)
