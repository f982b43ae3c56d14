"""Several threads on one plan: how they end together, and how they share a commit.

Owns the threads. Must never know what is done in a lane: that, and its order, is for `apply`.
"""

from __future__ import annotations

from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Asked = TypeVar("Asked")
Given = TypeVar("Given")


class Gathered(Generic[Asked, Given]):
    """Does at once what several lanes ask for at the same time; each waits for its own answer.

    Whoever finds nobody at work does it for all who have asked by then, and goes on; the first of
    those who asked meanwhile does it for the next group. So each group begins after the last of its
    askers asked, nobody works for longer than its own group takes, and a lane that is alone waits
    for nobody.

    What is left is done with the next group, or at the end by `finish`: its lane goes on meanwhile.

    `do` gives an answer to each, in their order. What it raises is raised in all of the group.
    """

    def __init__(self, do: Callable[[list[Asked]], list[Given]]) -> None:
        self._do = do
        self._waiting: list[_Question[Asked, Given]] = []
        self._left: list[_Question[Asked, Given]] = []
        self._is_working = False
        self._lock = Lock()

    def __call__(self, asked: Asked) -> Given:
        """Ask, and wait for the answer."""
        question = _Question[Asked, Given](asked)
        with self._lock:
            self._waiting.append(question)
            is_first, self._is_working = not self._is_working, True
        if is_first or not question.was_answered():
            self._work()
        return question.answer()

    def leave(self, asked: Asked) -> None:
        """Ask, and wait for no answer."""
        with self._lock:
            self._left.append(_Question(asked))

    def finish(self) -> None:
        """Do what was left and not done yet, once nobody asks any more. Raises what `do` raises."""
        for question in self._work():
            question.answer()

    def _work(self) -> list[_Question[Asked, Given]]:
        """Answer all who have asked, and let the next one work if others have asked meanwhile."""
        with self._lock:
            group = [*self._left, *self._waiting]
            self._left, self._waiting = [], []
        if group:
            self._answer(group)
        with self._lock:
            self._is_working = bool(self._waiting)
            if self._waiting:
                self._waiting[0].is_next()
        return group

    def _answer(self, group: list[_Question[Asked, Given]]) -> None:
        try:
            given = self._do([question.asked for question in group])
        except BaseException as error:  # noqa: BLE001 - raised again, in every lane of the group
            for question in group:
                question.fail(error)
        else:
            for question, answer in zip(group, given, strict=True):
                question.give(answer)


class _Question(Generic[Asked, Given]):
    """What one lane asked."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._given: list[Given] = []
        self._error: BaseException | None = None
        self._called = Event()

    def was_answered(self) -> bool:
        """Wait until it is answered, or until it is this lane's turn to work: then False."""
        self._called.wait()
        return bool(self._given) or self._error is not None

    def is_next(self) -> None:
        self._called.set()

    def give(self, answer: Given) -> None:
        self._given.append(answer)
        self._called.set()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._called.set()

    def answer(self) -> Given:
        if self._error is not None:
            raise self._error
        return self._given[0]


class Counted:
    """How many lanes are left, against how many there may be now."""

    def __init__(self, allowed: Callable[[], int]) -> None:
        self.count = allowed()
        self._allowed = allowed
        self._lock = Lock()

    def may_stay(self) -> bool:
        """Whether the lane that asks is not one too many; if it is, it must end."""
        with self._lock:
            if self.count <= self._allowed():
                return True
            self.count -= 1
        return False


def abreast(work: Callable[[], None], lanes: int) -> None:
    """Do the same work in so many threads, until all of them have ended. It must raise nothing.

    An exception in this thread, such as a second Ctrl-C, leaves them behind: they don't keep the
    process from ending, and what they have in hand is as open as after a kill.
    """
    threads = [Thread(target=work, name=f"lane {at}", daemon=True) for at in range(1, lanes + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
