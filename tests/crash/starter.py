"""Starts `reconcile` without its start-up: everything is imported once, and forked for each run.

Most of a small run's time goes into importing. What is forked here is a real process with a pid of
its own that dies of real signals; only its start is not repeated. A line of JSON comes in for each
order, and one goes out for its answer. The first order is a rehearsal: it runs in this process, so
that what is loaded at the first use is there, too.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import resource
import sys


def main() -> None:
    """Serve until nobody orders any more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for name in _modules():
        importlib.import_module(name)
    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line))) + "\n")
        answers.flush()


def _modules() -> list[str]:
    import reconcile

    found = (m.name for m in pkgutil.walk_packages(reconcile.__path__, "reconcile."))
    return [name for name in found if not name.endswith(("__main__", ".env"))]


def _answer(order: dict) -> dict[str, int]:
    if "ended" in order:
        _, status = os.waitpid(order["ended"], 0)
        return {"code": os.waitstatus_to_exitcode(status)}
    if order["rehearsal"]:
        code = _run(order)
        gc.freeze()  # a collection would touch, and so copy, all pages that a child shares
        return {"code": code}
    pid = os.fork()
    if pid == 0:
        os._exit(_run(order))
    return {"pid": pid}


def _run(order: dict) -> int:
    """Put on the clothes of a process, wait at the gate, run the command."""
    from reconcile.cli import main as command

    for number, path in ((1, order["out"]), (2, order["err"])):
        _redirect(number, path)
    os.chdir(order["folder"])
    os.environ.update(order["environ"])
    if largest := order["largest"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    if gate := order["gate"]:
        os.close(os.open(gate, os.O_RDONLY))
    try:
        command(order["command"])
    except SystemExit as leaving:
        return int(leaving.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _redirect(number: int, path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(descriptor, number)
    os.close(descriptor)


if __name__ == "__main__":
    main()
