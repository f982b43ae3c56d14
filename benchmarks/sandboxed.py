"""A sandbox in a process of its own, so that its work is not counted as ours."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconcile.pbx.client import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def sandbox(*options: str) -> Iterator[str]:
    """The address of `reconcile sandbox OPTIONS`, for as long as the block lasts."""
    command = [sys.executable, "-m", "reconcile", "sandbox", "--port=0", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield _address(server)
    finally:
        server.terminate()
        server.wait()


def connection(url: str, *, concurrency: int) -> Connection:
    """A connection as the sandbox's own client."""
    return Connection(
        url=url,
        client_id="reconcile",
        client_secret="sandbox-secret",  # noqa: S106 - the sandbox's own
        concurrency=concurrency,
    )


def _address(server: subprocess.Popen[str]) -> str:
    """The URL that the sandbox prints when it is ready."""
    for line in server.stdout or ():
        if " at http" in line:
            return line.split(" at ")[1].split(",")[0]
    raise SystemExit("the sandbox didn't start")
