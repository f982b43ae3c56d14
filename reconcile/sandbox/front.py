"""The answers of what stands in front of a 3CX: its proxy, and the whitelist of addresses.

They don't come from the XAPI, so the switch `error_body` says nothing of their form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconcile.sandbox import answers, refusals
from reconcile.sandbox.switches import Switches

if TYPE_CHECKING:
    from typing import Literal

    from starlette.responses import Response

_SOON: Final = {"Retry-After": "1"}
_AS_JSON: Final = Switches(error_body="odata")
_AS_PAGE: Final = Switches(error_body="html")


def throttled(kind: Literal["429", "429_retry_after", "503", "504", "reset"]) -> Response | None:
    """What a request gets instead of being handled; None if its connection is closed."""
    match kind:
        case "429":
            return answers.empty(429)
        case "429_retry_after":
            return answers.empty(429, _SOON)
        case "503":
            page = refusals.refused(_AS_PAGE, 503, "")
            page.headers.update(_SOON)
            return page
        case "504":
            return refusals.refused(_AS_PAGE, 504, "")
        case _:
            return None


def forbidden(body: Literal["empty", "json"]) -> Response:
    """403: the address is not on the whitelist, or the role is too small."""
    if body == "empty":
        return answers.empty(403)
    return refusals.refused(_AS_JSON, 403, "Access to this resource is forbidden.")
