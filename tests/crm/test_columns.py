from __future__ import annotations

import tomllib

import pytest

from reconcile.crm import columns, synonyms
from reconcile.crm.columns import Columns, assign, clean, is_header, is_name, normal


def read_as(header: list[str], **mapping: str) -> dict[str, str]:
    """Header → canonical column, of headers that leave nothing in doubt."""
    assigned = assign(header, mapping)
    assert assigned.problems == ()
    return {c.header: c.reads_as for c in assigned.columns}


def why(header: list[str], name: str) -> str:
    return next(c.why for c in assign(header, {}).columns if c.header == name)


def codes(assigned: Columns) -> list[str]:
    return [problem.code for problem in assigned.problems]


PERSON = ["Name", "Phone"]


# ---------------------------------------------------------------------------- comparing


@pytest.mark.parametrize(
    "header",
    ["Phone Number", " Phone  Number ", "PHONE NUMBER:", '"Phone Number"', "'phone number' :"],
)
def test_blanks_case_colons_and_quotes_make_no_other_header(header: str) -> None:
    assert normal(header) == "phone number"


def test_a_decomposed_header_is_the_composed_one() -> None:
    assert clean("Pre\u0301nom") == "Prénom"


@pytest.mark.parametrize("name", ["First_Name", "firstname", "FIRST-NAME", "First name:"])
def test_api_names_are_read_like_labels(name: str) -> None:
    assert read_as([name, "phone_number"]) == {clean(name): "first_name", "phone_number": "phone"}


def test_no_synonym_stands_for_two_things() -> None:
    tables = (*synonyms.SINGLE.values(), *synonyms.MULTIPLE.values(), *synonyms.NOT_READ.values())
    written = [columns.normal(s) for t in tables for g in t.split(">") for s in g.split("|")]
    assert len(written) == len(set(written))
    for name, groups in synonyms.SINGLE.items():
        for synonym in groups.replace(">", "|").split("|"):
            assert columns._by_table(clean(synonym), phonebook=False).name == name  # noqa: SLF001 - the table's own proof
    for name, several in synonyms.MULTIPLE.items():
        for synonym in several.split("|"):
            assert columns._by_table(clean(synonym), phonebook=False).name == name  # noqa: SLF001 - as above


# ---------------------------------------------------------------------------- the table


@pytest.mark.parametrize(
    "phone",
    """Phone|Home|HomePhone|OtherPhone|Business Phone 2|Telefon (privat 2)|Phone 3|Mobile2|Tel.
    |Phone 2 - Value|Telefon geschäftlich 2|Mobil-Tel.-Nr.|Téléphone|telefono|Person - Phone - Work
    """.split("|"),
)
def test_a_persons_numbers_are_phones(phone: str) -> None:
    assert read_as(["Name", "Email", phone.strip()])[phone.strip()] == "phone"


@pytest.mark.parametrize(
    "email",
    ["E-mail 2 Address", "E-Mail 3: Adresse", "E-mail 2 - Value", "Email Address 2", "Work email"],
)
def test_further_addresses_are_emails(email: str) -> None:
    assert read_as([*PERSON, email])[clean(email)] == "email"


@pytest.mark.parametrize(
    "shared", ["Company Main Phone", "Telefon Firma", "Account: Phone", "ACCOUNT.PHONE"]
)
def test_a_companys_number_is_shared_and_is_no_number_of_a_person(shared: str) -> None:
    assert read_as([*PERSON, shared])[shared] == "shared_phone"
    assert codes(assign(["Name", shared], {})) == ["header_unknown"]


@pytest.mark.parametrize(
    "header",
    ["AssistantPhone", "Assistant's Phone", "Asst. Phone", "phone_assistant", "Telefon Assistent"],
)
def test_an_assistants_number_is_not_the_persons(header: str) -> None:
    assert read_as([*PERSON, header])[header] == ""
    assert "assistant" in why([*PERSON, header], header)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Phone 1 Ext", "extension"),
        ("Phone 1 - Label", "label"),
        ("Status", "are kept"),
        ("Fax 1 Type", "label"),
        ("hs_merged_object_ids", "alive"),
        ("Job Title", "not known"),
        ("Other", "phonebook of 3CX"),
        ("", "no header"),
        (".id", "not known"),
        ("Account Name.id", "synonym"),
    ],
)
def test_what_is_ignored_has_a_reason(header: str, reason: str) -> None:
    assert reason in why([*PERSON, header], header)


def test_other_is_a_number_in_a_phonebook_of_3cx_only() -> None:
    phonebook = [
        "FirstName",
        "LastName",
        "Company",
        "Mobile",
        "Mobile2",
        "Home",
        "Business",
        "Other",
    ]
    read = read_as([*phonebook, "BusinessFax"])
    assert [h for h, name in read.items() if name == "phone"] == phonebook[3:]
    assert read["BusinessFax"] == "fax"
    assert read_as([*PERSON, "Other"])["Other"] == ""


def test_a_leads_main_person_is_no_list_of_contacts() -> None:
    header = ["id", "display_name", "primary_contact_primary_phone", "primary_contact_name"]
    assigned = assign(header, {})
    assert codes(assigned) == ["header_unknown"]
    assert "export the contacts themselves" in assigned.columns[3].why


def test_of_several_companies_the_preferred_is_read_and_the_other_says_why() -> None:
    header = [*PERSON, "Associated Company", "Company Name"]
    assert read_as(header)["Company Name"] == "company"
    assert why(header, "Associated Company") == "`Company Name` is read as company"


def test_of_equals_the_leftmost_is_read() -> None:
    assert read_as([*PERSON, "Firma", "Company"])["Firma"] == "company"


def test_an_id_that_only_a_crm_writes_is_preferred() -> None:
    assert read_as([*PERSON, "ID", "Record ID"]) == {
        "Name": "full_name",
        "Phone": "phone",
        "ID": "",
        "Record ID": "id",
    }


@pytest.mark.parametrize(
    "other",
    """Campaign ID|Reports to ID|RecordTypeId|OwnerId|Created By.id|Person - Organization - ID|.id
    |External_ID__c|Legacy ID|assignedUserId|Person - Labels""".split("|"),
)
def test_another_things_id_is_no_id_of_the_record(other: str) -> None:
    assert "id" not in read_as([*PERSON, other.strip()]).values()


@pytest.mark.parametrize(
    ("pair", "name"), [("Account Name", "company"), ("Company Name", "company")]
)
def test_of_a_pair_the_name_is_the_company_and_the_id_is_its_id(pair: str, name: str) -> None:
    assert read_as([*PERSON, f"{pair}.id", pair]) == {
        "Name": "full_name",
        "Phone": "phone",
        f"{pair}.id": "company_id",
        pair: name,
    }


@pytest.mark.parametrize(
    "fax", ["Fax", "phone_fax", "Fax 1", "BusinessFax", "Fax-Nummer", "Fax geschäftlich"]
)
def test_a_fax_is_never_a_phone(fax: str) -> None:
    assert read_as(["Name", "Email", fax])[fax] == "fax"
    assert codes(assign(["Name", fax], {})) == ["header_unknown"]


# ---------------------------------------------------------------------------- finding a header


@pytest.mark.parametrize(
    "cells",
    [
        ["Name", "Phone"],
        ["", " E-MAIL: ", "Nachname"],
        ["LastName", "Company", "Mobile2", "Other"],
        ["Person - Name", "Person - Telefon - Büro"],
        ["データID", "姓", "携帯電話"],
    ],
)
def test_a_name_and_a_number_or_an_address_make_a_header(cells: list[str]) -> None:
    assert is_header(cells)


@pytest.mark.parametrize(
    "cells",
    [
        [],
        ["Contacts"],
        ["Name", "Fax", "Company Main Phone"],
        ["Phone", "Email", "ID"],
        ["Jo Doe", "+49 30 1234567"],
        ["Name", "Other"],
    ],
)
def test_less_is_no_header(cells: list[str]) -> None:
    assert not is_header(cells)


def test_a_column_of_names_is_known_by_its_header() -> None:
    assert is_name(" Full Name")
    assert is_name("Vorname:")
    assert not is_name("Company Name")


# ---------------------------------------------------------------------------- refused


def test_two_ids_are_refused_and_the_way_out_is_named() -> None:
    assigned = assign([*PERSON, "Contact ID", "Record ID"], {})
    (problem,) = assigned.problems
    assert problem.code == "header_unknown"
    assert problem.message.startswith("`Contact ID` and `Record ID` may each be the record's id")
    assert tomllib.loads(assigned.toml) == {"columns": {"id": "Contact ID"}}
    assert read_as([*PERSON, "Contact ID", "Record ID"], id="Record ID")["Contact ID"] == ""


def test_a_header_that_stands_there_twice_is_refused() -> None:
    (problem,) = assign(["Name", "Phone", "PHONE:", "phone"], {}).problems
    assert (problem.code, problem.column, problem.row) == ("header_duplicate", "Phone", 1)
    assert "3 columns" in problem.message


def test_a_header_of_many_columns_that_are_ignored_anyway_is_fine() -> None:
    assert assign([*PERSON, "Status", "Notes", "status", "Notes"], {}).problems == ()
    (problem,) = assign([*PERSON, "Status", "status"], {}, inactive="gone").problems
    assert (problem.code, problem.column) == ("header_duplicate", "Status")


def test_columns_without_a_header_are_no_duplicates() -> None:
    assert assign([*PERSON, "", ""], {}).problems == ()


def test_without_name_and_number_the_nearest_headers_are_offered() -> None:
    assigned = assign(["id", "Kontaktname", "Phone Nr. xyz", "Note"], {}, row=3)
    assert codes(assigned) == ["header_unknown", "header_unknown"]
    assert {p.row for p in assigned.problems} == {3}
    assert tomllib.loads(assigned.toml)["columns"] == {
        "full_name": "Kontaktname",
        "phone": "Phone Nr. xyz",
    }
    assert assigned.problems[-1].message.endswith(f"[crm] of the configuration: {assigned.toml}")


def test_where_no_header_is_alike_a_blank_to_fill_in_is_offered() -> None:
    assert assign(["Name", "Q7"], {}).toml == 'columns = { phone = "HEADER" }'


def test_an_address_alone_is_enough_to_know_a_person_by() -> None:
    assert read_as(["Nachname", "E-Mail"]) == {"Nachname": "last_name", "E-Mail": "email"}


# ---------------------------------------------------------------------------- the configuration


def test_a_configured_header_wins_over_the_table() -> None:
    read = read_as(
        ["Name", "Phone", "Firma", "Company"],
        company="Company",
        shared_phone="Phone",
        phone="Name",
        full_name="Firma",
    )
    assert read == {
        "Name": "phone",
        "Phone": "shared_phone",
        "Firma": "full_name",
        "Company": "company",
    }


def test_configured_numbers_are_added_to_those_that_the_table_finds() -> None:
    assigned = assign([*PERSON, "Durchwahl", "Zentrale"], {"phone": "durchwahl | Zentrale:"})
    assert [c.reads_as for c in assigned.columns] == ["full_name", "phone", "phone", "phone"]
    assert [c.why for c in assigned.columns] == ["synonym", "synonym", "config", "config"]


def test_a_header_with_a_bar_can_be_named_whole() -> None:
    assert read_as(["Name", "Tel|Fax"], phone="Tel|Fax")["Tel|Fax"] == "phone"


def test_a_column_can_be_ignored_by_configuration() -> None:
    assigned = assign([*PERSON, "Home"], {"ignore": "Home"})
    assert (assigned.columns[2].reads_as, assigned.columns[2].why) == ("", "config")


def test_a_configured_header_that_is_gone_is_refused_with_the_nearest() -> None:
    assigned = assign([*PERSON, "Firmenname", "Nr"], {"company": "Firmen-Name (alt)", "id": "Nr"})
    (problem,) = assigned.problems
    assert problem.code == "header_unknown"
    assert '`crm.columns.company` names "firmen-name (alt)"' in problem.message
    assert tomllib.loads(assigned.toml)["columns"] == {"company": "Firmenname", "id": "Nr"}


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"fone": "Phone"}, "`crm.columns.fone`: no such column"),
        ({"phone": "Phone", "fax": "Phone"}, "named twice"),
        ({"phone": ""}, 'names "", which the export does not have'),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(mapping: dict[str, str], said: str) -> None:
    (problem,) = assign([*PERSON, "Email"], mapping).problems
    assert problem.code == "header_unknown"
    assert said in problem.message


def test_what_is_offered_is_valid_toml_even_with_quotes_in_a_header() -> None:
    assigned = assign(["Name", 'Phone "new" \\ x'], {})
    assert tomllib.loads(assigned.toml)["columns"] == {"phone": 'Phone "new" \\ x'}
