from __future__ import annotations

import threading

import phonenumbers
import pytest

from reconcile.sandbox import Book
from reconcile.sandbox.book import SOURCES, TEXTS
from reconcile.sandbox.people import people


def test_ids_count_up_and_are_never_used_twice():
    book = Book()
    first, second = book.add({"FirstName": "A"}), book.add({"FirstName": "B"})
    book.remove(second)
    assert (first, second, book.add({"FirstName": "C"})) == (1, 2, 3)
    assert [row["Id"] for row in book.all()] == [1, 3]
    assert len(book) == 2


def test_a_contact_has_all_seventeen_properties_and_null_differs_from_empty():
    book = Book()
    contact = book.get(book.add({"LastName": "", "Tag": "7"}))
    assert list(contact) == ["Id", *TEXTS]
    assert len(contact) == 17
    assert (contact["FirstName"], contact["LastName"], contact["Tag"]) == (None, "", "7")
    assert contact["ContactType"] == "3CX"


def test_an_edit_changes_only_what_it_names_and_keeps_the_place_in_the_listing():
    book = Book()
    for name in "ABC":
        book.add({"FirstName": name, "Tag": "1"})
    book.edit(2, {"FirstName": "new"})
    assert [row["FirstName"] for row in book.all()] == ["A", "new", "C"]
    assert book.get(2)["Tag"] == "1"


def test_every_edit_gives_a_version_that_was_never_there_even_if_nothing_changes():
    book = Book()
    book.add({"FirstName": "A"})
    seen = [book.row(1).version]
    for name in ("B", "A", "A"):
        book.edit(1, {"FirstName": name})
        seen.append(book.row(1).version)
    assert len(set(seen)) == 4


def test_what_the_book_hands_out_may_be_changed_without_changing_the_book():
    book = Book()
    book.add({"FirstName": "A"})
    book.get(1)["FirstName"] = "spoilt"
    book.all()[0]["FirstName"] = "spoilt"
    assert book.get(1)["FirstName"] == "A"


def test_the_listing_is_made_once_per_change():
    book = Book.seeded(3)
    before = book.rows()
    assert book.rows() is before
    book.edit(1, {"Tag": "x"})
    assert book.rows() is not before
    assert before[0].fields["Tag"] != "x"


def test_a_missing_contact_is_none_to_read_and_an_error_to_change():
    book = Book()
    assert book.get(1) is None
    with pytest.raises(KeyError):
        book.edit(1, {"Tag": "x"})
    with pytest.raises(KeyError):
        book.remove(1)


@pytest.mark.parametrize(
    "fields", [{"Mobile": "1"}, {"Id": "5"}, {"Tag": 5}, {"Tag": "\ud800"}], ids=repr
)
def test_what_no_contact_can_hold_is_refused_and_nothing_is_stored(fields):
    book = Book()
    book.add({"Tag": "kept"})
    with pytest.raises(ValueError, match=r"no property|is text|surrogates"):
        book.add(fields)
    with pytest.raises(ValueError, match=r"no property|is text|surrogates"):
        book.edit(1, fields)
    assert [row["Tag"] for row in book.all()] == ["kept"]


def test_threads_that_add_at_once_lose_nothing():
    book = Book()
    threads = [
        threading.Thread(target=lambda: [book.add({"Tag": "x"}) for _ in range(200)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row["Id"] for row in book.all()] == list(range(1, 1601))


def test_a_seed_decides_everything():
    assert Book.seeded(150, seed=3).all() == Book.seeded(150, seed=3).all()
    assert Book.seeded(150, seed=3).all() != Book.seeded(150, seed=4).all()


@pytest.mark.parametrize("n", [0, 1, 250])
def test_a_seeded_book_has_as_many_contacts_as_asked(n):
    assert len(Book.seeded(n)) == n


def test_a_seeded_book_is_as_untidy_as_a_real_one():
    contacts = Book.seeded(1000).all()
    assert {c["ContactType"] for c in contacts} == set(SOURCES)
    assert sum(c["ContactType"] == "3CX" for c in contacts) == 970
    assert {c["Mobile2"] for c in contacts} >= {None, ""}
    assert {c["Other"] for c in contacts} == {None, "", "nur vormittags"}
    assert max(len(c["CompanyName"]) for c in contacts) == 50
    assert any(not (c["FirstName"] + c["LastName"]).isascii() for c in contacts)
    emails = [c["Email"] for c in contacts]
    assert len(emails) - len(set(emails)) == 10
    tags = [c["Tag"] for c in contacts if c["Tag"]]
    assert len(tags) == len(set(tags)) == 980
    switchboards = [c["Business2"] for c in contacts if c["Business2"]]
    assert 0 < len(switchboards) < 200


def test_numbers_are_written_in_many_ways_and_all_can_be_read():
    contacts = Book.seeded(500).all()
    numbers = [c["PhoneNumber"] for c in contacts] + [c["Business"] for c in contacts]
    starts = {number[:3] for number in numbers}
    assert {"+49", "004", "(01", "017", "+1 ", "+1-", "001"} <= starts
    for number in numbers:
        assert phonenumbers.is_possible_number(phonenumbers.parse(number, "DE"))


def test_no_two_people_share_a_number_or_an_address():
    everybody = people(20_000)
    for owned in ("mobile", "business", "email", "crm_id"):
        assert len({getattr(person, owned) for person in everybody}) == len(everybody)
    business = {person.business for person in everybody}
    assert not business & {person.switchboard for person in everybody}


def test_every_address_can_be_an_address():
    assert all(person.email.isascii() for person in people(3000))


def test_a_removed_id_is_used_again_if_asked_the_lowest_first():
    book = Book()
    for name in "ABCD":
        book.add({"FirstName": name})
    before = book.row(2).version
    book.remove(3)
    book.remove(2)
    assert book.add({"FirstName": "E"}) == 5
    assert [book.add({"FirstName": name}, reuse_id=True) for name in "FGH"] == [2, 3, 6]
    assert [row["Id"] for row in book.all()] == [1, 2, 3, 4, 5, 6]
    assert book.get(2)["FirstName"] == "F"
    assert book.row(2).version != before


def test_a_contact_stands_in_the_phonebook_of_the_company_a_department_or_a_person():
    book = Book()
    for scope in ("company", "department", "person"):
        book.add({"FirstName": "A"}, scope=scope)
    book.add({"FirstName": "A"})
    book.edit(2, {"Tag": "x"})
    assert [row.id for row in book.company_rows()] == [1, 4]
    assert [row["Id"] for row in book.all()] == [1, 2, 3, 4]
    assert book.get(1).keys() == book.get(2).keys()
    assert len(book) == 4


def test_the_company_s_listing_is_made_once_per_change():
    book = Book.seeded(3)
    before = book.company_rows()
    assert book.company_rows() is before
    book.remove(2)
    assert [row.id for row in book.company_rows()] == [1, 3]
    book.add({"FirstName": "A"})
    assert [row.id for row in book.company_rows()] == [1, 3, 4]


def test_an_unknown_scope_is_refused_and_nothing_is_stored():
    book = Book()
    with pytest.raises(ValueError, match=r"^scope is one of company, department, person; not 'me'"):
        book.add({"FirstName": "A"}, scope="me")
    assert len(book) == 0
