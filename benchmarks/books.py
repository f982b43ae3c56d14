"""Large made-up books: an export and the listing of its contacts, the same for the same size."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_FIRST = (
    "Ada Ben Cem Dora Emil Fay Gero Hana Ivo Jana Kai Lea Max Nina Omar Pia Rosa Sven Tim".split()
)
_LAST = (
    "Berg Falk Graf Horn Jung Kern Lang Moor Nord Otto Pohl Rast Saal Thal Ulm Voss Wolf".split()
)
_ENDS = "ler mann er stein feld bach hof au burg see wald dorf haus ritz ke ing".split()
_FORMS = ("030 {}", "+49 30 {}", "(089) {}", "0049 89 {}", "089/{}", "+43 1 {}", "+33 1 4{}0")
_MOBILE = ("0151 {}1", "+49 151 {}2", "+44 79 1{}0", "0171/{}3")
LEAVERS = 100
"""One contact in so many belongs to nobody in the export."""


def people(count: int) -> pd.DataFrame:
    """The export's records: an id, names, a company, two numbers and an address each."""
    random = np.random.default_rng(4)
    at = np.arange(count)
    first = np.array(_FIRST)[random.integers(0, len(_FIRST), count)]
    last = np.char.add(
        np.array(_LAST)[random.integers(0, len(_LAST), count)],
        np.array(_ENDS)[random.integers(0, len(_ENDS), count)],
    )
    return pd.DataFrame(
        {
            "Contact ID": np.char.add("C", at.astype(str)),
            "First Name": first,
            "Last Name": last,
            "Company": np.char.add("Firma ", (at // 7).astype(str)),
            "Phone": _written(_FORMS, at, 1_000_000),
            "Mobile": _written(_MOBILE, at, 2_000_000),
            "Email": [
                f"{f}.{s}{n}@example.com".lower() for f, s, n in zip(first, last, at, strict=True)
            ],
        },
        dtype="str",
    )


def _written(forms: tuple[str, ...], at: NDArray[np.int64], base: int) -> list[str]:
    """A number of seven digits for each person, in one of the forms."""
    return [forms[n % len(forms)].format(base + n * 7919 % 6_999_983) for n in at.tolist()]


def aged(export: Path) -> None:
    """Let it be of half an hour ago: what was written just now may not be complete."""
    made = time.time() - 1800
    os.utime(export, (made, made))


def contacts(book: pd.DataFrame, count: int) -> list[dict[str, str | int]]:
    """Every so-manieth person as 3CX lists it; of each hundred one has left the CRM."""
    some = book.iloc[:: max(1, len(book) // count)].head(count)
    return [
        _contact(at, row, left=at % LEAVERS == 0)
        for at, row in enumerate(some.itertuples(index=False, name=None))
    ]


def _contact(at: int, row: tuple[str, ...], *, left: bool) -> dict[str, str | int]:
    _, first, last, company, phone, mobile, email = row
    return {
        "Id": at + 1,
        "ContactType": "3CX",
        "FirstName": "Zoe" if left else first,
        "LastName": f"Gone{at}" if left else last,
        "CompanyName": f"Former {at}" if left else company,
        "Business": f"+4940{3_000_000 + at}" if left else phone,
        "PhoneNumber": f"+49160{30_000_000 + at}" if left else mobile,
        "Email": f"gone{at}@example.org" if left else email,
    }
