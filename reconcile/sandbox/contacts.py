"""The contacts of /xapi/v1: the five plain operations, and the bulk delete that nobody should call.

What is refused here is what 3CX refuses; the book itself would take anything.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconcile.sandbox import answers, query
from reconcile.sandbox.book import SOURCES, TEXTS, Row
from reconcile.sandbox.filters import BadQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from reconcile.sandbox.simulation import Simulation

MAX_COMPANY = 50


class NotAContact(ValueError):
    """A body that is no Pbx.Contact; carries the OData library's sentence."""


class Contacts:
    """The handlers of one simulation; each runs without a pause, so each is one step."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._book = simulation.book

    async def list(self, request: Request) -> Response:
        """GET /Contacts."""
        try:
            asked = query.parse(request.scope["query_string"].decode("ascii"))
        except BadQuery as problem:
            return answers.bad_query(str(problem))
        page = query.find(asked, self._book.rows())
        return answers.listing(request, page, asked, self._simulation.switches)

    async def create(self, request: Request) -> Response:
        """POST /Contacts; an Id in the body is not used."""
        try:
            fields = _contact(await request.body())
        except NotAContact as problem:
            return answers.odata_error(400, str(problem))
        if problems := _problems(fields):
            return answers.not_valid(problems)
        with self._book.lock:
            row = self._book.row(self._book.add(fields))
        return answers.entity(request, _there(row), self._simulation.switches, status=201)

    async def read(self, request: Request) -> Response:
        """GET /Contacts({Id})."""
        try:
            asked = query.parse(request.scope["query_string"].decode("ascii"))
        except BadQuery as problem:
            return answers.bad_query(str(problem))
        row = self._book.row(request.path_params["id"])
        if row is None:
            return _missing()
        return answers.entity(request, row, self._simulation.switches, select=asked.select)

    async def change(self, request: Request) -> Response:
        """PATCH /Contacts({Id}); what would come out is validated, not only what came in."""
        try:
            fields = _contact(await request.body())
        except NotAContact as problem:
            return answers.odata_error(400, str(problem))
        with self._book.lock:
            row = self._book.row(request.path_params["id"])
            if refusal := self._refusal(request, row):
                return refusal
            if problems := _problems({**_there(row).fields, **fields}):
                return answers.not_valid(problems)
            self._book.edit(_there(row).id, fields)
        return answers.empty(204)

    async def remove(self, request: Request) -> Response:
        """DELETE /Contacts({Id}), on the condition of If-Match."""
        with self._book.lock:
            row = self._book.row(request.path_params["id"])
            if refusal := self._refusal(request, row):
                return refusal
            self._book.remove(_there(row).id)
        return answers.empty(204)

    async def remove_by_id(self, request: Request) -> Response:
        """POST /Contacts/Pbx.DeleteContactsById: no condition, no word about single ids."""
        body = _json(await request.body())
        ids = body.get("ids") if isinstance(body, dict) else None
        if not isinstance(ids, list) or not all(type(each) is int for each in ids):
            return answers.not_valid([("ids", "WARNINGS.XAPI.REQUIRED")])
        with self._book.lock:
            for contact_id in ids:
                if self._book.row(contact_id):
                    self._book.remove(contact_id)
        return answers.empty(204)

    def _refusal(self, request: Request, row: Row | None) -> Response | None:
        """404 or 412, or None if the request may go on."""
        if row is None:
            return _missing()
        switches = self._simulation.switches
        condition = if_match(request)
        if switches.if_match == "ignored" or not condition:
            return None
        if holds(condition, answers.etag(row, switches)):
            return None
        return answers.odata_error(412, "The entity was changed: the ETag in If-Match is stale.")


def if_match(request: Request) -> str | None:
    """The header as sent, several joined as RFC 9110 5.3 says; None if there was none.

    ASP.NET parses an empty one into an empty list, which then is no condition at all: exactly the
    trap that a client must not step into.
    """
    sent = request.headers.getlist("if-match")
    return ", ".join(sent) if sent else None


def holds(condition: str, tag: str) -> bool:
    """Whether a contact with this tag satisfies If-Match: `*`, or one of the tags byte for byte.

    RFC 9110 13.1.1 would never let a weak tag match; OData issues weak ones and takes them back.
    """
    if condition.strip() == "*":
        return True
    return bool(tag) and tag in {each.strip() for each in condition.split(",")}


def _there(row: Row | None) -> Row:
    """The row, where the lock and the check before say that it exists."""
    if row is None:  # pragma: no cover - the lock is held
        raise LookupError("the contact vanished under the lock")
    return row


def _missing() -> Response:
    return answers.odata_error(404, "Resource not found.")


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _contact(body: bytes) -> dict[str, str | None]:
    """The properties in a body. Raises NotAContact."""
    sent = _json(body)
    if not isinstance(sent, dict):
        raise NotAContact("The input was not valid: a Pbx.Contact is expected.")
    fields = {n: v for n, v in sent.items() if n != "Id" and not n.startswith("@")}
    for name, value in fields.items():
        _check(name, value)
    return fields


def _check(name: str, value: Any) -> None:  # noqa: ANN401 - what JSON gives
    if name not in TEXTS:
        raise NotAContact(
            f"The property '{name}' does not exist on type 'Pbx.Contact'. "
            "Make sure to only use property names that are defined by the type."
        )
    if value is not None and not isinstance(value, str):
        raise NotAContact(
            f"Cannot convert the value of '{name}' to the expected type 'Edm.String'."
        )
    if name == "ContactType" and value is not None and value not in SOURCES:
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
