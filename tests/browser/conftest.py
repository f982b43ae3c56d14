"""A real browser, Debian's Chromium, that notes what a page asks for and complains of."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from reconcile.report import files

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from reconcile.report.model import Report


@dataclass
class Opened:
    """A report's page in the browser, and what it did there."""

    page: Page
    said: list[str] = field(default_factory=list)
    """Of the console, dialogs, and errors nobody caught."""
    asked: list[str] = field(default_factory=list)
    """Whatever was requested."""

    def rows(self, name: str) -> list[str]:
        """The rows of a list that are shown, each by its first two cells."""
        return self.page.eval_on_selector_all(
            f"#{name} tbody tr",
            "rows => rows.filter(row => row.checkVisibility())"
            ".map(row => row.children[0].innerText + ' ' + row.children[1].innerText)",
        )

    def search(self, words: str) -> None:
        self.page.fill("#search", words)
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => done()))")


@pytest.fixture(scope="session")
def browser():
    found = shutil.which("chromium")
    assert found, "Debian's chromium is needed: make system"
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def opened(browser: Browser, tmp_path):
    """Writes a report as a page, as a run does, and opens the file."""
    contexts = []

    def open_page(report: Report, **options) -> Opened:
        path = tmp_path / "report.html"
        files.put_page(report, path)
        context = browser.new_context(**options)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("dialog", lambda dialog: found.said.append(dialog.message))
        found.page.on("request", lambda request: found.asked.append(request.url))
        found.page.goto(path.as_uri())
        return found

    yield open_page
    for context in contexts:
        context.close()
