"""Which headers mean which canonical column; a table, and nothing else.

Headers are written here as the CRMs write them, separated by `|`. They are compared without case,
accents, blanks and punctuation (dots count: `Account Name.id` is no `Account Name`); where a person
may have several columns also without digits: `E-mail 2 Address` is an `E-mail Address`.
"""

from __future__ import annotations

from typing import Final

SINGLE: Final = {
    "id": """
        Record ID | Datensatz-ID | Contact ID | Kontakt-ID | Contact : Id | Person - ID
        | (Do Not Modify) Contact | Item ID (auto generated) | hs_object_id | ID Dynamics
        | データID
        > ID | External ID | UID
    """,
    "first_name": """
        First Name | Vorname | Given Name | Person - First name | Person - Vorname
        | Contact : First name | Prénom | Nombre | 名
    """,
    "last_name": """
        Last Name | Nachname | Family Name | Surname | Familienname | Person - Last name
        | Person - Nachname | Contact : Last name | Nom | Nom de famille | Apellidos | Apellido
        | 姓
    """,
    "full_name": """
        Full Name | Complete Name | Vollständiger Name | Nom complet | Nombre completo
        | Contact : Full name | Person - Name | FN
        > Name | Contact Name | Anzeigename | Display Name
    """,
    "company": """
        Company Name | Unternehmensname
        > Associated Company | Related Company
        > Account Name | Accountname | Account.Name | Organization Name | Organisation Name
        | Contact : Accounts | Person - Organization | Person - Organisation | Accounts
        | Organization 1 - Name | Related Company/Name | parent_id/name | parent_name | org_name
        | _parentcustomerid_value@OData.Community.Display.V1.FormattedValue
        > Company | Firma | Unternehmen | Organization | Organisation | ORG | Société | Entreprise
        | Empresa | Compañía | Firmenname
    """,
    "company_id": """
        Associated Company IDs (Primary)
        > Associated Company IDs | Account Name.id | Company Name.id | Account ID | Company ID
        | parent_id/id | Related Company/External ID
    """,
    "country": """
        Country/Region | Land/Region | Mailing Country | Primary Address Country
        | Address 1: Country/Region | Address 1 - Country | Business Country/Region
        | Land/Region geschäftlich | Address Country
        > Country | Country Code | Country/Country Code | country_id | country_id/code
        | country_id/name | Land | Pays | País
    """,
    "company_country": """
        Account.BillingCountry | Billing Address Country | Billing Country | Company Country
        | Company Country/Region | Account Country | Organization - Country | Firmenland
        | Land der Firma
    """,
    "deleted_flag": "IsDeleted | Deleted",
    "merged_into": "MasterRecordId | masterid | _masterid_value",
    "active": "Active | Aktiv | Is Active",
    "inactive": "statecode | Archived | Archiviert | Inactive | Inaktiv | Is Archived",
    "status": "Status",
    "owner": """
        Contact Owner | Für Kontakt zuständiger Mitarbeiter | Person - Owner | Assigned To
        | Responsible | Person Responsible | Owner | hubspot_owner_id | Zugewiesener Benutzer
        > Contact Owner.id | OwnerId
    """,
    "lifecycle": "Lifecycle Stage | Lifecycle-Phase > Lead Status | Leadstatus | status_label",
    "modified": """
        LastModifiedDate | Modified Time | (Do Not Modify) Modified On | Date Modified
        | modifiedAt | Last Updated | Last Updated on | Modified on | Person - Update time
        | Contact : Updated at | update_time | Geändert am | REV
        > SystemModstamp
    """,
}
"""Canonical name → its synonyms in groups, the preferred group first, parted by `>`.

Of an export's headers in the same group the leftmost is read; two ids in one group are refused.
"""

MULTIPLE: Final = {
    "email": """
        Email | E-Mail | Mail | Email Address | E-Mail-Adresse | Mailadresse | Primary Email
        | Primäre E-Mail-Adresse | Sekundäre E-Mail-Adresse | Secondary Email
        | Secondary Email Address | emailAddressData | E-mail 1 - Value
        | Work Email | Home Email | Other Email | Additional email addresses
        | Non Primary E-mails | email_addresses_non_primary | hs_additional_emails | Emails
        | Contact : Emails
        | Person - Email | Person - Email - Work | Person - Email - Home | Person - Email - Other
        | Person - E-Mail | Person - E-Mail - Büro | Person - E-Mail - Privat
        | Person - E-Mail - Sonstiger | Person - E-Mail - Sonstige | Courriel | Adresse e-mail
        | Correo | Correo electrónico
    """,
    "phone": """
        Phone | Phones | Phone Number | Mobile | Mobile Phone | Mobile Phone Number | Mobile Number
        | Cell | Cell Phone | Home | Home Phone | Business Phone | Work Phone | Office Phone
        | Primary Phone | Secondary Phone | Other Phone | Other Phone Number | Car Phone
        | Radio Phone | TTY/TDD Phone | Callback | ISDN | Pager | phoneNumberData
        | Phone Mobile | Phone Work | Phone Home | Phone Other | Phone 1 - Value | Telephone
        | Telephone Number | WhatsApp Phone Number | Person - Phone | Person - Phone - Work
        | Person - Phone - Home | Person - Phone - Mobile | Person - Phone - Other
        | Contact : Work | Contact : Mobile | Contact : Other phone numbers | TEL | Tel.
        | Tel.-Nr. | Telefon | Telefonnummer | Rufnummer | Mobil | Mobiltelefon
        | Mobiltelefonnummer | Mobilnummer | Mobil-Tel.-Nr. | Handy | Handynummer | Festnetz
        | Pager-Nummer
        | Telefon geschäftlich | Telefon privat | Telefon mobil | Tel. dienstlich | Tel. privat
        | Weiteres Telefon | Haupttelefon | Autotelefon | Rückmeldung | Person - Telefon
        | Person - Telefon - Büro | Person - Telefon - Privat | Person - Telefon - Mobil
        | Person - Telefon - Sonstiger | 電話 | 携帯電話 | Téléphone | Téléphone mobile | Portable
        | Teléfono | Teléfono móvil | Móvil | Celular
    """,
    "shared_phone": """
        Company Main Phone | Company Phone | Company Phone Number | Account Phone
        | Account.Phone | Telefon Firma
    """,
    "fax": """
        Fax | Fax Number | Faxnummer | Business Fax | Home Fax | Other Fax | Fax geschäftlich
        | Fax privat | Weiteres Fax | Phone Fax | Phones Fax | Télécopie
    """,
}
"""Canonical name → its synonyms; every such column is read. The fax is no match key."""

PHONEBOOK: Final = "Business | Other"
"""Numbers in the phonebook file of 3CX, and anything at all elsewhere."""
PHONEBOOK_MARKS: Final = "Mobile2 | Business2 | BusinessFax"
"""Headers that only the phonebook file of 3CX has together with `Business` or `Other`."""

NOT_READ: Final = {
    "an assistant's number, not this person's": """
        AssistantPhone | Asst Phone | Asst. Phone | Assistant's Phone | phone_assistant
        | Telefon Assistent
    """,
    "an extension alone, no number": "Phone Ext | Phone Extension",
    "a label, no number or address": """
        Phone Type | Phone 1 - Label | Fax Type | E-mail Type | E-mail 1 - Label | E-Mail-Typ
        | E-mail Display Name | E-Mail: Angezeigter Name
    """,
    "ids that were merged into this record, which is alive": "hs_merged_object_ids",
    "a lead's main person only; export the contacts themselves": """
        primary_contact_name | primary_contact_primary_phone | primary_contact_other_phones
        | primary_contact_primary_phone_type | primary_contact_primary_email
        | primary_contact_primary_email_type | primary_contact_other_emails
    """,
}
"""Why a header that looks like one of ours is ignored → such headers."""
