"""The simulated PBX as an ASGI application: log, latency, faults, hooks, token, then the route."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, unquote_plus

from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route, Router

from reconcile.sandbox import answers, catalogue, front, versions
from reconcile.sandbox.bulk import BulkDelete
from reconcile.sandbox.contacts import Contacts, if_match
from reconcile.sandbox.control import Control
from reconcile.sandbox.login import Login
from reconcile.sandbox.requestlog import LoggedRequest

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reconcile.sandbox.faults import Fault
    from reconcile.sandbox.simulation import Simulation
    from reconcile.sandbox.weather import Spell

    Handler = Callable[[Request], Awaitable[Response]]

XAPI: Final = "/xapi/v1"
_THERE: Final = 0.5
"""How much of the latency a request has had when it is handled; its answer has the rest."""


class Sandbox:
    """One simulated PBX."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._control = Router(_control_routes(simulation), default=_not_found)
        self._pbx = Router(_pbx_routes(simulation), redirect_slashes=False, default=_not_found)
        self.stopping = asyncio.Event()
        """Set when the server goes down: who still waits is cut off. A restart brings a new one."""
        self.restart: Callable[[float, Transport], Awaitable[None]]
        """Takes the server away for so many seconds; set by the `runner.Runner`."""

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
        spell = self._simulation.weather.arrive(
            self._simulation.switches, is_xapi=_is_xapi(request)
        )
        messages = await self._messages(request, entry, spell)
        if await self._stopped_before(request, 1):
            messages = []
        elif spell.restarts:
            await self._restart(request, messages)
        if messages:
            self._simulation.log.answer(ticket, messages[0]["status"])
        with request.state.transport.joined():
            for message in messages:
                await send(message)
        if not messages or messages[-1].get("more_body"):
            await _hang_up(request, has_begun=bool(messages))

    async def _restart(self, request: Request, messages: list[Message]) -> None:
        """Go down, having handled a last request; its answer says that its connection goes too."""
        self._simulation.tokens.expire()
        for head in messages[:1]:
            head["headers"].append((b"connection", b"close"))
        seconds = self._simulation.switches.restart_seconds
        await self.restart(seconds, request.state.transport)

    async def _messages(
        self, request: Request, entry: LoggedRequest, spell: Spell
    ) -> list[Message]:
        """What is to be sent; if it is nothing, or unfinished, the connection is closed then."""
        if spell.is_ignored:
            await self._silence(request)
            return []
        if await self._stopped_before(request, _THERE):
            return []
        script = self._simulation.script
        fault = script.fault(entry.method, entry.path)
        for act in script.acts(entry.method, entry.path):
            act()
        if fault is None:
            return await self._handled(request, spell)
        return await self._struck(request, fault, spell)

    async def _handled(self, request: Request, spell: Spell) -> list[Message]:
        """The answer of this PBX, or of what stands in front of it."""
        if spell.throttle != "never":
            answer = front.throttled(spell.throttle)
            return await self._collected(answer, request) if answer else []
        if spell.forbidden != "never":
            return await self._collected(front.forbidden(spell.forbidden), request)
        messages = await self._collected(self._gate(request), request)
        if not _is_xapi(request) and messages[0]["status"] in {400, 401}:
            self._simulation.weather.reject()
        is_lost = self._simulation.switches.lost_response == "delete"
        return [] if is_lost and _is_xapi(request) and request.method == "DELETE" else messages

    async def _struck(self, request: Request, fault: Fault, spell: Spell) -> list[Message]:
        """What a fault leaves of the answer."""
        is_ordinary = fault.cut is not None and not fault.body
        messages = []
        if is_ordinary or fault.effect == "after":
            messages = await self._handled(request, spell)
        if fault.drop:
            return []
        if fault.stall:
            await self._silence(request, fault.stall)
            return []
        if not is_ordinary:
            messages = await self._collected(answers.fault(fault), request)
        return messages if fault.cut is None else _cut(messages, fault.cut)

    async def _silence(self, request: Request, seconds: float | None = None) -> None:
        """Pass time, until the client hangs up or this server ends."""
        ends = {
            asyncio.create_task(_left(request)),
            asyncio.create_task(self.stopping.wait()),
        }
        _, waiting = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    async def _stopped_before(self, request: Request, share: float) -> bool:
        """Wait until so much of the latency is over; whether this server ends before."""
        stopping = self.stopping
        if latency := self._simulation.switches.latency:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(request.state.arrived + share * latency):
                    await stopping.wait()
        return stopping.is_set()

    def _gate(self, request: Request) -> ASGIApp:
        """Without the live token, /xapi/v1 looks at nothing else."""
        authorization = request.headers.get("authorization", "")
        if _is_xapi(request) and not self._simulation.tokens.accepts(authorization):
            return answers.unauthorized()
        return self._pbx

    async def _collected(self, app: ASGIApp, request: Request) -> list[Message]:
        """The whole answer, held back, so that it can still be lost."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await app(request.scope, request.receive, keep)
        version = self._simulation.switches.version
        if version and _is_xapi(request):
            messages[0]["headers"].append((b"x-3cx-version", version.encode("ascii")))
        return messages


def _cut(messages: list[Message], size: int) -> list[Message]:
    """The answer with so many bytes of its body, the rest still to come."""
    head, *parts = messages
    body = b"".join(part["body"] for part in parts)
    if size >= len(body):
        return messages
    return [head, {"type": "http.response.body", "body": body[:size], "more_body": True}]


async def _hang_up(request: Request, *, has_begun: bool) -> None:
    """Close the connection; `runner.Connection` lends its transport for it.

    An answer that has begun goes out first as far as it was written. The connection must be gone
    before its request ends: uvicorn reports a request without a whole answer as a bug.
    """
    transport = request.state.transport
    if has_begun:
        transport.close()
    else:
        transport.abort()
    await _left(request)


async def _left(request: Request) -> None:
    """Wait until this connection has ended."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


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
        _route(f"{XAPI}/Defs", GET=catalogue.Defs(simulation).list),
        _route(f"{XAPI}/Contacts", GET=contacts.list, POST=contacts.create),
        _route(
            f"{XAPI}/Contacts({{id:int}})",
            GET=contacts.read,
            PATCH=contacts.change,
            DELETE=contacts.remove,
        ),
        *(
            BulkDelete(simulation, contacts=f"{XAPI}/Contacts", name=name)
            for name in versions.BULK_DELETES
        ),
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
