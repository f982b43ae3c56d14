"""The whole phonebook, or nothing.

Owns the proof of completeness: pages that join without a seam, ids unique, and as many as the
server counted before and after; where it doesn't count, or counts too few, two readings in
different ways that agree. Must never return a part: a listing that doesn't add up is refused.

The server's next links are never followed. Where the next page begins is known without them, so
none can lead to another origin, to the same page again, or past contacts.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Final, Literal, Self

from reconcile.errors import PbxUntrusted
from reconcile.pbx import odata
from reconcile.pbx.failures import from_reply
from reconcile.pbx.odata import CONTACTS, PAGE_SIZE, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from reconcile.pbx.session import Session
    from reconcile.pbx.transport import Reply

    _Progress = Callable[[int, int], None]
    _Way = Callable[[int | None, _Progress], list[Page]]

_READ_OR_REFUSED: Final = (HTTPStatus.OK, HTTPStatus.BAD_REQUEST)
_SMALL: Final = 20
"""Contacts in a page that no PBX can find too many."""
_MAX_CONTACTS: Final = 2_000_000
_MAX_BYTES: Final = 256 * 1024 * 1024
"""Of all answers of one reading; half a million contacts with all their properties have it."""
_PAGE_BYTES: Final = 200 * 1024
"""On average of a page, from there on: contacts that are four times as large as usual."""
_ENDLESS: Final = "it names a next page after its last one"
_MOVED: Final = "its pages don't join, as if contacts moved while they were read"


class _Mismatch(Exception):
    """This reading doesn't add up: something changed meanwhile, or the server's paging is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One reading from the first page to an end, and what speaks for its completeness."""

    page: Page
    before: int | None
    """How many contacts the server counted; None if it doesn't count."""
    after: int | None
    problem: str = ""

    @property
    def is_proven(self) -> bool:
        """The server counted exactly these, before and after."""
        return not self.problem and self.before == self.after == len(self.page)

    @property
    def is_counted(self) -> bool:
        """The server's counts may be right, if contacts moved."""
        known = [count for count in (self.before, self.after) if count is not None]
        return len(known) > 1 and max(known) >= len(self.page)

    def agrees_with(self, earlier: _Reading) -> bool:
        """The same contacts twice, and no count that speaks of more.

        `@odata.count` is missing or as small as a page on some builds, so it can't refute what was
        sent; but more than was sent can't be all.
        """
        counts = (self.before, self.after)
        return (
            not (self.problem or earlier.problem)
            and self.page.ids == earlier.page.ids
            and all(count is None or count <= len(self.page) for count in counts)
        )

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        counts = "/".join("none" if n is None else str(n) for n in (self.before, self.after))
        return f"it counted {counts} contacts before/after and sent {len(self.page)}"


class Volume:
    """What has been received of one reading; several lanes add to it."""

    def __init__(self) -> None:
        self._received = 0
        self._answers = 0
        self._lock = Lock()

    def begin(self) -> None:
        """Another reading."""
        self._received = self._answers = 0

    def add(self, size: int) -> None:
        """Count an answer. Raises PbxUntrusted: what never ends must not fill the memory."""
        with self._lock:
            self._received += size
            self._answers += 1
            limit = max(_MAX_BYTES, self._answers * _PAGE_BYTES)
        if self._received > limit:
            raise _contradiction(f"sent more than {limit >> 20} MiB of contacts")


class _Asked:
    """What lanes ask for, a little ahead; it is understood elsewhere, while they ask on."""

    def __init__(self, lanes: int) -> None:
        self._pool = ThreadPoolExecutor(lanes)
        self._running: dict[Future[Reply | Page], int] = {}
        self._done: SimpleQueue[Future[Reply | Page]] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __len__(self) -> int:
        """How many answers are still to be taken."""
        return len(self._running)

    def begin(self, at: int, work: Callable[..., Reply | Page], *what: object) -> None:
        """Let the next free lane do it."""
        future = self._pool.submit(work, *what)
        self._running[future] = at
        future.add_done_callback(self._done.put)

    def next(self) -> tuple[int, Reply | Page]:
        """Wait for an answer, and give where it belongs, too; raises what its lane raised."""
        future = self._done.get()
        return self._running.pop(future), future.result()


class _Windows:
    """What came by `$skip`, joined in its order as far as nothing is missing in between."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._ids: dict[int, Sequence[int]] = {}
        """By where the window begins."""
        self._waiting: dict[int, Page] = {}
        self._next = 0
        self._joined = odata.Growing()

    def add(self, at: int, page: Page) -> None:
        """Raises _Mismatch unless it joins its neighbours, as far as they are read."""
        self._ids[at] = page.ids
        self._check_seams(at)
        self._waiting[at] = odata.section(page, 1 if at else 0)
        while (ready := self._waiting.pop(self._next, None)) is not None:
            self._joined.add(ready)
            self._next += self._step

    def whole(self) -> Page:
        """All windows as one, when there is none to come any more, and so none missing."""
        return self._joined.whole()

    def _check_seams(self, at: int) -> None:
        step = self._step
        for left, right in pairwise(self._ids.get(each) for each in (at - step, at, at + step)):
            if left is None or right is None:
                continue
            if right[:1] != (left[-1:] if len(left) > step else []):
                raise _Mismatch(_MOVED)


class Listing:
    """Reads all contacts of a session's PBX.

    By `$skip`, in windows of a page, as many at a time as the session has lanes; by key (`Id gt N`)
    where the PBX refuses `$skip` or `$orderby` on contacts, which some builds do.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.paging: Literal["", "skip", "key"] = ""
        """How the last listing was read; "" before the first."""
        self._volume = Volume()
        self._page_size = PAGE_SIZE
        self._listed: int | None = None
        """How many contacts the last listing had; None before the first."""

    def read(self, progress: _Progress | None = None) -> Page:
        """All contacts, in ascending order of Id.

        Raises PbxUntrusted (`pbx_incomplete`) if two readings don't add up, else any PbxError.
        """
        report = progress or (lambda _read, _all: None)
        readings: list[_Reading] = []
        for way in self._ways(readings):
            reading = self._read_once(way, report)
            if reading.is_proven or (readings and reading.agrees_with(readings[-1])):
                self._listed = len(reading.page)
                return reading.page
            readings.append(reading)
        raise _incomplete(readings)

    def _ways(self, readings: Sequence[_Reading]) -> Iterator[_Way]:
        """As this PBX lets itself be read; then the same if it only moved; then by ranges.

        What one way leaves out each time, such as a row that was edited and now stands elsewhere,
        another way shows: so two readings that agree are of different kinds.
        """
        yield self._read_as_it_lets
        moved = self.paging == "skip" and readings[0].is_counted
        yield self._read_as_it_lets if moved else self._read_ranges
        yield self._read_ranges

    def has(self, contact_id: int) -> bool:
        """Whether the phonebook lists a contact; the whole of it is asked if it can't be filtered.

        Raises PbxUntrusted if it lists nobody any more: lost rights look like an empty phonebook.
        """
        self._volume.begin()
        reply = self._reply({"filter": f"Id eq {contact_id}"}, top=1)
        if reply.status != HTTPStatus.OK:
            return contact_id in self.read().ids
        page = odata.parse_page(reply.body)
        if set(page.ids) - {contact_id}:
            raise _contradiction(f"sent other contacts than the one with Id {contact_id}")
        was_alone = self._listed is not None and self._listed <= 1
        if not page and not was_alone and not self._page({}, top=1):
            raise _contradiction("lists no contacts at all any more")
        return bool(page)

    def matching(self, expression: str) -> Page:
        """All contacts that satisfy a filter, however many; raises PbxUntrusted for others."""
        self._volume.begin()
        first = self._page({"filter": expression})
        if not first:
            if first.has_more:
                raise _contradiction("sent nothing, and names a next page")
            return first
        last = max(first.ids)
        rest = self._page({"filter": f"{expression} and Id gt {last}"})
        if not rest and _rises(0, first):
            return first
        ranges = self._between(0, odata.MAX_ID, full=len(first), where=expression)
        try:
            return odata.merge(list(ranges))
        except _Mismatch as mismatch:
            raise _contradiction(f"can't be searched: {mismatch}") from mismatch

    def page_cap(self) -> int:
        """The most contacts that a page can have, whether by refusal or by cutting; 0: no limit.

        Asks for one more than the limit that all known builds have, and for a page of the contacts
        that the last listing had.
        """
        reply = self._reply({}, top=self._page_size)
        if reply.status == HTTPStatus.OK:
            sent = len(odata.parse_page(reply.body))
            if sent < min(self._page_size, self._listed or 0):
                return sent
        target = f"{CONTACTS}?{odata.query(top=PAGE_SIZE + 1)}"
        reply = self._session.get(target, expected=_READ_OR_REFUSED)
        return 0 if reply.status == HTTPStatus.OK else odata.top_limit(reply.body) or PAGE_SIZE

    def _read_once(self, way: _Way, progress: _Progress) -> _Reading:
        self._volume.begin()
        before = self._count()
        try:
            pages, problem = way(before, progress), ""
        except _Mismatch as mismatch:
            pages, problem = [], str(mismatch)
        with ThreadPoolExecutor(1) as lane:
            counting = lane.submit(self._count)
            page = odata.merge(pages)
            problem = problem or _repeats(page)
        return _Reading(page=page, before=before, after=counting.result(), problem=problem)

    def _read_as_it_lets(self, count: int | None, progress: _Progress) -> list[Page]:
        size = self._page_size
        with self._lanes() as asked:
            start = self._ask_ahead(asked, count)
            first = self._reply(_options_at(0))
            if first.status != HTTPStatus.OK:
                first = self._smaller(_options_at(0), first)
            self.paging = "skip" if first.status == HTTPStatus.OK else "key"
            if self.paging == "skip" and self._page_size == size:
                return self._read_windows(asked, first, start=start, count=count, progress=progress)
        if self.paging == "key":
            return self._read_by_key(count, progress)
        with self._lanes() as asked:  # what was asked ahead were windows of another size
            start = self._page_size - 1
            return self._read_windows(asked, first, start=start, count=count, progress=progress)

    def _count(self) -> int | None:
        """Asked for by itself: some answers that count bring no contacts, some PBXs refuse it."""
        reply = self._reply({"count": "true"}, top=1)
        return odata.parse_page(reply.body).count if reply.status == HTTPStatus.OK else None

    # ------------------------------------------------------------------ by $skip

    def _lanes(self) -> _Asked:
        return _Asked(self._session.connection.concurrency)

    def _ask_ahead(self, asked: _Asked, count: int | None) -> int:
        """A window for each lane but the first's, as far as there are any; where the next begins.

        They are asked for with the first, unless this PBX is known to refuse them.
        """
        step = start = self._page_size - 1
        others = self._session.connection.concurrency - 1
        while self.paging != "key" and len(asked) < others and start < (count or 0):
            asked.begin(start, self._reply_from, start, self._page_size)
            start += step
        return start

    def _read_windows(
        self, asked: _Asked, first: Reply, *, start: int, count: int | None, progress: _Progress
    ) -> list[Page]:
        """Every window until one is not full; the count only says how far to reach ahead.

        A window begins with the last contact of the one before it: what is removed while another
        is added moves everything between them, and that shows at the seam. The windows up to
        `start` are asked for already.
        """
        step, ahead = self._page_size - 1, 2 * self._session.connection.concurrency
        windows = _Windows(step)
        read, ended, at = 0, False, 0
        came: Reply | Page = first
        while True:
            if (page := self._arrived(asked, at, came)) is not None:
                windows.add(at, page)
                ended = ended or len(page) < self._page_size
                read = _bounded(read + len(page))
                progress(min(read, count or read), count or read)
            while not ended and len(asked) < ahead and _reaches(start, count, asked):
                asked.begin(start, self._reply_from, start, self._page_size)
                start += step
            if not asked:
                return [windows.whole()]
            at, came = asked.next()

    def _arrived(self, asked: _Asked, at: int, came: Reply | Page) -> Page | None:
        """The window, or None if the rest of it had to be asked for."""
        if isinstance(came, Page):
            return came
        page = odata.parse_page(came.body)
        if 0 < len(page) < self._page_size:
            asked.begin(at, self._window, at, page)
            return None
        return odata.section(page, 0, self._page_size)

    def _window(self, start: int, page: Page) -> Page:
        """A page of contacts from `start` on, in however many parts the server sends it."""
        while 0 < len(page) < self._page_size:
            seam = min(len(page) - 1, 1)
            at = len(page) - seam
            part = odata.parse_page(self._reply_from(start + at, self._page_size - at).body)
            if part.ids[:seam] != page.ids[at:] or (part and not seam):
                raise _Mismatch(_MOVED)
            if len(part) == seam:
                if part.has_more:
                    raise _Mismatch(_ENDLESS)
                return page
            page = odata.concat([page, odata.section(part, seam)])
        return odata.section(page, 0, self._page_size)

    def _reply_from(self, position: int, top: int) -> Reply:
        """Some PBXs refuse a great `$skip` only, so that is a matter of the way of reading."""
        reply = self._reply(_options_at(position), top=top)
        if reply.status != HTTPStatus.OK:
            raise _Mismatch(f"it refused the contacts from position {position} on")
        return reply

    # ------------------------------------------------------------------ by key

    def _read_by_key(self, count: int | None, progress: _Progress) -> list[Page]:
        """One page after the other, each from the greatest Id on; until one is empty.

        Only while the Ids rise: otherwise what comes after the greatest is not what is left, and
        the Ids are read by ranges instead.
        """
        pages: list[Page] = []
        read = last = 0
        while page := self._page({"filter": f"Id gt {last}"}):
            if not _rises(last, page):
                return self._read_ranges(count, progress)
            pages.append(page)
            read = _bounded(read + len(page))
            progress(min(read, count or read), count or read)
            last = page.ids[-1]
        return pages

    def _read_ranges(self, count: int | None, progress: _Progress) -> list[Page]:
        """By ranges of Ids, which are complete in whatever order they come."""
        some = self._page({"filter": "Id gt 0"})
        pages: list[Page] = []
        read = 0
        for page in self._between(0, odata.MAX_ID, full=len(some)) if some else ():
            pages.append(page)
            read = _bounded(read + len(page))
            progress(min(read, count or read), count or read)
        return pages

    def _between(self, low: int, high: int, *, full: int, where: str = "") -> Iterator[Page]:
        """The contacts with low < Id <= high, in ranges so small that none fills a page."""
        within = f"Id gt {low} and Id le {high}"
        page = self._page({"filter": f"{where} and {within}" if where else within})
        if not all(low < contact_id <= high for contact_id in page.ids):
            raise _Mismatch("it sent contacts that the filter leaves out")
        if len(page) < full or high - low == 1:
            if page.has_more:
                raise _Mismatch(_ENDLESS)
            yield page
            return
        middle = (low + high) // 2
        yield from self._between(low, middle, full=full, where=where)
        yield from self._between(middle, high, full=full, where=where)

    # ------------------------------------------------------------------ both

    def _page(self, options: Mapping[str, str | int], *, top: int | None = None) -> Page:
        reply = self._reply(options, top=top)
        if reply.status != HTTPStatus.OK and top is None:
            reply = self._smaller(options, reply)
        if reply.status != HTTPStatus.OK:
            raise from_reply(reply, self._session.connection)
        return odata.parse_page(reply.body)

    def _smaller(self, options: Mapping[str, str | int], refusal: Reply) -> Reply:
        """A refusal that names no limit may be about `$top` all the same: once more with less."""
        reply = self._reply(options, top=_SMALL)
        if reply.status != HTTPStatus.OK:
            return refusal
        self._page_size = min(self._page_size, _SMALL)
        return reply

    def _reply(self, options: Mapping[str, str | int], *, top: int | None = None) -> Reply:
        """A page or a 400, as it came; asked for smaller if the PBX names its limit."""
        size = min(top or self._page_size, self._page_size)
        target = f"{CONTACTS}?{odata.query(top=size, **options)}"
        reply = self._session.get(target, expected=_READ_OR_REFUSED)
        self._volume.add(len(reply.body))
        if reply.status == HTTPStatus.OK or not 1 < (limit := odata.top_limit(reply.body)) < size:
            return reply
        self._page_size = limit
        return self._reply(options, top=top)


def _options_at(position: int) -> dict[str, str | int]:
    return {"skip": position, "orderby": "Id"}


def _reaches(start: int, count: int | None, asked: _Asked) -> bool:
    """Whether to ask for a window now: within the count, or if everything before is known."""
    return count is None or start <= count or not asked


def _rises(after: int, page: Page) -> bool:
    return all(left < right for left, right in pairwise([after, *page.ids]))


def _bounded(read: int) -> int:
    """The number of contacts so far; a server that never ends must not be believed for ever."""
    if read > _MAX_CONTACTS:
        raise _Mismatch(f"it sent more than {_MAX_CONTACTS} contacts, which no PBX has")
    return read


def _repeats(page: Page) -> str:
    repeated = len(page) - len(set(page.ids))
    return f"it sent {len(page)} contacts, {repeated} of them repeated" if repeated else ""


def _incomplete(readings: Sequence[_Reading]) -> PbxUntrusted:
    said = "; read once more, ".join(map(str, readings))
    return PbxUntrusted(
        f"The listing of 3CX is not complete, and an incomplete one proves nothing: {said}.",
        hint="Run it again when nobody edits the phonebook; if it happens again: reconcile doctor",
        code="pbx_incomplete",
    )


def _contradiction(what: str) -> PbxUntrusted:
    return PbxUntrusted(
        f"3CX {what}.",
        hint="Run it again; if it happens again: reconcile doctor",
        code="pbx_untrusted",
    )
