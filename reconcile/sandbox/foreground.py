"""`reconcile sandbox`: the simulator on a port, until Ctrl-C."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from reconcile.errors import UsageError
from reconcile.sandbox.book import Book
from reconcile.sandbox.export import write_export
from reconcile.sandbox.server import SandboxServer, serve
from reconcile.sandbox.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def serve_sandbox(
    out: IO[str],
    *,
    port: int,
    contacts: int,
    seed: int,
    client_id: str,
    client_secret: str,
    export: Path | None,
    switches: Iterable[str],
) -> int:
    """Serve a seeded book until a signal comes; `export` is also given the CRM's side of it."""
    book = Book.seeded(contacts, seed=seed)
    server = SandboxServer(
        book,
        client_id=client_id,
        client_secret=client_secret,
        switches=switches_of(switches),
        port=port,
    )
    if export is not None:
        out.write(f"Wrote {export}: {_exported(export, book)} records.\n")

    def announce(url: str) -> None:
        out.write(f"3CX sandbox with {contacts} contacts at {url}, client id {client_id}.\n")
        out.write(f"Ctrl-C ends it. Next, in another terminal: reconcile init --pbx-url {url}\n")
        out.flush()

    try:
        serve(server, announce=announce)
    except OSError as error:
        message = f"The sandbox can't listen on port {port}: {error.strerror or error}."
        raise UsageError(message, hint="reconcile sandbox --port 0 takes a free one") from error
    return 0


def _exported(path: Path, book: Book) -> int:
    try:
        return write_export(path, book.all())
    except OSError as error:
        message = f"The export {path} can't be written: {error.strerror or error}."
        raise UsageError(message, hint="name another file: reconcile sandbox --export") from error


def switches_of(given: Iterable[str]) -> Switches:
    """`name=value` words as switches; raises UsageError for one that doesn't exist."""
    values = dict(word.partition("=")[::2] for word in given)
    try:
        return Switches.parse(values)
    except ValueError as error:
        message = f"--with {' '.join(f'{n}={v}' for n, v in values.items())}: {error}."
        raise UsageError(message, hint="reconcile sandbox --with etags=none, for one") from error
