"""The simulated PBX as an ASGI application: log, latency, faults, hooks, token, then the route."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, unquote_plus

from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route, Router

from reconcile.sandbox import answers, catalogue
from reconcile.sandbox.contacts import Contacts, if_match
from reconcile.sandbox.control import Control
from reconcile.sandbox.login import Login
from reconcile.sandbox.requestlog import LoggedRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reconcile.sandbox.simulation import Simulation

    Handler = Callable[[Request], Awaitable[Response]]

XAPI: Final = "/xapi/v1"


class Sandbox:
    """One simulated PBX."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._control = Router(_control_routes(simulation), default=_not_found)
        self._pbx = Router(_pbx_routes(simulation), redirect_slashes=False, default=_not_found)
        self.stopping = asyncio.Event()
        """Set when the server goes down: who still waits is cut off."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or close its connection."""
        with suppress(ClientDisconnect):
            if scope["path"].startswith("/sandbox/"):
                await self._control(scope, receive, send)
            else:
                await self._answer(Request(scope, receive), send)

    async def _answer(self, request: Request, send: Send) -> None:
        entry = _entry(request)
        ticket = self._simulation.log.arrive(entry)
        messages = await self._messages(request, entry)
        if not messages:
            await _hang_up(request)
            return
        self._simulation.log.answer(ticket, messages[0]["status"])
        for message in messages:
            await send(message)

    async def _messages(self, request: Request, entry: LoggedRequest) -> list[Message]:
        """What is to be sent; nothing means that the connection is closed."""
        if await self._stopped_while_waiting():
            return []
        script = self._simulation.script
        fault = script.fault(entry.method, entry.path)
        for act in script.acts(entry.method, entry.path):
            act()
        if fault is None:
            return await _collected(self._gate(request), request)
        if fault.effect == "after":
            await _collected(self._gate(request), request)
        return [] if fault.drop else await _collected(answers.fault(fault), request)

    async def _stopped_while_waiting(self) -> bool:
        if latency := self._simulation.switches.latency:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), latency)
        return self.stopping.is_set()

    def _gate(self, request: Request) -> ASGIApp:
        """Without the live token, /xapi/v1 looks at nothing else."""
        authorization = request.headers.get("authorization", "")
        if _is_xapi(request) and not self._simulation.tokens.accepts(authorization):
            return answers.unauthorized()
        return self._pbx


async def _collected(app: ASGIApp, request: Request) -> list[Message]:
    """The whole answer, held back, so that it can still be lost."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(request.scope, request.receive, keep)
    if _is_xapi(request):
        messages[0]["headers"].append((b"x-3cx-version", answers.VERSION.encode("ascii")))
    return messages


async def _hang_up(request: Request) -> None:
    """Close the connection without an answer; `runner.Connection` lends its transport for it."""
    request.state.transport.abort()
    await asyncio.sleep(0)  # lets the server notice before this request ends


def _is_xapi(request: Request) -> bool:
    return f"{request.scope['path']}/".startswith(f"{XAPI}/")


def _entry(request: Request) -> LoggedRequest:
    raw = request.scope["raw_path"].decode("ascii")
    query = request.scope["query_string"].decode("ascii")
    return LoggedRequest(
        method=request.method,
        path=unquote(raw) + (query and f"?{unquote_plus(query)}"),
        target=raw + (query and f"?{query}"),
        if_match=if_match(request),
    )


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await answers.empty(404)(scope, receive, send)


def _pbx_routes(simulation: Simulation) -> list[Route]:
    contacts = Contacts(simulation)
    return [
        _route("/connect/token", POST=Login(simulation).token),
        _route(f"{XAPI}/", GET=catalogue.service_document),
        _route(f"{XAPI}/$metadata", GET=catalogue.metadata),
        _route(f"{XAPI}/Defs", GET=catalogue.defs),
        _route(f"{XAPI}/Contacts", GET=contacts.list, POST=contacts.create),
        _route(
            f"{XAPI}/Contacts({{id:int}})",
            GET=contacts.read,
            PATCH=contacts.change,
            DELETE=contacts.remove,
        ),
        _route(f"{XAPI}/Contacts/Pbx.DeleteContactsById", POST=contacts.remove_by_id),
    ]


def _control_routes(simulation: Simulation) -> list[Route]:
    control = Control(simulation)
    routes: dict[str, dict[str, Handler]] = {
        "contacts": {"GET": control.contacts, "POST": control.add},
        "contacts/{id:int}": {"PATCH": control.edit, "DELETE": control.remove},
        "fail": {"POST": control.fail},
        "hook": {"POST": control.hook},
        "script": {"DELETE": control.clear_script},
        "requests": {"GET": control.requests, "DELETE": control.clear_requests},
        "switches": {"GET": control.switches, "PUT": control.turn},
        "expire-tokens": {"POST": control.expire_tokens},
    }
    return [
        _route(f"/sandbox/{path}", **{method: _explained(each) for method, each in by.items()})
        for path, by in routes.items()
    ]


def _route(path: str, **handlers: Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        # starlette offers HEAD wherever it offers GET; uvicorn leaves the body out.
        method = "GET" if request.method == "HEAD" else request.method
        return await handlers[method](request)

    return Route(path, endpoint, methods=list(handlers))


def _explained(handler: Handler) -> Handler:
    async def explained(request: Request) -> Response:
        try:
            return await handler(request)
        except KeyError as problem:
            return answers.json_answer({"error": f"there is no contact {problem}"}, status=404)
        except (TypeError, ValueError) as problem:
            return answers.json_answer({"error": str(problem)}, status=400)

    return explained
