"""An office on disk: an export, the pages of its PBX, and a session that reads them.

What a run does without waiting for a network: the listing is read as it always is, but its answers
are files.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import httpx
from books import aged, contacts, people

from reconcile import config, session
from reconcile.pbx.listing import Listing
from reconcile.pbx.odata import PAGE_SIZE
from reconcile.pbx.transport import Reply
from reconcile.store import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconcile.pbx.client import PbxReader
    from reconcile.pbx.connection import Connection
    from reconcile.pbx.session import Session

URL = f"https://pbx-{os.getpid()}.example.com:5001"
"""One of its own for each process: there is one run per PBX on a machine."""
EXPORT = "contacts.csv"
PAGES = "pages.json"
PLACES = "places.json"
_SKIP = re.compile(r"\$skip=([0-9]+)")
_HEADERS = httpx.Headers()
_STEP = PAGE_SIZE - 1
"""From one window to the next: each begins with the last contact of the one before."""
_EMPTY = ("Title", "Department", "Tag", "Mobile2", "Home", "Business2", "Other", "Pager")
"""Properties that these contacts don't fill; 3CX sends them all the same."""
_SETTINGS = {
    "mode": "review",
    "crm": {"source": EXPORT, "region": "DE"},
    "pbx": {"url": URL, "client_id": "reconcile", "client_secret_env": "SECRET"},
}


def write(folder: Path, rows: int, count: int) -> int:
    """An export of so many records, and the pages of about so many contacts; gives their number."""
    book = people(rows)
    book.to_csv(folder / EXPORT, index=False)
    aged(folder / EXPORT)
    listed = contacts(book, count)
    places = {"count": len(listed)}
    with (folder / PAGES).open("wb") as file:
        for start in range(0, len(listed) + 1, _STEP):
            page = [_entity(contact) for contact in listed[start : start + PAGE_SIZE]]
            body = json.dumps({"@odata.count": len(listed), "value": page}, separators=(",", ":"))
            places[str(start)] = file.tell()
            file.write(body.encode() + b"\n")
    (folder / PLACES).write_text(json.dumps(places), "utf-8")
    return len(listed)


def _entity(contact: dict[str, str | int]) -> dict[str, str | int | None]:
    return {"@odata.etag": f'W/"{contact["Id"]:x}"', **contact, **dict.fromkeys(_EMPTY)}


class Pages:
    """What a listing needs of a session; every answer is a piece of one file."""

    def __init__(self, folder: Path, connection: Connection) -> None:
        self.connection = connection
        self._file = (folder / PAGES).open("rb")
        self._places: dict[str, int] = json.loads((folder / PLACES).read_text("utf-8"))
        begins = [at for name, at in self._places.items() if name != "count"]
        self._ends = dict(pairwise([*begins, self._file.seek(0, os.SEEK_END)]))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def get(self, target: str, *, expected: object = ()) -> Reply:
        """The page from there on, or how many there are."""
        del expected
        skip = _SKIP.search(target)
        body = self._from(int(skip[1])) if skip else self._document([])
        return Reply(status=200, headers=_HEADERS, body=body)

    def _from(self, position: int) -> bytes:
        within = position % _STEP
        place = self._places.get(str(position - within))
        if place is None:
            return self._document([])
        body = os.pread(self._file.fileno(), self._ends[place] - place, place)
        return self._document(json.loads(body)["value"][within:]) if within else body

    def _document(self, value: list[object]) -> bytes:
        return json.dumps({"@odata.count": self._places["count"], "value": value}).encode()


@contextmanager
def opened(folder: Path) -> Iterator[session.Session]:
    """The parts of a run in that folder, with an empty state if it has none."""
    settings = config.validate(_SETTINGS, folder / "config.toml")
    world = session.World(
        environ={"SECRET": "nobody-asks"},
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        user="benchmark",
    )
    migrate.upgrade(settings.state.url, base=settings.base, now=world.clock())
    with (
        session.opened(settings, world, "plan") as parts,
        closing(Pages(folder, parts.connection)) as pages,
    ):
        reader = cast("PbxReader", parts.reader)
        reader.session.version = "20.0.9.995"
        reader._listing = Listing(cast("Session", pages))  # noqa: SLF001 - all else stays real
        yield parts
