"""The other kinds of export: workbooks, JSON, vCards, Parquet, archives, and split ones."""

from __future__ import annotations

import gzip
import io
import json
import quopri
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from book import headers
from book.layouts import DYNAMICS, LOADER, PLAIN, QUOTED, Layout, delimited, table
from book.sides import Form
from crm.workbooks import Sheet, archive, workbook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from book.headers import Columns
    from book.layouts import Files
    from book.sides import Row

_NUMBER = re.compile(r"[1-9]\d{6,14}")
_HIDDEN = '<cols><col min="1" max="3" width="9" hidden="1"/></cols>'
_FOLD = 75
"""Octets of a line of a vCard."""


# ---------------------------------------------------------------------------- workbooks


def _cells(lines: Sequence[Sequence[str]]) -> list[list[Any]]:
    """What looks like a number is one, as in Excel; what is empty isn't there."""
    header, *rows = lines
    return [
        list(header),
        *([float(c) if _NUMBER.fullmatch(c) else c or None for c in row] for row in rows),
    ]


def _workbook(rows: Sequence[Row], *, columns: Columns, file: str, before: str = "") -> Files:
    sheet = Sheet(rows=_cells(table(columns, rows)), name="Contacts - Active", before=before)
    return {file: workbook(sheet)}


# ---------------------------------------------------------------------------- JSON


def _json(document: Any, file: str) -> Files:
    return {file: json.dumps(document, ensure_ascii=False).encode()}


def _filled(**properties: str) -> dict[str, str | None]:
    """JSON has null where a record has nothing."""
    return {name: text or None for name, text in properties.items()}


def _hubspot_api(rows: Sequence[Row]) -> Files:
    results = [
        {
            "id": str(row.record),
            "properties": _filled(
                firstname=row.first,
                lastname=row.last,
                email="; ".join(filter(None, (row.email, row.email2))),
                phone="; ".join(filter(None, (row.work, row.home, row.other))),
                mobilephone=row.mobile,
                company=row.company,
                country=row.country[0],
            ),
            "archived": False,
        }
        for row in rows
    ]
    return _json({"results": results}, "contacts.json")


def _espo_api(rows: Sequence[Row]) -> Files:
    lines = (
        {
            "id": headers.espo(row.record),
            "firstName": row.first,
            "lastName": row.last,
            "emailAddressData": json.loads(headers.espo_addresses(row) or "[]"),
            "phoneNumberData": json.loads(headers.espo_phones(row) or "[]"),
            "addressCountry": row.country[0],
            "accountName": row.company,
        }
        for row in rows
    )
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return {"contacts.ndjson": text.encode()}


# ---------------------------------------------------------------------------- vCards


def _escaped(text: str) -> str:
    return re.sub(r"([\\,;])", r"\\\1", text).replace("\n", "\\n")


def _folded(line: str) -> str:
    """No line longer than 75 octets, and no character cut in two."""
    parts, held = [], ""
    for character in line:
        if len((held + character).encode()) > _FOLD - bool(parts):
            parts.append(held)
            held = ""
        held += character
    return "\r\n ".join([*parts, held]) + "\r\n"


def _vcard_3(row: Row) -> Iterator[str]:
    yield f"N:{_escaped(row.last)};{_escaped(row.first)};;;"
    yield f"FN:{_escaped(row.full)}"
    yield f"ORG:{_escaped(row.company)};{_escaped(row.department)}"
    kinds = {"Office": "WORK,VOICE", "Mobile": "CELL", "Home": "HOME", "Other": "VOICE"}
    for kind, number in headers.phones_of(row):
        yield f"TEL;TYPE={kinds.get(kind, 'WORK,FAX')}:{_escaped(number)}"
    for address in filter(None, (row.email, row.email2)):
        yield f"EMAIL;TYPE=INTERNET:{_escaped(address)}"
    yield f"ADR;TYPE=WORK:;;;;;;{_escaped(row.country[0])}"


def _vcard_4(row: Row) -> Iterator[str]:
    yield f"UID:urn:uuid:{headers.guid(row.record)}"
    yield f"N:{_escaped(row.last)};{_escaped(row.first)};;;"
    yield f"FN:{_escaped(row.full)}"
    yield f"ORG:{_escaped(row.company)}"
    kinds = {"Office": "work,voice", "Mobile": "cell", "Home": "home", "Other": "voice"}
    for kind, number in headers.phones_of(row):
        types = f'TYPE="{kinds.get(kind, "work,fax")}"'
        if re.fullmatch(r"\+[\d-]+", number):
            yield f"TEL;VALUE=uri;{types}:tel:{number}"
        else:
            yield f"TEL;{types}:{_escaped(number)}"
    for address in filter(None, (row.email, row.email2)):
        yield f"EMAIL:{_escaped(address)}"
    yield f"ADR:;;;;;;{_escaped(row.country[0])}"


def _quoted(text: str) -> str:
    """Quoted-printable on one line."""
    return quopri.encodestring(text.encode(), quotetabs=True).decode().replace("=\n", "")


def _vcard_2(row: Row) -> Iterator[str]:
    encoded = "CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE"
    yield f"N;{encoded}:{_quoted(row.last)};{_quoted(row.first)};;;"
    yield f"FN;{encoded}:{_quoted(row.full)}"
    yield f"ORG;{encoded}:{_quoted(row.company)}"
    kinds = {"Office": "WORK;VOICE", "Mobile": "CELL", "Home": "HOME", "Other": "VOICE"}
    for kind, number in headers.phones_of(row):
        yield f"TEL;{kinds.get(kind, 'WORK;FAX')};{encoded}:{_quoted(number)}"
    for address in filter(None, (row.email, row.email2)):
        yield f"EMAIL;INTERNET;{encoded}:{_quoted(address)}"
    yield f"ADR;WORK;{encoded}:;;;;;;{_quoted(row.country[0])}"


_CARDS = {"2.1": _vcard_2, "3.0": _vcard_3, "4.0": _vcard_4}


def _vcards(rows: Sequence[Row], *, version: str) -> Files:
    fold = (lambda line: f"{line}\r\n") if version == "2.1" else _folded
    cards = (
        f"BEGIN:VCARD\r\nVERSION:{version}\r\n"
        f"{''.join(map(fold, _CARDS[version](row)))}END:VCARD\r\n"
        for row in rows
    )
    return {"contacts.vcf": "".join(cards).encode()}


def _card_id(number: int) -> str:
    return f"urn:uuid:{headers.guid(number)}"


# ---------------------------------------------------------------------------- the rest


def _parquet(rows: Sequence[Row]) -> Files:
    header, *lines = table(headers.HUBSPOT, rows)
    columns = zip(*lines, strict=True)
    named = {name: pa.array(cells) for name, cells in zip(header, columns, strict=True)}
    buffer = io.BytesIO()
    pq.write_table(pa.table(named), buffer)
    return {"contacts.parquet": buffer.getvalue()}


def _gzip(rows: Sequence[Row]) -> Files:
    return {"contacts.csv.gz": gzip.compress(delimited(table(headers.HUBSPOT, rows)), mtime=0)}


def _in_parts(rows: Sequence[Row]) -> Files:
    """Two files of one night, each with its header."""
    half = len(rows) // 2
    return {
        f"contacts-{at}.csv": delimited(table(headers.HUBSPOT, part))
        for at, part in enumerate((rows[:half], rows[half:]), start=1)
    }


def _zoho_zip(rows: Sequence[Row]) -> Files:
    half = len(rows) // 2
    parts = {
        f"Contacts_{at:03}.csv": delimited(table(headers.ZOHO, part))
        for at, part in enumerate((rows[:half], rows[half:]), start=1)
    }
    return {"Data_001.zip": archive(parts)}


def _weekly(rows: Sequence[Row]) -> Files:
    """Salesforce's weekly archive: the companies stand in a file of their own."""
    companies = {row.company_id: row for row in rows if row.company_id}
    accounts = [
        ["Id", "IsDeleted", "MasterRecordId", "Name", "Phone"],
        *([headers.salesforce_18(k), "0", "", r.company, r.main] for k, r in companies.items()),
    ]
    parts = {
        "Account.csv": delimited(accounts, **QUOTED),
        "Contact.csv": delimited(table(headers.WEEKLY, rows), **QUOTED),
    }
    return {"WE_00D5g00000AbCd1_1.ZIP": archive(parts)}


def _book(name: str, form: Form, columns: Columns, **how: Any) -> Layout:
    ids = how.pop("ids", str)
    write = partial(_workbook, columns=columns, file="contacts.xlsx", **how)
    return Layout(name=name, form=form, id=ids, write=write, source="contacts.xlsx")


def _card(version: str, form: Form) -> Layout:
    return Layout(
        name=f"vCard {version}",
        form=form,
        id=_card_id,
        write=partial(_vcards, version=version),
        source="contacts.vcf",
    )


OTHER_LAYOUTS = (
    _book("HubSpot, XLSX", PLAIN, headers.HUBSPOT),
    _book("Dynamics 365, XLSX", DYNAMICS, headers.DYNAMICS, ids=headers.guid, before=_HIDDEN),
    Layout(name="HubSpot, JSON", form=PLAIN, write=_hubspot_api, source="contacts.json"),
    Layout(
        name="EspoCRM, NDJSON",
        form=PLAIN,
        id=headers.espo,
        write=_espo_api,
        source="contacts.ndjson",
    ),
    _card("2.1", Form(ids=False)),
    _card("3.0", Form(ids=False)),
    _card("4.0", PLAIN),
    Layout(name="HubSpot, Parquet", form=PLAIN, write=_parquet, source="contacts.parquet"),
    Layout(name="HubSpot, gzip", form=PLAIN, write=_gzip, source="contacts.csv.gz"),
    Layout(name="HubSpot, two parts", form=PLAIN, write=_in_parts, source="contacts-*.csv"),
    Layout(name="Zoho, ZIP", form=PLAIN, id=headers.zoho, write=_zoho_zip, source="Data_*.zip"),
    Layout(
        name="Salesforce weekly, ZIP",
        form=LOADER,
        id=headers.salesforce_18,
        write=_weekly,
        source="WE_*.ZIP",
    ),
)
