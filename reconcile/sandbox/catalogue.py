"""The few things of /xapi/v1 that are not contacts: what exists, and which version this is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from reconcile.sandbox import answers, query, refusals
from reconcile.sandbox.book import TEXTS
from reconcile.sandbox.filters import BadQuery

if TYPE_CHECKING:
    from starlette.requests import Request

    from reconcile.sandbox.simulation import Simulation


async def service_document(request: Request) -> Response:
    """GET /xapi/v1/: the entity sets."""
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in ("Contacts", "Defs")]
    root = answers.context(request).removesuffix("#")
    return answers.json_answer({"@odata.context": root, "value": sets})


class Defs:
    """The entity set Defs of one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def list(self, request: Request) -> Response:
        """GET /Defs?$select=Id: the documented cheap way to read the version from the header."""
        switches = self._simulation.switches
        try:
            asked = query.parse(request.scope["query_string"].decode("ascii"), switches, ("Id",))
        except BadQuery as problem:
            return refusals.bad_query(switches, str(problem))
        context = answers.context(request, answers.selected("Defs", asked.select))
        return answers.json_answer({"@odata.context": context, "value": [{"Id": 1}]})


async def metadata(_request: Request) -> Response:
    """GET /$metadata: as much of the model as is simulated."""
    return Response(_EDMX, media_type="application/xml")


_PROPERTIES: Final = "".join(f'<Property Name="{name}" Type="Edm.String"/>' for name in TEXTS)
_EDMX: Final = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
    '<edmx:DataServices><Schema Namespace="Pbx" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
    '<EntityType Name="Contact"><Key><PropertyRef Name="Id"/></Key>'
    f'<Property Name="Id" Type="Edm.Int32" Nullable="false"/>{_PROPERTIES}</EntityType>'
    '<EntityType Name="Defs"><Key><PropertyRef Name="Id"/></Key>'
    '<Property Name="Id" Type="Edm.Int32" Nullable="false"/></EntityType>'
    '<EntityContainer Name="Container"><EntitySet Name="Contacts" EntityType="Pbx.Contact"/>'
    '<EntitySet Name="Defs" EntityType="Pbx.Defs"/></EntityContainer>'
    "</Schema></edmx:DataServices></edmx:Edmx>"
)
