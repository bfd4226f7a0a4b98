"""The README's examples and tables are true, and `/docs` works in a browser without internet."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, sync_playwright

from customer_segmentation.api.app import create_app
from customer_segmentation.services.settings import Settings
from tests.servers import Server

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not CHROMIUM.exists():
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(f"{CHROMIUM} must be installed")
        pytest.skip(f"no browser at {CHROMIUM}")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield running
        running.close()


def test_every_curl_in_the_readme_answers_what_it_shows(server: Server) -> None:
    examples = re.findall(r"```console\n\$ (curl .*?)\n([^$`].*?)\n```", README, re.DOTALL)
    assert len(examples) >= 2
    for command, shown in examples:
        address = command.replace("localhost:8000", f"127.0.0.1:{server.port}")
        answer = subprocess.run(
            shlex.split(address.replace("\\\n", " ")), capture_output=True, text=True, check=True
        )
        assert answer.stdout.strip() == shown.strip()


def test_the_readme_lists_every_setting_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        variable = field.validation_alias or f"CUSTOMER_SEGMENTATION_{name.upper()}"
        (row,) = (line for line in README.splitlines() if line.startswith(f"| `{variable}` |"))
        assert (field.description or "").replace("\n", " ") in row, row


def test_the_readme_names_only_files_that_exist() -> None:
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)\)", README):
        assert (ROOT / unquote(target)).exists(), target


def test_docs_render_and_run_an_example_without_internet(
    shared_server: Server, browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    outside: list[str] = []
    page.on(
        "request",
        lambda request: (
            outside.append(request.url)
            if not request.url.startswith((shared_server.url, "data:"))
            else None
        ),
    )
    faults: list[str] = []
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))

    page.goto(f"{shared_server.url}/docs")
    page.get_by_text("Get customer info from database").click()
    page.get_by_role("button", name="Execute").click()
    page.get_by_text("High-Value Power Users").first.wait_for()
    page.screenshot(path=os.environ.get("DOCS_SCREENSHOT", os.devnull), type="png")

    assert "Customer Segmentation" in page.title()
    assert outside == []
    assert faults == []
    page.close()


def test_the_app_can_be_made_without_a_database(tmp_path: Path) -> None:
    document = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'none.db'}")).openapi()

    assert document["openapi"].startswith("3.1")
