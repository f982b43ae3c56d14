"""What one writes who knows pandas: read_csv, phonenumbers for each cell, a merge. No guard.

It reads the pages that it is given, so that only its own work is compared. Kept as short as such
programs are; it is nothing to be used.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import phonenumbers


def e164(text: object) -> str | None:
    """A number in its international form, as the library reads it."""
    try:
        number = phonenumbers.parse(str(text), "DE")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def keys(frame: pd.DataFrame, numbers: list[str]) -> pd.DataFrame:
    """(position, key): a row for each number and address."""
    parts = [frame[name].map(e164) for name in numbers] + [frame["Email"].str.lower()]
    stacked = pd.concat([pd.DataFrame({"at": part.index, "key": part}) for part in parts])
    return stacked.dropna()


def main(export: str, pages: str) -> None:
    """Say how many contacts have no number and no address of the export."""
    people = pd.read_csv(export, dtype=str)
    with Path(pages).open(encoding="utf-8") as lines:
        contacts = pd.DataFrame([c for line in lines for c in json.loads(line)["value"]])
    contacts = contacts.drop_duplicates("Id").set_index("Id")  # pages begin with one of the last
    theirs, ours = keys(people, ["Phone", "Mobile"]), keys(contacts, ["Business", "PhoneNumber"])
    matched = ours.merge(theirs, on="key")["at_x"].unique()
    orphans = contacts.index.difference(matched)
    print(json.dumps({"contacts": len(contacts), "orphans": orphans.tolist()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
