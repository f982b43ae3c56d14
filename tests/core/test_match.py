"""The diff: what proves that a contact is somebody in the CRM."""

from __future__ import annotations

import builders as b
import pytest

from reconcile.core import words
from reconcile.core.match import match
from reconcile.model import Strength

JO = {"Id": 1, "FirstName": "Jo", "LastName": "Doe", "PhoneNumber": "+49301234567"}
RECORD = {"id": "4711", "first_name": "Jo", "last_name": "Doe", "phone": "030 1234567"}


def evidence(crm, pbx, claims=None):
    return match(crm, pbx, claims or {}, region="DE").evidence


def only(crm, pbx, claims=None):
    (one,) = evidence(crm, pbx, claims)
    return one


# ------------------------------------------------------------------ strong


def test_an_unshared_number_with_the_same_name_is_strong():
    found = only(b.crm(RECORD), b.pbx(JO))
    assert found.strength is Strength.STRONG
    assert words.sentence(found.proofs[0], "Jo Doe") == (
        "number +49 30 1234567 belongs to CRM record 4711, and the names agree"
    )


@pytest.mark.parametrize("name", ["Josephine Doe-Doe Jo", "Doe", "J. Doe", "DOE Jo"])
def test_an_unshared_number_with_a_compatible_name_is_strong(name):
    assert only(b.crm(RECORD), b.pbx({**JO, "FirstName": name, "LastName": ""})).strength == 2


def test_an_unshared_number_without_names_is_strong_only_with_the_same_company():
    record = {**RECORD, "first_name": "", "last_name": "", "company": "ACME GmbH"}
    nameless = {"Id": 1, "PhoneNumber": "+49301234567", "CompanyName": "ACME"}
    assert only(b.crm(record), b.pbx(nameless)).strength is Strength.STRONG
    other = {**nameless, "CompanyName": "Umbrella"}
    assert only(b.crm(record), b.pbx(other)).strength is Strength.WEAK


def test_an_unshared_address_is_strong_whatever_the_name():
    record = {**RECORD, "phone": "", "email": "jo@example.com"}
    contact = {"Id": 1, "FirstName": "Somebody", "LastName": "Else", "Email": "JO@example.com"}
    assert only(b.crm(record), b.pbx(contact)).strength is Strength.STRONG


def test_a_plus_address_protects():
    record = {**RECORD, "phone": "", "email": "jo+crm@example.com"}
    contact = {**JO, "PhoneNumber": "0999 1", "Email": "jo@example.com"}
    assert only(b.crm(record), b.pbx(contact)).strength is Strength.STRONG


def test_name_with_company_is_strong():
    record = {**RECORD, "phone": "", "company": "ACME GmbH"}
    contact = {"Id": 1, "FirstName": "Doe", "LastName": "Jo", "CompanyName": "Acme"}
    found = only(b.crm(record), b.pbx(contact))
    assert found.strength is Strength.STRONG
    assert found.proofs[0].kind == "name_company"


def test_a_living_claim_is_strong_when_nothing_else_agrees_any_more():
    contact = {"Id": 1, "FirstName": "Jo", "LastName": "Doe", "PhoneNumber": "030 999999"}
    pbx = b.pbx(contact)
    claims = {1: b.claim(pbx.contact(0))}
    record = {**RECORD, "phone": "040 7654321"}
    found = only(b.crm(record), pbx, claims)
    assert found.proofs[0].kind == "claim"
    assert words.sentence(found.proofs[0], "Jo Doe") == (
        "its CRM record 4711 is still in the CRM, and the names agree"
    )


def test_a_claim_whose_record_was_merged_leads_to_the_master():
    pbx = b.pbx({**JO, "PhoneNumber": "030 999999"})
    claims = {1: b.claim(pbx.contact(0), crm_id="1")}
    crm = b.crm(
        {"id": "1", "first_name": "Jo", "last_name": "Doe", "gone": True, "merged_into": "2"},
        {"id": "2", "first_name": "Jo", "last_name": "Doe", "gone": True, "merged_into": "3"},
        {"id": "3", "first_name": "Jo", "last_name": "Doe", "phone": "040 7654321"},
    )
    proof = only(crm, pbx, claims).proofs[0]
    assert (proof.kind, proof.crm_id, proof.strength) == ("claim", "3", Strength.STRONG)
    tagged = b.pbx({"Id": 1, "FirstName": "Jo", "LastName": "Doe", "Tag": "2"})
    proof = only(crm, tagged).proofs[0]
    assert (proof.kind, proof.crm_id, proof.strength) == ("crm_id", "3", Strength.STRONG)


def test_only_a_record_that_is_gone_is_led_on_to_another():
    pbx = b.pbx({**JO, "PhoneNumber": "030 999999"})
    claims = {1: b.claim(pbx.contact(0), crm_id="1")}
    crm = b.crm(
        {"id": "1", "first_name": "Jo", "last_name": "Doe", "merged_into": "2"},
        {"id": "2", "first_name": "Ann", "last_name": "Lee", "phone": "040 7654321"},
        {"id": "", "first_name": "Ida", "last_name": "Noe", "gone": True, "merged_into": "2"},
        {"id": "4", "first_name": "Ute", "last_name": "Alt", "gone": True, "merged_into": ""},
    )
    proof = only(crm, pbx, claims).proofs[0]
    assert (proof.kind, proof.crm_id) == ("claim", "1")


def test_records_that_are_merged_in_a_circle_prove_nothing():
    pbx = b.pbx({**JO, "PhoneNumber": "030 999999"})
    claims = {1: b.claim(pbx.contact(0), crm_id="1")}
    crm = b.crm(
        {"id": "1", "gone": True, "merged_into": "2"}, {"id": "2", "gone": True, "merged_into": "1"}
    )
    assert only(crm, pbx, claims).strength is None


def test_a_tag_that_is_a_living_crm_id_is_strong_unless_the_names_differ():
    record = {**RECORD, "phone": ""}
    tagged = {"Id": 1, "FirstName": "Jo", "LastName": "Doe", "Tag": "4711"}
    assert only(b.crm(record), b.pbx(tagged)).proofs[0].kind == "crm_id"
    stranger = {**tagged, "FirstName": "Ann", "LastName": "Lee"}
    assert only(b.crm(record), b.pbx(stranger)).strength is Strength.WEAK


def test_the_claimed_record_is_preferred_to_all_others():
    pbx = b.pbx({**JO, "Email": "ann@example.com"})
    claims = {1: b.claim(pbx.contact(0))}
    crm = b.crm(
        {"id": "1", "first_name": "Ann", "last_name": "Lee", "email": "ann@example.com"}, RECORD
    )
    assert only(crm, pbx, claims).proofs[0].crm_id == "4711"


# ------------------------------------------------------------------ shared keys


SWITCHBOARD = "030 5550000"


def _two_people(**more):
    return b.crm(
        {"id": "1", "first_name": "Ann", "last_name": "Lee", "phone": SWITCHBOARD, **more},
        {"id": "2", "first_name": "Bob", "last_name": "Ray", "phone": SWITCHBOARD},
    )


def test_a_shared_number_with_the_full_name_of_one_is_strong():
    contact = {"Id": 1, "FirstName": "Bob", "LastName": "Ray", "PhoneNumber": SWITCHBOARD}
    assert only(_two_people(), b.pbx(contact)).proofs[0].crm_id == "2"


@pytest.mark.parametrize(
    ("names", "strength"),
    [
        ([("Bob William", "Ray"), ("Ann", "Lee")], Strength.STRONG),
        ([("Bob William", "Ray"), ("Bob William", "Ray")], Strength.STRONG),  # twice in the CRM
        ([("Bob William", "Ray"), ("Bob Xaver", "Ray")], Strength.WEAK),
    ],
)
def test_a_shared_number_with_a_shorter_name_is_strong_if_it_fits_one_person(names, strength):
    crm = b.crm(
        *(
            {"id": str(at), "first_name": first, "last_name": last, "phone": SWITCHBOARD}
            for at, (first, last) in enumerate(names)
        )
    )
    contact = {"Id": 1, "FirstName": "Bob", "LastName": "Ray", "PhoneNumber": SWITCHBOARD}
    assert only(crm, b.pbx(contact)).strength is strength


def test_a_shared_number_alone_is_weak():
    contact = {"Id": 1, "FirstName": "Eve", "LastName": "Fox", "PhoneNumber": SWITCHBOARD}
    found = only(_two_people(), b.pbx(contact))
    assert found.strength is Strength.WEAK
    assert words.sentence(found.proofs[0], "Jo Doe") == (
        "number +49 30 5550000 alone proves nothing: 2 in the CRM share it, none with this name,"
        " and it has no number or address of its own"
    )
    proof = found.proofs[0]
    assert (proof.kind, proof.crm_id, proof.crm_row, proof.crm_name) == ("number", "", 0, "")


def test_an_address_that_two_people_have_is_shared_and_that_of_one_who_is_gone_is_not():
    one = {"id": "1", "first_name": "Ann", "last_name": "Lee", "email": "duo@x.de"}
    two = {"id": "2", "first_name": "Bob", "last_name": "Ray", "email": "duo@x.de"}
    contact = {"Id": 1, "FirstName": "Eve", "LastName": "Fox", "Email": "duo@x.de"}
    found = only(b.crm(one, two), b.pbx(contact))
    assert found.strength is Strength.WEAK
    assert found.proofs[0].why.startswith("2 in the CRM share it")
    found = only(b.crm(one, two), b.pbx({**contact, "FirstName": "Bob", "LastName": "Ray"}))
    assert (found.proofs[0].crm_id, found.proofs[0].shared) == ("2", True)
    found = only(b.crm(one, {**two, "gone": True}), b.pbx(contact))
    assert (found.strength, found.proofs[0].shared) == (Strength.STRONG, False)


@pytest.mark.parametrize(
    ("contact", "has_key"),
    [
        ({"PhoneNumber": "030 999999"}, True),
        ({"Email": "jo@example.com"}, True),
        ({"FirstName": "Jo", "CompanyName": "ACME"}, True),
        ({"FirstName": "Jo", "LastName": "Doe"}, False),
        ({"CompanyName": "ACME", "PhoneNumber": "110"}, False),
    ],
)
def test_a_contact_has_a_key_if_it_could_be_known_by_it(contact, has_key):
    found = evidence(b.crm(RECORD), b.pbx({"Id": 7, **contact}, {**JO, "Id": 8}))
    assert [e.contact_id for e in found] == [7, 8]
    assert [e.has_key for e in found] == [has_key, True]


def test_of_several_proofs_the_best_kind_and_then_the_better_name_claims():
    both = {**JO, "Home": "030 7777777", "Email": "jo@example.com"}
    by_number = {**RECORD, "id": "1"}
    by_address = {**RECORD, "id": "2", "phone": "", "email": "jo@example.com"}
    shorter = {"id": "3", "first_name": "J.", "last_name": "Doe", "phone": "030 7777777"}

    def first(*records):
        return only(b.crm(*records), b.pbx(both)).proofs[0]

    assert (first(by_number, by_address).kind, first(by_number, by_address).crm_id) == (
        "email",
        "2",
    )
    assert first(shorter, by_number).crm_id == "1"
    assert first(by_number, shorter).crm_id == "1"
    other = {**by_address, "first_name": "Ann", "last_name": "Lee"}  # keeps, but does not own
    assert first(other, by_number).crm_id == "1"


@pytest.mark.parametrize(
    ("names", "shared"),
    [
        (["Jo Doe", "Jo M. Doe", "Jo Maria Doe", "Doe, Jo"], False),
        (["Jo Doe", "Jo M. Doe", "Jo Maria Doe", "Jo Maria Ann Doe"], False),
        (["Jo Doe", "Jo M. Doe", "Jo Maria Doe", "Jo Max Doe"], True),
        (["Jo Doe", "Jo Ann Doe", "Jo Ann B. Doe", "Jo Ann Bea Doe", "Jo Ann Bea C. Doe"], True),
    ],
)
def test_up_to_four_spellings_are_one_person_and_more_are_several(names, shared):
    crm = b.crm(
        *({"id": str(at), "full_name": name, "phone": SWITCHBOARD} for at, name in enumerate(names))
    )
    found = only(crm, b.pbx({**JO, "PhoneNumber": SWITCHBOARD}))
    assert {proof.shared for proof in found.proofs} == {shared}


@pytest.mark.parametrize(("carriers", "weak"), [(50, 5), (51, 1)])
def test_a_word_that_more_than_fifty_carry_tells_nobody_apart(carriers, weak):
    """With fifty it names some of them; with more it says only that they share the number."""
    crm = b.crm(
        *(
            {"id": str(at), "first_name": f"F{at}x", "last_name": "Acme", "phone": SWITCHBOARD}
            for at in range(carriers)
        )
    )
    contact = {"Id": 1, "FirstName": "Zed", "LastName": "Acme", "PhoneNumber": SWITCHBOARD}
    found = only(crm, b.pbx(contact))
    assert (found.strength, len(found.proofs)) == (Strength.WEAK, weak)


def test_nobody_without_a_name_is_told_from_others_by_having_none():
    crm = b.crm(
        {"id": "1", "phone": SWITCHBOARD},
        {"id": "2", "first_name": "Bob", "last_name": "Ray", "phone": SWITCHBOARD},
    )
    found = only(crm, b.pbx({"Id": 1, "PhoneNumber": SWITCHBOARD}))
    assert found.strength is Strength.WEAK
    assert found.proofs[0].crm_row == 0


def test_no_company_is_not_the_same_company():
    record = {"id": "1", "phone": "030 1234567"}
    found = only(b.crm(record), b.pbx({"Id": 1, "PhoneNumber": "030 1234567"}))
    assert found.strength is Strength.WEAK


@pytest.mark.parametrize(("name", "owns"), [("J. D.", True), ("J. X.", False)])
def test_initials_that_agree_are_enough_to_own_a_contact_and_others_are_not(name, owns):
    record = {**RECORD, "phone": "", "email": "jo@example.com"}
    first, last = name.split()
    contact = {"Id": 1, "FirstName": first, "LastName": last, "Email": "jo@example.com"}
    assert only(b.crm(record), b.pbx(contact)).proofs[0].owns is owns


def test_a_contact_of_a_company_that_is_another_one_now_is_not_the_same():
    pbx = b.pbx({"Id": 1, "CompanyName": "Umbrella", "PhoneNumber": "030 999999"})
    known = b.claim(pbx.contact(0), name="ACME", fingerprint="as it was")
    assert not only(b.crm(RECORD), pbx, {1: known}).same_person
    same = b.claim(pbx.contact(0), name="Umbrella", fingerprint="as it was")
    assert only(b.crm(RECORD), pbx, {1: same}).same_person


def test_two_records_without_names_are_two_who_share_a_number():
    crm = b.crm({"id": "1", "phone": SWITCHBOARD}, {"id": "2", "phone": SWITCHBOARD})
    contact = {"Id": 1, "FirstName": "Eve", "LastName": "Fox", "PhoneNumber": SWITCHBOARD}
    assert only(crm, b.pbx(contact)).proofs[0].why.startswith("2 in the CRM share it")


def test_a_main_number_does_not_make_an_address_shared():
    crm = b.crm(
        {"id": "1", "first_name": "Ann", "last_name": "Lee", "main": SWITCHBOARD, "email": "a@x.de"}
    )
    contact = {"Id": 1, "FirstName": "Eve", "LastName": "Fox", "Email": "a@x.de"}
    found = only(crm, b.pbx({**contact, "PhoneNumber": SWITCHBOARD}))
    assert (found.strength, found.proofs[0].kind) == (Strength.STRONG, "email")


def test_a_main_number_or_a_role_that_one_record_has_is_said_to_be_nobodys():
    eve = {"Id": 1, "FirstName": "Eve", "LastName": "Fox"}
    main = b.crm({"id": "1", "first_name": "Ann", "last_name": "Lee", "main": SWITCHBOARD})
    own = "none with this name, and it has no number or address of its own"
    found = only(main, b.pbx({**eve, "PhoneNumber": SWITCHBOARD}))
    assert found.proofs[0].why == f"several people may share it, {own}"
    found = only(main, b.pbx({**eve, "Email": "info@gone.de"}))
    assert found.proofs[0].why == f"it is for a task and is no person's, {own}"


def test_a_leaver_with_a_number_of_their_own_is_not_kept_by_the_switchboard():
    contact = {
        "Id": 1,
        "FirstName": "Eve",
        "LastName": "Fox",
        "Business": SWITCHBOARD,
        "PhoneNumber": "0151 23456789",
    }
    found = only(_two_people(), b.pbx(contact))
    assert found.strength is None
    assert found.unseen == ("0151 23456789",)


def test_a_role_address_is_no_address_of_ones_own():
    contact = {"Id": 1, "FirstName": "Eve", "LastName": "Fox", "Business": SWITCHBOARD}
    found = only(_two_people(), b.pbx({**contact, "Email": "kontakt@gone.de"}))
    assert found.strength is Strength.WEAK
    assert "no number or address of its own" in str(found.proofs[0])
    assert only(_two_people(), b.pbx({**contact, "Email": "eve@gone.de"})).strength is None


@pytest.mark.parametrize("name", ["B. Ray", "Ben Ray"])
def test_a_shared_number_with_initials_or_half_a_name_is_weak(name):
    first, last = name.split()
    contact = {"Id": 1, "FirstName": first, "LastName": last, "PhoneNumber": SWITCHBOARD}
    assert only(_two_people(), b.pbx(contact)).strength is Strength.WEAK


def test_a_name_that_fits_two_who_share_a_number_is_weak():
    crm = b.crm(
        {"id": "1", "first_name": "Ann Mary", "last_name": "Lee", "phone": SWITCHBOARD},
        {"id": "2", "first_name": "Ann Rose", "last_name": "Lee", "phone": SWITCHBOARD},
    )
    contact = {"Id": 1, "FirstName": "Ann", "LastName": "Lee", "PhoneNumber": SWITCHBOARD}
    found = only(crm, b.pbx(contact))
    assert found.strength is Strength.WEAK
    assert {p.crm_id for p in found.proofs} == {"1", "2"}


@pytest.mark.parametrize("name", ["Jo Doe", "DOE, JO", "Jo M. Doe", "Jo Maria Doe"])
def test_two_records_of_one_person_do_not_share_a_key(name):
    crm = b.crm(RECORD, {"id": "4712", "full_name": name, "phone": RECORD["phone"]})
    found = only(crm, b.pbx(JO))
    assert found.strength is Strength.STRONG
    assert "not one person's alone" not in words.sentence(found.proofs[0], "Jo Doe")


def test_records_of_two_people_share_a_key_though_both_agree_with_a_third():
    crm = b.crm(
        RECORD,
        {**RECORD, "id": "2", "first_name": "Jo Ann"},
        {**RECORD, "id": "3", "first_name": "Jo Max"},
    )
    found = evidence(crm, b.pbx(JO, {**JO, "Id": 2, "FirstName": ""}))
    assert [e.strength for e in found] == [Strength.STRONG, Strength.WEAK]
    assert found[0].proofs[0].crm_id == "4711"  # the very name wins over longer ones


def test_a_record_without_a_name_is_nobody_elses_spelling():
    crm = b.crm(RECORD, {"id": "2", "phone": "030 1234567"})
    assert "not one person's alone" in words.sentence(only(crm, b.pbx(JO)).proofs[0])


def test_a_company_main_number_is_shared_even_if_one_person_has_it():
    crm = b.crm({"id": "1", "first_name": "Ann", "last_name": "Lee", "main": SWITCHBOARD})
    contact = {"Id": 1, "FirstName": "Eve", "LastName": "Fox", "PhoneNumber": SWITCHBOARD}
    assert only(crm, b.pbx(contact)).strength is Strength.WEAK
    named = {"Id": 1, "FirstName": "Ann", "LastName": "Lee", "PhoneNumber": SWITCHBOARD}
    assert only(crm, b.pbx(named)).strength is Strength.STRONG


def test_a_role_address_is_shared_even_if_one_person_has_it():
    crm = b.crm({"id": "1", "first_name": "Ann", "last_name": "Lee", "email": "info@x.de"})
    contact = {"Id": 1, "FirstName": "Eve", "LastName": "Fox", "Email": "info@x.de"}
    assert only(crm, b.pbx(contact)).strength is Strength.WEAK


def test_a_switchboard_of_thousands_stays_cheap():
    n = 3000
    crm = b.crm(
        *(
            {"id": str(i), "first_name": f"F{i}x", "last_name": f"L{i}x", "phone": SWITCHBOARD}
            for i in range(n)
        )
    )
    pbx = b.pbx(
        *(
            {"Id": i + 1, "FirstName": f"F{i}x", "LastName": f"L{i}x", "Business": SWITCHBOARD}
            for i in range(n)
        )
    )
    assert all(e.strength is Strength.STRONG for e in evidence(crm, pbx))


@pytest.mark.parametrize(("first", "last"), [("J.", "D."), ("", "")])
def test_a_name_that_can_not_tell_leaves_a_shared_number_to_a_person(first, last):
    """Though it has a number of its own that the CRM doesn't know."""
    contact = {"Id": 1, "FirstName": first, "LastName": last, "PhoneNumber": SWITCHBOARD}
    found = only(_two_people(), b.pbx({**contact, "Home": "030 9999999"}))
    assert found.strength is Strength.WEAK
    why = "2 in the CRM share it, and its name does not say which of them it is"
    assert found.proofs[0].why == why


def test_names_of_one_character_are_names():
    crm = b.crm(
        {"id": "1", "first_name": "明", "last_name": "李", "phone": SWITCHBOARD},
        {"id": "2", "first_name": "芳", "last_name": "王", "phone": SWITCHBOARD},
    )
    contact = {"Id": 1, "FirstName": "明", "LastName": "李", "PhoneNumber": SWITCHBOARD}
    assert only(crm, b.pbx(contact)).proofs[0].crm_id == "1"


def test_a_word_that_all_carriers_have_tells_nobody_apart_and_stays_cheap():
    crm = b.crm(
        *(
            {"id": str(i), "first_name": f"F{i}x", "last_name": "Acme", "phone": SWITCHBOARD}
            for i in range(400)
        )
    )
    contacts = [
        {"Id": 1, "FirstName": "F7x", "LastName": "Acme", "PhoneNumber": SWITCHBOARD},
        {"Id": 2, "LastName": "Acme", "PhoneNumber": SWITCHBOARD, "Home": "030 9999999"},
        {"Id": 3, "FirstName": "Zed", "LastName": "Acme", "PhoneNumber": SWITCHBOARD},
    ]
    found = evidence(crm, b.pbx(*contacts))
    assert [e.strength for e in found] == [Strength.STRONG, Strength.WEAK, Strength.WEAK]
    assert all(len(e.proofs) <= 5 for e in found)


# ------------------------------------------------------------------ weak and none


def test_a_number_now_on_somebody_else_is_weak_and_names_them():
    contact = {**JO, "FirstName": "Ann", "LastName": "Lee"}
    found = only(b.crm(RECORD), b.pbx(contact))
    assert found.strength is Strength.WEAK
    assert words.sentence(found.proofs[0], "Jo Doe").endswith(
        "CRM record 4711, but the names differ"
    )


@pytest.mark.parametrize(
    ("first", "last", "strength"),
    [
        ("Jane", "Doe", Strength.WEAK),  # a relative
        ("Jo", "Roe", Strength.STRONG),  # a new surname
        ("Jo Ann", "Roe", Strength.STRONG),
        ("Jo Roe", "", Strength.STRONG),  # all in FirstName
        ("Roe", "Jo", Strength.WEAK),  # in the other order nobody knows which is which
    ],
)
def test_half_a_name_on_the_same_number_is_a_new_surname_or_a_relative(first, last, strength):
    found = only(b.crm(RECORD), b.pbx({**JO, "FirstName": first, "LastName": last}))
    assert found.strength is strength
    assert not found.proofs[0].owns
    said = "the first names agree, though the surnames differ" if strength == 2 else "only in part"
    assert said in words.sentence(found.proofs[0], "Jo Doe")


def test_a_new_surname_on_a_number_that_others_share_is_weak():
    contact = {"Id": 1, "FirstName": "Bob", "LastName": "Roe", "PhoneNumber": SWITCHBOARD}
    assert only(_two_people(), b.pbx(contact)).strength is Strength.WEAK


MOVED = {**JO, "PhoneNumber": "040 7654321"}


def test_a_namesake_of_an_unclaimed_contact_is_for_a_person_to_judge():
    found = only(b.crm(RECORD, {**RECORD, "id": "4712"}), b.pbx(MOVED))
    assert found.strength is Strength.WEAK
    assert len(found.proofs) == 1
    assert words.sentence(found.proofs[0], "Jo Doe") == (
        "it may be CRM record 4711: the names are the same, and nothing else fits"
    )


@pytest.mark.parametrize(
    "changes", [{"gone": True}, {"last_name": "Roe"}, {"first_name": "Jo Maria"}]
)
def test_a_name_alone_must_be_the_very_name_of_somebody_alive(changes):
    assert only(b.crm({**RECORD, **changes}), b.pbx(MOVED)).strength is None
    assert only(b.crm({"id": "1", "phone": "030 1"}), b.pbx({"Id": 1})).proofs == ()


def test_records_flagged_as_gone_prove_nothing_and_are_seen():
    found = only(b.crm({**RECORD, "gone": True}), b.pbx(JO))
    assert found.strength is None
    assert found.unseen == ()


def test_blank_keys_never_meet():
    crm = b.crm({"id": "1", "first_name": "", "last_name": ""})
    found = only(crm, b.pbx({"Id": 1}))
    assert found.strength is None
    assert not found.has_key


def test_the_fax_is_no_key():
    contact = {"Id": 1, "FirstName": "Jo", "LastName": "Doe", "BusinessFax": "+49301234567"}
    found = only(b.crm({**RECORD, "first_name": "Ann"}), b.pbx(contact))
    assert found.strength is None
    assert not found.has_key


def test_an_id_that_was_given_to_somebody_else_breaks_the_claim():
    pbx = b.pbx({**JO, "PhoneNumber": "030 999999"})
    claims = {1: b.claim(pbx.contact(0), name="Ann Lee", fingerprint="as it was")}
    found = only(b.crm(RECORD), pbx, claims)
    assert not found.same_person
    assert {proof.kind for proof in found.proofs} == {"name"}


@pytest.mark.parametrize(
    ("name", "same"),
    [("Jo Doe", True), ("J. Doe", True), ("Jo Maria Doe", True), ("Jane Doe", False), ("", False)],
)
def test_an_edited_contact_is_the_same_person_only_if_the_names_agree(name, same):
    pbx = b.pbx({**JO, "PhoneNumber": "030 999999"})
    claims = {1: b.claim(pbx.contact(0), name=name, fingerprint="as it was")}
    assert only(b.crm(RECORD), pbx, claims).same_person is same


def test_unchanged_content_is_the_same_person_whatever_its_name():
    pbx = b.pbx({"Id": 1, "PhoneNumber": "030 999999"})
    assert only(b.crm(RECORD), pbx, {1: b.claim(pbx.contact(0))}).same_person


def test_a_claim_on_a_company_contact_is_compared_by_its_company():
    pbx = b.pbx({"Id": 1, "CompanyName": "ACME", "PhoneNumber": "030 999999"})
    claims = {1: b.claim(pbx.contact(0), name="Umbrella", fingerprint="as it was")}
    assert not only(b.crm(RECORD), pbx, claims).same_person


@pytest.mark.parametrize(
    ("written", "strength"),
    [
        ({"country": "fr"}, Strength.STRONG),
        ({"country": "Frankreich"}, Strength.STRONG),
        ({"company_country": "FRANCE"}, Strength.STRONG),
        ({"country": "France", "company_country": "Austria"}, Strength.STRONG),
        ({"country": "Austria", "company_country": "France"}, Strength.WEAK),
        ({"country": "Nowhere"}, Strength.WEAK),
    ],
)
def test_the_country_of_a_record_or_else_of_its_company_reads_its_numbers_too(written, strength):
    record = {**RECORD, "first_name": "Joe", "phone": "01 45 67 89 01", **written}
    contact = {**JO, "FirstName": "Joe", "PhoneNumber": "+33145678901", "Home": "030 999999"}
    pbx = b.pbx(contact)
    claims = {1: b.claim(pbx.contact(0), crm_id="gone")}
    assert only(b.crm(record), pbx, claims).strength is strength


def test_a_number_is_compared_with_and_without_the_prefix_of_an_outside_line():
    pbx = b.pbx({**JO, "PhoneNumber": "00301234567"})
    claims = {1: b.claim(pbx.contact(0), crm_id="gone")}
    crm = b.crm({**RECORD, "id": "5"})
    assert match(crm, pbx, claims, region="DE").evidence[0].proofs[0].kind == "name"
    found = match(crm, pbx, claims, region="DE", outside_prefix="0").evidence[0]
    assert found.strength is Strength.STRONG
    both = b.pbx(JO)
    assert match(crm, both, claims, region="DE", outside_prefix="0").evidence[0].strength == 2


def test_a_record_without_an_id_is_named_by_its_row_and_file():
    crm = b.crm({**RECORD, "id": "", "part": "people-2.csv"})
    assert "the record in row 2 of people-2.csv" in words.sentence(only(crm, b.pbx(JO)).proofs[0])


# ------------------------------------------------------------------ the CRM's side


def test_every_record_stands_in_one_count():
    crm = b.crm(
        RECORD,
        {"id": "2", "first_name": "No", "last_name": "Number"},
        {"id": "3", "first_name": "Miss", "last_name": "Ing", "phone": "030 888888"},
        {"id": "4", "first_name": "Left", "last_name": "Us", "phone": "030 777777", "gone": True},
    )
    counts = match(crm, b.pbx(JO), {}, region="DE").counts_crm
    assert counts == {"read": 4, "matched": 1, "missing": 1, "gone": 1, "without_number": 1}


def test_missing_records_name_row_and_person():
    crm = b.crm(RECORD, {"id": "3", "full_name": "Miss Ing", "phone": "030 888888"})
    (missing,) = match(crm, b.pbx(JO), {}, region="DE").missing
    assert (missing.crm_id, missing.row, missing.name) == ("3", 3, "Miss Ing")


def test_one_person_with_two_contacts_is_a_duplicate():
    (duplicate,) = match(b.crm(RECORD), b.pbx(JO, {**JO, "Id": 2}), {}, region="DE").duplicates
    assert duplicate.contact_ids == (1, 2)


def test_drift_says_what_each_side_has():
    record = {**RECORD, "company": "ACME GmbH", "email": "jo@x.de", "mobile": "0151 23456789"}
    contact = {**JO, "FirstName": "J.", "CompanyName": "Umbrella", "Home": "040 7654321"}
    drift = match(b.crm(record), b.pbx(contact), {}, region="DE").drift
    assert {(d.field, d.crm, d.pbx) for d in drift} == {
        ("name", "Jo Doe", "J. Doe"),
        ("company", "ACME GmbH", "Umbrella"),
        ("email", "jo@x.de", ""),
        ("numbers", "0151 23456789", "040 7654321"),
    }


def test_another_spelling_is_no_drift():
    record = {**RECORD, "first_name": "JO", "company": "ACME GmbH", "phone": "0049 30 1234567"}
    contact = {**JO, "CompanyName": "Acme"}
    assert match(b.crm(record), b.pbx(contact), {}, region="DE").drift == ()


def test_fill_rates_count_a_record_once_whichever_column_is_filled():
    crm = b.crm(
        {**RECORD, "mobile": "0151 23456789"},
        {"id": "2", "first_name": "Ann", "last_name": "Lee"},
    )
    fill = match(crm, b.pbx(JO), {}, region="DE").fill
    assert fill["phone"] == 0.5
    assert fill["id"] == 1.0


def test_a_column_that_is_full_of_what_gives_no_key_is_not_filled():
    crm = b.crm(
        {**RECORD, "phone": "4.93012E+11", "email": "jo (at) x.de"},
        {"id": "2", "phone": "n/a", "email": "ann@x.de", "gone": True},
        {"id": "3", "phone": "030 888888", "email": "eve@x.de"},
    )
    fill = match(crm, b.pbx(JO), {}, region="DE").fill
    assert (fill["phone"], fill["email"], fill["id"]) == (0.5, 0.5, 1.0)


def test_an_export_without_living_records_has_no_fill():
    assert match(b.crm({**RECORD, "gone": True}), b.pbx(JO), {}, region="DE").fill == {}


def test_an_empty_listing_gives_no_evidence():
    assert not match(b.crm(RECORD), b.pbx(), {}, region="DE").evidence


def test_an_export_without_phone_columns_matches_by_address():
    crm = b.crm({"id": "1", "first_name": "Jo", "last_name": "Doe", "email": "jo@x.de"})
    assert only(crm, b.pbx({"Id": 1, "Email": "jo@x.de"})).strength is Strength.STRONG


# ------------------------------------------------------------------ what keeps and what owns


@pytest.mark.parametrize(
    ("contact", "owns"),
    [
        ({"FirstName": "Ann", "LastName": "Lee", "Email": "ann@x.de"}, True),
        ({"FirstName": "Night", "LastName": "Porter", "Email": "ann@x.de"}, False),
        ({"FirstName": "Jane", "LastName": "Lee", "Email": "ann@x.de"}, False),
        ({"CompanyName": "ACME", "Email": "ann@x.de"}, True),
        ({"CompanyName": "Fire alarm", "Email": "ann@x.de"}, False),
        ({"CompanyName": "Fire alarm", "Tag": "2"}, False),
    ],
)
def test_what_keeps_a_contact_owns_it_only_if_the_names_agree(contact, owns):
    record = {"id": "2", "first_name": "Ann", "last_name": "Lee", "email": "ann@x.de"}
    found = only(b.crm({**record, "company": "ACME GmbH"}), b.pbx({"Id": 1, **contact}))
    assert found.strength is Strength.STRONG
    assert found.proofs[0].owns is owns


@pytest.mark.parametrize("number", ["12345", "1-800-FLOWERS", "030 1111111 Fax"])
def test_a_number_that_is_none_keeps_only_who_has_the_same_name(number):
    record = {"id": "1", "first_name": "Jo", "last_name": "Doe", "phone": number}
    contact = {"Id": 1, "FirstName": "Jo", "LastName": "Doe", "PhoneNumber": number}
    assert only(b.crm(record), b.pbx(contact)).strength is Strength.STRONG
    assert only(b.crm(record), b.pbx({**contact, "FirstName": "Eve"})).strength is not (
        Strength.STRONG
    )


def test_a_full_name_that_says_more_than_the_first_name_is_the_name():
    record = {"id": "1", "first_name": "Ann", "full_name": "Ann Lee", "company": "ACME"}
    contact = {"Id": 1, "FirstName": "Ann", "LastName": "Lee", "CompanyName": "Acme"}
    assert only(b.crm(record), b.pbx(contact)).proofs[0].kind == "name_company"
