"""The page in a real browser: it opens, it is quick, and nothing in it acts."""

from __future__ import annotations

import time

import pytest
from amounts import note
from axe_playwright_python.sync_playwright import Axe
from browser.reports import full, many

HOSTILE = (
    "</td><script>document.title = 'HACKED'; alert(1)</script>",
    "<img src=http://127.0.0.1:9/x onerror=alert(2)>",
    "<svg onload=alert(3)>",
    '" onclick="alert(4)" x="',
    "<style>body{display:none}</style>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "javascript:alert(5)",
    "\u202egnihtyna",
)


@pytest.fixture
def large(opened):
    """20,000 rows, hostile names among them."""
    began = time.perf_counter()
    found = opened(many(20_000, names=HOSTILE))
    found.page.wait_for_selector(".search:not([hidden])")
    found.usable = time.perf_counter() - began
    return found


def test_20_000_rows_with_hostile_names_are_usable_and_nothing_acts(large):
    shown = large.rows("delete")
    assert len(shown) == 1_000
    assert len(large.rows("review")) == 1_000
    assert large.page.inner_text("#delete .more") == "Show all 10,000 rows"
    for name in HOSTILE[:-1]:
        assert any(name in row for row in shown)
    assert any("\\u202egnihtyna" in row for row in shown)
    assert "HACKED" not in large.page.title()
    assert large.said == []
    (only,) = large.asked
    assert only.endswith("/report.html")

    began = time.perf_counter()
    large.search("person 19998")
    searched = time.perf_counter() - began
    assert large.rows("delete") == ["19998 Person 19998"]
    assert large.rows("review") == []
    assert large.page.inner_text("#found") == "rows: 1"
    large.search("")

    began = time.perf_counter()
    large.page.click("#delete thead th:nth-child(1) button")
    large.page.click("#delete thead th:nth-child(1) button")
    ordered = time.perf_counter() - began
    assert large.rows("delete")[:2] == ["20000 Person 20000", "19998 Person 19998"]
    note(
        "20,000 rows in a browser",
        f"usable after {large.usable:.1f} s, searched in {searched:.2f} s, sorted twice in"
        f" {ordered:.2f} s",
    )


def test_a_long_list_shows_a_thousand_rows_and_all_when_asked(opened):
    found = opened(many(2_404))
    assert found.rows("delete")[-1] == "2000 Person 2000"
    found.search("person24")
    assert found.rows("delete") == [
        "24 Person 24",
        *(f"{i} Person {i}" for i in range(240, 250, 2)),
        *(f"{i} Person {i}" for i in range(2_400, 2_405, 2)),
    ]
    assert not found.page.is_visible("#delete .more")
    found.search("")
    found.page.click("#delete .more")
    assert len(found.rows("delete")) == 1_202
    assert len(found.rows("review")) == 1_000
    found.page.click("#review thead th:nth-child(1) button")
    assert len(found.rows("review")) == 1_000


def test_words_are_found_in_any_order_whatever_their_accents_and_capitals(opened):
    found = opened(full())
    found.search("DOE jorg")
    assert found.rows("delete") == ["7 Jörg Doe"]
    found.search("030 1234567")
    assert found.rows("delete") == ["7 Jörg Doe"]
    found.search("jorg nobody")
    assert found.rows("delete") == []
    assert found.page.inner_text("#found") == "rows: 0"


def test_one_list_can_be_shown_alone(opened):
    found = opened(full())
    assert found.page.eval_on_selector_all("#only option", "o => o.map(x => x.value)") == [
        "",
        *("delete", "waiting", "review", "protected", "unmanaged", "out_of_scope"),
        *("missing", "drift", "duplicates", "changes"),
    ]
    found.page.select_option("#only", "review")
    assert found.rows("review") == ["8 Eve Fox"]
    assert found.rows("delete") == []
    found.page.select_option("#only", "")
    assert found.rows("delete") != []


def test_a_column_sorts_by_what_stands_in_it_and_says_so(opened):
    found = opened(many(30))
    head = found.page.locator("#delete thead th").nth(1)
    head.get_by_role("button").click()
    assert found.rows("delete")[:3] == ["2 Person 2", "4 Person 4", "6 Person 6"]
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert found.rows("delete")[:2] == ["30 Person 30", "28 Person 28"]
    assert head.get_attribute("aria-sort") == "descending"
    found.search("person24@ person")
    assert found.rows("delete") == ["24 Person 24"]


def test_without_a_script_everything_is_there(opened):
    found = opened(full(), java_script_enabled=False)
    text = found.page.locator("main").inner_text()
    for words in ("Jörg Doe", "Eve Fox", "reconcile apply", "Max New"):
        assert words in text
    assert not found.page.is_visible(".search")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_an_accessibility_checker_finds_nothing(opened, scheme, width):
    size = {"width": width, "height": 900}
    found = opened(full(), color_scheme=scheme, viewport=size)
    assert Axe().run(found.page).response["violations"] == []


def test_a_phone_needs_no_sideways_scrolling(opened):
    found = opened(full(), viewport={"width": 390, "height": 844})
    assert found.page.evaluate("document.documentElement.scrollWidth") <= 390
    first = found.page.locator("#delete tbody td").first
    before = first.evaluate("cell => getComputedStyle(cell, '::before').content")
    assert before.startswith(("attr(data-head)", '"Id'))


def test_print_is_whole_and_has_nothing_to_click(opened):
    found = opened(many(2_400))
    found.page.emulate_media(media="print")
    assert not found.page.is_visible(".search")
    cut = found.page.eval_on_selector_all(
        ".scroll", "all => all.filter(x => x.scrollHeight > x.clientHeight + 1).length"
    )
    assert cut == 0
    assert len(found.rows("delete")) == 1_200
    assert found.page.is_visible(".signature")
    assert found.page.pdf(format="A4").startswith(b"%PDF")


def test_the_whole_page_can_be_used_with_the_keyboard(opened):
    found = opened(full())
    found.page.keyboard.press("Tab")
    assert found.page.evaluate("document.activeElement.className") == "skip"
    found.page.keyboard.press("Enter")
    found.page.keyboard.press("Tab")
    assert found.page.evaluate("document.activeElement.id") == "search"
