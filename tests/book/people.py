"""The book: five hundred people who don't exist, their companies, and what becomes of them.

Everything follows from the seed. A person here is the truth; how the CRM and the PBX write them is
`sides`' business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

PEOPLE = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """How the numbers of one country are made."""

    code: str
    trunk: str
    areas: tuple[str, ...]
    local: int
    """Digits behind the area, the direct dial's two included."""
    mobiles: tuple[str, ...]
    mobile: int
    """Digits behind the mobile prefix."""
    names: tuple[str, str, str]
    """In English, in German, as a code."""
    firsts: str
    lasts: str
    forms: tuple[str, ...]


PLANS = {
    "DE": Plan(
        "49",
        "0",
        ("30", "89", "40", "221", "711", "6421"),
        7,
        ("151", "160", "176", "1522"),
        8,
        ("Germany", "Deutschland", "DE"),
        "Anna Jürgen Käthe Björn Sören Petra Uwe Heike Jörg Sabine Thomas Michael Julia Karl-Heinz"
        " Anke Detlef Birgit Günther Lea Finn Mia Ben Emma Paul Marie Lukas Hannah Felix Laura Max"
        " Sophie Jonas Lena Elias Clara Till Ulrike Götz Rüdiger Franziska",
        "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schäfer Koch Bauer Richter"
        " Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Krause"
        " Lehmann Köhler Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang Möller Weiß"
        " Jung Hahn Vogel Müller-Lüdenscheidt Groß Böhm Friedrich Keller Günther Jäger Roth Voß"
        " Größler Schüßler Aßmann von_der_Heide Oßwald",
        ("GmbH", "AG", "GmbH & Co. KG", "KG", "e. V.", "UG (haftungsbeschränkt)", "e.K."),
    ),
    "AT": Plan(
        "43",
        "0",
        ("1", "316", "662", "512"),
        7,
        ("664", "676", "699"),
        7,
        ("Austria", "Österreich", "AT"),
        "Johann Maria Franz Elisabeth Josef Christine Herbert Ingrid Gerhard Renate",
        "Gruber Huber Bauer Wagner Pichler Steiner Moser Hofer Leitner Egger Haslinger Öllinger",
        ("GmbH", "Ges.m.b.H.", "KG"),
    ),
    "CH": Plan(
        "41",
        "0",
        ("44", "31", "22", "61"),
        7,
        ("76", "78", "79"),
        7,
        ("Switzerland", "Schweiz", "CH"),
        "Urs Beat Reto Regula Vreni Ueli Käthi Luca Noémie Aurélie",
        "Meier Müller Schmid Keller Weber Huber Brunner Baumann Zürcher Favre Rochat Bühlmann",
        ("AG", "GmbH", "SA"),
    ),
    "FR": Plan(
        "33",
        "0",
        ("1", "2", "3", "4", "5"),
        8,
        ("6", "7"),
        8,
        ("France", "Frankreich", "FR"),
        "Loïc Chloé Hélène François Zoé Jean-Pierre Benoît Amélie Gérard Océane",
        "Martin Bernard Lefèvre Dubois Durand Moreau Léger Fontaine Rousseau d'Aubigné Lemaître",
        ("SAS", "SARL", "S.A.", "SA"),
    ),
    "GB": Plan(
        "44",
        "0",
        ("20", "24", "29"),
        8,
        ("7911", "7400", "7523"),
        6,
        ("United Kingdom", "Vereinigtes Königreich", "GB"),
        "Oliver Amelia Harry Isla George Poppy Rupert Imogen Alistair Fiona",
        "Smith Jones Taylor Brown Williams Wilson Johnson Davies O'Neill Cartwright McAllister",
        ("Ltd", "Limited", "plc", "LLP"),
    ),
    "IT": Plan(
        "39",
        "",
        ("06", "02", "011"),
        8,
        ("347", "333", "320"),
        7,
        ("Italy", "Italien", "IT"),
        "Giulia Marco Nicolò Chiara Matteo Beatrice Davide Federica Luigi Paola",
        "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino D'Angelo Cantù",
        ("S.r.l.", "S.p.A.", "srl"),
    ),
    "US": Plan(
        "1",
        "",
        ("415", "212", "312", "206"),
        7,
        ("628", "917", "773"),
        7,
        ("United States", "USA", "US"),
        "Tyler Ashley Brandon Madison Kyle Brittany Logan Kayla Austin Morgan",
        "Anderson Thompson Garcia Martinez Robinson Clark Rodriguez Lewis Walker Hernandez",
        ("Inc.", "LLC", "Corp."),
    ),
    "NL": Plan(
        "31",
        "0",
        ("20", "10", "30"),
        7,
        ("6",),
        8,
        ("Netherlands", "Niederlande", "NL"),
        "Daan Sanne Bram Fleur Sjoerd Anouk Jeroen Maaike Wouter Lieke",
        "de_Vries van_Dijk Bakker Janssen Visser Smit van_den_Berg Mulder Dekker Hoekstra",
        ("B.V.", "BV", "N.V."),
    ),
    "PL": Plan(
        "48",
        "",
        ("22", "12", "71"),
        7,
        ("601", "505", "662"),
        6,
        ("Poland", "Polen", "PL"),
        "Łukasz Małgorzata Paweł Agnieszka Michał Żaneta Wojciech Grażyna Rafał Bożena",
        "Nowak Kowalski Wiśniewski Wójcik Kamiński Lewandowska Zieliński Szymański Dąbrowska",
        ("Sp. z o.o.", "sp. z o.o.", "S.A."),
    ),
    "GR": Plan(
        "30",
        "",
        ("21",),
        8,
        ("694", "697"),
        7,
        ("Greece", "Griechenland", "GR"),
        "Γιώργος Ελένη Δημήτρης Κατερίνα Νίκος",
        "Παπαδόπουλος Οικονόμου Γεωργίου Νικολάου Δημητρίου Αγγελόπουλος",
        ("AE",),
    ),
    "JP": Plan(
        "81",
        "0",
        ("3",),
        8,
        ("90", "80"),
        8,
        ("Japan", "Japan", "JP"),
        "太郎 花子 健一 美咲 翔太",
        "山田 佐藤 鈴木 高橋 田中 渡辺",
        ("KK",),
    ),
}
_SHARES = {"DE": 46, "AT": 9, "CH": 9, "FR": 6, "GB": 6, "IT": 6, "US": 6, "NL": 5, "PL": 5}
_RARE = {"GR": 1, "JP": 1}
_STEMS = (
    "Nordwind Albatros Rotbuche Kranich Sonnentau Quarzit Seestern Bernstein Zirbel Marmor Lupine"
    " Zeder Enzian Granit Kiefer Pollux Saturn Orion Vesta Ceres Boreas Zephyr Triton Nereus"
    " Proteus Castor Merkur Andromeda Cassiopeia Pegasus Hydra Lynx Lyra Corona Delphin Phoenix"
    " Aquila"
).split()
_TRADES = "Logistik Bau Technik Medien Handel Systeme Elektro Metall Holz Pharma".split()
_LONG = "Gesellschaft für angewandte Wasserwirtschaft und Umweltverfahrenstechnik Nordhessen"
_DEPARTMENTS = ("Einkauf", "Vertrieb", "IT", "Buchhaltung", "Produktion", "")
_ROLES = ("info", "office", "kontakt", "sales", "einkauf")


@dataclass(frozen=True, slots=True)
class Number:
    """One phone number: its country, its area, what comes behind, and the direct dial of that."""

    country: str
    area: str
    local: str
    dial: str = ""
    mobile: bool = False

    @property
    def national(self) -> str:
        """Digits without the trunk zero; Italy's zero is part of its areas."""
        return self.area + self.local + self.dial

    @property
    def e164(self) -> str:
        """As the world knows it."""
        return f"+{PLANS[self.country].code}{self.national}"


@dataclass(frozen=True, slots=True)
class Company:
    """An employer, with a block of numbers."""

    key: int
    name: str
    form: str
    country: str
    domain: str
    area: str
    stem: str
    role: str

    @property
    def shown(self) -> str:
        """With the legal form."""
        return f"{self.name} {self.form}".strip()

    @property
    def main(self) -> Number:
        """The switchboard."""
        return self.dial("0" if self.country in {"DE", "AT"} else "00")

    def dial(self, digits: str) -> Number:
        """A number of the company's block."""
        return Number(self.country, self.area, self.stem, digits)

    @property
    def role_address(self) -> str:
        """Everybody's and nobody's."""
        return f"{self.role}@{self.domain}"


NO_COMPANY = Company(-1, "", "", "DE", "", "", "", "")


@dataclass(frozen=True, slots=True)
class Person:
    """One human being, as true on some day."""

    key: int
    first: str
    last: str
    country: str
    title: str = ""
    company: Company = NO_COMPANY
    department: str = ""
    direct: Number | None = None
    mobile: Number | None = None
    home: Number | None = None
    email: str = ""
    private: str = ""
    """A second address."""
    family: int = -1
    record: int = 0
    """The number of the CRM record; a merge gives a new one."""
    twin: int = 0
    """The number of a second record of the same person; 0 without."""
    typing: int = 0
    """Raised when somebody types the record anew."""
    blank: bool = False
    """Numbers and addresses were taken out of the record."""

    @property
    def name(self) -> str:
        """First and last."""
        return f"{self.first} {self.last}"

    @property
    def numbers(self) -> tuple[Number, ...]:
        """Their own, and the family's."""
        return tuple(n for n in (self.direct, self.mobile, self.home) if n)


@dataclass
class Maker:
    """Makes people, and nothing twice."""

    rng: random.Random
    used: set[str] = field(default_factory=set)
    names: set[tuple[str, str]] = field(default_factory=set)
    made: list[Person] = field(default_factory=list)

    def digits(self, count: int) -> str:
        """The first one from 2 to 9."""
        return str(self.rng.randint(2, 9)) + "".join(self.rng.choices("0123456789", k=count - 1))

    def once(self, make) -> Number:
        """A number that nobody has yet."""
        while (number := make()).e164 in self.used:
            pass
        self.used.add(number.e164)
        return number

    def mobile(self, country: str) -> Number:
        """A new mobile number."""
        plan = PLANS[country]
        return self.once(
            lambda: Number(
                country, self.rng.choice(plan.mobiles), self.digits(plan.mobile), mobile=True
            )
        )

    def landline(self, country: str) -> Number:
        """A new number of somebody's home."""
        plan = PLANS[country]
        return self.once(
            lambda: Number(country, self.rng.choice(plan.areas), self.digits(plan.local))
        )

    def direct(self, company: Company) -> Number:
        """A new direct dial."""
        return self.once(lambda: company.dial(f"{self.rng.randint(11, 99)}"))

    def company(self, key: int) -> Company:
        """A new company; the first one has a name longer than 3CX keeps."""
        country = self.country()
        plan = PLANS[country]
        number = self.landline(country)
        name = f"{_STEMS[key % len(_STEMS)]} {self.rng.choice(_TRADES)}" if key else _LONG
        made = Company(
            key=key,
            name=name,
            form=self.rng.choice(plan.forms),
            country=country,
            domain=f"{_STEMS[key % len(_STEMS)].lower()}{key}.{country.lower()}.example",
            area=number.area,
            stem=number.local[:-2],
            role=self.rng.choice(_ROLES),
        )
        self.used.add(made.main.e164)
        return made

    def country(self) -> str:
        """Mostly Germany's neighbours."""
        return self.rng.choices(list(_SHARES), list(_SHARES.values()))[0]

    def name(self, country: str) -> tuple[str, str]:
        """A name that nobody has yet."""
        rare = list(_RARE) if self.rng.random() < 0.02 else []
        plan = PLANS[self.rng.choice(rare) if rare else country]
        while True:
            first = self.rng.choice(plan.firsts.split()).replace("_", " ")
            last = self.rng.choice(plan.lasts.split()).replace("_", " ")
            if self.rng.random() < 0.02:
                last += "-" + self.rng.choice(plan.lasts.split()).replace("_", " ")
            if (first, last) not in self.names:
                self.names.add((first, last))
                return first, last

    def person(self, country: str, **truth) -> Person:
        """A new person; what is not said is made up."""
        key = len(self.made) + 1
        first, last = truth.pop("name", None) or self.name(country)
        title = self.rng.choice(("Dr.", "Prof. Dr.", "Dipl.-Ing.", "Mag."))
        person = Person(
            key=key,
            first=first,
            last=last,
            country=country,
            title=title if self.rng.random() < 0.08 else "",
            record=1000 + 7 * key,
            twin=90000 + key if self.rng.random() < 0.04 else 0,
            **truth,
        )
        self.made.append(person)
        return person


def mailbox(first: str, last: str, domain: str) -> str:
    """first.last@domain, as far as the letters allow."""
    table = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", " ": "", "'": "", "ł": "l"})
    local = f"{first}.{last}".casefold().translate(table)
    plain = local.encode("ascii", "ignore").decode()
    return f"{plain if len(plain) > 4 else 'p' + str(sum(map(ord, first + last)))}@{domain}"


def employees(make: Maker, company: Company, count: int) -> None:
    """The people of one company: some without a direct dial, some without a mobile phone."""
    for _ in range(count):
        country = company.country
        first, last = make.name(country)
        own = make.rng.random()
        make.person(
            country,
            name=(first, last),
            company=company,
            department=make.rng.choice(_DEPARTMENTS),
            direct=make.direct(company) if own < 0.85 else None,
            mobile=make.mobile(country) if make.rng.random() < 0.75 or own >= 0.95 else None,
            email=mailbox(first, last, company.domain) if make.rng.random() < 0.9 else "",
            private=(f"p{len(make.made)}@mail.example" if make.rng.random() < 0.05 else ""),
        )


def freelancer(make: Maker) -> None:
    """Somebody without a company."""
    country = make.country()
    first, last = make.name(country)
    make.person(
        country,
        name=(first, last),
        mobile=make.mobile(country),
        home=make.landline(country) if make.rng.random() < 0.4 else None,
        email=mailbox(first, last, "mail.example") if make.rng.random() < 0.8 else "",
    )


def family(make: Maker, key: int) -> None:
    """Three people with one number and one surname; the child has nothing else."""
    country = make.country()
    home = make.landline(country)
    _, last = make.name(country)
    for at in range(3):
        first = make.name(country)[0]
        while any(p.first == first and p.last == last for p in make.made):
            first = make.name(country)[0]
        make.person(
            country,
            name=(first, last),
            home=home,
            mobile=make.mobile(country) if at < 2 else None,
            email=mailbox(first, last, "mail.example") if at == 0 else "",
            family=key,
        )


def namesakes(make: Maker, companies: list[Company], count: int) -> None:
    """People who are called as somebody of another company is."""
    for original in make.rng.sample([p for p in make.made if p.company.name], count):
        company = make.rng.choice([c for c in companies if c.key != original.company.key])
        make.person(
            company.country,
            name=(original.first, original.last),
            company=company,
            direct=make.direct(company),
            mobile=make.mobile(company.country),
            email=f"n{len(make.made)}@{company.domain}",
        )


def people(rng: random.Random) -> tuple[list[Person], Maker]:
    """The whole book."""
    make = Maker(rng)
    companies = [make.company(key) for key in range(30)]
    for company in companies:
        employees(make, company, rng.choice((3, 6, 10, 14, 18, 24)))
    for key in range(6):
        family(make, key)
    namesakes(make, companies, 3)
    make.person(
        "DE",
        name=(
            "Maria Theresia Wilhelmine Auguste Karoline",
            "von und zu Birkenfels-Tannenbruch-Oberquellenstein-Krähenau",
        ),
        mobile=make.mobile("DE"),
        email="maria@birkenfels.example",
    )
    while len(make.made) < PEOPLE:
        freelancer(make)
    return make.made, make
