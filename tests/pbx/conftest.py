"""A small 3CX over real HTTP that can be told to misbehave; it shares no code with the product."""

from __future__ import annotations

import json
import operator
import re
import socket
import ssl
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from reconcile.pbx.client import Connection, PbxReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


SECRET = "canary-secret-5f1d"
COMPARE: dict[str, Callable[[int, int], bool]] = {
    "gt": operator.gt,
    "le": operator.le,
    "eq": operator.eq,
}
TOO_MANY = (
    "The query specified in the URI is not valid. The limit of '{}' for Top query has been "
    "exceeded. The value from the incoming request is '{}'."
)
TLS = Path(__file__).parent / "tls"


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return {k: v[0] for k, v in parse_qs(urlsplit(self.target).query).items()}

    def __str__(self) -> str:
        return f"{self.method} {unquote(self.target)}"


@dataclass
class Answered:
    """One answer; `drop` closes the connection instead, `short` cuts the body off."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    short: bool = False


@dataclass
class Rule:
    """What to answer instead, how often, and whether the request has its effect all the same."""

    method: str
    pattern: str
    reply: Callable[[Seen], Answered | None]
    times: int
    effect: bool


class FakePbx:
    """Contacts, tokens and misbehaviour; `requests` is the server's own log."""

    def __init__(self) -> None:
        self.url = ""
        self.contacts: dict[int, dict[str, Any]] = {}
        self.versions: dict[int, int] = {}
        self.last_id = 0
        self.requests: list[Seen] = []
        self.etags = "strong"
        self.etag_in = {"list", "entity", "header"}
        self.if_match = "enforced"
        self.sorted_by: Callable[[dict[str, Any]], Any] = lambda entity: entity["Id"]
        self.page_cap = 100
        self.top_limit = 100
        self.ignores_top = False
        self.links = False
        self.refuses: set[str] = set()
        self.expires_in: object = 3600
        self.tokens = 0
        self.token = ""
        self.extra_headers: dict[str, str] = {}
        self.connections = 0
        self.most_in_flight = 0
        self._in_flight = 0
        self._rules: list[Rule] = []
        self._lock = threading.RLock()
        self._answered = threading.Condition(self._lock)

    # -------------------------------------------------------------- telling it what to do

    def add(self, **fields: Any) -> int:
        with self._lock:
            contact_id = self.last_id = self.last_id + 1
            self.contacts[contact_id] = {"Id": contact_id, **fields}
            self.versions[contact_id] = 1
            return contact_id

    def fill(self, count: int) -> None:
        for number in range(count):
            self.add(FirstName=f"First{number}", PhoneNumber=f"+4930{number:07}", Tag=None)

    def edit(self, contact_id: int, **fields: Any) -> None:
        with self._lock:
            self.contacts[contact_id].update(fields)
            self.versions[contact_id] += 1

    def answers(
        self,
        method: str,
        pattern: str,
        *,
        status: int = 200,
        body: bytes | str = b"",
        headers: dict[str, str] | None = None,
        drop: bool = False,
        short: bool = False,
        times: int = 1,
        effect: bool = False,
    ) -> None:
        """Answer the next requests like this instead."""
        raw = body.encode() if isinstance(body, str) else body
        fixed = Answered(status=status, body=raw, headers=headers or {}, drop=drop, short=short)
        self.hooks(method, pattern, lambda _seen: fixed, times=times, effect=effect)

    def hooks(
        self,
        method: str,
        pattern: str,
        reply: Callable[[Seen], Answered | None],
        *,
        times: int = 1,
        effect: bool = False,
    ) -> None:
        """Call this for the next requests; None lets the usual answer through."""
        self._rules.append(Rule(method, pattern, reply, times, effect))

    # -------------------------------------------------------------- what it saw

    def sent(self, method: str = "", pattern: str = "") -> list[Seen]:
        return [r for r in self.requests if method in ("", r.method) and re.search(pattern, str(r))]

    @property
    def methods(self) -> set[str]:
        return {f"{r.method} {r.path}" if r.method == "POST" else r.method for r in self.requests}

    # -------------------------------------------------------------- answering

    def wait_until_alone(self, *, after: str) -> None:
        """Until a request like this has been answered, and only the one that waits is left."""
        with self._lock:
            alone = self._answered.wait_for(
                lambda: self.sent("GET", after) and self._in_flight == 1, timeout=5
            )
            assert alone

    def handle(self, seen: Seen) -> Answered:
        with self._lock:
            self.requests.append(seen)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            rule = next((r for r in self._rules if self._fits(r, seen)), None)
            if rule:
                rule.times -= 1
        try:
            special = rule.reply(seen) if rule else None
            with self._lock:
                usual = self._usual(seen) if special is None or (rule and rule.effect) else None
        finally:
            with self._lock:
                self._in_flight -= 1
                self._answered.notify_all()
        answer = special or usual
        assert answer is not None
        answer.headers.update(self.extra_headers)
        answer.headers.setdefault("X-3CX-Version", "20.0.9.995")
        answer.headers.setdefault("Content-Type", "application/json; charset=utf-8")
        return answer

    def _fits(self, rule: Rule, seen: Seen) -> bool:
        return bool(
            rule.times and rule.method == seen.method and re.search(rule.pattern, str(seen))
        )

    def _usual(self, seen: Seen) -> Answered:
        if seen.path == "/connect/token":
            return self._issue(parse_qs(seen.body.decode()))
        if seen.headers.get("authorization") != f"Bearer {self.token}":
            return Answered(401)
        if seen.path == "/xapi/v1/Defs":
            return _json({"value": [{"Id": 1}]})
        if seen.path == "/xapi/v1/Contacts":
            return self._create(seen) if seen.method == "POST" else self._list(seen)
        found = re.fullmatch(r"/xapi/v1/Contacts\((\d+)\)", seen.path)
        return self._one(seen, int(found[1])) if found else Answered(404)

    def _issue(self, form: dict[str, list[str]]) -> Answered:
        if form.get("client_secret") != [SECRET]:
            return _json({"error": "invalid_client"}, 400)
        self.tokens += 1
        self.token = f"canary-token-{self.tokens}"
        return _json(
            {"token_type": "Bearer", "expires_in": self.expires_in, "access_token": self.token}
        )

    def _etag(self, contact_id: int, where: str) -> str:
        if self.etags == "none" or where not in self.etag_in:
            return ""
        tag = f'"v{self.versions[contact_id]}"'
        return f"W/{tag}" if self.etags == "weak" else tag

    def _shown(self, contact_id: int, where: str) -> dict[str, Any]:
        tag = self._etag(contact_id, where)
        return {**({"@odata.etag": tag} if tag else {}), **self.contacts[contact_id]}

    def _list(self, seen: Seen) -> Answered:
        query = seen.query
        refused = sorted(self.refuses & query.keys())
        if int(query.get("$top", 0)) > self.top_limit:
            return _json(_error(TOO_MANY.format(self.top_limit, query["$top"])), 400)
        if refused:
            return _json(_error(f"The query option '{refused}' is not allowed."), 400)
        chosen = sorted(self.contacts.values(), key=self.sorted_by)
        if expression := query.get("$filter"):
            chosen = [entity for entity in chosen if _matches(entity, expression)]
        start, top = int(query.get("$skip", 0)), int(query.get("$top", 100))
        page = chosen[start:][: None if self.ignores_top else min(top, self.page_cap)]
        document: dict[str, Any] = {"value": [self._shown(e["Id"], "list") for e in page]}
        if query.get("$count") == "true":
            document["@odata.count"] = len(self.contacts)
        if self.links and len(page) < top and start + len(page) < len(chosen):
            rest = f"$skip={start + len(page)}&$top={top - len(page)}&$orderby=Id"
            document["@odata.nextLink"] = f"{self.url}/xapi/v1/Contacts?{rest}"
        return _json(document)

    def _create(self, seen: Seen) -> Answered:
        fields = json.loads(seen.body)
        if not fields.get("PhoneNumber"):
            code = "PhoneNumber:\nWARNINGS.CONTACTS_SPECIFY_PHONE_NUMBER"
            return _json(_error(code), 400)
        contact_id = self.add(**fields)
        return _json(self._shown(contact_id, "entity"), 201)

    def _one(self, seen: Seen, contact_id: int) -> Answered:
        if contact_id not in self.contacts:
            return _json(_error("WARNINGS.XAPI.NOT_FOUND"), 404)
        if seen.method == "PATCH":
            self.edit(contact_id, **json.loads(seen.body))
            return Answered(204)
        if seen.method == "DELETE":
            return self._delete(contact_id, seen.headers.get("if-match"))
        header = self._etag(contact_id, "header")
        return _json(self._shown(contact_id, "entity"), headers={"ETag": header} if header else {})

    def _delete(self, contact_id: int, tag: str | None) -> Answered:
        stale = tag is not None and tag not in (
            self._etag(contact_id, "entity"),
            self._etag(contact_id, "header"),
        )
        if self.if_match == "required" and tag is None:
            return Answered(428)
        if (self.if_match in {"enforced", "required"} and stale) or (
            self.if_match == "always_412" and tag is not None
        ):
            return Answered(412)
        del self.contacts[contact_id]
        return Answered(204)


def _json(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Answered:
    return Answered(status, json.dumps(document).encode(), headers or {})


def _error(message: str) -> dict[str, Any]:
    return {"error": {"code": "", "message": message, "details": []}}


def _matches(entity: dict[str, Any], expression: str) -> bool:
    if " and " in expression:
        return all(_matches(entity, part) for part in expression.split(" and "))
    if found := re.fullmatch(r"Id (gt|le|eq) (\d+)", expression):
        return COMPARE[found[1]](entity["Id"], int(found[2]))
    found = re.fullmatch(r"(\w+) eq '(.*)'", expression)
    assert found, expression
    return bool(entity.get(found[1]) == found[2].replace("''", "'"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: FakePbx

    def setup(self) -> None:
        super().setup()
        self.fake.connections += 1

    def answer(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.fake.handle(Seen(self.command, self.path, headers, self.rfile.read(size)))
        if reply.drop:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        length = len(reply.body) + (100 if reply.short else 0)
        lines = [f"HTTP/1.1 {reply.status} Said", f"Content-Length: {length}"]
        if reply.status in {204, 304}:
            lines.pop()
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body)
        self.close_connection = self.close_connection or reply.short

    do_GET = do_POST = do_DELETE = do_PATCH = answer  # noqa: N815 - as http.server calls them

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A client that goes away, or refuses the certificate, is part of these tests."""


@pytest.fixture
def serve() -> Iterator[Callable[..., FakePbx]]:
    """Starts fake PBXs; `tls=True` gives one with a self-signed certificate for `localhost`."""
    with ExitStack() as stack:

        def start(*, tls: bool = False) -> FakePbx:
            fake = FakePbx()
            handler = type("Bound", (Handler,), {"fake": fake})
            server = stack.enter_context(Server(("127.0.0.1", 0), handler))
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(TLS / "localhost.pem", TLS / "key.pem")
                server.socket = context.wrap_socket(server.socket, server_side=True)
            host, scheme = ("localhost", "https") if tls else ("127.0.0.1", "http")
            fake.url = f"{scheme}://{host}:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return fake

        yield start


@pytest.fixture
def pbx(serve: Callable[..., FakePbx]) -> FakePbx:
    return serve()


@pytest.fixture
def slept() -> list[float]:
    """The waits that the client asked for; none of them is slept."""
    return []


@pytest.fixture
def connect(slept: list[float]) -> Iterator[Callable[..., PbxReader]]:
    """Opens readers on a fake PBX and closes them afterwards."""
    with ExitStack() as stack:

        def open_reader(pbx: FakePbx, **settings: Any) -> PbxReader:
            given = {"url": pbx.url, "client_id": "reconcile", "client_secret": SECRET}
            connection = Connection(**{**given, **settings})
            return stack.enter_context(PbxReader(connection, sleep=slept.append))

        yield open_reader


@pytest.fixture
def reader(pbx: FakePbx, connect: Callable[..., PbxReader]) -> PbxReader:
    return connect(pbx)


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


@pytest.fixture
def certificate() -> Path:
    """The certificate of the TLS server, to be trusted by name."""
    return TLS / "localhost.pem"
