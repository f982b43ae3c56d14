"""The errors of /xapi/v1, byte for byte as far as they are known, and in the forms that are not."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from reconcile.sandbox.answers import empty, json_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconcile.sandbox.switches import Switches

Problem = tuple[str, str]
"""A property, and the warning code that the validation layer has for it."""

_PAGE: Final = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


def refused(
    switches: Switches,
    status: int,
    message: str,
    *,
    inner: str = "",
    problems: Sequence[Problem] = (),
) -> Response:
    """An error in the form that this PBX gives to all of them."""
    match switches.error_body:
        case "odata":
            error = _odata_error(message, inner, problems)
            return json_answer({"error": error}, status=status)
        case "odata_inner":
            error = _as_specified(_odata_error(message, inner, problems))
            return json_answer({"error": error}, status=status)
        case "empty":
            return empty(status)
        case "text":
            return Response(message, status_code=status, media_type="text/plain")
        case _:
            page = _PAGE.format(f"{status} {HTTPStatus(status).phrase}")
            return Response(page, status_code=status, media_type="text/html")


def bad_query(switches: Switches, sentence: str) -> Response:
    """400 for a query option, as AspNetCoreOData words it."""
    message = f"The query specified in the URI is not valid. {sentence}"
    return refused(switches, 400, message, inner=sentence)


def not_valid(switches: Switches, problems: Sequence[Problem]) -> Response:
    """400 of the validation layer."""
    message = "\n".join(f"{target}:\n{code}" for target, code in problems)
    return refused(switches, 400, message, problems=problems)


def _odata_error(message: str, inner: str, problems: Sequence[Problem]) -> dict[str, Any]:
    """An error of the OData layer, `innererror` spelt as the framework does."""
    details = [{"code": "", "message": code, "target": target} for target, code in problems]
    error: dict[str, Any] = {"code": "", "message": message, "details": details}
    if inner:
        error["innererror"] = {
            "message": inner,
            "type": "Microsoft.OData.ODataException",
            "stacktrace": "   at Microsoft.AspNetCore.OData.Query.EnableQueryAttribute",
        }
    return error


def _as_specified(error: dict[str, Any]) -> dict[str, Any]:
    """The same error with `innerError` as the specification spells it, and without any `code`."""
    named = {"innererror": "innerError"}
    whole = {named.get(name, name): value for name, value in error.items() if name != "code"}
    details = [{"message": d["message"], "target": d["target"]} for d in error["details"]]
    return {**whole, "details": details}
