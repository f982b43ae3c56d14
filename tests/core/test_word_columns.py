"""Sentences made in columns are those of `words.sentence`."""

from __future__ import annotations

import pyarrow as pa
from amounts import amount
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.core import evidence, word_columns, words
from reconcile.model import Proof, Strength

SHARED = ("email", "number", "short")
"""Kinds of which a proof may be of no record."""
texts = st.sampled_from(["", "a", "Müller", "4711", "+49301234567", "\x02key\x03", "0", "jo@x.de"])
names = st.sampled_from(["", "Jo Doe", "jo doe", "Straße", "STRASSE", "Ann Lee", "(x)"])


@st.composite
def proofs(draw):
    kind = draw(st.sampled_from(["claim", "crm_id", "name_company", "name", *SHARED]))
    return Proof(
        kind=kind,
        strength=draw(st.sampled_from(Strength)),
        key=draw(texts),
        crm_id=draw(texts),
        crm_row=draw(st.integers(0 if kind in SHARED else 1, 3)),
        crm_part=draw(texts),
        crm_name=draw(names),
        why=draw(st.sampled_from(["and the names agree", "3 in the CRM share it"])),
        shared=draw(st.booleans()),
        owns=draw(st.booleans()),
    )


@settings(max_examples=amount(check=200, prove=10_000))
@given(st.lists(st.tuples(proofs(), names), max_size=12))
def test_a_column_says_what_each_proof_says(rows):
    table = evidence.table(proof for proof, _ in rows)
    said = word_columns.sentences(table, pa.array([name for _, name in rows], pa.large_string()))
    assert said.to_pylist() == [words.sentence(proof, name) for proof, name in rows]


def test_a_sentence_without_anything_of_its_own_is_said_as_often_as_it_is_asked_for():
    proof = Proof(
        kind="claim", strength=Strength.STRONG, key="", crm_id="", crm_row=1, crm_name="", why=""
    )
    said = word_columns.sentences(
        evidence.table([proof] * 3), pa.array([""] * 3, pa.large_string())
    )
    assert said.to_pylist() == [words.sentence(proof)] * 3
