"""Jobs on an existing engine: Dask's distributed, which has the crews of other machines run them.

No scheduler of ours: which worker takes a job, and which takes it over from one that died, is
Dask's to say, and whether a slot is still to be had that of the job's own state. Here the jobs are
sent, at most so many at once, and what comes back is put where it would be had they run here.
"""

from __future__ import annotations

import logging
import uuid
from collections import deque
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from distributed import Client, Future, Security
from distributed.scheduler import KilledWorker

from reconcile.errors import Problem, ReconcileError, StateError, UsageError
from reconcile.fleet import sent, worker
from reconcile.fleet.crew import AGAIN, LOOK, PATIENCE, failed, not_begun
from reconcile.fleet.jobs import because
from reconcile.hold import stop_file
from reconcile.model import Exit
from reconcile.report import files
from reconcile.report import fleet as combining
from reconcile.report.fleet import JobPart
from reconcile.store.engine import located
from reconcile.store.sqlite import SqliteFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from reconcile.fleet.crew import Crew
    from reconcile.fleet.jobs import Job

PORT: Final = 8786
"""Where a scheduler of Dask listens unless it is told otherwise."""
_TIMEOUT: Final = 10.0
"""Seconds in which a scheduler must answer."""
_LIMITED: Final = {"callback_timeout": _TIMEOUT}
_SECOND: Final = timedelta(seconds=1)
_AGAIN: Final = timedelta(seconds=5)
"""From one asking of a job to end to the next."""
_PACKAGES: Final = ("reconcile-3cx", "distributed")
"""What must be the same everywhere: the parts talk to each other in no other way."""
_TALKERS: Final = ("distributed", "distributed.client", "distributed.gc", "tornado.application")


def run(crew: Crew, due: Sequence[Job]) -> list[JobPart]:
    """Have the engine run them; what can't be run there is told in its line.

    Raises UsageError if there is nobody to run them, and nothing was sent then.
    """
    address = _address(crew.wish.on)
    unfit = {job.name: part for job in due if (part := _unfit(job))}
    parts = list(unfit.values())
    for part in parts:
        crew.watcher.ended(part)
    fit = [job for job in due if job.name not in unfit]
    if not fit:
        return parts
    with _connected(crew.wish.on, address) as client:
        _check(client, crew.wish.on)
        return [*parts, *_Engine(client=client, crew=crew).run(fit)]


def _unfit(job: Job) -> JobPart | None:
    """The line of a job that no other machine can run."""
    if not isinstance(located(job.config.state.url, base=job.config.base), SqliteFile):
        return None
    why = [
        "Its state is a file, which only one machine has; on an engine it must be in PostgreSQL.",
        "Nothing was done.",
        "Next: copy the state into one by reconcile db copy, and set state.url to its address",
    ]
    return combining.of_words(job.name, why, status="refused", exit_code=Exit.USAGE)


# ---------------------------------------------------------------------------- the engine


def _address(on: str) -> str:
    """Host and port; raises UsageError."""
    with suppress(ValueError):
        found = urlsplit(on)
        plain = found.scheme == "dask" and not (found.username or found.path.strip("/"))
        if plain and (host := found.hostname):
            return f"{f'[{host}]' if ':' in host else host}:{found.port or PORT}"
    raise UsageError(
        f"{on!r} is no address of an engine.", hint="write it as dask://scheduler:8786"
    )


@contextmanager
def _connected(on: str, address: str) -> Iterator[Client]:
    """The engine, by Dask's own configuration of TLS. Raises UsageError."""
    for name in _TALKERS:  # what is of use of it is told by us, between the lines of the jobs
        logging.getLogger(name).setLevel(logging.CRITICAL)
    security = Security()
    encrypted = security.require_encryption or security.tls_client_cert or security.tls_ca_file
    try:
        client = Client(
            f"{'tls' if encrypted else 'tcp'}://{address}",
            security=security,
            timeout=_TIMEOUT,
            set_as_default=False,
            name="reconcile",
        )
    except (OSError, TypeError, ValueError) as error:
        raise _unreachable(on, error) from error
    try:
        yield client
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=_TIMEOUT)


def _unreachable(on: str, error: Exception) -> UsageError:
    return UsageError(
        f"The scheduler {on} can't be reached: {' '.join(str(error).split()) or error!r}.",
        hint="see that it runs, and that both sides have the same Dask configuration of TLS;"
        " then the same command again",
        code="engine_unreachable",
    )


def _check(client: Client, on: str) -> None:
    """Raise UsageError for an engine without workers, or of other versions than ours."""
    try:
        found = client.get_versions(packages=_PACKAGES)
    except OSError as error:
        raise _unreachable(on, error) from error
    ours = found["client"]["packages"]
    places = {"the scheduler": found["scheduler"]}
    places |= {f"the worker {name}": there for name, there in sorted(found["workers"].items())}
    if problems := [
        Problem(
            code="engine_version",
            message=f"{where} has {package} {there['packages'].get(package) or 'not at all'},"
            f" and this machine {ours[package]}",
        )
        for where, there in places.items()
        for package in _PACKAGES
        if there["packages"].get(package) != ours[package]
    ]:
        raise UsageError(
            f"The engine {on} has other versions than this machine.",
            problems=problems,
            hint="install the same versions everywhere, and start scheduler and workers again",
            code="engine_version",
        )
    if not found["workers"]:
        raise UsageError(
            f"The scheduler {on} has no worker.",
            hint=f"start one: dask worker tcp://{_address(on)}",
            code="engine_workers",
        )


# ---------------------------------------------------------------------------- the jobs


@dataclass(slots=True, kw_only=True)
class _Sent:
    """A job that was sent and has no line yet."""

    job: Job
    future: Future[Any]
    asked: datetime | None = None
    """When it was told to end, for the last time."""


@dataclass(kw_only=True)
class _Engine:
    """The jobs on the engine, at most so many, and those that wait for their turn."""

    client: Client
    crew: Crew
    _waiting: deque[Job] = field(default_factory=deque)
    _names: dict[str, str] = field(default_factory=dict)
    """Of jobs, by the tokens of their orders; known before a worker can speak of one."""
    _taken: set[str] = field(default_factory=set)
    """Orders that a worker said it has."""
    _under_way: dict[str, _Sent] = field(default_factory=dict)
    """By token."""
    _over: tuple[str, Exit] | None = None
    """Why no other is sent any more, and what code it has then."""
    _lost: str = ""
    """Why nobody knows of those under way."""
    _counted: datetime | None = None
    _threads: int = 0
    """What the workers have together, when it was counted for the last time."""
    _seen: datetime | None = None
    """When there was a worker for the last time."""
    _wake: Event = field(default_factory=Event)
    _parts: list[JobPart] = field(default_factory=list)

    def run(self, jobs: Sequence[Job]) -> list[JobPart]:
        """Have them run to their end, or to the end of what they have in hand once a signal came.

        A second signal ends this command; the jobs have been asked by then.
        """
        self._waiting.extend(jobs)
        self._seen = self.crew.world.clock()
        self.client.subscribe_topic(worker.TOPIC, self._heard)
        while self._waiting or self._under_way:
            self._look()
            self._settle()
            self._wake.wait(LOOK)
            self._wake.clear()
        return self._parts

    def _look(self) -> None:
        """See who says stop and who is there; send as many as there is room for."""
        now = self.crew.world.clock()
        if code := self.crew.world.interrupted():
            self._over = self._over or ("A signal came before its turn.", code)
            self._ask(self._under_way, code, now)
        held = [token for token, one in self._under_way.items() if stop_file(one.job.config)]
        self._ask(held, Exit.TERMINATED, now)
        self._count(now)
        room = min(self._threads, self.crew.wish.at_once or self._threads)
        while self._waiting and not self._over and len(self._under_way) < room:
            if self.client.status != "running":
                return
            self._send(self._waiting.popleft())

    def _ask(self, tokens: Iterable[str], code: Exit, now: datetime) -> None:
        """Have them end, and say so again: a worker that has begun since has not heard of it."""
        asked = {t: self._under_way[t] for t in tokens}
        asked = {t: one for t, one in asked.items() if _is_over(one.asked, _AGAIN, now)}
        if not asked:
            return
        with suppress(OSError, TimeoutError):
            self.client.run(worker.ask, list(asked), int(code), on_error="ignore")
        for token, one in asked.items():
            # All workers have known for a while that it must not begin.
            if one.asked and token not in self._taken:
                one.future.cancel()
            one.asked = now

    def _count(self, now: datetime) -> None:
        """Once a second: who is there; if for a while nobody is, it is given up."""
        if not _is_over(self._counted, _SECOND, now):
            return
        self._counted, self._threads = now, 0
        with suppress(OSError, TimeoutError):
            if self.client.status == "running":
                told = self.client.sync(self.client.scheduler.identity, n_workers=0, **_LIMITED)
                self._threads = told["total_threads"]
        if self._threads:
            self._seen = now
        elif self.client.status == "closed":
            self._give_up("The scheduler was lost")
        elif _is_over(self._seen, PATIENCE, now):
            self._give_up("The engine lost its last worker")

    def _give_up(self, why: str) -> None:
        self._lost = why
        self._over = self._over or (f"{why} before its turn.", Exit.USAGE)

    def _send(self, job: Job) -> None:
        if name := stop_file(job.config):
            why = f"The file {name} is there: so the job was not sent."
            following = f"Next: remove the file {name}, then the same command with --resume"
            self._ended(not_begun(job.name, Exit.APPROVAL, why=why, following=following))
            return
        token, crew = uuid.uuid4().hex, self.crew
        try:
            order = sent.order(
                job, crew.wish, token=token, variables=crew.variables, now=crew.world.clock()
            )
        except ReconcileError as error:
            self._ended(because(job.name, error).line())
            return
        self._names[token] = job.name
        key = f"reconcile-{token}"
        future = self.client.submit(worker.run_job, order, key=key, pure=False)
        self._under_way[token] = _Sent(job=job, future=future)
        future.add_done_callback(lambda _: self._wake.set())

    def _heard(self, event: tuple[float, Sequence[Any]]) -> None:
        """What a worker says of a job, to this command or to another."""
        _, (token, what, *words) = event
        if (name := self._names.get(token)) is None:
            return
        watcher = self.crew.watcher
        match what:
            case "taken":
                self._taken.add(token)
            case "began":
                watcher.began(name)
            case "moved":
                watcher.moved(name, *words)
            case "said":
                watcher.said(name, *words)

    # ------------------------------------------------------------------ what became of them

    def _settle(self) -> None:
        """Tell of those whose line is known now."""
        for token, one in list(self._under_way.items()):
            if part := self._line(one, taken=token in self._taken):
                del self._under_way[token]
                self._ended(part)
        while self._waiting and self._over:
            why, code = self._over
            self._ended(not_begun(self._waiting.popleft().name, code, why=why))

    def _ended(self, part: JobPart) -> None:
        self._parts.append(part)
        self.crew.watcher.ended(part)

    def _line(self, one: _Sent, *, taken: bool) -> JobPart | None:
        """What became of a job; None for as long as that isn't known."""
        match one.future.status:
            case "finished":
                return self._answered(one)
            case "error":
                return _broken(one.job.name, one.future.exception())
            case "cancelled" | "lost" if one.asked and not taken:
                code = self.crew.world.interrupted() or Exit.APPROVAL
                return not_begun(one.job.name, code, why="It was stopped before its turn.")
            case "pending" if not self._lost:
                return None
            case _:
                return _lost(one.job.name, self._lost or "The scheduler was lost")

    def _answered(self, one: _Sent) -> JobPart | None:
        try:
            answer: sent.Answer = one.future.result(timeout=_TIMEOUT)
        except (OSError, TimeoutError, CancelledError):  # its worker is gone: another runs it
            return None
        part = JobPart.model_validate_json(answer["line"])
        job, run_id = one.job, answer["run"]
        before = self.crew.world.clock() - timedelta(days=job.config.report.keep_days)
        try:
            sent.take_marks(job, answer["marks"])
            if run_id is not None:
                files.take_in(answer["report"], job.reports, run_id)
                files.prune(job.reports, before=before)
        except StateError as error:
            return part.model_copy(update={"said": (*part.said, error.message, error.consequence)})
        return part.model_copy(update={"page": job.place(self.crew.directory).page(run_id)})


def _is_over(since: datetime | None, span: timedelta, now: datetime) -> bool:
    return since is None or now - since > span


def _broken(name: str, error: BaseException | None) -> JobPart:
    """The line of a job whose worker could not even say how it went."""
    if isinstance(error, KilledWorker):
        died = error.allowed_failures + 1
        why = [
            f"{died} workers died while they had it." if died > 1 else "Its worker died.",
            "The next run looks first at what was left unfinished.",
            AGAIN,
        ]
        return combining.of_words(name, why, status="killed", exit_code=Exit.BUG)
    return failed(name, [f"Its worker failed: {type(error).__name__}: {error}."])


def _lost(name: str, why: str) -> JobPart:
    words = [
        f"{why} while the job was under way: nobody knows here how it ended.",
        "Its worker lets it finish what it has in hand; the next run looks first at what is left.",
        AGAIN,
    ]
    return combining.of_words(name, words, status="lost", exit_code=Exit.BUG)
