"""Folders as the nights before left them, kept for the next test that needs the same.

A state is bound to the address of its PBX, so all tests of a process use one port.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, TypeVar

from canaries import SECRET
from databases import DATABASE

from reconcile.sandbox import Book, SandboxServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from databases import Cluster

Left = TypeVar("Left")


@dataclass
class Shelf:
    """What was prepared once; what it is, is told by all that it came from."""

    folder: Path
    port: int = 0
    kept: dict[str, tuple[Path, object]] = field(default_factory=dict)

    @contextmanager
    def server(self, book: Book, *, secret: str = SECRET) -> Iterator[SandboxServer]:
        """A new PBX at the same address, or at another one if somebody has taken that."""
        found = SandboxServer(book, client_secret=secret, port=self.port)
        try:
            found.start()
        except OSError:
            self.kept.clear()
            found = SandboxServer(book, client_secret=secret)
            found.start()
        self.port = int(found.url.rpartition(":")[2])
        try:
            yield found
        finally:
            found.stop()

    def prepared(
        self,
        folder: Path,
        server: SandboxServer,
        make: Callable[[], Left],
        *of: object,
        cluster: Cluster | None = None,
    ) -> Left:
        """Let the folder be as `make` leaves it; gives what that gave the first time.

        `of` is what its work depends on, besides the PBX; of this it may change nothing.
        """
        book = hashlib.sha256(json.dumps(server.book.all()).encode()).hexdigest()
        key = repr((of, book, asdict(server.switches), self.port))
        if key not in self.kept:
            left = make()
            copy = self.folder / f"{len(self.kept)}-{self.port}"
            shutil.copytree(folder, copy, symlinks=True)
            self.kept[key] = copy, left
            if cluster:
                cluster.create(_database(copy), template=DATABASE)
        else:
            copy, left = self.kept[key]
            shutil.copytree(copy, folder, dirs_exist_ok=True, symlinks=True)
            if cluster:
                cluster.create(DATABASE, template=_database(copy))
        server.clear_requests()
        return left


def _database(folder: Path) -> str:
    """What a server keeps for such a folder."""
    return f"kept_{folder.name}".replace("-", "_")
