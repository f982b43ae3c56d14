"""Two machines with one state and one phone system, and nothing else in common."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from canaries import SECRET
from company import Company, hired

from reconcile.schedule import Nights
from reconcile.session import World
from reconcile.slots import trigger_of
from reconcile.store import lineage

if TYPE_CHECKING:
    from collections.abc import Callable

    from databases import Cluster

    from reconcile.sandbox import SandboxServer


@dataclass(kw_only=True)
class Machine(Company):
    """One of them: its folder, its clock, and what it does while it sleeps."""

    ahead: timedelta = timedelta()
    asleep: Callable[[float], None] = lambda _seconds: None
    another_world: World | None = None

    def world(self) -> World:
        if self.another_world:
            return self.another_world
        return World(
            environ={"SECRET": SECRET},
            clock=lambda: self.now + self.ahead,
            sleep=self.asleep,
            user="tester",
            interrupted=lambda: self.stop,
        )

    def write_config(self) -> None:
        """What `config` is made of, as a file for a command."""
        found = self.config
        lines = [f"mode = {json.dumps(found.mode)}"]
        for name in ("crm", "pbx", "policy", "state", "schedule"):
            section = getattr(found, name)
            lines.append(f"[{name}]")
            said = section.model_dump(mode="json", exclude_unset=True).items()
            lines += [f"{key} = {json.dumps(value)}" for key, value in said]
        (self.folder / "config.toml").write_text("\n".join(lines) + "\n", "utf-8")

    def nights(self) -> Nights:
        found = self.config
        return Nights(config=found, world=self.world(), trigger=trigger_of(found))

    def night(self, slot: datetime | None = None):
        """The night of a slot, or of this moment."""
        return self.nights().night(slot or self.now)


@dataclass(kw_only=True)
class Pair:
    """Both of them."""

    first: Machine
    second: Machine
    everybody: frozenset[int]
    left: list[int] = field(default_factory=list)
    """The contacts whose person has left, in the order in which they did."""
    companies: Counter[str] = field(default_factory=Counter)
    """How many of each company have left."""

    @classmethod
    def founded(
        cls,
        folder: Path,
        server: SandboxServer,
        cluster: Cluster | None,
        at: datetime | None = None,
    ) -> Pair:
        """Everybody is claimed; the second machine has the mark of the first."""
        made = []
        for name in ("first", "second"):
            (folder / name).mkdir()
            machine = Machine(server=server, folder=folder / name, cluster=cluster)
            machine.now = at or machine.now
            machine.settings |= {
                "mode": "auto",
                "schedule.timezone": "UTC",
                "policy.grace_exports": 1,
                "policy.grace_hours": 0,
                "policy.max_delete_percent": 50.0,
                "policy.max_weekly_percent": 100.0,
                "policy.max_shrink_percent": 50.0,
            }
            made.append(machine)
        first, second = made
        if not cluster:
            second.settings["state.url"] = f"sqlite:///{first.folder}/state/reconcile.db"
        first.create_state()
        everybody = frozenset(contact["Id"] for contact in first.book.all())
        pair = cls(first=first, second=second, everybody=everybody)
        pair.export()
        assert first.plan().exit_code == 0
        own = lineage.own(first.config.state.url, base=first.folder, marks=first.folder / "reports")
        lineage.carry([own], folder=second.folder / "reports")
        return pair

    @property
    def machines(self) -> tuple[Machine, Machine]:
        return self.first, self.second

    def at(self, moment: datetime) -> None:
        """So late is it now, on both."""
        self.first.now = self.second.now = moment

    def export(self) -> None:
        """What the CRM exports now; each machine has it for itself, whole or not at all."""
        extra = [hired(n) for n in range(len(self.left))]
        path = self.first.export(without=self.left, extra=extra, name="next.part")
        beside = self.second.folder / "exports"
        beside.mkdir(exist_ok=True)
        Path(shutil.copy2(path, beside)).replace(beside / "contacts.csv")
        path.replace(path.with_name("contacts.csv"))

    def leaves(self) -> int:
        """Somebody leaves the CRM, and is due at the next slot; gives the contact's Id."""
        there = [c for c in self.first.book.all() if c.get("Tag") and c["Id"] not in self.left]
        leaver = min(there, key=lambda c: self.companies[c["CompanyName"]])
        self.companies[leaver["CompanyName"]] += 1  # else a company that loses many is asked about
        self.left.append(leaver["Id"])
        self.export()
        return leaver["Id"]

    def leaves_now(self) -> int:
        """The same by the clock of this machine."""
        self.at(datetime.now(UTC))
        return self.leaves()

    def runs(self):
        with self.first.ledger() as ledger:
            return ledger.runs()[::-1]

    def deleted(self) -> list[int]:
        """The contacts for which a DELETE was answered with success, in their order."""
        found = [r for r in self.first.server.requests if r.method == "DELETE" and r.status < 300]
        ids = [int(r.path.partition("(")[2].partition(")")[0]) for r in found]
        return [i for i in ids if i in self.everybody]  # without those that prove the delete guard
