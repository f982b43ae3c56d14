"""Names, companies and roles in columns say exactly what they say one by one."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core import text, text_columns


def is_role(address: str) -> bool:
    """The rule, read slowly: what stands before the @ and a + is a task, perhaps with a number."""
    local = address.partition("@")[0].partition("+")[0]
    return local in text.ROLES or local.rstrip("0123456789") in text.ROLES


WAYS = [
    (lambda cells: text_columns.name_keys(cells).to_pylist(), text.name_key),
    (lambda cells: text_columns.company_keys(cells).to_pylist(), text.company_key),
    (lambda cells: text_columns.are_roles(cells).tolist(), is_role),
]
PIECES = [
    *"aeouzAEOU019_ \t.,-'\"/&;?@+|~éßМ王\u00ad\x1f",
    *(
        "Dr. ",
        "mr",
        " Jr",
        " sp z o o",
        " Sp.zo.o",
        " ges mbh",
        ", GES M B H",
        " GmbH",
        " & Co",
        "&",
    ),
    *(" e.V.", " S.A.S", " und ", "&amp;", "&uuml", "aae", "oee", "O'", "a'e", "MÃ¼", "x" * 48),
    *("info", "info2@", "sales+x@", "no-reply@x.de", "+49301234567"),
]
CELLS = [
    *("", " ", "-", "Dr.", "Dr. Dr.", "Doe, Jo", "Jo Doe", "Jo Jo", "GmbH", "ACME GmbH & Co. KG"),
    *("Goethe Aaron", "O'Neil", "& Co", "A&B", "R&D Ltd", "Foo Sp z oo", "x" * 49 + " GmbH"),
    *("info@x.de", "info", "sales2@x.de", "jo@x.de", "info+a@x.de", "2@x.de", "@x.de"),
]


def test_role_addresses_belong_to_nobody():
    roles = ["info@x.de", "info2@x.de", "info+web@x.de", "jo@x.de", "info.jones@x.de"]
    found = text_columns.are_roles(pa.array(roles, pa.large_string()))
    assert found.tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(("columns", "one"), WAYS)
def test_a_column_is_read_as_each_cell_is(columns, one):
    assert columns(pa.array(CELLS, pa.large_string())) == list(map(one, CELLS))
    assert columns(pa.array([], pa.large_string())) == []


@pytest.mark.parametrize(("columns", "one"), WAYS)
@given(
    cells=st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), max_size=20)
    | st.lists(st.text(st.characters(codec="ascii"), max_size=12), max_size=20)
    | st.lists(st.text(max_size=12), max_size=20)
)
def test_whatever_the_cells_hold(columns, one, cells):
    assert columns(pa.array(cells, pa.large_string())) == list(map(one, cells))


@pytest.mark.parametrize(
    ("columns", "one", "words"),
    [
        (text_columns.name_keys, text.name_key, text.TITLES),
        (text_columns.company_keys, text.company_key, text.LEGAL_FORMS),
    ],
)
def test_words_that_say_nothing_go_unless_there_are_no_others(columns, one, words):
    for word in sorted(words):
        keys = columns(pa.array([f"{word} Nord", word.upper()], pa.large_string())).to_pylist()
        assert keys == [one(f"{word} Nord"), one(word)]
        assert keys[1]
