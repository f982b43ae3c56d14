"""The bodies and headers of the simulated PBX, byte for byte as far as they are known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from reconcile.sandbox.book import Row
    from reconcile.sandbox.faults import Fault
    from reconcile.sandbox.query import Page, Query
    from reconcile.sandbox.switches import Switches

VERSION: Final = "20.0.9.995"
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


def listing(request: Request, page: Page, query: Query, switches: Switches) -> Response:
    """A collection of contacts; every page is a join of texts made when a contact was stored."""
    names = selected("Contacts", query.select)
    head: dict[str, object] = {"@odata.context": context(request, names)}
    if page.count is not None:
        head["@odata.count"] = page.count
    rows = b",".join(_entity(row, query.select, switches) for row in page.rows)
    body = b'%s,"value":[%s]}' % (_dumps(head)[:-1], rows)
    return Response(body, media_type=_JSON)


def entity(
    request: Request, row: Row, switches: Switches, *, select: Sequence[str] = (), status: int = 200
) -> Response:
    """One contact, with its ETag also as a header."""
    head = {"@odata.context": context(request, f"{selected('Contacts', select)}/$entity")}
    body = b"%s,%s" % (_dumps(head)[:-1], _entity(row, select, switches)[1:])
    tag = etag(row, switches)
    answer = Response(body, status_code=status, media_type=_JSON)
    if tag:
        answer.headers["ETag"] = tag
    return answer


def odata_error(status: int, message: str, *, inner: str = "") -> Response:
    """An error of the OData layer, `innererror` spelt as the framework does."""
    error: dict[str, object] = {"code": "", "message": message, "details": []}
    if inner:
        error["innererror"] = {
            "message": inner,
            "type": "Microsoft.OData.ODataException",
            "stacktrace": "   at Microsoft.AspNetCore.OData.Query.EnableQueryAttribute",
        }
    return json_answer({"error": error}, status=status)


def bad_query(sentence: str) -> Response:
    """400 for a query option, as AspNetCoreOData words it."""
    message = f"The query specified in the URI is not valid. {sentence}"
    return odata_error(400, message, inner=sentence)


def not_valid(problems: Sequence[tuple[str, str]]) -> Response:
    """400 of the validation layer, for (property, warning code) pairs."""
    details = [{"code": "", "message": code, "target": target} for target, code in problems]
    message = "\n".join(f"{target}:\n{code}" for target, code in problems)
    return json_answer({"error": {"code": "", "message": message, "details": details}}, status=400)


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
    tag = etag(row, switches)
    head = b"{%s," % _dumps({"@odata.etag": tag})[1:-1] if tag else b"{"
    if not select:
        return b"%s%s}" % (head, row.members)
    return head + _dumps({name: row.fields[name] for name in select})[1:]


def _dumps(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
