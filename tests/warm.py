"""The real command in a process of its own, in a Python that has the libraries loaded already.

Loading pandas, SQLAlchemy and the others takes most of the time of a short command, and the tests
start hundreds. So one process loads them and all of ours; for each command it makes a copy of
itself, and the copy runs `python -m reconcile`. `cold` starts Python itself, which loads but what
the command asks for.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import inspect
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Thread, current_thread
from threading import enumerate as enumerate_threads

LIBRARIES = (
    *("alembic.command", "alembic.config", "apscheduler.triggers.cron", "click", "coverage"),
    *(
        "httpx",
        "jinja2",
        "psycopg",
        "pandas",
        "phonenumbers",
        "portalocker",
        "psutil",
        "pyarrow.compute",
    ),
    *("pyarrow.csv", "pyarrow.parquet", "pydantic", "python_calamine", "rich.console"),
    *(
        "rich.progress",
        "rich.table",
        "sqlalchemy.dialects.sqlite",
        "starlette.applications",
        "uvicorn",
    ),
)
_HEADER = 8
"""Bytes that say how long a request is."""


def in_path(folder):
    """A `reconcile` for a shell, as a file in that folder; gives what its process must inherit.

    The shell may not ask at the same time as this process does.
    """
    file = folder / "reconcile"
    shebang = f"#!{sys.executable} -IS\n"  # without what it doesn't need, as it is to begin quickly
    file.write_text(
        f"{shebang}{inspect.getsource(_beside)}\n_beside({_door().fileno()}, {_HEADER})\n"
    )
    file.chmod(0o755)
    return _door().fileno()


def _beside(door, header):
    """Have the command run with the streams of this process, and end as it does."""
    import json
    import os
    import signal
    import socket
    import sys

    reads, told = os.pipe()
    request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()  # noqa: PTH109 - pathlib takes long to load
    with socket.socket(fileno=door) as asked:
        socket.send_fds(asked, [len(request).to_bytes(header)], [0, 1, 2, told])
        asked.sendall(request)
    os.close(told)
    with os.fdopen(reads, "rb", buffering=0) as answers:
        process = int(answers.readline())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _: os.kill(process, received))
        code = int(answers.readline())
    sys.exit(code if code >= 0 else 128 - code)


def start(*args, cwd, env, cold=False, stderr=None):
    """`reconcile ARGS`: a process with pipes, to be used as a `subprocess.Popen` of text.

    `stderr`: a terminal that it writes to, which is this process's no more.
    """
    if not cold:
        return Started(args, cwd, env, stderr)
    return subprocess.Popen(
        [sys.executable, "-m", "reconcile", *args],
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


# ------------------------------------------------------------------ the tests' side


class Started:
    """A command that runs, or has ended; of `subprocess.Popen` what the tests need."""

    def __init__(self, args, cwd, env, stderr=None):
        theirs, ours = [], []
        for reads in (True, False, False, False):
            ends = os.pipe()
            theirs.append(ends[not reads])
            ours.append(ends[reads])
        if stderr is not None:
            os.close(theirs[2])
            theirs[2] = stderr
        request = json.dumps([args, str(cwd), env]).encode()
        socket.send_fds(_door(), [len(request).to_bytes(_HEADER)], theirs)
        _door().sendall(request)
        for end in theirs:
            os.close(end)
        self.stdin = os.fdopen(ours[0], "w", encoding="utf-8")
        self.stdout = os.fdopen(ours[1], encoding="utf-8")
        self.stderr = os.fdopen(ours[2], encoding="utf-8")
        self._told = os.fdopen(ours[3], "rb", buffering=0)
        self.returncode = None
        self.pid = int(self._told.readline())

    def poll(self):
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("reconcile", timeout)
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode

    def communicate(self, answers="", timeout=None):
        if self.stdout.closed:
            return "", ""
        said = {}
        streams = {"out": self.stdout, "err": self.stderr}
        readers = [
            Thread(target=lambda n=name, s=stream: said.update({n: s.read()}), daemon=True)
            for name, stream in streams.items()
        ]
        for reader in readers:
            reader.start()
        with suppress(BrokenPipeError):
            self.stdin.write(answers or "")
            self.stdin.close()
        for reader in readers:
            reader.join(timeout)
        code = self.wait(timeout)
        self._close()
        assert set(said) == set(streams), f"exit {code}, and its output has no end"
        return said["out"], said["err"]

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def _close(self):
        for stream in (self.stdin, self.stdout, self.stderr):
            with suppress(BrokenPipeError):
                stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._close()
        self.wait()


@cache
def _door():
    """Where commands are asked for; the process behind it ends with this one."""
    ours, theirs = socket.socketpair()
    # What is measured is the commands: each begins when its own environment says so.
    environ = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            env={**environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


# ------------------------------------------------------------------ the other side


def serve(door):
    """Make a process for each request, until nobody is left to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for library in LIBRARIES:
        importlib.import_module(library)
    for module in pkgutil.walk_packages(
        importlib.import_module("reconcile").__path__, "reconcile."
    ):
        if module.name != "reconcile.__main__":
            importlib.import_module(module.name)
    inspect.stack()  # remembers which file each module is from, which coverage asks at its start
    gc.collect()
    gc.freeze()
    while True:
        header, ends, _, _ = socket.recv_fds(door, _HEADER, 4)
        if not header:
            return
        request = door.recv(int.from_bytes(header), socket.MSG_WAITALL)
        if not os.fork():
            door.close()
            _attend(ends, *json.loads(request))
            return
        for end in ends:
            os.close(end)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _attend(ends, args, cwd, env):
    """Tell the Id of the command's process, and how it ended; returns in that process only."""
    *streams, told = ends
    process = os.fork()
    if not process:
        os.close(told)
        _become(streams, args, cwd, env)
        return
    for end in streams:
        os.close(end)
    os.write(told, b"%d\n" % process)
    _, status = os.waitpid(process, 0)
    with suppress(BrokenPipeError):
        os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(streams, args, cwd, env):
    """Run the command in this process, as Python does that has just started."""
    for number, end in enumerate(streams):
        os.dup2(end, number)
        os.close(end)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["reconcile", *args]
    sys.path[0] = cwd
    sys.modules["coverage"].process_startup()
    try:
        runpy.run_module("reconcile", run_name="__main__", alter_sys=True)
    except SystemExit as leaving:
        _leave(leaving.code)


def _leave(code):
    """What Python does at its end that can be noticed; but not taking every library to pieces."""
    for thread in enumerate_threads():
        if thread is not current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()  # noqa: SLF001 - nothing public does it
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = 120
    os._exit(code or 0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
