"""The bulk delete, which is there because 3CX has it; nobody should call it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.routing import Match, Route

from reconcile.sandbox import answers, refusals, versions

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope

    from reconcile.sandbox.simulation import Simulation


class BulkDelete(Route):
    """POST {contacts}/{name}; a PBX whose version has another name for it doesn't know the path."""

    def __init__(self, simulation: Simulation, *, contacts: str, name: str) -> None:
        super().__init__(f"{contacts}/{name}", self._remove, methods=["POST"])
        self._simulation = simulation
        self._name = name

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As every route; never one of another version."""
        if versions.current(self._simulation.switches).bulk_delete != self._name:
            return Match.NONE, {}
        return super().matches(scope)

    async def _remove(self, request: Request) -> Response:
        """No condition, and no word about single ids."""
        ids = _ids(await request.body())
        if ids is None:
            problem = ("ids", "WARNINGS.XAPI.REQUIRED")
            return refusals.not_valid(self._simulation.switches, [problem])
        book = self._simulation.book
        with book.lock:
            for contact_id in ids:
                if book.row(contact_id):
                    book.remove(contact_id)
        return answers.empty(204)


def _ids(body: bytes) -> list[int] | None:
    try:
        sent = json.loads(body)
    except ValueError:
        return None
    ids = sent.get("ids") if isinstance(sent, dict) else None
    return ids if isinstance(ids, list) and all(type(each) is int for each in ids) else None
