"""Who may still be in the CRM though nothing is left but the name."""

from __future__ import annotations

import builders as b
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.match import match
from reconcile.core.namesakes import Person, Sought, find
from reconcile.core.text import Agreement, agreement, name_key
from reconcile.model import ClaimOrigin, Strength

ISLA = {"id": "7", "first_name": "Isla", "last_name": "Smith", "company": "Vesta Ltd"}


def strength(name, *, company="", crm_id="", record=ISLA, tag="", claimed=True, owner_tag=""):
    """Of a contact that has nothing but a number of its own, which the CRM doesn't know."""
    pbx = b.pbx(
        {"Id": 1, "FirstName": name, "CompanyName": company, "Home": "030 999999", "Tag": tag}
    )
    claims = {1: b.claim(pbx.contact(0), crm_id=crm_id)} if claimed else {}
    (found,) = match(b.crm(record), pbx, claims, region="DE", owner_tag=owner_tag).evidence
    return found.strength


@pytest.mark.parametrize(
    ("name", "company", "expected"),
    [
        ("Isla Smith", "", Strength.WEAK),
        ("Smith", "", Strength.WEAK),
        ("Isla", "", Strength.WEAK),
        ("I. Smith", "", Strength.WEAK),
        ("Smith, I.", "Other", Strength.WEAK),
        ("Isla Mary Smith", "", Strength.WEAK),
        ("I. S.", "", Strength.WEAK),
        ("Isl? Sm?th", "", Strength.WEAK),
        ("I?la Sm?th", "", Strength.WEAK),
        ("Ian Smith", "", None),
        ("I. X.", "", None),
        ("Isla Jones", "", None),
        ("Isla Jones", "Vesta", Strength.WEAK),
        ("Ian Smith", "Vesta", None),
        ("I. Smith", "VESTA Limited", Strength.WEAK),
    ],
)
def test_where_no_record_is_known_initials_are_enough_for_a_doubt(name, company, expected):
    assert strength(name, company=company) is expected


TWIN = {**ISLA, "id": "8", "phone": "030 7777777", "company": ""}
TWINS_CONTACT = {"Id": 2, "FirstName": "Isla", "LastName": "Smith", "PhoneNumber": "030 7777777"}


@pytest.mark.parametrize(
    ("records", "others", "name", "expected"),
    [
        ([ISLA], [], "Isla Smith", Strength.WEAK),  # a merge into a record of this name
        ([TWIN], [TWINS_CONTACT], "Isla Smith", None),  # a namesake with a contact of its own
        ([ISLA, TWIN], [], "Isla Smith", None),  # a name that many have
        ([ISLA], [], "Isla Q. Smith", None),
        ([{**ISLA, "first_name": ""}], [], "Smith", None),
        ([{**ISLA, "gone": True}], [], "Isla Smith", None),
    ],
)
def test_the_only_record_of_a_name_that_is_nobody_elses_may_be_what_a_merge_left(
    records, others, name, expected
):
    pbx = b.pbx({"Id": 1, "LastName": name, "Home": "030 999999"}, *others)
    claims = {1: b.claim(pbx.contact(0), crm_id="gone")}
    claims |= {pbx.ids[at]: b.claim(pbx.contact(at), crm_id="8") for at in range(1, len(pbx))}
    found = match(b.crm(*records), pbx, claims, region="DE").evidence[0]
    assert found.strength is expected


@pytest.mark.parametrize(("claimed_as", "expected"), [("2", Strength.WEAK), ("8", None)])
def test_what_two_records_were_merged_into_stands_for_both_contacts(claimed_as, expected):
    """The second contact matches the new record by its number; its claim knew another id."""
    pbx = b.pbx({"Id": 1, "LastName": "Isla Smith", "Home": "030 999999"}, TWINS_CONTACT)
    claims = {
        1: b.claim(pbx.contact(0), crm_id="1"),
        2: b.claim(pbx.contact(1), crm_id=claimed_as),
    }
    found = match(b.crm(TWIN), pbx, claims, region="DE").evidence
    assert [e.strength for e in found] == [expected, Strength.STRONG]


@pytest.mark.parametrize(
    ("name", "company", "expected"),
    [
        ("I. Smith", "", None),
        ("I. Smith", "Other", None),
        ("I. Smith", "Vesta Limited", Strength.WEAK),
        ("Smith", "vesta", Strength.WEAK),
        ("Ian Smith", "Vesta", None),
    ],
)
def test_where_the_record_is_known_and_gone_only_the_same_company_makes_a_doubt(
    name, company, expected
):
    assert strength(name, company=company, crm_id="gone") is expected


@pytest.mark.parametrize(("name", "expected"), [("Smith Isla", Strength.WEAK), ("I. Smith", None)])
def test_of_an_unclaimed_contact_only_the_very_name_is_worth_a_look(name, expected):
    assert strength(name, claimed=False) is expected


@pytest.mark.parametrize(("owner_tag", "expected"), [("crm", Strength.WEAK), ("", None)])
def test_the_owner_tag_is_as_good_as_a_claim(owner_tag, expected):
    assert strength("I. Smith", claimed=False, tag="crm", owner_tag=owner_tag) is expected
    assert strength("I. Smith", claimed=False, tag="", owner_tag="") is None


@pytest.mark.parametrize("known", ["I. S.", "Isla", "Smith", "Is?a Smi?h"])
def test_a_record_with_half_a_name_may_be_anybody_with_that_half(known):
    record = {**ISLA, "first_name": "", "last_name": known}
    assert strength("Isla Smith", record=record) is Strength.WEAK
    assert strength("Ann Lee", record=record) is None


@pytest.mark.parametrize(
    ("company", "crm_id", "lost", "expected"),
    [
        ("VESTA", "", "??", Strength.WEAK),
        ("VESTA", "", "???", None),  # words of other lengths
        ("VESTA", "", "", None),  # a record that never had a name
        ("VESTA", "gone", "??", None),
        ("Other", "", "??", None),
        ("", "", "??", None),
    ],
)
def test_a_name_that_lost_all_its_letters_may_be_anybodys_in_that_company(
    company, crm_id, lost, expected
):
    record = {**ISLA, "first_name": lost, "last_name": lost and "???"}
    assert strength("高橋 翔太郎", company=company, crm_id=crm_id, record=record) is expected


@pytest.mark.parametrize("name", ["Michael Zimmermann", "Jörg Öz", "Noël"])
def test_a_name_in_western_letters_never_loses_them_all(name):
    record = {**ISLA, "first_name": "????", "last_name": "??"}
    assert strength(name, company="Vesta", record=record) is None


@pytest.mark.parametrize(
    ("contact", "record"),
    [
        ("Żaneta Kowalska", "?aneta Kowalska"),
        ("Michał Kowalski", "Kowalski Micha?"),
        ("Łukasz Wałęsa", "?ukasz Wa??sa"),
        ("Paweł", "Pawe? Nowak"),
        ("Pawe? Nowak", "Paweł M. Nowak"),
    ],
)
def test_a_letter_may_be_lost_anywhere(contact, record):
    known = {"id": "7", "full_name": record, "company": "Vesta"}
    assert strength(contact, company="VESTA", record=known) is Strength.WEAK


@pytest.mark.parametrize(
    ("name", "company", "expected"),
    [
        ("Isla Jones", "Vesta", Strength.WEAK),  # a new surname
        ("Isla Smyth", "Vesta", Strength.WEAK),  # or another spelling of it
        ("Isl Smith", "Vesta", Strength.WEAK),  # a nickname
        ("Ian Smith", "Vesta", None),  # a colleague of the same name
        ("Is Smith", "Vesta", None),
        ("Isla Jones", "Other", None),
        ("Isla Jones", "", None),
    ],
)
def test_half_a_name_in_the_same_company_may_be_a_new_surname(name, company, expected):
    """Where no id is known, and that record is nobody else's: every company has two such."""
    first, last = name.split()
    contact = {"Id": 1, "FirstName": first, "LastName": last, "CompanyName": company}
    own = {"Id": 2, "FirstName": "Isla", "LastName": "Smith", "PhoneNumber": "030 7777777"}
    pbx = b.pbx({**contact, "Home": "030 999999"}, own)
    claims = {1: b.claim(pbx.contact(0), crm_id="")}
    both = {**claims, 2: b.claim(pbx.contact(1), crm_id="7")}
    known = {1: b.claim(pbx.contact(0), crm_id="gone")}
    free, taken = b.crm(ISLA), b.crm({**ISLA, "phone": "030 7777777"})
    assert match(free, pbx, claims, region="DE").evidence[0].strength is expected
    assert match(taken, pbx, both, region="DE").evidence[0].strength is None
    assert match(free, pbx, known, region="DE").evidence[0].strength is None


def test_without_first_names_apart_half_a_name_in_the_same_company_is_a_doubt():
    record = {"id": "7", "full_name": "Isla Smith", "company": "Vesta"}
    assert strength("Isla Jones", company="Vesta", record=record) is Strength.WEAK


@pytest.mark.parametrize(
    ("crm_id", "record", "expected"),
    [
        ("", {"company": "Vesta Ltd"}, Strength.WEAK),  # the company itself, with another number
        ("gone", {"company": "Vesta Ltd"}, Strength.WEAK),
        ("", ISLA, Strength.WEAK),  # somebody there; which one, nobody knows
        ("gone", ISLA, Strength.WEAK),
        ("", {"company": "Other"}, None),
        ("gone", {"company": "Vesta", "gone": True}, None),
    ],
)
def test_a_contact_that_is_a_company_is_looked_for_by_its_company(crm_id, record, expected):
    pbx = b.pbx({"Id": 1, "CompanyName": "VESTA", "PhoneNumber": "030 999999"})
    claims = {1: b.claim(pbx.contact(0), crm_id=crm_id)}
    found = match(b.crm({"id": "9", **record}), pbx, claims, region="DE").evidence[0]
    assert found.strength is expected
    unclaimed = match(b.crm({"id": "9", **ISLA}), pbx, {}, region="DE").evidence[0]
    assert unclaimed.strength is None


def test_a_record_without_a_name_is_no_namesake_of_anybody():
    assert strength("Isla Smith", company="Vesta", record={"id": "9", "company": "Vesta"}) is None


def test_an_adopted_contact_is_compared_by_its_name_too():
    pbx = b.pbx({"Id": 1, "LastName": "I. Smith", "Home": "030 999999"})
    claims = {1: b.claim(pbx.contact(0), crm_id="", origin=ClaimOrigin.ADOPT)}
    assert match(b.crm(ISLA), pbx, claims, region="DE").evidence[0].strength is Strength.WEAK


def test_the_best_of_several_namesakes_is_named():
    sought = [Sought(3, "isla smith", "", "isla", Agreement.INITIALS)]
    names = ["i smith", "isla smith", "isla smith", "smith"]
    people = [Person(row, name, "", "", free=True) for row, name in enumerate(names)]
    assert find(sought, people) == {3: 1}


WORDS = st.sampled_from(["anna", "a", "bo", "b", "lee", "l", "小明", "x?y"])
NAMES = st.lists(WORDS, min_size=1, max_size=3).map(lambda words: name_key(" ".join(words)))


@given(NAMES, NAMES)
def test_nobody_is_overlooked_whose_initials_agree(one, other):
    """Names of initials only are compared if they have the same ones: J. fits half the world."""
    bare = [all(len(w) == 1 and w.isascii() for w in name.split()) for name in (one, other)]
    letters = [sorted(word[0] for word in name.split()) for name in (one, other)]
    lost = "?" in one + other and not set(one.split()) & set(other.split())
    if not lost and (not any(bare) or letters[0] == letters[1]):
        sought = Sought(0, one, "", "", Agreement.INITIALS)
        found = find([sought], [Person(9, other, "", "", free=False)])
        assert bool(found) == (agreement(one, other) >= Agreement.INITIALS)
