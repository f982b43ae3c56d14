from __future__ import annotations

import re

import pytest

CONTACTS = "/xapi/v1/Contacts"


def _tag(pbx, contact_id=1):
    return pbx.get(f"{CONTACTS}({contact_id})").headers.get("etag")


def _delete(pbx, if_match, contact_id=1):
    headers = {} if if_match is None else {"If-Match": if_match}
    return pbx.delete(f"{CONTACTS}({contact_id})", headers=headers).status_code


@pytest.mark.parametrize(
    ("kind", "form"), [("weak", r'W/"[\w+/]+={0,2}"'), ("strong", r'"[\w+/]+={0,2}"')]
)
def test_the_same_tag_is_issued_in_the_list_the_entity_and_the_header(pbx, turn, kind, form):
    turn(etags=kind)
    listed = {row["Id"]: row["@odata.etag"] for row in pbx.get(CONTACTS).json()["value"]}
    assert len(set(listed.values())) == 5
    single = pbx.get(f"{CONTACTS}(3)")
    assert re.fullmatch(form, listed[3])
    assert single.headers["etag"] == single.json()["@odata.etag"] == listed[3]


def test_a_pbx_without_etags_issues_none_anywhere(pbx, turn):
    turn(etags="none")
    assert "@odata.etag" not in pbx.get(CONTACTS).text
    single = pbx.get(f"{CONTACTS}(3)")
    assert "etag" not in single.headers
    assert "@odata.etag" not in single.json()
    assert "etag" not in pbx.get(CONTACTS).headers


@pytest.mark.parametrize("kind", ["weak", "strong"])
def test_the_tag_that_was_issued_lets_the_delete_through(pbx, turn, book, kind):
    turn(etags=kind)
    assert _delete(pbx, _tag(pbx)) == 204
    assert book.get(1) is None


def test_a_stale_tag_is_refused_and_nothing_happens(pbx, book, server):
    stale = _tag(pbx)
    book.edit(1, {"Title": "edited"})
    answer = pbx.delete(f"{CONTACTS}(1)", headers={"If-Match": stale})
    assert answer.status_code == 412
    assert answer.json()["error"]["message"]
    assert book.get(1)["Title"] == "edited"
    assert server.requests[-1].if_match == stale
    assert server.requests[-1].status == 412


def test_an_edit_that_was_undone_makes_the_old_tag_stale_too(pbx, book):
    stale = _tag(pbx)
    book.edit(1, {"FirstName": "x"})
    book.edit(1, {"FirstName": "Ada"})
    assert _delete(pbx, stale) == 412


def test_a_tag_is_compared_byte_for_byte(pbx, turn):
    weak = _tag(pbx)
    assert _delete(pbx, weak.removeprefix("W/")) == 412
    assert _delete(pbx, weak.replace("W/", "w/")) == 412
    assert _delete(pbx, weak.strip('W/"')) == 412
    assert _delete(pbx, f"{weak} ; x") == 412
    turn(etags="strong")
    assert _delete(pbx, weak) == 412
    assert _delete(pbx, weak.replace("W/", "w/")) == 412
    assert _delete(pbx, _tag(pbx)) == 204


def test_a_tag_of_another_contact_is_stale(pbx):
    assert _delete(pbx, _tag(pbx, 2)) == 412


def test_one_of_several_tags_is_enough(pbx):
    assert _delete(pbx, f'"other", {_tag(pbx)}') == 204


@pytest.mark.parametrize("if_match", ["*", None, ""])
def test_a_star_an_empty_and_an_absent_header_are_no_condition(pbx, book, server, if_match):
    book.edit(1, {"Title": "edited"})
    assert _delete(pbx, if_match) == 204
    assert server.requests[-1].if_match == if_match


def test_two_headers_are_one_list(pbx, server):
    tag = _tag(pbx)
    answer = pbx.delete(f"{CONTACTS}(1)", headers=[("If-Match", '"x"'), ("If-Match", tag)])
    assert answer.status_code == 204
    assert server.requests[-1].if_match == f'"x", {tag}'


def test_a_missing_contact_is_404_whatever_the_condition(pbx):
    assert _delete(pbx, "*", 99) == 404
    assert _delete(pbx, 'W/"x"', 99) == 404


def test_a_pbx_may_ignore_the_condition(pbx, turn, book):
    stale = _tag(pbx)
    book.edit(1, {"Title": "edited"})
    turn(if_match="ignored")
    assert _delete(pbx, stale) == 204
    assert book.get(1) is None


def test_a_pbx_without_etags_that_enforces_lets_no_tag_pass(pbx, turn):
    turn(etags="none")
    assert _delete(pbx, '""') == 412
    assert _delete(pbx, '"x",') == 412
    assert _delete(pbx, 'W/"x"') == 412
    assert _delete(pbx, None) == 204


def test_a_change_has_the_same_condition_and_gives_a_new_tag(pbx):
    first = _tag(pbx)
    patch = {"headers": {"If-Match": first}, "json": {"Title": "x"}}
    assert pbx.patch(f"{CONTACTS}(1)", **patch).status_code == 204
    assert _tag(pbx) != first
    assert pbx.patch(f"{CONTACTS}(1)", **patch).status_code == 412


@pytest.mark.parametrize(
    ("place", "in_body", "in_header"),
    [("both", True, True), ("body", True, False), ("header", False, True)],
)
def test_a_tag_is_emitted_in_the_body_or_in_the_header_or_in_both(
    *, pbx, turn, place, in_body, in_header
):
    turn(etag_emit=place, patch_status="200")
    listing = pbx.get(CONTACTS)
    assert all(("@odata.etag" in row) == in_body for row in listing.json()["value"])
    assert "etag" not in listing.headers
    singles = [
        pbx.get(f"{CONTACTS}(1)"),
        pbx.post(CONTACTS, json={"FirstName": "N", "PhoneNumber": "9"}),
        pbx.patch(f"{CONTACTS}(1)", json={"Title": "x"}),
    ]
    for single in singles:
        assert ("@odata.etag" in single.json()) == in_body
        assert ("etag" in single.headers) == in_header
    issued = singles[2].headers.get("etag") or singles[2].json()["@odata.etag"]
    assert _delete(pbx, issued) == 204


@pytest.mark.parametrize("place", ["both", "body", "header"])
def test_where_no_tags_are_issued_none_is_emitted_in_any_place(pbx, turn, place):
    turn(etags="none", etag_emit=place)
    single = pbx.get(f"{CONTACTS}(3)")
    assert "etag" not in single.headers
    assert "@odata.etag" not in single.text + pbx.get(CONTACTS).text


@pytest.mark.parametrize("none", [None, ""])
def test_a_condition_may_be_required(pbx, turn, book, none):
    turn(if_match="required")
    assert _delete(pbx, none) == 428
    assert _delete(pbx, '"stale"') == 412
    assert book.get(1)
    assert _delete(pbx, _tag(pbx)) == 204
    assert _delete(pbx, "*", 2) == 204
    assert _delete(pbx, None, 99) == 404


@pytest.mark.parametrize(("kind", "status"), [("always_412", 412), ("malformed", 400)])
def test_every_condition_may_be_refused_even_the_right_one(*, pbx, turn, book, kind, status):
    turn(if_match=kind)
    assert [_delete(pbx, each) for each in (_tag(pbx), '"stale"', "*")] == [status] * 3
    assert book.get(1)
    assert _delete(pbx, None) == 204
    assert _delete(pbx, "", 2) == 204


def test_a_condition_that_can_not_be_read_is_refused_in_the_form_of_odata(pbx, turn):
    turn(if_match="malformed")
    answer = pbx.delete(f"{CONTACTS}(1)", headers={"If-Match": _tag(pbx)})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "The ETag is not well-formed."


@pytest.mark.parametrize("kind", ["enforced", "required", "always_412", "malformed"])
def test_a_change_needs_no_condition_and_honours_one_whatever_a_delete_does(pbx, turn, kind):
    turn(if_match=kind)
    path = f"{CONTACTS}(1)"
    assert pbx.patch(path, json={"Title": "x"}).status_code == 204
    right = {"If-Match": _tag(pbx)}
    assert pbx.patch(path, json={"Title": "y"}, headers=right).status_code == 204
    assert pbx.patch(path, json={"Title": "z"}, headers=right).status_code == 412
    turn(if_match="ignored")
    assert pbx.patch(path, json={"Title": "z"}, headers=right).status_code == 204
