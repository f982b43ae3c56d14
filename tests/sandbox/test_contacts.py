from __future__ import annotations

import json

import pytest

CONTACTS = "/xapi/v1/Contacts"
NEW = {"FirstName": "New", "PhoneNumber": "+49 30 9"}


def _details(answer):
    assert answer.status_code == 400
    return [(d["target"], d["message"]) for d in answer.json()["error"]["details"]]


def test_a_contact_is_read_with_its_etag_in_the_body_and_the_header(pbx, server, book):
    answer = pbx.get(f"{CONTACTS}(1)")
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("@odata.context") == f"{server.url}/xapi/v1/$metadata#Contacts/$entity"
    assert body.pop("@odata.etag") == answer.headers["etag"]
    assert body == book.get(1)


def test_a_contact_is_read_with_only_the_properties_selected(pbx):
    body = pbx.get(f"{CONTACTS}(1)", params={"$select": "Tag"}).json()
    assert list(body) == ["@odata.context", "@odata.etag", "Tag"]
    assert body["@odata.context"].endswith("#Contacts(Tag)/$entity")
    assert pbx.get(f"{CONTACTS}(1)", params={"$select": "X"}).status_code == 400


def test_a_path_may_arrive_percent_encoded(pbx, server):
    answer = pbx.get("/xapi/v1/Contacts%281%29")
    assert answer.json()["Id"] == 1
    assert server.requests[-1].path == f"{CONTACTS}(1)"
    assert server.requests[-1].target == "/xapi/v1/Contacts%281%29"


def test_a_new_contact_gets_the_next_id_and_the_server_s_defaults(pbx, book):
    answer = pbx.post(CONTACTS, json={**NEW, "Id": 77, "@odata.etag": "x", "Tag": ""})
    assert answer.status_code == 201
    body = answer.json()
    assert body["@odata.context"].endswith("#Contacts/$entity")
    assert answer.headers["etag"] == body["@odata.etag"]
    assert (body["Id"], body["Tag"], body["LastName"]) == (6, "", None)
    assert body["ContactType"] == "3CX"
    assert book.get(6)["FirstName"] == "New"


def test_a_contact_is_changed_without_an_answer_body(pbx, book):
    answer = pbx.patch(f"{CONTACTS}(1)", json={"Tag": "new", "CompanyName": None})
    assert (answer.status_code, answer.content) == (204, b"")
    assert (book.get(1)["Tag"], book.get(1)["CompanyName"]) == ("new", None)
    assert book.get(1)["FirstName"] == "Ada"


def test_a_contact_is_deleted_without_an_answer_body_and_is_gone(pbx, book):
    answer = pbx.delete(f"{CONTACTS}(1)")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["x-3cx-version"] == "20.0.9.995"
    assert book.get(1) is None
    assert pbx.get(f"{CONTACTS}(1)").status_code == 404


@pytest.mark.parametrize("contact_id", ["99", "99999999999999"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_missing_contact_is_404_in_json(pbx, method, contact_id):
    body = {"json": {"Tag": "x"}} if method == "PATCH" else {}
    answer = pbx.request(method, f"{CONTACTS}({contact_id})", **body)
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "Resource not found."


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({"FirstName": "A"}, [("PhoneNumber", "CONTACTS_SPECIFY_PHONE_NUMBER")]),
        ({"FirstName": "A", "Business": "1"}, [("PhoneNumber", "CONTACTS_SPECIFY_PHONE_NUMBER")]),
        ({"PhoneNumber": "1"}, [("FirstName", "CONTACTS_SPECIFY_NAME_SURNAME_COMPANY")]),
        (
            {"PhoneNumber": "1", "CompanyName": "x" * 51},
            [("CompanyName", "LENGTH_NOT_MORE_50_CHARS")],
        ),
        (
            {"FirstName": "", "PhoneNumber": None},
            [
                ("PhoneNumber", "CONTACTS_SPECIFY_PHONE_NUMBER"),
                ("FirstName", "CONTACTS_SPECIFY_NAME_SURNAME_COMPANY"),
            ],
        ),
    ],
)
def test_what_3cx_refuses_is_refused_with_all_its_warnings(pbx, book, fields, problems):
    answer = pbx.post(CONTACTS, json=fields)
    expected = [(target, f"WARNINGS.{code}") for target, code in problems]
    assert _details(answer) == expected
    error = answer.json()["error"]
    assert error["code"] == ""
    assert error["message"] == "\n".join(f"{target}:\n{code}" for target, code in expected)
    assert len(book) == 5


@pytest.mark.parametrize("name", ["FirstName", "LastName", "CompanyName"])
def test_one_name_is_enough_and_fifty_characters_are_not_too_many(pbx, name):
    assert pbx.post(CONTACTS, json={name: "x" * 50, "PhoneNumber": "1"}).status_code == 201


def test_a_change_is_judged_by_what_would_come_out(pbx, book):
    assert pbx.patch(f"{CONTACTS}(1)", json={"Tag": "x"}).status_code == 204
    refused = pbx.patch(f"{CONTACTS}(1)", json={"PhoneNumber": ""})
    assert _details(refused) == [("PhoneNumber", "WARNINGS.CONTACTS_SPECIFY_PHONE_NUMBER")]
    assert book.get(1)["PhoneNumber"] == "+49 30 1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        json.dumps({**NEW, "Mobile": "1"}),
        json.dumps({**NEW, "Tag": 5}),
        json.dumps({**NEW, "ContactType": "Outlook"}),
        json.dumps({**NEW, "Tag": "\ud800"}),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_body_that_is_no_contact_is_400_and_changes_nothing(pbx, book, method, body):
    before = book.all()
    path = CONTACTS if method == "POST" else f"{CONTACTS}(1)"
    answer = pbx.request(method, path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert book.all() == before


@pytest.mark.parametrize("source", ["3CX", "CRM", "Google", "M365", None])
def test_every_source_of_the_enum_is_taken(pbx, source):
    assert pbx.post(CONTACTS, json={**NEW, "ContactType": source}).json()["ContactType"] == source


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", f"{CONTACTS}(1)"), ("DELETE", CONTACTS), ("POST", f"{CONTACTS}(1)")],
)
def test_a_method_that_does_not_exist_is_405(pbx, method, path):
    answer = pbx.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert answer.headers["x-3cx-version"] == "20.0.9.995"


@pytest.mark.parametrize(
    "path",
    [
        "/xapi/v1/Nowhere",
        "/xapi/v1/contacts",
        f"{CONTACTS}/",
        f"{CONTACTS}(x)",
        f"{CONTACTS}(-1)",
        f"{CONTACTS}/Pbx.BatchContactsDelete",
        "/xapi/v1",
        "/xapi/v2/Contacts",
        "/",
    ],
)
def test_an_unknown_route_is_404(pbx, path):
    assert pbx.get(path).status_code == 404
    assert pbx.post(path).status_code == 404


def test_the_bulk_delete_exists_and_has_no_word_for_ids_it_does_not_know(pbx, book):
    answer = pbx.post(f"{CONTACTS}/Pbx.DeleteContactsById", json={"ids": [2, 4, 99]})
    assert (answer.status_code, answer.content) == (204, b"")
    assert [row["Id"] for row in book.all()] == [1, 3, 5]


@pytest.mark.parametrize("body", [{}, {"Ids": [1]}, {"ids": 1}, {"ids": ["1"]}, [1], None])
def test_a_bulk_delete_with_a_wrong_body_deletes_nothing(pbx, book, body):
    answer = pbx.post(f"{CONTACTS}/Pbx.DeleteContactsById", json=body)
    assert _details(answer) == [("ids", "WARNINGS.XAPI.REQUIRED")]
    assert len(book) == 5


def test_the_service_document_the_model_and_the_version_can_be_read(pbx, server):
    root = f"{server.url}/xapi/v1/$metadata"
    assert pbx.get("/xapi/v1/").json() == {
        "@odata.context": root,
        "value": [
            {"name": "Contacts", "kind": "EntitySet", "url": "Contacts"},
            {"name": "Defs", "kind": "EntitySet", "url": "Defs"},
        ],
    }
    model = pbx.get("/xapi/v1/$metadata")
    assert model.headers["content-type"] == "application/xml"
    assert '<Property Name="Business2" Type="Edm.String"/>' in model.text
    version = pbx.get("/xapi/v1/Defs", params={"$select": "Id"})
    assert version.headers["x-3cx-version"] == "20.0.9.995"
    assert version.json() == {"@odata.context": f"{root}#Defs(Id)", "value": [{"Id": 1}]}
    assert pbx.get("/xapi/v1/Defs").json()["@odata.context"] == f"{root}#Defs"
    assert pbx.get("/xapi/v1/Defs", params={"$select": "Tag"}).status_code == 400


def test_a_head_request_is_a_get_without_its_body(pbx):
    answer = pbx.head(f"{CONTACTS}(1)")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"]


def test_a_change_may_be_answered_with_the_contact(pbx, turn):
    turn(patch_status="200")
    answer = pbx.patch(f"{CONTACTS}(1)", json={"Title": "new"})
    assert answer.status_code == 200
    body = answer.json()
    assert body["@odata.context"].endswith("#Contacts/$entity")
    assert (body["Id"], body["Title"]) == (1, "new")
    assert body["@odata.etag"] == answer.headers["etag"]
    assert answer.headers["etag"] == pbx.get(f"{CONTACTS}(1)").headers["etag"]
    assert pbx.patch(f"{CONTACTS}(1)", json={"PhoneNumber": ""}).status_code == 400


def test_a_delete_may_be_answered_with_the_contact_that_is_gone(pbx, turn, book):
    turn(delete_status="200")
    answer = pbx.delete(f"{CONTACTS}(1)")
    assert answer.status_code == 200
    assert (answer.json()["Id"], answer.json()["FirstName"]) == (1, "Ada")
    assert answer.json()["@odata.context"].endswith("#Contacts/$entity")
    assert book.get(1) is None
    assert pbx.delete(f"{CONTACTS}(1)").status_code == 404


def test_contacts_of_departments_and_persons_may_stand_in_the_listing_or_not(pbx, turn, book):
    others = [book.add({"FirstName": "D", "PhoneNumber": "1"}, scope="department")]
    others.append(book.add({"FirstName": "P", "PhoneNumber": "1"}, scope="person"))

    def listed(**query):
        body = pbx.get(CONTACTS, params={"$count": "true", **query}).json()
        assert body["@odata.count"] == len(body["value"])
        return [row["Id"] for row in body["value"]]

    assert listed() == [1, 2, 3, 4, 5]
    assert listed(**{"$filter": "Id gt 4"}) == [5]
    turn(list_scope="all")
    assert listed() == [1, 2, 3, 4, 5, *others]
    assert listed(**{"$filter": "Id gt 4"}) == [5, *others]
    rows = pbx.get(CONTACTS).json()["value"]
    assert len({tuple(row) for row in rows}) == 1


@pytest.mark.parametrize("list_scope", ["company", "all"])
def test_by_its_id_every_contact_can_be_read_changed_and_deleted(pbx, turn, book, list_scope):
    turn(list_scope=list_scope)
    other = book.add({"FirstName": "D", "PhoneNumber": "1"}, scope="department")
    path = f"{CONTACTS}({other})"
    assert pbx.get(path).json()["FirstName"] == "D"
    assert pbx.patch(path, json={"Tag": "x"}).status_code == 204
    assert (len(pbx.get(CONTACTS).json()["value"]) == 6) == (list_scope == "all")
    assert pbx.delete(path).status_code == 204
    assert book.get(other) is None


def test_an_id_may_be_given_to_another_contact(pbx, turn):
    for contact_id in (4, 2):
        assert pbx.delete(f"{CONTACTS}({contact_id})").status_code == 204
    assert pbx.post(CONTACTS, json=NEW).json()["Id"] == 6
    stale = pbx.get(f"{CONTACTS}(1)").headers["etag"]
    pbx.delete(f"{CONTACTS}(1)")
    turn(id_reuse="reused")
    assert [pbx.post(CONTACTS, json=NEW).json()["Id"] for _ in range(4)] == [1, 2, 4, 7]
    listed = pbx.get(CONTACTS, params={"$filter": "Id gt 1"}).json()["value"]
    assert [row["Id"] for row in listed] == [2, 3, 4, 5, 6, 7]
    assert pbx.delete(f"{CONTACTS}(1)", headers={"If-Match": stale}).status_code == 412


@pytest.mark.parametrize(
    ("version", "there", "unknown"),
    [
        ("20.0.8.1109", "Pbx.BatchContactsDelete", "Pbx.DeleteContactsById"),
        ("18.0", "Pbx.BatchContactsDelete", "Pbx.DeleteContactsById"),
        ("20.0.9", "Pbx.DeleteContactsById", "Pbx.BatchContactsDelete"),
        ("20.0.10.100", "Pbx.DeleteContactsById", "Pbx.BatchContactsDelete"),
        ("", "Pbx.DeleteContactsById", "Pbx.BatchContactsDelete"),
    ],
)
def test_the_bulk_delete_has_another_name_in_another_version(
    *, pbx, turn, book, version, there, unknown
):
    turn(version=version)
    assert pbx.post(f"{CONTACTS}/{unknown}", json={"ids": [1]}).status_code == 404
    assert pbx.get(f"{CONTACTS}/{there}").status_code == 405
    assert book.get(1)
    assert pbx.post(f"{CONTACTS}/{there}", json={"ids": [1]}).status_code == 204
    assert book.get(1) is None


@pytest.mark.parametrize(
    ("version", "status"), [("20.0.8.1109", 201), ("20.0.9.995", 400), ("", 400)]
)
def test_the_source_is_any_text_before_20_0_9_and_an_enum_since(pbx, turn, version, status):
    turn(version=version)
    made = pbx.post(CONTACTS, json={**NEW, "ContactType": "Outlook"})
    assert made.status_code == status
    assert pbx.post(CONTACTS, json={**NEW, "ContactType": "CRM"}).status_code == 201
    assert pbx.post(CONTACTS, json={**NEW, "ContactType": 5}).status_code == 400


@pytest.mark.parametrize("path", [CONTACTS, f"{CONTACTS}(1)", f"{CONTACTS}(99)", "/xapi/v1/x"])
def test_every_answer_has_the_version_of_this_pbx_or_hides_it(pbx, turn, path):
    turn(version="20.0.10.100")
    assert pbx.get(path).headers["x-3cx-version"] == "20.0.10.100"
    turn(version="")
    assert "x-3cx-version" not in pbx.get(path).headers
