"""What this PBX really does with ETags, proved on a throw-away contact of our own.

3CX's contract lists If-Match on every DELETE, and nothing public shows that a PBX honours it. Owns
the experiment and the cleaning up after it; must never change a contact that does not carry both
our tag and our name, never send a tag that the server did not issue, and never send a DELETE for an
Id that is gone, which by then may be somebody else's.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from reconcile.errors import PbxError, PbxRefused, PbxUntrusted
from reconcile.model import (
    Acceptance,
    Answer,
    Contact,
    ContentMatch,
    EtagKind,
    IfMatch,
    Probe,
    ServerEtag,
)
from reconcile.pbx import odata
from reconcile.pbx.client import PbxWriter
from reconcile.pbx.failures import from_reply
from reconcile.pbx.transport import CONTACT_PATTERN, WRITING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from reconcile.pbx.client import PbxReader
    from reconcile.pbx.connection import Connection

PROBE_TAG: Final = "reconcile-probe"
PROBE_NAME: Final = "reconcile-probe"
PROBE_CONTACT: Final = {
    "FirstName": PROBE_NAME,
    "LastName": "may be deleted",
    "PhoneNumber": "+999000000000",  # no country has the code 999, so nobody calls from there
    "Tag": PROBE_TAG,
}
_EDITED: Final = {**PROBE_CONTACT, "LastName": "was edited, may be deleted"}
_DONE: Final = frozenset({HTTPStatus.OK, HTTPStatus.NO_CONTENT})
_CONDITION_REFUSED: Final = frozenset({400, 409, 412, 428})
"""Answers that speak of If-Match, or of its absence; others, such as 403, do not."""
_ANSWERS: Final = frozenset({200, 204, 400, 404, 410})
"""What is seen as an answer about a missing Id."""


class _ProbeWriter(PbxWriter):
    """A writer that may also edit; nobody else has one."""

    rules = WRITING | {("PATCH", CONTACT_PATTERN)}

    def edit(self, contact_id: int, fields: Mapping[str, str]) -> None:
        """PATCH one contact. Raises PbxError unless the server says that it did."""
        reply = self._send("PATCH", odata.contact_path(contact_id), json=dict(fields))
        if reply.status not in _DONE:
            raise from_reply(reply, self._session.connection)


def probe(connection: Connection, reader: PbxReader, *, now: datetime) -> Probe:
    """Make contacts of our own, look at their ETags, edit one, and delete them in every way.

    With the ETag from before the edit, with the right one, and without. Whatever happens, our
    contacts are removed again, first of all those of a probe that crashed. What could not be proved
    is `unproven`, and `detail` says why. Raises PbxError only if the PBX can't even be asked for
    its version.
    """
    version = reader.version()
    bench = _Bench(reader, _ProbeWriter(reader))
    try:
        bench.remove_leftovers()
        bench.experiment()
    except PbxError as error:
        bench.say(f"Not everything could be proved. {error.message}")
    finally:
        remains = bench.clean_up()
    return Probe(
        pbx_url=connection.url,
        pbx_version=version,
        probed_at=now,
        etags=bench.etags,
        etags_in=bench.etags_in,
        if_match=bench.if_match,
        right_etag=bench.right_etag,
        without_etag=bench.without_etag,
        paging=reader.paging,
        page_cap=bench.page_cap,
        missing=bench.missing,
        detail=" ".join(filter(None, (*bench.sentences, remains))),
    )


@contextmanager
def throw_away(reader: PbxReader, fields: Mapping[str, str]) -> Iterator[Contact]:
    """A contact of our own for an exercise; it and whatever it became are removed behind it.

    Raises PbxError if it can't be made, or if something of ours can't be removed.
    """
    bench = _Bench(reader, _ProbeWriter(reader))
    bench.remove_leftovers()
    bench.begun = True
    try:
        yield bench.look(bench.make({**fields, **PROBE_CONTACT}))
    finally:
        remains = bench.clean_up()
    if remains:
        raise _unproven(remains)


@dataclass(slots=True)
class _Bench:
    """The place of the experiment: what was made on it is taken away again."""

    reader: PbxReader
    writer: _ProbeWriter
    etags: EtagKind = EtagKind.NONE
    etags_in: str = ""
    if_match: IfMatch = IfMatch.UNPROVEN
    right_etag: Acceptance = Acceptance.UNPROVEN
    without_etag: Acceptance = Acceptance.UNPROVEN
    page_cap: int = 0
    missing: str = ""
    sentences: list[str] = field(default_factory=list)
    made: set[int] = field(default_factory=set)
    begun: bool = False
    is_lost: bool = False
    """A creation was not answered: its contact may be there, or come later."""

    def say(self, sentence: str) -> None:
        """Add to the detail."""
        self.sentences.append(sentence)

    def experiment(self) -> None:
        """Everything in its order; what is proved before a failure stays proved."""
        self.begun = True
        first = self.make()
        fresh = self.look(first)
        self._see_tags(fresh)
        if fresh.etag:
            self.writer.edit(first, _EDITED)
            self._judge(fresh, self.look(first))
        else:
            self.say("3CX issues no ETags: none can guard a delete.")
        self._judge_untagged(self.make())
        self._see_missing()
        self.page_cap = self.reader.page_cap()

    def remove_leftovers(self) -> None:
        """Remove what a crashed probe left. Raises PbxError if that can't be done."""
        for contact in self._ours():
            if not self._is_removed(contact.id):
                raise _unproven(f"An earlier probe's contact {contact.id} can't be deleted.")

    def clean_up(self) -> str:
        """Remove everything of ours, without fail; the sentence says what a person must do."""
        try:
            found = {contact.id for contact in self._ours()}
            ids, unsure = self.made | found, self.is_lost and not found - self.made
        except PbxError:
            ids, unsure = self.made, self.begun
        left = [
            contact_id for contact_id in sorted(ids) if not self._is_removed_quietly(contact_id)
        ]
        if not left and not unsure:
            return ""
        which = ", ".join(map(str, left)) or "if there is one"
        return f'Delete the contact "{PROBE_NAME}" in the 3CX console by hand ({which}).'

    def make(self, fields: Mapping[str, str] = PROBE_CONTACT) -> int:
        """A contact of our own; its Id."""
        self.is_lost = True
        try:
            contact_id = self.writer.create(fields).id
        except PbxRefused:
            self.is_lost = False
            raise
        self.is_lost = False
        self.made.add(contact_id)
        return contact_id

    def _see_tags(self, fresh: Contact) -> None:
        """Which places issue an ETag: the listing, the body of a single contact, its header."""
        reply = self.reader.session.get(odata.contact_path(fresh.id))
        places = {
            "list": next((c.etag for c in self._ours() if c.id == fresh.id), ""),
            "entity": odata.parse_contact(reply.body)[0].etag,
            "header": odata.usable_etag(reply.etag),
        }
        self.etags_in = ", ".join(place for place, tag in places.items() if tag)
        if fresh.etag:
            self.etags = EtagKind.WEAK if fresh.etag.startswith("W/") else EtagKind.STRONG
        if len({tag for tag in places.values() if tag}) > 1:
            self.say("The places that issue ETags disagree about them.")

    def _judge(self, fresh: Contact, edited: Contact) -> None:
        """Delete with the tag from before the edit, then with the right one."""
        if edited.fingerprint == fresh.fingerprint:
            return self.say("An edit was accepted and did not show.")
        if edited.etag in {fresh.etag, ""}:
            return self.say("An edit gave the contact no new ETag.")
        stale = self._try_stale(fresh, edited)
        if self._is_still(edited):
            return self._judge_right(edited, stale)
        if stale.status in {*_DONE, None}:
            self.if_match = IfMatch.IGNORED
            return self.say(f"A DELETE with an old ETag was done ({_said(stale)}).")
        return self.say(f"A DELETE with an old ETag was {_said(stale)}, and the contact was gone.")

    def _try_stale(self, fresh: Contact, edited: Contact) -> Answer:
        """Delete with the old tag; after one 412 once more, for one may be chance."""
        stale = self.writer.delete(fresh.id, ServerEtag(tag=fresh.etag))
        if stale.status == HTTPStatus.PRECONDITION_FAILED and self._is_still(edited):
            return self.writer.delete(fresh.id, ServerEtag(tag=fresh.etag))
        return stale

    def _is_still(self, ours: Contact) -> bool:
        """Whether our contact is there as it was, and not somebody else's who got its Id."""
        found = self.reader.contact(ours.id)
        return found is not None and found[0] == ours

    def _judge_right(self, edited: Contact, stale: Answer) -> None:
        """A PBX that refuses every tag protects everything, and lets nothing be deleted."""
        right = self.writer.delete(edited.id, ServerEtag(tag=edited.etag))
        if self._is_still(edited) and right.status in _CONDITION_REFUSED:
            self.right_etag = Acceptance.REFUSED
            both = f"An old ETag was {_said(stale)}, the right one was {_said(right)}:"
            return self.say(f"{both} with an ETag nothing can be deleted here.")
        if right.status not in _DONE:
            return self.say(f"An old ETag was refused, but the right one was {_said(right)}.")
        self.right_etag = Acceptance.ACCEPTED
        if stale.status != HTTPStatus.PRECONDITION_FAILED:
            return self.say(f"A DELETE with an old ETag was {_said(stale)}, not 412.")
        self.if_match = IfMatch.ENFORCED
        return self.say("An old ETag was refused with 412, the right one accepted.")

    def _judge_untagged(self, contact_id: int) -> None:
        """Delete without a tag: what a contact that has none needs."""
        contact = self.look(contact_id)
        answer = self.writer.delete(contact_id, ContentMatch(fingerprint=contact.fingerprint))
        if not self._is_still(contact):
            self.without_etag = Acceptance.ACCEPTED
            return
        if answer.status in _CONDITION_REFUSED:
            self.without_etag = Acceptance.REFUSED
        self.say(f"A DELETE without an ETag was {_said(answer)}.")

    def _see_missing(self) -> None:
        """What the PBX says of a contact that was deleted; by GET, for an Id may be used again."""
        for contact_id in sorted(self.made):
            reply = self.reader.session.get(odata.contact_path(contact_id), expected=_ANSWERS)
            if reply.status != HTTPStatus.OK:
                self.missing = f"{reply.status}, {odata.explain(reply.body).kind.value}"
                return

    def _ours(self) -> tuple[Contact, ...]:
        return tuple(c for c in self.reader.find("Tag", PROBE_TAG) if _is_ours(c))

    def look(self, contact_id: int) -> Contact:
        """The contact as it is now. Raises PbxError unless it is there and ours."""
        found = self.reader.contact(contact_id)
        if found is None or not _is_ours(found[0]):
            raise _unproven(f"The contact {contact_id} that 3CX had just made was not there.")
        return found[0]

    def _is_removed_quietly(self, contact_id: int) -> bool:
        try:
            return self._is_removed(contact_id)
        except PbxError:
            return False

    def _is_removed(self, contact_id: int) -> bool:
        """Delete one of ours: under its own tag, and without one where all tags are refused."""
        for with_tag in (True, False):
            found = self.reader.contact(contact_id)
            if found is None or not _is_ours(found[0]):
                return found is None or not _looks_like_ours(found[0])
            contact = found[0]
            if not with_tag:
                self.writer.delete(contact_id, ContentMatch(fingerprint=contact.fingerprint))
            elif contact.etag:
                self.writer.delete(contact_id, ServerEtag(tag=contact.etag))
        return self.reader.contact(contact_id) is None


def _is_ours(contact: Contact) -> bool:
    return contact.field("Tag") == PROBE_TAG and contact.field("FirstName") == PROBE_NAME


def _looks_like_ours(contact: Contact) -> bool:
    """What a PBX that doesn't keep every property may have made of ours: a person has to look."""
    number = contact.field("PhoneNumber") == PROBE_CONTACT["PhoneNumber"]
    return number or contact.field("FirstName") == PROBE_NAME


def _said(answer: Answer) -> str:
    status = f"answered {answer.status}" if answer.status else "not answered"
    return f"{status}: {answer.detail}" if answer.detail else status


def _unproven(message: str) -> PbxUntrusted:
    return PbxUntrusted(message, hint="reconcile doctor --probe", code="pbx_untrusted")
