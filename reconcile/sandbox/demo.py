"""`reconcile demo`: a sandbox PBX and three nights, by argument and not by sleeping.

Everything is real: HTTP, SQLite, the client, the guards, the report. Only the phone system is
simulated, and the time is told.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from reconcile import config, restoring, run
from reconcile.errors import UsageError
from reconcile.model import Outcome
from reconcile.report import text
from reconcile.sandbox.book import Book
from reconcile.sandbox.export import write_export
from reconcile.sandbox.server import SandboxServer
from reconcile.session import World
from reconcile.store import migrate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reconcile.config import Config
    from reconcile.report.model import Report

_PEOPLE: Final = 60
_FIRST_NIGHT: Final = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
_SECRET: Final = "sandbox-secret"  # noqa: S105 - guards nothing but the sandbox


Person = Mapping[str, object]
_HIRED: Final[Person] = {
    "Tag": "9001",
    "FirstName": "Nova",
    "LastName": "Neumann",
    "PhoneNumber": "+49 30 80808080",
}


@dataclass(slots=True)
class _Company:
    """A sandbox PBX, the CRM beside it, and the clock on the wall."""

    server: SandboxServer
    folder: Path
    config: Config
    now: datetime = _FIRST_NIGHT

    def world(self) -> World:
        return World(
            environ={"RECONCILE_3CX_SECRET": _SECRET},
            clock=lambda: self.now,
            sleep=lambda _seconds: None,
            user="demo",
        )

    def night(self, *, without: Collection[object] = (), hired: Collection[Person] = ()) -> Report:
        """The CRM writes its export, and an hour later the run comes."""
        path = self.folder / "exports" / f"contacts-{self.now:%Y-%m-%d}.csv"
        write_export(path, [*self.server.book.all(), *hired], without=without)
        made = (self.now - timedelta(hours=1)).timestamp()
        os.utime(path, (made, made))
        report = run.run_once(self.config, self.world())
        self.now += timedelta(days=1)
        return report


def run_demo(out: IO[str], *, keep: Path | None) -> int:
    """Three nights and a restore, told as they happen; gives exit code 0 if all went as it should.

    `keep` is a folder for the demo's configuration, exports, state and reports.
    """
    with _folder(keep) as folder, SandboxServer(Book.seeded(_PEOPLE, seed=7)) as server:
        _say(out, f"A 3CX with {_PEOPLE} contacts from the CRM is simulated at {server.url}.")
        company = _Company(server=server, folder=folder, config=_configured(folder, server.url))
        return _three_nights(out, company)


def _three_nights(out: IO[str], company: _Company) -> int:
    book = company.server.book
    leaver, edited = book.all()[10], book.all()[30]
    by_hand = book.add(
        {"FirstName": "Typed", "LastName": "Byhand", "PhoneNumber": "+49 30 90909090"}
    )
    _say(out, f"Somebody types a contact into 3CX by hand: Typed Byhand (Id {by_hand}).")

    _night(out, 1, "everybody is in the CRM", company.night())
    gone = [leaver["Tag"], edited["Tag"]]
    names = f"{_name(leaver)} and {_name(edited)}"
    _night(out, 2, f"{names} have left the CRM", company.night(without=gone))

    _say(
        out,
        f"\nIn the third night somebody new is in the CRM, and {_name(edited)} is edited in 3CX",
    )
    _say(out, "at the very moment at which the DELETE arrives, after it has been read again.")
    company.server.hook(
        lambda: book.edit(int(edited["Id"]), {"Title": "Is back"}),
        method="DELETE",
        path_prefix=f"/xapi/v1/Contacts({edited['Id']})",
    )
    report = company.night(without=gone, hired=[_HIRED])
    _say(out, "\nNight 3, the report:\n")
    text.render(report, out)
    outcomes = {c.id: c.outcome for c in report.contacts}
    held = [
        _check(out, f"{_name(leaver)} was deleted", ok=book.get(leaver["Id"]) is None),
        _check(
            out,
            f"{_name(edited)} was kept, because the ETag no longer fitted: changed",
            ok=outcomes.get(edited["Id"]) is Outcome.CHANGED and _has(book, edited["Id"]),
        ),
        _check(out, "Typed Byhand was never touched", ok=_has(book, by_hand)),
    ]
    (back,) = restoring.restore_once(company.config, company.world(), run_id=report.run.id)
    was = f"{back.label}, once contact {back.contact_id}, is contact {back.new_id} now"
    held.append(
        _check(out, f"and restored: {was}", ok=back.new_id is not None and _has(book, back.new_id))
    )
    _say(out, "\nNext: reconcile init")
    return 0 if all(held) else 1


def _night(out: IO[str], number: int, what: str, report: Report) -> None:
    _say(out, f"\nNight {number}: {what}.")
    _say(out, f"  {report.headline}")


def _check(out: IO[str], what: str, *, ok: bool) -> bool:
    _say(out, f"  {'yes' if ok else 'NO '}  {what}")
    return ok


def _say(out: IO[str], line: str) -> None:
    out.write(f"{line}\n")


def _name(contact: Person) -> str:
    return f"{contact['FirstName']} {contact['LastName']}"


def _has(book: Book, contact_id: int) -> bool:
    return book.get(contact_id) is not None


def _configured(folder: Path, url: str) -> Config:
    """The demo's configuration, and its state."""
    made = config.validate(
        {
            "mode": "auto",
            "crm": {"source": "exports/contacts-*.csv", "region": "DE"},
            "pbx": {
                "url": url,
                "client_id": "reconcile",
                "client_secret_env": "RECONCILE_3CX_SECRET",
            },
        },
        folder / "config.toml",
    )
    migrate.upgrade(made.state.url, base=made.base, now=_FIRST_NIGHT)
    return made


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            raise UsageError(f"{keep} is not an empty folder.", hint="reconcile demo")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="reconcile-demo-") as name:
        yield Path(name)
