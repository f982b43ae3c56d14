"""OData as 3CX speaks it: queries, pages, ETags, links and error bodies.

Owns the wire format and nothing else. Pure: no I/O, no clock; `now` is an argument. Must never
guess: what breaks the contract raises PbxUntrusted, and no error repeats a body's HTML.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from itertools import pairwise
from operator import methodcaller
from types import NoneType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

import msgspec

from reconcile.errors import PbxUntrusted
from reconcile.model import Contact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

BASE: Final = "/xapi/v1"
CONTACTS: Final = f"{BASE}/Contacts"
VERSION_HEADER: Final = "X-3CX-Version"
PAGE_SIZE: Final = 100
"""A larger `$top` is answered with 400 "The limit of '100' for Top query has been exceeded"."""

MAX_ID: Final = 2**31 - 1
"""Ids are int32."""
MAX_TEXT: Final = 64 * 1024
"""Characters of one value of a contact; 3CX takes 2,048 at most."""
MAX_PROPERTIES: Final = 500
"""Properties of the contacts of a page; 3CX has some twenty."""
_MAX_DEPTH: Final = 16
"""Levels inside a value that is no text."""
_MAX_EXPLAINED: Final = 1024 * 1024
"""Bytes of a body that is asked for its words."""
_MAX_WORDS: Final = 300
_MAX_TITLE: Final = 80
_MAX_DETAILS: Final = 10
_UNDECODABLE: Final = "\ufffd"
_MAX_RETRY_DIGITS: Final = 9
_ORDINARY: Final = msgspec.json.Decoder()
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escape that may be half a surrogate pair."""
_ETAG: Final = re.compile(r'(?:W/)?"[ \x21\x23-\x7e]*"|[\x21\x23-\x2b\x2d-\x7e]+')
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_NULL: Final = frozenset({NoneType})
_NULL_OR_TEXT: Final = frozenset({str, NoneType})
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,39}")
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'?")
_TOP_LIMIT: Final = re.compile(r"limit of '([0-9]{1,6})' for Top query")
_CODE: Final = re.compile(r"(?<![A-Za-z0-9_.])[A-Z0-9_]+(?:\.[A-Z0-9_]+)*")
_MARKUP: Final = re.compile(r"<\s*[a-zA-Z!/?]")
_TITLE: Final = re.compile(r"<title[^<>]*>([^<]{1,500})", re.IGNORECASE)

_MEANING: Final = {
    "CONTACTS_SPECIFY_PHONE_NUMBER": "a contact needs a number in PhoneNumber",
    "CONTACTS_SPECIFY_NAME_SURNAME_COMPANY": "a contact needs a name or a company",
    "CONTACTS_SPECIFY_NAME_SURNAME": "a contact needs a first or last name",
    "LENGTH_NOT_MORE_50_CHARS": "a text is longer than 50 characters",
    "LENGTH_NOT_MORE_255_CHARS": "a text is longer than 255 characters",
    "STRING_TOO_LONG": "a text is too long",
    "XAPI.NOT_FOUND": "there is no such contact",
    "XAPI.DUPLICATE": "there is one like it already",
    "XAPI.REQUIRED": "a value is missing",
    "XAPI.CAN_NOT_BE_EMPTY_STRING": "a value is empty",
    "XAPI.FORBIDDEN_CHANGE": "this must not be changed",
    "XAPI.NOT_SUPPORTED": "this PBX can't do it",
    "LIMIT_REACHED": "the phonebook is full",
    "CANNOT_BE_DELETED": "it can't be deleted",
}
"""3CX's warning codes, without the prefixes that move between versions."""


# ---------------------------------------------------------------------------- asking


def query(**options: str | int) -> str:
    """A query string: `$` literal, spaces as %20, since some OData servers refuse `+`."""
    return "&".join(f"${name}={quote(str(value), safe='')}" for name, value in options.items())


def contact_path(contact_id: int) -> str:
    """The path of one contact. Raises ValueError for what can't be an Id."""
    if not _is_id(contact_id):
        raise ValueError(f"{contact_id!r} can't be the Id of a contact")
    return f"{CONTACTS}({contact_id})"


def string_literal(text: str) -> str:
    """A text inside a filter: in single quotes, inner ones doubled (OData ABNF, `string`)."""
    return "'" + text.replace("'", "''") + "'"


def equals(name: str, text: str) -> str:
    """A filter for one property. Raises ValueError for what can't be the name of one."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no property")
    return f"{name} eq {string_literal(text)}"


def without_texts(target: str) -> str:
    """A path and query in readable form, each text that a filter asks for shown as '…'."""
    return _LITERAL.sub("'…'", unquote(target))


def creatable(entity: Mapping[str, Any]) -> dict[str, Any]:
    """What of an entity may be sent to create it: no Id, no annotations, nothing empty."""
    return {
        name: value
        for name, value in entity.items()
        if name != "Id" and not _is_annotation(name) and value not in (None, "")
    }


# ---------------------------------------------------------------------------- contacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing, by column, in the server's order."""

    ids: Sequence[int] = ()
    etags: Sequence[str] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    count: int | None = None
    """`@odata.count`, or None if the server didn't count."""
    has_more: bool = False
    """The server names a next page. Where it is to be found is never taken from there."""

    def __len__(self) -> int:
        return len(self.ids)

    def contacts(self) -> tuple[Contact, ...]:
        """The page's contacts, one by one."""
        return tuple(
            Contact(
                id=contact_id,
                etag=self.etags[position],
                fields={n: texts[position] for n, texts in self.columns.items() if texts[position]},
            )
            for position, contact_id in enumerate(self.ids)
        )


def parse_page(body: bytes) -> Page:
    """A page of contacts. Raises PbxUntrusted for anything else, such as a login page."""
    document = _document(body)
    entities = document.get("value")
    if not isinstance(entities, list) or not all(isinstance(e, dict) for e in entities):
        raise _untrusted("a listing without a list of contacts in `value`")
    values, absent = _transposed(entities), [None] * len(entities)
    return Page(
        ids=_ids(values.pop("Id", absent)),
        etags=list(map(usable_etag, values.get("@odata.etag", absent))),
        columns={
            name: _texts(column, len(body))
            for name, column in values.items()
            if not _is_annotation(name)
        },
        count=_count_of(document),
        has_more=bool(document.get("@odata.nextLink")),
    )


def _transposed(entities: Sequence[dict[str, Any]]) -> dict[str, Sequence[Any]]:
    """The values by property; nearly always all entities have the same ones in the same order."""
    names = list(entities[0]) if entities else []
    if all(map(names.__eq__, map(list, entities))):
        _check_properties(names)
        return dict(zip(names, zip(*map(dict.values, entities), strict=True), strict=True))
    every = set[str]().union(*entities)
    _check_properties(every)
    return {name: list(map(methodcaller("get", name), entities)) for name in every}


def section(page: Page, start: int, stop: int | None = None) -> Page:
    """The contacts of a page from one position up to another."""
    if not start and (stop is None or stop >= len(page)):
        return page
    return Page(
        ids=page.ids[start:stop],
        etags=page.etags[start:stop],
        columns={name: texts[start:stop] for name, texts in page.columns.items()},
    )


class Growing:
    """Pages that become one, each taken in as it comes."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._etags: list[str] = []
        self._columns: dict[str, list[str]] = {}

    def add(self, page: Page) -> None:
        """The next page; a property that it has not is empty there."""
        for name in page.columns.keys() - self._columns.keys():
            self._columns[name] = [""] * len(self._ids)
        for name, column in self._columns.items():
            column.extend(page.columns.get(name) or [""] * len(page))
        self._ids += page.ids
        self._etags += page.etags

    def whole(self) -> Page:
        """All of it, in the order in which it came."""
        return Page(ids=self._ids, etags=self._etags, columns=self._columns)


def concat(pages: Sequence[Page]) -> Page:
    """All pages as one, in their order."""
    if len(pages) == 1:
        return pages[0]
    growing = Growing()
    for page in pages:
        growing.add(page)
    return growing.whole()


def merge(pages: Sequence[Page]) -> Page:
    """All pages as one, in ascending order of Id, without columns that nobody fills."""
    whole = concat(pages)
    columns = {name: texts for name, texts in sorted(whole.columns.items()) if any(texts)}
    return _sorted(Page(ids=whole.ids, etags=whole.etags, columns=columns))


def _sorted(page: Page) -> Page:
    """The page in ascending order of Id; the server's order is kept only if it is that one."""
    if all(left < right for left, right in pairwise(page.ids)):
        return page
    order = sorted(range(len(page)), key=page.ids.__getitem__)
    return Page(
        ids=[page.ids[position] for position in order],
        etags=[page.etags[position] for position in order],
        columns={name: [texts[p] for p in order] for name, texts in page.columns.items()},
    )


def parse_contact(body: bytes, *, etag_header: str = "") -> tuple[Contact, dict[str, Any]]:
    """One contact, and its entity without annotations. Raises PbxUntrusted for anything else.

    The body's `@odata.etag` goes before the header, which proxies weaken when they compress.
    """
    document = _document(body)
    etag = usable_etag(document.get("@odata.etag")) or usable_etag(etag_header)
    entity = {name: value for name, value in document.items() if not _is_annotation(name)}
    return as_contact(entity, etag=etag), entity


def as_contact(entity: Mapping[str, Any], *, etag: str = "") -> Contact:
    """An entity as a contact. Raises PbxUntrusted without a proper Id."""
    _check_properties(entity)
    own = {name: value for name, value in entity.items() if not _is_annotation(name)}
    texts = {name: _text(value) for name, value in own.items() if name != "Id"}
    _bounded(list(texts.values()))
    fields = {name: text for name, text in texts.items() if text}
    return Contact(id=_id_of(entity), fields=fields, etag=etag)


def usable_etag(tag: object) -> str:
    """The tag byte for byte, or "" for what could not be sent back as one If-Match value.

    `*` would mean "any" and a comma a list (RFC 9110 13.1.1); both would switch the guard off.
    """
    if isinstance(tag, str) and tag != "*" and _ETAG.fullmatch(tag):
        return tag
    return ""


def top_limit(body: bytes) -> int:
    """The greatest `$top` that a refusal names; 0 if it names none.

    The sentence is AspNetCoreOData's SkipTopLimitExceeded, which live systems send verbatim.
    """
    found = _TOP_LIMIT.search(body.decode("utf-8", "replace"))
    return int(found[1]) if found else 0


def version_of(header: str | None) -> str:
    """The PBX's version as its header gives it; "" if there is none or it is no version."""
    return header if header and _VERSION.fullmatch(header) else ""


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = _json(body)
    except (ValueError, RecursionError) as error:
        said = explain(body)
        raise _untrusted(said.text or "nothing where JSON belongs") from error
    if not isinstance(document, dict):
        raise _untrusted("JSON that is no object")
    if "error" in document and not {"value", "Id"} & document.keys():
        raise _untrusted(f"success with an error inside: {explain(body).text}")
    return document


def _json(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """What a body says. Raises ValueError or RecursionError.

    msgspec reads what is ordinary, in less than half of json's time, and reads nothing that json
    reads otherwise; of what it refuses, json is the judge.
    """
    try:
        return _ORDINARY.decode(body)
    except (ValueError, RecursionError):
        document = json.loads(body, parse_constant=_no_constant)
        return _whole(document) if _SURROGATE.search(body) else document


def _whole(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same JSON with U+FFFD for each half of a surrogate pair, which is no text anywhere else.

    JSON can escape such a half (RFC 8259, section 8.2); files, databases and Arrow can't hold it.
    """
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _untrusted(what: str) -> PbxUntrusted:
    return PbxUntrusted(
        f"3CX answered with {what}.",
        hint="Check pbx.url and what stands between here and the PBX, then: reconcile doctor",
        code="pbx_untrusted",
    )


def _is_id(value: object) -> bool:
    return type(value) is int and 0 < value <= MAX_ID


def _id_of(entity: Mapping[str, Any]) -> int:
    return _ids([entity.get("Id")])[0]


def _ids(values: Sequence[Any]) -> list[int]:
    if not all(map(_is_id, values)):
        raise _untrusted("a contact without a proper Id")
    return list(values)


def _count_of(document: Mapping[str, Any]) -> int | None:
    count = document.get("@odata.count")
    return count if type(count) is int and count >= 0 else None


def _is_annotation(name: str) -> bool:
    return "@" in name or name.startswith("odata.")


def _texts(values: Sequence[Any], size: int) -> Sequence[str]:
    """A column as text; in nearly every one there is nothing but text and null.

    `size` is how many bytes brought it: no text has more characters. Raises PbxUntrusted.
    """
    kinds = set(map(type, values))
    if kinds <= _NULL:
        return [""] * len(values)
    if not kinds <= _NULL_OR_TEXT:
        return _bounded([_text(value) for value in values])
    texts = [value or "" for value in values] if NoneType in kinds else list(values)
    return texts if size <= MAX_TEXT else _bounded(texts)


def _check_properties(names: Collection[str]) -> None:
    if len(names) > MAX_PROPERTIES:
        raise _untrusted(f"contacts of {len(names):,} properties")


def _bounded(texts: list[str]) -> list[str]:
    """The texts; raises PbxUntrusted if one is longer than any of a phonebook is."""
    if (longest := max(map(len, texts), default=0)) > MAX_TEXT:
        raise _untrusted(f"a contact with a text of {longest:,} characters")
    return texts


def _text(value: object) -> str:
    """A value as text: null, "" and absent are one; what is no text becomes compact JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if _is_deeper(value, _MAX_DEPTH):
        raise _untrusted(f"a contact with a value of more than {_MAX_DEPTH} levels")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inside = value.values() if isinstance(value, dict) else value
    return not levels or any(_is_deeper(each, levels - 1) for each in inside)


# ---------------------------------------------------------------------------- errors


class BodyKind(Enum):
    """What a body looks like that is not the expected answer."""

    EMPTY = "empty"
    ODATA = "odata"
    OAUTH = "oauth"
    OTHER_JSON = "json"
    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What an error body says, in words."""

    kind: BodyKind
    text: str = ""
    """One short sentence without control characters; "" if the body says nothing."""
    codes: frozenset[str] = frozenset()

    def has(self, code: str) -> bool:
        """Whether 3CX named this warning; prefixes move between versions, so by suffix.

        The suffix begins after a dot: CONVERTER_LIMIT_REACHED is no LIMIT_REACHED.
        """
        return any(c == code or c.endswith(f".{code}") for c in self.codes)


def explain(body: bytes) -> Explanation:
    """What an error body says: OData or OAuth JSON, text, HTML, or nothing at all."""
    body = body[:_MAX_EXPLAINED]
    text = body.decode("utf-8-sig", "replace").strip()
    if not text:
        return Explanation(kind=BodyKind.EMPTY)
    if text.startswith(("{", "[")):
        return _explain_json(text)
    if _MARKUP.search(text):
        return Explanation(kind=BodyKind.HTML, text=_html_words(text))
    return Explanation(kind=BodyKind.TEXT, text=f'"{_clean(text)}"' if _clean(text) else "")


def _explain_json(text: str) -> Explanation:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return Explanation(kind=BodyKind.TEXT, text="broken JSON")
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        return _explain_odata(error)
    if isinstance(error, str):
        words = (error, document.get("error_description"))
        said = ": ".join(_plain(w) for w in words if isinstance(w, str) and _plain(w))
        return Explanation(kind=BodyKind.OAUTH, text=said)
    return Explanation(kind=BodyKind.OTHER_JSON, text="JSON that explains nothing")


def _explain_odata(error: Mapping[str, Any]) -> Explanation:
    """Validation details, or else the message and the inner error, which often tells more."""
    details = [d for d in _list(error.get("details"))[:_MAX_DETAILS] if isinstance(d, dict)]
    inner = error.get("innererror") or error.get("innerError")
    inner = inner if isinstance(inner, dict) else {}
    said = [f"{_string(d, 'target')}: {_string(d, 'message')}".strip(": \n") for d in details]
    if not any(said):
        said = [_string(error, "message"), _string(inner, "message")]
    codes = _codes([error, inner, *details])
    sentences = list(dict.fromkeys(_meant(s) for s in said if s.strip()))
    distinct = [s for s in sentences if not any(s in other for other in sentences if other != s)]
    text = "; ".join(distinct) or _string(error, "code")
    return Explanation(kind=BodyKind.ODATA, text=_plain(text), codes=codes)


def _codes(parts: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    texts = (_string(part, name) for part in parts for name in ("code", "message"))
    return frozenset(code for text in texts for code in _CODE.findall(text))


def _meant(sentence: str) -> str:
    """The sentence with what its warning code means, if that is known."""
    said = Explanation(kind=BodyKind.ODATA, codes=frozenset(_CODE.findall(sentence)))
    meaning = next((words for code, words in _MEANING.items() if said.has(code)), "")
    line = " ".join(sentence.split()).rstrip(".")
    return f"{meaning} ({line})" if meaning else line


def _string(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _html_words(text: str) -> str:
    found = _TITLE.search(text)
    title = _plain(html.unescape(found[1]))[:_MAX_TITLE] if found else ""
    return f'an HTML page titled "{title}"' if title else "an HTML page"


def _plain(text: str) -> str:
    """Words only: a sentence of the server must not bring markup into a report."""
    return _clean("markup" if _MARKUP.search(text) else text)


def _clean(text: str) -> str:
    """Printable, on one line, and short: no terminal codes, no text that runs backwards."""
    head = text[: 4 * _MAX_WORDS]
    shown = (c if c.isprintable() and c != _UNDECODABLE else " " for c in head)
    line = " ".join("".join(shown).split())
    return line if len(line) <= _MAX_WORDS else f"{line[: _MAX_WORDS - 1]}…"


# ---------------------------------------------------------------------------- waiting


def retry_after(value: str, *, now: datetime | None) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110 10.2.3); None if it says nothing.

    A date counts from `now`, and says nothing without it; one in the past asks for 0. How long is
    too long is the caller's to say.
    """
    value = value.strip()
    if value.isascii() and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
        return float(value)
    moment = http_date(value)
    if moment is None or now is None:
        return None
    return max((moment - now).total_seconds(), 0.0)


def http_date(value: str) -> datetime | None:
    """The moment that an HTTP date names, in UTC; None for anything else."""
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
