"""The contacts of /xapi/v1: the five plain operations.

What is refused here is what 3CX refuses; the book itself would take anything.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from reconcile.sandbox import answers, conditions, paging, query, refusals, versions
from reconcile.sandbox.book import TEXTS, Row
from reconcile.sandbox.filters import BadQuery

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from reconcile.sandbox.simulation import Simulation
    from reconcile.sandbox.switches import Switches

MAX_COMPANY = 50


class NotAContact(ValueError):
    """A body that is no Pbx.Contact; carries the OData library's sentence."""


class Contacts:
    """The handlers of one simulation; each runs without a pause, so each is one step."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._book = simulation.book
        self._listings = count(1)

    async def list(self, request: Request) -> Response:
        """GET /Contacts."""
        switches = self._simulation.switches
        sent = request.scope["query_string"].decode("ascii")
        try:
            asked = query.parse(sent, switches)
        except BadQuery as problem:
            return refusals.bad_query(switches, str(problem))
        is_all = switches.list_scope == "all"
        rows = self._book.rows() if is_all else self._book.company_rows()
        page = paging.page(asked, rows, switches, nth=next(self._listings))
        url = f"{request.base_url}xapi/v1/Contacts"
        link = paging.next_link(asked, page, switches, url=url, query_string=sent)
        return answers.listing(request, page, asked, switches, next_link=link)

    async def create(self, request: Request) -> Response:
        """POST /Contacts; an Id in the body is not used."""
        switches = self._simulation.switches
        try:
            fields = _contact(await request.body(), switches)
        except NotAContact as problem:
            return refusals.refused(switches, 400, str(problem))
        if problems := _problems(fields):
            return refusals.not_valid(switches, problems)
        with self._book.lock:
            reuse = switches.id_reuse == "reused"
            row = self._book.row(self._book.add(fields, reuse_id=reuse))
        return answers.entity(request, _there(row), switches, status=201)

    async def read(self, request: Request) -> Response:
        """GET /Contacts({Id})."""
        switches = self._simulation.switches
        try:
            asked = query.parse(request.scope["query_string"].decode("ascii"), switches)
        except BadQuery as problem:
            return refusals.bad_query(switches, str(problem))
        row = self._book.row(request.path_params["id"])
        if row is None:
            return _missing(switches, switches.get_missing)
        return answers.entity(request, row, switches, select=asked.select)

    async def change(self, request: Request) -> Response:
        """PATCH /Contacts({Id}); what would come out is validated, not only what came in."""
        switches = self._simulation.switches
        try:
            fields = _contact(await request.body(), switches)
        except NotAContact as problem:
            return refusals.refused(switches, 400, str(problem))
        with self._book.lock:
            row = self._book.row(request.path_params["id"])
            if row is None:
                return _missing(switches, "404_json")
            if refusal := conditions.refusal(if_match(request), row, switches, deletes=False):
                return refusal
            if problems := _problems({**row.fields, **fields}):
                return refusals.not_valid(switches, problems)
            self._book.edit(row.id, fields)
            changed = self._book.row(row.id)
        if switches.patch_status == "204":
            return answers.empty(204)
        return answers.entity(request, _there(changed), switches)

    async def remove(self, request: Request) -> Response:
        """DELETE /Contacts({Id}), on the condition of If-Match.

        Where it answers 200, the body is the contact that was deleted: what a controller of
        ASP.NET has at hand for `Ok(…)`.
        """
        switches = self._simulation.switches
        with self._book.lock:
            row = self._book.row(request.path_params["id"])
            if row is None:
                return _missing(switches, switches.delete_missing)
            if refusal := conditions.refusal(if_match(request), row, switches, deletes=True):
                return refusal
            self._book.remove(row.id)
        if switches.delete_status == "204":
            return answers.empty(204)
        return answers.entity(request, row, switches)


def if_match(request: Request) -> str | None:
    """The header as sent, several joined as RFC 9110 5.3 says; None if there was none.

    ASP.NET parses an empty one into an empty list, which then is no condition at all: exactly the
    trap that a client must not step into.
    """
    sent = request.headers.getlist("if-match")
    return ", ".join(sent) if sent else None


def _there(row: Row | None) -> Row:
    """The row, where the lock and the check before say that it exists."""
    if row is None:  # pragma: no cover - the lock is held
        raise LookupError("the contact vanished under the lock")
    return row


def _missing(switches: Switches, form: Literal["404_json", "404_empty", "400", "204"]) -> Response:
    """The answer to a request for an Id that is not there."""
    match form:
        case "404_json":
            return refusals.refused(switches, 404, "Resource not found.")
        case "404_empty":
            return answers.empty(404)
        case "400":
            return refusals.not_valid(switches, [("Id", "WARNINGS.XAPI.NOT_FOUND")])
        case _:
            return answers.empty(204)


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _contact(body: bytes, switches: Switches) -> dict[str, str | None]:
    """The properties in a body. Raises NotAContact."""
    sent = _json(body)
    if not isinstance(sent, dict):
        raise NotAContact("The input was not valid: a Pbx.Contact is expected.")
    fields = {n: v for n, v in sent.items() if n != "Id" and not n.startswith("@")}
    types = versions.current(switches).contact_types
    for name, value in fields.items():
        _check(name, value, types)
    return fields


def _check(name: str, value: Any, types: Collection[str] | None) -> None:  # noqa: ANN401 - what JSON gives
    if name not in TEXTS:
        raise NotAContact(
            f"The property '{name}' does not exist on type 'Pbx.Contact'. "
            "Make sure to only use property names that are defined by the type."
        )
    if value is not None and not isinstance(value, str):
        raise NotAContact(
            f"Cannot convert the value of '{name}' to the expected type 'Edm.String'."
        )
    if name == "ContactType" and types and value is not None and value not in types:
        raise NotAContact(f"The value '{value}' is not a member of the enum 'Pbx.ContactSource'.")
    try:
        (value or "").encode("utf-8")
    except UnicodeEncodeError as problem:
        raise NotAContact(f"The value of '{name}' is not valid Unicode.") from problem


def _problems(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What 3CX's validation says of a contact, as (property, warning code)."""
    problems = []
    if not fields.get("PhoneNumber"):
        problems.append(("PhoneNumber", "WARNINGS.CONTACTS_SPECIFY_PHONE_NUMBER"))
    if not any(fields.get(name) for name in ("FirstName", "LastName", "CompanyName")):
        problems.append(("FirstName", "WARNINGS.CONTACTS_SPECIFY_NAME_SURNAME_COMPANY"))
    if len(fields.get("CompanyName") or "") > MAX_COMPANY:
        problems.append(("CompanyName", "WARNINGS.LENGTH_NOT_MORE_50_CHARS"))
    return problems
