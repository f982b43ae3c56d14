"""The bodies and headers of the simulated PBX, byte for byte as far as they are known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Literal

    from starlette.requests import Request

    from reconcile.sandbox.book import Row
    from reconcile.sandbox.faults import Fault
    from reconcile.sandbox.query import Page, Query
    from reconcile.sandbox.switches import Switches

_JSON: Final = "application/json; charset=utf-8"


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
    prefix = {"weak": "W/", "strong": "", "none": None}[switches.etags]
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
    rows = b",".join(_entity(row, query.select, switches) for row in page.rows)
    body = b'%s,"value":[%s]}' % (_dumps(head)[:-1], rows)
    return Response(body, media_type=_JSON)


def entity(
    request: Request, row: Row, switches: Switches, *, select: Sequence[str] = (), status: int = 200
) -> Response:
    """One contact, with its ETag also as a header."""
    head = {"@odata.context": context(request, f"{selected('Contacts', select)}/$entity")}
    members = (_dumps(head)[1:-1], _entity(row, select, switches)[1:-1])
    body = b"{%s}" % b",".join(filter(None, members))
    tag = _emitted(row, switches, "header")
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


def _entity(row: Row, select: Sequence[str], switches: Switches) -> bytes:
    tag, members = _emitted(row, switches, "body"), _members(row, select, switches)
    if not tag:
        return b"{%s}" % members
    annotation = '"@odata.etag":"{}"'.format(tag.replace('"', '\\"')).encode("ascii")
    return b"{%s,%s}" % (annotation, members) if members else b"{%s}" % annotation


def _emitted(row: Row, switches: Switches, place: Literal["body", "header"]) -> str:
    """The tag, if this PBX emits it in this place; else ""."""
    return etag(row, switches) if switches.etag_emit in {"both", place} else ""


def _members(row: Row, select: Sequence[str], switches: Switches) -> bytes:
    """The selected properties as the inside of a JSON object; all as they are stored are ready."""
    written = _NULLS[switches.null_style]
    if written is None and not select:
        return row.members
    fields = {name: row.fields[name] for name in select or row.fields}
    return _dumps(written(fields) if written else fields)[1:-1]


_Fields = dict[str, Any]
_NULLS: Final[Mapping[str, Callable[[_Fields], _Fields] | None]] = {
    "stored": None,
    "null": lambda fields: {name: value or None for name, value in fields.items()},
    "omitted": lambda fields: {name: value for name, value in fields.items() if value},
    "empty": lambda fields: {name: value or "" for name, value in fields.items()},
}


def _dumps(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
