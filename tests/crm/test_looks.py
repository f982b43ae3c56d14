from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.crm import formats, looks

FOLDER = Path(__file__).parent / "goldens"


@pytest.mark.parametrize(
    ("name", "crm"),
    [
        ("3cx-phonebook.csv", "a phonebook of 3CX"),
        ("WE_00D5g00000AbCdEEAV_1.ZIP", "Salesforce"),
        ("bitrix24.csv", "Bitrix24"),
        ("dynamics-365.xlsx", "Dynamics 365"),
        ("espocrm.csv", "EspoCRM"),
        ("espocrm-de.xlsx", "EspoCRM (German)"),
        ("freshsales.csv", "Freshsales"),
        ("google-contacts.csv", "Google Contacts"),
        ("google-contacts-old.csv", "Google Contacts"),
        ("hubspot-en.csv", "HubSpot"),
        ("hubspot-de.csv", "HubSpot (German)"),
        ("hubspot.xlsx", "HubSpot"),
        ("keap.csv", "Keap"),
        ("monday.csv", "monday"),
        ("odoo-labels.csv", "Odoo"),
        ("odoo-import-compatible.csv", "Odoo"),
        ("outlook-en.csv", "Outlook"),
        ("outlook-de.csv", "Outlook (German)"),
        ("pipedrive-en.csv", "Pipedrive"),
        ("pipedrive-de.csv", "Pipedrive (German)"),
        ("salesforce-report.csv", "Salesforce"),
        ("salesforce-data-loader.csv", "Salesforce"),
        ("suitecrm.csv", "SuiteCRM"),
        ("sugarcrm.csv", "SugarCRM"),
        ("thunderbird-de.tsv", "Thunderbird (German)"),
        ("vtiger.csv", "vtiger"),
        ("zoho.csv", "Zoho CRM"),
        ("generic-de.csv", ""),
        ("generic-es.csv", ""),
        ("warehouse.parquet", ""),
        ("apple-3.0.vcf", ""),
    ],
)
def test_the_crm_is_known_by_its_headers(name: str, crm: str) -> None:
    assert looks.like(formats.read((FOLDER / name).read_bytes()).header) == crm


@pytest.mark.parametrize(
    "header",
    [
        ["Name", "Phone"],
        ["Lifecycle Stage", "Contact Owner.id"],  # a mark of each of two
        ["Contact ID"],  # half of a mark
        [],
    ],
)
def test_what_is_not_clear_is_not_said(header: list[str]) -> None:
    assert looks.like(header) == ""
