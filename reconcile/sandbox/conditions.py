"""If-Match on a contact that is there: what it lets through, and how it is refused.

An empty If-Match is no condition at all: ASP.NET parses it into an empty list. That is exactly the
trap that a client must not step into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.sandbox.answers import etag
from reconcile.sandbox.refusals import refused

if TYPE_CHECKING:
    from starlette.responses import Response

    from reconcile.sandbox.book import Row
    from reconcile.sandbox.switches import Switches


def refusal(
    condition: str | None, row: Row, switches: Switches, *, deletes: bool
) -> Response | None:
    """What a PATCH or a DELETE is refused with; None if it may go on.

    The specification has no If-Match for PATCH. There it is never demanded, and one that is sent
    is honoured unless this PBX ignores it.
    """
    match switches.if_match if deletes or switches.if_match == "ignored" else "enforced":
        case "ignored":
            return None
        case "required" if not condition:
            return refused(switches, 428, "The request must be conditional: If-Match is required.")
        case "malformed" if condition:
            return refused(switches, 400, "The ETag is not well-formed.")
        case "always_412" if condition:
            return _stale(switches)
    passes = not condition or holds(condition, etag(row, switches))
    return None if passes else _stale(switches)


def holds(condition: str, tag: str) -> bool:
    """Whether a contact with this tag satisfies If-Match: `*`, or one of the tags byte for byte.

    RFC 9110 13.1.1 would never let a weak tag match; OData issues weak ones and takes them back.
    """
    if condition.strip() == "*":
        return True
    return bool(tag) and tag in {each.strip() for each in condition.split(",")}


def _stale(switches: Switches) -> Response:
    message = "The entity was changed: the ETag in If-Match is stale."
    return refused(switches, 412, message)
