"""The client against the sandbox, which shares no code with it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from reconcile.errors import PbxRefused
from reconcile.model import Acceptance, ContentMatch, EtagKind, IfMatch, ServerEtag
from reconcile.pbx.client import Connection, PbxReader, PbxWriter
from reconcile.pbx.probe import probe
from reconcile.sandbox.book import Book
from reconcile.sandbox.server import CLIENT_ID, CLIENT_SECRET, SandboxServer
from reconcile.sandbox.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime


@pytest.fixture
def sandbox() -> Iterator[Callable[..., tuple[SandboxServer, PbxReader]]]:
    """Starts a sandbox with so many contacts, and a reader for it."""
    with ExitStack() as stack:

        def start(
            count: int, *, secret: str = CLIENT_SECRET, **switches: Any
        ) -> tuple[SandboxServer, PbxReader]:
            server = SandboxServer(Book.seeded(count), switches=Switches(**switches))
            stack.enter_context(server)
            connection = Connection(url=server.url, client_id=CLIENT_ID, client_secret=secret)
            reader = PbxReader(connection, sleep=lambda _seconds: None)
            return server, stack.enter_context(reader)

        yield start


def methods(server: SandboxServer) -> set[tuple[str, str]]:
    return {
        (seen.method, seen.path.partition("?")[0].partition("(")[0]) for seen in server.requests
    }


def test_the_snapshot_is_what_the_book_holds_and_only_gets_were_sent(
    sandbox: Callable[..., tuple[SandboxServer, PbxReader]], now: datetime
) -> None:
    server, reader = sandbox(1234)
    snapshot = reader.snapshot(now=now)
    assert len(snapshot) == 1234
    for position, entity in enumerate(server.book.all()):
        contact_id = entity.pop("Id")
        contact = snapshot.contact(position)
        assert contact.id == contact_id
        assert contact.fields == {name: text for name, text in entity.items() if text}
    assert methods(server) == {("GET", "/xapi/v1/Contacts"), ("POST", "/connect/token")}


@pytest.mark.parametrize("unit", ["seconds", "minutes"])
def test_one_token_is_enough_whatever_its_unit(
    sandbox: Callable[..., tuple[SandboxServer, PbxReader]], now: datetime, unit: str
) -> None:
    server, reader = sandbox(500, expires_in=unit)
    reader.snapshot(now=now)
    assert sum(seen.path == "/connect/token" for seen in server.requests) == 1


def test_a_token_that_expires_in_the_middle_is_renewed(
    sandbox: Callable[..., tuple[SandboxServer, PbxReader]], now: datetime
) -> None:
    server, reader = sandbox(900)
    server.hook(server.expire_tokens, path_prefix="/xapi/v1/Contacts", nth=4)
    assert len(reader.snapshot(now=now)) == 900
    assert sum(seen.path == "/connect/token" for seen in server.requests) == 2


def test_a_contact_added_in_the_middle_is_in_the_snapshot(
    sandbox: Callable[..., tuple[SandboxServer, PbxReader]], now: datetime
) -> None:
    server, reader = sandbox(400)
    added = {"FirstName": "New", "PhoneNumber": "1"}
    server.hook(lambda: server.book.add(added), path_prefix="/xapi/v1/Contacts", nth=3)
    assert len(reader.snapshot(now=now)) == 401


def test_a_delete_is_refused_once_a_colleague_has_edited(
    sandbox: Callable[..., tuple[SandboxServer, PbxReader]],
) -> None:
    server, reader = sandbox(3)
    writer = PbxWriter(reader)
    found = reader.contact(2)
    assert found is not None
    server.book.edit(2, {"LastName": "Edited"})
    assert writer.delete(2, ServerEtag(tag=found[0].etag)).status == 412
    assert server.book.get(2) is not None
    current = reader.contact(2)
    assert current is not None
    assert writer.delete(2, ServerEtag(tag=current[0].etag)).status in {200, 204}
    assert reader.contact(2) is None
    assert writer.delete(2, ContentMatch(fingerprint="x")).not_found
    assert server.requests[-1].if_match is None


def test_a_deleted_contact_can_be_created_again_from_its_entity(
    sandbox: Callable[..., tuple[SandboxServer, PbxReader]],
) -> None:
    server, reader = sandbox(5)
    found = reader.contact(4)
    assert found is not None
    contact, entity = found
    server.book.remove(4)
    created = PbxWriter(reader).create(entity)
    assert created.id != 4
    assert created.fingerprint == contact.fingerprint
    again = reader.find("PhoneNumber", contact.field("PhoneNumber"))
    assert created.id in {candidate.id for candidate in again}


@pytest.mark.parametrize("effect", ["before", "after"])
def test_a_lost_answer_is_found_out_by_looking(
    sandbox: Callable[..., tuple[SandboxServer, PbxReader]], effect: str
) -> None:
    server, reader = sandbox(3)
    server.fail(method="DELETE", drop=True, effect=effect)  # type: ignore[arg-type]  # a Literal
    answer = PbxWriter(reader).delete(2, ContentMatch(fingerprint="x"))
    assert answer.status is None
    assert (reader.contact(2) is None) == (server.book.get(2) is None)


def test_wrong_credentials_are_refused(
    sandbox: Callable[..., tuple[SandboxServer, PbxReader]], now: datetime
) -> None:
    server, reader = sandbox(3, secret="canary-secret-wrong")
    with pytest.raises(PbxRefused, match="rejected the client id"):
        reader.snapshot(now=now)
    assert len(server.requests) == 1


YES, NO, OPEN = Acceptance.ACCEPTED, Acceptance.REFUSED, Acceptance.UNPROVEN


@pytest.mark.parametrize("emit", ["both", "body", "header"])
@pytest.mark.parametrize("kind", ["weak", "strong", "none"])
@pytest.mark.parametrize(
    ("if_match", "verdict"),
    [
        ("enforced", (IfMatch.ENFORCED, YES, YES)),
        ("required", (IfMatch.ENFORCED, YES, NO)),
        ("ignored", (IfMatch.IGNORED, OPEN, YES)),
        ("always_412", (IfMatch.UNPROVEN, NO, YES)),
        ("malformed", (IfMatch.UNPROVEN, NO, YES)),
    ],
)
def test_the_probe_gives_the_exact_verdict(
    *,
    sandbox: Callable[..., tuple[SandboxServer, PbxReader]],
    now: datetime,
    kind: str,
    emit: str,
    if_match: str,
    verdict: tuple[IfMatch, Acceptance, Acceptance],
) -> None:
    server, reader = sandbox(3, etags=kind, etag_emit=emit, if_match=if_match)
    before = server.book.all()
    proof = probe(reader.connection, reader, now=now)
    places = {"both": "list, entity, header", "body": "list, entity", "header": "header"}
    assert (proof.etags, proof.etags_in) == (EtagKind(kind), places[emit] if kind != "none" else "")
    if kind == "none":
        verdict = (IfMatch.UNPROVEN, OPEN, verdict[2])
    assert (proof.if_match, proof.right_etag, proof.without_etag) == verdict
    left = [c for c in server.book.all() if c not in before]
    # Without a tag nothing can be deleted where one is required: then a person is asked to.
    impossible = (kind, if_match) == ("none", "required")
    assert (bool(left), "by hand" in proof.detail) == (impossible, impossible)
