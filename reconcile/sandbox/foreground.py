"""`reconcile sandbox`: the simulator on a port, until Ctrl-C."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from reconcile.errors import UsageError
from reconcile.sandbox.book import Book
from reconcile.sandbox.export import write_export
from reconcile.sandbox.profiles import differences
from reconcile.sandbox.server import SandboxServer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconcile.sandbox.switches import Switches


def serve_sandbox(
    out: IO[str],
    *,
    port: int,
    contacts: int,
    seed: int,
    client_id: str,
    client_secret: str,
    export: Path | None,
    switches: Switches,
) -> int:
    """Serve a seeded book until a signal comes; `export` is also given the CRM's side of it."""
    book = Book.seeded(contacts, seed=seed)
    server = SandboxServer(
        book,
        client_id=client_id,
        client_secret=client_secret,
        switches=switches,
        port=port,
    )
    if export is not None:
        out.write(f"Wrote {export}: {_exported(export, book)} records.\n")

    def announce(url: str) -> None:
        out.write(f"3CX sandbox with {contacts} contacts at {url}, client id {client_id}.\n")
        out.writelines(f"{line}\n" for line in _particulars(server))
        out.write(f"Ctrl-C ends it. Next, in another terminal: reconcile init --pbx-url {url}\n")
        out.flush()

    try:
        serve(server, announce=announce)
    except OSError as error:
        message = f"The sandbox can't listen on port {port}: {error.strerror or error}."
        raise UsageError(message, hint="reconcile sandbox --port 0 takes a free one") from error
    return 0


def _particulars(server: SandboxServer) -> Iterator[str]:
    """What is not as it would be without options."""
    if changed := differences(server.switches):
        words = ", ".join(f"{name}={value}" for name, value in changed.items())
        yield f"Other than by default: {words}."
    if server.ca_file is not None:
        yield f"pbx.ca_file, the authority to trust: {server.ca_file}"


def _exported(path: Path, book: Book) -> int:
    try:
        return write_export(path, book.all())
    except OSError as error:
        message = f"The export {path} can't be written: {error.strerror or error}."
        raise UsageError(message, hint="name another file: reconcile sandbox --export") from error
