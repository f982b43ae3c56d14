"""Exports on real servers of this machine: SSH's SFTP, and an object store with its own logins."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncssh
import boto3
import botocore.exceptions
import fsspec
import httpx
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from reconcile import crm
from reconcile.crm.sources import Place, fetch
from reconcile.crm.sources.original import SIZE_LIMIT
from reconcile.errors import ConfigError, ExportRejected, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CSV = b"id,name,phone\n1,Jo Doe,+49301234567\n"
CANARY = "canary-s3cret-9XZ"


def refused(place: Place, code: str = "export_unreachable") -> ExportRejected:
    with pytest.raises(ExportRejected) as caught:
        fetch(place)
    error = caught.value
    assert [problem.code for problem in error.problems] == [code]
    assert CANARY not in f"{error}{error.problems}{error.hint}{place!r}"
    assert error.hint
    return error


def misconfigured(place: Place) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        fetch(place)
    (problem,) = caught.value.problems
    return problem.column, problem.message


# ---------------------------------------------------------------------------- SFTP


@dataclass
class Sftp:
    """An SSH server that gives out one folder, and what a client needs to trust it."""

    folder: Path
    keys: Path
    port: int = 0

    def put(self, name: str, content: bytes = CSV, *, written: float | None = None) -> None:
        path = self.folder / name
        path.write_bytes(content)
        if written is not None:
            os.utime(path, (written, written))

    def place(self, path: str, *, secret: str = CANARY, **options: str | int | bool) -> Place:
        return Place(
            source=f"sftp://jo@127.0.0.1:{self.port}{path}",
            base=self.keys,
            secret=secret,
            options={"known_hosts": "known_hosts", **options},
            timeout=10,
        )


class Login(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("jo", CANARY)


async def _serve(found: Sftp, started: threading.Event, stop: list[Any]) -> None:
    class Files(asyncssh.SFTPServer):
        def __init__(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
            super().__init__(chan, chroot=str(found.folder))

    async with await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Login,
        server_host_keys=[str(found.keys / "host")],
        authorized_client_keys=str(found.keys / "authorized"),
        sftp_factory=Files,
    ) as server:
        found.port = server.get_port()
        ended = asyncio.Event()
        stop.append((asyncio.get_running_loop(), ended))
        started.set()
        await ended.wait()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sftp]:
    keys, started, stop = tmp_path_factory.mktemp("keys"), threading.Event(), []
    host, mine = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    host.write_private_key(str(keys / "host"))
    mine.write_private_key(str(keys / "id"), passphrase=CANARY)
    mine.write_public_key(str(keys / "authorized"))
    found = Sftp(tmp_path_factory.mktemp("out"), keys)
    thread = threading.Thread(target=asyncio.run, args=(_serve(found, started, stop),))
    thread.start()
    assert started.wait(20)
    public = host.export_public_key().decode()
    (keys / "known_hosts").write_text(f"[127.0.0.1]:{found.port} {public}")
    yield found
    loop, ended = stop[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join(20)


@pytest.fixture
def sftp(sshd: Sftp) -> Sftp:
    for path in sshd.folder.iterdir():
        path.unlink() if path.is_file() else path.rmdir()
    return sshd


def test_a_file_is_read_by_password(sftp: Sftp, now: datetime) -> None:
    sftp.put("c.csv", written=now.timestamp() - 60)
    (original,) = fetch(sftp.place("/c.csv"))
    assert (original.name, original.content) == ("c.csv", CSV)
    assert original.origin == f"sftp://127.0.0.1:{sftp.port}/c.csv"
    assert original.modified_at.timestamp() == now.timestamp() - 60


def test_a_file_is_read_by_key_and_the_secret_is_its_passphrase(sftp: Sftp) -> None:
    sftp.put("c.csv")
    assert fetch(sftp.place("/c.csv", client_keys="id"))[0].content == CSV


def test_the_newest_night_of_a_glob_is_the_export(sftp: Sftp, now: datetime) -> None:
    tonight = now.timestamp() - 600
    for name, written in [("c-1.csv", tonight), ("c-2.csv", tonight + 1), ("d.csv", tonight - 9)]:
        sftp.put(name, name.encode(), written=written)
    sftp.put("old-c.csv", written=tonight - 90_000)
    (sftp.folder / "c-3.csv").mkdir()
    originals = fetch(sftp.place("/*.csv"))
    assert [original.name for original in originals] == ["c-1.csv", "c-2.csv"]
    assert originals[1].origin == f"sftp://127.0.0.1:{sftp.port}/c-2.csv"
    (sftp.folder / "c-1.csv").unlink()
    assert "part 1 is missing" in refused(sftp.place("/c*.csv"), "export_incomplete").message


def test_what_is_not_there_or_no_file_is_refused(sftp: Sftp) -> None:
    place = sftp.place("/c.csv")
    assert place.origin in refused(place, "export_missing").message
    assert "no file matches" in refused(sftp.place("/c*.csv"), "export_missing").message
    (sftp.folder / "c.csv").mkdir()
    assert "directory" in refused(place, "export_not_a_file").message


def test_what_is_on_its_way_is_waited_for(sftp: Sftp) -> None:
    sftp.put("c.csv", written=1_000)
    sftp.put("c.csv.part", written=1_001)
    assert "c.csv.part" in refused(sftp.place("/c.csv"), "export_being_written").message
    assert "c.csv.part" in refused(sftp.place("/c*.csv"), "export_being_written").message
    refused(sftp.place("/c.csv.part"), "export_being_written")


def test_a_file_beyond_the_limit_is_refused_unread(sftp: Sftp) -> None:
    sftp.put("c.csv", b"")
    os.truncate(sftp.folder / "c.csv", SIZE_LIMIT + 1)
    assert "209,715,201" in refused(sftp.place("/c.csv"), "export_too_large").message


def test_a_file_that_grows_while_it_is_read_is_refused(sftp: Sftp) -> None:
    sftp.put("c.csv", CSV * 50_000)
    done = threading.Event()

    def append() -> None:
        with (sftp.folder / "c.csv").open("ab", buffering=0) as file:
            while not done.wait(0.001):
                file.write(CSV)

    writer = threading.Thread(target=append)
    writer.start()
    try:
        assert "while it was read" in refused(sftp.place("/c.csv"), "export_being_written").message
    finally:
        done.set()
        writer.join()


def test_a_part_named_by_itself_is_refused(sftp: Sftp) -> None:
    sftp.put("c-1.csv")
    sftp.put("c-2.csv")
    refused(sftp.place("/c-2.csv"), "export_incomplete")


def test_a_wrong_password_is_refused_and_not_shown(sftp: Sftp) -> None:
    sftp.put("c.csv")
    error = refused(sftp.place("/c.csv", secret=f"not-{CANARY}"))
    assert "the secret" in error.hint


def test_an_unknown_host_key_is_refused(sftp: Sftp) -> None:
    sftp.put("c.csv")
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    for name, text in [("none", ""), ("changed", f"[127.0.0.1]:{sftp.port} {other}")]:
        (sftp.keys / name).write_text(text)
        error = refused(sftp.place("/c.csv", known_hosts=name))
        assert "host key" in error.message.lower()
        assert "known_hosts" in error.hint


def test_without_known_hosts_nothing_is_asked(sftp: Sftp) -> None:
    where, words = misconfigured(sftp.place("/c.csv", known_hosts="nowhere"))
    assert where == "crm.options.known_hosts"
    assert "ssh-keyscan" in words


def test_the_usual_known_hosts_are_looked_at(
    sftp: Sftp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sftp.put("c.csv")
    monkeypatch.setenv("HOME", str(tmp_path))
    place = Place(source=sftp.place("/c.csv").source, secret=CANARY)
    (tmp_path / ".ssh").mkdir()
    # A client's own settings could say that no key need be known.
    (tmp_path / ".ssh" / "config").write_text("Host *\n  UserKnownHostsFile none\n")
    with pytest.raises((ConfigError, ExportRejected)):
        fetch(place)
    known = (sftp.keys / "known_hosts").read_text()
    (tmp_path / ".ssh" / "known_hosts").write_text(known)
    assert fetch(place)[0].content == CSV


def test_nobody_there_is_said() -> None:
    options = {"known_hosts": __file__}
    place = Place(source="sftp://jo@127.0.0.1:9/c.csv", secret=CANARY, options=options)
    assert "sftp://127.0.0.1:9/c.csv can't be read" in refused(place).message


def test_an_export_from_afar_is_read_as_any_other(sftp: Sftp, now: datetime) -> None:
    sftp.put("c.csv", written=now.timestamp() - 60)
    snapshot = crm.read(sftp.place("/*.csv"), mapping={}, now=now, max_age_hours=26)
    assert (snapshot.source.name, snapshot.source.records) == ("c.csv", 1)
    sftp.put("c.csv", written=now.timestamp() - 99 * 3600)
    with pytest.raises(ExportRejected) as caught:
        crm.read(sftp.place("/*.csv"), mapping={}, now=now, max_age_hours=26)
    assert str(caught.value.problems[0]).startswith("c.csv: it was written")
    assert "sftp://127.0.0.1" in caught.value.hint


# ---------------------------------------------------------------------------- S3


@dataclass
class Store:
    """An object store with a bucket `exports` and one login, who may do anything in it."""

    url: str
    key: str
    secret: str
    client: Any

    def place(self, path: str, *, secret: str = "", **options: str | int | bool) -> Place:
        return Place(
            source=f"s3://exports/{path}",
            secret=secret or self.secret,
            options={"key": self.key, "endpoint_url": self.url, **options},
            timeout=10,
        )


def _login(url: str) -> tuple[str, str]:
    """A user of the store, made before it begins to look at who asks."""
    every = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "y"}
    iam = boto3.client("iam", endpoint_url=url, **every)
    iam.create_user(UserName="jo")
    anything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [anything]})
    iam.put_user_policy(UserName="jo", PolicyName="all", PolicyDocument=policy)
    made = iam.create_access_key(UserName="jo")["AccessKey"]
    boto3.client("s3", endpoint_url=url, **every).create_bucket(Bucket="exports")
    httpx.post(f"{url}/moto-api/reset-auth", content=b"0", trust_env=False).raise_for_status()
    return made["AccessKeyId"], made["SecretAccessKey"]


@pytest.fixture(scope="module")
def bucket() -> Iterator[Store]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "100"}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environment) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(port)
            key, secret = _login(url)
            client = boto3.client(
                "s3",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id=key,
                aws_secret_access_key=secret,
            )
            yield Store(url, key, secret, client)
        finally:
            server.terminate()


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the object store did not start")


@pytest.fixture
def store(bucket: Store) -> Store:
    for found in bucket.client.list_objects_v2(Bucket="exports").get("Contents", []):
        bucket.client.delete_object(Bucket="exports", Key=found["Key"])
    return bucket


def put(store: Store, name: str, content: bytes = CSV) -> None:
    store.client.put_object(Bucket="exports", Key=name, Body=content)


def test_an_object_is_an_export(store: Store) -> None:
    put(store, "crm/c.csv")
    before = time.time()
    (original,) = fetch(store.place("crm/c.csv"))
    assert (original.name, original.content) == ("c.csv", CSV)
    assert original.origin == "s3://exports/crm/c.csv"
    assert abs(original.modified_at.timestamp() - before) < 60


def test_objects_are_parts_as_files_are(store: Store) -> None:
    put(store, "crm/c-1.csv")
    put(store, "crm/c-3.csv")
    assert "part 2 is missing" in refused(store.place("crm/c*.csv"), "export_incomplete").message
    put(store, "crm/c-2.csv", b"2")
    originals = fetch(store.place("crm/c-*.csv"))
    assert [original.name for original in originals] == ["c-1.csv", "c-2.csv", "c-3.csv"]
    refused(store.place("crm/c-2.csv"), "export_incomplete")


def test_an_object_that_is_not_there_is_missing(store: Store) -> None:
    assert "s3://exports/crm/c.csv" in refused(store.place("crm/c.csv"), "export_missing").message
    refused(store.place("crm/c*.csv"), "export_missing")


def test_a_wrong_secret_is_refused_and_not_shown(store: Store) -> None:
    put(store, "c.csv")
    with pytest.raises(botocore.exceptions.ClientError):
        boto3.client(
            "s3",
            endpoint_url=store.url,
            region_name="us-east-1",
            aws_access_key_id=store.key,
            aws_secret_access_key=CANARY,
        ).get_object(Bucket="exports", Key="c.csv")
    for path in ("c.csv", "c*.csv"):
        assert "can't be read" in refused(store.place(path, secret=CANARY)).message


def test_a_store_that_is_not_there_is_said(store: Store) -> None:
    place = store.place("c.csv", secret=CANARY, endpoint_url="http://127.0.0.1:9")
    assert "s3://exports/c.csv can't be read" in refused(place).message


# ---------------------------------------------------------------------------- drivers


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nonsense://x/c.csv", "there is no driver for nonsense://"),
        ("smb://host/share/c.csv", "smbprotocol"),
    ],
)
def test_a_driver_that_is_not_there_is_named(source: str, words: str) -> None:
    where, said = misconfigured(Place(source=source))
    assert where == "crm.source"
    assert words in said


def test_a_secret_for_a_driver_that_takes_none_is_refused() -> None:
    where, words = misconfigured(Place(source="github://a:b@/c.csv", secret=CANARY))
    assert where == "crm.secret_env"
    assert "github://" in words


@pytest.mark.parametrize(
    ("scheme", "lacking"), [("sftp", "sshfs"), ("s3", "fsspec"), ("s3", "s3fs"), ("gs", "fsspec")]
)
def test_without_the_extra_its_name_is_said(
    monkeypatch: pytest.MonkeyPatch, scheme: str, lacking: str
) -> None:
    # fsspec keeps the drivers that it has imported once.
    kept = importlib.import_module("fsspec.registry")._registry  # noqa: SLF001
    monkeypatch.delitem(kept, scheme, raising=False)
    monkeypatch.setitem(sys.modules, lacking, None)
    with pytest.raises(MissingExtra) as caught:
        fetch(Place(source=f"{scheme}://b/c.csv"))
    assert "reconcile-3cx[remote]" in caught.value.hint
    assert caught.value.message.startswith(f"Reading an export from {scheme}:// needs")


class Toy(MemoryFileSystem):  # type: ignore[misc]  # untyped
    """Another driver: it tells the time of a file as the test wants."""

    protocol = "toy"
    time: object = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("toy://").lstrip("/")

    def info(self, path: str, **more: Any) -> dict[str, Any]:
        return {**super().info(path, **more), "updated": self.time}

    def ls(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return [self.info("/c.csv")]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("2026-11-03T02:30:00.500Z", 1_793_673_000.5),
        ("2026-11-03T03:30:00+01:00", 1_793_673_000),
        (datetime(2026, 11, 3, 2, 30), 1_793_673_000),  # noqa: DTZ001 - as some drivers do
        (1_793_673_000.25, 1_793_673_000.25),
        ("yesterday", None),
        (None, None),
    ],
)
def test_the_time_of_a_file_is_read_however_a_driver_says_it(
    said: object, seconds: float | None
) -> None:
    fsspec.register_implementation("toy", Toy, clobber=True)
    Toy.time = said
    Toy().pipe("/c.csv", CSV)
    place = Place(source="toy://c.csv")
    if seconds is None:
        assert "doesn't say when" in refused(place, "export_unreadable").message
    else:
        assert fetch(place)[0].modified_at.timestamp() == seconds
