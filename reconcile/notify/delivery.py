"""From messages to their receivers, within a deadline, and what became of each.

A receiver is only ever called by its place in the list and its schema: all the rest of its address
may be a secret (`slack://TokenA/TokenB/TokenC`).
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from reconcile.errors import MissingExtra
from reconcile.notify.complaint import complain
from reconcile.notify.sender import REFUSED, SENT, UNDERSTOOD, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconcile.notify.message import Message

EXTRA: Final = "notify"
_SILENT: Final = "silent"
_SCHEMA: Final = re.compile("[a-z0-9]{1,20}", re.IGNORECASE)
_UNDERSTANDING: Final = 60.0
"""Seconds in which apprise must have loaded and looked at the addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """What became of one address."""

    name: str
    """`number 2 (slack://)`."""
    answer: str

    @property
    def well(self) -> bool:
        """Whether it was told, or would be."""
        return self.answer in {SENT, UNDERSTOOD}

    @property
    def mend(self) -> str:
        """What to do if it isn't well."""
        return _MENDS.get(self.answer, "")

    @property
    def said(self) -> str:
        """The end of a sentence that begins with its name."""
        return _SAID[self.answer]


_SAID: Final = {
    SENT: "was told",
    UNDERSTOOD: "is understood",
    UNKNOWN: "is not understood",
    REFUSED: "did not take the message",
    _SILENT: "did not answer in time",
}
_MENDS: Final = {
    UNKNOWN: "write it as docs/notifications.md shows, or as apprise's own list of services does",
    REFUSED: "look at its password or token, and whether this machine reaches it, then:"
    " reconcile doctor --notify",
    _SILENT: "look at whether this machine reaches it, then: reconcile doctor --notify",
}


def send(
    urls: Sequence[str], messages: Sequence[Message], *, timeout: float
) -> tuple[Receiver, ...]:
    """Send each message to each; given up after so many seconds, all of it.

    Raises MissingExtra if apprise is not installed.
    """
    if importlib.util.find_spec("apprise") is None:
        raise MissingExtra("Sending messages", EXTRA)
    said = _asked({"urls": list(urls), "messages": [asdict(m) for m in messages]}, timeout)
    return tuple(
        Receiver(name=_name(at, url), answer=said.get(at, _SILENT)) for at, url in enumerate(urls)
    )


def understood(urls: Sequence[str]) -> tuple[Receiver, ...]:
    """Whether apprise knows what to do with each; nothing is sent. Raises MissingExtra."""
    return send(urls, (), timeout=_UNDERSTANDING)


def delivered(receivers: Sequence[Receiver]) -> bool:
    """Whether anybody was told; a line on stderr for each who was not."""
    for receiver in receivers:
        if not receiver.well:
            complain(f"no message: {receiver.name} of the receivers {receiver.said}")
    return any(receiver.well for receiver in receivers)


def _name(at: int, url: str) -> str:
    schema, mark, _ = url.partition("://")
    # What stands there instead of a schema may be the secret itself.
    known = mark and _SCHEMA.fullmatch(schema)
    return f"number {at + 1} ({schema}://)" if known else f"number {at + 1}"


def _asked(request: dict[str, object], timeout: float) -> dict[int, str]:
    """Ask the sender; whatever it knew when the time was over."""
    with subprocess.Popen(
        # -P: a file of the administrator's folder is no module.
        [sys.executable, "-P", "-m", "reconcile.notify.sender"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C stops this command, which then stops the sender
        encoding="utf-8",
    ) as sender:
        try:
            out, _ = sender.communicate(json.dumps(request), timeout)
        except subprocess.TimeoutExpired:
            sender.kill()
            out, _ = sender.communicate()
        finally:
            sender.kill()
    return dict(json.loads(line) for line in out.splitlines() if line.endswith("]"))
