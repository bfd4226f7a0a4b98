"""The image: the Dockerfile, built for real, runs as documented.

There need be no Docker engine: buildah builds and runs it. Debian's own Python, installed by
mmdebstrap under the base image's name, stands in for the base image, which a registry would have.
What this does not show: that base image itself, and how an engine publishes ports.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.examples import check_documented_examples
from tests.support.servers import free_port

pytestmark = [pytest.mark.image, pytest.mark.timeout(1_200)]

PROJECT = Path(__file__).resolve().parents[2]
BASE = "docker.io/library/python:3.11-slim-bookworm"
IMAGE = "customer-segmentation-api"
USER = 10001
SECONDS = 300.0
"""How long a start or a training may take while the machine runs all other tests beside."""

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TOOLS = ("buildah", "mmdebstrap")


@dataclass(frozen=True)
class Builder:
    """Builds and runs images in a store of its own.

    Attributes:
        store: the folder of its images and containers.
    """

    store: Path

    def command(self, *arguments: str) -> list[str]:
        """Return a command of buildah on this store."""
        where = ["--root", f"{self.store}/root", "--runroot", f"{self.store}/run"]
        return ["buildah", *where, *arguments]

    def do(self, *arguments: str) -> str:
        """Run a command to its end, which must be a good one; return what it prints."""
        done = subprocess.run(
            self.command(*arguments), cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{shlex.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()


@dataclass(frozen=True)
class Container:
    """A running container.

    Attributes:
        builder: who runs it.
        name: of the container.
        process: what waits for its command.
        client: calls it over HTTP.
    """

    builder: Builder
    name: str
    process: subprocess.Popen[bytes]
    client: httpx.Client

    def server(self) -> int | None:
        """Return the process id of the container's command, if it runs as the image's user."""
        ours = [pid for pid in _processes() if _uid(pid) == USER and not _is_of_buildah(pid)]
        ours = [pid for pid in ours if self.process.pid in _ancestors(pid)]
        return min(ours, key=lambda pid: len(_ancestors(pid)), default=None)

    def is_healthy(self, port: int) -> bool:
        """Run the image's health check in the container."""
        check = inspected(self.builder)["Healthcheck"]["Test"]
        assert check[0] == "CMD"
        setting = f"CUSTOMER_SEGMENTATION_PORT={port}"
        run = ["run", "--isolation", "chroot", "--env", setting, self.name, "--", *check[1:]]
        return (
            subprocess.run(self.builder.command(*run), capture_output=True, check=False).returncode
            == 0
        )


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    """The image, built from the Dockerfile."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        reason = f"building the image needs root, and {' and '.join(TOOLS)}"
        if os.environ.get("REQUIRE_IMAGE"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        builder = Builder(Path(folder))
        try:
            import_base(builder, Path(folder))
            builder.do(
                *("build", "--isolation", "chroot", "--pull-never", "--format", "docker"),
                *("--tag", IMAGE, "."),
            )
            yield builder
        finally:
            builder.do("rm", "--all")
            builder.do("rmi", "--all", "--force")


def import_base(builder: Builder, folder: Path) -> None:
    """Make what stands in for the base image."""
    archive, pip_settings = folder / "base.tar", folder / "pip.conf"
    packages = "python3,python3-venv,python-is-python3,ca-certificates"
    # mmdebstrap needs little more than half of debootstrap's processor time, and packs by itself.
    # Device nodes are left out, as buildah makes its own.
    made = subprocess.run(
        [
            *("mmdebstrap", "--variant=apt", f"--include={packages}", "--skip=output/dev"),
            *("bookworm", str(archive)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-4_000:]
    container = builder.do("from", "scratch")
    builder.do("add", container, str(archive), "/")
    # Whatever pip needs on this machine to reach packages, it needs in the build too.
    builder.do("copy", container, str(CERTIFICATES), str(CERTIFICATES))
    names = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    lines = [f"{name[4:].lower().replace('_', '-')} = {value}" for name, value in names.items()]
    pip_settings.write_text("\n".join(["[global]", *lines, ""]))
    builder.do("copy", container, str(pip_settings), "/etc/pip.conf")
    path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    builder.do("config", "--env", f"PATH={path}", container)
    builder.do("commit", "--rm", container, BASE)
    archive.unlink()


def inspected(builder: Builder) -> dict[str, Any]:
    """Return the image's configuration, as an engine reads it."""
    found: dict[str, Any] = json.loads(builder.do("inspect", "--type", "image", IMAGE))
    return dict(found["Docker"]["config"])


@contextmanager
def running(builder: Builder, data: Path, port: int) -> Iterator[Container]:
    """Run a container with a volume for the length of a block, as `docker run` does."""
    name = builder.do("from", "--pull-never", IMAGE)
    # An engine mounts the folder in place of the image's volume. buildah ignores --volume where the
    # image has one and mounts a copy that ends with the container, so the container has none.
    (volume,) = inspected(builder)["Volumes"]
    builder.do("config", "--volume", f"{volume}-", name)
    setting = f"CUSTOMER_SEGMENTATION_PORT={port}"
    options = ["--isolation", "chroot", "--env", setting, "--volume", f"{data}:{volume}"]
    command = ["run", *options, name, "--", *inspected(builder)["Cmd"]]
    with (
        (data.parent / "container.log").open("ab") as log,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS) as client,
    ):
        process = subprocess.Popen(builder.command(*command), stdout=log, stderr=log)
        container = Container(builder, name, process, client)
        try:
            wait(lambda: answers(client), process)
            yield container
        finally:
            stop(container)
            builder.do("rm", name)


def stop(container: Container) -> None:
    """Stop a container by SIGTERM, as an engine does, which kills it ten seconds later."""
    pid = container.server()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
    container.process.wait(timeout=10)


def wait(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answers(client: httpx.Client) -> bool:
    """Tell whether the service is ready."""
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _is_of_buildah(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().startswith("buildah")
    except FileNotFoundError:
        return True


def _uid(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except FileNotFoundError:
        return None


def _ancestors(pid: int) -> list[int]:
    found = []
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except FileNotFoundError:
            break
        found.append(pid)
    return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What is mounted as the volume."""
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, USER, USER)
    return folder


def test_the_image_says_how_it_is_run(builder: Builder) -> None:
    config = inspected(builder)

    assert config["User"] == "segmentation"
    assert config["Volumes"] == {"/data": {}}
    assert config["ExposedPorts"] == {"8000/tcp": {}}
    assert config["Cmd"][:2] == ["customer-segmentation", "serve"]


def test_it_answers_the_six_functions_keeps_its_data_and_stops_when_told(
    builder: Builder, data: Path
) -> None:
    port = free_port()
    with running(builder, data, port) as container:
        check_documented_examples(container.client)
        assert container.is_healthy(port)
        assert container.server() is not None
        stop(container)
        assert not container.is_healthy(port)

    assert (data / "customer-segmentation.db").stat().st_uid == USER

    with running(builder, data, port) as container:
        added = container.client.get("/get_customer_info_from_database?customer_id=20001")
        deleted = container.client.get("/get_customer_info_from_database?customer_id=787")
    assert (added.status_code, deleted.status_code) == (200, 404)


def test_a_new_volume_belongs_to_the_user_of_the_service(builder: Builder) -> None:
    name = builder.do("from", "--pull-never", IMAGE)
    owner = builder.do(
        *("run", "--isolation", "chroot", name, "--", "stat", "--format", "%u", "/data")
    )

    assert owner == str(USER)


def test_nothing_of_the_build_is_left_in_it(builder: Builder) -> None:
    name = builder.do("from", "--pull-never", IMAGE)
    listed = builder.do("run", "--isolation", "chroot", name, "--", "ls", "/opt/app/bin")

    assert "pip" not in listed.split()
    assert "customer-segmentation" in listed.split()
