"""Where exports come from: folders, web servers, object stores, SFTP, databases.

Each gives out `Original`s, private copies of the files of one export, or ExportRejected. The
readers of the last three are imported only when they are needed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from reconcile.crm.sources import files
from reconcile.crm.sources.beside import is_manifest
from reconcile.crm.sources.files import load
from reconcile.crm.sources.original import Original, age_problems, hint
from reconcile.crm.sources.place import Auth, Place

__all__ = ["Auth", "Original", "Place", "age_problems", "fetch", "hint", "is_manifest", "load"]


def fetch(
    place: Place, *, now: datetime | None = None, manifests: bool = True
) -> tuple[Original, ...]:
    """The files of one export, the only one or all of its parts in their order.

    `now` is when what has no time of its own was made. With `manifests`, what lies beside a file
    and says what it is comes with it, where there is such a thing as a folder. Raises
    ExportRejected, and MissingExtra or ConfigError if this place can't be read with what is
    installed or configured.
    """
    match place.kind:
        case "files":
            return files.fetch(place, manifests=manifests)
        case "web":
            from reconcile.crm.sources import web

            return web.fetch(place, now=now or datetime.now(UTC))
        case "remote":
            from reconcile.crm.sources import remote

            return remote.fetch(place, manifests=manifests)
        case "sql":
            from reconcile.crm.sources import sql

            return sql.fetch(place, now=now or datetime.now(UTC))
        case _:
            assert_never(place.kind)
