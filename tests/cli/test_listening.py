"""Where the service and the dashboard listen, and what is said of it."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from customer_segmentation.cli.console.output import ExitCode
from tests.support.commands import run
from tests.support.dashboards import answers
from tests.support.servers import Server, free_port, running

ROOT = Path(__file__).parents[2]
OTHER = "127.0.0.2"
"""An address of this machine that only who listens on every interface answers at."""


@contextmanager
def served(*command: str, port: int, directory: Path) -> Iterator[None]:
    """Serve a dashboard that listens on a port."""
    with (directory / "dashboard.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + 120
            while not answers(f"http://127.0.0.1:{port}/_stcore/health"):
                assert time.monotonic() < deadline
                assert process.poll() is None, (directory / "dashboard.log").read_text()
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait()


def listens_elsewhere(port: int) -> bool:
    """Return whether a port is open at another address than the loopback's first."""
    try:
        socket.create_connection((OTHER, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_the_dashboard_listens_on_this_machine_only(tmp_path: Path) -> None:
    port = free_port()
    asked = ("streamlit", "run", "app.py", f"--server.port={port}")
    with served(*asked, port=port, directory=tmp_path):
        assert not listens_elsewhere(port)


def test_the_dashboard_listens_where_it_is_told_to(tmp_path: Path) -> None:
    port = free_port()
    asked = ("customer_segmentation", "dashboard", "--host", "0.0.0.0", "--port", str(port))  # noqa: S104
    with served(*asked, port=port, directory=tmp_path):
        assert listens_elsewhere(port)


def test_a_service_open_to_all_says_so_at_its_start(bank_url: str, tmp_path: Path) -> None:
    image = {
        "CUSTOMER_SEGMENTATION_HOST": "0.0.0.0",  # noqa: S104
        "CUSTOMER_SEGMENTATION_ALLOW_ANONYMOUS": "true",
    }
    with running(bank_url, tmp_path, **image) as server:
        assert server.client.get("/v1/customers/56").status_code == 200
        assert "WARNING: Whoever reaches 0.0.0.0:" in server.log
        assert "-p 127.0.0.1:8000:8000" in server.log
        assert "CUSTOMER_SEGMENTATION_AUTH=keys" in server.log


def test_a_service_for_this_machine_warns_of_nothing(shared_server: Server) -> None:
    assert "WARNING" not in shared_server.log
    assert not listens_elsewhere(shared_server.port)


def test_compose_asks_for_keys_and_publishes_on_this_machine_only() -> None:
    compose = (ROOT / "compose.yaml").read_text()

    assert "CUSTOMER_SEGMENTATION_AUTH: keys" in compose
    published = re.findall(r'^ +- "(.+:\d+:\d+)"$', compose, re.MULTILINE)
    assert len(published) == compose.count("ports:") == 2
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("listens", [True, False], ids=["in use", "not of this machine"])
def test_an_address_that_cannot_be_had_is_told_before_anything_is_begun(
    tmp_path: Path, listens: bool
) -> None:
    file = tmp_path / "bank.db"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        host = "127.0.0.1" if listens else "192.0.2.1"
        result = run(
            "serve",
            env={
                "DATABASE_URL": f"sqlite:///{file}",
                "CUSTOMER_SEGMENTATION_HOST": host,
                "CUSTOMER_SEGMENTATION_PORT": str(port),
            },
        )

    assert result.exit_code == ExitCode.NO_ADDRESS
    assert f"{host}:{port} cannot be listened on" in result.stderr
    assert not file.exists()
