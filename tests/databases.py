"""Real MariaDB and PostgreSQL servers, each on a folder and a port of its own.

`make system` installs them. Whoever is root gives the server its own user, as the servers want.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import sqlalchemy as sa

PASSWORD = "canary-s3cret-9XZ"
DATABASE = "company"
"""What has the state of the company of a test, if a server has it."""


@dataclass
class Database:
    """A server that runs; `url` is what a configuration would hold, `owner` may do anything."""

    url: str
    owner: sa.URL

    def run(self, *statements: str) -> None:
        engine = sa.create_engine(self.owner)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _in_memory() -> str | None:
    """A folder in memory, if there is one with room for a server's data."""
    shared = Path("/dev/shm")  # noqa: S108 - where Linux has it
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > 2**30
    return str(shared) if roomy else None


@contextmanager
def _folder(user: str, inside: str | None = None):
    folder = Path(tempfile.mkdtemp(prefix="db-", dir=inside))
    if os.geteuid() == 0:
        shutil.chown(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _process(*command: str | Path, log: Path, user: str):
    """A server from its start to its end, which it is asked for by SIGTERM."""
    as_user = {"user": user, "group": user} if os.geteuid() == 0 else {}
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [str(part) for part in command], stdout=out, stderr=out, **as_user
        ) as server,
    ):
        try:
            yield server
        finally:
            server.terminate()
            server.wait(30)


def _wait(url: sa.URL, log: Path) -> None:
    """Until it answers."""
    engine = sa.create_engine(url)
    deadline = time.monotonic() + 60
    while True:
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            if time.monotonic() > deadline:
                raise AssertionError(log.read_text("utf-8")) from None
            time.sleep(0.05)
        else:
            engine.dispose()
            return


def _prepare(*command: str | Path, user: str) -> None:
    as_user = {"user": user, "group": user} if os.geteuid() == 0 else {}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **as_user
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def mariadb():
    """A MariaDB with an empty database `crm` and the login `reader`, who may read it."""
    port, user = _free_port(), "mysql"
    with _folder(user) as folder:
        data, log = folder / "data", folder / "log"
        _prepare(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            user=user,
        )
        command = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--port={port}"]
        command += [f"--socket={folder}/s", "--bind-address=127.0.0.1", f"--pid-file={folder}/pid"]
        with _process(*command, "--innodb-buffer-pool-size=16M", log=log, user=user):
            root = sa.make_url(f"mysql+pymysql://root@127.0.0.1:{port}")
            _wait(root, log)
            made = Database(f"mysql://reader@127.0.0.1:{port}/crm", root)
            made.run(
                "CREATE DATABASE crm CHARACTER SET utf8mb4",
                f"CREATE USER reader@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
                "GRANT ALL ON crm.* TO reader@'127.0.0.1'",
            )
            made.owner = root.set(database="crm")
            yield made


@contextmanager
def _postgresql(*settings: str, inside: str | None = None):
    """A PostgreSQL; its superuser `owner` needs a password by TCP and none by its socket."""
    port, user = _free_port(), "postgres"
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    with _folder(user, inside) as folder:
        data, secret = folder / "data", folder / "secret"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            shutil.chown(secret, user)
        auth = ["--auth-host=scram-sha-256", "--auth-local=trust", "--username=owner"]
        auth += [f"--pwfile={secret}", "--no-sync"]
        _prepare(programs / "initdb", "-D", data, "-E", "UTF8", *auth, user=user)
        with _serving(folder, port, *settings) as (owner, server):
            yield owner, folder, server


@contextmanager
def _serving(folder: Path, port: int, *settings: str):
    """The server on a folder, from its start to its end: the address of its owner, its process."""
    programs, log = max(Path("/usr/lib/postgresql").glob("*/bin")), folder / "log"
    command = [programs / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder]
    settings += ("-c", "listen_addresses=127.0.0.1")
    with _process(*command, *settings, log=log, user="postgres") as server:
        owner = sa.make_url(f"postgresql+psycopg://owner:{PASSWORD}@127.0.0.1:{port}/postgres")
        _wait(owner, log)
        yield owner, server
        if server.poll() is None:
            server.send_signal(signal.SIGINT)  # a session that a test left open is closed


@contextmanager
def postgresql():
    """A PostgreSQL with an empty database `crm` that the login `reader` owns."""
    with _postgresql("-F") as (owner, *_):
        made = Database(f"postgresql://reader@127.0.0.1:{owner.port}/crm", owner)
        made.run(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
        engine = sa.create_engine(owner, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE crm OWNER reader")
        engine.dispose()
        made.owner = owner.set(database="crm")
        yield made


@dataclass
class Cluster:
    """A PostgreSQL with databases of the login `reconcile`, for states."""

    folder: Path
    port: int
    process: subprocess.Popen

    def url(self, database: str, *, schema: str = "", host: str = "") -> str:
        """What a configuration would hold."""
        query = {"host": host or str(self.folder), "port": str(self.port)}
        query |= {"schema": schema} if schema else {}
        made = sa.URL.create("postgresql+psycopg", "reconcile", database=database, query=query)
        return made.render_as_string()

    @contextmanager
    def session(self, database: str = "postgres", *, user: str = "owner"):
        """A session in which each statement is a transaction of its own."""
        place = {"host": str(self.folder), "port": self.port, "dbname": database, "user": user}
        with closing(psycopg.connect(**place, autocommit=True)) as session:
            yield session

    def sql(self, *statements: str, database: str = "postgres", user: str = "owner") -> list[tuple]:
        """Do something as a superuser; the rows of the last statement."""
        with self.session(database, user=user) as session:
            done = [session.execute(statement) for statement in statements][-1]
            return done.fetchall() if done.description else []

    def create(self, database: str, *, template: str = "template0") -> None:
        """Make a database, in the place of one of that name, as a copy of an idle one."""
        with self.session() as session:
            session.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            self.end_sessions(template)
            session.execute(
                f"CREATE DATABASE {database} OWNER reconcile TEMPLATE {template} STRATEGY file_copy"
            )

    @contextmanager
    def again(self):
        """The server after it was struck down: what it never wrote to its log is lost."""
        self.process.wait(30)
        with _serving(self.folder, self.port) as (_, self.process):
            yield

    def kill(self) -> None:
        """SIGKILL, to the server and to each of its processes."""
        server = psutil.Process(self.process.pid)
        every = [server, *server.children(recursive=True)]
        for process in every:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(30)
        psutil.wait_procs(every, timeout=30)

    def strike_down(self) -> None:
        """Let the server and all its sessions die, with what they have only in memory."""
        self.process.send_signal(signal.SIGQUIT)

    def end_sessions(self, database: str, *, which: str = "true") -> int:
        """End sessions as an administrator does; how many."""
        these = f"datname = '{database}' AND pid <> pg_backend_pid() AND {which}"
        end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE "
        return len(self.sql(end + these))


@contextmanager
def cluster(*settings: str):
    """A PostgreSQL for states, as durable as a real one, but in memory."""
    with _postgresql(*settings, inside=_in_memory()) as (owner, folder, process):
        made = Cluster(folder=folder, port=owner.port, process=process)
        made.sql(f"CREATE ROLE reconcile LOGIN PASSWORD '{PASSWORD}'")
        yield made
