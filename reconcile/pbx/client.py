"""Reading contacts, and the few requests that change one.

Owns `PbxReader` (GET only, and the token) and `PbxWriter` (the conditional DELETE, and POST for
restore). Must never delete in bulk, invent an ETag, or send a second time what changes something.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self

from reconcile.errors import PbxError, PbxRefused, PbxUntrusted
from reconcile.model import Answer, Contact, PbxSnapshot, Precondition, ServerEtag
from reconcile.pbx import odata
from reconcile.pbx.connection import Connection
from reconcile.pbx.failures import Redirected, from_reply, said
from reconcile.pbx.listing import Listing
from reconcile.pbx.odata import CONTACTS, BodyKind
from reconcile.pbx.session import Session
from reconcile.pbx.transport import DEFS_TARGET, WRITING, Reply, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from types import TracebackType

    from reconcile.pbx.trace import Trace

__all__ = ["Connection", "PbxReader", "PbxWriter"]

_GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_MAYBE_MISSING: Final = frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST, *_GONE})
_NAMELESS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.OK, *_GONE})
_LOOKS: Final = 3
"""Contacts that are looked at for an ETag; one may be removed just then."""
_BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_CREATED: Final = frozenset({HTTPStatus.CREATED, HTTPStatus.OK})


class PbxReader:
    """Reads one PBX; everything that it sends is a GET, or the token request.

    Every method raises PbxError: PbxUnreachable, PbxRefused or PbxUntrusted.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        sleep: Callable[[float], None] = time.sleep,
        trace: Trace | None = None,
    ) -> None:
        self.connection = connection
        self.session = Session(connection, sleep=sleep, trace=trace)
        self._listing = Listing(self.session)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    @property
    def server_time(self) -> datetime | None:
        """What the PBX's clock showed at its last answer, in UTC; None if it didn't say."""
        return self.session.server_time

    @property
    def paging(self) -> str:
        """How the last listing was read: by `skip` or by `key`; "" before the first."""
        return self._listing.paging

    def page_cap(self) -> int:
        """The most contacts that a page of this PBX can have; 0 if it sets no limit."""
        return self._listing.page_cap()

    def version(self) -> str:
        """The PBX's version, from the header of any answer; "" if it doesn't say."""
        if not self.session.version:
            self.session.get(DEFS_TARGET, expected=_NAMELESS)
        return self.session.version

    def snapshot(
        self, *, now: datetime, progress: Callable[[int, int], None] | None = None
    ) -> PbxSnapshot:
        """All contacts; `progress` is told how many are read and how many there are.

        An empty phonebook is an empty snapshot: whether that can be is for the guards to say.
        """
        everything = self._listing.read(progress)
        return PbxSnapshot(
            url=self.connection.url,
            version=self.version(),
            read_at=now,
            ids=everything.ids,
            etags=everything.etags,
            columns=everything.columns,
            single_etag=self._single_etag(everything),
        )

    def _single_etag(self, listed: odata.Page) -> str:
        """What a contact read by itself shows, where the listing shows nothing."""
        if any(listed.etags):
            return ""
        looks = (self.contact(contact_id) for contact_id in listed.ids[:_LOOKS])
        return next((found[0].etag for found in looks if found), "")

    def contact(self, contact_id: int) -> tuple[Contact, dict[str, Any]] | None:
        """One contact as it is now, and its entity without annotations for the tombstone.

        None only if the server doesn't have it at its address, and its listing, which shows that
        the base path is right, has no contact with this Id either.
        """
        target = odata.contact_path(contact_id)
        reply = self.session.get(target, expected=_MAYBE_MISSING)
        if reply.status != HTTPStatus.OK:
            self._believe_missing(contact_id, reply)
            return None
        contact, entity = odata.parse_contact(reply.body, etag_header=reply.etag)
        if contact.id != contact_id:
            raise _contradiction(f"answered with contact {contact.id} for {contact_id}")
        return contact, entity

    def find(self, name: str, text: str) -> tuple[Contact, ...]:
        """All contacts that have this text in this property; for looking before creating."""
        page = self._listing.matching(odata.equals(name, text))
        return tuple(c for c in page.contacts() if c.field(name) == text)

    @staticmethod
    def as_contact(entity: Mapping[str, Any]) -> Contact:
        """A stored entity in the form in which contacts are compared."""
        return odata.as_contact(entity)

    def _believe_missing(self, contact_id: int, reply: Reply) -> None:
        """Raise unless the listing agrees; how a missing Id is answered differs between builds."""
        if self._listing.has(contact_id):
            raise _contradiction(f"lists contact {contact_id} and {said(reply)} for it")


class PbxWriter:
    """Changes contacts one at a time, on a reader's connections and token.

    Constructed for applying, restoring and probing only: a dry run has none. No request is ever
    sent twice.
    """

    rules: Rules = WRITING

    def __init__(self, reader: PbxReader) -> None:
        self._session = reader.session
        self._client = reader.session.client(self.rules)

    def delete(self, contact_id: int, precondition: Precondition) -> Answer:
        """One DELETE under its precondition; whatever comes back is an answer, never an error.

        After a 401 the token has been dropped: begin again from the re-read, which fetches a new
        one. A status of None means that nobody knows whether it was done.
        """
        etag = precondition.tag if isinstance(precondition, ServerEtag) else ""
        headers = {"If-Match": etag} if etag else {}
        try:
            reply = self._send("DELETE", odata.contact_path(contact_id), headers=headers)
        except Redirected as error:
            return Answer(status=error.status, detail=error.message)
        except PbxRefused as error:  # there is no token to be had, so nothing was done
            return Answer(status=HTTPStatus.UNAUTHORIZED, detail=error.message)
        except PbxError as error:
            return Answer(status=None, detail=error.message)
        if reply.status in _BUSY:
            self._session.lanes.halve()
        return _answer(reply)

    def create(self, fields: Mapping[str, Any]) -> Contact:
        """Create a contact from what of an entity can be sent, and give it as the server has it.

        Raises PbxRefused with the server's reason; PbxUnreachable leaves open whether it was done,
        so look for it before trying again.
        """
        reply = self._send("POST", CONTACTS, json=odata.creatable(fields))
        if reply.status not in _CREATED:
            raise from_reply(reply, self._session.connection)
        return odata.parse_contact(reply.body, etag_header=reply.etag)[0]

    def _send(self, method: str, path: str, **content: Any) -> Reply:  # noqa: ANN401 - as httpx
        request = self._client.build(method, path, **content)
        return self._session.once(self._client, request)


def _answer(reply: Reply) -> Answer:
    """An answer to DELETE; a success that carries anything but whole JSON is no success."""
    body = odata.explain(reply.body)
    doubtful = reply.status == HTTPStatus.OK and body.kind not in {
        BodyKind.EMPTY,
        BodyKind.OTHER_JSON,
    }
    return Answer(
        status=None if doubtful else reply.status,
        detail=f"it {said(reply)}" if doubtful else body.text,
        retry_after=reply.retry_after,
        not_found=_says_missing(reply),
    )


def _says_missing(reply: Reply) -> bool:
    """Whether the answer says in so many words that there is no such contact."""
    body = odata.explain(reply.body)
    if reply.status in _GONE:
        return body.kind in {BodyKind.EMPTY, BodyKind.ODATA}
    return reply.status == HTTPStatus.BAD_REQUEST and body.has("XAPI.NOT_FOUND")


def _contradiction(what: str) -> PbxUntrusted:
    return PbxUntrusted(
        f"3CX {what}.",
        hint="Run it again; if it happens again: reconcile doctor",
        code="pbx_untrusted",
    )
