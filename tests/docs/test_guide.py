"""The guide: built from `docs/` without a warning, and served to be read without internet."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser

from customer_segmentation.api import app as application
from customer_segmentation.dashboard.guide import is_built
from customer_segmentation.services.runtime.settings import Settings
from tests.support.answers import problem
from tests.support.servers import free_port, until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `./run guide` builds it."""
    folder = tmp_path_factory.mktemp("guide")
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir"]
    done = subprocess.run(
        [*build, str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def app(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The application with the guide, and without a database."""
    monkeypatch.setattr(application, "GUIDE", site)
    return application.create_app(Settings(database_url=f"sqlite:///{tmp_path / 'none.db'}"))


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """Serve an application for the length of a block, at the address that is given."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def test_every_page_is_built(site: Path) -> None:
    pages = {page.relative_to(ROOT / "docs") for page in ROOT.glob("docs/**/*.md")}

    built = {page.relative_to(site).with_suffix(".md") for page in site.glob("**/*.html")}

    assert built == pages | {Path("404.md")}


def test_its_address_leads_to_the_first_page(app: FastAPI) -> None:
    with listening(app) as address:
        first = httpx.get(f"{address}/guide", follow_redirects=True)
        assert is_built(f"{address}/")

    assert first.url.path == "/guide/"
    assert first.status_code == 200
    assert first.headers["content-security-policy"].startswith("default-src 'self'")


def test_only_its_own_files_are_served(app: FastAPI) -> None:
    with listening(app) as address:
        for path in ("none.html", "reference", "%2e%2e/app.py", "..%2f..%2fpyproject.toml"):
            assert httpx.get(f"{address}/guide/{path}").status_code == 404


def test_where_it_is_not_built_the_answer_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "GUIDE", tmp_path / "none")
    app = application.create_app(Settings(database_url=f"sqlite:///{tmp_path / 'none.db'}"))
    with listening(app) as address:
        found = problem(httpx.get(f"{address}/guide/"), 404)
        assert not is_built(address)

    assert found["type"].endswith(":guide-not-built")
    assert "./run guide" in found["detail"]


def test_it_is_read_and_searched_without_internet(app: FastAPI, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))

    with listening(app) as address:
        page.goto(f"{address}/guide/")
        page.get_by_placeholder("Search").click()
        page.get_by_placeholder("Search").press_sequentially("hysteresis")
        page.locator(".md-search-result__link").first.click()
        page.wait_for_url("**/*.html*")
        title = page.title()
        page.close()

    assert title.endswith("Customer Segmentation")
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert faults == []
