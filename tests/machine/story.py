"""A company's years in random order: people come and go, colleagues edit, exports lie, runs die.

Every rule is something that happens to a real installation. After each command `judge` looks at
what was sent and done; nothing here knows how the program decides.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from company import SECRET
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from machine import people
from machine.happenings import (
    AT_THE_CONSOLE,
    BY_THE_ADMINISTRATOR,
    EXPORTS,
    IN_THE_CRM,
    MEANWHILE,
    TROUBLE,
    WEATHER,
    Weather,
)
from machine.judge import PROBE, Command, Entry, judge, learn
from machine.office import HEADER, KINDS, Absence, Export, Office, PlanNote
from machine.witness import Witness, accepted_run

from reconcile import run
from reconcile.config import Protect
from reconcile.errors import LockBusy, ReconcileError, StateError
from reconcile.hold import freeze_once, lift_once
from reconcile.model import Exit, Verdict
from reconcile.ownership import Exceptions, adopt_once, protect_once, release_once, unprotect_once
from reconcile.planning import Request
from reconcile.restoring import restore_once
from reconcile.sandbox import SandboxServer, Switches
from reconcile.session import World

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from machine.people import Person

STAFF = 24
LEAVERS = ("P22", "P23")
"""Who has left when a story begins: absent in one export already."""
BEGIN = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
TAG = "from-crm"


class Crash(Exception):
    """The process dies here."""


@dataclass
class Bench:
    """What all stories of one process share: a server, and states as they are on the third day."""

    server: SandboxServer
    folder: Path
    tried: Counter[str]
    stories: int = 0

    @property
    def book(self) -> Witness:
        return self.server.book

    def fresh(self) -> Path:
        """An empty folder."""
        self.stories += 1
        path = self.folder / f"story-{self.stories}"
        path.mkdir()
        return path

    def third_day(self, story: Story, policy: Mapping[str, Any]) -> Path:
        """The folder of a state in which everybody is claimed, and the leavers are absent once."""
        made = self.folder / "-".join(map(str, policy.values()))
        if not made.exists():
            made.mkdir()
            story.begin(made)
            story.office.settings |= policy
            story.office.create_state()
            for without in ((), LEAVERS):
                story.office.lay(story.office.written(story.everybody(without), notes={}))
                story.office.plan()
                story.now += timedelta(days=1)
        return made


class Story(RuleBasedStateMachine):
    """One company from its third day on."""

    bench: Bench

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.book = bench.book
        self.server = bench.server
        self.now = BEGIN
        self.crm: dict[str, Person] = {}
        self.former: dict[str, Person] = {}
        self.frozen: set[str] = set()
        """People whose record and contact must stay recognizable from here on."""
        self.entries: dict[int, Entry] = {}
        self.notes: dict[str, str] = {}
        self.hired = STAFF
        self.keys = 0
        self.numbers = 1_000
        self.exports = 0
        self.trouble: tuple[str, int] = ("none", 0)
        self.ticks = 0
        self.command: Command | None = None
        self.reused: list[tuple[int, int]] = []
        self.latest = BEGIN
        self.older: list[Export] = []
        self.converges = False
        self.has_seen_old_state = False
        self.folder: Path | None = None

    # ------------------------------------------------------------------------ the beginning

    def begin(self, folder: Path) -> None:
        """Everybody is in the CRM and in 3CX, and nothing is remembered."""
        self.server.clear_script()
        self.server.switches = Switches()
        self.book.begin_anew()
        self.now = self.latest = BEGIN
        self.entries.clear()
        self.crm = {f"P{n}": people.person(n) for n in range(STAFF)}
        for person in self.crm.values():
            self.enter(person.contact, person.key)
        self.enter({**people.person(60).contact, "ContactType": "M365"}, None)
        self.enter(people.person(61).contact, None)
        self.office = Office(server=self.server, folder=folder, world_of=self.world)
        self.office.now = self.now
        self.office.settings = {
            "mode": "review",
            "pbx.delete_guard": "etag",
            "policy.max_deletes": 3,
            "policy.max_delete_percent": 15.0,
        }

    def everybody(self, without: tuple[str, ...] = ()) -> dict[str, Person]:
        return {key: person for key, person in self.crm.items() if key not in without}

    @initialize(
        etags=st.sampled_from([*["weak"] * 4, "strong", "strong", "none"]),
        if_match=st.sampled_from([*["enforced"] * 6, "required", "ignored", "always_412"]),
        guard=st.sampled_from(["etag", "etag", "compare"]),
        mode=st.sampled_from(["auto", "auto", "review"]),
        grace=st.sampled_from([(1, 0.0), (2, 20.0)]),
        id_reuse=st.sampled_from(["never", "reused"]),
        converges=st.sampled_from([False, False, False, True]),
    )
    def first_days(self, *, etags, if_match, guard, mode, grace, id_reuse, converges):
        policy = {
            "policy.grace_exports": grace[0],
            "policy.grace_hours": grace[1],
            "pbx.delete_guard": guard,
        }
        made = self.bench.third_day(self, policy)
        self.folder = self.bench.fresh()
        shutil.copytree(made, self.folder, symlinks=True, dirs_exist_ok=True)
        self.begin(self.folder)
        self.server.switches = Switches(etags=etags, if_match=if_match, id_reuse=id_reuse)
        self.converges = converges
        self.office.settings |= {"mode": mode, **policy}
        self._remember_two_nights()
        self.now = self.latest = BEGIN + timedelta(days=2)

    def _remember_two_nights(self) -> None:
        """What the state of the third day holds."""
        office = self.office
        office.now = BEGIN + timedelta(days=1)
        second = office.written(self.everybody(LEAVERS), notes={})
        office.lay(second)
        office.last_sha = second.sha256
        for entry in self.entries.values():
            if entry.person is None:
                continue
            office.claimable.add(entry.key)
            office.sure.add(entry.key)
            office.known[entry.key] = self.book.get(entry.id)
            if entry.person in LEAVERS:
                office.absent[entry.key] = [Absence(sha256=second.sha256, at=office.now)]
        for key in LEAVERS:
            self.former[key] = self.crm.pop(key)

    def enter(self, fields: Mapping[str, Any], person: str | None, *, reuse: bool = False) -> Entry:
        """A contact is typed into 3CX."""
        contact_id = self.book.add(fields, reuse_id=reuse)
        return self.known_as(contact_id, person)

    def known_as(self, contact_id: int, person: str | None) -> Entry:
        self.keys += 1
        self.entries[contact_id] = Entry(key=self.keys, id=contact_id, person=person)
        return self.entries[contact_id]

    # ------------------------------------------------------------------------ the CRM

    def _leaves(self, n: int, _m: int) -> None:
        if len(self.crm) > 8:
            key = sorted(self.crm)[n % len(self.crm)]
            self.former[key] = self.crm.pop(key)

    def _comes_back(self, n: int, _m: int) -> None:
        if self.former:
            key = sorted(self.former)[n % len(self.former)]
            self.crm[key] = self.former.pop(key)

    def _is_hired(self, n: int, _m: int) -> None:
        person = self.hire()
        if n % 2:
            self.enter(person.contact, person.key)

    def hire(self) -> Person:
        person = people.person(self.hired)
        self.hired += 1
        self.crm[person.key] = person
        return person

    def _record_is_edited(self, n: int, m: int) -> None:
        key = sorted(self.crm)[n % len(self.crm)]
        if key in self.frozen:
            return
        self.numbers += 1
        new = {
            "phone": people.phone(self.numbers),
            "mail": people.mail(self.numbers),
            "last": people.last_name(self.numbers),
            "company": people.COMPANIES[self.numbers % 2],
        }
        what = sorted(new)[m % len(new)]
        self.crm[key] = replace(self.crm[key], **{what: new[what]})

    def _record_gets_another_id(self, n: int, _m: int) -> None:
        """A migration: the person is the same, and its contact is as it was filled."""
        key = sorted(self.crm)[n % len(self.crm)]
        person = self.crm[key]
        contacts = [self.book.get(e.id) for e in self.entries.values() if e.person == key]
        if all(is_like(person, fields) for fields in contacts):
            self.frozen.add(key)
            self.numbers += 1
            self.crm[key] = replace(person, crm_id=f"{self.numbers + 90_000}")

    def _number_in_a_note(self, n: int, m: int) -> None:
        """Somebody's number stays in somebody else's notes."""
        listed = {entry.person for entry in self.entries.values()}
        gone, there = sorted(self.former.keys() & listed), sorted(self.crm)
        if gone:
            number = self.former[gone[m % len(gone)]].phone.replace("+4930", "030 ")
            self.notes[there[n % len(there)]] = f"formerly {number}"

    def _notes_are_cleared(self, _n: int, _m: int) -> None:
        self.notes.clear()

    # ------------------------------------------------------------------------ the console of 3CX

    def pick(self, n: int) -> Entry | None:
        """Somebody; most often one of those whose person has left, whom a delete may meet."""
        some = [e for e in self.entries.values() if n % 4 == 3 or e.person in self.former]
        some = some or list(self.entries.values())
        return some[n // 4 % len(some)] if some else None

    def _contact_is_edited(self, n: int, m: int) -> None:
        entry, how = self.pick(n), ("Title", "Mobile2", "PhoneNumber", "nothing")[m % 4]
        if entry and (entry.person not in self.frozen or how in {"Title", "nothing"}):
            self.edit(entry, how)

    def edit(self, entry: Entry, how: str) -> None:
        self.numbers += 1
        new = {
            "Title": {"Title": f"Title {self.numbers}"},
            "Mobile2": {"Mobile2": people.phone(self.numbers)},
            "PhoneNumber": {"PhoneNumber": people.phone(self.numbers)},
            "nothing": {},
        }
        with suppress(KeyError):
            self.book.edit(entry.id, new[how])

    def _contact_gets_another_name(self, n: int, _m: int) -> None:
        """Perhaps it is another person now; whoever has its number and address is still there."""
        entry = self.pick(n)
        person = self.crm.get(entry.person or "") if entry else None
        if entry and person and is_like(person, self.book.get(entry.id)):
            self.frozen.add(person.key)
            self.numbers += 1
            self.book.edit(entry.id, {"LastName": people.last_name(self.numbers)})
            self.office.sure.discard(entry.key)

    def _contact_is_tagged(self, n: int, m: int) -> None:
        if entry := self.pick(n):
            self.book.edit(entry.id, {"Tag": (TAG, TAG, "vip", None)[m % 4]})

    def _contact_is_typed_in(self, n: int, _m: int) -> None:
        """Nobody of the CRM; or one of those who have left, or who never had one."""
        gone = sorted(self.former)
        if gone and n % 2:
            key = gone[n % len(gone)]
            self.enter(self.former[key].contact, key)
        else:
            self.numbers += 1
            self.enter(people.person(self.numbers).contact, None)

    def _contact_is_removed(self, n: int, m: int) -> None:
        """By hand; its Id may be given to somebody else, as after a restored backup."""
        entry = self.pick(n)
        if entry and len(self.entries) > 12:
            self.book.remove_by_hand(entry.id)
            del self.entries[entry.id]
            if m % 2:
                self.numbers += 1
                self.enter(people.person(self.numbers).contact, None, reuse=True)

    # ------------------------------------------------------------------------ the configuration

    def _mode_is_set(self, n: int, _m: int) -> None:
        self.office.settings["mode"] = ("auto", "review")[n % 2]

    def _policy_is_set(self, n: int, m: int) -> None:
        values = {
            "grace_exports": (1, 2, 3),
            "grace_hours": (0.0, 20.0, 40.0),
            "max_deletes": (1, 3, 20),
            "max_delete_percent": (2.0, 15.0, 50.0),
        }
        key = sorted(values)[n % len(values)]
        self.office.settings[f"policy.{key}"] = values[key][m % 3]

    def _guard_is_set(self, n: int, _m: int) -> None:
        self.office.settings["pbx.delete_guard"] = ("etag", "compare")[n % 2]

    def _owner_tag_is_set(self, n: int, _m: int) -> None:
        self.office.settings["policy.owner_tag"] = (TAG, "")[n % 2]

    def _protection_is_configured(self, n: int, m: int) -> None:
        entry, kind = self.pick(n), (*KINDS, "nobody")[m % 5]
        fields = self.book.get(entry.id) if entry else None
        listed = {} if kind == "nobody" or not fields else {kind: [named(kind, fields)]}
        self.office.settings["policy.protect"] = listed

    def _protection_by_hand(self, n: int, m: int) -> None:
        entry, kind, back = self.pick(n), KINDS[m % 4], m % 3 == 0
        fields = self.book.get(entry.id) if entry else None
        if not fields or (kind == "tags" and not fields["Tag"]):
            return
        listed = Protect.model_validate({kind: [named(kind, fields)]})
        if back:
            unprotect_once(self.office.config, self.office.world(), listed)
            self.office.stuck.get(kind, set()).discard(named(kind, fields))
        else:
            protect_once(self.office.config, self.office.world(), listed, why="asked for")
            self.office.stuck.setdefault(kind, set()).add(named(kind, fields))

    def _stop_file(self, _n: int, _m: int) -> None:
        """Somebody makes the file STOP, or takes it away."""
        path = self.office.folder / "STOP"
        if path.exists():
            path.unlink()
        else:
            path.touch()

    def _freeze(self, n: int, m: int) -> None:
        """Deletes are frozen for some hours, or a freeze is lifted."""
        office = self.office
        if m % 3 == 0:
            lift_once(office.config, office.world())
            office.frozen_until = None
        else:
            until = self.now + timedelta(hours=n + 1)
            freeze_once(office.config, office.world(), until=until.isoformat(), why="a migration")
            office.frozen_until = until

    # ------------------------------------------------------------------------ the nights

    @rule(what=IN_THE_CRM, n=st.integers(0, 60), m=st.integers(0, 60))
    def in_the_crm(self, what, n, m):
        getattr(self, f"_{what}")(n, m)

    @rule(what=AT_THE_CONSOLE, n=st.integers(0, 60), m=st.integers(0, 60))
    def at_the_console(self, what, n, m):
        getattr(self, f"_{what}")(n, m)

    @rule(what=BY_THE_ADMINISTRATOR, n=st.integers(0, 60), m=st.integers(0, 60))
    def by_the_administrator(self, what, n, m):
        getattr(self, f"_{what}")(n, m)

    @rule(
        export=EXPORTS,
        command=st.sampled_from([*["run"] * 6, "plan", "plan", "dry"]),
        hours=st.sampled_from([*[24] * 8, 12, 30, 100, -6, 0]),
        leavers=st.sampled_from([0, 0, 1, 1, 2, 4]),
        before=MEANWHILE,
        trouble=TROUBLE,
        weather=WEATHER,
        n=st.integers(0, 1_000),
    )
    def night(self, *, export, command, hours, leavers, before, trouble, weather, n):
        self._day(hours, leavers, before, n)
        getattr(self, f"_{export}")(n)
        self.carry_out(command, trouble=trouble, weather=weather, n=n)

    def _day(
        self, hours: int, leavers: int, happenings: list[tuple[str, int, int]], n: int
    ) -> None:
        """What a day brings, until the next command."""
        self.now += timedelta(hours=hours)
        self.latest = max(self.latest, self.now)
        self.office.now = self.now
        for at in range(leavers):
            self._leaves(n + 7 * at, 0)
        for what, one, other in happenings:
            getattr(self, f"_{what}")(one, other)

    @rule(
        leavers=st.sampled_from([0, 1, 2]),
        before=MEANWHILE,
        between=MEANWHILE,
        trouble=TROUBLE,
        weather=WEATHER,
        n=st.integers(0, 1_000),
    )
    def night_and_approval(self, *, leavers, before, between, trouble, weather, n):
        """In the morning a person reads the report, and approves what it plans."""
        self._day(24, leavers, before, n)
        self._honest(0)
        self.carry_out("plan")
        plans = self.office.plans
        if plans and plans[-1].at == self.now:
            self._day(6, 0, between, n)
            self.carry_out("apply", plan=plans[-1], trouble=trouble, weather=weather, n=n)

    @rule(
        back=st.sampled_from([0, 0, 0, 0, 1, 2]),
        hours=st.sampled_from([*[0] * 6, 1, 23, 25]),
        careless=st.sampled_from([False, False, False, True]),
        trouble=TROUBLE,
        weather=WEATHER,
        n=st.integers(0, 1_000),
    )
    def plan_is_approved(self, *, back, hours, careless, trouble, weather, n):
        """By a person who reads the report, or by one who doesn't."""
        plans = self.office.plans
        if len(plans) <= back:
            return
        plan = plans[-1 - back]
        if plan.lies and not careless:
            return
        self.now += timedelta(hours=hours)
        self.carry_out("apply", plan=plan, trouble=trouble, weather=weather, n=n)

    def _planned_and_approved(self, _n: int, _m: int) -> None:
        """Without grace, and at once: a clean-up by hand."""
        self.carry_out("now")
        plans = self.office.plans
        if plans and plans[-1].immediate and not plans[-1].lies:
            self.carry_out("apply", plan=plans[-1])

    def _contacts_are_adopted(self, n: int, _m: int) -> None:
        entry = self.pick(n)
        if entry is None:
            return
        with self.watched("adopt") as command, suppress(ReconcileError):
            adoption, done = adopt_once(
                self.office.config,
                self.office.world(),
                ids=frozenset({entry.id}),
                exceptions=Exceptions(),
                confirm=lambda _: True,
            )
            if done and adoption.contacts:
                self.office.claimable.add(entry.key)
                self.office.known[entry.key] = command.seen[entry.id][1]
                self.office.absent[entry.key] = []
        self.finish(command)

    def _claim_is_released(self, n: int, _m: int) -> None:
        if entry := self.pick(n):
            release_once(self.office.config, self.office.world(), frozenset({entry.id}))
            self.office.claimable.discard(entry.key)
            self.office.sure.discard(entry.key)

    def _run_is_restored(self, n: int, _m: int) -> None:
        """I13: what was deleted is there again, but for its Id."""
        office = self.office
        if not office.graves:
            return
        run_id = sorted(office.graves)[n % len(office.graves)]
        with self.watched("restore") as command:
            restore_once(office.config, office.world(), run_id=run_id)
        self.finish(command)
        there = [without_id(row) for row in self.book.all()]
        for fields in office.graves.pop(run_id):
            assert without_id(fields) in there, f"I13: {fields} is not back"

    def _old_state_is_put_back(self, _n: int, _m: int) -> None:
        """A backup of the state in its place is refused; then the right one is there again."""
        if self.has_seen_old_state:
            return
        self.has_seen_old_state = True
        state = self.office.state
        backup = state.with_name("old.db")
        shutil.copy(state, backup)
        self.carry_out("plan")
        newest = state.with_name("newest.db")
        shutil.move(state, newest)
        shutil.move(backup, state)
        if accepted_run(newest) != accepted_run(state):
            with self.watched("none") as command, pytest.raises(StateError):
                self.office.run()
            assert not command.requests
        shutil.move(newest, state)

    # ------------------------------------------------------------------------ exports

    def _lay(self, export: Export) -> None:
        if self.office.export_now is not None:
            self.older.append(self.office.export_now)
        self.office.lay(export)

    def _honest(self, _n: int) -> None:
        self._lay(self.written())

    def written(self, **how: Any) -> Export:
        """Tonight's export; no two are the same, as in a CRM that people work with."""
        self.exports += 1
        first = next(iter(self.crm))
        said = "".join("abcdefghij"[int(digit)] for digit in str(self.exports))
        notes = {**self.notes, first: f"{self.notes.get(first, '')} {said}"}
        return self.office.written(self.crm, notes=notes, **how)

    def _lie(self, hidden: set[str]) -> None:
        """Somebody is left out: so many that no small company loses them in a night."""
        office = self.office
        lost = [
            e
            for e in self.entries.values()
            if e.person in hidden
            and e.key in office.sure
            and not office.absent.get(e.key)
            and not office.is_protected(self.book.get(e.id))
        ]
        if len(lost) > 5:
            export = self.written(hidden=frozenset(hidden))
            self._lay(export)
        else:
            self._honest(0)

    def _filtered(self, n: int) -> None:
        company = people.COMPANIES[n % 2]
        self._lie({key for key, person in self.crm.items() if person.company == company})

    def _cut(self, n: int) -> None:
        """At the end of a row: nothing in the file shows it."""
        kept = list(self.crm)[: n % (len(self.crm) // 2) + 1]
        self._lie(set(self.crm) - set(kept))

    def _partial(self, n: int) -> None:
        """In the middle of a row."""
        whole = self.written()
        ends = {at for at, byte in enumerate(whole.content) if byte == ord("\n")}
        at = len(HEADER) * 12 + n * 7 % (len(whole.content) - len(HEADER) * 12)
        while at in ends or at + 1 in ends or at - 1 in ends:
            at -= 1
        self._lay(replace(whole, content=whole.content[:at]))

    def _repeated(self, _n: int) -> None:
        if self.office.export_now is not None:
            written = self.now - timedelta(hours=1)
            self._lay(replace(self.office.export_now, written=written))

    def _kept(self, _n: int) -> None:
        """No new file has come."""

    def _stale(self, _n: int) -> None:
        self._lay(self.written(age=timedelta(hours=30)))

    def _older(self, n: int) -> None:
        if self.older:
            self._lay(self.older[n % len(self.older)])

    def _renamed(self, n: int) -> None:
        at = n % (len(HEADER) - 1)
        header = (*HEADER[:at], "Zzyzx", *HEADER[at + 1 :])
        self._lay(self.written(header=header))

    def _empty(self, _n: int) -> None:
        self._lay(replace(self.office.written({}, notes={}), content=b""))

    def _header(self, _n: int) -> None:
        self._lay(self.office.written({}, notes={}))

    def _missing(self, _n: int) -> None:
        self.office.lay(None)

    def _garbage(self, _n: int) -> None:
        page = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>\n"
        self._lay(replace(self.office.written({}, notes={}), content=page))

    # ------------------------------------------------------------------------ commands

    def carry_out(
        self,
        kind: str,
        *,
        plan: PlanNote | None = None,
        trouble: tuple[str, int] = ("none", 0),
        weather: Weather | None = None,
        n: int = 0,
    ) -> None:
        """One command, in this weather, with this trouble; and then look at what it did."""
        office = self.office
        office.now = self.now
        acts: Mapping[str, Callable[[], Any]] = {
            "run": office.run,
            "dry": lambda: office.run(dry_run=True),
            "plan": office.plan,
            "now": lambda: office.plan(immediate=True),
            "apply": lambda: office.apply(plan.digest if plan else ""),
        }
        with self.watched(kind, plan) as command:
            self.trouble = trouble
            if weather is not None:
                weather(self, n)
            try:
                command.report = acts[kind]()
            except Crash:
                command.crashed = True
            except ReconcileError as error:
                self.bench.tried[f"refused: {type(error).__name__}"] += 1
                command.crashed = isinstance(error, StateError)
        self.finish(command)

    def watched(self, kind: str, plan: PlanNote | None = None) -> Watch:
        return Watch(self, kind, plan)

    def world(self, office: Office) -> World:
        return World(
            environ={"SECRET": SECRET},
            clock=lambda: self.tick() or self.now,
            sleep=lambda _: self.tick(),
            user="tester",
            interrupted=lambda: self.tick() or office.stop,
            progress=lambda _what, _done, _all: self.tick(),
        )

    def tick(self) -> None:
        """Called whenever the program looks up from its work: the moment for trouble."""
        self.ticks += 1
        kind, at = self.trouble
        if self.ticks != at or self.command is None:
            return
        self.bench.tried[f"trouble: {kind}"] += 1
        self.trouble = ("none", 0)
        if kind == "crash":
            raise Crash
        getattr(self, f"_{kind}_now")()

    def _none_now(self) -> None:
        """Nothing happens."""

    def _signal_now(self) -> None:
        self.office.stop = Exit.TERMINATED
        self._hush()

    def _stop_file_now(self) -> None:
        (self.office.folder / "STOP").touch()
        self._hush()

    def _suspended_now(self) -> None:
        if self.command.has_deleted(self.server.requests):
            self._hush()
        self.now += timedelta(hours=3)
        until = self.office.frozen_until
        self.command.is_frozen &= until is not None and self.now < until

    def _clock_back_now(self) -> None:
        if self.command.has_deleted(self.server.requests):
            self._hush()
        self.now -= timedelta(hours=3)

    def _second_now(self) -> None:
        """Somebody starts another run beside this one."""
        if self.command.kind == "none" or self.ticks == 1:  # the lock says since when it is held
            return
        other = World(
            environ={"SECRET": SECRET}, clock=lambda: self.now, sleep=lambda _: None, user="other"
        )
        try:
            run.plan_once(self.office.config, other, Request(command="plan"))
        except LockBusy:
            return
        raise AssertionError("I9: two runs at a time")

    def _hush(self) -> None:
        self.command.hushed = len(self.server.requests)

    def finish(self, command: Command) -> None:
        """Learn what it may know now, judge it, and see who is still there."""
        office = self.office
        office.stop = None
        learn(command)
        self._count(command)
        judge(command, self.book)
        self._note_plan(command)
        self._see_removals(command)
        self._see_book(command)
        self._see_surety(command)

    def _count(self, command: Command) -> None:
        tried = self.bench.tried
        tried["commands"] += 1
        tried["deletes sent"] += len(command.deletes)
        known = command.seen.keys() - command.probed
        tried["deleted"] += sum(1 for r in command.removals if r.contact_id in known)
        tried["crashes"] += command.crashed
        for level, code in command.codes:
            tried[f"{level}: {code}"] += 1

    def _note_plan(self, command: Command) -> None:
        office, report = self.office, command.report
        if command.approved and (command.deletes or (report and "applied" in report.status)):
            office.used.add(command.approved.digest)
        if report is None or not report.digest or command.is_blocked or not report.run.id:
            return
        if command.kind not in {"run", "plan", "dry", "now"}:
            return
        ids = [c.id for c in report.contacts if c.verdict is Verdict.DELETE]
        seen = command.seen
        plan = PlanNote(
            digest=report.digest,
            at=command.started,
            deletes={seen[i][0].key: seen[i][1] for i in ids if i in seen},
            immediate=command.kind == "now",
            lies=command.export is not None and command.export.lies,
            settings=command.settings,
        )
        office.plans.append(plan)
        office.used.discard(plan.digest)
        if command.deletes:
            office.used.add(plan.digest)

    def _see_removals(self, command: Command) -> None:
        gone = [r for r in command.removals if r.contact_id in command.seen.keys() - command.probed]
        self.office.deleted += [self.now] * len(gone)
        run_id = command.report.run.id if command.report and command.report.run.id else None
        if gone and run_id:
            self.office.graves[run_id] = [r.fields for r in gone]

    def _see_book(self, command: Command) -> None:
        """Who is there now, and who has come in meanwhile."""
        present = {row["Id"] for row in self.book.all()}
        for contact_id in set(self.entries) - present:
            del self.entries[contact_id]
        removed = {r.contact_id for r in command.removals}
        for contact_id, key in self.reused:
            known = self.entries.get(contact_id)  # none has an Id that had been free for days
            is_new = known is None or known.key == key or contact_id in removed
            if contact_id in present and is_new:
                self.known_as(contact_id, None)
                removed.discard(contact_id)
        self.reused.clear()
        for contact_id in sorted(present):
            known = self.entries.get(contact_id)
            fields = self.book.get(contact_id)
            if fields["FirstName"] == PROBE:  # which could not clean up: a person is told to
                continue
            if known is None or (contact_id in removed and command.kind != "restore"):
                assert command.kind == "restore", f"{fields} was not there before"
                self.known_as(contact_id, self.whose(fields))

    def whose(self, fields: Mapping[str, Any]) -> str | None:
        for person in (*self.crm.values(), *self.former.values()):
            if person.first == fields["FirstName"]:
                return person.key
        return None

    def _see_surety(self, command: Command) -> None:
        """Certainly claimed: as the CRM filled it, and in an accepted export."""
        if not command.has_accepted or command.export is None or command.kind == "adopt":
            return
        for entry, fields in command.seen.values():
            person = self.crm.get(entry.person or "")
            if person and entry.person in command.export.shown and is_like(person, fields):
                self.office.sure.add(entry.key)

    # ------------------------------------------------------------------------ the end

    def teardown(self) -> None:
        try:
            if self.converges and self.folder is not None:
                self._converge()
        finally:
            self.server.clear_script()
            if self.folder is not None:
                shutil.rmtree(self.folder)

    def _converge(self) -> None:
        """I12: when nothing changes any more, whoever has left is gone within grace and two."""
        office = self.office
        (office.folder / "STOP").unlink(missing_ok=True)
        lift_once(office.config, office.world())
        office.frozen_until = None
        # Another version of 3CX: what was proved of the one before is proved again.
        self.server.switches = Switches(etags="strong", version="20.0.10.200")
        office.settings |= {"mode": "auto", "pbx.delete_guard": "etag"}
        self.notes.clear()
        self.now = self.latest
        office.ask_what_is_protected()
        orphans = [
            e
            for e in self.entries.values()
            if e.key in office.sure
            and e.person not in self.crm
            and not office.is_protected(self.book.get(e.id))
        ]
        for _ in range(int(office.settings["policy.grace_exports"]) + 2):
            self.now += timedelta(days=2)
            self.hire()
            office.now = self.now
            self._honest(0)
            self.carry_out("run")
            if office.plans and office.plans[-1].at == self.now:
                self.carry_out("apply", plan=office.plans[-1])
        left = [e for e in orphans if self.entries.get(e.id) == e]
        assert not left, f"I12: still there: {left}"
        self.carry_out("run")
        with self.watched("none") as command:
            office.run()
        methods = {r.method for r in command.requests if "/connect/token" not in r.path}
        assert methods == {"GET"}, f"I12: a second run sent {methods}"
        self.bench.tried["converged"] += 1
        self.bench.tried["orphans gone"] += len(orphans)


class Watch:
    """A command from its beginning to its end."""

    def __init__(self, story: Story, kind: str, plan: PlanNote | None) -> None:
        self.story, office = story, story.office
        newest = office.plans[-1] if office.plans else None
        self.command = Command(
            office=office,
            kind=kind,
            started=story.now,
            seen={e.id: (e, story.book.get(e.id)) for e in story.entries.values()},
            export=office.export_now,
            settings=dict(office.settings),
            accepted_before=accepted_run(office.state),
            probed=story.book.probed,
            takes_etags=story.server.switches.etags != "none"
            and story.server.switches.if_match != "always_412",
            approved=plan,
            is_newest=plan is not None and newest is not None and plan.digest == newest.digest,
            stop_file=(office.folder / "STOP").exists(),
            is_frozen=office.frozen_until is not None and story.now < office.frozen_until,
        )

    def __enter__(self) -> Command:
        story = self.story
        story.server.clear_requests()
        story.book.removals.clear()
        story.book.probed.clear()
        story.book.state = story.office.state
        story.ticks, story.command = 0, self.command
        return self.command

    def __exit__(self, *_: object) -> None:
        story = self.story
        story.command, story.trouble = None, ("none", 0)
        story.server.clear_script()
        story.book.state = None
        self.command.ended = story.now
        self.command.requests = story.server.requests
        self.command.removals = list(story.book.removals)


# ---------------------------------------------------------------------------- small words


def is_like(person: Person, fields: Mapping[str, Any] | None) -> bool:
    """Whether a contact is as the CRM would fill it."""
    return fields is not None and all(fields[k] == v for k, v in person.contact.items())


def named(kind: str, fields: Mapping[str, Any]) -> Any:
    return {
        "ids": fields["Id"],
        "tags": fields["Tag"] or "vip",
        "numbers": fields["PhoneNumber"],
        "names": f"{fields['FirstName']} {fields['LastName']}",
    }[kind]


def without_id(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "Id" and value}
