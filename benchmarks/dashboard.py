"""How long each page of the dashboard takes in Chromium, next to an empty Streamlit page."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.contest import ROUNDS, ratios, spread, table
from benchmarks.services import OURS, database, serving

PAGES = [
    "Overview",
    "Segments",
    "Audiences",
    "Campaigns",
    "Trends",
    "Customer",
    "What if",
    "Model",
    "Data",
]
CHROMIUM = "/usr/bin/chromium"
_EMPTY = ("-m", "benchmarks.empty_page")
_IS_DONE = (
    "() => document.querySelector('h1') && document.querySelector('[data-testid=stApp]')"
    "?.dataset.testScriptState === 'notRunning'"
)


def run() -> str:
    """Return how long pages take over the shipped data, opened by address and from the menu."""
    with _addresses() as (ours, empty), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        opened = [(opening(browser, ours), opening(browser, empty)) for _ in range(ROUNDS)]
        chosen = choosing(browser, ours)
        browser.close()
    theirs = [floor for _, floor in opened]
    opened_ours = [seconds for seconds, _ in opened]
    rows = [
        [
            "the overview, by its address",
            spread(opened_ours, "{:.2f}"),
            ratios(opened_ours, theirs),
        ],
        ["an empty Streamlit page", spread(theirs, "{:.2f}"), ""],
        *(
            [f"{name}, from the menu", spread(taken, "{:.2f}"), ""]
            for name, taken in chosen.items()
        ),
    ]
    return table(["until the page is whole", "seconds", "ours / empty"], rows)


def opening(browser: Browser, address: str) -> float:
    """Return how long a page takes by its address in a browser that was there before."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.wait_for_function(_IS_DONE)
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_function(_IS_DONE)
    taken = time.perf_counter() - start
    context.close()
    return taken


def choosing(browser: Browser, address: str) -> dict[str, list[float]]:
    """Return how long each page takes from the menu, round by round."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(address)
    page.wait_for_function(_IS_DONE)
    found: dict[str, list[float]] = {name: [] for name in PAGES}
    for _ in range(ROUNDS):
        for name in [*PAGES[1:], PAGES[0]]:
            found[name].append(_choose(page, name))
    page.close()
    return found


def _choose(page: Page, name: str) -> float:
    start = time.perf_counter()
    page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
    page.wait_for_function(
        "(name) => document.querySelector('h1')?.innerText.trim() === name", arg=name
    )
    page.wait_for_function(_IS_DONE)
    return time.perf_counter() - start


@contextmanager
def _addresses() -> Iterator[tuple[str, str]]:
    """Serve the dashboard over a service, and an empty page; yield their addresses."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving(OURS, folder, **database(folder)) as service:
            url = f"http://127.0.0.1:{service.port}"
            pages = ("-m", "customer_segmentation", "dashboard", "--url", url)
            with serving(pages, folder) as ours, serving(_EMPTY, folder) as empty:
                yield f"http://127.0.0.1:{ours.port}", f"http://127.0.0.1:{empty.port}"
