"""Everything that one simulated PBX is made of, in one place that requests and tests share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconcile.sandbox.faults import Script
from reconcile.sandbox.requestlog import RequestLog
from reconcile.sandbox.weather import Weather

if TYPE_CHECKING:
    from reconcile.sandbox.book import Book
    from reconcile.sandbox.switches import Switches
    from reconcile.sandbox.tokens import Tokens


@dataclass(slots=True, kw_only=True)
class Simulation:
    """Mutable on purpose: a test turns its switches while the server runs."""

    book: Book
    tokens: Tokens
    switches: Switches
    script: Script = field(default_factory=Script)
    log: RequestLog = field(default_factory=RequestLog)
    weather: Weather = field(default_factory=Weather)
    is_running: bool = False

    def turn(self, switches: Switches) -> None:
        """Behave like this from the next request on. Raises ValueError."""
        if self.is_running and switches.tls != self.switches.tls:
            raise ValueError("tls can't change while the server runs: its certificate is made then")
        self.weather.turned(self.switches, switches)
        self.switches = switches
