"""A night of 300 phone systems: on one machine, and on an engine of two workers.

Each is a sandbox with 1,000 contacts at 20 ms a request, from whose CRM two people have left since
the night before; 16 jobs run at once. Every job's verdicts must be those of running it alone.
Nothing is timed against a budget: the share of the ideal is what the jobs' own waiting allows if
nothing else counted, and what the processors of this machine allow, which the sandboxes share.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import psutil
from books import aged
from databases import cluster
from engines import PATIENCE, engine
from taking import keep, machine, process

from reconcile import config, run
from reconcile.planning import Request
from reconcile.report import files
from reconcile.sandbox import Book, SandboxServer
from reconcile.sandbox.export import write_export
from reconcile.session import World
from reconcile.store import migrate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engines import Engine

    from reconcile.report.model import Report

LATENCY = 0.02
LEAVERS = 2
AT_ONCE = 16
SERVERS = 3
"""Processes that the sandboxes are in."""
ALONE = 6
"""So many more are run alone, to see how long a job waits."""
DEFAULTS = """mode = "auto"
[crm]
region = "DE"
[pbx]
client_id = "reconcile"
client_secret_env = "SECRET"
[policy]
grace_exports = 1
grace_hours = 0
"""
SECRET = {"SECRET": "sandbox-secret"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


def main() -> None:
    """Print and keep what both took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", type=int, default=300)
    parser.add_argument("--contacts", type=int, default=1_000)
    parser.add_argument("--serve", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--prepare", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--alone", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve(Path(options.serve[0]), options.serve[1:], options.contacts)
    elif options.prepare:
        _prepare(Path(options.prepare[0]), options.prepare[1:])
    elif options.alone:
        print(json.dumps(_alone(Path(options.alone[0]), options.alone[1:])))
    else:
        _measure(options.systems, options.contacts)


# ---------------------------------------------------------------------------- other processes


def _serve(folder: Path, names: list[str], contacts: int) -> None:
    """Sandboxes of these names; a line of stdin is an order, and a line of JSON its answer."""
    servers: dict[str, SandboxServer] = {}
    for name in names:
        servers[name] = SandboxServer(Book.seeded(contacts, seed=int(name[1:])))
        servers[name].start()
    print(json.dumps({name: server.url for name, server in servers.items()}), flush=True)
    for order in sys.stdin:
        print(json.dumps(_obeyed(order.strip(), folder, servers, contacts)), flush=True)


def _obeyed(order: str, folder: Path, servers: dict[str, SandboxServer], contacts: int) -> object:
    for name, server in servers.items():
        if order in {"export", "leave"}:
            people = [c for c in server.book.all() if c.get("Tag")]
            gone = [c["Tag"] for c in people[:LEAVERS]] if order == "leave" else []
            path = folder / "exports" / name / "contacts.csv"
            write_export(path, people, without=gone)
            aged(path)
        elif order == "wait":
            server.switches = replace(server.switches, latency=LATENCY)
        elif order == "again":
            port = int(server.url.rpartition(":")[2])
            switches = server.switches
            server.stop()
            book = Book.seeded(contacts, seed=int(name[1:]))
            servers[name] = SandboxServer(book, switches=switches, port=port)
            servers[name].start()
        elif order == "clear":
            server.clear_requests()
    return sum(len(server.requests) for server in servers.values())


def _world() -> World:
    return World(
        environ=SECRET,
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        user="benchmark",
    )


def _prepare(jobs: Path, names: Iterable[str]) -> None:
    """The night before."""
    for name in names:
        settings = config.load(jobs / f"{name}.toml")
        migrate.upgrade(settings.state.url, base=settings.base, now=datetime.now(UTC))
        run.plan_once(settings, _world(), Request(command="plan"))


def _alone(jobs: Path, names: Iterable[str]) -> dict[str, Any]:
    """What each job comes to by itself."""
    request = Request(command="plan", record=False)
    return {
        name: _verdicts(run.plan_once(config.load(jobs / f"{name}.toml"), _world(), request))
        for name in names
    }


def _verdicts(report: Report) -> dict[str, Any]:
    """All of them; the moment since when somebody is absent is that of the run."""
    if not report.counts.pbx.get("delete"):  # one may be spoken for by another record
        raise SystemExit(f"a job is not as it should be: {report.headline}")
    of_contacts = {str(c.id): [c.verdict, MOMENT.sub("", c.reason)] for c in report.contacts}
    return {"contacts": of_contacts, "counts": report.counts.model_dump()}


# ---------------------------------------------------------------------------- both fleets


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Where the folders of jobs are, and the processes of the sandboxes."""

    folder: Path
    names: list[str]
    servers: list[subprocess.Popen[str]]
    urls: dict[str, str]
    database: int
    """The process of PostgreSQL."""

    @property
    def others(self) -> list[int]:
        """Processes whose memory is not ours."""
        return [self.database, *(server.pid for server in self.servers)]

    def order(self, word: str) -> int:
        """Have all sandboxes do something; gives the requests that have come so far."""
        for server in self.servers:
            print(word, file=server.stdin, flush=True)
        return sum(json.loads(server.stdout.readline()) for server in self.servers if server.stdout)

    def write(self, jobs: Path, states: Mapping[str, str], names: Iterable[str]) -> None:
        """A folder of jobs whose states are these, or files."""
        jobs.mkdir(exist_ok=True)
        (jobs / "defaults.toml").write_text(DEFAULTS, "utf-8")
        for name in names:
            state = f'[state]\nurl = "{states[name]}"\n' if states else ""
            text = f'[crm]\nsource = "{self.folder}/exports/{name}/*.csv"\n{state}'
            text += f'[pbx]\nurl = "{self.urls[name]}"\n'
            (jobs / f"{name}.toml").write_text(text, "utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A folder of jobs, and what each comes to and takes if it is alone."""

    jobs: Path
    wanted: Mapping[str, Any]
    own: Mapping[str, float]


def _halves(what: str, jobs: Path, names: list[str]) -> list[dict[str, Any]]:
    """In two processes of this script."""
    with ThreadPoolExecutor(2) as both:
        commands = [(sys.executable, __file__, what, str(jobs), *names[at::2]) for at in (0, 1)]
        return list(both.map(lambda command: process(*command), commands))


@contextmanager
def _office(folder: Path, database: int, systems: int, contacts: int) -> Iterator[Office]:
    names = [f"s{number:03}" for number in range(systems + ALONE)]
    with ExitStack() as ends:
        servers, urls = [], {}
        for at in range(SERVERS):
            command = [sys.executable, __file__, f"--contacts={contacts}", "--serve", str(folder)]
            server = subprocess.Popen(
                [*command, *names[at::SERVERS]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            ends.callback(server.wait)
            ends.callback(server.terminate)
            servers.append(server)
        for server in servers:
            urls |= json.loads(server.stdout.readline()) if server.stdout else {}
        yield Office(folder=folder, names=names, servers=servers, urls=urls, database=database)


def _measure(systems: int, contacts: int) -> None:
    print(f"{machine()}, {systems} phone systems with {contacts:,} contacts, {AT_ONCE} at once\n")
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        server = ends.enter_context(cluster())
        server.create("fleet")
        office = ends.enter_context(_office(folder, server.process.pid, systems, contacts))
        fleet, alone = office.names[:systems], office.names[systems:]
        local, remote = folder / "local", folder / "remote"
        (folder / "single").mkdir()
        office.write(local, {}, fleet)
        office.write(folder / "single", {}, alone)
        office.write(remote, {name: server.url("fleet", schema=name) for name in fleet}, fleet)
        office.order("export")
        for jobs, names in ((local, fleet), (folder / "single", alone), (remote, fleet)):
            _halves("--prepare", jobs, names)
        office.order("leave")
        wanted: dict[str, Any] = {}
        for half in _halves("--alone", local, fleet):
            wanted |= {name: half[name] for name in fleet if name in half}
        office.order("wait")
        own = _waiting(folder / "single", alone)
        print(f"  alone a job takes {own['wall']:.2f} s, {own['cpu']:.2f} s of them a processor's")
        night = Night(jobs=local, wanted=wanted, own=own)
        found = {"one machine": _taken(office, night)}
        office.order("again")
        made = ends.enter_context(engine(folder))
        found["an engine of two workers"] = _on_engine(office, made, replace(night, jobs=remote))
    keep("fleet", {"phone systems": systems, "contacts of each": contacts, **found})


def _waiting(jobs: Path, names: Iterable[str]) -> dict[str, float]:
    """What a job takes that is run alone, on the average."""
    took = [
        process(
            sys.executable, "-m", "reconcile", "--config", f"{jobs}/{name}.toml", "run", **SECRET
        )
        for name in names
    ]
    walls, cpus = ([t[f"process {what}"] for t in took] for what in ("wall", "cpu"))
    return {"wall": sum(walls) / len(walls), "cpu": sum(cpus) / len(cpus)}


def _on_engine(office: Office, made: Engine, night: Night) -> dict[str, Any]:
    made.scheduler()
    for name in ("one", "two"):
        made.worker(name, {**os.environ, **SECRET}, threads=AT_ONCE // 2)
    return _taken(office, night, "--on", made.on)


def _taken(office: Office, night: Night, *options: str) -> dict[str, Any]:
    """One command for all; what it took, and that every job came to what it does alone."""
    jobs, wanted, own = night.jobs, night.wanted, night.own
    office.order("clear")
    command = (sys.executable, "-m", "reconcile", "run", "--all", str(jobs), "--quiet", "--json")
    with _peak(without=office.others) as peak:
        took = process(*command, f"--jobs={AT_ONCE}", *options, **SECRET)
    requests = office.order("count")
    different = [n for n in wanted if _verdicts(_report(jobs, n)) != wanted[n]]
    if different:
        raise SystemExit(f"{len(different)} jobs came to something else: {different[:5]}")
    wall, count = took["process wall"], len(wanted)
    ideal = (own["wall"] - own["cpu"]) * count / AT_ONCE
    floor = own["cpu"] * count / (os.cpu_count() or 1)
    name = "the engine" if options else "one machine"
    print(
        f"  {name}: {wall:.0f} s, {requests:,} requests, {peak[0] / 2**20:,.0f} MB at most;"
        f" {ideal / wall:.2f} of what the waiting allows, {floor / wall:.2f} of what the"
        f" processors do; all {count} as alone"
    )
    return {
        "of the waiting": {"ours": wall, "other": ideal, "ratio": ideal / wall, "kept": None},
        "of the processors": {"ours": wall, "other": floor, "ratio": floor / wall, "kept": None},
        "requests": requests,
        "bytes at most": peak[0],
        "seconds alone": own["wall"],
        "seconds of a processor alone": own["cpu"],
    }


def _report(jobs: Path, name: str) -> Report:
    return files.read(jobs / name / "reports")


@contextmanager
def _peak(*, without: list[int]) -> Iterator[list[int]]:
    """The most memory that all our processes had but these, a shared page counted in each."""
    most, over = [0], Event()
    watching = Thread(target=_watch, args=(without, most, over))
    watching.start()
    try:
        yield most
    finally:
        over.set()
        watching.join(PATIENCE)


def _watch(without: list[int], most: list[int], over: Event) -> None:
    while not over.wait(0.5):
        ours = _family([os.getpid()]) - _family(without) - {os.getpid()}
        most[0] = max(most[0], sum(map(_resident, ours)))


def _family(roots: list[int]) -> set[int]:
    children = {c.pid for pid in roots for c in psutil.Process(pid).children(recursive=True)}
    return {*roots, *children}


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:  # it has ended
        return 0


if __name__ == "__main__":
    main()
