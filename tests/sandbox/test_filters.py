from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.sandbox import Book, Switches
from reconcile.sandbox.filters import BadQuery, compile_filter
from reconcile.sandbox.query import find, parse

ROW = {
    **Book.seeded(1).get(1),
    "Id": 5,
    "FirstName": "Zoë",
    "LastName": "O'Neill",
    "Tag": None,
    "Other": "",
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Id eq 5", True),
        ("Id ne 5", False),
        ("5 eq Id", True),
        ("Id gt 4", True),
        ("Id gt 5", False),
        ("Id ge 5", True),
        ("Id lt 5", False),
        ("Id le 5", True),
        ("Id gt -1", True),
        ("FirstName eq 'Zoë'", True),
        ("FirstName eq 'zoë'", False),
        ("tolower(FirstName) eq 'zoë'", True),
        ("LastName eq 'O''Neill'", True),
        ("FirstName gt 'Anna'", True),
        ("contains(LastName,'Nei')", True),
        ("contains(LastName, 'nei')", False),
        ("contains(tolower(LastName),'nei')", True),
        ("startswith(LastName,'O''')", True),
        ("endswith(LastName,'ll')", True),
        ("contains(FirstName,'x') eq false", True),
        ("Tag eq null", True),
        ("Tag ne null", False),
        ("null eq Tag", True),
        ("Other eq null", False),
        ("Tag eq ''", False),
        ("tolower(Tag) eq null", True),
        ("Tag gt 'a'", False),
        ("Tag le 'a'", False),
        ("contains(Tag,'a')", False),
        ("not contains(Tag,'a')", True),
        ("not (Id eq 5)", False),
        ("Id eq 1 or Id eq 5", True),
        ("Id eq 5 and FirstName eq 'x'", False),
        ("Id eq 5 or Id eq 1 and FirstName eq 'x'", True),
        ("(Id eq 5 or Id eq 1) and FirstName eq 'x'", False),
        ("true", True),
        ("not true", False),
        ("  Id   eq 5  ", True),
    ],
)
def test_a_filter_means_what_odata_says(text, holds):
    assert compile_filter(text).value(ROW) is holds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Id eq", "Syntax error at position 5"),
        ("Id eq 5 5", "Syntax error at position 7"),
        ("Id eq 'open", "Syntax error"),
        ("(Id eq 5", "Syntax error"),
        (")", "Syntax error"),
        ("Id == 5", "Syntax error"),
        ("contains(Tag,'a'", "Syntax error"),
        ("Mobile eq '1'", "Could not find a property named 'Mobile' on type 'Pbx.Contact'."),
        ("length(Tag) gt 3", "An unknown function with name 'length'"),
        ("contains(Tag)", "No function signature for the function with name 'contains'"),
        ("contains(Id,'5')", "No function signature"),
        ("tolower(Id) eq '5'", "No function signature"),
        ("Id eq '5'", "Found operand types 'Edm.Int32' and 'Edm.String' for operator kind 'eq'"),
        ("not Id eq 5", "Found operand types 'Edm.Int32' for operator kind 'Not'"),
        ("Id and true", "for operator kind 'And'"),
        ("true or Tag", "for operator kind 'Or'"),
        ("FirstName", "must evaluate to a single boolean value"),
        ("null", "must evaluate to a single boolean value"),
        ("(" * 101 + "true" + ")" * 101, "node count limit of '100'"),
    ],
)
def test_a_wrong_filter_is_refused_with_the_library_s_sentence(text, said):
    with pytest.raises(BadQuery) as refused:
        compile_filter(text)
    assert said in str(refused.value)


@given(
    st.text(max_size=5),
    st.text(max_size=3),
    st.sampled_from(("contains", "startswith", "endswith")),
)
def test_any_text_can_be_quoted(text, part, function):
    quoted = part.replace("'", "''")
    found = compile_filter(f"{function}(Tag,'{quoted}')").value({**ROW, "Tag": text})
    plain = {"contains": str.__contains__, "startswith": str.startswith, "endswith": str.endswith}
    assert found is plain[function](text, part)


def _conditions():
    single = st.tuples(
        st.sampled_from(("eq", "ne", "gt", "ge", "lt", "le")), st.integers(-1, 12)
    ).map(lambda c: f"Id {c[0]} {c[1]}")
    return st.recursive(
        single,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(("and", "or")), inner).map(
                lambda c: f"({c[0]} {c[1]} {c[2]})"
            ),
            inner.map(lambda c: f"not ({c})"),
        ),
        max_leaves=8,
    )


_TEN = Book.seeded(10)
_PYTHON = {"eq": "==", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


@given(_conditions())
def test_skipping_small_ids_never_skips_one_that_belongs(condition):
    python = " ".join(
        _PYTHON.get(word, word) for word in condition.replace("(", "( ").replace(")", " )").split()
    )
    expected = [i for i in range(1, 11) if eval(python, {}, {"Id": i})]  # noqa: S307 - of our own making
    page = find(parse(f"$filter={condition}", Switches()), _TEN.rows())
    assert [row.id for row in page.rows] == expected


def test_paging_by_key_begins_at_the_key_and_not_at_the_first_contact():
    assert compile_filter("Id gt 9900 and contains(Tag,'1')").least == 9901
    assert compile_filter("Id gt 9900 or Id eq 3").least == 3
    assert compile_filter("not (Id gt 9900)").least == 0
