"""Imports over the API: files sent as streams, stored by jobs that go on where they are cut off."""

import gzip
import io
import os
import signal
import stat
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pyarrow.csv as arrow_csv
import pytest
from pyarrow import parquet
from sqlalchemy import update

from customer_segmentation.domain.access import Role
from customer_segmentation.domain.errors import JobLostError
from customer_segmentation.domain.jobs import JobKind, JobState
from customer_segmentation.files.map.mapping import ColumnMapping, Entry
from customer_segmentation.files.map.mapping_file import format_mapping
from customer_segmentation.services.jobs.lifecycle import (
    MAX_ATTEMPTS,
    get_job,
    interrupt,
    this_process,
)
from customer_segmentation.services.jobs.queue import MAX_WAITING, add_waiting
from customer_segmentation.services.operation.keys import create_key
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.transfer.folder import TransferFolder
from customer_segmentation.services.transfer.records import hold
from customer_segmentation.services.transfer.upkeep import remove_old_transfers
from customer_segmentation.store.queries import imports, jobs
from customer_segmentation.store.tables import active_model
from tests.conftest import POSTGRES, postgres_database
from tests.support.answers import problem
from tests.support.imports import MANY, files_of, many_csv, send, sent, shipped_csv, stored_so_far
from tests.support.jobs import ended, follow
from tests.support.losing import losing_commit_after
from tests.support.servers import Server, running, status, until
from tests.support.shipped import SHIPPED
from tests.support.stored import ORIGIN, assert_current, stored_customers

RICH = {"income/month": "90000", "account balance": "400000", "transaction_count": "0"}


@pytest.mark.both_databases
def test_a_file_is_stored_and_the_history_tells_who_imported_what(
    server: Server, units: UnitsOfWork
) -> None:
    client = server.client
    for customer_id in range(1, 6):
        client.delete(f"/v1/customers/{customer_id}").raise_for_status()

    last = sent(client, shipped_csv(last=8), name="January.csv", by="Ada", reason="monthly")

    assert last["state"] == "succeeded"
    assert last["result"]["added"] == 5
    assert last["result"]["unchanged"] == 3
    assert (last["name"], last["mode"], last["dry_run"]) == ("January.csv", "upsert", False)
    assert (last["requested_by"], last["reason"], last["error"]) == ("Ada", "monthly", None)
    assert client.get("/v1/imports").json()["imports"] == [last]
    assert client.get("/v1/customers/3").json()["transaction_count"] == 4
    causes = [c["cause"] for c in client.get("/v1/customers/3/history").json()["changes"]]
    assert causes == ["added", "deleted", "added"]
    entries = client.get("/v1/audit", params={"kind": "file"}).json()["entries"]
    told = [(e["actor"], e["subject"], e["action"]) for e in entries]
    assert told[0] == ("Ada", "January.csv", "5 customers added")
    assert_current(units)


def test_the_file_is_gone_once_the_import_has_ended(server: Server, tmp_path: Path) -> None:
    last = sent(server.client, shipped_csv(last=3, changes={"age": "200"}))

    (folder,) = tmp_path.glob("*-transfers")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    until(lambda: files_of(tmp_path) == [f"{last['id']}.rejects.csv"])


def test_rows_that_are_not_taken_can_be_downloaded(server: Server) -> None:
    client = server.client
    content = shipped_csv(last=2) + b"\n" + shipped_csv(first=3, last=3, changes={"age": "200"})

    last = sent(client, content.replace(b"\n\n", b"\n"))

    assert (last["state"], last["result"]["rejected"], last["has_rejects"]) == (
        "succeeded",
        2,
        True,
    )
    rejects = client.get(f"/v1/imports/{last['id']}/rejects")
    assert rejects.headers["content-type"].startswith("text/csv")
    assert rejects.text.splitlines()[0].startswith("line,column,reason")
    assert any("200" in line for line in rejects.text.splitlines())
    none = sent(client, shipped_csv(last=2))
    assert not none["has_rejects"]
    problem(client.get(f"/v1/imports/{none['id']}/rejects"), 404)


@pytest.mark.parametrize("form", ["parquet", "gzip"])
def test_any_format_that_import_reads_is_taken(server: Server, form: str) -> None:
    content = shipped_csv(last=50, changes={"age": "77"})
    if form == "gzip":
        content = gzip.compress(content)
    else:
        sink = io.BytesIO()
        parquet.write_table(arrow_csv.read_csv(io.BytesIO(content)), sink)
        content = sink.getvalue()

    result = sent(server.client, content)["result"]

    assert result["changed"] > 45
    assert result["changed"] + result["unchanged"] == 50


def test_a_mapping_tells_what_the_columns_mean(server: Server) -> None:
    content = shipped_csv(last=50, changes=RICH).replace(b",age,", ",Größe,".encode())
    entries = ColumnMapping.by_record_names(SHIPPED).entries
    mapping = format_mapping(SHIPPED, ColumnMapping({**entries, "age": Entry("Größe")}))

    last = sent(server.client, content, mapping=mapping, name="Kundschaft ä.csv")

    assert (last["state"], last["error"]) == ("succeeded", None)
    assert last["result"]["changed"] == 50
    unmapped = sent(server.client, content, name="Kundschaft ä.csv")
    assert unmapped["state"] == "failed"
    assert "mapping" in unmapped["error"]
    assert "Kundschaft ä.csv" in unmapped["error"]


def test_a_dry_run_tells_and_changes_nothing(server: Server, units: UnitsOfWork) -> None:
    before = stored_customers(units)

    last = sent(server.client, shipped_csv(last=50, changes=RICH), dry_run=True)

    assert (last["result"]["changed"], last["dry_run"]) == (50, True)
    assert (stored_customers(units).values == before.values).all()


def test_a_first_import_makes_the_first_model(empty_database_url: str, tmp_path: Path) -> None:
    server = Server(empty_database_url, tmp_path, CUSTOMER_SEGMENTATION_DEMO="false")
    server.begin()
    try:
        until(lambda: status(server) == 503)
        last = sent(server.client, shipped_csv(last=1_000))

        assert (last["state"], last["model_version"]) == ("succeeded", 1)
        assert last["result"]["added"] == 1_000
        assert server.client.get("/v1/segments").json()["customers"] == 1_000
        too_few = sent(server.client, shipped_csv(last=3), mode="replace")
        assert too_few["result"]["removed"] == 997
    finally:
        server.client.close()
        server.stop()


def test_what_is_not_as_it_must_be_is_refused_before_anything_is_kept(
    server: Server, tmp_path: Path
) -> None:
    client = server.client

    problem(send(client, b""), 422)
    wrong = problem(send(client, shipped_csv(last=2), mapping="[age]\ncolumn = 3"), 422)
    assert wrong["errors"][0]["field"] == "mapping"
    problem(send(client, shipped_csv(last=2), mode="merge"), 422)
    problem(send(client, shipped_csv(last=2), colour="red"), 422)
    problem(client.post("/v1/imports", content=shipped_csv(last=2)), 422)

    assert files_of(tmp_path) == []
    assert client.get("/v1/imports").json()["imports"] == []


def test_a_file_that_is_too_large_or_breaks_off_is_not_kept(
    database_url: str, tmp_path: Path
) -> None:
    with running(database_url, tmp_path, CUSTOMER_SEGMENTATION_MAX_IMPORT_BYTES="2048") as server:
        problem(send(server.client, shipped_csv(last=500)), 413)

        def broken() -> Iterator[bytes]:
            yield shipped_csv(last=2)
            raise InterruptedError

        with pytest.raises(InterruptedError):
            server.client.post("/v1/imports", params={"name": "a"}, content=broken())
        until(lambda: files_of(tmp_path) == [])
        assert server.client.get("/v1/imports").json()["imports"] == []


def test_a_file_that_is_no_table_fails_and_says_why(server: Server) -> None:
    last = sent(server.client, b"%PDF-1.7 nothing", name="report.pdf")

    assert last["state"] == "failed"
    assert "report.pdf is a PDF document" in last["error"]


def test_to_replace_everybody_needs_an_admin(
    database_url: str, tmp_path: Path, units: UnitsOfWork
) -> None:
    keys = {role: create_key(units, role.label, role) for role in Role}
    with running(database_url, tmp_path, CUSTOMER_SEGMENTATION_AUTH="keys") as server:

        def answered(role: Role, mode: str) -> int:
            query = {"name": "a.csv", "mode": mode}
            headers = {"Authorization": f"Bearer {keys[role]}"}
            content = shipped_csv(last=10)
            return server.client.post(
                "/v1/imports", params=query, headers=headers, content=content
            ).status_code

        assert answered(Role.READER, "upsert") == 403
        assert answered(Role.WRITER, "replace") == 403
        assert answered(Role.WRITER, "upsert") == 202
        assert answered(Role.ADMIN, "replace") == 202


def make_own(units: UnitsOfWork) -> None:
    """Let the customers be a bank's own, not the demonstration's."""
    with units.database.write() as connection:
        connection.execute(update(active_model).values(is_demo=False))


@pytest.fixture(scope="module")
def many() -> bytes:
    """A file of many customers, which takes some seconds to be stored."""
    return many_csv()


@pytest.mark.long_over_postgres
@pytest.mark.both_databases
@pytest.mark.parametrize("killed", ["worker", "server"])
def test_an_import_whose_processes_are_killed_goes_on_by_itself(
    database_url: str, tmp_path: Path, many: bytes, killed: str
) -> None:
    with running(database_url, tmp_path) as server:
        location = send(server.client, many).headers["location"]
        until(lambda: stored_so_far(server.client, location) > 0)
        units = units_over(database_url)
        if killed == "worker":
            os.kill(get_job(units, location.rpartition("/")[2]).pid, signal.SIGKILL)
        else:
            server.kill()
            server.start()

        last = follow(server.client, location, ended)[-1]

        assert last["state"] == "succeeded"
        told = (last["result"]["added"], last["result"]["changed"], last["result"]["unchanged"])
        assert told == (MANY - 20_000, 0, 20_000)
        with units.database.read() as connection:
            assert units.customers.count(connection) == MANY
        assert_current(units)
        units.close()
        until(lambda: files_of(tmp_path) == [])


def test_a_replacement_that_is_killed_removes_only_who_was_there_at_its_start(
    database_url: str, tmp_path: Path, many: bytes, units: UnitsOfWork
) -> None:
    make_own(units)
    with running(database_url, tmp_path) as server:
        kept = many.split(b"\n", 10_001)
        content = b"\n".join([kept[0], kept[-1]])  # Without the first 10,000.
        location = send(server.client, content, mode="replace").headers["location"]
        until(lambda: stored_so_far(server.client, location) > 0)
        server.kill()
        server.start()
        someone = server.client.get("/v1/customers/20001").json()

        last = follow(server.client, location, ended)[-1]

        assert someone["customer_id"] == 20_001
        assert (last["state"], last["result"]["removed"]) == ("succeeded", 10_000)
        assert last["result"]["added"] == MANY - 20_000


def test_a_cancelled_import_stores_nothing_more_and_its_file_goes(
    server: Server, tmp_path: Path, many: bytes, units: UnitsOfWork
) -> None:
    client = server.client
    location = send(client, many).headers["location"]
    until(lambda: stored_so_far(client, location) > 0)

    cancelled = client.post(f"{location}:cancel", json={"by": "Ada"}).json()

    assert (cancelled["state"], cancelled["error"]) == ("cancelled", "cancelled by Ada")
    problem(client.post(f"{location}:cancel"), 409)
    assert files_of(tmp_path) == []
    with units.database.read() as connection:
        count = units.customers.count(connection)
    assert count == 20_000 + client.get(location).json()["result"]["added"]
    after = sent(client, shipped_csv(last=5))
    assert after["state"] == "succeeded"
    with units.database.read() as connection:
        assert units.customers.count(connection) == count
    assert_current(units)


def test_changes_come_through_while_an_import_stores(server: Server, many: bytes) -> None:
    client = server.client
    location = send(client, many).headers["location"]
    until(lambda: client.get(location).json()["phase"] == "importing")
    longest = 0.0
    for age in range(20, 30):
        begun = time.monotonic()
        client.patch("/v1/customers/56", json={"age": age}).raise_for_status()
        longest = max(longest, time.monotonic() - begun)
        if client.get(location).json()["state"] != "running":
            break

    assert age > 21  # Several came while it stored.
    assert longest < 5.0
    assert follow(client, location, ended)[-1]["state"] == "succeeded"


def test_imports_take_turns_in_the_order_in_which_they_came(server: Server, many: bytes) -> None:
    client = server.client
    first = send(client, many).headers["location"]

    second = send(client, shipped_csv(last=5)).json()
    third = send(client, shipped_csv(last=6)).json()

    assert (second["state"], third["state"]) == ("waiting", "waiting")
    cancelled = client.post(f"/v1/imports/{third['id']}:cancel").json()
    assert cancelled["state"] == "cancelled"
    assert follow(client, first, ended)[-1]["state"] == "succeeded"
    last = follow(client, f"/v1/imports/{second['id']}", ended)[-1]
    assert (last["state"], last["result"]["unchanged"]) == ("succeeded", 5)


@pytest.mark.long
@pytest.mark.postgres
def test_an_import_goes_on_after_the_database_has_ended_every_connection(
    loaded_postgres: str, tmp_path: Path, many: bytes
) -> None:
    with postgres_database(loaded_postgres) as name:
        url = f"{POSTGRES}/{name}"
        with running(url, tmp_path) as server:
            location = send(server.client, many).headers["location"]
            until(lambda: stored_so_far(server.client, location) > 0)
            with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [name],
                )

            until(lambda: server.client.get(location).status_code == 200)
            last = follow(server.client, location, ended)[-1]

            assert (last["state"], last["result"]["added"]) == ("succeeded", MANY - 20_000)


@pytest.mark.both_databases
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.both_databases
def test_an_import_that_was_stored_while_the_answer_was_lost_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    with losing_commit_after(b"INSERT INTO jobs") as port:
        url = database_url.replace(":5432/", f":{port}/")
        folder = {"CUSTOMER_SEGMENTATION_TRANSFER_FOLDER": str(tmp_path / "transfers")}
        with running(url, tmp_path, **folder) as server:
            last = sent(server.client, shipped_csv(last=3, shift=30_000))

            assert (last["state"], last["result"]["added"]) == ("succeeded", 3)
            assert files_of(tmp_path) == []


def test_an_insert_that_is_killed_refuses_the_same_rows_as_one_that_is_not(
    database_url: str, tmp_path: Path, many: bytes
) -> None:
    lines = many.split(b"\n")
    lines[5] = lines[5][:-1] + b"0"  # Someone who is there has no loan any more.
    with running(database_url, tmp_path) as server:
        location = send(server.client, b"\n".join(lines), mode="insert").headers["location"]
        until(lambda: stored_so_far(server.client, location) > 0)
        server.kill()
        server.start()

        last = follow(server.client, location, ended)[-1]

        assert (last["state"], last["result"]["rejected"]) == ("succeeded", 1)
        rejects = server.client.get(f"{location}/rejects").text.splitlines()
        assert rejects[1].startswith("6,customer id,the id is taken")


def test_an_erased_customer_is_in_nothing_that_imports_keep(
    server: Server, units: UnitsOfWork
) -> None:
    client = server.client
    sent(client, shipped_csv(last=50, changes=RICH))
    with units.database.read() as connection:
        import_id = client.get("/v1/imports").json()["imports"][0]["id"]
        before = imports.last(connection, import_id)

    receipt = client.delete("/v1/customers/7", params={"erase": True}).json()

    assert receipt["removed"]["imports"] == 1
    with units.database.read() as connection:
        after = imports.last(connection, import_id)
    assert before is not None
    assert after is not None
    assert 7 in before.ids
    assert 7 not in after.ids
    assert len(after.changed) == len(after.before) == len(after.digests) == 49
    assert (after.before == before.before[before.changed != 7]).all()


def test_what_imports_keep_goes_after_its_time(
    database_url: str, tmp_path: Path, units: UnitsOfWork
) -> None:
    with running(database_url, tmp_path) as server:
        sent(server.client, shipped_csv(last=5, changes=RICH))
        rejected = sent(server.client, shipped_csv(last=5, changes={"age": "200"}))
    settings, moment = Settings(database_url=database_url), now()

    remove_old_transfers(units, settings, moment + timedelta(days=29))
    assert files_of(tmp_path) == [f"{rejected['id']}.rejects.csv"]
    with units.database.read() as connection:
        assert imports.find_kept(connection)

    remove_old_transfers(units, settings, moment + timedelta(days=31))
    assert files_of(tmp_path) == []
    with units.database.read() as connection:
        assert not imports.find_kept(connection)


def look(client: httpx.Client, content: bytes, **asked: str) -> httpx.Response:
    query = {"name": "some.csv", **asked}
    return client.post("/v1/imports:preview", params=query, content=content)


def test_the_first_rows_of_a_file_are_looked_at_and_its_columns_guessed(server: Server) -> None:
    content = shipped_csv()[: 2**20]  # It breaks off within a row.

    known = look(server.client, content).json()
    assert known["is_complete"]
    assert (known["rejected"], known["rejects"]) == (0, [])
    assert 1_000 < known["rows"] < 20_000

    unknown = look(server.client, content.replace(b"age,", b"xyzzy,", 1)).json()
    assert not unknown["is_complete"]
    assert unknown["rejected"] is None
    mapping = unknown["mapping"].replace('# column = "…"\n# default = …', "default = 40")
    completed = look(server.client, content.replace(b"age,", b"xyzzy,", 1), mapping=mapping)
    assert completed.json()["rejected"] == 0

    wrong = look(server.client, shipped_csv(last=3, changes={"age": "200"})).json()
    assert (wrong["rows"], wrong["rejected"]) == (3, 3)
    assert (wrong["rejects"][0]["line"], wrong["rejects"][0]["column"]) == (2, "age")
    assert server.client.get("/v1/imports").json()["imports"] == []


def test_what_is_no_table_cannot_be_looked_at(server: Server) -> None:
    refused = problem(look(server.client, b"%PDF-1.7 nothing"), 422)
    assert refused["errors"][0]["field"] == "body"
    assert "some.csv is a PDF document" in refused["detail"]
    problem(look(server.client, b""), 422)
    unfinished = problem(look(server.client, shipped_csv(last=3), mapping="[age]"), 422)
    assert unfinished["errors"][0]["field"] == "mapping"


ASKED = {"name": "elsewhere.csv", "mode": "upsert", "dry_run": False}
"""An import whose file another server has."""


def test_an_import_waits_for_the_server_that_has_its_file_and_holds_up_no_other(
    server: Server, units: UnitsOfWork
) -> None:
    elsewhere = add_waiting(units.database, JobKind.IMPORT, ORIGIN, ASKED)

    last = sent(server.client, shipped_csv(last=5))

    assert last["state"] == "succeeded"
    assert server.client.get(f"/v1/imports/{elsewhere.id}").json()["state"] == "waiting"
    assert server.client.post(f"/v1/imports/{elsewhere.id}:cancel").json()["state"] == "cancelled"


def test_no_more_files_are_taken_than_may_wait(
    server: Server, units: UnitsOfWork, tmp_path: Path
) -> None:
    for _ in range(MAX_WAITING):
        add_waiting(units.database, JobKind.IMPORT, ORIGIN, ASKED)

    refused = send(server.client, shipped_csv(last=5))

    problem(refused, 429)
    assert int(refused.headers["retry-after"]) > 0
    assert files_of(tmp_path) == []


@pytest.mark.both_databases
def test_an_import_whose_process_ends_again_and_again_fails(units: UnitsOfWork) -> None:
    states = []
    for attempts in (MAX_ATTEMPTS - 1, MAX_ATTEMPTS):
        job = add_waiting(units.database, JobKind.IMPORT, ORIGIN, ASKED)
        with units.database.write() as connection:
            jobs.take(connection, job, attempts=attempts)
            interrupt(connection, job.id)
        states.append(get_job(units, job.id).state)

    assert states == [JobState.WAITING, JobState.FAILED]


@pytest.mark.both_databases
def test_who_holds_an_import_no_longer_stores_nothing_of_it(units: UnitsOfWork) -> None:
    job = add_waiting(units.database, JobKind.IMPORT, ORIGIN, ASKED)
    host, pid = this_process()
    with units.database.write() as connection:
        jobs.take(connection, job, host=host, pid=pid)
        hold(connection, job.id, done=1)
        jobs.change(connection, job.id, pid=pid + 1)  # Another process goes on with it.

    with pytest.raises(JobLostError), units.database.write() as connection:
        hold(connection, job.id, done=2)
    assert get_job(units, job.id).done == 1


def test_a_file_that_has_just_arrived_is_not_swept_away(
    units: UnitsOfWork, database_url: str
) -> None:
    settings = Settings(database_url=database_url)
    folder = TransferFolder.of(settings, units.database)
    folder.make()
    arrived, forgotten = folder.upload("a" * 32), folder.upload("b" * 32)
    foreign = folder.path / "notes.txt"
    for path in (arrived, forgotten, foreign):
        path.write_bytes(b"a file")
    two_days_ago = time.time() - 2 * 86_400
    for path in (forgotten, foreign):
        os.utime(path, (two_days_ago, two_days_ago))

    remove_old_transfers(units, settings, now())

    assert [path.exists() for path in (arrived, forgotten, foreign)] == [True, False, True]


def test_a_folder_that_cannot_be_used_is_told(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    folder = str(tmp_path / "taken" / "below")
    with running(database_url, tmp_path, CUSTOMER_SEGMENTATION_TRANSFER_FOLDER=folder) as server:
        refused = problem(send(server.client, shipped_csv(last=5)), 507)

        assert folder in refused["detail"]
        assert server.client.get("/v1/imports").json()["imports"] == []
