"""POST /connect/token: the client-credentials grant as 3CX's service principals use it.

The credentials stand in the body, urlencoded or multipart; HTTP Basic is not looked at, since the
server's discovery document offers `client_secret_post` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.formparsers import MultiPartException

from reconcile.sandbox import answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from reconcile.sandbox.simulation import Simulation

_WRONG_CLIENT: Final = {
    "401": {
        "error": "unauthorized",
        "error_description": "The request requires valid user authentication.",
    },
    "400": {"error": "invalid_client"},
}


class Login:
    """The token endpoint of one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def token(self, request: Request) -> Response:
        """A new token; 400 for a wrong form, and for a wrong client what this PBX says to one."""
        switches = self._simulation.switches
        wrong_client = _WRONG_CLIENT.get(switches.token_error)
        if wrong_client is None:
            return answers.empty(500)  # as if its database were down
        try:
            given = await _form(request)
        except MultiPartException:
            return answers.json_answer({"error": "invalid_request"}, status=400)
        if given.get("grant_type") != "client_credentials":
            return answers.json_answer({"error": "unsupported_grant_type"}, status=400)
        issued = self._simulation.tokens.issue(
            client_id=given.get("client_id", ""),
            client_secret=given.get("client_secret", ""),
            keep=switches.live_tokens == "many",
        )
        if issued is None:
            return answers.json_answer(wrong_client, status=int(switches.token_error))
        lifetime = {"seconds": 3600, "minutes": 60}[switches.expires_in]
        grant = {"token_type": "Bearer", "expires_in": lifetime, "access_token": issued}
        return answers.json_answer({**grant, "refresh_token": None})


async def _form(request: Request) -> Mapping[str, str]:
    async with request.form() as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}
