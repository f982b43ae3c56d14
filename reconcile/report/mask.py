"""Personal data shown as initials and last digits (`report.mask`).

Ids, verdicts, counts and the digest stay: a masked report can still be acted upon.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconcile.report.model import ContactPart, FindingPart, GuardPart, Report

_Seen = TypeVar("_Seen", "FindingPart", "GuardPart")

_SHOWN_DIGITS = 3
_RECORD = re.compile(r"(?:CRM record|the record in row) ")
_PERSON = re.compile(r" \((?!needed: )")
"""What stands before a record of the CRM and before its person's name; `core.words` writes it so.

Two patterns, as one for both would try every pair of them, and a name may be full of them.
"""
_KEY = re.compile(
    r"(?<=^number ).+?(?= (?:belongs to|is not one person's alone|alone proves nothing))",
    re.DOTALL,
)
_GROUP = re.compile(r"(?<=^company )(.+)(?=: \d+ of \d+ \()", re.DOTALL)
"""The company of a finding that one loses many contacts."""
_ADDRESS = re.compile(r"(?<!\S)\S+@\S+")
_INTERNATIONAL = re.compile(r"\+\d[\d ().\-/]{4,}\d")


def name(text: str) -> str:
    """`Jo Doe` → `J. D.`."""
    return " ".join(f"{word[0]}." for word in text.split())


def number(text: str) -> str:
    """`+49 30 1234567` → `…567`."""
    return f"…{re.sub(r'[^0-9]', '', text)[-_SHOWN_DIGITS:]}" if text else ""


def email(text: str) -> str:
    """`jo@example.com` → `j…@…`."""
    return f"{text[0]}…@…" if text else ""


def value(text: str) -> str:
    """Whatever it is: an address, a number or a name."""
    if "@" in text:
        return email(text)
    return number(text) if re.search(r"\d{3}", text) else name(text)


def masked(report: Report) -> Report:
    """The report without readable personal data."""
    return report.model_copy(
        update={
            "masked": True,
            "contacts": tuple(contact(part) for part in report.contacts),
            "findings": tuple(map(_observed, report.findings)),
            "guards": tuple(map(_observed, report.guards)),
            "drift": tuple(
                d.model_copy(update={"crm": _each(d.crm), "pbx": _each(d.pbx)})
                for d in report.drift
            ),
            "missing": tuple(
                m.model_copy(update={"name": name(m.name), "company": name(m.company)})
                for m in report.missing
            ),
            "duplicates": tuple(
                d.model_copy(update={"name": name(d.name)}) for d in report.duplicates
            ),
        }
    )


def _observed(part: _Seen) -> _Seen:
    return part.model_copy(update={"observed": _GROUP.sub(_named, part.observed)})


def _named(found: re.Match[str]) -> str:
    return name(found[0])


def _each(values: str) -> str:
    return ", ".join(value(part) for part in values.split(", ")) if values else ""


def contact(part: ContactPart) -> ContactPart:
    """One contact without readable personal data; what is masked already stays as it is."""
    shown = {part.name: name(part.name), part.company: name(part.company)}
    shown |= {n: number(n) for n in part.numbers} | {part.email: email(part.email)}
    return part.model_copy(
        update={
            "name": shown[part.name],
            "company": shown[part.company],
            "numbers": tuple(number(n) for n in part.numbers),
            "email": email(part.email),
            "reason": sentence(part.reason, shown),
            "evidence": tuple(sentence(each, shown) for each in part.evidence),
        }
    )


def is_masked(report: Report) -> bool:
    """Whether names, numbers and addresses of a report can't be read.

    Reports of older versions don't say; there, nobody with a readable one is what tells.
    """
    if report.masked is not None:
        return report.masked
    told = [part for part in report.contacts if any(_personal(part))]
    return bool(told) and all(_personal(part) == _personal(contact(part)) for part in told)


def _personal(part: ContactPart) -> tuple[str, ...]:
    return (part.name, part.company, part.email, *part.numbers)


def sentence(plain: str, shown: Mapping[str, str]) -> str:
    """A sentence with its names, numbers and addresses masked, whoever's they are.

    `shown` are texts that may stand in it, and what stands there instead.
    """
    for text in sorted(filter(None, shown), key=len, reverse=True):
        plain = plain.replace(text, shown[text])
    plain = _without_person(plain)
    plain = _ADDRESS.sub(lambda m: email(m[0]), plain)
    plain = _KEY.sub(lambda m: number(m[0]), plain)
    return _INTERNATIONAL.sub(lambda m: number(m[0]), plain)


def _without_person(plain: str) -> str:
    """A sentence about a record of the CRM with the initials of its person."""
    record = _RECORD.search(plain)
    person = record and _PERSON.search(plain, record.end())
    last = plain.rfind(")")
    if not person or last <= person.end():
        return plain
    return f"{plain[: person.end()]}{name(plain[person.end() : last])}{plain[last:]}"
