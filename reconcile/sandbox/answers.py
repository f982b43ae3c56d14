"""The bodies and headers of the simulated PBX, byte for byte as far as they are known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request

    from reconcile.sandbox.book import Row
    from reconcile.sandbox.faults import Fault
    from reconcile.sandbox.query import Page, Query
    from reconcile.sandbox.switches import Switches

_JSON: Final = "application/json; charset=utf-8"
_PREFIXES: Final = {"weak": "W/", "strong": "", "none": None}


def json_answer(
    body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Any value as JSON."""
    return Response(_dumps(body), status_code=status, headers=headers, media_type=_JSON)


def empty(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """A status and no body."""
    return Response(status_code=status, headers=headers)


def unauthorized() -> Response:
    """What the auth middleware answers before anything else is looked at."""
    return empty(401, {"WWW-Authenticate": "Bearer"})


def etag(row: Row, switches: Switches) -> str:
    """The contact's entity tag; "" if this PBX issues none."""
    prefix = _PREFIXES[switches.etags]
    return "" if prefix is None else f'{prefix}"{row.version}"'


def context(request: Request, of: str = "") -> str:
    """The value of `@odata.context`."""
    return f"{request.base_url}xapi/v1/$metadata#{of}"


def selected(name: str, select: Sequence[str]) -> str:
    """How a context names an entity set with some of its properties."""
    return f"{name}({','.join(select)})" if select else name


def listing(
    request: Request, page: Page, query: Query, switches: Switches, *, next_link: str
) -> Response:
    """A collection of contacts; every page is a join of texts made when a contact was stored."""
    names = selected("Contacts", query.select)
    head: dict[str, object] = {"@odata.context": context(request, names)}
    if page.count is not None:
        head["@odata.count"] = page.count
    if next_link:
        head["@odata.nextLink"] = next_link
    rows = b",".join(_entities(page.rows, query.select, switches))
    body = b'%s,"value":[%s]}' % (_dumps(head)[:-1], rows)
    return Response(body, media_type=_JSON)


def entity(
    request: Request, row: Row, switches: Switches, *, select: Sequence[str] = (), status: int = 200
) -> Response:
    """One contact, with its ETag also as a header."""
    head = {"@odata.context": context(request, f"{selected('Contacts', select)}/$entity")}
    members = (_dumps(head)[1:-1], *(each[1:-1] for each in _entities([row], select, switches)))
    body = b"{%s}" % b",".join(filter(None, members))
    tag = etag(row, switches) if switches.etag_emit in {"both", "header"} else ""
    answer = Response(body, status_code=status, media_type=_JSON)
    if tag:
        answer.headers["ETag"] = tag
    return answer


def fault(struck: Fault) -> Response:
    """The answer that a test asked for."""
    if isinstance(struck.body, str):
        kind = "text/html" if struck.body.lstrip().startswith("<") else "text/plain"
        answer = Response(
            struck.body, status_code=struck.status, media_type=kind if struck.body else None
        )
    else:
        answer = json_answer(struck.body, status=struck.status)
    answer.headers.update(struck.headers)
    return answer


def _entities(rows: Sequence[Row], select: Sequence[str], switches: Switches) -> list[bytes]:
    """Contacts as JSON; what is the same for all of a page is looked at once."""
    members = _members(rows, select, switches)
    prefix = _PREFIXES[switches.etags] if switches.etag_emit in {"both", "body"} else None
    if prefix is None:
        return [b"{%s}" % each for each in members]
    head = b'{"@odata.etag":"%s\\"' % prefix.encode()
    return [
        b'%s%s\\""%s%s}' % (head, row.version.encode(), b"," if each else b"", each)
        for row, each in zip(rows, members, strict=True)
    ]


def _members(rows: Sequence[Row], select: Sequence[str], switches: Switches) -> list[bytes]:
    """The selected properties as the inside of JSON objects; all as they are stored are ready."""
    written = _NULLS[switches.null_style]
    if written is None and not select:
        return [row.members for row in rows]
    fields = ({name: row.fields[name] for name in select or row.fields} for row in rows)
    return [_dumps(written(each) if written else each)[1:-1] for each in fields]


_Fields = dict[str, Any]
_NULLS: Final[Mapping[str, Callable[[_Fields], _Fields] | None]] = {
    "stored": None,
    "null": lambda fields: {name: value or None for name, value in fields.items()},
    "omitted": lambda fields: {name: value for name, value in fields.items() if value},
    "empty": lambda fields: {name: value or "" for name, value in fields.items()},
}


def _dumps(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
