"""Without `--url` a command asks a service in its own process, which serves it alone."""

import os
import signal
import threading
from contextlib import closing
from contextvars import ContextVar
from typing import Any

import anyio.to_thread
import httpx
import pytest
import typer

from customer_segmentation.cli.console.in_process import InProcessTransport
from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.cli.console.service import serve_in_process
from customer_segmentation.domain.jobs import JobKind, Origin, Trigger
from customer_segmentation.services.jobs.lifecycle import start_job
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import jobs
from tests.support.commands import run, run_json

who: ContextVar[str] = ContextVar("who", default="nobody")


async def answer(send: Any, text: str) -> None:  # noqa: ANN401
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})


def test_a_request_is_answered_in_the_context_that_it_is_sent_in() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401
        await answer(send, await anyio.to_thread.run_sync(who.get))

    with httpx.Client(transport=InProcessTransport(app), base_url="http://localhost") as client:
        who.set("Ada")

        assert client.get("/").text == "Ada"


def test_interrupting_a_request_does_not_wait_for_its_answer() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def take_long() -> None:
        begun.set()
        may_end.wait(60)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401
        await anyio.to_thread.run_sync(take_long)
        await answer(send, "late")

    def interrupt() -> None:
        begun.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    transport = InProcessTransport(app)
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt), httpx.Client(transport=transport) as client:
            client.get("http://localhost/")
        assert not may_end.is_set()
    finally:
        may_end.set()
        signal.signal(signal.SIGINT, former)


def test_who_runs_a_command_is_an_admin_whatever_service_the_settings_describe(
    bank_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    here = {
        "DATABASE_URL": bank_url,
        "CUSTOMER_SEGMENTATION_AUTH": "keys",
        "CUSTOMER_SEGMENTATION_MIN_GROUP_SIZE": "100000",
        "CUSTOMER_SEGMENTATION_ROOT_PATH": "/segments",
        "CUSTOMER_SEGMENTATION_LOG_REQUESTS": "true",
    }

    told = run("segments", "edit", "0", "--name", "Best", "--by", "Bo", env=here)

    assert (told.exit_code, told.stderr) == (ExitCode.DONE, "")
    (entry,) = run_json("audit", "list", "--kind", "segment", env=here)["entries"]
    assert entry["actor"] == "ada"
    assert "hidden" not in run("segments", "list", env=here).stdout


def test_a_command_does_nothing_that_it_was_not_told(units: UnitsOfWork, database_url: str) -> None:
    """A server would close the job at its start, and again every few seconds."""
    job = start_job(units.database, JobKind.TRAINING, Origin(Trigger.REQUEST, ""))
    with units.database.write() as connection:
        jobs.change(connection, job.id, pid=2**22 + 1)

    (listed,) = run_json("jobs", "list", env={"DATABASE_URL": database_url})["jobs"]

    assert listed["state"] == "running"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_that_may_only_be_read_has_an_exit_code_of_its_own(database_url: str) -> None:
    path = database_url.removeprefix("sqlite:///")
    only_read = f"sqlite:///file:{path}?mode=ro&uri=true"

    with (
        closing(UnitsOfWork(Database(only_read))) as units,
        pytest.raises(typer.Exit) as ended,
        serve_in_process(units, Settings(database_url=only_read)) as service,
    ):
        service.edit_segment(0, name="Best")

    assert ended.value.exit_code == ExitCode.NO_DATABASE
