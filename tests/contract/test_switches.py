"""The client and apply are right whatever the PBX does: every switch value, and every pair.

`make check` lets every two switches meet once, with each value in turn; `make prove` tries every
two values.

What is expected of each single value stands here in so many words, so that "refused everywhere"
can't pass. Of a pair is expected what both values alone allow, but for a short list with reasons.
"""

from __future__ import annotations

from typing import get_args

import pytest
from amounts import amount
from company import Company
from contract.phonebook import (
    EDITED_BEFORE,
    EDITED_BETWEEN,
    FEW,
    FIRST,
    LAST,
    MANY,
    MAX_WAITED,
    NOW,
    PLANNED,
    REMOVED_BEFORE,
    REMOVED_BETWEEN,
    Pbx,
    check_clear,
    content,
    ends,
    small_book,
)
from contract.values import COMPANIONS, NUMBERS, hints, pairs, rhythms, rows, singles, switches

from reconcile import restoring
from reconcile.errors import PbxError, PbxRefused, PbxUnreachable
from reconcile.model import DeleteGuard, Exit, Level, Outcome
from reconcile.sandbox.switches import Switches

SINGLES = {str(value): value for value in singles()}
EVERY_PAIR = {f"{one},{other}": (one, other) for one, other in pairs(most=1000)}
PAIRS = [f"{one},{other}" for one, other in pairs(most=amount(check=1, prove=1000))]
DELETED_PAIRS = PAIRS[:: amount(check=8, prove=1)]

PAGING = {"skip_orderby", "top_limit", "page_cap", "default_page", "next_link", "order", "count"}
"""Switches that bear on paging; they meet more contacts than any page holds."""

REFUSED_LISTING = {
    "token_error=500": PbxUnreachable,
    "forbidden=empty": PbxRefused,
    "forbidden=json": PbxRefused,
    "restart_after=4,forever": PbxUnreachable,
}
"""Single values for which there can be no listing, and how the client says so; all others have one.
"""

REFUSED_PAIRS = {}
"""Pairs for which there is no listing although each value alone has one, and why."""

ORDINARY = {
    FIRST: "deleted",
    EDITED_BEFORE: "changed",
    EDITED_BETWEEN: "changed",
    REMOVED_BEFORE: "already_gone",
    REMOVED_BETWEEN: "already_gone",
    LAST: "deleted",
}
RACE = ORDINARY | {EDITED_BETWEEN: "deleted"}
"""Nothing but our own look a moment ago guards the delete: DESIGN calls it the race that is left.
"""


def stopped_at(contact_id, outcome):
    """What becomes of the plan when a run stops at a contact."""
    at = PLANNED.index(contact_id)
    return (
        {i: ORDINARY[i] for i in PLANNED[:at]}
        | {contact_id: outcome}
        | dict.fromkeys(PLANNED[at + 1 :], "not_attempted")
    )


OUTCOMES = {
    "etags=none": RACE,
    "if_match=ignored": RACE,
    "if_match=always_412": stopped_at(FIRST, "refused"),
    "if_match=malformed": stopped_at(FIRST, "refused"),
    "delete_missing=204": ORDINARY | {REMOVED_BETWEEN: "deleted"},
    "token_error=500": stopped_at(FIRST, "not_attempted"),
    "forbidden=empty": stopped_at(FIRST, "unconfirmed"),
    "forbidden=json": stopped_at(FIRST, "unconfirmed"),
    "lost_response=delete": ORDINARY | {REMOVED_BETWEEN: "deleted"},
    "restart_after=4,forever": stopped_at(FIRST, "unconfirmed"),
}
"""Single value → what becomes of each planned contact; of all others `ORDINARY`."""


def size(*values):
    return MANY if any(v.row in PAGING for v in values) else FEW


def lanes(*values):
    """With several at a time, chance decides whose tries are used up.

    When every nth request fails, and at a restart, as no wait between two tries is slept here.
    """
    return 1 if {v.row for v in values} & {"throttle", "restart_after"} else 4


def test_every_switch_is_tried():
    """A new switch with a number, text or flag needs representative values in `values.NUMBERS`."""
    assert set(rows()) | COMPANIONS == set(hints())
    assert [row for row, values in rows().items() if not values] == []
    assert set(NUMBERS) <= set(hints())
    known = set(SINGLES)
    assert set(REFUSED_LISTING) | set(OUTCOMES) <= known
    assert set(REFUSED_PAIRS) | set(UNDELETED_PAIRS) <= set(EVERY_PAIR)
    tried = {str(value) for name in PAIRS for value in EVERY_PAIR[name]}
    assert tried == known - {"default=all"}


# ---------------------------------------------------------------------------- list


@pytest.fixture(scope="module")
def books():
    """Few and many contacts; listing changes none of them."""
    return {contacts: small_book(contacts) for contacts in (FEW, MANY)}


@pytest.mark.parametrize("name", SINGLES)
def test_list(start, books, name):
    value = SINGLES[name]
    pbx = start(switches(value), book=books[MANY], lanes=lanes(value))
    found = pbx.snapshot()
    pbx.check_waits()
    if name in REFUSED_LISTING:
        assert type(found) is REFUSED_LISTING[name] or isinstance(found, REFUSED_LISTING[name])
    else:
        assert not isinstance(found, PbxError), found


@pytest.mark.parametrize("name", dict.fromkeys([*PAIRS, *REFUSED_PAIRS]))
def test_list_pair(start, books, name):
    one, other = EVERY_PAIR[name]
    book = books[size(one, other)]
    pbx = start(switches(one, other), book=book, lanes=lanes(one, other))
    found = pbx.snapshot()
    pbx.check_waits()
    if not {str(one), str(other)} & set(REFUSED_LISTING):
        assert isinstance(found, PbxError) == (name in REFUSED_PAIRS), found


# ---------------------------------------------------------------------------- delete


@pytest.mark.parametrize("guard", DeleteGuard)
@pytest.mark.parametrize("name", SINGLES)
def test_delete(evening, name, guard):
    value = SINGLES[name]
    made = evening(switches(value), guard=guard)
    expected = OUTCOMES.get(name, ORDINARY)
    if name == "etags=none" and guard is DeleteGuard.ETAG:
        expected = stopped_at(FIRST, "refused")
    outcomes = made.apply()
    made.check_by_looking()
    assert outcomes == expected, made.applied


@pytest.mark.parametrize("name", SINGLES)
def test_delete_in_several_lanes(evening, name):
    """Who is in hand at a stop may differ; what must always hold does not."""
    made = evening(switches(SINGLES[name]))
    made.apply(lanes=4)
    made.check_by_looking()


UNDELETED = {name for name, becomes in OUTCOMES.items() if becomes[LAST] != "deleted"}
"""Values for which the plan's ordinary contacts are not all deleted."""

UNDELETED_PAIRS = {
    "etags=none,if_match=required": "a DELETE needs a tag, and there is none to be had",
    "delete_missing=400,error_body=empty": "a 400 that does not say why stops the run",
    "delete_missing=400,error_body=text": "as above",
    "delete_missing=400,error_body=html": "as above",
}
"""Pairs for which that is so although each value alone deletes them, and why."""


@pytest.mark.parametrize("name", dict.fromkeys([*DELETED_PAIRS, *UNDELETED_PAIRS]))
def test_delete_pair(evening, name):
    one, other = EVERY_PAIR[name]
    made = evening(switches(one, other))
    outcomes = made.apply()
    made.check_by_looking()
    done = {outcomes[FIRST], outcomes[LAST]} == {Outcome.DELETED}
    if not {str(one), str(other)} & UNDELETED:
        assert done == (name not in UNDELETED_PAIRS), made.applied


# ---------------------------------------------------------------------------- how often, from when

RHYTHMS = rhythms()


@pytest.mark.parametrize("name", RHYTHMS)
def test_rhythm(start, evening, books, name):
    """Every seventh request may fail and everything is done; more often, and it ends clearly.

    A DELETE and the two looks after it are three requests: every third failing meets each DELETE.
    """
    listed = start(RHYTHMS[name], book=books[MANY], lanes=1).snapshot()
    made = evening(RHYTHMS[name])
    outcomes = made.apply()
    made.check_by_looking()
    assert isinstance(listed, PbxError) == name.startswith("forbidden"), listed
    done = {outcomes[FIRST], outcomes[LAST]} == {Outcome.DELETED}
    if name.endswith("7"):
        assert done, made.applied
    assert done or made.applied.stopped
    assert not (done and name.startswith("forbidden"))


# ---------------------------------------------------------------------------- re-read

NOBODY = 4000
"""An Id that no contact has."""
REFUSED_MISSING = REFUSED_LISTING
"""Single values for which it can't be known that a contact is missing."""


@pytest.mark.parametrize("name", SINGLES)
def test_reread(start, name):
    """One contact as the book has it, with its tag; and one that is not there."""
    value = SINGLES[name]
    pbx = start(switches(value))
    row = pbx.book.row(FIRST)
    found, missing = _read(pbx, FIRST), _read(pbx, NOBODY)
    pbx.check_waits()
    if name in REFUSED_MISSING:
        assert isinstance(missing, REFUSED_MISSING[name])
        return
    contact, entity = found
    assert contact.fingerprint == content(dict(row.fields)) == content(entity)
    assert (contact.id, contact.etag or None) == (FIRST, pbx.tag(row.version))
    assert missing is None


def _read(pbx: Pbx, contact_id: int):
    with ends():
        try:
            return pbx.reader.contact(contact_id)
        except PbxError as refusal:
            check_clear(refusal)
            return refusal


# ---------------------------------------------------------------------------- token


@pytest.mark.parametrize("name", SINGLES)
def test_token(start, name):
    """One token serves until it ends; then there is one more."""
    value = SINGLES[name]
    pbx = start(switches(value))
    first = [_read(pbx, FIRST), _read(pbx, LAST)]
    tokens = len(pbx.sent("POST"))
    pbx.server.expire_tokens()
    second = _read(pbx, FIRST)
    if name in REFUSED_LISTING:
        assert any(isinstance(found, REFUSED_LISTING[name]) for found in (*first, second))
        assert len(pbx.sent("POST")) <= 9
        return
    restarts = int(value.row == "restart_after")
    assert tokens <= 1 + restarts
    assert len(pbx.sent("POST")) in {2, 2 + restarts}
    assert not isinstance(second, PbxError)


@pytest.mark.parametrize("name", SINGLES)
def test_wrong_secret(start, name):
    """Rejected credentials are tried once: whoever tries again may be locked out."""
    value = SINGLES[name]
    pbx = start(switches(value), secret="canary-secret-wrong")
    answers = [_read(pbx, FIRST), _read(pbx, FIRST)]
    if name == "token_error=500":
        assert all(isinstance(a, PbxUnreachable) for a in answers)
        assert len(pbx.sent("POST")) == 3
        return
    assert all(isinstance(a, PbxRefused) for a in answers)
    assert {r.method for r in pbx.server.requests} == {"POST"}
    assert len(pbx.server.requests) == 1


# ---------------------------------------------------------------------------- restore

UNRESTORED = {*REFUSED_LISTING}
"""Values for which nothing can be put back as long as they last."""


@pytest.mark.parametrize("name", SINGLES)
def test_restore(evening, folder, name):
    """Deleted on a PBX that is well, put back on this one; repeated, nobody is there twice."""
    value = SINGLES[name]
    made = evening(Switches(), planned=(FIRST, LAST))
    made.apply()
    buried = {content(dict(made.before[i].fields)) for i in made.planned}
    made.ledger.close()
    company = Company(server=made.pbx.server, folder=folder, now=NOW)
    server = made.pbx.server
    server.switches = switches(value)
    with ends():
        done = restoring.restore_once(company.config, company.world(), run_id=made.run_id)
    assert [r.contact_id for r in done] == [FIRST, LAST]
    assert all(r.done.strip() for r in done)
    back = {r.contact_id for r in done if r.ok}
    assert back == {FIRST, LAST} or name in UNRESTORED, done
    assert sum(company.slept) <= MAX_WAITED
    made.pbx.heal()
    again = restoring.restore_once(company.config, company.world(), run_id=made.run_id)
    assert all(r.ok for r in again), again
    now = [content(dict(row.fields)) for row in server.book.rows()]
    assert {c: now.count(c) for c in buried} == dict.fromkeys(buried, 1)


# ---------------------------------------------------------------------------- the whole command


ONLY_CHANGES = {"if_match", "delete_missing", "patch_status", "delete_status", "lost_response"}
"""Switches that a dry run, which reads, can't meet."""


@pytest.mark.parametrize("name", [n for n, v in SINGLES.items() if v.row not in ONLY_CHANGES])
def test_plan(start, folder, name):
    """A night's dry run: it plans, or it ends with the exit code for the PBX and says why."""
    value = SINGLES[name]
    pbx = start(switches(value))
    company = Company(server=pbx.server, folder=folder, now=NOW)
    company.export()
    with ends():
        report = company.plan()
    assert {r.method for r in pbx.server.requests} <= {"GET", "POST"}
    assert {r.path for r in pbx.sent("POST")} <= {"/connect/token"}
    if name not in REFUSED_LISTING:
        assert (report.exit_code, report.counts.pbx["read"]) == (Exit.CONVERGED, len(pbx.listed()))
        return
    assert report.exit_code is Exit.PBX
    (found,) = [f for f in report.findings if f.level is Level.BLOCK]
    assert found.message.strip()
    assert found.hint.strip()


# ---------------------------------------------------------------------------- TLS


@pytest.mark.parametrize("tls", get_args(hints()["tls"]))
def test_tls(start, tls):
    """A certificate counts for its own name and from a known authority; else nothing is sent."""
    pbx = start(Switches(tls=tls))
    found = pbx.snapshot()
    if tls in {"none", "valid"}:
        assert not isinstance(found, PbxError), found
        return
    assert isinstance(found, PbxUnreachable)
    assert "certificate" in found.message
    assert pbx.server.requests == ()
