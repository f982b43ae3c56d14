from __future__ import annotations

import pytest

from reconcile.sandbox import Switches


def test_by_default_etags_are_weak_and_enforced():
    assert Switches() == Switches(
        etags="weak", if_match="enforced", expires_in="seconds", latency=0
    )


def test_switches_are_read_from_words_as_a_command_line_has_them():
    parsed = Switches.parse({"etags": "none", "latency": "0.25"})
    assert parsed == Switches(etags="none", latency=0.25)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"etag": "weak"}, "no switch etag; there are etags, expires_in, if_match, latency"),
        ({"etags": "bold"}, "etags is one of weak, strong, none; not 'bold'"),
        ({"if_match": ""}, "if_match is one of"),
        ({"expires_in": 60}, "expires_in is one of"),
        ({"latency": "soon"}, "could not convert"),
        ({"latency": -1}, "latency is in seconds"),
        ({"latency": "nan"}, "latency is in seconds"),
        ({"latency": "inf"}, "latency is in seconds"),
    ],
)
def test_a_switch_that_does_not_exist_is_refused_with_the_choice(values, said):
    with pytest.raises(ValueError, match=said):
        Switches.parse(values)
