"""Personal data shown as initials and last digits (`report.mask`).

Ids, verdicts, counts and the digest stay: a masked report can still be acted upon.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconcile.report.model import ContactPart, Report

_SHOWN_DIGITS = 3


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
            "contacts": tuple(_contact(part) for part in report.contacts),
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


def _each(values: str) -> str:
    return ", ".join(value(part) for part in values.split(", ")) if values else ""


def _contact(part: ContactPart) -> ContactPart:
    shown = {part.name: name(part.name), part.company: name(part.company)}
    shown |= {n: number(n) for n in part.numbers} | {part.email: email(part.email)}
    return part.model_copy(
        update={
            "name": shown[part.name],
            "company": shown[part.company],
            "numbers": tuple(number(n) for n in part.numbers),
            "email": email(part.email),
            "reason": _text(part.reason, shown),
            "evidence": tuple(_text(sentence, shown) for sentence in part.evidence),
        }
    )


def _text(sentence: str, shown: Mapping[str, str]) -> str:
    """A sentence with its names, numbers and addresses masked, whoever's they are."""
    for plain in sorted(filter(None, shown), key=len, reverse=True):
        sentence = sentence.replace(plain, shown[plain])
    sentence = re.sub(r"\((.+)\);", lambda m: f"({name(m.group(1))});", sentence)
    sentence = re.sub(r"\S+@\S+", lambda m: email(m.group()), sentence)
    return re.sub(r"\+\d{6,}", lambda m: number(m.group()), sentence)
