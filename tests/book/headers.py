"""How each CRM calls its ids and columns, and what it puts into them."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from book.sides import Row

    Columns = dict[str, Callable[[Row], str]]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


# ---------------------------------------------------------------------------- ids


def salesforce(number: int) -> str:
    """Fifteen characters in which case counts: the next number may be the same letter, large."""
    digits, rest = "", number
    while rest:
        rest, at = divmod(rest, len(_LETTERS))
        digits = _LETTERS[at] + digits
    return f"0035g00000{digits:A>5}"


def salesforce_18(number: int) -> str:
    """With the suffix that says which letters are large."""
    short = salesforce(number)
    parts = (short[:5], short[5:10], short[10:])
    bits = (sum(c.isupper() << at for at, c in enumerate(part)) for part in parts)
    return short + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[b] for b in bits)


def zoho(number: int) -> str:
    """Eighteen digits behind a word."""
    return f"zcrm_{365239700000000000 + number}"


def guid(number: int) -> str:
    """As Dynamics and SuiteCRM have them."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def odoo(number: int) -> str:
    """An external id."""
    return f"__export__.res_partner_{number}_{guid(number)[:8]}"


def espo(number: int) -> str:
    """Seventeen hexadecimal digits."""
    return guid(number).replace("-", "")[:17]


def contact_number(number: int) -> str:
    """What vtiger exports instead of an id."""
    return f"CON{number}"


def freshsales(number: int) -> str:
    """Eleven digits."""
    return str(70001200000 + number)


# ---------------------------------------------------------------------------- tables


def _const(text: str) -> Callable[[Row], str]:
    return lambda row: text  # noqa: ARG005


def _id(make: Callable[[int], str]) -> Callable[[Row], str]:
    return lambda row: make(row.record)


def _field(name: str) -> Callable[[Row], str]:
    return lambda row: getattr(row, name)


def _country(at: int) -> Callable[[Row], str]:
    return lambda row: row.country[at]


def _is(state: str, yes: str, no: str) -> Callable[[Row], str]:
    return lambda row: yes if row.state == state else no


def _several(*names: str) -> Callable[[Row], str]:
    """What has no column of its own stands in another one's."""
    return lambda row: "; ".join(filter(None, (getattr(row, name) for name in names)))


def _company_id(make: Callable[[int], str]) -> Callable[[Row], str]:
    return lambda row: make(row.company_id) if row.company_id else ""


def phones_of(row: Row) -> list[tuple[str, str]]:
    """(kind, number) of those that the record has, with the fax."""
    pairs = (("Office", row.work), ("Mobile", row.mobile), ("Home", row.home), ("Other", row.other))
    return [(kind, number) for kind, number in (*pairs, ("Fax", row.fax)) if number]


def espo_phones(row: Row) -> str:
    """`phoneNumberData`."""
    entries = [
        {"phoneNumber": number, "primary": not at, "type": kind}
        for at, (kind, number) in enumerate(phones_of(row))
    ]
    return json.dumps(entries, ensure_ascii=False) if entries else ""


def espo_addresses(row: Row) -> str:
    """`emailAddressData`."""
    entries = [
        {"emailAddress": address, "primary": not at}
        for at, address in enumerate(filter(None, (row.email, row.email2)))
    ]
    return json.dumps(entries, ensure_ascii=False) if entries else ""


# ---------------------------------------------------------------------------- the CRMs

HUBSPOT: Columns = {
    "Record ID": _id(str),
    "First Name": _field("first"),
    "Last Name": _field("last"),
    "Email": _several("email", "email2"),
    "Phone Number": _several("work", "home", "other"),
    "Mobile Phone Number": _field("mobile"),
    "Fax Number": _field("fax"),
    "Job Title": _field("department"),
    "Company Name": _field("company"),
    "Associated Company IDs (Primary)": _company_id(str),
    "Contact owner": _const("Ann Admin"),
    "Lifecycle Stage": _const("customer"),
    "Country/Region": _country(0),
}
HUBSPOT_DE: Columns = {
    "Datensatz-ID": _id(str),
    "Vorname": _field("first"),
    "Nachname": _field("last"),
    "E-Mail": _several("email", "email2"),
    "Telefonnummer": _several("work", "home", "other"),
    "Mobiltelefonnummer": _field("mobile"),
    "Jobbezeichnung": _field("department"),
    "Unternehmensname": _field("company"),
    "Lifecycle-Phase": _const("Kunde"),
    "Für Kontakt zuständiger Mitarbeiter": _const("Ann Admin"),
    "Land/Region": _country(0),
}
SALESFORCE_REPORT: Columns = {
    "Salutation": _field("salutation"),
    "First Name": _field("first"),
    "Last Name": _field("last"),
    "Title": _field("department"),
    "Account Name": _field("company"),
    "Mailing Country": _country(0),
    "Phone": _field("work"),
    "Mobile": _field("mobile"),
    "Home Phone": _several("home", "other"),
    "Email": _several("email", "email2"),
    "Contact Owner": _const("Ann Admin"),
    "Contact ID": _id(salesforce),
}
DATA_LOADER: Columns = {
    "ID": _id(salesforce_18),
    "ISDELETED": lambda row: "true" if row.state in {"deleted", "merged"} else "false",
    "MASTERRECORDID": lambda row: salesforce_18(row.master) if row.master else "",
    "ACCOUNTID": _company_id(salesforce_18),
    "ACCOUNT.NAME": _field("company"),
    "ACCOUNT.PHONE": _field("main"),
    "LASTNAME": _field("last"),
    "FIRSTNAME": _field("first"),
    "PHONE": _field("work"),
    "FAX": _field("fax"),
    "MOBILEPHONE": _field("mobile"),
    "HOMEPHONE": _field("home"),
    "OTHERPHONE": _field("other"),
    "EMAIL": _several("email", "email2"),
    "MAILINGCOUNTRY": _country(0),
    "LASTMODIFIEDDATE": _const("2026-10-01T10:00:00.000Z"),
}
WEEKLY: Columns = {
    "Id": _id(salesforce_18),
    "IsDeleted": lambda row: "1" if row.state in {"deleted", "merged"} else "0",
    "MasterRecordId": lambda row: salesforce_18(row.master) if row.master else "000000000000000AAA",
    "AccountId": _company_id(salesforce_18),
    "LastName": _field("last"),
    "FirstName": _field("first"),
    "Salutation": _field("salutation"),
    "MailingCountry": _country(0),
    "Phone": _field("work"),
    "Fax": _field("fax"),
    "MobilePhone": _field("mobile"),
    "HomePhone": _field("home"),
    "OtherPhone": _field("other"),
    "AssistantPhone": _const(""),
    "Email": _several("email", "email2"),
    "Description": _const('Likes "CSV",\nand more'),
    "SystemModstamp": _const("2026-10-01 10:00:00"),
}
ZOHO: Columns = {
    "Record Id": _id(zoho),
    "Contact Owner.id": _const("zcrm_365239700000100001"),
    "Contact Owner": _const("Ann Admin"),
    "First Name": _field("first"),
    "Last Name": _field("last"),
    "Account Name.id": _company_id(zoho),
    "Account Name": _field("company"),
    "Email": _field("email"),
    "Title": _field("department"),
    "Phone": _field("work"),
    "Home Phone": _field("home"),
    "Other Phone": _field("other"),
    "Fax": _field("fax"),
    "Mobile": _field("mobile"),
    "Contact Name": _field("full"),
    "Mailing Country": _country(0),
    "Secondary Email": _field("email2"),
}
PIPEDRIVE: Columns = {
    "Person - ID": _id(str),
    "Person - Name": _field("full"),
    "Person - First name": _field("first"),
    "Person - Last name": _field("last"),
    "Person - Organization": _field("company"),
    "Person - Phone - Work": _field("work"),
    "Person - Phone - Home": _several("home", "other"),
    "Person - Phone - Mobile": _field("mobile"),
    "Person - Email - Work": _field("email"),
    "Person - Email - Home": _field("email2"),
    "Person - Owner": _const("Ann Admin"),
}
PIPEDRIVE_DE: Columns = {
    "Person - ID": _id(str),
    "Person - Name": _field("full"),
    "Person - Organisation": _field("company"),
    "Person - Telefon - Büro": _field("work"),
    "Person - Telefon - Privat": _several("home", "other"),
    "Person - Telefon - Mobil": _field("mobile"),
    "Person - E-Mail - Büro": _field("email"),
    "Person - E-Mail - Privat": _field("email2"),
}
DYNAMICS: Columns = {
    "(Do Not Modify) Contact": _id(guid),
    "(Do Not Modify) Row Checksum": _const("aGVsbG8="),
    "(Do Not Modify) Modified On": _const("10/1/2026 10:00"),
    " Full Name": _field("full"),
    "First Name": _field("first"),
    "Last Name": _field("last"),
    "Job Title": _field("department"),
    "Company Name": _field("company"),
    "Email": _field("email"),
    "Email Address 2": _field("email2"),
    "Business Phone": _several("work", "other"),
    "Home Phone": _field("home"),
    "Mobile Phone": _field("mobile"),
    "Fax": _field("fax"),
    "Owner": _const("Ann Admin"),
    "Status": _is("archived", "Inactive", "Active"),
}
ODOO: Columns = {
    "External ID": _id(odoo),
    "Name": _field("full"),
    "Is a Company": _const(""),
    "Related Company": _field("company"),
    "Phone": _several("work", "home", "other"),
    "Mobile": _field("mobile"),
    "Email": _several("email", "email2"),
    "Country": _country(0),
    "Active": _is("archived", "False", "True"),
}
SUITE: Columns = {
    "First Name": _field("first"),
    "Last Name": _field("last"),
    "ID": _id(guid),
    "Salutation": _field("salutation"),
    "Department": _field("department"),
    "Account Name": _field("company"),
    "Email Address": _field("email"),
    "Non Primary E-mails": _field("email2"),
    "Mobile": _field("mobile"),
    "Office Phone": _field("work"),
    "Home": _field("home"),
    "Other Phone": _field("other"),
    "Fax": _field("fax"),
    "Primary Address Country": _country(0),
    "Deleted": _const("0"),
}
VTIGER: Columns = {
    "First Name": _field("first"),
    "Contact Id": _id(contact_number),
    "Office Phone": _field("work"),
    "Last Name": _field("last"),
    "Mobile": _field("mobile"),
    "Organization Name": lambda row: f"Accounts::::{row.company}" if row.company else "",
    "Home Phone": _field("home"),
    "Secondary Phone": _field("other"),
    "Fax": _field("fax"),
    "Department": _field("department"),
    "Primary Email": _field("email"),
    "Secondary Email": _field("email2"),
    "Do Not Call": _const("no"),
}
ESPO: Columns = {
    "id": _id(espo),
    "name": _field("full"),
    "firstName": _field("first"),
    "lastName": _field("last"),
    "emailAddress": _field("email"),
    "emailAddressData": espo_addresses,
    "phoneNumber": _field("work"),
    "phoneNumberData": espo_phones,
    "addressCountry": _country(0),
    "accountId": _company_id(espo),
    "accountName": _field("company"),
}
FRESHSALES: Columns = {
    "Contact : Id": _id(freshsales),
    "Contact : First name": _field("first"),
    "Contact : Last name": _field("last"),
    "Contact : Emails": lambda row: ";\n".join(filter(None, (row.email, row.email2))),
    "Contact : Work": _field("work"),
    "Contact : Mobile": _field("mobile"),
    "Contact : Other phone numbers": _several("home", "other"),
    "Contact : Accounts": _field("company"),
}
KEAP: Columns = {
    "Id": _id(str),
    "First Name": _field("first"),
    "Last Name": _field("last"),
    "Company": _field("company"),
    "Email": _field("email"),
    "Email 2": _field("email2"),
    "Phone 1": _field("work"),
    "Phone 1 Ext": _const(""),
    "Phone 1 Type": _const("Work"),
    "Phone 2": _field("mobile"),
    "Phone 2 Type": _const("Mobile"),
    "Phone 3": _several("home", "other"),
    "Phone 3 Type": _const("Home"),
    "Fax 1": _field("fax"),
    "Tags": _const("1,2"),
}
BITRIX: Columns = {
    "ID": _id(str),
    "First Name": _field("first"),
    "Last Name": _field("last"),
    "Company": _field("company"),
    "Responsible": _const("Ann Admin"),
    "Work Phone": _field("work"),
    "Mobile": _field("mobile"),
    "Fax": _field("fax"),
    "Home Phone": _several("home", "other"),
    "Work E-mail": _field("email"),
    "Home E-mail": _field("email2"),
}
GOOGLE: Columns = {
    "First Name": _field("first"),
    "Middle Name": _const(""),
    "Last Name": _field("last"),
    "Organization Name": _field("company"),
    "Organization Department": _field("department"),
    "Notes": _const("line one\nline two"),
    "Labels": _const("* myContacts ::: * starred"),
    "E-mail 1 - Label": _const("* Work"),
    "E-mail 1 - Value": lambda row: " ::: ".join(filter(None, (row.email, row.email2))),
    "Phone 1 - Label": _const("* Mobile"),
    "Phone 1 - Value": lambda row: " ::: ".join(filter(None, (row.mobile, row.other))),
    "Phone 2 - Label": _const("Work"),
    "Phone 2 - Value": _field("work"),
    "Phone 3 - Label": _const("Home"),
    "Phone 3 - Value": _field("home"),
    "Address 1 - Country": _country(2),
}
OUTLOOK_DE: Columns = {
    "Anrede": _field("salutation"),
    "Vorname": _field("first"),
    "Weitere Vornamen": _const(""),
    "Nachname": _field("last"),
    "Firma": _field("company"),
    "Abteilung": _field("department"),
    "Land/Region geschäftlich": _country(1),
    "Telefon Assistent": _const(""),
    "Fax geschäftlich": _field("fax"),
    "Telefon geschäftlich": _field("work"),
    "Telefon Firma": _field("main"),
    "Telefon (privat)": _field("home"),
    "Mobiltelefon": _field("mobile"),
    "Weiteres Telefon": _field("other"),
    "E-Mail-Adresse": _field("email"),
    "E-Mail-Typ": _const("SMTP"),
    "E-Mail: Angezeigter Name": lambda row: f"{row.full} ({row.email})",
    "E-Mail 2: Adresse": _field("email2"),
}
OUTLOOK_EN: Columns = {
    "Title": _field("salutation"),
    "First Name": _field("first"),
    "Last Name": _field("last"),
    "Company": _field("company"),
    "Department": _field("department"),
    "Business Country/Region": _country(0),
    "Assistant's Phone": _const(""),
    "Business Fax": _field("fax"),
    "Business Phone": _field("work"),
    "Company Main Phone": _field("main"),
    "Home Phone": _field("home"),
    "Mobile Phone": _field("mobile"),
    "Other Phone": _field("other"),
    "E-mail Address": _field("email"),
    "E-mail Type": _const("SMTP"),
    "E-mail 2 Address": _field("email2"),
}
PHONEBOOK: Columns = {
    "FirstName": _field("first"),
    "LastName": _field("last"),
    "Company": _field("company"),
    "Mobile": _field("mobile"),
    "Mobile2": _const(""),
    "Home": _field("home"),
    "Home2": _const(""),
    "Business": _field("work"),
    "Business2": _field("other"),
    "Email": _several("email", "email2"),
    "Other": _const(""),
    "BusinessFax": _field("fax"),
    "HomeFax": _const(""),
    "Pager": _const(""),
}
