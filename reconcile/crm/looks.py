"""Which CRM wrote an export, by the headers that only its exports have; a table, and a look at it.

It decides nothing: it tells a person whether the export is the one that was meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconcile.crm.columns import normal

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKS: Final = {
    "HubSpot": """
        Lifecycle Stage | Lead Status | Associated Company | Associated Company IDs | hs_object_id
        | hubspot_owner_id | lifecyclestage | Record ID + Contact owner
        | Record ID + Phone Number
    """,
    "HubSpot (German)": """
        Für Kontakt zuständiger Mitarbeiter | Lifecycle-Phase | Leadstatus | Datensatz-ID
        | Mobiltelefonnummer
    """,
    "Salesforce": """
        MasterRecordId | MailingCountry | SystemModstamp | Contact ID + Account Name
        | Contact ID + Mailing Country | AccountId + LastName | ACCOUNT.NAME
    """,
    "Zoho CRM": """
        Account Name.id | Contact Owner.id | Created By.id | Company Name.id | Vendor Name.id
        | Record Id + Account Name
    """,
    "Zoho CRM (Japanese)": "データID | 携帯電話",
    "Pipedrive": """
        Person - Organization | Person - Phone - Work | Person - Phone | Person - Owner
        | org_id + add_time
    """,
    "Pipedrive (German)": """
        Person - Organisation | Person - Telefon | Person - Telefon - Büro | Person - Vorname
    """,
    "Dynamics 365": """
        (Do Not Modify) Contact | (Do Not Modify) Row Checksum | contactid + statecode
        | contactid + emailaddress1
    """,
    "Odoo": """
        Related Company | Related Company/Name | Related Company/External ID | parent_id/id
        | parent_id/name | External ID | Is a Company
    """,
    "SuiteCRM": """
        Non Primary E-mails | email_addresses_non_primary + Deleted | Office Phone + Date Created
    """,
    "SugarCRM": """
        phone_mobile + phone_work | Phone Mobile + Phone Work | primary_address_country
    """,
    "vtiger": """
        Organization Name + Assigned To | Organization Name + Primary Email
        | Organization Name + Contact Id
    """,
    "EspoCRM": """
        emailAddressData | phoneNumberData | salutationName | emailAddress + accountName
        | phoneNumber + accountName
    """,
    "EspoCRM (German)": "Zugewiesener Benutzer | Geändert am",
    "Freshsales": "Contact : First name | Contact : Last name | Contact : Emails",
    "monday": "Item ID (auto generated) | Subitems",
    "Keap": "Phone 1 Ext | Phone 1 Type | Fax 1 Type",
    "Bitrix24": "Work E-mail | Person Responsible | Other Phone Number | Home E-mail",
    "Google Contacts": """
        Phone 1 - Value | E-mail 1 - Value | E-mail 1 - Label | Organization 1 - Name
    """,
    "Outlook": """
        Business Phone 2 | TTY/TDD Phone | Company Main Phone | E-mail Display Name
        | Business Country/Region
    """,
    "Outlook (German)": """
        Rückmeldung | Autotelefon | E-Mail-Typ | Fax geschäftlich + Telefon geschäftlich
    """,
    "Thunderbird (German)": "Primäre E-Mail-Adresse | Tel. dienstlich | Mobil-Tel.-Nr.",
    "a phonebook of 3CX": "Mobile2 | Business2 | BusinessFax",
    "Close (leads)": "primary_contact_name | primary_contact_primary_phone",
}
"""A CRM → headers that only it has, parted by `|`; `+` stands between those that it has together.

The evidence is in the same exports as that of `synonyms`.
"""


def like(header: Sequence[str]) -> str:
    """The CRM of which most marks are there; "" if none is, or if two have as many."""
    names = set(map(normal, header))
    counts = {crm: _count(marks, names) for crm, marks in MARKS.items()}
    most = max(counts.values())
    found = [crm for crm, count in counts.items() if count == most]
    return found[0] if most and len(found) == 1 else ""


def _count(marks: str, names: set[str]) -> int:
    """How many of the marks stand among the names."""
    return sum(names.issuperset(map(normal, mark.split(" + "))) for mark in marks.split("|"))
