"""Real MariaDB and PostgreSQL servers, each on a folder and a port of its own.

`make system` installs them. Whoever is root gives the server its own user, as the servers want.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

PASSWORD = "canary-s3cret-9XZ"


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


@contextmanager
def _folder(user: str):
    folder = Path(tempfile.mkdtemp(prefix="db-"))
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
def postgresql():
    """A PostgreSQL with an empty database `crm` that the login `reader` owns."""
    port, user = _free_port(), "postgres"
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    with _folder(user) as folder:
        data, log, secret = folder / "data", folder / "log", folder / "secret"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            shutil.chown(secret, user)
        auth = ["--auth=scram-sha-256", f"--pwfile={secret}", "--username=owner"]
        _prepare(programs / "initdb", "-D", data, "-E", "UTF8", "--no-sync", *auth, user=user)
        command = [programs / "postgres", "-D", data, "-p", str(port), "-k", folder, "-F"]
        with _process(*command, "-c", "listen_addresses=127.0.0.1", log=log, user=user):
            owner = sa.make_url(f"postgresql+psycopg://owner:{PASSWORD}@127.0.0.1:{port}/postgres")
            _wait(owner, log)
            made = Database(f"postgresql://reader@127.0.0.1:{port}/crm", owner)
            made.run(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
            engine = sa.create_engine(owner, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.exec_driver_sql("CREATE DATABASE crm OWNER reader")
            engine.dispose()
            made.owner = owner.set(database="crm")
            yield made
