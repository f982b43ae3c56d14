"""The report for a ticket, as a Markdown reader sees it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reported import outcomes, result

from reconcile.model import Finding, Level, Measure, Outcome, Subject
from reconcile.report import markdown
from reconcile.report.build import build
from reconcile.report.inert import printable

REPORT = build(result(), previous=None, masked=False)
READER = MarkdownIt("gfm-like", {"linkify": False})


def written(report, *, full=False):
    file = io.StringIO()
    markdown.render(report, file, full=full)
    return file.getvalue()


def cells(report, **options):
    """The text of every cell, and what kinds of marks stand in it."""
    found, kinds = [], set()
    for token in READER.parse(written(report, **options)):
        for child in token.children or ():
            kinds.add(child.type)
            if child.type == "code_inline":
                found.append(child.content)
    return found, kinds


def test_a_ticket_says_what_would_be_deleted_and_what_to_do():
    lines = written(REPORT).splitlines()
    assert (
        lines[0]
        == "## 1 of 3 phone\\-system contacts would be deleted. Nothing has been changed yet."
    )
    text = READER.render(written(REPORT))
    for words in (
        "run 12, plan, mode review, 2026-11-24 02:30 UTC.",
        f"reconcile apply {REPORT.digest[:12]} (until 2026-11-25 02:30 UTC)",
        "3CX: 3 read = 1 matched + 1 review + 1 delete",
        "<h3>To delete (1)</h3>",
        "<code>Jo Doe</code>, <code>ACME</code>",
        "<code>030 1234567</code>",
        "CRM record 4711 is absent since",
        "<h3>For a person to look at (1)</h3>",
    ):
        assert words in text


def test_a_finding_has_its_value_and_its_limit():
    finding = Finding(
        code="group_lost",
        level=Level.APPROVE,
        subject=Subject.DELETES,
        observed="company @team: 5 of 8",
        limit="30 %",
        message="One company would lose many.",
        hint="",
    )
    text = READER.render(written(build(result(findings=(finding,)), previous=None, masked=False)))
    said = "<strong>Asks a person: group_lost</strong>: <code>company @team: 5 of 8</code>"
    assert f"{said} (limit <code>30 %</code>). One company would lose many." in text


def test_the_whole_ticket_has_every_guard():
    measure = Measure(code="too_many_deletes", observed="2 | 3", limit="20", level=None)
    report = build(result(measures=(measure,)), previous=None, masked=False)
    text = READER.render(written(report, full=True))
    assert "<td>Deletes at once</td>\n<td><code>2 | 3</code></td>\n<td><code>20</code></td>" in text
    assert "Deletes at once" not in written(report)


def test_what_became_of_each_contact_is_told():
    applied = build(result(outcomes=outcomes(Outcome.DELETED)), previous=None, masked=False)
    assert "<code>deleted (said; guard etag); CRM record 4711" in READER.render(written(applied))


def test_a_long_list_is_cut_and_counted_unless_all_is_asked_for():
    jo = REPORT.contacts[0]
    many = tuple(jo.model_copy(update={"id": i, "name": f"N{i}"}) for i in range(1, 61))
    report = REPORT.model_copy(update={"contacts": many})
    assert "N50" in written(report)
    assert "N51" not in written(report)
    assert "… and 10 more." in written(report)
    assert "N60" in written(report, full=True)
    assert "more." not in written(report, full=True)


@pytest.mark.parametrize(
    "name",
    [
        *["@everyone #1", "a|b", "`x`", "``", "[x](http://evil.example)", "<img src=x>", "\\"],
        *["**bold**", "http://evil.example", "a\nb", " lead", "```", "a`|`b"],
    ],
)
def test_a_name_is_never_markup(name):
    contacts = tuple(c.model_copy(update={"name": name}) for c in REPORT.contacts)
    found, kinds = cells(REPORT.model_copy(update={"contacts": contacts}))
    assert printable(name) in found
    assert kinds.isdisjoint({"html_inline", "link_open", "image", "em_open"})


@given(st.text(max_size=60).filter(str.strip))
def test_whatever_a_name_is_it_comes_back_as_it_is_shown(name):
    contacts = tuple(c.model_copy(update={"name": name}) for c in REPORT.contacts)
    found, kinds = cells(REPORT.model_copy(update={"contacts": contacts}))
    assert printable(name) in found
    assert kinds <= {"text", "code_inline", "strong_open", "strong_close", "text_special"}
