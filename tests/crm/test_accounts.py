"""Salesforce keeps the company in another file; so may others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from crm.test_packed import zipped

from reconcile import crm
from reconcile.crm.formats import Table, read, read_files

if TYPE_CHECKING:
    from pathlib import Path

CONTACTS = (
    "Id,IsDeleted,MasterRecordId,AccountId,LastName,FirstName,MailingCountry,Phone,Email\n"
    "003A,false,000000000000000AAA,001A,Doe,Jo,Germany,+49301,jo@example.com\n"
    "003B,false,000000000000000AAA,001B,Roe,Mo,,+49302,\n"
    "003C,false,000000000000000AAA,001X,Poe,Al,,+49303,\n"
    "003D,false,000000000000000AAA,000000000000000AAA,Loe,Ed,,+49304,\n"
    "003E,false,000000000000000AAA,,Moe,Su,,+49305,\n"
)
ACCOUNTS = (
    "Id,IsDeleted,MasterRecordId,Name,BillingCountry,Phone\n"
    '001A,false,,"Acme, Inc.",USA,+1 201 555 0100\n'
    "001B,true,,Gone GmbH,Austria,\n"
)


def joined(contacts: str = CONTACTS, accounts: str = ACCOUNTS, name: str = "Account.csv") -> Table:
    members = {name: accounts.encode(), "Contact.csv": contacts.encode(), "Lead.csv": b"x"}
    return read(zipped(members))


def wrong(table: Table) -> list[tuple[str, str]]:
    assert table.cells == ()
    return [(p.code, p.file) for p in table.problems]


@pytest.fixture
def archive(export: Any) -> Path:
    members = {"Account.csv": ACCOUNTS, "Contact.csv": CONTACTS, "Lead.csv": "x"}
    content = zipped({name: text.encode() for name, text in members.items()})
    path: Path = export(content, name="WE_00D000000000001_1.ZIP")
    return path


def test_the_account_gives_company_main_number_and_country(archive: Path, now: Any) -> None:
    snapshot = crm.read(str(archive), mapping={}, now=now, max_age_hours=None)
    records = snapshot.records
    assert records["company"].tolist() == ["Acme, Inc.", "Gone GmbH", "", "", ""]
    assert records["country"].tolist() == ["Germany", "", "", "", ""]
    assert records["company_country"].tolist() == ["USA", "Austria", "", "", ""]
    assert records["shared_phone:Account.Phone"].tolist() == ["+1 201 555 0100", "", "", "", ""]
    assert snapshot.source.format == 'csv; delimiter ","; with accounts; zip; 1 files left out'
    assert not records["gone"].any()


def test_an_account_that_is_not_there_is_noted_and_none_is_not(archive: Path) -> None:
    notes = crm.describe(archive, mapping={}).notes
    assert "1 contacts name an account that is not in the export" in notes
    assert "files that are left out: 'Lead.csv'" in notes


def test_contacts_and_accounts_may_be_two_files() -> None:
    files = [("Contact.csv", CONTACTS.encode()), ("Account.csv", ACCOUNTS.encode())]
    assert read_files(files).header[-3:] == (
        "Account.Name",
        "Account.Phone",
        "Account.BillingCountry",
    )


def test_accounts_are_not_even_opened_if_the_contacts_name_the_company() -> None:
    contacts = "Record Id,Account Name.id,Account Name,Last Name,Phone\n1,9,Acme,Doe,1\n"
    table = joined(contacts, "damaged", "Accounts_001.csv")
    assert table.problems == ()
    assert table.notes == ("files that are left out: 'Lead.csv', 'Accounts_001.csv'",)


def test_what_the_contacts_have_already_is_not_joined_again() -> None:
    contacts = "Id,AccountId,Name,Phone,Account.Name\n1,001A,Jo,1,Other\n"
    assert joined(contacts).header[4:] == (
        "Account.Name",
        "Account.Phone",
        "Account.BillingCountry",
    )


@pytest.mark.parametrize(
    ("accounts", "code"),
    [
        (ACCOUNTS[:-1], "export_truncated"),
        (ACCOUNTS + "001A,false,,Twin,,\n", "id_not_unique"),
        ("Number,Name\n1,Acme\n", "header_unknown"),
    ],
)
def test_accounts_that_cant_be_joined_refuse_the_export(accounts: str, code: str) -> None:
    assert wrong(joined(accounts=accounts)) == [(code, "Account.csv")]


def test_accounts_in_parts_are_joined_as_one() -> None:
    one, two = ACCOUNTS.splitlines(keepends=True)[:2], ACCOUNTS.splitlines(keepends=True)[::2]
    members = {
        "Contact.csv": CONTACTS.encode(),
        "Account_1.csv": "".join(one).encode(),
        "Account_2.csv": "".join(two).encode(),
    }
    table = read(zipped(members))
    at = table.header.index("Account.Name")
    assert table.cells[at].to_pylist() == ["Acme, Inc.", "Gone GmbH", "", "", ""]
