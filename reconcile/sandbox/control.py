"""The control API under /sandbox/: what the person at the admin console, and bad luck, do.

No authentication: it guards nothing, and the server listens on this machine. JSON in, JSON out;
what makes no sense is 400 with the reason, an unknown contact 404.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reconcile.sandbox.answers import json_answer
from reconcile.sandbox.book import checked
from reconcile.sandbox.faults import Fault, Hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from reconcile.sandbox.simulation import Simulation


class Control:
    """The handlers of one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def contacts(self, _request: Request) -> Response:
        """GET /sandbox/contacts: all, without paging."""
        return json_answer({"value": self._simulation.book.all()})

    async def add(self, request: Request) -> Response:
        """POST /sandbox/contacts: the properties, and the scope; answers the new Id."""
        fields = await _object(request)
        scope = fields.pop("scope", "company")
        return json_answer({"Id": self._simulation.book.add(fields, scope=scope)}, status=201)

    async def edit(self, request: Request) -> Response:
        """PATCH /sandbox/contacts/{id}: the properties to change."""
        contact_id = request.path_params["id"]
        self._simulation.book.edit(contact_id, await _object(request))
        return json_answer(self._simulation.book.get(contact_id))

    async def remove(self, request: Request) -> Response:
        """DELETE /sandbox/contacts/{id}."""
        self._simulation.book.remove(request.path_params["id"])
        return json_answer({})

    async def fail(self, request: Request) -> Response:
        """POST /sandbox/fail: the fields of `faults.Fault`."""
        self._simulation.script.add(Fault(**await _object(request)))
        return json_answer({}, status=201)

    async def hook(self, request: Request) -> Response:
        """POST /sandbox/hook: {method, path_prefix, nth, action, id, fields}."""
        wish = await _object(request)
        action, contact_id = wish.pop("action", ""), wish.pop("id", 0)
        act = self._act(action, contact_id, wish.pop("fields", {}))
        self._simulation.script.add(Hook(act=act, **wish))
        return json_answer({}, status=201)

    async def clear_script(self, _request: Request) -> Response:
        """DELETE /sandbox/script: forget the faults and hooks that still wait."""
        self._simulation.script.clear()
        return json_answer({})

    async def requests(self, _request: Request) -> Response:
        """GET /sandbox/requests: the server's own log."""
        return json_answer({"value": [asdict(each) for each in self._simulation.log.snapshot()]})

    async def clear_requests(self, _request: Request) -> Response:
        """DELETE /sandbox/requests."""
        self._simulation.log.clear()
        return json_answer({})

    async def switches(self, _request: Request) -> Response:
        """GET /sandbox/switches."""
        return json_answer(asdict(self._simulation.switches))

    async def turn(self, request: Request) -> Response:
        """PUT /sandbox/switches: those to change; the others stay."""
        wish = await _object(request)
        self._simulation.turn(self._simulation.switches.turned(wish))
        return json_answer(asdict(self._simulation.switches))

    async def expire_tokens(self, _request: Request) -> Response:
        """POST /sandbox/expire-tokens."""
        self._simulation.tokens.expire()
        return json_answer({})

    def _act(self, action: object, contact_id: Any, fields: Any) -> Callable[[], object]:  # noqa: ANN401 - what JSON gives
        if not isinstance(contact_id, int) or not isinstance(fields, dict):
            raise TypeError("id is a number, fields an object")
        checked(fields)
        book = self._simulation.book
        acts: dict[str, Callable[[], object]] = {
            "add": lambda: book.add(fields),
            "edit": lambda: book.edit(contact_id, fields),
            "remove": lambda: book.remove(contact_id),
            "expire-tokens": self._simulation.tokens.expire,
        }
        if not isinstance(action, str) or action not in acts:
            raise ValueError(f"action is one of {', '.join(acts)}; not {action!r}")

        def act() -> None:
            # Who comes too late finds nothing to edit; that is no failure of the server.
            with suppress(KeyError):
                acts[action]()

        return act


async def _object(request: Request) -> dict[str, Any]:
    body = json.loads(await request.body())
    if not isinstance(body, dict):
        raise TypeError("a JSON object is expected")
    return body
