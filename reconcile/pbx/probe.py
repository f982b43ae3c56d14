"""What this PBX really does with ETags, proved on a throw-away contact of our own.

3CX's contract lists If-Match on every DELETE, and nothing public shows that a PBX honours it. Owns
the experiment and the cleaning up after it; must never change a contact that does not carry both
our tag and our name, and never send a tag that the server did not issue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from reconcile.errors import PbxError, PbxUntrusted
from reconcile.model import Answer, Contact, ContentMatch, EtagKind, IfMatch, Probe, ServerEtag
from reconcile.pbx import odata
from reconcile.pbx.client import PbxWriter
from reconcile.pbx.failures import from_reply
from reconcile.pbx.transport import CONTACT_PATTERN, WRITING

if TYPE_CHECKING:
    from collections.abc import Mapping
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


class _ProbeWriter(PbxWriter):
    """A writer that may also edit; nobody else has one."""

    rules = WRITING | {("PATCH", CONTACT_PATTERN)}

    def edit(self, contact_id: int, fields: Mapping[str, str]) -> None:
        """PATCH one contact. Raises PbxError unless the server says that it did."""
        reply = self._send("PATCH", odata.contact_path(contact_id), json=dict(fields))
        if reply.status not in _DONE:
            raise from_reply(reply, self._session.connection)


def probe(connection: Connection, reader: PbxReader, *, now: datetime) -> Probe:
    """Make a contact, look at its ETags, edit it, delete it with the old tag, then with the new.

    Whatever happens, our contacts are removed again, first of all those of a probe that crashed.
    What could not be proved is `unproven`, and `detail` says why. Raises PbxError only if the PBX
    can't even be asked for its version.
    """
    version = reader.version()
    bench = _Bench(reader, _ProbeWriter(reader))
    try:
        bench.remove_leftovers()
        if_match, detail = bench.experiment()
    except PbxError as error:
        if_match, detail = IfMatch.UNPROVEN, f"Nothing could be proved. {error.message}"
    finally:
        remains = bench.clean_up()
    return Probe(
        pbx_url=connection.url,
        pbx_version=version,
        probed_at=now,
        etags=bench.etags,
        if_match=if_match,
        detail=" ".join(filter(None, (detail, remains))),
    )


@dataclass(slots=True)
class _Bench:
    """The place of the experiment: what was made on it is taken away again."""

    reader: PbxReader
    writer: _ProbeWriter
    etags: EtagKind = EtagKind.NONE
    made: set[int] = field(default_factory=set)
    begun: bool = False

    def experiment(self) -> tuple[IfMatch, str]:
        """From the contact's creation to the verdict."""
        self.begun = True
        contact_id = self.writer.create(PROBE_CONTACT).id
        self.made.add(contact_id)
        fresh = self._look(contact_id)
        listed = next((c.etag for c in self._ours() if c.id == contact_id), "")
        if not fresh.etag:
            return IfMatch.UNPROVEN, "3CX issues no ETag for a contact: nothing guards a delete."
        self.etags = EtagKind.WEAK if fresh.etag.startswith("W/") else EtagKind.STRONG
        self.writer.edit(contact_id, _EDITED)
        edited = self._look(contact_id)
        if_match, detail = self._judge(fresh, edited)
        return if_match, f"{detail} {_compared(listed, fresh.etag)}"

    def remove_leftovers(self) -> None:
        """Remove what a crashed probe left. Raises PbxError if that can't be done."""
        for contact in self._ours():
            if not self._is_removed(contact.id):
                raise _unproven(f"An earlier probe's contact {contact.id} can't be deleted.")

    def clean_up(self) -> str:
        """Remove everything of ours, without fail; the sentence says what a person must do."""
        try:
            ids, unsure = self.made | {contact.id for contact in self._ours()}, False
        except PbxError:
            ids, unsure = self.made, self.begun
        left = [
            contact_id for contact_id in sorted(ids) if not self._is_removed_quietly(contact_id)
        ]
        if not left and not unsure:
            return ""
        which = ", ".join(map(str, left)) or "if there is one"
        return f'Delete the contact "{PROBE_NAME}" in the 3CX console by hand ({which}).'

    def _judge(self, fresh: Contact, edited: Contact) -> tuple[IfMatch, str]:
        """Delete with the tag from before the edit, then with the right one."""
        if edited.fingerprint == fresh.fingerprint:
            return IfMatch.UNPROVEN, "An edit was accepted and did not show."
        if edited.etag in {fresh.etag, ""}:
            return IfMatch.UNPROVEN, "An edit gave the contact no new ETag."
        stale = self.writer.delete(fresh.id, ServerEtag(tag=fresh.etag))
        is_there = self.reader.contact(fresh.id) is not None
        if is_there and stale.status == HTTPStatus.PRECONDITION_FAILED:
            return self._judge_right(edited)
        if not is_there and stale.status in {*_DONE, None}:
            return IfMatch.IGNORED, f"A DELETE with an old ETag was done ({_said(stale)})."
        return IfMatch.UNPROVEN, f"A DELETE with an old ETag was {_said(stale)}, not 412."

    def _judge_right(self, edited: Contact) -> tuple[IfMatch, str]:
        """A PBX that refuses every tag protects everything, and lets nothing be deleted."""
        right = self.writer.delete(edited.id, ServerEtag(tag=edited.etag))
        if self.reader.contact(edited.id) is None and right.status in _DONE:
            return IfMatch.ENFORCED, "An old ETag was refused with 412, the right one accepted."
        return IfMatch.UNPROVEN, f"An old ETag was refused, but the right one was {_said(right)}."

    def _ours(self) -> tuple[Contact, ...]:
        return tuple(c for c in self.reader.find("Tag", PROBE_TAG) if _is_ours(c))

    def _look(self, contact_id: int) -> Contact:
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
        """Delete one of ours: without a tag, and with its own tag where one is required."""
        for with_tag in (False, True):
            found = self.reader.contact(contact_id)
            if found is None or not _is_ours(found[0]):
                return True
            contact = found[0]
            if not with_tag:
                self.writer.delete(contact_id, ContentMatch(fingerprint=contact.fingerprint))
            elif contact.etag:
                self.writer.delete(contact_id, ServerEtag(tag=contact.etag))
        return self.reader.contact(contact_id) is None


def _is_ours(contact: Contact) -> bool:
    return contact.field("Tag") == PROBE_TAG and contact.field("FirstName") == PROBE_NAME


def _said(answer: Answer) -> str:
    status = f"answered {answer.status}" if answer.status else "not answered"
    return f"{status}: {answer.detail}" if answer.detail else status


def _compared(listed: str, single: str) -> str:
    """Where the tag is issued: the snapshot has the listing's, the re-read the entity's."""
    if not listed:
        return "The listing has no ETags; a single contact has one."
    if listed != single:
        return "The listing and the single contact have different ETags."
    return "The listing and the single contact have the same ETag."


def _unproven(message: str) -> PbxUntrusted:
    return PbxUntrusted(message, hint="reconcile doctor --probe", code="pbx_untrusted")
