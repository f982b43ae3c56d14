"""`reconcile doctor`: everything that a run needs, a line each, with the mend.

Reads only, unless `--probe` asks for the proof of the delete guard on a throw-away contact, or
`--notify` for a test message.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from reconcile import config as configuration
from reconcile import crm
from reconcile.core import guards
from reconcile.core.plan import Protection
from reconcile.errors import LockBusy, PbxRefused, ReconcileError
from reconcile.model import (
    DeleteGuard,
    EtagKind,
    Exit,
    IfMatch,
    PbxSnapshot,
    Probe,
    ProtectionRecord,
    RunRecord,
    Status,
)
from reconcile.notify import delivery, message, metrics
from reconcile.ownership import protections
from reconcile.pbx.probe import probe as probe_pbx
from reconcile.report import files
from reconcile.restoring import DRILL
from reconcile.session import World, connection_of, place_of, reader_of
from reconcile.session import state as open_state
from reconcile.store import migrate
from reconcile.store.ledger import Ledger
from reconcile.store.lock import PbxLock, RunLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reconcile.config import Config
    from reconcile.pbx.client import PbxReader

State = Literal["ok", "warn", "fail"]
_MAX_SKEW: Final = timedelta(minutes=5)
_PAGING: Final = {"skip": "by $skip", "key": "by key, as this 3CX refuses $skip or $orderby"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the examination."""

    name: str
    state: State
    said: str
    mend: str = ""
    exit_code: Exit = Exit.CONVERGED


def examine(path: Path, world: World, *, probe: bool, notify: bool = False) -> tuple[Check, ...]:
    """All checks that can be made, in the order in which they build on each other.

    `probe` makes throw-away contacts, `notify` sends test messages.
    """
    try:
        config = configuration.load(path)
    except ReconcileError as error:
        return tuple(_failures("config", error))
    state = tuple(_state(config))
    # Without a state, a proof could not be kept: then the throw-away contact is not made either.
    known = all(check.state == "ok" for check in state)
    return (
        _ok("config", f"{path}, mode {config.mode}"),
        *_export(config, world),
        *_reports(config),
        *state,
        *_pbx(config, world, state=known, probe=probe and known),
        *_receivers(config, world, send=notify),
        *_metrics(config),
    )


def exit_code(checks: tuple[Check, ...]) -> Exit:
    """The code of the first failure, or 0."""
    return next((c.exit_code for c in checks if c.state == "fail"), Exit.CONVERGED)


def _ok(name: str, said: str) -> Check:
    return Check(name=name, state="ok", said=said)


def _failures(name: str, error: ReconcileError, *, mend: str = "") -> Iterator[Check]:
    """An error as lines: one for each problem, the mend on the last."""
    problems = [str(problem) for problem in error.problems] or [error.message]
    code = Exit(error.exit_code)
    for said in problems[:-1]:
        yield Check(name=name, state="fail", said=said, exit_code=code)
    last = mend or error.hint
    yield Check(name=name, state="fail", said=problems[-1], mend=last, exit_code=code)


def _export(config: Config, world: World) -> Iterator[Check]:
    try:
        snapshot = crm.read(
            place_of(config, world),
            mapping=config.crm.columns,
            now=world.clock(),
            max_age_hours=config.crm.max_age_hours,
            format=config.crm.format,
            inactive=config.crm.inactive,
            manifest=config.crm.manifest,
        )
    except ReconcileError as error:
        yield from _failures("export", error)
        return
    source = snapshot.source
    made = f"{source.generated_at:%Y-%m-%d %H:%M UTC}"
    yield _ok("export", f"{source.name}, {source.records:,} records, {source.format}, made {made}")
    read = ", ".join(f"{c.header} → {c.reads_as}" for c in source.columns if c.reads_as)
    yield _ok("columns", read)


def _reports(config: Config) -> Iterator[Check]:
    directory = config.path(config.report.directory)
    try:
        files.check_writable(directory)
    except ReconcileError as error:
        yield from _failures("reports", error)
        return
    yield _ok("reports", str(directory))


def _state(config: Config) -> Iterator[Check]:
    try:
        reports = config.path(config.report.directory)
        result = migrate.check(config.state.url, base=config.base, marks=reports)
    except ReconcileError as error:
        yield from _failures("state", error)
        return
    if not result.ok:
        for problem in result.problems:
            yield Check(
                name="state",
                state="fail",
                said=str(problem),
                mend="reconcile db check",
                exit_code=Exit.STATE,
            )
        return
    yield _ok("state", f"{result.claims:,} claims, {result.runs:,} runs, schema {result.revision}")


def _pbx(config: Config, world: World, *, state: bool, probe: bool) -> Iterator[Check]:
    """Secret, PBX, token, role, clock and ETags; one connection for all of them."""
    try:
        connection = connection_of(config, world)
    except ReconcileError as error:
        # What is wrong with the secret is a problem of its own; else it is the address.
        mend = _mend_of_secret(config) if error.problems else ""
        yield from _failures("secret" if error.problems else "pbx", error, mend=mend)
        return
    try:
        # 3CX keeps one live token per client id: asking beside a run would stop that run.
        with (
            _lock(config, world, connection.url, state=state),
            reader_of(connection, world) as reader,
        ):
            yield from _asked(config, world, reader, state=state, probe=probe)
    except LockBusy as error:
        yield from _failures("lock", error)


@contextmanager
def _lock(config: Config, world: World, origin: str, *, state: bool) -> Iterator[None]:
    url, base = config.state.url, config.base
    with ExitStack() as held:
        if state:
            held.enter_context(RunLock(url, base=base, command="doctor", now=world.clock()))
        held.enter_context(PbxLock(origin))
        yield


def _asked(
    config: Config, world: World, reader: PbxReader, *, state: bool, probe: bool
) -> Iterator[Check]:
    """What the PBX itself says."""
    connection = reader.connection
    try:
        version = reader.version() or "version unknown"
    except ReconcileError as error:
        yield from _failures("token" if isinstance(error, PbxRefused) else "pbx", error)
        return
    yield _ok("pbx", f"{connection.url}, {version}")
    yield _ok("token", f"client id {connection.client_id} was accepted")
    yield from _listed(config, world, reader, state=state, probe=probe)


def _mend_of_secret(config: Config) -> str:
    name = config.pbx.client_secret_env
    return f"export {name}=…" if name else "set pbx.client_secret_env or pbx.client_secret_file"


def _listed(
    config: Config, world: World, reader: PbxReader, *, state: bool, probe: bool
) -> Iterator[Check]:
    """What a client that has a token may do, and what the answers show."""
    try:
        listed = reader.snapshot(now=world.clock())
        yield _role(listed)
        yield _ok("listing", f"complete, read {_PAGING[reader.paging]}")
        yield _clock(reader, world)
        proof = probe_pbx(reader.connection, reader, now=world.clock()) if probe else None
    except ReconcileError as error:
        yield from _failures("role" if isinstance(error, PbxRefused) else "contacts", error)
        return
    if state:
        yield from _etags(config, listed, proof)
        yield from _kept(config, world, listed)


def _role(listed: PbxSnapshot) -> Check:
    if len(listed):
        return _ok("role", f"may read {len(listed):,} contacts")
    return Check(
        name="role",
        state="fail",
        said="3CX lists no contacts at all",
        mend="give the API client the role System Administrator and a department of its own",
        exit_code=Exit.PBX,
    )


def _clock(reader: PbxReader, world: World) -> Check:
    theirs = reader.server_time
    if theirs is None:
        return Check(name="clock", state="warn", said="3CX doesn't say what time it is")
    skew = abs(world.clock() - theirs)
    if skew <= _MAX_SKEW:
        return _ok("clock", "agrees with the 3CX's")
    return Check(
        name="clock",
        state="warn",
        said=f"differs from the 3CX's by {skew}",
        mend="set both machines' time by NTP; grace is counted in hours",
    )


def _etags(config: Config, listed: PbxSnapshot, proof: Probe | None) -> Iterator[Check]:
    """What is known of the delete guard, stored for later runs if it was proved now."""
    try:
        url, base = config.state.url, config.base
        reports = config.path(config.report.directory)
        with Ledger.open(url, base=base, pbx_url=listed.url, marks=reports) as ledger:
            if proof is not None:
                ledger.save_probe(proof)
            known = ledger.probe(pbx_url=listed.url, pbx_version=listed.version)
    except ReconcileError as error:
        yield from _failures("etags", error)
        return
    yield _guard(config, listed, known)
    if known is not None:
        yield _ok("probe", _proved(known))


def _kept(config: Config, world: World, listed: PbxSnapshot) -> Iterator[Check]:
    """What the state keeps that a person should know of: protections, a freeze, the last drill."""
    try:
        protected = protections(config, world)
        with open_state(config) as ledger:
            drill = ledger.last_run(command=DRILL, status=Status.APPLIED)
    except ReconcileError as error:
        yield from _failures("state", error)
        return
    yield _protections(config, protected, listed)
    yield _drill(drill)


def _protections(
    config: Config, protected: Sequence[ProtectionRecord], listed: PbxSnapshot
) -> Check:
    """A protection that fits nobody may be a typing error, or somebody who has gone."""
    region, prefix = config.crm.region, config.pbx.outside_prefix
    contacts = [listed.contact(at) for at in range(len(listed))] if protected else []
    idle = [
        f"{record.kind} {record.value}"
        for record in protected
        for one in [Protection.of_entries([(record.kind, record.value)], region)]
        if not any(one.why(contact, region, outside_prefix=prefix) for contact in contacts)
    ]
    if not idle:
        return _ok("protect", f"{len(protected)} protections")
    return Check(
        name="protect",
        state="warn",
        said=f"{len(protected)} protections; of these fit no contact: {', '.join(idle)}",
        mend="mend the entry, or take it back: reconcile protect --remove …",
    )


def _drill(last: RunRecord | None) -> Check:
    if last is None:
        return Check(
            name="drill",
            state="warn",
            said="a restore was never practised on this 3CX",
            mend="on a throw-away contact of our own: reconcile restore --drill",
        )
    return _ok("drill", f"a restore succeeded on {last.started_at:%Y-%m-%d}, in run {last.id}")


def _receivers(config: Config, world: World, *, send: bool) -> Iterator[Check]:
    """Whether somebody can be told, and with `send`, whether they are; no line if nobody is."""
    try:
        urls = config.receivers(world.environ)
        told = _told(config, urls, send=send) if urls else ()
    except ReconcileError as error:
        yield from _failures("notify", error)
        return
    if send and not urls:
        yield _untold("there is nobody to be told", "set notify.urls: docs/notifications.md")
    for receiver in told:
        said = f"{receiver.name} {receiver.said}"
        yield _ok("notify", said) if receiver.well else _untold(said, receiver.mend)


def _told(config: Config, urls: Sequence[str], *, send: bool) -> tuple[delivery.Receiver, ...]:
    if not send:
        return delivery.understood(urls)
    trial = message.trial(config.pbx.url)
    return delivery.send(urls, [trial], timeout=config.notify.timeout_seconds)


def _untold(said: str, mend: str) -> Check:
    return Check(name="notify", state="fail", said=said, mend=mend, exit_code=Exit.USAGE)


def _metrics(config: Config) -> Iterator[Check]:
    """Whether the metrics of the next run can be written; no line if none are wanted."""
    if not config.notify.metrics_file:
        return
    path = config.path(config.notify.metrics_file)
    try:
        metrics.check_installed()
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except ReconcileError as error:
        yield from _failures("metrics", error)
    except OSError as error:
        said = f"{path} can't be written: {error.strerror or error}"
        mend = "make its folder, or mend its rights"
        yield Check(name="metrics", state="fail", said=said, mend=mend, exit_code=Exit.USAGE)
    else:
        yield _ok("metrics", str(path))


def _proved(p: Probe) -> str:
    """All that was found out on the throw-away contacts, for an administrator to read."""
    right = f"A DELETE with the right ETag: {p.right_etag}." if p.etags_in else ""
    facts = [
        p.detail,
        f"ETags in: {p.etags_in or 'nothing'}.",
        right,
        f"A DELETE without one: {p.without_etag}.",
        f"Contacts in a page: {p.page_cap or 'as many as asked for'}.",
        f"A missing Id is answered: {p.missing or 'not seen'}.",
        f"Version {p.pbx_version or 'unknown'}, {p.probed_at:%Y-%m-%d %H:%M UTC}.",
    ]
    return " ".join(filter(None, facts))


def _guard(config: Config, listed: PbxSnapshot, known: Probe | None) -> Check:
    kind = known.etags if known else listed.etag_kind
    if_match = known.if_match if known else IfMatch.UNPROVEN
    said = f"ETags {kind}, If-Match {if_match}, delete_guard {config.pbx.delete_guard}"
    if config.pbx.delete_guard is DeleteGuard.COMPARE:
        return _ok("etags", said)
    if known is None and listed.etag_kind is not EtagKind.NONE:
        return Check(
            name="etags",
            state="warn",
            said=f"{said}: proved before the first delete",
            mend="to prove it now, on a throw-away contact: reconcile doctor --probe",
        )
    finding = guards.unguarded(known, listed.etag_kind)
    if finding is None:
        return _ok("etags", said)
    return Check(
        name="etags",
        state="fail",
        said=f"{said}: {finding.observed}",
        mend=finding.hint,
        exit_code=finding.exit_code,
    )
