"""Where the configuration says that an export is: what its addresses may hold, and what is shown.

An address may be a secret, or have one in it; nothing here repeats more of it than its scheme.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconcile.core.statements import fault_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SECRETIVE: Final = re.compile(
    r"secret|passw|passphrase|pwd|token|signature|credential|private|connection_?string"
    r"|account_?key|api_?key|access_?key(?!_?id)|x-amz|\b(?:sig|key|auth|code)\b",
    re.IGNORECASE,
)
"""Names of what is nobody's business."""
_LOOPBACK: Final = re.compile(
    r"https?://(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?(?:/|$)", re.IGNORECASE
)
_NOT_FETCHED: Final = {
    "file": "is a file of this machine: write its path alone",
    "local": "is a file of this machine: write its path alone",
    "memory": "is nowhere",
    "ftp": "is not encrypted: use sftp://",
    "ftps": "is not verified: use sftp://",
    "ftp_tls": "is not verified: use sftp://",
}
_WEB: Final = frozenset({"https", "http"})
_AUTHS: Final = ("none", "bearer", "basic")


def scheme(location: str) -> str:
    """What stands before ://, in lower case; "" for a path."""
    found = _SCHEME.match(location)
    return found[1].lower() if found else ""


def shown(address: str) -> str:
    """An address without user, password, query and fragment."""
    before, _, rest = address.partition("://")
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority, slash, path = place.partition("/")
    return f"{before}://{authority.rpartition('@')[2]}{slash}{path}"


def is_web(location: str) -> bool:
    """Whether it is fetched from a web server."""
    return scheme(location) in _WEB


def is_loopback(address: str) -> bool:
    """Whether a web address is of this machine itself."""
    return _LOOPBACK.match(address) is not None


def source_fault(source: str, *, signed: bool = False) -> str:
    """What is wrong with a path, glob or address of files; "" if nothing is.

    `signed`: it comes from where secrets come from, so that its query may hold one.
    """
    before = scheme(source)
    if any(character < " " for character in source):
        return "holds a character that no path and no address has"
    if not before:
        return "" if source.strip() else "must not be empty"
    if "::" in source.partition("://")[0] or source.count("://") > 1:
        return "must be one address"
    if before in _NOT_FETCHED:
        return _NOT_FETCHED[before]
    if before == "http" and not is_loopback(source):
        return "must begin with https://; plain http is for this machine only"
    return _inner_fault(source, web=is_web(source), signed=signed)


def _inner_fault(source: str, *, web: bool, signed: bool) -> str:
    place, _, query = source.partition("?")
    user = place.partition("://")[2].partition("/")[0].rpartition("@")[0]
    if ":" in user or (user and web):
        more = "; the user has its own key, crm.user" if web else ""
        return f"must hold no password{more}"
    if not signed and web and _SECRETIVE.search(query):
        return "has a secret in its query: put the whole address where crm.source_env names"
    return ""


def database_fault(url: str) -> str:
    """What is wrong with the address of a database; "" if nothing is."""
    if not scheme(url):
        return 'must be an address such as "mysql://user@host/database"'
    place, _, query = url.partition("?")
    if ":" in place.partition("://")[2].partition("/")[0].rpartition("@")[0]:
        return "must hold no password: name its place in crm.secret_env or crm.secret_file"
    if _SECRETIVE.search(query):
        return "must hold no secret: name its place in crm.secret_env or crm.secret_file"
    return ""


def faults(crm: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Everything in [crm] that does not go together: (key, what is wrong with it).

    Values of other types are somebody else's matter and are left out.
    """
    text = {key: value for key, value in crm.items() if isinstance(value, str) and value}
    yield from _place_faults(crm, text)
    yield from _secret_faults(text)
    yield from _option_faults(crm, text)


def _place_faults(crm: Mapping[str, object], text: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    places = [key for key in ("source", "source_env", "url") if key in text]
    if not places and not crm.get("source"):
        yield "source", "is required: a path, a glob or an address; or url and sql"
    for key in places[1:]:
        yield key, f"and crm.{places[0]} can't both be set"
    if "source" in text and (fault := source_fault(text["source"])):
        yield "source", fault
    if "url" in text and (fault := database_fault(text["url"])):
        yield "url", fault
    if ("url" in text) != ("sql" in text):
        there, lacking = ("url", "sql") if "url" in text else ("sql", "url")
        yield lacking, f"is required with crm.{there}"
    if "sql" in text and (fault := fault_of(text["sql"])):
        yield "sql", fault


def _secret_faults(text: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    auth, web = text.get("auth", "none"), _of_web(text)
    named = [key for key in ("secret_env", "secret_file") if key in text]
    if len(named) > 1:
        yield "secret_file", "and crm.secret_env can't both be set"
    if auth != "none" and auth in _AUTHS:
        if not web:
            yield "auth", "is for https:// only"
        if not named:
            yield "secret_env", f'is required with crm.auth = "{auth}", or crm.secret_file'
    if (auth == "basic") != ("user" in text):
        words = 'is required with crm.auth = "basic"', 'is for crm.auth = "basic" only'
        yield "user", words[auth != "basic"]
    afar = "url" in text or "source_env" in text or scheme(text.get("source", ""))
    if named and (not afar or (web and auth == "none")):
        yield named[0], "is used by nothing" + (": set crm.auth" if web else "")


def _option_faults(crm: Mapping[str, object], text: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    options = crm.get("options")
    web = _of_web(text)
    if "ca_file" in text and not web:
        yield "ca_file", "is for https:// only"
    if not isinstance(options, dict) or not options:
        return
    if web or not scheme(text.get("source", text.get("source_env", ""))):
        yield "options", "is for addresses of drivers, such as s3:// and sftp://"
    for name, value in options.items():
        yield from ((f"options.{name}", fault) for fault in _option_fault(str(name), value))


def _option_fault(name: str, value: object) -> Iterator[str]:
    # The id of an access key is called `key`, and the files of SSH keys are paths.
    if name not in {"key", "client_keys"} and _SECRETIVE.search(name):
        yield "looks like a secret: name its place in crm.secret_env or crm.secret_file"
    if name in {"verify", "ssl_verify", "verify_ssl", "use_ssl"} and value is False:
        yield "can't be turned off"
    if name == "known_hosts" and not (isinstance(value, str) and value.strip()):
        yield "must be the path of a file: the host's key is always verified"
    insecure = isinstance(value, str) and value.lower().startswith("http://")
    if insecure and not is_loopback(str(value)):
        yield "must begin with https://; plain http is for this machine only"


def _of_web(text: Mapping[str, str]) -> bool:
    """An address from the environment is a signed one, and so of the web."""
    return "source_env" in text or is_web(text.get("source", ""))
