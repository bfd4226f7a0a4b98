"""PostgreSQL as a server of its own that fails: restarts, deadlocks, slow statements."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from customer_segmentation.domain.errors import StoreUnavailableError
from customer_segmentation.model.artifact import Model
from customer_segmentation.services.customers.batch import Action, Operation, apply_batch
from customer_segmentation.services.customers.commands import get_customer
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.store.database import Database
from tests.conftest import load
from tests.support.examples import NEW_CUSTOMER
from tests.support.servers import Server, free_port
from tests.support.stored import store_candidate

pytestmark = [pytest.mark.both_databases, pytest.mark.postgres]


class Cluster:
    """A PostgreSQL server of the test's own."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._control = programs / "pg_ctl"
        self._folder = folder
        shutil.chown(folder, "postgres")
        self._run(programs / "initdb", "--auth=trust", "--no-sync", "-D", str(folder / "data"))

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder}"
        log = str(self._folder / "log")
        self._run(self._control, "-D", self._data, "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        """Stop at once, as in a crash: nothing is written to disk any more."""
        self._run(self._control, "-D", self._data, "-m", "immediate", "-w", "stop")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, *command: Path | str) -> None:
        subprocess.run(
            ["runuser", "-u", "postgres", "--", *map(str, command)],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
        )


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server, running."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or os.geteuid() != 0:
        if os.environ.get("REQUIRE_POSTGRES"):
            pytest.fail("PostgreSQL's programs and root's rights are needed")
        pytest.skip("PostgreSQL's programs or root's rights are missing")
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    found = Cluster(programs[-1], folder)
    found.start()
    yield found
    found.stop()
    shutil.rmtree(folder)


def test_a_database_that_crashes_under_load_loses_no_acknowledged_write(
    cluster: Cluster, tmp_path: Path
) -> None:
    load(cluster.url)
    acknowledged: list[int] = []
    statuses: set[int] = set()
    stop = threading.Event()

    def write(first: int) -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            for customer_id in range(first, first + 100_000):
                if stop.is_set():
                    return
                body = {**NEW_CUSTOMER, "customer_id": customer_id}
                answer = client.post("/v1/customers", json=body)
                statuses.add(answer.status_code)
                if answer.status_code == 201:
                    acknowledged.append(customer_id)

    with Server(cluster.url, tmp_path) as server:
        writers = [threading.Thread(target=write, args=(100_000 * (n + 1),)) for n in range(4)]
        for writer in writers:
            writer.start()
        for _ in range(2):
            wait_for_more(acknowledged, 100)
            cluster.stop()
            time.sleep(0.5)
            cluster.start()
        wait_for_more(acknowledged, 100)
        stop.set()
        for writer in writers:
            writer.join()

        kept = {customer["customer_id"] for customer in everyone(server)}

    assert statuses == {201, 503}
    assert set(acknowledged) <= kept
    # A write whose answer was lost with the connection may have been done; only such ones may be
    # there unacknowledged, at most one of each writer's at each crash.
    assert len(kept - set(acknowledged) - set(range(1, 20_001))) <= 8


def wait_for_more(acknowledged: list[int], count: int) -> None:
    """Wait until so many more writes are acknowledged."""
    before = len(acknowledged)
    deadline = time.monotonic() + 60
    while len(acknowledged) < before + count:
        assert time.monotonic() < deadline, "the service does not recover"
        time.sleep(0.01)


def everyone(server: Server) -> Iterator[dict[str, int]]:
    cursor: str | None = None
    while True:
        query = {"limit": "1000"} | ({} if cursor is None else {"cursor": cursor})
        page = server.client.get("/v1/customers", params=query).json()
        yield from page["customers"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def test_a_re_scoring_goes_on_once_the_database_is_back(
    cluster: Cluster, tmp_path: Path, other_model: Model
) -> None:
    load(cluster.url)
    units = units_over(cluster.url)
    version = store_candidate(units, other_model)
    with Server(cluster.url, tmp_path) as server:
        server.client.post(f"/v1/models/{version}:activate").raise_for_status()
        cluster.stop()
        cluster.start()

        deadline = time.monotonic() + 60
        while (found := server.client.get("/v1/segments")).status_code == 503 or (
            sum(segment["size"] for segment in found.json()["segments"]) < 20_000
        ):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    units.close()

    assert sum(segment["size"] for segment in found.json()["segments"]) == 20_000


def test_batches_that_lock_each_other_are_both_done(units: UnitsOfWork) -> None:
    if units.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")

    def change(ids: range, age: int) -> None:
        for _ in range(3):
            units.run(apply_batch, [Operation(Action.UPDATE, i, {"age": age}) for i in ids])

    forwards = threading.Thread(target=change, args=(range(1, 300), 30))
    backwards = threading.Thread(target=change, args=(range(299, 0, -1), 40))
    forwards.start()
    backwards.start()
    forwards.join()
    backwards.join()

    ages = {get_customer(units, i).customer.attributes["age"] for i in range(1, 300)}
    assert ages in ({30}, {40})


def test_a_statement_that_takes_too_long_is_ended(units: UnitsOfWork) -> None:
    if units.database.is_sqlite:
        pytest.skip("this is about PostgreSQL")
    impatient = Database(units.database.url, statement_seconds=0.1)

    started = time.monotonic()
    with pytest.raises(StoreUnavailableError), impatient.read() as connection:
        connection.execute(text("SELECT pg_sleep(10)"))

    assert time.monotonic() - started < 5
    impatient.close()
