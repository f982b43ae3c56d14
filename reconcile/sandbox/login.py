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
    "error": "unauthorized",
    "error_description": "The request requires valid user authentication.",
}


class Login:
    """The token endpoint of one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def token(self, request: Request) -> Response:
        """A new token, which ends the one before; 401 for a wrong client, 400 for a wrong form."""
        try:
            given = await _form(request)
        except MultiPartException:
            return answers.json_answer({"error": "invalid_request"}, status=400)
        if given.get("grant_type") != "client_credentials":
            return answers.json_answer({"error": "unsupported_grant_type"}, status=400)
        issued = self._simulation.tokens.issue(
            client_id=given.get("client_id", ""), client_secret=given.get("client_secret", "")
        )
        if issued is None:
            return answers.json_answer(_WRONG_CLIENT, status=401)
        lifetime = {"seconds": 3600, "minutes": 60}[self._simulation.switches.expires_in]
        grant = {"token_type": "Bearer", "expires_in": lifetime, "access_token": issued}
        return answers.json_answer({**grant, "refresh_token": None})


async def _form(request: Request) -> Mapping[str, str]:
    async with request.form() as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}
