"""Serving the dashboard for tests, and finding one's way in it as a visitor does."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.servers import free_port

TABS = {
    "Overview": [],
    "Segments": ["Profile", "Distributions", "Compare", "Map", "Fairness", "Strategies"],
    "Audiences": ["All", "Audience", "Build"],
    "Campaigns": ["All", "Campaign", "Plan"],
    "Trends": ["Segments", "Flows", "Audiences"],
    "Customer": ["Card", "Search", "Add"],
    "What if": [],
    "Model": ["Versions", "Train", "Compare", "Drift", "Study"],
    "Data": ["Import", "Export", "Own table"],
}
"""Every page, and what can be looked at on it."""


PICTURES = os.environ.get("DASHBOARD_SCREENSHOTS")
"""A folder for pictures of the pages; unless set, none are taken."""


@contextmanager
def dashboard(url: str, directory: Path, **environment: str) -> Iterator[str]:
    """Serve the dashboard of a service; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "customer_segmentation", "dashboard"]
    with (directory / "dashboard.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--url", url, "--port", str(port)],
            cwd=directory,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 60.0
            while not answers(f"{address}/_stcore/health"):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield address
        finally:
            process.terminate()
            process.wait()


def answers(url: str) -> bool:
    """Whether something answers there."""
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def settled(page: Page) -> None:
    """Wait until the page is whole."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def go(page: Page, name: str, tab: str = "") -> None:
    """Open a page from the menu, and there a tab."""
    heading = page.get_by_role("heading", level=1)
    if heading.inner_text() != name:
        menu = page.get_by_test_id("stSidebar")
        was_away = menu.get_attribute("data-collapsed") == "true"
        if was_away:
            page.get_by_test_id("stExpandSidebarButton").click()
        page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
        expect(heading).to_have_text(name)
        if was_away and menu.get_attribute("data-collapsed") == "false":
            # On a phone it goes by itself; in a small window, when something beside it is clicked.
            width = page.evaluate("window.innerWidth")
            page.mouse.click(width - 4, 300)
            expect(menu).to_have_attribute("data-collapsed", "true")
        settled(page)
    if tab:
        page.get_by_role("tab", name=tab, exact=True).click()
        settled(page)


def put(page: Page, label: str, value: str) -> None:
    """Fill an input and leave it."""
    field = page.get_by_label(label, exact=True).locator("visible=true")
    field.fill(value)
    field.press("Tab")
    settled(page)


def choose(page: Page, label: str, option: str) -> None:
    """Choose an option of a list."""
    page.get_by_label(label, exact=True).locator("visible=true").click()
    page.get_by_role("option", name=option, exact=True).click()
    settled(page)


def serious_findings(page: Page) -> dict[str, list[str]]:
    """What axe finds that keeps people out: by rule, where."""
    return {
        violation["id"]: [node["html"][:200] for node in violation["nodes"]]
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in ("serious", "critical")
    }


def picture(page: Page, name: str | None) -> None:
    """Take a picture for the documentation, where pictures are wanted and this has a name."""
    if not PICTURES or name is None:
        return
    # Plots move to where they belong.
    page.wait_for_timeout(1_500)
    path = Path(PICTURES) / f"dashboard-{name}.png"
    page.screenshot(path=path)
    with Image.open(path) as taken:
        taken.convert("RGB").quantize(
            256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        ).save(path, optimize=True)
