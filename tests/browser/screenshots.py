"""The pictures of the manual: `PYTHONPATH=tests python -m browser.screenshots docs/images`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from browser.reports import full
from playwright.sync_api import sync_playwright

from reconcile.report import files

PICTURES = {
    "report-light": {"color_scheme": "light", "viewport": {"width": 1200, "height": 1700}},
    "report-dark": {"color_scheme": "dark", "viewport": {"width": 1200, "height": 900}},
    "report-phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


def main(folder: Path) -> None:
    """Each picture shows what is seen first."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as made, sync_playwright() as driver:
        page = Path(made) / "report.html"
        files.put_page(full(), page)
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, options in PICTURES.items():
            opened = browser.new_page(**options)
            opened.goto(page.as_uri())
            opened.screenshot(path=folder / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
