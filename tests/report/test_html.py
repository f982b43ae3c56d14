"""The page: what stands in it, in which order, and that nothing in it can act."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html.parser import HTMLParser

import builders as b
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import outcomes, result

from reconcile.model import DeleteGuard, Exit, Finding, Level, Measure, Outcome, Status, Subject
from reconcile.report import html
from reconcile.report.build import build
from reconcile.report.inert import printable
from reconcile.report.model import DriftPart, DuplicatePart, MissingPart

VOID = {"meta", "input"}


@dataclass
class Page(HTMLParser):
    """What a reader of the page sees: tags with their attributes, and the text of each."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    """The innermost tag, and its text."""
    open: list[str] = field(default_factory=list)
    """Which tags are open now; each is closed by its own."""

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def inside(self, name):
        return [text for tag, text in self.texts if tag == name]

    def text(self):
        """What is shown, with single blanks."""
        shown = (text for tag, text in self.texts if tag not in {"style", "script", "title"})
        return " ".join(" ".join(shown).split())


def written(report):
    file = io.StringIO()
    html.render(report, file)
    return file.getvalue()


def page(report):
    parser = Page()
    parser.feed(written(report))
    parser.close()
    assert parser.open == []
    return parser


def made(*, previous=None, masked=False, **changes):
    return build(result(**changes), previous=previous, masked=masked)


FINDING = Finding(
    code="export_shrank",
    level=Level.APPROVE,
    subject=Subject.EXPORT,
    observed="30 fewer records",
    limit="2 %",
    message="The export has many fewer records.",
    hint="reconcile apply 0123",
)


def test_every_guard_stands_with_its_value_and_limit():
    measures = (
        Measure(code="too_many_deletes", observed="2 deletes", limit="20", level=None),
        Measure(code="vetoes", observed="3 <b>", limit="1 that is new", level=Level.APPROVE),
    )
    said = page(made(measures=measures)).text()
    assert "Every guard, what it saw, and its limit Guard Seen Limit Says Deletes at once" in said
    assert "Deletes at once 2 deletes 20 fine" in said
    assert "Absent, and still in the export's text 3 <b> 1 that is new asks a person" in said
    assert "Every guard, what it saw" not in page(made()).text()


def test_the_page_says_what_a_person_signs():
    report = made(findings=(FINDING,))
    found = page(report)
    assert "".join(found.inside("h1")) == report.headline
    said = found.text()
    for words in (
        "run 12, plan, mode review",
        "A person must approve export_shrank The export has many fewer records.",
        "Seen 30 fewer records Limit 2 % What to do reconcile apply 0123",
        "contacts.csv",
        "0 h 0 min before this run",
        "a" * 64,
        "https://pbx.example.com, version 20.0.9.995",
        "Jo Doe ACME 030 1234567 jo@acme.example",
        "CRM record 4711 is absent since 2026-11-24 02:30 UTC",
        "Eve Fox",
        "Max New",
        f"reconcile apply {report.digest[:12]}",
        f"Digest of the plan {report.digest}",
        "until 2026-11-25 02:30 UTC",
        "reconcile restore --run",
    ):
        assert words in said


def test_the_parts_stand_in_the_order_in_which_they_are_read():
    named = [a["id"] for tag, a in page(made()).tags if tag == "section"]
    assert named == [
        *("findings", "inputs", "arithmetic", "delete", "review", "missing", "trend", "sign"),
    ]


def test_both_sides_add_up_on_the_page():
    found = written(made())
    tables = re.findall(r"<caption>(?:3CX|CRM)</caption>(.*?)</table>", found, re.DOTALL)
    for table in tables:
        *counts, total = [int(n) for n in re.findall(r'class="number">([\d,]+)<', table)]
        assert sum(counts) == total > 0
    assert len(tables) == 2


def test_what_was_not_read_is_said():
    found = made(crm=None, pbx=None, matching=None, plan=None).model_copy(
        update={"status": Status.BLOCKED, "exit_code": Exit.EXPORT}
    )
    said = page(found).text()
    assert "The CRM's export was not read." in said
    assert "The phone system was not read." in said
    assert "Every guard was asked, and none has anything to say." in said
    assert "To approve" not in said
    assert "Next: reconcile doctor" in said


def test_after_an_apply_each_approved_contact_has_its_outcome():
    report = made(outcomes=outcomes(Outcome.DELETED, Outcome.CHANGED))
    found = page(report)
    heads = [a["data-head"] for tag, a in found.tags if a.get("data-head")]
    assert heads.count("Outcome") == 2
    said = found.text()
    assert "deleted said guard etag" in said
    assert "changed said guard etag" in said
    assert "reconcile restore --run 12 puts back what this run deleted." in said


def test_lists_beside_the_contacts_are_there():
    report = made().model_copy(
        update={
            "drift": (DriftPart(id=7, crm_id="2", field="email", crm="new@x.de", pbx="old@x.de"),),
            "missing": (MissingPart(crm_id="3", row=9, name="Max New", company="ACME"),),
            "duplicates": (DuplicatePart(crm_id="4", name="Ann Lee", ids=(7, 8)),),
        }
    )
    said = page(report).text()
    assert "7 2 email old@x.de new@x.de" in said
    assert "3 9 Max New ACME" in said
    assert "4 Ann Lee 7, 8" in said


def test_a_list_that_nobody_signs_is_cut_where_no_page_opens_any_more():
    some = MissingPart(crm_id="3", row=9, name="Max New", company="ACME")
    said = page(made().model_copy(update={"missing": (some,) * (html.MOST + 1)})).text()
    assert said.count("3 9 Max New ACME") == html.MOST
    assert "In the CRM, and not in 3CX (20,001)" in said
    assert "The first 20,000 stand here, and all of them in report.json." in said
    whole = page(made().model_copy(update={"missing": (some,)})).text()
    assert "stand here" not in whole


def test_what_changed_since_the_last_report_is_told():
    before = made()
    now = made(previous=before, grace=5, run_id=13)
    said = page(now).text()
    assert "Against run 12 of 2026-11-24 02:30 UTC." in said
    assert "Id Was Is 7 delete waiting" in said


def test_the_last_runs_are_a_picture_and_a_table():
    report = made()
    for run in range(13, 50):
        report = made(previous=report, run_id=run, grace=1 + run % 2)
    assert [part.run for part in report.trend] == list(range(20, 50))
    found = page(report)
    heights = [float(a["height"]) for tag, a in found.tags if a.get("class") == "planned"]
    assert heights == [80.0 if run % 2 == 0 else 0.0 for run in range(20, 50)]
    row = "49 2026-11-24 02:30 UTC clean 1 1 1 0 0"
    assert f"{row} 48 2026-11-24 02:30 UTC waiting 1 0 1 1 0" in found.text()
    labels = [a["aria-label"] for tag, a in found.tags if tag == "svg"]
    assert labels == ["Deletes of the last 30 runs; the table below has the numbers"]


def test_a_masked_report_says_so_and_shows_nobody():
    found = written(made(masked=True))
    assert "Personal data is shown as initials and last digits." in found
    assert "Jo Doe" not in found
    assert "J. D." in found


def test_the_guard_compare_says_what_it_can_not_do():
    report = made()
    pbx = report.pbx.model_copy(update={"delete_guard": DeleteGuard.COMPARE})
    assert "can't close it" in page(report.model_copy(update={"pbx": pbx})).text()


# ---------------------------------------------------------------------------- nothing acts


def test_only_its_own_style_and_script_may_act():
    found = page(made())
    (policy,) = [a["content"] for tag, a in found.tags if "http-equiv" in a]
    assert policy.startswith("default-src 'none'; ")
    allowed = set(re.findall(r"'(sha256-[^']+)'", policy))
    texts = [text for tag, text in found.texts if tag in {"style", "script"}]
    digests = [hashlib.sha256(text.encode()).digest() for text in texts]
    assert {f"sha256-{base64.b64encode(digest).decode()}" for digest in digests} == allowed
    assert len(texts) == 3
    assert "unsafe" not in policy


def test_nothing_is_fetched_and_no_attribute_acts():
    found = page(made())
    names = {name for _, attributes in found.tags for name in attributes}
    assert not any(name.startswith("on") for name in names)
    assert names.isdisjoint({"src", "style", "srcset", "action"})
    assert {a["href"] for _, a in found.tags if "href" in a} == {"#lists"}
    assert {tag for tag, _ in found.tags}.isdisjoint({"link", "img", "iframe", "object", "base"})
    for tag in ("style", "script"):
        assert not re.search(
            r"url\(|@import|fetch|XMLHttp|innerHTML|eval", "".join(found.inside(tag))
        )


REPORT = made()
TAGS = {tag for tag, _ in page(REPORT).tags}


@given(st.text(max_size=60))
def test_whatever_a_name_is_it_is_text_and_stands_on_the_page_as_it_is(name):
    contacts = [c.model_copy(update={"name": name, "company": name}) for c in REPORT.contacts]
    found = page(REPORT.model_copy(update={"contacts": tuple(contacts), "headline": name}))
    assert "".join(found.inside("h1")) == printable(name)
    assert printable(name) in found.inside("td") or not name
    assert {tag for tag, _ in found.tags} == TAGS


@pytest.mark.parametrize(
    "name",
    [
        "</script><script>alert(1)</script>",
        '" onmouseover="alert(1)',
        "{{ 7 * 7 }}{% raw %}",
        "a\u202eb\u0085c\u2028d",
        "<!--",
    ],
)
def test_a_hostile_name_is_only_text(name):
    report = made()
    contacts = [c.model_copy(update={"name": name}) for c in report.contacts]
    found = page(report.model_copy(update={"contacts": tuple(contacts)}))
    assert printable(name) in found.inside("th")
    assert [tag for tag, _ in found.tags].count("script") == 2


def test_the_age_of_the_export_is_told_in_hours():
    report = made(started_at=b.NOW + timedelta(hours=30, minutes=5))
    assert "30 h 5 min before this run" in page(report).text()


def test_sides_that_were_not_compared_have_no_sum_and_a_finding_may_have_no_value():
    finding = replace(FINDING, observed="", limit="")
    said = page(made(findings=(finding,), plan=None, matching=None)).text()
    assert "The two sides were not compared." in said
    assert "The export has many fewer records. What to do" in said
