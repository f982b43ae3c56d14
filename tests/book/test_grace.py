"""One book over five nights, under the rules that are the default: grace, and who comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from book.layouts import CSV_LAYOUTS
from book.nights import NIGHT, Series, rules_of
from book.oracle import judge

from reconcile.model import Verdict

RETURNING = 5
LEAVING = {Verdict.WAITING, Verdict.DELETE}


@pytest.mark.parametrize("name", ["Zoho", "Outlook"])
def test_leavers_wait_for_two_exports_and_whoever_comes_back_is_kept(name):
    layout = next(layout for layout in CSV_LAYOUTS if layout.name == name)
    series = Series(1)
    book, rules = series.book, rules_of(series.book.prefix, immediate=False, grace=(2, 20))
    back = set(sorted(book.second.left)[:RETURNING])
    returned = replace(
        book.second, left={k: how for k, how in book.second.left.items() if k not in back}
    )
    evenings = (book.first, book.first, book.second, returned, returned)
    claims, nights = {}, []
    for at, evening in enumerate(evenings):
        now = NIGHT + timedelta(days=at)
        nights.append(series.night(evening, layout, claims, rules=rules, now=now))
        claims = nights[-1].after
    everybody, again, waiting, due, _ = (night.verdicts for night in nights)

    # while everybody is there nothing is due, and a second look learns nothing
    assert LEAVING.isdisjoint([*everybody.values(), *again.values()])
    assert {i: c.crm_id for i, c in nights[0].after.items()} == {
        i: c.crm_id for i, c in nights[1].after.items()
    }
    # the first export without them makes them wait, the second one is enough
    assert Verdict.DELETE not in waiting.values()
    assert {i for i, verdict in due.items() if verdict is Verdict.DELETE} <= {
        i for i, verdict in waiting.items() if verdict is Verdict.WAITING
    }
    # whoever is back is no leaver, and his absence is forgotten
    of_back = {e.id for e in book.second.entries if e.people & back}
    assert LEAVING.isdisjoint({due[i] for i in of_back})
    assert not any(claims[i].absent_exports for i in of_back & claims.keys())
    # the last night judges as the night before: what nobody deleted is still due
    last = replace(book, second=returned)
    for night in nights[3:]:
        case = judge(
            last,
            layout.form,
            inactive=series.inactive,
            records=series.records(returned, layout),
            claimed=set(night.before),
            verdicts=night.verdicts,
        )
        assert not case.faults
        assert case.tally.share >= 0.95
