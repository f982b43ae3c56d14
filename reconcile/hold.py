"""What must still be true of the run, right before each delete.

The precondition is about the contact; this is about us: a lock that somebody else could hold by
now, a newer run, a person who said stop, reads that have grown old while the process slept. Looked
at again for every delete, as any of it may change in between.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from reconcile.errors import ApprovalRefused, UsageError
from reconcile.model import Exit, Freeze, Held
from reconcile.session import state

if TYPE_CHECKING:
    from reconcile.config import Config
    from reconcile.session import Session, World

STOP_FILE: Final = "STOP"
"""Beside config.toml; whoever can make a file there can stop a run, and nothing more. Of a job it
stands in the job's own folder, or beside all jobs for all of them."""
MAX_AGE: Final = timedelta(hours=1)
"""So old may the reads be that a delete is decided by; a laptop's lid, or a paused machine."""


def stop_file(config: Config) -> str:
    """The name of the file that stops all deletes, or "" if it isn't there."""
    folders = (config.base, config.jobs or config.base)
    return STOP_FILE if any((folder / STOP_FILE).exists() for folder in folders) else ""


def wanted(session: Session) -> Held | None:
    """Whether a person wants that nothing is deleted now."""
    return _wanted(session.config, session.ledger.frozen(now=session.now()))


def _wanted(config: Config, freeze: Freeze | None) -> Held | None:
    if name := stop_file(config):
        return Held(why=f"the file {name} is there", exit_code=Exit.APPROVAL)
    if freeze:
        why = f"deletes are frozen until {freeze.until:%Y-%m-%d %H:%M UTC} by {freeze.frozen_by}"
        return Held(why=why, exit_code=Exit.APPROVAL)
    return None


def refuse(session: Session) -> None:
    """For those who were told by a person to delete. Raises ApprovalRefused if another forbids."""
    if held := wanted(session):
        raise ApprovalRefused(
            f"Nothing can be deleted now: {held.why}.",
            hint=f"remove the file {STOP_FILE}, or: reconcile freeze --lift; then try again",
            code="held",
        )


def held(session: Session, *, run_id: int, read_at: datetime) -> Held | None:
    """Why this run may not delete now; None if it may. Raises StateError."""
    if not session.locked():
        why = "the lock is no longer this run's"
        return Held(why=why, exit_code=Exit.LOCKED)
    newest, freeze = session.ledger.standing(now=session.now())
    if newest != run_id:
        return Held(why=f"run {newest} has begun since", exit_code=Exit.LOCKED)
    age = session.now() - read_at
    if not timedelta() <= age <= MAX_AGE:
        why = f"both sides were read at {read_at:%Y-%m-%d %H:%M UTC}, not within the last hour"
        return Held(why=why, exit_code=Exit.PARTIAL)
    return _wanted(session.config, freeze)


def freeze_once(config: Config, world: World, *, until: str, why: str) -> str:
    """Let nothing be deleted until a moment, not even by a run under way; says until when.

    Raises UsageError for what is no date, or one that is over.
    """
    moment = _moment(until, ZoneInfo(config.schedule.timezone))
    if moment <= world.clock():
        raise UsageError(f"{until} is over already.", hint="reconcile freeze --until DATE")
    with state(config) as ledger:
        ledger.freeze(Freeze(until=moment, frozen_by=world.user, why=why))
    return said(config, world)


def lift_once(config: Config, world: World) -> str:
    """End a freeze; says what stands now."""
    with state(config) as ledger:
        ledger.freeze(None)
    return said(config, world)


def said(config: Config, world: World) -> str:
    """What stands between a plan and its deletes, in a sentence or two."""
    with state(config) as ledger:
        freeze = ledger.frozen(now=world.clock())
    sentences = []
    if freeze:
        until = freeze.until.astimezone(ZoneInfo(config.schedule.timezone))
        why = f": {freeze.why}" if freeze.why else ""
        by = f"by {freeze.frozen_by}{why}"
        sentences.append(f"Deletes are frozen until {until:%Y-%m-%d %H:%M %Z} ({by}).")
        sentences.append("To let them go on: reconcile freeze --lift")
    if name := stop_file(config):
        sentences.append(f"The file {name} is there: nothing is deleted until it is removed.")
    return "\n".join(sentences) or "Deletes are not frozen."


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """A date lasts to its end; a time without a zone is the schedule's."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no date.", hint="reconcile freeze --until 2026-12-24"
        ) from error
    if len(text) == len("2026-12-24"):
        found += timedelta(days=1)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
