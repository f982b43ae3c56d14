"""`python -m reconcile.notify.sender`: hands messages to apprise, in a process of its own.

So a receiver that hangs can be given up whatever it does, nothing that apprise logs or prints can
reach a terminal or a log, and a run doesn't load it. One JSON document in; a line for each receiver
out, as soon as it is known what became of it. Addresses are no arguments: others could see them.
"""

from __future__ import annotations

import json
import logging
import sys
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from apprise import Apprise

    Say = Callable[[int, str], None]

SENT: Final = "sent"
REFUSED: Final = "refused"
UNDERSTOOD: Final = "understood"
UNKNOWN: Final = "unknown"


def main() -> None:
    """Read what to send and to whom, and do it."""
    logging.disable()
    asked, say = json.load(sys.stdin), _Answers()
    found = [_receiver(url) for url in asked["urls"]]
    threads = []
    for at, receiver in enumerate(found):
        if receiver is None or not asked["messages"]:
            say(at, UNKNOWN if receiver is None else UNDERSTOOD)
            continue
        threads.append(Thread(target=_send, args=(at, receiver, asked["messages"], say)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Answers:
    """Writes what became of each receiver, a line each."""

    def __init__(self) -> None:
        self._lock = Lock()

    def __call__(self, at: int, what: str) -> None:
        with self._lock:
            sys.stdout.write(f"{json.dumps([at, what])}\n")
            sys.stdout.flush()


def _receiver(url: str) -> Apprise | None:
    """The service, or None if it isn't one; it keeps no files, makes no keys, follows nobody."""
    from apprise import Apprise, AppriseAsset, PersistentStoreMode

    asset = AppriseAsset(
        app_id="reconcile",
        app_desc="reconcile",
        app_url="",
        storage_mode=PersistentStoreMode.MEMORY,
        pgp_autogen=False,
        pem_autogen=False,
        http_redirects=False,
        interpret_emojis=False,
    )
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        return None
    alone = Apprise(asset=asset)
    alone.add(service)
    return alone


def _send(at: int, receiver: Apprise, messages: Sequence[Mapping[str, str]], say: Say) -> None:
    """Every message to one receiver; it begins as plain text, which apprise escapes if need be."""
    try:
        done = [_took(receiver, message) for message in messages]
    except Exception:  # noqa: BLE001 - a service may raise anything; the others are told all the same
        done = [False]
    say(at, SENT if all(done) else REFUSED)


def _took(receiver: Apprise, message: Mapping[str, str]) -> bool:
    from apprise import NotifyFormat, NotifyType

    return bool(
        receiver.notify(
            body=message["body"],
            title=message["title"],
            notify_type=NotifyType(message["kind"]),
            body_format=NotifyFormat.TEXT,
        )
    )


if __name__ == "__main__":
    main()
