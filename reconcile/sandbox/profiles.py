"""What a person asks for on the command line, as switches: a profile, and changes to it.

A profile is one of `switches.PROFILES` or a file in TOML: `switch = value` at its top level, and
`profile = "…"` to start from a named one.
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from reconcile.errors import Problem, UsageError
from reconcile.sandbox.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def assembled(profile: str | None, words: Iterable[str]) -> Switches:
    """The switches of a profile, changed by words of the form `name=value`.

    Raises UsageError with every problem at once, each with its file and name.
    """
    assembly = _Assembly()
    if profile is not None and profile.endswith(".toml"):
        assembly.read(Path(profile))
    elif profile is not None:
        assembly.start_from(profile, where=f"--profile {profile}")
    for word in words:
        name, _, value = word.partition("=")
        assembly.turn(name, value, where=f"--with {word}")
    return assembly.whole()


def differences(switches: Switches) -> Mapping[str, object]:
    """The switches that are not as they are by default."""
    default = asdict(Switches())
    return {name: value for name, value in asdict(switches).items() if value != default[name]}


class _Assembly:
    """Switches that are being put together, and what is wrong so far."""

    def __init__(self) -> None:
        self._switches = Switches()
        self._problems: list[Problem] = []

    def read(self, path: Path) -> None:
        """Take what a file says."""
        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            self._wrong(f"it can't be read: {error.strerror}", where=str(path))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            self._wrong(f"it is not valid TOML: {error}", where=str(path))
        else:
            if "profile" in document:
                self.start_from(str(document.pop("profile")), where=f"{path}, profile")
            for name, value in document.items():
                self.turn(name, value, where=f"{path}, {name}")

    def start_from(self, name: str, *, where: str) -> None:
        """Take all switches of a named profile."""
        try:
            self._switches = Switches.profile(name)
        except ValueError as error:
            self._wrong(str(error), where=where)

    def turn(self, name: str, value: object, *, where: str) -> None:
        """Change one switch."""
        try:
            self._switches = self._switches.turned({name: value})
        except ValueError as error:
            self._wrong(str(error), where=where)

    def whole(self) -> Switches:
        """All of it. Raises UsageError."""
        if self._problems:
            raise UsageError(
                "The sandbox can't behave like that.",
                problems=self._problems,
                hint="reconcile sandbox --profile 20.0.9+ --with etags=weak, for one",
            )
        return self._switches

    def _wrong(self, message: str, *, where: str) -> None:
        self._problems.append(Problem(code="usage", message=f"{message}.", file=where))
