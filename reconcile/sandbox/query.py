"""OData's query options on the contacts: what is accepted, what is refused, which rows come out.

Pure: a query string and the rows of the book in, one page out.
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
    from collections.abc import Iterable, Mapping, Sequence

    from reconcile.sandbox.book import Row

MAX_TOP: Final = 100
CONTACT: Final = ("Id", *TEXTS)
_OPTIONS: Final = frozenset(
    ("$top", "$skip", "$count", "$orderby", "$select", "$filter", "$search", "$expand")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The query options of one request, understood."""

    top: int | None = None
    skip: int = 0
    count: bool = False
    select: tuple[str, ...] = ()
    """Empty: every property."""
    order: tuple[tuple[str, bool], ...] = ()
    """(property, descending); empty: ascending Id."""
    where: Term | None = None
    search: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The rows that answer a query."""

    rows: Sequence[Row]
    count: int | None
    """How many rows satisfy the filter on all pages; None unless asked."""


def parse(query_string: str, properties: Sequence[str] = CONTACT) -> Query:
    """Understand a query string. Raises BadQuery with the sentence that the server would say."""
    options = _options(query_string)
    if "$expand" in options:
        raise BadQuery(_no_property(options["$expand"]))
    return Query(
        top=_top(options.get("$top")),
        skip=_whole_number("$skip", options.get("$skip")) or 0,
        count=_flag(options.get("$count")),
        select=_select(options.get("$select"), properties),
        order=_order(options.get("$orderby"), properties),
        where=compile_filter(options["$filter"]) if "$filter" in options else None,
        search=options.get("$search", "").strip('"'),
    )


def find(query: Query, rows: Sequence[Row]) -> Page:
    """The page that a query asks for, out of all rows in ascending order of Id."""
    if query.where is None and not query.search and not query.order:
        return Page(rows=rows[query.skip : _end(query)], count=len(rows) if query.count else None)
    found: Iterable[Row] = _matching(query, rows)
    if query.count or query.order:
        found = _sorted(query, found)
    count = len(found) if query.count and isinstance(found, list) else None
    return Page(rows=list(islice(found, query.skip, _end(query))), count=count)


def _options(query_string: str) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query_string, keep_blank_values=True):
        if not name.startswith("$"):
            continue
        if name not in _OPTIONS:
            raise BadQuery(f"The query parameter '{name}' is not supported.")
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


def _top(text: str | None) -> int | None:
    top = _whole_number("$top", text)
    if top is not None and top > MAX_TOP:
        raise BadQuery(
            f"The limit of '{MAX_TOP}' for Top query has been exceeded. "
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


def _order(text: str | None, properties: Sequence[str]) -> tuple[tuple[str, bool], ...]:
    order: list[tuple[str, bool]] = []
    for part in text.split(",") if text else ():
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


def _end(query: Query) -> int | None:
    return None if query.top is None else query.skip + query.top


def _matching(query: Query, rows: Sequence[Row]) -> Iterable[Row]:
    least, where, part = 0, None, query.search.lower()
    if query.where is not None:
        least, where = query.where.least, query.where.value
    for row in islice(rows, bisect_left(rows, least, key=attrgetter("id")), None):
        if (where is None or where(row.fields)) and (not part or _speaks_of(row, part)):
            yield row


def _speaks_of(row: Row, part: str) -> bool:
    return any(part in str(row.fields[name] or "").lower() for name in TEXTS)


def _sorted(query: Query, rows: Iterable[Row]) -> list[Row]:
    """Sorted by every key, null first; equal rows stay in ascending order of Id."""
    found = list(rows)
    for name, descending in reversed(query.order):
        found.sort(key=lambda row: _sort_key(row, name), reverse=descending)
    return found


def _sort_key(row: Row, name: str) -> tuple[bool, str | int]:
    value = row.fields[name]
    return (value is not None, "" if value is None else value)
