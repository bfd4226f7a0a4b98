"""The README's examples and links are true, and `/docs` works in a browser without internet."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema_rs
import pytest
from benchmarks.__main__ import CONTESTS
from benchmarks.contest import blocks
from playwright.sync_api import Browser

from customer_segmentation.api.app import create_app
from customer_segmentation.services.runtime.settings import OTHER_VARIABLES, Settings, variable_of
from tests.support.servers import Server

ROOT = Path(__file__).parents[2]
FIRST_PAGES = ["README.md", "docs/getting-started.md"]
PAGES = ["README.md", *(str(page.relative_to(ROOT)) for page in sorted(ROOT.glob("docs/**/*.md")))]


def text_of(page: str) -> str:
    """Return what is written in a file of the repository."""
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", FIRST_PAGES)
def test_every_curl_of_a_first_page_answers_what_it_shows(page: str, shared_server: Server) -> None:
    server = shared_server
    examples = re.findall(r"```console\n\$ (curl .*?)\n([^$`].*?)\n```", text_of(page), re.DOTALL)
    assert examples
    for command, shown in examples:
        address = command.replace("localhost:8000", f"127.0.0.1:{server.port}")
        answer = subprocess.run(
            shlex.split(address.replace("\\\n", " ")), capture_output=True, text=True, check=True
        )
        assert answer.stdout.strip() == shown.strip()


@pytest.mark.parametrize("page", FIRST_PAGES)
def test_the_python_of_a_first_page_prints_what_it_says(page: str, shared_server: Server) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", text_of(page), re.DOTALL)
    (shown,) = re.findall(r"# (.+)$", code, re.MULTILINE)
    code = code.replace("http://localhost:8000", shared_server.url)

    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == shown


def test_every_command_of_the_guide_is_done(server: Server) -> None:
    guide = (ROOT / "docs" / "segments.md").read_text()
    commands = re.findall(r"```console\n\$ (curl .*?)\n```", guide)
    described = server.client.get("/openapi.json").json()
    assert len(commands) >= 6
    for command in commands:
        address = command.replace("localhost:8000", f"127.0.0.1:{server.port}")
        answer = subprocess.run(
            [*shlex.split(address), "--fail-with-body"], capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, (command, answer.stdout)
        schema = described_answer(described, command) | {"components": described["components"]}
        jsonschema_rs.validate(schema, json.loads(answer.stdout))
    strategies = server.client.get("/v1/segments").json()["segments"][1]["strategies"]
    assert {"text": "Offer cashback", "channel": "e-mail"} in strategies
    kinds = [job["kind"] for job in server.client.get("/v1/jobs").json()["jobs"]]
    assert sorted(kinds) == ["study", "training"]


def described_answer(described: dict[str, Any], command: str) -> dict[str, Any]:
    """Return the schema of what a curl command is answered, as the API describes it."""
    words = shlex.split(command)
    method = words[words.index("-X") + 1].lower() if "-X" in words else "get"
    (path,) = (urlsplit(word).path for word in words if word.startswith("http"))
    (template,) = (
        t for t in described["paths"] if re.fullmatch(re.sub(r"{.*?}", "[^/]+", t), path)
    )
    answers = described["paths"][template][method]["responses"]
    (good,) = (answers[status] for status in answers if status.startswith("2"))
    found: dict[str, Any] = good["content"]["application/json"]["schema"]
    return found


@pytest.mark.parametrize("file", ["compose.yaml", "Dockerfile", *PAGES])
def test_files_name_only_settings_that_there_are(file: str) -> None:
    named = set(re.findall(r"CUSTOMER_SEGMENTATION_[A-Z_]+", text_of(file)))

    known = {variable_of(name) for name in Settings.model_fields}
    assert named <= known | OTHER_VARIABLES


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings_that_there_are(page: str) -> None:
    for file, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text_of(page)):
        target = (ROOT / page).parent / unquote(file) if file else ROOT / page
        assert target.exists(), file
        assert not heading or heading in headings_of(target), (file, heading)


def headings_of(page: Path) -> set[str]:
    """Return the addresses of a page's headings, as GitHub and MkDocs make them."""
    without_code = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_can_be_read_in_five_minutes() -> None:
    assert len(re.sub(r"```.*?```", "", text_of("README.md"), flags=re.DOTALL).split()) < 5 * 200


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


def test_every_path_that_contributors_are_sent_to_is_there() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    table = re.findall(r"^\| (?:add|see) .+$", guide, re.MULTILINE)
    assert len(table) == 13
    for path in re.findall(r"`(\w+/[\w/.]*)`", "\n".join(table)):
        assert (ROOT / "src" / "customer_segmentation" / path).exists(), path
