"""Who is in the CRM: people whom no name, number or address mixes up with each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

SYLLABLES = [c + v for c, v in product("bdfgklmnprstvz", "aeiou")]
COMPANIES = ("Nordlicht GmbH", "Suedwind AG")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A record of the CRM; `key` is the person, whatever the record says."""

    key: str
    crm_id: str
    first: str
    last: str
    company: str
    mail: str
    phone: str

    @property
    def row(self) -> list[str]:
        """As an export holds it: numbers are typed as people type them."""
        phone = f"030 {self.phone.removeprefix('+4930')}"
        return [self.crm_id, self.first, self.last, self.company, self.mail, phone]

    @property
    def contact(self) -> dict[str, str]:
        """As the contact was filled from the CRM."""
        return {
            "FirstName": self.first,
            "LastName": self.last,
            "CompanyName": self.company,
            "Email": self.mail,
            "PhoneNumber": self.phone,
        }


def person(number: int) -> Person:
    first, last = first_name(number), last_name(number)
    return Person(
        key=f"P{number}",
        crm_id=f"{5000 + number}",
        first=first,
        last=last,
        company=COMPANIES[number % 2],
        mail=mail(number),
        phone=phone(number),
    )


def first_name(number: int) -> str:
    return f"{_syllable(number)}{_syllable(3 * number + 11 + number // 70)}n".capitalize()


def last_name(number: int) -> str:
    return f"{_syllable(9 * number + 7)}{_syllable(11 * number + 2 + number // 70)}r".capitalize()


def phone(number: int) -> str:
    """No two of them share their last digits, and none looks like a placeholder."""
    return f"+4930{7_123_457 + 1_371 * number}"


def mail(number: int) -> str:
    return f"{first_name(number)}.{last_name(number)}@firma.example".lower()


def _syllable(number: int) -> str:
    return SYLLABLES[number % len(SYLLABLES)]
