"""What the version of a 3CX decides besides its header (the published specifications differ so)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconcile.sandbox.book import SOURCES

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconcile.sandbox.switches import Switches


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One generation of the API."""

    bulk_delete: str
    """The name of the action that deletes contacts by their Ids."""
    contact_types: Collection[str] | None
    """The members of the enum that ContactType is; None where it is any text."""


_UP_TO_20_0_8: Final = Version(bulk_delete="Pbx.BatchContactsDelete", contact_types=None)
_FROM_20_0_9: Final = Version(bulk_delete="Pbx.DeleteContactsById", contact_types=SOURCES)
BULK_DELETES: Final = (_UP_TO_20_0_8.bulk_delete, _FROM_20_0_9.bulk_delete)


def current(switches: Switches) -> Version:
    """The generation that this PBX is of; one that hides its version is of the newest."""
    numbers = [int(number) for number in switches.version.split(".") if number]
    return _UP_TO_20_0_8 if numbers and numbers < [20, 0, 9] else _FROM_20_0_9
