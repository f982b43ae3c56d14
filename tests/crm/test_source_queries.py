"""The manual's queries for SuiteCRM and vtiger, on their own tables in a real MariaDB."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from databases import PASSWORD, mariadb

from reconcile import crm
from reconcile.core.statements import fault_of
from reconcile.crm.sources import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from databases import Database

MANUAL = (Path(__file__).parent.parent.parent / "docs" / "sources.md").read_text("utf-8")

SUITECRM = [
    """CREATE TABLE contacts (
        id CHAR(36) NOT NULL PRIMARY KEY, date_entered DATETIME, date_modified DATETIME,
        modified_user_id CHAR(36), created_by CHAR(36), description TEXT,
        deleted TINYINT(1) DEFAULT 0, assigned_user_id CHAR(36), salutation VARCHAR(255),
        first_name VARCHAR(100), last_name VARCHAR(100), title VARCHAR(100), photo VARCHAR(255),
        department VARCHAR(255), do_not_call TINYINT(1) DEFAULT 0, phone_home VARCHAR(100),
        phone_mobile VARCHAR(100), phone_work VARCHAR(100), phone_other VARCHAR(100),
        phone_fax VARCHAR(100), lawful_basis TEXT, date_reviewed DATE,
        lawful_basis_source VARCHAR(100), primary_address_street VARCHAR(150),
        primary_address_city VARCHAR(100), primary_address_state VARCHAR(100),
        primary_address_postalcode VARCHAR(20), primary_address_country VARCHAR(255),
        alt_address_street VARCHAR(150), alt_address_city VARCHAR(100),
        alt_address_state VARCHAR(100), alt_address_postalcode VARCHAR(20),
        alt_address_country VARCHAR(255), assistant VARCHAR(75), assistant_phone VARCHAR(100),
        lead_source VARCHAR(255), reports_to_id CHAR(36), birthdate DATE, campaign_id CHAR(36)
    ) DEFAULT CHARSET = utf8mb4""",
    "CREATE TABLE contacts_cstm (id_c CHAR(36) NOT NULL PRIMARY KEY)",
    """CREATE TABLE accounts (
        id CHAR(36) NOT NULL PRIMARY KEY, name VARCHAR(150), date_entered DATETIME,
        date_modified DATETIME, deleted TINYINT(1) DEFAULT 0, phone_office VARCHAR(100),
        billing_address_country VARCHAR(255)
    ) DEFAULT CHARSET = utf8mb4""",
    """CREATE TABLE accounts_contacts (
        id VARCHAR(36) NOT NULL PRIMARY KEY, contact_id VARCHAR(36), account_id VARCHAR(36),
        date_modified DATETIME, deleted TINYINT(1) DEFAULT 0
    )""",
    """CREATE TABLE email_addresses (
        id CHAR(36) NOT NULL PRIMARY KEY, email_address VARCHAR(255),
        email_address_caps VARCHAR(255), invalid_email TINYINT(1) DEFAULT 0,
        opt_out TINYINT(1) DEFAULT 0, date_created DATETIME, date_modified DATETIME,
        deleted TINYINT(1) DEFAULT 0
    )""",
    """CREATE TABLE email_addr_bean_rel (
        id CHAR(36) NOT NULL PRIMARY KEY, email_address_id CHAR(36) NOT NULL,
        bean_id CHAR(36) NOT NULL, bean_module VARCHAR(100), primary_address TINYINT(1) DEFAULT 0,
        reply_to_address TINYINT(1) DEFAULT 0, date_created DATETIME, date_modified DATETIME,
        deleted TINYINT(1) DEFAULT 0
    )""",
    """INSERT INTO contacts (id, first_name, last_name, phone_work, phone_mobile, phone_home,
            phone_other, phone_fax, primary_address_country, deleted) VALUES
        ('c-1', 'Jörg', 'Müller', '+49 30 1234501', '+49 151 1234501', '030 1234502',
            '030 1234503', '030 1234509', 'Deutschland', 0),
        ('c-2', 'Of a deleted', 'Account', '+49 30 1234510', NULL, NULL, NULL, NULL, NULL, 0),
        ('c-3', 'Without', 'Anything', NULL, '+49 151 1234520', NULL, NULL, NULL, NULL, 0),
        ('c-4', 'Deleted', 'Person', '+49 30 1234530', NULL, NULL, NULL, NULL, NULL, 1),
        ('c-5', 'Two', 'Accounts', '+49 30 1234540', NULL, NULL, NULL, NULL, NULL, 0)""",
    "INSERT INTO contacts_cstm VALUES ('c-1')",
    """INSERT INTO accounts (id, name, deleted) VALUES
        ('a-1', 'Müller GmbH', 0), ('a-2', 'Gone AG', 1), ('a-3', 'Alpha', 0), ('a-4', 'Old', 0)""",
    """INSERT INTO accounts_contacts (id, contact_id, account_id, deleted) VALUES
        ('1', 'c-1', 'a-1', 0), ('2', 'c-1', 'a-4', 1), ('3', 'c-2', 'a-2', 0),
        ('4', 'c-5', 'a-1', 0), ('5', 'c-5', 'a-3', 0)""",
    """INSERT INTO email_addresses (id, email_address, deleted) VALUES
        ('e-1', 'b@mueller.example', 0), ('e-2', 'a@mueller.example', 0),
        ('e-3', 'dead@mueller.example', 1), ('e-4', 'unlinked@mueller.example', 0),
        ('e-5', 'lead@mueller.example', 0)""",
    """INSERT INTO email_addr_bean_rel
            (id, email_address_id, bean_id, bean_module, primary_address, deleted) VALUES
        ('1', 'e-1', 'c-1', 'Contacts', 1, 0), ('2', 'e-2', 'c-1', 'Contacts', 0, 0),
        ('3', 'e-3', 'c-1', 'Contacts', 0, 0), ('4', 'e-4', 'c-1', 'Contacts', 0, 1),
        ('5', 'e-5', 'c-1', 'Leads', 0, 0)""",
]

VTIGER = [
    """CREATE TABLE vtiger_crmentity (
        crmid INT(19) NOT NULL PRIMARY KEY, smcreatorid INT(19) NOT NULL DEFAULT 0,
        smownerid INT(19) NOT NULL DEFAULT 0, modifiedby INT(19) NOT NULL DEFAULT 0,
        setype VARCHAR(100) NOT NULL, description MEDIUMTEXT, createdtime DATETIME,
        modifiedtime DATETIME, viewedtime DATETIME, status VARCHAR(50), version INT(19) DEFAULT 0,
        presence INT(1) DEFAULT 1, deleted INT(1) NOT NULL DEFAULT 0, label VARCHAR(255)
    )""",
    """CREATE TABLE vtiger_contactdetails (
        contactid INT(19) NOT NULL PRIMARY KEY, contact_no VARCHAR(100) NOT NULL,
        accountid INT(19), salutation VARCHAR(200), firstname VARCHAR(40),
        lastname VARCHAR(80) NOT NULL, email VARCHAR(100), phone VARCHAR(50), mobile VARCHAR(50),
        title VARCHAR(50), department VARCHAR(30), fax VARCHAR(50), reportsto VARCHAR(30),
        training VARCHAR(50), usertype VARCHAR(50), contacttype VARCHAR(50),
        otheremail VARCHAR(100), secondaryemail VARCHAR(100), donotcall VARCHAR(3),
        emailoptout VARCHAR(3) DEFAULT '0', imagename VARCHAR(150), isconvertedfromlead VARCHAR(3)
    ) DEFAULT CHARSET = utf8mb4""",
    """CREATE TABLE vtiger_contactsubdetails (
        contactsubscriptionid INT(19) NOT NULL PRIMARY KEY, homephone VARCHAR(50),
        otherphone VARCHAR(50), assistant VARCHAR(30), assistantphone VARCHAR(50), birthday DATE,
        laststayintouchrequest INT(30) DEFAULT 0, laststayintouchsavedate INT(19) DEFAULT 0,
        leadsource VARCHAR(200)
    )""",
    """CREATE TABLE vtiger_contactaddress (
        contactaddressid INT(19) NOT NULL PRIMARY KEY, mailingcity VARCHAR(40),
        mailingstreet VARCHAR(250), mailingcountry VARCHAR(40), othercountry VARCHAR(30),
        mailingstate VARCHAR(30), mailingpobox VARCHAR(30), othercity VARCHAR(40),
        otherstate VARCHAR(50), mailingzip VARCHAR(30), otherzip VARCHAR(30),
        otherstreet VARCHAR(250), otherpobox VARCHAR(30)
    )""",
    """CREATE TABLE vtiger_account (
        accountid INT(19) NOT NULL PRIMARY KEY, account_no VARCHAR(100) NOT NULL,
        accountname VARCHAR(100) NOT NULL, phone VARCHAR(30), email1 VARCHAR(100)
    ) DEFAULT CHARSET = utf8mb4""",
    """INSERT INTO vtiger_crmentity (crmid, setype, deleted) VALUES
        (11, 'Contacts', 0), (12, 'Contacts', 0), (13, 'Contacts', 1), (14, 'Contacts', 0),
        (21, 'Accounts', 0), (22, 'Accounts', 1)""",
    """INSERT INTO vtiger_contactdetails (contactid, contact_no, accountid, firstname, lastname,
            email, secondaryemail, phone, mobile, fax) VALUES
        (11, 'CON1', 21, 'Jörg', 'Müller', 'a@mueller.example', 'b@mueller.example',
            '+49 30 1234501', '+49 151 1234501', '030 1234509'),
        (12, 'CON2', 22, 'Of a deleted', 'Account', NULL, NULL, '+49 30 1234510', NULL, NULL),
        (13, 'CON3', 21, 'Deleted', 'Person', NULL, NULL, '+49 30 1234530', NULL, NULL),
        (14, 'CON4', NULL, NULL, 'Anything', NULL, NULL, NULL, '+49 151 1234520', NULL)""",
    """INSERT INTO vtiger_contactsubdetails (contactsubscriptionid, homephone, otherphone)
        VALUES (11, '030 1234502', '030 1234503')""",
    """INSERT INTO vtiger_contactaddress (contactaddressid, mailingcountry)
        VALUES (11, 'Deutschland')""",
    """INSERT INTO vtiger_account (accountid, account_no, accountname)
        VALUES (21, 'ACC1', 'Müller GmbH'), (22, 'ACC2', 'Gone AG')""",
]


@pytest.fixture(scope="module")
def maria() -> Iterator[Database]:
    with mariadb() as made:
        made.run(*SUITECRM, *VTIGER)
        yield made


def query_of(crm_name: str) -> str:
    """The SQL that stands under this heading of the manual."""
    found = re.search(rf"^### {crm_name}$.*?^```sql\n(.*?)^```$", MANUAL, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture(params=["SuiteCRM", "vtiger"])
def records(request: pytest.FixtureRequest, maria: Any, now: datetime) -> dict[str, dict[str, str]]:
    """Last name → what is read of the person, by header."""
    sql = query_of(request.param)
    assert fault_of(sql) == ""
    place = Place(url=maria.url, sql=sql, secret=PASSWORD)
    snapshot = crm.read(place, mapping={}, now=now, max_age_hours=26)
    assert {column.header: column.reads_as for column in snapshot.source.columns}["ID"] == "id"
    rows = snapshot.records.to_dict(orient="records")
    return {str(row["last_name"]): {str(k): str(v) for k, v in row.items() if v} for row in rows}


def test_everybody_who_is_not_deleted_is_there_once(records: dict[str, dict[str, str]]) -> None:
    assert "Person" not in records
    assert {"Müller", "Account", "Anything"} <= set(records)
    assert records["Account"]["company"] == "Gone AG"
    assert "company" not in records["Anything"]


def test_all_numbers_and_addresses_are_read_as_such(records: dict[str, dict[str, str]]) -> None:
    read = records["Müller"]
    phones = {value for key, value in read.items() if key.startswith("phone:")}
    assert phones == {"+49 30 1234501", "+49 151 1234501", "030 1234502", "030 1234503"}
    mails = "; ".join(value for key, value in read.items() if key.startswith("email:"))
    assert sorted(re.findall(r"\w+@[\w.]+", mails)) == ["a@mueller.example", "b@mueller.example"]
    assert read["country"] == "Deutschland"
    assert read["company"] == "Müller GmbH"
    assert (read["id"], read["first_name"]) in {("c-1", "Jörg"), ("11", "Jörg")}


def test_of_two_accounts_one_is_named(maria: Any, now: datetime) -> None:
    place = Place(url=maria.url, sql=query_of("SuiteCRM"), secret=PASSWORD)
    found = crm.read(place, mapping={}, now=now, max_age_hours=26).records
    assert list(found.loc[found["last_name"] == "Accounts", "company"]) == ["Alpha"]
