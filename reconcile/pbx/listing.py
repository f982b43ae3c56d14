"""The whole phonebook, or nothing.

Owns the proof of completeness: ids unique, and as many as the server counted before and after.
Must never return a part: a listing that doesn't add up is read once more, and then refused.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from http import HTTPStatus
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from reconcile.errors import PbxUntrusted
from reconcile.pbx import odata
from reconcile.pbx.odata import CONTACTS, PAGE_SIZE, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconcile.pbx.session import Session

_MAX_CONTACTS: Final = 10_000_000
_READ_OR_REFUSED: Final = (HTTPStatus.OK, HTTPStatus.BAD_REQUEST)


class _Mismatch(Exception):
    """This reading doesn't add up: something changed meanwhile, or the server's paging is off."""


class Listing:
    """Reads all contacts of a session's PBX.

    By `$skip`, in windows of a page, as many at a time as the session has lanes; by key (`Id gt N`)
    where the PBX refuses `$skip` or `$orderby` on contacts, which some builds do.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, progress: Callable[[int, int], None] | None = None) -> Page:
        """All contacts, in ascending order of Id.

        Raises PbxUntrusted (`pbx_incomplete`) if two readings don't add up, else any PbxError.
        """
        report = progress or (lambda _read, _all: None)
        try:
            return self._read_once(report)
        except _Mismatch as first:
            try:
                return self._read_once(report)
            except _Mismatch as second:
                raise _incomplete(first, second) from second

    def _read_once(self, progress: Callable[[int, int], None]) -> Page:
        first = self._first()
        if first is None:
            before = self._count()
            pages = self._read_by_key(before, progress)
        else:
            before = _counted(first)
            pages = self._read_windows(first, before, progress)
        _check(pages, before=before, after=self._count())
        return odata.merge(pages)

    # ------------------------------------------------------------------ by $skip

    def _first(self) -> Page | None:
        """The first page with the count, or None if the PBX refuses `$skip` or `$orderby`."""
        target = _target(top=PAGE_SIZE, skip=0, count="true", orderby="Id")
        reply = self._session.get(target, expected=_READ_OR_REFUSED)
        return odata.parse_page(reply.body) if reply.status == HTTPStatus.OK else None

    def _read_windows(
        self, first: Page, count: int, progress: Callable[[int, int], None]
    ) -> list[Page]:
        """Every window up to the count, and one position more, lest the count cut it short."""
        starts = range(0, count + 1, PAGE_SIZE)
        lanes = ThreadPoolExecutor(self._session.connection.concurrency)
        try:
            windows = [
                lanes.submit(self._window, start, count - start, None if start else first)
                for start in starts
            ]
            read = 0
            for window in as_completed(windows):
                read += sum(map(len, window.result()))
                progress(read, count)
            return [page for window in windows for page in window.result()]
        finally:
            lanes.shutdown(cancel_futures=True)

    def _window(self, start: int, expected: int, page: Page | None) -> list[Page]:
        """The contacts from `start`, at most a page of them, however short the server cuts it.

        A cut is continued by the server's own next link, or else by `$skip`; the end is an empty
        page, or a short one without a link once all that were counted are there.
        """
        pages: list[Page] = []
        followed: set[str] = set()
        missing = PAGE_SIZE
        while True:
            page = page or self._part(start + PAGE_SIZE - missing, missing)
            pages.append(odata.head(page, missing))
            missing -= len(pages[-1])
            all_counted = PAGE_SIZE - missing >= expected
            if not missing or not page or (all_counted and not page.next_link):
                return pages
            page = self._follow(page.next_link, followed) if page.next_link else None

    def _part(self, skip: int, top: int) -> Page:
        return self._page(_target(top=top, skip=skip, orderby="Id"))

    def _follow(self, link: str, followed: set[str]) -> Page:
        target = odata.next_target(link, origin=self._session.connection.url)
        if target in followed:
            raise PbxUntrusted(
                "3CX names a page as the next one that has been read already.",
                hint="Run it again; if it happens again, the PBX or a proxy is at fault.",
                code="pbx_untrusted",
            )
        followed.add(target)
        return self._page(target)

    # ------------------------------------------------------------------ by key

    def _read_by_key(self, count: int, progress: Callable[[int, int], None]) -> list[Page]:
        """One page after the other, each from the greatest Id on; until one is empty."""
        pages: list[Page] = []
        read = last = 0
        while page := self._page(_target(top=PAGE_SIZE, filter=f"Id gt {last}")):
            pages.append(page)
            read += len(page)
            progress(read, count)
            if read == count == len(page):
                break  # all in one page: their order is of no consequence
            if read > count:
                raise _Mismatch(f"it counted {count} contacts and sent more")
            last = _last_of(page, after=last)
        return pages

    # ------------------------------------------------------------------ both

    def _count(self) -> int:
        return _counted(self._page(_target(top=1, count="true")))

    def _page(self, target: str) -> Page:
        return odata.parse_page(self._session.get(target).body)


def _target(**options: str | int) -> str:
    return f"{CONTACTS}?{odata.query(**options)}"


def _counted(page: Page) -> int:
    if page.count is None:
        raise _Mismatch("it did not count its contacts")
    if page.count > _MAX_CONTACTS:
        raise _Mismatch(f"it counted {page.count} contacts, which no PBX has")
    return page.count


def _last_of(page: Page, *, after: int) -> int:
    """The page's greatest Id. Raises PbxUntrusted unless its Ids rise from `after` on.

    Without that order, what comes after the greatest Id is not what is left to read.
    """
    rising = [after, *page.ids]
    if any(right <= left for left, right in pairwise(rising)):
        raise PbxUntrusted(
            "3CX can't be read completely: it refuses $skip and $orderby, and sends its contacts "
            "in no order of their Ids.",
            hint="Update the PBX; reconcile doctor shows its version.",
        )
    return rising[-1]


def _check(pages: Sequence[Page], *, before: int, after: int) -> None:
    ids = [contact_id for page in pages for contact_id in page.ids]
    repeated = len(ids) - len(set(ids))
    if len(ids) == before == after and not repeated:
        return
    twice = f", {repeated} of them repeated" if repeated else ""
    raise _Mismatch(
        f"it counted {before} contacts before and {after} after, and sent {len(ids)}{twice}"
    )


def _incomplete(first: _Mismatch, second: _Mismatch) -> PbxUntrusted:
    return PbxUntrusted(
        f"The listing of 3CX is not complete, and an incomplete one proves nothing: {first}; "
        f"read once more, {second}.",
        hint="Run it again when nobody edits the phonebook; if it happens again: reconcile doctor",
        code="pbx_incomplete",
    )
