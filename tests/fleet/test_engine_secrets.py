"""Where a secret is on an engine: in the job's process, and in the environment of a worker."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from pathlib import Path

import canaries
import engines
from canaries import SECRET

from reconcile.model import Exit


def in_memory(process, control):
    """The secrets in the memory of a process; what is known to be there must be found, too."""
    found, controlled = set(), False
    pid = process.pid
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text("ascii", "replace").splitlines():
            bounds = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not bounds:
                continue
            start, end = (int(bound, 16) for bound in bounds.groups())
            memory.seek(start)
            with suppress(OSError):  # a page that no file is behind
                content = memory.read(end - start)
                if any(beginning in content for beginning in canaries.BEGINNINGS):
                    found.update(canaries.leaks(content))
                controlled = controlled or control.encode() in content
    assert controlled, f"{control} is not found, though it is there"
    return found


def dumped(cluster, database):
    """All that a database holds, as text."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    place = ("-h", cluster.folder, "-p", cluster.port, "-U", "owner")
    command = map(str, (programs / "pg_dump", *place, database))
    return subprocess.run(list(command), check=True, capture_output=True).stdout


def deleting(jobs, name):
    """The delete of who has left."""
    return {"method": "DELETE", "path_prefix": f"/xapi/v1/Contacts({jobs.leaver(name)['Id']})"}


def write_with_secret(jobs, name):
    """A job that holds what it may only name."""
    jobs.write(name, url="https://a.example.com", more=jobs.state(name))
    path = canaries.exempt(jobs.path(name))
    text = path.read_text("utf-8").replace("client_secret_env", "client_secret")
    path.write_text(f'{text}url = "mysql://me:{SECRET}@db/crm"\nsql = "SELECT 1"\n', "utf-8")


def test_a_secret_is_nowhere_but_where_the_job_names_it(jobs, engine, tmp_path):
    kept = canaries.exempt(tmp_path / "kept")
    kept.mkdir(mode=0o700)
    secret = kept / "beta"
    secret.touch(mode=0o600)
    secret.write_text(SECRET)
    for name in ("acme", "beta"):
        jobs.add(name, seed=len(name), more=jobs.state(name))
    text = jobs.path("beta").read_text("utf-8")
    in_file = text.replace('client_secret_env = "SECRET_BETA"', f'client_secret_file = "{secret}"')
    jobs.path("beta").write_text(in_file, "utf-8")
    engine.scheduler()
    found = {}

    def look(name, *parts):
        for part in parts:
            seen = in_memory(engine.processes[part], jobs.servers[name].url)
            found.setdefault((name, part), set()).update(seen)

    engine.worker("files", engines.environ())
    jobs.servers["beta"].hook(lambda: look("beta", "scheduler", "files"), **deleting(jobs, "beta"))
    code, report, _ = engine.run(jobs, "--only", "beta")
    assert (code, report.jobs[0].deleted) == (Exit.CONVERGED, 1)
    look("beta", "scheduler", "files")
    engine.stop("files")
    engine.worker("environment", {**engines.environ(), "SECRET_ACME": SECRET})
    jobs.servers["acme"].hook(
        lambda: look("acme", "scheduler", "environment"), **deleting(jobs, "acme")
    )
    write_with_secret(jobs, "gamma")
    code, report, _ = engine.run(jobs, "--only", "acme", "--only", "gamma")
    lines = jobs.lines(report)
    assert (code, lines["gamma"].status, lines["acme"].deleted) == (Exit.USAGE, "refused", 1)
    assert not (engine.jobs("environment") / "gamma.toml").exists()
    look("acme", "scheduler")
    assert found.pop(("acme", "environment")) == {SECRET}
    assert set(found) == {("beta", "scheduler"), ("beta", "files"), ("acme", "scheduler")}
    assert not any(found.values())
    content = dumped(jobs.cluster, "fleet")
    assert b"client_secret" not in content
    assert canaries.leaks(content) == []
    assert jobs.servers["acme"].url.encode() in content
    logs = [engine.log(name) for name in ("scheduler", "files", "environment")]
    assert all(canaries.leaks(log.encode()) == [] for log in logs)
