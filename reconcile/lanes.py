"""Several threads on one plan: how they end together, and how they share a commit.

Owns the threads. Must never know what is done in a lane: that, and its order, is for `apply`.
"""

from __future__ import annotations

from threading import Lock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Asked = TypeVar("Asked")
Given = TypeVar("Given")


class Gathered(Generic[Asked, Given]):
    """Does at once what several lanes ask for at the same time; each waits for its own answer.

    Whoever finds nobody at work does it for all who have asked by then; those who ask meanwhile
    are the next group. So each group begins after the last of its askers asked, and a lane that is
    alone waits for nobody.

    What is left is done with the next group, or at the end by `finish`: its lane goes on meanwhile.

    `do` gives an answer to each, in their order. What it raises is raised in all of the group.
    """

    def __init__(self, do: Callable[[list[Asked]], list[Given]]) -> None:
        self._do = do
        self._waiting: list[_Question[Asked, Given]] = []
        self._asking = Lock()
        self._working = Lock()

    def __call__(self, asked: Asked) -> Given:
        """Ask, and wait for the answer."""
        question = _Question[Asked, Given](asked)
        with self._asking:
            self._waiting.append(question)
        with self._working:
            if not question.is_answered:
                self._answer_all()
        return question.answer()

    def leave(self, asked: Asked) -> None:
        """Ask, and wait for no answer."""
        with self._asking:
            self._waiting.append(_Question[Asked, Given](asked))

    def finish(self) -> None:
        """Do what was left and not done yet. Raises what `do` raises."""
        with self._working:
            for question in self._answer_all():
                question.answer()

    def _answer_all(self) -> list[_Question[Asked, Given]]:
        with self._asking:
            group, self._waiting = self._waiting, []
        if not group:
            return group
        try:
            given = self._do([question.asked for question in group])
        except BaseException as error:  # noqa: BLE001 - raised again, in every lane of the group
            for question in group:
                question.fail(error)
        else:
            for question, answer in zip(group, given, strict=True):
                question.give(answer)
        return group


class _Question(Generic[Asked, Given]):
    """What one lane asked."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._given: list[Given] = []
        self._error: BaseException | None = None

    @property
    def is_answered(self) -> bool:
        return bool(self._given) or self._error is not None

    def give(self, answer: Given) -> None:
        self._given.append(answer)

    def fail(self, error: BaseException) -> None:
        self._error = error

    def answer(self) -> Given:
        if self._error is not None:
            raise self._error
        return self._given[0]


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
