"""Where an export is, and with what it is asked for: a path, a glob, an address, a query.

Must never show a secret: what is shown of an address has no user, password, query or fragment.
"""

from __future__ import annotations

import time
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from reconcile import secrecy
from reconcile.core import locations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind = Literal["files", "web", "remote", "sql"]
Auth = Literal["none", "bearer", "basic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One configured source of exports. `source`, or `url` and `sql`, say where it is."""

    source: str = field(default="", repr=False)
    """A path or glob relative to `base`, or an address; a signed address is a secret itself."""
    base: Path = Path()
    url: str = field(default="", repr=False)
    """A database, as SQLAlchemy writes it, without a password."""
    sql: str = field(default="", repr=False)
    auth: Auth = "none"
    user: str = ""
    secret: str = field(default="", repr=False)
    options: Mapping[str, str | int | bool] = field(default_factory=dict)
    """For the driver of `source`'s scheme."""
    ca_file: str = ""
    timeout: float = 60.0
    """Seconds for connecting, and for each wait for the next bytes."""
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        """Have the secret left out of whatever a library says of it, as HTTP Basic too."""
        basic = f"{self.user}:{self.secret}".encode()
        for secret in (self.secret, b64encode(basic).decode()) if self.secret else ():
            secrecy.keep(secret)

    @property
    def kind(self) -> Kind:
        """Which reader it is for."""
        if self.url:
            return "sql"
        if not self.scheme:
            return "files"
        return "web" if self.scheme in {"https", "http"} else "remote"

    @property
    def scheme(self) -> str:
        """What stands before ://, in lower case; "" for a path."""
        return locations.scheme(self.url or self.source)

    @property
    def origin(self) -> str:
        """The path or address for people to read."""
        if self.kind == "files":
            return str(self.base / self.source)
        return locations.shown(self.url or self.source)

    @property
    def name(self) -> str:
        """The last part of it: a file's name, or what stands for one."""
        if self.kind == "files":
            return Path(self.source).name
        path = PurePosixPath(unquote(urlsplit(self.origin).path))
        return path.name or urlsplit(self.origin).netloc or self.scheme
