"""Faults of the machine: each is told clearly, loses nothing, and is over when its cause is."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select, update

from customer_segmentation.services.operation.maintenance import examine
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.database import Database
from customer_segmentation.store.schema import LATEST, current_migration
from customer_segmentation.store.tables import customers, model_versions
from tests.support.answers import problem
from tests.support.examples import SOMEONE
from tests.support.servers import Server, eventually, running, status

NEW = {**SOMEONE, "customer_id": 30_000}
pytestmark = pytest.mark.both_databases

MIGRATE_AND_DIE = """
import os, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from customer_segmentation.store.database import Database
from customer_segmentation.store.schema import migrate

left = int(sys.argv[2])

@event.listens_for(Engine, "before_cursor_execute")
def count(*_):
    global left
    left -= 1
    if left == 0:
        os._exit(9)

migrate(Database(sys.argv[1]))
"""


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own, of a size such as 24m."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("file systems can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_refuses_writes_loses_nothing_and_passes(
    loaded_sqlite: Path, tmp_path: Path
) -> None:
    with mounted(tmp_path / "disk", "24m") as disk:
        shutil.copy(loaded_sqlite, disk / "bank.db")
        with running(f"sqlite:///{disk / 'bank.db'}", tmp_path) as server:
            client = server.client
            fill(disk)
            stored = 0
            for customer_id in range(30_000, 40_000):
                answer = client.put(f"/v1/customers/{customer_id}", json=SOMEONE)
                if answer.status_code != 201:
                    break
                stored += 1

            told = problem(answer, 503)
            assert "database" in told["detail"]
            assert answer.headers["retry-after"]
            assert client.get("/v1/customers/56").status_code == 200
            problem(client.get(f"/v1/customers/{customer_id}"), 404)

            (disk / "filler").unlink()

            eventually(
                lambda: client.put(f"/v1/customers/{customer_id}", json=SOMEONE).status_code, 201
            )
            last = client.get("/v1/customers/56").json()
            assert last["age"] == 29
            for number in range(30_000, 30_000 + stored):
                assert client.get(f"/v1/customers/{number}").status_code == 200
            assert client.post("/retrain_model_with_latest_data").status_code == 200
    assert "Traceback" not in server.log


def fill(disk: Path) -> None:
    """Write until there is no space left."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError:
            pass


def test_a_read_only_disk_is_told_at_the_start(loaded_sqlite: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "24m") as disk:
        shutil.copy(loaded_sqlite, disk / "bank.db")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        server = Server(f"sqlite:///{disk / 'bank.db'}", tmp_path)

        assert server.launch().wait(timeout=30) != 0

        assert "customer-segmentation: " in server.log
        assert "Traceback" not in server.log
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        with server:
            assert server.client.get("/v1/customers/56").status_code == 200


def test_a_database_that_turns_read_only_answers_reads(database_url: str, tmp_path: Path) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("a SQLite file that is open stays writable; the test before is about its disk")
    with running(database_url, tmp_path) as server:
        client = server.client
        with read_only(database_url):
            eventually(
                lambda: client.post("/v1/customers", json=NEW).status_code,
                503,
            )
            assert client.get("/v1/customers/56").status_code == 200
            assert client.post("/v1/segments:predict", json=SOMEONE).status_code == 200

        eventually(
            lambda: client.post("/v1/customers", json=NEW).status_code,
            201,
        )
    assert "Traceback" not in server.log


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """Let a database refuse every change, of the server that runs as well."""
    name = url.rpartition("/")[2]
    with psycopg.connect(f"{url.rpartition('/')[0]}/postgres", autocommit=True) as connection:

        def switch(state: str) -> None:
            connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {state}")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )

        switch("on")
        try:
            yield
        finally:
            switch("off")


def test_a_truncated_artifact_is_told_and_whole_again_serves(
    units: UnitsOfWork, database_url: str, tmp_path: Path
) -> None:
    with units.database.write() as connection:
        whole = connection.execute(select(model_versions.c.artifact)).scalar_one()
        half = whole[: len(whole) // 2]
        connection.execute(update(model_versions).values(artifact=half))
    found = examine(Settings(database_url=database_url))
    assert [finding.subject for finding in found if not finding.is_well] == ["model"]
    server = Server(database_url, tmp_path)
    server.launch()
    try:
        eventually(lambda: status(server), 503)
        told = problem(server.client.get("/v1/customers/56"), 503)
        assert "artifact" in told["detail"]
        assert "Traceback" not in server.log

        with units.database.write() as connection:
            connection.execute(update(model_versions).values(artifact=whole))

        eventually(lambda: status(server), 200)
        assert server.client.get("/v1/customers/56").status_code == 200
    finally:
        server.client.close()
        server.stop()


def test_a_migration_that_is_cut_off_is_done_again(empty_database_url: str) -> None:
    def migrate(statements: int) -> int:
        command = [sys.executable, "-c", MIGRATE_AND_DIE, empty_database_url, str(statements)]
        return subprocess.run(command, env=os.environ, check=False).returncode

    cut = 0
    for statements in (6, 12, 20, 28, 36):
        if migrate(statements) == 9:
            cut += 1
            database = Database(empty_database_url)
            with database.read() as connection:
                assert current_migration(connection) is None
            database.close()
    assert cut >= 3

    assert migrate(0) == 0

    database = Database(empty_database_url)
    with database.read() as connection:
        assert current_migration(connection) == LATEST
        assert connection.execute(select(customers)).all() == []
    database.close()
