"""Only what allows more is loosened; everything that differs has changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core import policy

BEFORE = {
    "max_deletes": 20,
    "max_delete_percent": 2.0,
    "max_weekly_percent": 5.0,
    "max_shrink_percent": 2.0,
    "min_matched_percent": 95.0,
    "grace_exports": 2,
    "grace_hours": 20.0,
    "owner_tag": "",
    "delete_guard": "etag",
    "manifest": "auto",
    "sentinels": ["1", "2"],
}


@pytest.mark.parametrize(
    ("key", "stricter", "looser", "words"),
    [
        ("max_deletes", 19, 21, "max_deletes 20 → 21"),
        ("max_delete_percent", 1.9, 2.1, "max_delete_percent 2.0 → 2.1"),
        ("max_weekly_percent", 0.0, 5.1, "max_weekly_percent 5.0 → 5.1"),
        ("max_shrink_percent", 1.0, 3.0, "max_shrink_percent 2.0 → 3.0"),
        ("min_matched_percent", 96.0, 94.9, "min_matched_percent 95.0 → 94.9"),
        ("grace_exports", 3, 1, "grace_exports 2 → 1"),
        ("grace_hours", 21.0, 0.0, "grace_hours 20.0 → 0.0"),
        ("manifest", "required", "ignore", "manifest auto → ignore"),
        ("sentinels", ["1", "2", "3"], ["1", "3"], "sentinels 2 of them → 2 of them"),
        ("sentinels", ["1", "2", "3"], [], "sentinels 2 of them → 0 of them"),
    ],
)
def test_each_key_knows_which_way_is_looser(key, stricter, looser, words):
    before = policy.written(BEFORE)
    now = policy.written(BEFORE | {key: looser})
    assert policy.loosened(before, now) == (words,)
    assert policy.changed(before, now) == (words,)
    tightened = policy.written(BEFORE | {key: stricter})
    assert policy.loosened(before, tightened) == ()
    assert len(policy.changed(before, tightened)) == 1


def test_an_owner_tag_is_another_owner_whichever_it_is():
    before = policy.written(BEFORE)
    tagged = policy.written(BEFORE | {"owner_tag": "CRM"})
    assert policy.loosened(before, tagged) == ("owner_tag (none) → CRM",)
    assert policy.loosened(tagged, before) == ("owner_tag CRM → (none)",)


def test_compare_is_looser_than_etag_and_not_the_other_way():
    etag = policy.written(BEFORE)
    compare = policy.written(BEFORE | {"delete_guard": "compare"})
    assert policy.loosened(etag, compare) == ("delete_guard etag → compare",)
    assert policy.loosened(compare, etag) == ()


def test_of_a_policy_that_is_not_known_nothing_is_looser():
    assert policy.loosened("", policy.written(BEFORE)) == ()
    assert policy.changed(policy.written(BEFORE), "") == ()


def test_a_key_that_an_older_version_did_not_have_is_not_compared():
    older = {k: v for k, v in BEFORE.items() if k != "sentinels"}
    assert policy.loosened(policy.written(older), policy.written(BEFORE | {"sentinels": []})) == ()


def test_a_policy_is_written_in_one_way_and_in_ascii():
    """It is part of the plan that a digest names."""
    values = {"owner_tag": "Büro", "max_deletes": 20, "sentinels": ["1", "2"]}
    text = '{"max_deletes":20,"owner_tag":"B\\u00fcro","sentinels":["1","2"]}'
    assert policy.written(values) == text


@given(
    st.dictionaries(st.sampled_from(sorted(BEFORE)), st.integers(0, 5).map(lambda n: n), max_size=3)
)
def test_the_same_policy_has_changed_in_nothing(values):
    text = policy.written(values)
    assert text == policy.written(dict(reversed(values.items())))
    assert policy.changed(text, text) == ()
