"""Dask's own scheduler and workers, as an administrator starts them, on ports of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING

import psutil
import trustme
import warm

from reconcile.report.fleet import FleetReport

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@dataclass
class Engine:
    """A scheduler, and workers by name; each has a folder for its jobs and a log."""

    folder: Path
    port: int = field(default_factory=_free_port)
    processes: dict = field(default_factory=dict)
    encryption: dict = field(default_factory=dict)
    """Variables by which Dask is told its certificates; none: everything is in the clear."""

    @property
    def on(self):
        """What is typed."""
        return f"dask://127.0.0.1:{self.port}"

    def scheduler(self, **more):
        """Start it, with more variables, and wait until it listens."""
        options = ("--host=127.0.0.1", f"--port={self.port}", "--no-dashboard")
        self._start("scheduler", {**environ(), **more}, *options)
        self._wait("scheduler", "Scheduler at:")

    @property
    def address(self):
        """As Dask writes it."""
        return f"{'tls' if self.encryption else 'tcp'}://127.0.0.1:{self.port}"

    def encrypt(self):
        """Have all parts, and what is typed, use TLS with certificates of an authority."""
        authority = trustme.CA()
        files = {"CA_FILE": self.folder / "authority.pem"}
        authority.cert_pem.write_to_path(files["CA_FILE"])
        for part in ("SCHEDULER", "WORKER", "CLIENT"):
            path = self.folder / f"{part}.pem"
            authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
            files |= {f"{part}__CERT": path, f"{part}__KEY": path}
        prefix = "DASK_DISTRIBUTED__COMM__"
        self.encryption = {f"{prefix}TLS__{key}": str(path) for key, path in files.items()}
        self.encryption[f"{prefix}REQUIRE_ENCRYPTION"] = "true"

    def worker(self, name, environ, *, threads=2, nanny=False):
        """Start one that has these variables, and wait until the scheduler has it."""
        jobs = self.jobs(name)
        options = (self.address, "--nanny" if nanny else "--no-nanny", f"--nthreads={threads}")
        options += ("--no-dashboard", f"--name={name}", f"--local-directory={self.folder / name}")
        self._start(name, {**environ, "RECONCILE_JOBS": str(jobs)}, *options, kind="worker")
        self._wait(name, "Registered to:")

    def jobs(self, name):
        """Where a worker has its jobs."""
        return self.folder / name / "jobs"

    def log(self, name):
        """What it said."""
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")

    def _start(self, name, environ, *options, kind=None):
        command = [sys.executable, "-m", "dask", kind or name, *options]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command,
                env={**environ, **self.encryption},
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def _wait(self, name, line):
        deadline = time.monotonic() + PATIENCE
        while line not in self.log(name):
            ended = self.processes[name].poll()
            assert ended is None, self.log(name)
            assert time.monotonic() < deadline, self.log(name)
            time.sleep(0.02)

    def kill(self, name, *, with_jobs=False):
        """As when the process is killed, or its whole machine."""
        process = self.processes.pop(name)
        children = psutil.Process(process.pid).children(recursive=True) if with_jobs else []
        for victim in (process, *children):
            victim.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)

    def worker_of(self, job):
        """The worker that has this job's process."""
        for name, process in self.processes.items():
            if name != "scheduler":
                for child in psutil.Process(process.pid).children(recursive=True):
                    if f"{self.jobs(name)}/{job}.toml" in child.cmdline():
                        return name
        raise LookupError(job)

    def reap(self):
        """Forget those that have ended: a worker whose scheduler is gone ends by itself."""
        for name, process in list(self.processes.items()):
            if name != "scheduler" and "scheduler" not in self.processes:
                process.wait(PATIENCE)
            if process.poll() is not None:
                del self.processes[name]

    def stop(self, name):
        """As an administrator stops it."""
        process = self.processes.pop(name)
        process.terminate()
        process.wait(PATIENCE)

    # ------------------------------------------------------------------ what is typed

    @contextmanager
    def typed(self, jobs, *args):
        """The command, on a machine that has no secret."""
        command = ("run", "--all", "jobs.d", "--on", self.on, "--json", *args)
        env = {**environ(), **self.encryption}
        cold = bool(self.encryption)  # Dask reads its configuration as it is loaded
        with warm.start(*command, cwd=jobs.folder.parent, env=env, cold=cold) as process:
            yield Typed(process)

    def run(self, jobs, *args):
        """The command to its end: exit code, report, and what it wrote to stderr."""
        with self.typed(jobs, *args) as typed:
            report = typed.report()
        return typed.process.returncode, report, typed.said


class Typed:
    """A command under way, whose stderr is read."""

    def __init__(self, process):
        self.process = process
        self.said = ""
        self._heard = Condition()
        self._listening = Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self):
        for line in self.process.stderr:
            with self._heard:
                self.said += line
                self._heard.notify_all()

    def heard(self, words, times=1):
        """Wait until it has said that, and so often."""
        with self._heard:
            often = self._heard.wait_for(lambda: self.said.count(words) >= times, PATIENCE)
            assert often, self.said

    def report(self):
        """Of all jobs, once it has ended."""
        out = self.process.stdout.read()
        self.process.wait(PATIENCE)
        self._listening.join(PATIENCE)
        assert "Traceback" not in self.said
        assert out, self.said
        report = FleetReport.model_validate_json(out)
        assert report.exit_code == self.process.returncode
        return report


@contextmanager
def engine(folder):
    """An engine that has nothing yet; what was started ends with the block."""
    made = Engine(folder=folder)
    try:
        yield made
    finally:
        for name in sorted(made.processes, key="scheduler".__eq__):
            made.stop(name)


def environ():
    """Without anything secret."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("RECONCILE", "SECRET"))}
