"""Synthetic people, and the 3CX contacts that a CRM integration would have made of them.

Nobody is real: numbers stand in ranges that are kept free for films (Germany's "drama numbers" with
a dial-in behind, North America's 555-01xx), addresses end in `.example`. The phonebook is untidy in
the ways that real ones are; see `contacts`. Pure: the same seed gives the same people.
"""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

FIRST: Final = (
    "Anna Ben Clara David Elif Finn Greta Hannes Ida Jürgen Karla Lukas Mia Nils Olga Paul Quirin "
    "Rosa Sven Tilda Uwe Vera Wim Xenia Yusuf Zoë Łukasz Şenay Jean-Luc Ángeles Björn Čedomir "
    "Dörte Françoise Günther Håkon Inês Jürg Kübra Leïla Małgorzata Noël Øyvind Þóra René Søren "
    "Thảo Ulla Volker Wiebke"
).split()
LAST: Final = (
    "Ahrens|Bäcker|Claußen|Dietrich|Eßer|Fuchs|Großmann|Höfer|Iwanow|Jäger|Kaya|Lindqvist|Müller|"
    "Nguyễn|O'Neill|Petersen|Quast|Rösler|Schäfer|Thoma|Uhlig|Vogt|Weiß|Xu|Yıldız|Zöllner|"  # noqa: RUF001 - the Turkish letter
    "von der Heyde|Meyer-Landrut|de Vries|Kowalski|Brandt|Castellanos|Damm|Eichler|Feldmann|"
    "Gärtner|Hartwig|Ilg|Jovanović|Krüger|Lehmann|Metzger|Neumann|Oster|Pfeiffer|Rauch|Seidel|Teichmann|"
    "Ullrich|Vollmer|Wagner|Zimmermann"
).split("|")
_BRANCH: Final = (
    "Logistik|Metallbau|Steuerberatung|Software|Bau & Söhne|Gartenbau|Elektro|Druckerei|"
    "Pflegedienst|Gesellschaft für angewandte Lagertechnik und Fördersysteme"
).split("|")
_FORM: Final = "GmbH|AG|KG|GmbH & Co. KG|e. K.".split("|")
_JOBS: Final = ("Einkauf", "Vertrieb", "Geschäftsführung", "Buchhaltung", "Empfang", "")
_CITIES: Final = (
    ("30", "23125"),
    ("69", "90009"),
    ("40", "66969"),
    ("221", "4710"),
    ("89", "99998"),
)
_AREAS: Final = ("212", "213", "303", "305", "312", "404", "415", "503", "512", "602", "617", "702")

Fields = dict[str, "str | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One CRM record, with its numbers in E.164."""

    crm_id: str
    first_name: str
    last_name: str
    company: str
    title: str
    email: str
    mobile: str
    business: str
    switchboard: str
    """The company's main number; the same for everybody there, and "" for most."""


def people(n: int, seed: int = 0) -> list[Person]:
    """So many people, up to a million; mobiles, business numbers and addresses are never shared."""
    draw = random.Random(seed)  # noqa: S311 - synthetic people, not keys
    companies = [_company(draw, at) for at in range(n // 6 + 1)]
    return [_person(draw, at, companies) for at in range(n)]


def contacts(n: int, seed: int = 0) -> list[Fields]:
    """The contacts of so many people, as untidy as a grown phonebook.

    Of a hundred: about ninety-four plain ones with the CRM id as Tag, one person twice, one each
    that the CRM lookup, Google and Microsoft 365 brought in, one without a Tag, one whose `Other`
    holds text. Empty properties are null in some and "" in others; companies are cut at 50.
    """
    draw = random.Random(seed + 1)  # noqa: S311 - as above
    everybody = people(n, seed)
    listed: list[Fields] = []
    for at, person in enumerate(everybody):
        twice = at % 100 == 96  # noqa: PLR2004 - one of a hundred
        listed.append(_contact(draw, everybody[at - 1] if twice else person, at))
    return listed


def _company(draw: random.Random, at: int) -> tuple[str, str, str]:
    """Name, domain and main number."""
    family, branch, form = draw.choice(LAST), draw.choice(_BRANCH), draw.choice(_FORM)
    area, block = _CITIES[at % len(_CITIES)]
    domain = f"{_plain(family)}-{at + 1}.example"
    return f"{family} {branch} {form}", domain, f"+49{area}{block}{at // len(_CITIES):04d}0"


def _person(draw: random.Random, at: int, companies: list[tuple[str, str, str]]) -> Person:
    first, last = draw.choice(FIRST), draw.choice(LAST)
    company, domain, switchboard = draw.choice(companies)
    return Person(
        crm_id=str(1001 + at),
        first_name=first,
        last_name=last,
        company=company,
        title=draw.choice(_JOBS),
        email=f"{_plain(first)}.{_plain(last)}{at + 1}@{domain}",
        mobile=f"+4917604{at % 1_000_000:06d}",
        business=_business(at),
        switchboard=switchboard if at % 10 == 5 else "",  # noqa: PLR2004 - one in ten
    )


def _business(at: int) -> str:
    abroad, place = divmod(at, 25)
    if place == 24 and abroad < 100 * len(_AREAS):  # noqa: PLR2004 - the last of every 25
        area, line = divmod(abroad, 100)
        return f"+1{_AREAS[area]}55501{line:02d}"
    area_code, block = _CITIES[at % len(_CITIES)]
    number, last = divmod(at // len(_CITIES), 9)
    return f"+49{area_code}{block}{number:04d}{last + 1}"


def _contact(draw: random.Random, person: Person, at: int) -> Fields:
    empty = draw.choice((None, ""))
    special = at % 100
    return {
        "FirstName": person.first_name,
        "LastName": person.last_name,
        "CompanyName": person.company[:50],
        "Title": person.title or empty,
        "Email": person.email,
        "Tag": empty if special in {93, 96} else person.crm_id,
        "PhoneNumber": _written(draw, person.mobile),
        "Mobile2": empty,
        "Business": _written(draw, person.business),
        "Business2": _written(draw, person.switchboard) or empty,
        "Other": "nur vormittags" if special == 95 else empty,  # noqa: PLR2004 - one of a hundred
        "ContactType": {97: "CRM", 98: "Google", 99: "M365"}.get(special, "3CX"),
    }


def _written(draw: random.Random, number: str) -> str:
    """A number the way that somebody might have typed it."""
    found = re.fullmatch(r"\+49(30|69|40|221|89|176)(\d*)", number)
    if found is None:
        return number.replace("+1", draw.choice(("+1 ", "001", "+1-")), 1)
    area, rest = found.groups()
    style = draw.choice(
        (
            "+49{0}{1}",
            "+49 {0} {1}",
            "0{0} {1}",
            "0{0}/{1}",
            "(0{0}) {1}",
            "0049{0}{1}",
            "+49 (0){0} {1}",
        )
    )
    return style.format(area, rest)


def _plain(text: str) -> str:
    """Letters that an address can hold."""
    decomposed = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss"))
    return re.sub(r"[^a-z-]", "", decomposed) or "x"
