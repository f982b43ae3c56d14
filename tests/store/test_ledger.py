"""What goes into the ledger comes out again, and nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinds import SQLITE
from sqlalchemy.exc import IntegrityError

from reconcile.errors import ApprovalRefused, LockBusy, StateError
from reconcile.model import (
    Claim,
    ClaimOrigin,
    EtagKind,
    Freeze,
    IfMatch,
    Outcome,
    Probe,
    ProtectionKind,
    ProtectionRecord,
    RunRecord,
    Status,
    StoredPlan,
)
from reconcile.store import migrate
from reconcile.store.ledger import Ledger


def learn(ledger: Ledger, run_id: int, **more: object) -> None:
    """Record, with nothing for what is not given."""
    ledger.record(run_id, **({"accepted": None, "claims": (), "released": (), "plan": None} | more))


# ---------------------------------------------------------------------------- runs


def test_a_run_is_open_until_it_is_finished(ledger: Ledger, now: datetime) -> None:
    run_id = ledger.begin_run(command="plan --now", mode="review", now=now)
    running = RunRecord(
        id=run_id,
        command="plan --now",
        mode="review",
        started_at=now,
        finished_at=None,
        status=None,
        exit_code=None,
        digest="",
        headline="",
    )
    assert ledger.run(run_id) == running
    later = now + timedelta(minutes=1)
    ledger.finish_run(
        run_id,
        status=Status.WAITING,
        exit_code=10,
        digest="d" * 64,
        headline="3 wait",
        now=later,
    )
    assert ledger.run(run_id) == replace(
        running,
        finished_at=later,
        status=Status.WAITING,
        exit_code=10,
        digest="d" * 64,
        headline="3 wait",
    )


def test_a_run_is_finished_only_once_and_only_if_it_exists(ledger: Ledger, now: datetime) -> None:
    run_id = ledger.begin_run(command="plan", mode="review", now=now)
    end = {"exit_code": 0, "digest": "", "headline": "", "now": now}
    ledger.finish_run(run_id, status=Status.CLEAN, **end)
    for number in (run_id, run_id + 1):
        with pytest.raises(StateError, match=f"run {number} is not open"):
            ledger.finish_run(number, status=Status.PARTIAL, **end)
    assert [run.status for run in ledger.runs()] == [Status.CLEAN]


def test_runs_are_listed_the_newest_first(ledger: Ledger, now: datetime) -> None:
    numbers = [ledger.begin_run(command=c, mode="review", now=now) for c in ("a", "b", "c")]
    assert [run.id for run in ledger.runs()] == numbers[::-1]
    assert [run.id for run in ledger.runs(limit=2)] == numbers[:0:-1]
    assert ledger.run(99) is None


def test_the_last_run_is_the_newest_of_its_command_that_ended_so(
    ledger: Ledger, now: datetime
) -> None:
    ends = [("drill", Status.APPLIED), ("drill", Status.APPLIED), ("drill", Status.PARTIAL)]
    for command, status in [*ends, ("run", Status.APPLIED)]:
        number = ledger.begin_run(command=command, mode="review", now=now)
        ledger.finish_run(number, status=status, exit_code=0, digest="", headline="", now=now)
    found = ledger.last_run(command="drill", status=Status.APPLIED)
    assert found is not None
    assert found.id == 2
    assert ledger.last_run(command="plan", status=Status.APPLIED) is None
    assert ledger.last_run(command="drill", status=Status.BLOCKED) is None


# ---------------------------------------------------------------------------- claims


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A ledger that the examples of a property share."""
    base = tmp_path_factory.mktemp("scratch")
    migrate.upgrade("sqlite:///s.db", base=base, now=datetime(2026, 1, 1, tzinfo=UTC))
    with Ledger.open("sqlite:///s.db", base=base, pbx_url="https://pbx") as opened:
        yield opened


moments = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone itself
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23))),
)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
claims = st.builds(
    Claim,
    contact_id=st.integers(0, 2**31 - 1),
    crm_id=words,
    name=words,
    fingerprint=st.text("0123456789abcdef", min_size=64, max_size=64),
    origin=st.sampled_from(ClaimOrigin),
    claimed_by=words,
    first_absent=st.none() | moments,
    absent_exports=st.integers(0, 10_000),
)


@settings(max_examples=50)
@given(st.lists(claims, unique_by=lambda c: c.contact_id), st.data())
def test_claims_come_back_as_they_went_in(
    scratch: Ledger, made: list[Claim], data: st.DataObject
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    scratch.release(scratch.view(now=at).claims)
    scratch.adopt(made)
    expected = {c.contact_id: c for c in made}
    assert scratch.view(now=at).claims == expected
    renewed = (
        [replace(c, name="new") for c in data.draw(st.lists(st.sampled_from(made)))] if made else []
    )
    released = data.draw(st.lists(st.sampled_from(sorted(expected)))) if made else []
    run_id = scratch.begin_run(command="run", mode="review", now=at)
    learn(scratch, run_id, claims=renewed, released=released)
    expected |= {c.contact_id: c for c in renewed}
    assert scratch.view(now=at).claims == {
        number: c for number, c in expected.items() if number not in released
    }


def test_many_claims_are_written_in_several_batches(state, ledger: Ledger, run_id: int) -> None:
    learn(ledger, run_id, claims=[state.claim(n) for n in range(1501)])
    found = ledger.view(now=datetime(2026, 1, 1, tzinfo=UTC)).claims
    assert list(found) == list(range(1501))
    assert found[1500] == state.claim(1500)


def test_a_contact_both_claimed_and_released_ends_released(
    state, ledger: Ledger, run_id: int
) -> None:
    learn(ledger, run_id, claims=[state.claim(1), state.claim(2)], released=[2, 3])
    assert list(ledger.view(now=state.now).claims) == [1]


def test_a_name_that_no_database_takes_does_not_end_the_night(
    state, ledger: Ledger, run_id: int
) -> None:
    learn(ledger, run_id, claims=[state.claim(1, name="Jo\ud83d Doe")])
    assert ledger.view(now=state.now).claims[1].name == "Jo? Doe"


def test_a_crm_id_is_stored_exactly_or_not_at_all(state, ledger: Ledger, run_id: int) -> None:
    with pytest.raises(StateError, match=r"can't hold a text with the character '\\ud83d'"):
        learn(ledger, run_id, claims=[state.claim(1), state.claim(2, crm_id="\ud83d")])
    assert ledger.view(now=state.now).claims == {}


# ---------------------------------------------------------------------------- exports


def test_the_last_accepted_export_is_the_newest_that_is_no_history(state, ledger: Ledger) -> None:
    exports = [
        state.accepted(name="monday"),
        state.accepted(name="tuesday", generated_at=state.now + timedelta(days=1)),
        state.accepted(name="old", generated_at=state.now - timedelta(days=30), history=True),
    ]
    for export in exports:
        learn(
            ledger, ledger.begin_run(command="plan", mode="review", now=state.now), accepted=export
        )
    view = ledger.view(now=state.now)
    assert view.last_accepted == replace(exports[1], run_id=2)
    assert view.newest_generated_at == state.now + timedelta(days=1)


def test_history_counts_for_the_newest_export_but_is_no_measure(
    state, ledger: Ledger, run_id: int
) -> None:
    learn(ledger, run_id, accepted=state.accepted(history=True))
    view = ledger.view(now=state.now)
    assert (view.last_accepted, view.newest_generated_at) == (None, state.now)


def accept(ledger, state, *, command="run", days=0, **more):
    """Accept an export so many days from now; its run."""
    now = state.now + timedelta(days=days)
    run_id = ledger.begin_run(command=command, mode="auto", now=now)
    learn(ledger, run_id, accepted=state.accepted(accepted_at=now, **more))
    return run_id


def test_an_export_that_was_accepted_while_a_clock_was_ahead_does_not_stay_the_newest(
    state, ledger: Ledger
) -> None:
    accept(ledger, state, generated_at=state.now + timedelta(days=700))
    accept(ledger, state, generated_at=state.now + timedelta(days=1))
    view = ledger.view(now=state.now)
    assert view.newest_generated_at == state.now + timedelta(days=1)
    accept(ledger, state, generated_at=state.now + timedelta(days=2), history=True)
    view = ledger.view(now=state.now)
    assert view.newest_generated_at == state.now + timedelta(days=2)


def test_a_view_has_what_protects_and_what_exports_came_with(state, ledger: Ledger) -> None:
    accept(ledger, state, manifest="rows sha256")
    accept(ledger, state, manifest="")
    record = ProtectionRecord(
        kind=ProtectionKind.NAME, value="Jo Doe", created_by="me", created_at=state.now, reason=""
    )
    ledger.protect(record)
    view = ledger.view(now=state.now)
    assert view.manifests == {"rows", "sha256"}
    assert view.protections == (record,)


def test_every_content_that_was_accepted_is_known_by_its_last_run(state, ledger: Ledger) -> None:
    accept(ledger, state, sha256="a" * 64)
    second = accept(ledger, state, sha256="b" * 64)
    third = accept(ledger, state, sha256="a" * 64)
    accept(ledger, state, sha256="c" * 64, history=True)
    view = ledger.view(now=state.now)
    assert view.contents == {"a" * 64: third, "b" * 64: second}
    assert [view.run_with(c * 64) for c in "abc"] == [third, second, None]


def test_the_most_records_are_those_of_a_week_and_since_a_person_approved(
    state, ledger: Ledger
) -> None:
    assert ledger.view(now=state.now).most_records == 0
    accept(ledger, state, records=900)
    accept(ledger, state, records=999, history=True)
    accept(ledger, state, records=800, days=1)
    week = state.now + timedelta(days=7)
    assert ledger.view(now=week - timedelta(seconds=1)).most_records == 900
    assert ledger.view(now=week).most_records == 800
    accept(ledger, state, command="apply", records=700, days=2)
    accept(ledger, state, records=690, days=3)
    assert ledger.view(now=week - timedelta(seconds=1)).most_records == 700


def test_what_a_run_learned_is_kept_whole_or_not_at_all(
    state, ledger: Ledger, run_id: int, plan: StoredPlan
) -> None:
    ledger.adopt([state.claim(1)])
    changes = {"accepted": state.accepted(), "released": [1], "plan": plan}
    with pytest.raises(LockBusy, match=f"The newest run is {run_id}, not 77"):
        learn(ledger, 77, claims=[state.claim(2)], **changes)
    with pytest.raises(StateError, match="can't hold a text"):
        learn(ledger, run_id, claims=[state.claim(2), state.claim(3, crm_id="\ud83d")], **changes)
    view = ledger.view(now=state.now)
    assert (list(view.claims), view.last_accepted) == ([1], None)
    assert ledger.plan(plan.digest) == []


# ---------------------------------------------------------------------------- plans, approvals


def test_a_plan_is_found_by_the_beginning_of_its_digest(
    ledger: Ledger, plan: StoredPlan, now: datetime
) -> None:
    other = replace(plan, canonical="[]", digest=hashlib.sha256(b"[]").hexdigest())
    assert ledger.latest_plan_run() is None
    for made in (plan, other, plan):
        learn(ledger, ledger.begin_run(command="plan", mode="review", now=now), plan=made)
    ledger.begin_run(command="apply", mode="review", now=now)
    assert ledger.plan(plan.digest[:12]) == [replace(plan, run_id=3), replace(plan, run_id=1)]
    assert ledger.plan(other.digest.upper()) == [replace(other, run_id=2)]
    assert ledger.plan("%" * 12) == []
    assert ledger.latest_plan_run() == 3


def test_a_plan_that_was_altered_is_refused(state, ledger: Ledger, run_id: int, plan) -> None:
    learn(ledger, run_id, plan=plan)
    state.sql("""UPDATE run SET plan = '{"deletes":[]}'""")
    with pytest.raises(StateError, match="does not hash to its digest"):
        ledger.plan(plan.digest)


def test_a_plan_is_good_once_and_the_same_plan_made_again_is_another(
    ledger: Ledger, run_id: int, plan, now: datetime
) -> None:
    learn(ledger, run_id, plan=plan)
    ledger.use_approval(run_id, run_id=run_id, approved_by="anna", now=now)
    assert [stored.used_by_run for stored in ledger.plan(plan.digest)] == [run_id]
    again = ledger.begin_run(command="apply", mode="review", now=now)
    with pytest.raises(
        ApprovalRefused, match=r"already applied, by run 1 \(anna, 2026-03-01 02:30"
    ):
        ledger.use_approval(run_id, run_id=again, approved_by="ben", now=now)
    learn(ledger, again, plan=plan)
    assert [stored.used_by_run for stored in ledger.plan(plan.digest)] == [None, run_id]


def test_an_approval_for_a_run_that_is_not_there_is_a_bug(ledger: Ledger, now: datetime) -> None:
    with pytest.raises(IntegrityError):
        ledger.use_approval(4, run_id=5, approved_by="anna", now=now)


# ---------------------------------------------------------------------------- probes, protections


def test_a_probe_counts_for_exactly_one_pbx_and_version(ledger: Ledger, now: datetime) -> None:
    probe = Probe(
        pbx_url="https://pbx",
        pbx_version="20.0.10",
        probed_at=now,
        etags=EtagKind.WEAK,
        if_match=IfMatch.ENFORCED,
        detail="412",
    )
    ledger.save_probe(replace(probe, if_match=IfMatch.IGNORED, detail="200"))
    ledger.save_probe(probe)
    assert ledger.probe(pbx_url="https://pbx", pbx_version="20.0.10") == probe
    assert ledger.probe(pbx_url="https://pbx", pbx_version="20.0.11") is None
    assert ledger.probe(pbx_url="https://other", pbx_version="20.0.10") is None


def test_protections_made_by_hand_can_be_taken_back(ledger: Ledger, now: datetime) -> None:
    made = [
        ProtectionRecord(kind=kind, value=value, created_by="anna", created_at=now, reason="r")
        for kind, value in ((ProtectionKind.ID, "7"), (ProtectionKind.ID, "8"))
    ]
    for record in reversed(made):
        ledger.protect(record)
    ledger.protect(replace(made[0], reason="because"))
    assert ledger.protections() == [replace(made[0], reason="because"), made[1]]
    assert ledger.unprotect(kind=ProtectionKind.ID, value="7")
    assert not ledger.unprotect(kind=ProtectionKind.NUMBER, value="8")
    assert ledger.protections() == made[1:]


def test_a_freeze_holds_until_its_moment_and_not_at_it(ledger: Ledger, now: datetime) -> None:
    until = now + timedelta(days=3)
    freeze = Freeze(until=until, frozen_by="anna", why="the CRM moves")
    assert ledger.frozen(now=now) is None
    ledger.freeze(freeze)
    instant = timedelta(microseconds=1)
    for moment, holds in ((now, True), (until - instant, True), (until, False)):
        assert ledger.frozen(now=moment) == (freeze if holds else None)
        assert ledger.view(now=moment).freeze == (freeze if holds else None)
    assert ledger.frozen(now=(until - instant).astimezone(timezone(timedelta(hours=9)))) == freeze


def test_a_newer_freeze_replaces_the_old_one_and_none_lifts_it(
    state, ledger: Ledger, now: datetime
) -> None:
    first = Freeze(until=now + timedelta(days=3), frozen_by="anna", why="w")
    second = Freeze(until=now + timedelta(days=1), frozen_by="ben")
    ledger.freeze(first)
    ledger.freeze(second)
    assert ledger.frozen(now=now) == second
    with state.open() as other:
        assert other.frozen(now=now) == second
        other.freeze(None)
    assert ledger.frozen(now=now) is None


def test_a_freeze_of_another_process_holds_for_a_run_under_way(
    state, ledger: Ledger, run_id: int, now: datetime
) -> None:
    assert ledger.standing(now=now)[0] == run_id
    freezing = state.process(
        "from datetime import timedelta\n"
        "from reconcile.model import Freeze\n"
        "from reconcile.store.ledger import Ledger\n"
        "with Ledger.open(url, base=base, pbx_url=pbx_url) as ledger:\n"
        "    ledger.freeze(Freeze(until=now + timedelta(days=1), frozen_by='ben'))\n"
        "    ledger.begin_run(command='freeze', mode='review', now=now)\n"
    )
    freezing.communicate()
    assert freezing.returncode == 0
    assert ledger.frozen(now=now).frozen_by == "ben"
    assert ledger.standing(now=now)[0] == run_id + 1


def test_the_newest_run_is_the_one_with_the_highest_number(ledger: Ledger, now: datetime) -> None:
    assert ledger.standing(now=now)[0] == 0
    for day in (2, 1):
        ledger.begin_run(command="run", mode="auto", now=now + timedelta(days=day))
    assert ledger.standing(now=now)[0] == 2


# ---------------------------------------------------------------------------- failures


@SQLITE
def test_a_full_disk_is_a_state_error_and_leaves_nothing_half_written(
    state, ledger: Ledger, run_id: int, full_disk
) -> None:
    ledger.adopt([state.claim(1)])
    many = [state.claim(n) for n in range(30_000)]
    with full_disk(1_000_000), pytest.raises(StateError) as refused:
        learn(ledger, run_id, claims=many, released=[1])
    assert refused.value.code == "state_disk"
    assert str(state.path) in refused.value.message
    assert ledger.view(now=state.now).claims == {1: state.claim(1)}
    learn(ledger, run_id, claims=many)
    ledger.close()
    assert state.check().ok
    assert state.check().claims == 30_000


def test_of_two_claims_on_a_contact_the_last_one_counts(state, ledger: Ledger) -> None:
    ledger.adopt([state.claim(1, name="a"), state.claim(2), state.claim(1, name="b")])
    assert ledger.view(now=state.now).claims[1].name == "b"


def test_a_table_lost_under_an_open_ledger_is_a_state_error(state, ledger: Ledger) -> None:
    state.sql("DROP TABLE probe")
    with pytest.raises(
        StateError, match=r"could not be used: (no such table|relation .* does not exist)"
    ):
        ledger.probe(pbx_url="https://pbx", pbx_version="20")


def test_a_reader_sees_the_state_while_another_process_writes(state, ledger: Ledger) -> None:
    ledger.adopt([state.claim(1)])
    writing = state.process(
        "from reconcile.store.engine import located\n"
        "from sqlalchemy import text\n"
        "with located(url, base=base).transaction(writing=True) as connection:\n"
        "    connection.execute(text('DELETE FROM claim'))\n"
        "    print('deleted', flush=True)\n"
        "    input()\n"
    )
    with writing:
        assert writing.stdout.readline() == "deleted\n"
        assert list(ledger.view(now=state.now).claims) == [1]
        writing.stdin.write("\n")
    assert writing.returncode == 0
    assert ledger.view(now=state.now).claims == {}


def test_a_killed_record_leaves_the_state_as_it_was(state, ledger: Ledger) -> None:
    ledger.adopt([state.claim(1)])
    killed = state.process(
        "from reconcile.model import Claim\n"
        "from reconcile.store.ledger import Ledger\n"
        "def claims():\n"
        "    for n in range(5000):\n"
        "        yield Claim(contact_id=n, crm_id='x', name='x', fingerprint='x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "ledger = Ledger.open(url, base=base, pbx_url=pbx_url)\n"
        "run = ledger.begin_run(command='run', mode='auto', now=now)\n"
        "ledger.record(run, accepted=None, claims=claims(), released=[1], plan=None)\n"
    )
    killed.communicate()
    assert killed.returncode == -9
    assert ledger.view(now=state.now).claims == {1: state.claim(1)}
    assert [run.finished_at for run in ledger.runs()] == [None]
    assert Outcome.DELETED not in {action.outcome for action in ledger.actions()}
