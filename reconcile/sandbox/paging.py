"""How a PBX cuts its contacts into pages: their size and order, the count, the next link.

Pure: rows and a query in, one page or one link out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlencode

from reconcile.sandbox import query as options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconcile.sandbox.book import Row
    from reconcile.sandbox.query import Page, Query, SortKey
    from reconcile.sandbox.switches import Switches

_DEFAULT: Final = {"all": None, "50": 50, "100": 100}
_CAP: Final = {"none": None, "40": 40}


def page(query: Query, rows: Sequence[Row], switches: Switches, *, nth: int) -> Page:
    """The page that the nth listing answers, out of all rows in ascending order of Id."""
    size, order = _size(query, switches), _order(switches, nth)
    found = options.find(query, rows, size=size, order=order)
    return _counted(found, switches) if query.count else found


def next_link(query: Query, page: Page, switches: Switches, *, url: str, query_string: str) -> str:
    """The link to what follows a page; "" if nothing does, or this PBX never says so.

    `url` is that of the contacts, as the request had it. An empty page leads nowhere.
    """
    if switches.next_link == "never" or not (page.more and page.rows):
        return ""
    rest = _rest(query, len(page.rows), switches, query_string)
    links = {
        "absolute": f"{url}?{rest}",
        "relative": f"Contacts?{rest}",
        "http": f"http://localhost:5000/xapi/v1/Contacts?{rest}",
        "other_host": f"https://pbx.evil.test/xapi/v1/Contacts?{rest}",
        "cycle": f"{url}?{query_string}",
    }
    return links[switches.next_link]


def _size(query: Query, switches: Switches) -> int | None:
    """How many contacts a page has at most; None if there is no limit."""
    wanted = _DEFAULT[switches.default_page] if query.top is None else query.top
    limits = (wanted, _CAP[switches.page_cap])
    return min((limit for limit in limits if limit is not None), default=None)


def _order(switches: Switches, nth: int) -> SortKey | None:
    """What contacts are sorted by without `$orderby`; None for their Id."""
    by: dict[str, Callable[[Row], tuple[bool, str | int]] | None] = {
        "id": None,
        "last_name": lambda row: options.sort_key(row, "LastName"),
        # The hash of whole numbers is the same in every process.
        "arbitrary": lambda row: (True, hash((row.id, 0))),
        "unstable": lambda row: (True, hash((row.id, nth))),
    }
    return by[switches.order]


def _counted(found: Page, switches: Switches) -> Page:
    """What `$count=true` makes of a page."""
    match switches.count:
        case "right":
            return found
        case "absent":
            return replace(found, count=None)
        case "page_size":
            return replace(found, count=len(found.rows))
        case _:
            return replace(found, rows=())


def _rest(query: Query, sent: int, switches: Switches, query_string: str) -> str:
    """The query string for what follows.

    `$top` asks for what is left of it. Where nothing is left it is the size of a page, as Microsoft
    Graph understands it, and asks for as many again.
    """
    position = "$skiptoken" if "$skip" in options.refused_options(switches) else "$skip"
    moved = {"$top", "$skip", "$skiptoken"}
    pairs = parse_qsl(query_string, keep_blank_values=True)
    rest = [(name, value) for name, value in pairs if name not in moved]
    if query.top is not None:
        rest.append(("$top", str(query.top - sent or query.top)))
    rest.append((position, str(query.skip + sent)))
    return urlencode(rest, quote_via=quote, safe="$")
