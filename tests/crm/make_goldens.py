"""Write the goldens that are no text: `PYTHONPATH=tests python -m crm.make_goldens`.

What they hold is written here as a person reads it. The packing may differ between versions of zlib
and Arrow, so a test compares what is packed, and not the bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq
from crm.workbooks import Cell, Sheet, archive, dated, workbook

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER: Final = Path(__file__).parent / "goldens"
_OCTOBER: Final = 46296 + 10 / 24
"""1 October 2026, 10:00, as spreadsheets count the days."""


def delimited(*rows: Sequence[str], delimiter: str = ",") -> bytes:
    """Rows as most CRMs write them: UTF-8, quotes where needed, CR LF."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return file.getvalue().encode()


# ---------------------------------------------------------------------------- XLSX


def dynamics_365() -> bytes:
    """A view: its first three columns hidden, a sheet of notes of its own, dates as dates."""
    header = (
        *("(Do Not Modify) Contact", "(Do Not Modify) Row Checksum"),
        *("(Do Not Modify) Modified On", " Full Name", "First Name", "Last Name", "Job Title"),
        *("Company Name", "Email", "Email Address 2", "Business Phone", "Mobile Phone", "Fax"),
        *("Owner", "Status", "Birthday"),
    )
    guid = "7c0f4a52-91d3-4e11-8a40-0022489b1c0"
    modified, born = dated(_OCTOBER, "time"), dated(29221, "date")
    work, fax = "+49 30 23125 101", "+49 30 23125 109"
    rows: list[Sequence[Cell]] = [
        header,
        (
            *(f"{guid}1", "aGVsbG8x", modified, "Jürgen Doe", "Jürgen", "Doe", "CEO"),
            *("Example GmbH", "juergen.doe@example.com", "jd@example.org", work, None, fax),
            *("Ann Admin", "Active", born),
        ),
        (
            *(f"{guid}2", "aGVsbG8y", modified, "Mo Roe", "Mo", "Roe", None),
            *(None, None, None, None, 491713920002.0, None, "Ann Admin", "Inactive", None),
        ),
        (
            *(f"{guid}3", "aGVsbG8z", modified, "Zoë Poe", "Zoë", "Poe", None, "Example AG"),
            *("zoe@example.com", None, 3023125103.0, None, None, "Ann Admin", "Active", None),
        ),
        (
            *(f"{guid}4", "aGVsbG80", modified, "Al Moe", "Al", "Moe", "Buyer &\nseller"),
            *("R&D <Labs>", None, None, "0049 (0)30 23125-104", "n/a", None, None, "Active", None),
        ),
    ]
    hidden = '<cols><col min="1" max="3" width="0" hidden="1" customWidth="1"/></cols>'
    notes = Sheet(
        rows=[["contact:aBcD/eF==:7c0f4a52"], ["contactid", "checksumLogicalName", "modifiedon"]],
        name="hiddenSheet",
        state="veryHidden",
    )
    view = Sheet(rows=rows, name="My Active Contacts - Active", before=hidden)
    return workbook(view, notes, shared=[*header, "Ann Admin", "Active", "Inactive"])


def monday() -> bytes:
    """A board: its name, a table for each group with its own header, subitems in between."""
    header = (
        *("Name", "Subitems", "Person", "Status", "Phone", "Email", "Company", "Status"),
        *("Last Updated", "Item ID (auto generated)"),
    )
    subitems = ("Subitems", "Name", "Owner", "Status", "Date", "Item ID (auto generated)")
    updated = "May 2, 2026 3:04 PM"
    rows: list[Sequence[Cell]] = [
        ["Contacts"],
        ["Customers"],
        header,
        (
            *("Jürgen Doe", "Call back, Send offer", "Ann", "Done", 493023125101.0),
            *("juergen.doe@example.com", "Example GmbH", None, updated, 1234567801.0),
        ),
        subitems,
        [None, "Call back", "Ann", "Done", "May 2, 2026", 1234567891.0],
        [None, "Send offer", "Ann", None, None, 1234567892.0],
        (
            *("Mo Roe", None, "Ann", "Archived", None, "mo.roe@example.com", None, None),
            *(updated, 1234567802.0),
        ),
        [],
        ["Former customers"],
        header,
        (
            *("Zoë Poe", None, None, "Working on it", "+49 30 23125103", None, None, None),
            *(updated, 1234567803.0),
        ),
    ]
    return workbook(Sheet(rows=rows, name="Contacts"))


def odoo_grouped() -> bytes:
    """A list grouped by company and country: each group with its number of records."""
    rows: list[Sequence[Cell]] = [
        ["Name", "External ID", "Related Company", "Phone", "Email", "Country", "Active"],
        ["Example GmbH (3)"],
        ["    Germany (2)"],
        (
            *("Jürgen Doe", "__export__.res_partner_4712_ab12cd35", "Example GmbH"),
            *("'+49 30 23125 101", "juergen.doe@example.com", "Germany", True),
        ),
        (
            *("Mo Roe", "__export__.res_partner_4713_ab12cd36", "Example GmbH"),
            *("030 23125102", None, "Germany", True),
        ),
        ["    Austria (1)"],
        (
            *("Al Moe", "__export__.res_partner_4715_ab12cd38", "Example GmbH"),
            *("+43 1 23125104", None, "Austria", False),
        ),
        ["Undefined (2)"],
        ["    Undefined (2)"],
        (
            *("Zoë Poe", "__export__.res_partner_4714_ab12cd37", None),
            *(None, "zoe@example.com", None, True),
        ),
        ["Example AG", "__export__.res_partner_4716_ab12cd39", None, "+1 202 555 0105"],
    ]
    return workbook(Sheet(rows=rows, name="Sheet1"))


def espocrm_german() -> bytes:
    """With the option Title: its name and the time above the header, labels in German."""
    header = ["ID", "Vorname", "Nachname", "E-Mail", "Telefon", "Firma"]
    header += ["Zugewiesener Benutzer", "Geändert am"]
    changed = dated(_OCTOBER, "time")
    rows: list[Sequence[Cell]] = [
        ["Kontakte", None, None, dated(_OCTOBER, "time")],
        [],
        header,
        (
            *("64f0c1d2e3a4b5c61", "Jürgen", "Doe", "juergen.doe@example.com"),
            *("+49 30 23125 101", "Example GmbH", "Ann Admin", changed),
        ),
        ("64f0c1d2e3a4b5c62", "Mo", "Roß", None, 493023125102.0, None, None, changed),
        ("64f0c1d2e3a4b5c63", None, "Poe", "zoe@example.com", None, None, "Ann Admin", changed),
        ("64f0c1d2e3a4b5c64", "Al", "Moe", None, "030/23125-104", "=SUM GmbH", None, changed),
    ]
    return workbook(Sheet(rows=rows, name="Kontakte"))


def salesforce_report() -> bytes:
    """A formatted report from column B on: what was asked for above it, totals and terms below."""
    header = ["First Name", "Last Name", "Account Name", "Mailing Country", "Phone", "Mobile"]
    header += ["Email", "Contact Owner", "Contact ID"]
    owner, number = "Ann Admin", "0035g00000AbCd"
    rows: list[Sequence[Cell]] = [
        [],
        [None, "Contacts, nightly"],
        [None, "As of 2026-11-03 01:00:00 Central European Standard Time/CET"],
        [None, "Generated by Ann Admin"],
        [],
        [None, "Filtered By"],
        [None, "Show: All contacts"],
        [],
        [None, *header],
        (
            *(None, "Jürgen", "Doe", "Example GmbH", "Germany", "030 23125101", None),
            *("juergen.doe@example.com", owner, f"{number}1"),
        ),
        (None, "Mo", "Roe", None, None, None, "0171 3920002", None, owner, f"{number}2"),
        (
            None,
            "Mo",
            "Roe",
            None,
            None,
            None,
            None,
            "mo.roe@example.com",
            owner,
            f"{number[:-1]}D2",
        ),
        (None, None, "Poe", "Total Energy", None, 4930.0, None, None, owner, f"{number}4"),
        [None, "Grand Totals (4 records)"],
        [],
        [None, "Copyright © 2000-2026 salesforce.com, inc. All rights reserved."],
        [None, "Confidential Information - Do Not Distribute"],
    ]
    return workbook(Sheet(rows=rows, name="Contacts, nightly"))


def hubspot() -> bytes:
    """A view: ids as numbers, dates as dates, numbers that Excel has taken for numbers."""
    header = ["Record ID", "First Name", "Last Name", "Email", "Phone Number", "Fax Number"]
    header += ["Company Name", "Contact owner", "Country/Region", "Create Date", "Unsubscribed"]
    rows: list[Sequence[Cell]] = [
        header,
        (
            *(25130451.0, "Jürgen", "Doe", "juergen.doe@example.com", "+49 30 23125 101"),
            *(
                493023125109.0,
                "Example GmbH",
                "Ann Admin",
                "Germany",
                dated(46093.38472222222, "time"),
            ),
        ),
        (25130452.0, "Mo", "Roe", None, 493023125102.0, None, None, None, None, None),
        (25130453.0, None, None, "info@example.org", None, None, 'Example "North" AG'),
        (25130454.0, "NA", "TRUE", None, 7.0),
        (25130455.0, "Zoë", "Poe", None, "030 23125 105\n0171 3920005", *[None] * 5, True),
    ]
    return workbook(Sheet(rows=rows, name="hubspot-crm-exports-all-contact"), shared=header)


# ---------------------------------------------------------------------------- ZIP


def zoho_backup() -> bytes:
    """A backup: a table of each module, the contacts in two files."""
    header = ["Record Id", "Contact Owner.id", "Contact Owner", "First Name", "Last Name"]
    header += ["Account Name.id", "Account Name", "Email", "Phone", "Mobile", "Fax"]
    header += ["Modified Time", "Mailing Country", "Tag"]
    number, account = "zcrm_36523970000012345", "zcrm_365239700000200001"
    owner = ("zcrm_365239700000100001", "Ann Admin")
    first = delimited(
        header,
        (
            *(f"{number}1", *owner, "Jürgen", "Doe", account, "Example GmbH"),
            *("juergen.doe@example.com", "+49 30 23125101", "4917139200001", "+49 30 23125109"),
            *("2026-10-01 10:00:00", "Germany", ""),
        ),
        (f"{number}2", *owner, "", "Roe", "", "", "", "030 23125102", *[""] * 5),
    )
    second = delimited(
        header,
        (f"{number}3", *owner, "小林", "Poe", "", "", "", "", "030 23125103", *[""] * 4),
        (f"{number}4", *owner, "Al", "Moe", "", "", "al.moe@example.com", *[""] * 6),
    )
    accounts = delimited(
        ["Record Id", "Account Name", "Phone", "Website"],
        [account, "Example GmbH", "+49 30 231250", "https://example.com"],
    )
    leads = delimited(
        ["Record Id", "First Name", "Last Name", "Email", "Phone"],
        ["zcrm_365239700000300001", "Lea", "Low", "lea@example.net", "030 23125177"],
    )
    return archive(
        {
            "Data/Accounts_001.csv": accounts,
            "Data/Contacts_001.csv": first,
            "Data/Contacts_002.csv": second,
            "Data/Leads_001.csv": leads,
        }
    )


def salesforce_weekly() -> bytes:
    """The weekly export: contacts and their accounts in tables of their own, deleted ones too."""
    header = ["Id", "IsDeleted", "MasterRecordId", "AccountId", "LastName", "FirstName"]
    header += ["MailingCountry", "Phone", "Fax", "MobilePhone", "Email", "LastModifiedDate"]
    number, account, nobody = "0035g00000AbCd", "0015g00000XyZz", "000000000000000AAA"
    contacts = _all_quoted(
        header,
        (
            *(f"{number}1AAB", "0", nobody, f"{account}1AAB", "Doe", "Jürgen", "Germany"),
            *("030 23125101", "030 23125109", "", "juergen.doe@example.com", ""),
        ),
        (
            f"{number}2AAB",
            "1",
            nobody,
            f"{account}1AAB",
            "Roe",
            "Mo",
            "",
            "030 23125102",
            *[""] * 4,
        ),
        (f"{number}3AAB", "1", f"{number}1AAB", "", "Doe", "J.", "", "030 23125103", *[""] * 4),
        (f"{number}4AAB", "0", nobody, f"{account}2AAB", "Poe", "Zoë", *[""] * 6),
        (
            f"{number}5AAB",
            "0",
            nobody,
            f"{account}9AAB",
            "Moe",
            "Al",
            "",
            "030 23125105",
            *[""] * 4,
        ),
    )
    accounts = _all_quoted(
        ["Id", "IsDeleted", "Name", "Phone", "Fax", "BillingCountry", "Description"],
        [f"{account}1AAB", "0", "Example GmbH", "030 231250", "030 231259", "Germany", ""],
        [f"{account}2AAB", "1", 'Example "North" AG', "+43 1 231250", "", "Austria", "a\r\nb"],
    )
    return archive({"Account.csv": accounts, "Contact.csv": contacts})


def _all_quoted(*rows: Sequence[str]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return file.getvalue().encode()


def hubspot_parts() -> bytes:
    """A big export: several files of one name, columns in the same order."""
    header = ["Record ID", "First Name", "Last Name", "Email", "Phone Number", "Company Name"]
    name = "hubspot-crm-exports-all-contacts-2026-11-02-{}.csv"
    first = delimited(
        header,
        ("25130451", "Jürgen", "Doe", "juergen.doe@example.com", "+493023125101", "Example GmbH"),
        ("25130452", "Mo", "Roe", "", "030 23125102", ""),
    )
    second = delimited(
        header,
        ("25130453", "Zoë", "Poe", "zoe@example.com", "", ""),
        ("25130454", "Al", "Moe", "al.moe@example.com; moe@example.org", "01713920004", ""),
    )
    third = delimited(header, ("25130455", "", "", "info@example.org", "", "Example AG"))
    listed = {name.format(at): part for at, part in enumerate((first, second, third), 1)}
    return archive({"__MACOSX/._contacts": b"\0\5\x16\7", "readme.txt": b"HubSpot\n", **listed})


# ---------------------------------------------------------------------------- others


def warehouse() -> bytes:
    """A table of a data warehouse: numbers, times and flags with types, in two groups of rows."""
    at = datetime(2026, 10, 1, 10, tzinfo=UTC)
    table = pa.table(
        {
            "id": pa.array([51, 52, 53, 54], pa.int64()),
            "first_name": ["Jürgen", "Mo", None, "Al"],
            "last_name": ["Doe", "Roe", "Poe", "Moe"],
            "company": pa.array(["Example GmbH", None, "Example GmbH", None]).dictionary_encode(),
            "phone": pa.array([493023125101, None, 3023125103, None], pa.int64()),
            "mobile": pa.array([None, 491713920002.0, None, None], pa.float64()),
            "email": ["juergen.doe@example.com", None, None, "al.moe@example.com"],
            "country": ["DE", None, "AT", ""],
            "is_deleted": [False, False, None, True],
            "updated_at": pa.array([at, at, None, at], pa.timestamp("us", tz="UTC")),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=2, compression="zstd", store_schema=True)
    return file.getvalue()


def zipped_pipedrive() -> bytes:
    """A CSV file that the job which fetches it has packed."""
    rows = delimited(
        ["Person - ID", "Person - Name", "Person - Organization", "Person - Phone - Work"],
        ["1201", "Jürgen Doe", "Example GmbH", "+493023125101,+493023125111"],
        ["1202", "Mo Roe", "", "493023125102.0"],
        ["1203", "Zoë Poe", "Example AG", ""],
    )
    return gzip.compress(rows, mtime=0)


GOLDENS: Final = {
    "dynamics-365.xlsx": dynamics_365,
    "monday.xlsx": monday,
    "odoo-grouped.xlsx": odoo_grouped,
    "espocrm-de.xlsx": espocrm_german,
    "salesforce-report.xlsx": salesforce_report,
    "hubspot.xlsx": hubspot,
    "zoho-Data_001.zip": zoho_backup,
    "WE_00D5g00000AbCdEEAV_1.ZIP": salesforce_weekly,
    "hubspot-all-contacts.zip": hubspot_parts,
    "warehouse.parquet": warehouse,
    "pipedrive.csv.gz": zipped_pipedrive,
}
"""Name of the file → what makes it."""

if __name__ == "__main__":
    for name, make in GOLDENS.items():
        (FOLDER / name).write_bytes(make())
