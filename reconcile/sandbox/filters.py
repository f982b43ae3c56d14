"""The part of OData's `$filter` that is known to work on Contacts, as a small compiler.

    or  →  and  →  comparison  →  not, property, literal, function, ( … )

Pure: text in, a predicate over a contact's properties out. A function of null is false, a
comparison with null by gt, ge, lt, le is false (as LINQ over nullable values has it).
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconcile.sandbox.book import TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_NODES: Final = 100
"""ASP.NET Core OData's default for MaxNodeCount."""


class BadQuery(Exception):
    """A query option that the server refuses with 400; carries the OData library's sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A typed piece of the expression, ready to be evaluated."""

    kind: str
    """`Edm.String`, `Edm.Int32`, `Edm.Boolean` or `null`."""
    value: Callable[[Mapping[str, Any]], Any]
    least: int = 0
    """No contact with a smaller Id can satisfy this term; keeps paging by key fast."""
    literal: int | None = None
    is_id: bool = False


_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<word>[A-Za-z_]\w*)|(?P<mark>[(),]))"
)
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_FUNCTIONS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_WORDS: Final[Mapping[str, tuple[str, object]]] = {
    "null": ("null", None),
    "true": ("Edm.Boolean", True),
    "false": ("Edm.Boolean", False),
}


def compile_filter(text: str) -> Term:
    """The predicate that a `$filter` stands for. Raises BadQuery."""
    parser = _Parser(text)
    term = parser.either()
    parser.end()
    if term.kind != "Edm.Boolean":
        raise BadQuery("The $filter expression must evaluate to a single boolean value.")
    return term


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._nodes = 0

    def either(self) -> Term:
        left = self._both()
        while self._word("or"):
            left = _or(left, self._both())
        return left

    def end(self) -> None:
        if self._text[self._at :].strip():
            raise self._syntax_error()

    def _both(self) -> Term:
        left = self._comparison()
        while self._word("and"):
            left = _and(left, self._comparison())
        return left

    def _comparison(self) -> Term:
        left = self._primary()
        for name in _COMPARE:
            if self._word(name):
                return _compare(name, left, self._primary())
        return left

    def _primary(self) -> Term:
        self._count()
        token = _TOKEN.match(self._text, self._at)
        if token is None:
            raise self._syntax_error()
        self._at = token.end()
        if text := token["text"]:
            return _constant("Edm.String", text[1:-1].replace("''", "'"))
        if number := token["number"]:
            return _constant("Edm.Int32", int(number), literal=int(number))
        if word := token["word"]:
            return self._named(word)
        if token["mark"] == "(":
            return self._closed(self.either())
        raise self._syntax_error()

    def _named(self, word: str) -> Term:
        if word == "not":
            return _not(self._primary())
        if word in _WORDS:
            return _constant(*_WORDS[word])
        if word == "Id":
            return Term(kind="Edm.Int32", value=operator.itemgetter(word), is_id=True)
        if word in TEXTS:
            return Term(kind="Edm.String", value=operator.itemgetter(word))
        if self._mark("("):
            return self._function(word)
        raise BadQuery(f"Could not find a property named '{word}' on type 'Pbx.Contact'.")

    def _function(self, name: str) -> Term:
        arguments = [self.either()]
        while self._mark(","):
            arguments.append(self.either())
        self._closed(arguments[0])
        kinds = [argument.kind for argument in arguments]
        if name == "tolower" and kinds == ["Edm.String"]:
            return _lower(arguments[0])
        if name in _FUNCTIONS and kinds == ["Edm.String", "Edm.String"]:
            return _call(_FUNCTIONS[name], *arguments)
        if name in {"tolower", *_FUNCTIONS}:
            raise BadQuery(f"No function signature for the function with name '{name}' matches.")
        raise BadQuery(f"An unknown function with name '{name}' was found.")

    def _closed(self, term: Term) -> Term:
        if not self._mark(")"):
            raise self._syntax_error()
        return term

    def _word(self, word: str) -> bool:
        return self._take("word", word)

    def _mark(self, mark: str) -> bool:
        return self._take("mark", mark)

    def _take(self, group: str, wanted: str) -> bool:
        token = _TOKEN.match(self._text, self._at)
        if token is None or token[group] != wanted:
            return False
        self._at = token.end()
        return True

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise BadQuery(f"The node count limit of '{MAX_NODES}' has been exceeded.")

    def _syntax_error(self) -> BadQuery:
        return BadQuery(f"Syntax error at position {self._at} in '{self._text}'.")


def _constant(kind: str, value: object, *, literal: int | None = None) -> Term:
    return Term(kind=kind, value=lambda _row: value, literal=literal)


def _boolean(value: Callable[[Mapping[str, Any]], bool], *, least: int = 0) -> Term:
    return Term(kind="Edm.Boolean", value=value, least=least)


def _or(left: Term, right: Term) -> Term:
    _need_boolean("Or", left, right)
    first, second = left.value, right.value
    return _boolean(lambda row: first(row) or second(row), least=min(left.least, right.least))


def _and(left: Term, right: Term) -> Term:
    _need_boolean("And", left, right)
    first, second = left.value, right.value
    return _boolean(lambda row: first(row) and second(row), least=max(left.least, right.least))


def _not(term: Term) -> Term:
    _need_boolean("Not", term)
    inner = term.value
    return _boolean(lambda row: not inner(row))


def _need_boolean(name: str, *terms: Term) -> None:
    if any(term.kind != "Edm.Boolean" for term in terms):
        kinds = "' and '".join(term.kind for term in terms)
        raise BadQuery(
            "An operator with incompatible types was detected. "
            f"Found operand types '{kinds}' for operator kind '{name}'."
        )


def _compare(name: str, left: Term, right: Term) -> Term:
    kinds = {left.kind, right.kind} - {"null"}
    if len(kinds) > 1:
        raise BadQuery(
            "A binary operator with incompatible types was detected. "
            f"Found operand types '{left.kind}' and '{right.kind}' for operator kind '{name}'."
        )
    first, second, test = left.value, right.value, _COMPARE[name]
    if name in {"eq", "ne"}:
        return _boolean(lambda row: test(first(row), second(row)), least=_least(name, left, right))

    def ordered(row: Mapping[str, Any]) -> bool:
        a, b = first(row), second(row)
        return a is not None and b is not None and test(a, b)

    return _boolean(ordered, least=_least(name, left, right))


def _least(name: str, left: Term, right: Term) -> int:
    if not left.is_id or right.literal is None:
        return 0
    return {"gt": right.literal + 1, "ge": right.literal, "eq": right.literal}.get(name, 0)


def _lower(term: Term) -> Term:
    inner = term.value

    def lowered(row: Mapping[str, Any]) -> str | None:
        text = inner(row)
        return None if text is None else str(text).lower()

    return Term(kind="Edm.String", value=lowered)


def _call(test: Callable[[str, str], bool], text: Term, part: Term) -> Term:
    first, second = text.value, part.value

    def called(row: Mapping[str, Any]) -> bool:
        a, b = first(row), second(row)
        return a is not None and b is not None and test(a, b)

    return _boolean(called)
