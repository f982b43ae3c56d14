"""What lies in the export folder on one night, and how the CRM wrote it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from simulation.firm import START

if TYPE_CHECKING:
    from simulation.firm import Firm, Person

FIELDS: Final = "id first last company team email phone mobile fax active note".split()
_HEADERS: Final = tuple(
    table.split("|")
    for table in """
Record ID|First Name|Last Name|Company Name|Department|Email|Phone Number|Mobile Phone Number\
|Fax Number|Last Activity Date|Notes
Datensatz-ID|Vorname|Nachname|Unternehmensname|Abteilung|E-Mail|Telefonnummer\
|Mobiltelefonnummer|Faxnummer|Letzte Aktivität|Notizen
""".split("\n")[1:-1]
)
"""As HubSpot writes them, in English and in German."""
SENTINELS: Final = ("1", "999999")
"""Records that the firm keeps in its CRM for nothing but to be there: the first and the last."""


@dataclass
class Tonight:
    """What the program will find, and what has been done to it."""

    header: list[str]
    rows: list[list[str]]
    """What a reader without any refusal would make of it."""
    delimiter: str = ","
    raw: bytes | None = None
    """What lies there, if it is not simply the rows."""
    name: str = "contacts.csv"
    age: timedelta = timedelta(hours=1)
    clock: timedelta = timedelta()
    """By which the machine's clock is wrong."""
    listed: frozenset[int] | None = None
    """The contacts that 3CX lists; None: all."""
    manifest: bool = False
    """The CRM says beside the file how many rows it has."""
    promised: int | None = None
    """So many, where fewer arrived."""
    incomplete: bool = False
    """3CX' own count tells that there are more."""

    def written(self) -> bytes:
        """The rows as a file."""
        text = io.StringIO()
        csv.writer(text, delimiter=self.delimiter).writerows([self.header, *self.rows])
        return text.getvalue().encode()

    def column(self, name: str) -> int:
        """Where a field stands."""
        return FIELDS.index(name)

    def blank(self, *names: str) -> None:
        """Empty columns."""
        for row in self.rows:
            for name in names:
                row[self.column(name)] = ""


def export(firm: Firm) -> Tonight:
    """Tonight's export when all is well, in the order of the ids or of the names."""
    by_name = firm.seed % 4 > 1
    people = sorted(firm.people.values(), key=lambda p: (p.last if by_name else "", int(p.crm_id)))
    first, last = (_sentinel(crm_id) for crm_id in SENTINELS)
    return Tonight(
        header=list(_HEADERS[firm.seed % 2]),
        rows=[first, *(_row(firm, person) for person in people), last],
        delimiter=",;"[firm.seed // 2 % 2],
        manifest=firm.seed % 3 == 0,
    )


def _row(firm: Firm, p: Person) -> list[str]:
    active = "" if firm.seed % 5 == 4 else f"{p.active or START.date()}"
    return [
        *(p.crm_id, p.first, p.last, p.company, p.team, p.email, p.phone, p.mobile, p.fax),
        *(active, p.note),
    ]


def _sentinel(crm_id: str) -> list[str]:
    row = dict.fromkeys(FIELDS, "")
    row |= {"id": crm_id, "first": "Sentinel", "last": f"Record {crm_id}"}
    return [*row.values()]
