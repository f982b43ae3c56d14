"""Exports in object stores and on SFTP servers, through fsspec and its drivers.

The scheme names the driver. Which files are the export is decided as in a folder (`nights`). Must
never talk to an SSH server whose host key is unknown, nor repeat a secret that a driver mentions.
"""

from __future__ import annotations

import glob
import re
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconcile.core import locations
from reconcile.crm.problems import rejected
from reconcile.crm.sources import beside, nights
from reconcile.crm.sources.nights import Found
from reconcile.crm.sources.original import (
    SIZE_LIMIT,
    Original,
    being_written,
    missing,
    too_large,
    unfinished,
    unreachable,
    with_manifests,
)
from reconcile.errors import ConfigError, ExportRejected, MissingExtra, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fsspec import AbstractFileSystem

    from reconcile.crm.sources.place import Place

_SSH: Final = frozenset({"sftp", "ssh"})
_S3: Final = frozenset({"s3", "s3a"})
_SECRETS: Final = {
    "sftp": "password",
    "ssh": "password",
    "s3": "secret",
    "s3a": "secret",
    "az": "account_key",
    "abfs": "account_key",
    "smb": "password",
}
"""Scheme → what its driver calls the secret."""
_TIMES: Final = ("mtime", "LastModified", "last_modified", "updated", "modified")
"""What drivers call the time of a file."""
_KNOWN_HOSTS: Final = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
_DOCTOR: Final = "then: reconcile doctor"


def fetch(place: Place, *, manifests: bool = True) -> tuple[Original, ...]:
    """The files of one export in their order, with their manifests if asked for.

    Raises ExportRejected (`export_missing`, `export_incomplete`, `export_unreachable`, …),
    MissingExtra without fsspec, and ConfigError for a driver that is not there or not to be had so.
    """
    store = _Store(place)
    return tuple(store.load(path, manifests=manifests) for path in store.find())


class _Store:
    """One file system of a driver, and what its files are called for people."""

    def __init__(self, place: Place) -> None:
        self._place = place
        driver = _driver(place.scheme)
        options = _options(place)
        from_url: Mapping[str, Any] = driver._get_kwargs_from_urls(place.source)  # noqa: SLF001 - fsspec's own way to ask a driver
        self._path: str = driver._strip_protocol(place.source)  # noqa: SLF001 - as above
        self._prefix = place.origin.removesuffix(self._path)
        self._files = self._asked(lambda: driver(**{**options, **from_url}))

    def find(self) -> tuple[str, ...]:
        """The paths of the export's files."""
        if not glob.has_magic(self._path):
            return self._named()
        infos = self._asked(lambda: self._files.glob(self._path, detail=True))
        found = [self._found(info) for info in infos.values() if info["type"] == "file"]
        matches = [match for match in found if not beside.is_manifest(match.name)]
        if not matches:
            raise missing(f"no file matches {self._place.origin}")
        night = nights.newest(matches)
        nights.refuse_unfinished(night, self._beside(night[0].path))
        return tuple(found.path for found in night)

    def _named(self) -> tuple[str, ...]:
        info = self._info(self._path)
        if info["type"] == "file":
            nights.refuse_half(self._found(info), self._beside(self._path))
        return (self._path,)

    def load(self, path: str, *, manifests: bool) -> Original:
        """A file whole, and then its manifests, as they are written after it."""
        original = self._load(path, limit=SIZE_LIMIT)
        if not manifests:
            return original
        self._files.invalidate_cache()
        paths = {found.name: found.path for found in self._beside(path)}
        names = beside.manifests(original.name, paths)
        found = (paths[name] for name in names)
        return with_manifests(original, found, lambda p: self._load(p, limit=beside.SIZE_LIMIT))

    def _load(self, path: str, *, limit: int) -> Original:
        """A file, if it is one, has a bearable size, and stays what it is meanwhile."""
        found = Found(path=path, written=0)
        if unfinished(found.name):
            raise being_written("its name says that it is still being written")
        before = self._info(path)
        if before["type"] != "file":
            what = f"it is a {before['type']}"
            raise rejected("export_not_a_file", what, hint="name the file itself")
        if before["size"] > limit:
            raise too_large(before["size"], limit=limit)
        content = self._asked(lambda: self._read(path))
        after = self._info(path)
        if _identity(before) != _identity(after) or len(content) != after["size"]:
            raise being_written("it changed while it was read: it is still being written")
        return Original(
            name=found.name,
            origin=self._prefix + path,
            content=content,
            modified_at=datetime.fromtimestamp(self._written(after), tz=UTC),
        )

    def _read(self, path: str) -> bytes:
        with self._files.open(path, "rb") as file:
            return bytes(file.read(SIZE_LIMIT + 1))

    def _info(self, path: str) -> Mapping[str, Any]:
        self._files.invalidate_cache()
        info: Mapping[str, Any] = self._asked(lambda: self._files.info(path))
        return info

    def _beside(self, path: str) -> list[Found]:
        folder = path.rpartition("/")[0] or "/"
        infos = self._asked(lambda: self._files.ls(folder, detail=True))
        return [self._found(info) for info in infos if info["type"] == "file"]

    def _found(self, info: Mapping[str, Any]) -> Found:
        return Found(path=info["name"], written=self._written(info))

    def _written(self, info: Mapping[str, Any]) -> float:
        for name in _TIMES:
            if (seconds := _seconds(info.get(name))) is not None:
                return seconds
        message = f"{self._place.scheme}:// doesn't say when a file was written"
        raise rejected("export_unreadable", message, hint="use another kind of crm.source")

    def _asked(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - a driver's answer
        """What a driver answers. Its failures are of any class: each has a library below it."""
        try:
            return call()
        except FileNotFoundError:
            raise missing(f"there is no {self._place.origin}") from None
        except Exception as error:  # noqa: BLE001 - see above; nothing of ours runs in here
            raise _failure(error, self._place) from None


def _identity(info: Mapping[str, Any]) -> tuple[object, ...]:
    return info["size"], info.get("ETag"), *(info.get(name) for name in _TIMES)


def _seconds(time: object) -> float | None:
    """A driver's time, in any of its forms, as seconds since the epoch."""
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return None
    if isinstance(time, datetime):
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return float(time) if isinstance(time, (int, float)) else None


# ---------------------------------------------------------------------------- drivers


def _driver(scheme: str) -> type[AbstractFileSystem]:
    try:
        if scheme in _SSH:
            # Not fsspec's own, which accepts every host key.
            return import_module("sshfs").SSHFileSystem  # type: ignore[no-any-return]  # untyped
        return import_module("fsspec").get_filesystem_class(scheme)  # type: ignore[no-any-return]  # untyped
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) or scheme in _S3:
            raise MissingExtra(f"Reading an export from {scheme}://", "remote") from None
        # fsspec knows the scheme, and says which package reads it.
        raise _not_possible("crm.source", str(error)) from None
    except ValueError:
        raise _not_possible("crm.source", f"there is no driver for {scheme}://") from None


def _options(place: Place) -> dict[str, object]:
    """The configured options, the secret under the driver's own name for it, and our limits."""
    options: dict[str, object] = {**place.options, "skip_instance_cache": True}
    if place.secret:
        if place.scheme not in _SECRETS:
            words = f"can't be handed to the driver of {place.scheme}://; use the driver's own way"
            raise _not_possible("crm.secret_env", words)
        options[_SECRETS[place.scheme]] = place.secret
    if place.scheme in _SSH:
        return _of_ssh(place, options)
    if place.scheme in _S3:
        wait = {"connect_timeout": place.timeout, "read_timeout": place.timeout}
        options["config_kwargs"] = {**wait, "retries": {"max_attempts": 3}}
    return options


def _of_ssh(place: Place, options: dict[str, object]) -> dict[str, object]:
    """With the files of known hosts, and without ~/.ssh/config, which could name none."""
    if "client_keys" in options:
        options["client_keys"] = str(_local(place, str(options["client_keys"])))
        if place.secret:
            options["passphrase"] = options.pop("password")
    named = options.get("known_hosts")
    candidates = [str(named)] if named else list(_KNOWN_HOSTS)
    known = [str(path) for name in candidates if (path := _local(place, name)).is_file()]
    if not known:
        where = ", ".join(candidates)
        words = f"no known host keys at {where}: ssh-keyscan HOST, compare, and put it there"
        raise _not_possible("crm.options.known_hosts", words)
    limits = {"connect_timeout": place.timeout, "login_timeout": place.timeout}
    return {**options, **limits, "known_hosts": known, "config": None}


def _local(place: Place, name: str) -> Path:
    return place.base / Path(name).expanduser()


def _not_possible(column: str, words: str) -> ConfigError:
    return ConfigError(
        "The CRM export can't be fetched so.",
        problems=[Problem(code="config", column=column, message=words)],
        hint="see docs/sources.md, then: reconcile doctor",
    )


# ---------------------------------------------------------------------------- failures


def _failure(error: Exception, place: Place) -> ExportRejected:
    """A driver's words: one line, without the secret, and without the query of an address."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    if place.secret:
        said = said.replace(place.secret, "(hidden)")
    said = re.sub(r"\S+://\S+", lambda found: locations.shown(found[0]), said)
    hint = f"check crm.source, crm.options, the secret, and its right to list and read, {_DOCTOR}"
    if place.scheme in _SSH and "host key" in said.lower():
        hint = "compare the host's key with its owner's word for it, then put it into known_hosts"
    return unreachable(f"{place.origin} can't be read: {said[:300]}", hint=hint)
