"""A 3CX simulator over real HTTP; shares no code with the client it tests."""

from reconcile.sandbox.book import Book
from reconcile.sandbox.requestlog import LoggedRequest
from reconcile.sandbox.server import SandboxServer, serve
from reconcile.sandbox.switches import Switches

__all__ = ["Book", "LoggedRequest", "SandboxServer", "Switches", "serve"]
