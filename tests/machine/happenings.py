"""What may happen, as strategies: to the requests, to a run, to an export, and in an office."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from machine import people

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machine.story import Story

ONE: Final = "/xapi/v1/Contacts("
"""How the address of a single contact begins."""


@dataclass(frozen=True)
class Weather:
    """What befalls requests, or what somebody does between them."""

    name: str
    fault: Mapping[str, Any] | None = None
    hook: tuple[str, str] | None = None
    """Before a request of this method, somebody does this."""

    def __call__(self, story: Story, n: int) -> None:
        story.bench.tried[f"weather: {self.name}"] += 1
        if self.fault is not None:
            story.server.fail(**{"skip": n % 8, **self.fault})
        if self.hook is not None:
            method, what = self.hook
            if method == "DELETE" and story.office.settings["pbx.delete_guard"] != "etag":
                method = "GET"
            story.server.hook(
                lambda: meddle(story, what, n), method=method, path_prefix=ONE, nth=n % 8 + 1
            )


def meddle(story: Story, what: str, n: int) -> None:
    """Somebody at the console, just now: with one who may be about to be deleted."""
    entries = [e for e in story.entries.values() if e.person not in story.crm]
    entry = entries[n % len(entries)] if entries else None
    if entry is None or story.book.row(entry.id) is None:
        return
    if what == "edit":
        story.edit(entry, "Title")
    elif what == "remove":
        story.book.remove_by_hand(entry.id)
    else:
        story.book.remove_by_hand(entry.id)
        story.numbers += 1
        fields = people.person(story.numbers).contact
        story.reused.append((story.book.add(fields, reuse_id=True), entry.key))


_DELETE = {"method": "DELETE", "path_prefix": ONE}
_LIST = {"method": "GET", "path_prefix": "/xapi/v1/Contacts?"}
WEATHERS = (
    Weather("lost after", fault={**_DELETE, "drop": True, "effect": "after"}),
    Weather("lost before", fault={**_DELETE, "drop": True}),
    Weather("500 after", fault={**_DELETE, "effect": "after"}),
    Weather("500 before", fault={**_DELETE, "times": 2}),
    Weather("503", fault={**_DELETE, "status": 503, "headers": {"Retry-After": "7"}, "times": 2}),
    Weather("429", fault={**_DELETE, "status": 429, "headers": {"Retry-After": "99999"}}),
    Weather("412", fault={**_DELETE, "status": 412}),
    Weather("404", fault={**_DELETE, "status": 404, "times": 2}),
    Weather("401", fault={**_DELETE, "status": 401}),
    Weather("403", fault={**_DELETE, "status": 403}),
    Weather("204, not done", fault={**_DELETE, "status": 204, "times": 3}),
    Weather("302", fault={**_DELETE, "status": 302, "headers": {"Location": "/login"}}),
    Weather("listing 500", fault={**_LIST, "times": 9}),
    Weather("listing once 500", fault=_LIST),
    Weather("listing cut", fault={**_LIST, "cut": 300, "times": 2}),
    Weather("listing empty", fault={**_LIST, "status": 200, "body": {"value": []}, "skip": 0}),
    Weather("reread 500", fault={"method": "GET", "path_prefix": ONE, "times": 9}),
    Weather("reread 404", fault={"method": "GET", "path_prefix": ONE, "status": 404}),
    Weather("restore lost", fault={"method": "POST", "path_prefix": "/xapi", "drop": True}),
    Weather("edit before reread", hook=("GET", "edit")),
    Weather("edit before delete", hook=("DELETE", "edit")),
    Weather("removed before reread", hook=("GET", "remove")),
    Weather("removed before delete", hook=("DELETE", "remove")),
    Weather("id reused before reread", hook=("GET", "reuse")),
    Weather("id reused before delete", hook=("DELETE", "reuse")),
)


def _words(text: str) -> st.SearchStrategy[str]:
    """One of these words; those that stand twice come twice as often."""
    return st.sampled_from(text.split())


EXPORTS = _words(
    f"""{"honest " * 12} filtered filtered cut partial empty header missing garbage renamed
    repeated kept stale older"""
)
IN_THE_CRM = _words(
    """leaves comes_back comes_back is_hired record_is_edited record_is_edited
    record_gets_another_id number_in_a_note number_in_a_note notes_are_cleared"""
)
AT_THE_CONSOLE = _words(
    """contact_is_edited contact_is_edited contact_gets_another_name contact_is_tagged
    contact_is_typed_in contact_is_removed"""
)
BY_THE_ADMINISTRATOR = _words(
    """mode_is_set policy_is_set guard_is_set owner_tag_is_set stop_file freeze
    protection_is_configured protection_is_configured protection_by_hand protection_by_hand
    planned_and_approved contacts_are_adopted contacts_are_adopted
    claim_is_released run_is_restored run_is_restored old_state_is_put_back"""
)
MEANWHILE = st.lists(
    st.tuples(
        _words(
            """contact_is_edited contact_is_edited contact_is_tagged contact_gets_another_name
            contact_is_removed comes_back record_is_edited number_in_a_note
            protection_is_configured protection_by_hand policy_is_set owner_tag_is_set"""
        ),
        st.integers(0, 60),
        st.integers(0, 60),
    ),
    max_size=2,
)
"""What happens on the day before a command."""
WEATHER = st.none() | st.none() | st.sampled_from(WEATHERS)
TROUBLE = (
    st.just(("none", 0))
    | st.just(("none", 0))
    | st.tuples(
        _words("crash crash signal stop_file suspended clock_back second"), st.integers(1, 60)
    )
)
