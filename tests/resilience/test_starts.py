"""Every way to start: one or more processes and servers, on whatever is there already."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    Table,
    func,
    insert,
    inspect,
    select,
    text,
)

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.artifact import Model, to_json
from customer_segmentation.model.assign import Assigner
from customer_segmentation.store import schema, tables
from customer_segmentation.store.database import Database
from customer_segmentation.store.schema import LATEST
from tests.support.examples import NEW_CUSTOMER
from tests.support.forked import ForkedCommand
from tests.support.servers import START_SECONDS, WORKERS, Server, until
from tests.support.shipped import FEATURE_NAMES
from tests.support.stored import writes_customers

pytestmark = pytest.mark.both_databases


REVISIONS = [f"{number:04}" for number in range(1, int(LATEST))]
OLDER = [
    pytest.param(revision, marks=() if revision in REVISIONS[::8] else pytest.mark.long)
    for revision in REVISIONS
]
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(2999, 1, 1, tzinfo=UTC)


def test_several_servers_and_processes_that_start_at_once_load_once_and_all_serve(
    empty_database_url: str, tmp_path: Path
) -> None:
    with started_at_once(empty_database_url, tmp_path, "2", "1", "1") as servers:
        for number, server in enumerate(servers):
            serves(server, NEW_CUSTOMER["customer_id"] + number)

    assert loaded(empty_database_url) == (20_003, 1, 1, 20_003)


@pytest.mark.long
@pytest.mark.parametrize("_round", range(5))
@pytest.mark.parametrize("workers", [["1"], ["2"], ["1", "1"], ["1", "1", "1"], ["2", "2", "2"]])
def test_any_number_of_servers_and_processes_starts(
    empty_database_url: str, tmp_path: Path, workers: list[str], _round: int
) -> None:
    with started_at_once(empty_database_url, tmp_path, *workers) as servers:
        for number, server in enumerate(servers):
            serves(server, NEW_CUSTOMER["customer_id"] + number)

    count = 20_000 + len(workers)
    assert loaded(empty_database_url) == (count, 1, 1, count)


def has_begun(_server: Server, database: Database) -> bool:
    """Tell whether a start has connected."""
    return database.path is None or database.path.exists()


def has_tables(_server: Server, database: Database) -> bool:
    """Tell whether a start has made the tables."""
    if database.path is not None and not database.path.exists():
        return False
    with database.read() as connection:
        return inspect(connection).has_table(tables.active_model.name)


def is_loading(server: Server, _database: Database) -> bool:
    """Tell whether a start has begun to load."""
    return "Loading" in server.log


def is_writing(_server: Server, database: Database) -> bool:
    """Tell whether a start has begun to write what it loads, or is done."""
    is_at_it = writes_customers(database)
    return is_at_it or (database.path is None and customers_of(database) > 0)


@pytest.mark.parametrize("only_the_parent", [False, True])
def test_a_start_that_is_killed_at_any_moment_is_done_again(
    empty_database_url: str, tmp_path: Path, only_the_parent: bool
) -> None:
    moments = [has_begun, has_tables, is_loading, is_writing]
    with ended(Server(empty_database_url, tmp_path)) as server:
        for moment in moments[2:3] if only_the_parent else moments:
            process = server.begin()
            database = Database(empty_database_url)
            wait_for(moment, server, database, process)
            database.close()
            if only_the_parent:
                # What loads goes on as an orphan, beside the next start.
                process.send_signal(signal.SIGKILL)
                process.wait(timeout=60)
            else:
                server.kill()

        server.start()
        serves(server, NEW_CUSTOMER["customer_id"])
    assert loaded(empty_database_url) == (20_001, 1, 1, 20_001)


@pytest.mark.parametrize("revision", OLDER)
def test_a_database_of_an_older_release_is_migrated_and_served(
    empty_database_url: str,
    tmp_path: Path,
    revision: str,
    shipped_model: Model,
    shipped_customers: tuple[IntArray, FloatArray],
) -> None:
    ids, values = shipped_customers
    fill(empty_database_url, revision, shipped_model, ids[:300], values[:300])

    # Each migrates under the same lock, whoever starts it: several processes once are enough.
    other = "2" if revision == REVISIONS[0] else "1"
    with started_at_once(empty_database_url, tmp_path, "1", other) as servers:
        for number, server in enumerate(servers):
            serves(server, NEW_CUSTOMER["customer_id"] + number)
        client = servers[0].client
        history = client.get("/v1/customers/56/history").json()
        assert [change["cause"] for change in history["changes"]] == ["added"]
        until(lambda: client.get("/v1/segments").json()["customers"] == 302)
        until(lambda: client.get("/v1/drift").json()["level"] == "stable")

    assert loaded(empty_database_url)[:2] == (302, 1)


def test_a_database_of_a_newer_release_is_told_in_a_line(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    server = Server(database_url, tmp_path)

    assert server.begin().wait(timeout=60) == ExitCode.USAGE

    assert "newer release" in server.log
    assert "Traceback" not in server.log


@contextmanager
def ended(server: Server) -> Iterator[Server]:
    """End a server with a block, whatever it was doing."""
    try:
        yield server
    finally:
        server.client.close()
        server.kill()


@contextmanager
def started_at_once(url: str, directory: Path, *workers: str) -> Iterator[list[Server]]:
    """Start a server for each number of processes that is given, and wait until all are ready."""
    servers = []
    with ExitStack() as stack:
        for number, count in enumerate(workers):
            folder = directory / f"server {number}"
            folder.mkdir()
            server = Server(url, folder, **{WORKERS: count})
            servers.append(stack.enter_context(ended(server)))
        processes = [server.begin() for server in servers]
        deadline = time.monotonic() + 2 * START_SECONDS
        for server, process in zip(servers, processes, strict=True):
            while not server.is_ready():
                assert process.poll() is None, server.log
                assert time.monotonic() < deadline, server.log
                time.sleep(0.05)
        yield servers
        for server in servers:
            server.stop()
    for server in servers:
        assert "Traceback" not in server.log


def serves(server: Server, new_id: int) -> None:
    """See that a server reads and writes."""
    shown = server.client.get("/get_customer_info_from_database", params={"customer_id": 56})
    assert shown.json()["Segmentation info"] == "Cluster 0: High-Value Power Users"
    added = server.client.post(
        "/add_customer_to_database", json={**NEW_CUSTOMER, "customer_id": new_id}
    )
    assert added.status_code == 200, added.text


def loaded(url: str) -> tuple[int, ...]:
    """Count customers, versions, activations, and customers whose history says how they came."""
    database = Database(url)
    with database.read() as connection:
        added = func.count(tables.segment_changes.c.customer_id.distinct())
        counts = (
            select(func.count()).select_from(tables.customers),
            select(func.count()).select_from(tables.model_versions),
            select(func.count()).select_from(tables.activations),
            select(added).where(tables.segment_changes.c.cause == "added"),
        )
        found = tuple(connection.execute(query).scalar_one() for query in counts)
    database.close()
    return found


def customers_of(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(tables.customers)).scalar_one()


def wait_for(
    moment: Callable[[Server, Database], bool],
    server: Server,
    database: Database,
    process: "subprocess.Popen[bytes] | ForkedCommand",
) -> None:
    deadline = time.monotonic() + 2 * START_SECONDS
    while not moment(server, database):
        assert process.poll() is None, server.log
        assert time.monotonic() < deadline, server.log
        time.sleep(0.002)


def fill(url: str, revision: str, model: Model, ids: IntArray, values: FloatArray) -> None:
    """Make a database as an older release left it, with a row of everything that it kept."""
    database = Database(url)
    config = Config()
    folder = Path(schema.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    segments = Assigner(model).assign(values)
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for table, rows in old_rows(model, ids, values, segments).items():
            put(connection, table, rows)
    database.close()


def old_rows(
    model: Model, ids: IntArray, values: FloatArray, segments: IntArray
) -> dict[str, list[dict[str, Any]]]:
    """Return by table what any release kept; each knew some of the columns."""
    people = list(zip(ids.tolist(), values.tolist(), segments.tolist(), strict=True))
    return {
        "model_versions": [
            {"version": 1, "created_at": LONG_AGO, "held_back": [], "artifact": to_json(model)}
        ],
        "active_model": [
            {
                "id": 1,
                "version": 1,
                "cause": "added",
                "rescored": True,
                "next_segment": model.next_number,
                "epoch": 1,
                "activated_in": 1,
            }
        ],
        "activations": [{"version": 1, "cause": "added", "activated_at": LONG_AGO, "epoch": 1}],
        "customers": [
            dict(zip(FEATURE_NAMES, row, strict=True))
            | {"customer_id": number, "segment": segment, "model_version": 1, "epoch": 0}
            for number, row, segment in people
        ],
        "segment_changes": [
            {
                "customer_id": number,
                "changed_at": LONG_AGO,
                "cause": "added",
                "to_segment": segment,
                "model_version": 1,
            }
            for number, _, segment in people
        ],
        "jobs": [{"id": "a" * 32, "state": "succeeded", "kind": "training", "model_version": 1}],
        "segment_edits": [{"number": 3, "name": "Thrifty", "strategies": []}],
        "idempotency_keys": [{"key": "a", "customer_id": 1, "asked": {}, "created_at": LONG_AGO}],
        "api_keys": [{"id": "a", "name": "Ada", "role": "admin", "created_at": LONG_AGO}],
        "erasures": [{"id": "a", "customer_id": 19_999, "removed": {}, "model_versions": [1]}],
        "audit_entries": [{"at": LONG_AGO, "kind": "key", "subject": "Ada"}],
        "webhooks": [{"id": "a", "url": "https://crm.example", "next_at": FAR_OFF}],
    }


def put(connection: Connection, name: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows into a table, where it is there; what they lack is none, nothing or long ago."""
    if not inspect(connection).has_table(name):
        return
    columns = Table(name, MetaData(), autoload_with=connection).columns
    # Ids that are not given are the database's to number, so that it goes on from them.
    needed = [c for c in columns if not (c.nullable or c.primary_key) and c.server_default is None]
    filled = [{c.name: fillers(c) for c in needed} | row for row in rows]
    known = [{key: value for key, value in row.items() if key in columns} for row in filled]
    connection.execute(insert(columns[next(iter(known[0]))].table), known)


def fillers(column: Column[Any]) -> object:
    """Return a value that says nothing."""
    kind = column.type.python_type
    return LONG_AGO if kind is datetime else kind()
