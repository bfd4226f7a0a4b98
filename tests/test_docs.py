"""The README's examples and tables are true, and `/docs` works in a browser without internet."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from benchmarks.__main__ import CONTESTS
from benchmarks.contest import blocks
from playwright.sync_api import Browser

from customer_segmentation.api.app import create_app
from customer_segmentation.services.settings import OTHER_VARIABLES, Settings, variable_of
from tests.servers import Server

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_curl_in_the_readme_answers_what_it_shows(server: Server) -> None:
    examples = re.findall(r"```console\n\$ (curl .*?)\n([^$`].*?)\n```", README, re.DOTALL)
    assert len(examples) >= 2
    for command, shown in examples:
        address = command.replace("localhost:8000", f"127.0.0.1:{server.port}")
        answer = subprocess.run(
            shlex.split(address.replace("\\\n", " ")), capture_output=True, text=True, check=True
        )
        assert answer.stdout.strip() == shown.strip()


def test_the_python_of_the_readme_prints_what_it_says(shared_server: Server) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (shown,) = re.findall(r"# (.+)$", code, re.MULTILINE)
    code = code.replace("http://localhost:8000", shared_server.url)

    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == shown


def test_every_command_of_the_guide_is_done(server: Server) -> None:
    guide = (ROOT / "docs" / "segments.md").read_text()
    commands = re.findall(r"```console\n\$ (curl .*?)\n```", guide)
    assert len(commands) >= 6
    for command in commands:
        address = command.replace("localhost:8000", f"127.0.0.1:{server.port}")
        answer = subprocess.run(
            [*shlex.split(address), "--fail-with-body"], capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, (command, answer.stdout)
        assert json.loads(answer.stdout), command


def test_the_readme_lists_every_setting_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        variable = field.validation_alias or f"CUSTOMER_SEGMENTATION_{name.upper()}"
        (row,) = (line for line in README.splitlines() if line.startswith(f"| `{variable}` |"))
        assert (field.description or "").replace("\n", " ") in row, row


@pytest.mark.parametrize(
    "file",
    ["compose.yaml", "Dockerfile", "README.md", "docs/segments.md", "docs/cli.md", "docs/spark.md"],
)
def test_files_name_only_settings_that_there_are(file: str) -> None:
    named = set(re.findall(r"CUSTOMER_SEGMENTATION_[A-Z_]+", (ROOT / file).read_text()))

    known = {variable_of(name) for name in Settings.model_fields}
    assert named <= known | OTHER_VARIABLES
    assert named


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


def test_every_contest_has_a_place_in_the_page_on_speed() -> None:
    assert blocks() == set(CONTESTS)
