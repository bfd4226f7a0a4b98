"""Jobs: started, followed, cancelled, and found again after a crash."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import psycopg
import pytest

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import TrainingCancelledError
from customer_segmentation.domain.jobs import Job, JobKind, JobState, Origin, Phase, Trigger
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.assign import Assigner
from customer_segmentation.services.jobs.lifecycle import cancel_job, get_job, list_jobs, start_job
from customer_segmentation.services.models import rescoring
from customer_segmentation.services.models.registry import activate_version
from customer_segmentation.services.models.rescoring import rescore
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.training.run import run_training
from customer_segmentation.store.queries import models
from tests.support.answers import problem
from tests.support.examples import SOMEONE
from tests.support.jobs import Fields, ended, follow, is_rescored, wait_until_rescored
from tests.support.parts import FORKER
from tests.support.servers import Server, running
from tests.support.shipped import SHIPPED
from tests.support.stored import stored_customers

LONG = {"restarts": 100, "k": 12}
"""A training that takes some seconds, so that something can happen meanwhile."""


def test_a_training_is_followed_through_its_phases_to_the_new_version(server: Server) -> None:
    client = server.client

    started = client.post(
        "/v1/models", json={"seed": 5, "restarts": 20, "by": "Ada", "reason": "quarterly"}
    )

    assert started.status_code == 202
    location = started.headers["location"]
    assert location == f"/v1/jobs/{started.json()['id']}"
    problem(client.post("/v1/models"), 409)
    seen = follow(client, location, ended)
    order = list(Phase)
    phases = [order.index(Phase(job["phase"])) for job in seen]
    assert phases == sorted(phases)
    assert {"fitting", "checking", "done"} <= {job["phase"] for job in seen}
    assert any(job["phase"] == "fitting" and job["total"] == 20 for job in seen)
    last = seen[-1]
    assert (last["state"], last["model_version"], last["error"]) == ("succeeded", 2, None)
    version = client.get("/v1/models/2").json()
    assert version["is_active"]
    assert (version["trigger"], version["created_by"], version["reason"]) == (
        "request",
        "Ada",
        "quarterly",
    )
    assert (version["parameters"]["seed"], version["parameters"]["restarts"]) == (5, 20)
    (activation,) = version["activations"]
    assert (activation["previous"], activation["activated_by"]) == (1, "Ada")
    assert client.get("/v1/jobs").json()["jobs"][0] == last


@pytest.mark.both_databases
def test_every_server_goes_by_a_new_model_within_a_second(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with (
        running(database_url, tmp_path) as server,
        running(database_url, tmp_path / "other") as other,
    ):
        server.client.post("/retrain_model_with_latest_data").raise_for_status()
        activated = time.monotonic()
        while other.client.post("/v1/segments:predict", json=SOMEONE).json()["model_version"] != 2:
            assert time.monotonic() < activated + 1.0
        for version in (1, 2, 1):
            path = f"/v1/models/{version}:activate"
            other.client.post(path).raise_for_status()
            assert server.client.get("/v1/customers/56").json()["model_version"] == version


def test_no_reader_sees_two_models_mixed(
    server: Server,
    units: UnitsOfWork,
    other_version: int,
    other_model: Model,
    shipped_customers: tuple[IntArray, FloatArray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rescoring, "PART", 10_000)
    _, values = shipped_customers
    activate_version(units, Settings(), other_version)
    with pytest.raises(InterruptedError):
        rescore(units, interrupt)

    found = [c for _, page in pages(server.client) for c in page]

    assert {customer["model_version"] for customer in found} == {other_version}
    expected = Assigner(other_model).assign(values).tolist()
    assert [customer["segment"] for customer in found] == expected


def pages(client: httpx.Client) -> Iterator[tuple[str, list[Fields]]]:
    """Yield each page of all customers, with the cursor that leads on."""
    cursor = ""
    while True:
        query = {"limit": "1000"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/customers", params=query).json()
        cursor = page["next_cursor"]
        yield cursor, page["customers"]
        if cursor is None:
            return


def test_a_cancelled_training_never_serves(server: Server) -> None:
    client = server.client
    location = client.post("/v1/models", json=LONG).headers["location"]
    follow(client, location, lambda job: job["phase"] == "fitting")

    cancelled = client.post(f"{location}:cancel", json={"by": "Ada"}).json()

    assert (cancelled["state"], cancelled["error"]) == ("cancelled", "cancelled by Ada")
    problem(client.post(f"{location}:cancel"), 409)
    assert client.get("/health/ready").json()["model_version"] == 1
    again = client.post("/v1/models").headers["location"]
    last = follow(client, again, ended)[-1]
    assert (last["state"], last["model_version"]) == ("succeeded", 2)


def test_a_training_leaves_a_processor_to_those_who_answer(server: Server) -> None:
    location = server.client.post("/v1/models", json=LONG).headers["location"]
    job = follow(server.client, location, lambda job: job["phase"] == "fitting")[-1]

    units = units_over(server.database_url)
    process = get_job(units, job["id"]).pid
    units.close()

    assert os.getpriority(os.PRIO_PROCESS, process) > os.getpriority(os.PRIO_PROCESS, server.pid)
    all_of_them = os.sched_getaffinity(server.pid)
    left = all_of_them - os.sched_getaffinity(process)
    assert len(left) == (1 if len(all_of_them) > 1 else 0)


def test_a_training_that_is_killed_is_marked_and_the_next_one_runs(server: Server) -> None:
    client = server.client
    location = client.post("/v1/models", json=LONG).headers["location"]
    follow(client, location, lambda job: job["phase"] == "fitting")
    killed = children(server.pid)
    for child in killed:
        os.kill(child, signal.SIGKILL)

    last = follow(client, location, ended)[-1]
    wait_for_end(killed)

    assert last["state"] == "interrupted"
    assert client.post("/retrain_model_with_latest_data").json() == "Model successfully updated"


@pytest.mark.both_databases
def test_a_training_cut_off_with_its_server_is_found_at_the_next_start(server: Server) -> None:
    location = server.client.post("/v1/models", json=LONG).headers["location"]
    follow(server.client, location, lambda job: job["phase"] == "fitting")

    server.kill()
    server.start()

    assert server.client.get(location).json()["state"] == "interrupted"
    assert server.client.post("/retrain_model_with_latest_data").status_code == 200


def test_a_stopped_server_hands_its_lease_back(server: Server) -> None:
    location = server.client.post("/v1/models", json=LONG).headers["location"]
    follow(server.client, location, lambda job: job["phase"] == "fitting")

    server.stop()
    server.start()

    last = follow(server.client, location, ended)[-1]
    assert last["state"] == "interrupted"


def test_a_stopped_server_finishes_what_it_is_at(server: Server) -> None:
    answers: list[httpx.Response] = []
    url = f"{server.url}/retrain_model_with_latest_data"
    asking = threading.Thread(target=lambda: answers.append(httpx.post(url, timeout=60.0)))
    asking.start()
    follow_any(server)

    server.stop()
    asking.join()

    assert [answer.json() for answer in answers] == ["Model successfully updated"]
    server.start()
    assert server.client.get("/health/ready").json()["model_version"] == 2


def follow_any(server: Server) -> None:
    """Wait until a job runs."""
    while not server.client.get("/v1/jobs").json()["jobs"]:
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Return the processes that a process started, without the one that starts them for it."""
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    started = [int(child) for path in listed for child in path.read_text().split()]
    return [child for child in started if name_of(child) != FORKER]


def name_of(pid: int) -> str:
    """Return a process's name."""
    return Path(f"/proc/{pid}/comm").read_text().rstrip()


@pytest.mark.long
def test_the_next_training_is_done_by_a_process_that_is_ready(
    bank_url: str, tmp_path: Path
) -> None:
    with running(bank_url, tmp_path) as server:
        server.client.post("/retrain_model_with_latest_data").raise_for_status()
        ready = wait_for_ready(server)

        location = server.client.post("/v1/models").headers["location"]

        last = follow(server.client, location, ended)[-1]
        assert (last["state"], last["model_version"]) == ("succeeded", 3)
        units = units_over(bank_url)
        assert get_job(units, last["id"]).pid == ready
        units.close()


@pytest.mark.long
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_ready_ends_with_its_server(
    bank_url: str, tmp_path: Path, sent: signal.Signals
) -> None:
    with running(bank_url, tmp_path) as server:
        server.client.post("/retrain_model_with_latest_data").raise_for_status()
        ready = wait_for_ready(server)

        os.kill(server.pid, sent)

        wait_for_end([ready])


def test_a_server_stops_at_once_whatever_the_process_that_is_ready_is_at(
    bank_url: str, tmp_path: Path
) -> None:
    with running(bank_url, tmp_path) as server:
        server.client.post("/retrain_model_with_latest_data").raise_for_status()
        ready = wait_for_ready(server)
        os.kill(ready, signal.SIGSTOP)

        server.stop()

        wait_for_end([ready])


def wait_for_ready(server: Server) -> int:
    """Wait until a process is ready for the next job; return its id."""
    deadline = time.monotonic() + 30
    while True:
        for child in children(server.pid):
            if name_of(child) == "ready":
                return child
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_for_end(pids: list[int]) -> None:
    """Wait until processes are gone."""
    deadline = time.monotonic() + 20
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.both_databases
def test_half_finished_re_scoring_is_completed_at_the_next_start(
    server: Server, units: UnitsOfWork, other_version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescoring, "PART", 10_000)
    server.kill()
    activate_version(units, Settings(), other_version)
    with pytest.raises(InterruptedError):
        rescore(units, interrupt)

    server.start()

    wait_until_rescored(units, seconds=60)
    stored = stored_customers(units)
    model = units.require_model()
    assert model.version == other_version
    assert (stored.segments == model.assigner.assign(stored.values)).all()


@pytest.mark.long_over_postgres
@pytest.mark.both_databases
def test_a_re_scoring_that_is_killed_is_resumed_within_seconds(
    server: Server, units: UnitsOfWork, other_version: int
) -> None:
    server.client.post(f"/v1/models/{other_version}:activate").raise_for_status()
    for child in children(server.pid):
        os.kill(child, signal.SIGKILL)
    assert not is_rescored(units)

    wait_until_rescored(units, seconds=60)

    found = server.client.get("/v1/segments").json()
    assert found["model_version"] == other_version
    assert sum(segment["size"] for segment in found["segments"]) == 20_000


@pytest.mark.both_databases
def test_a_re_scoring_that_loses_its_connections_is_resumed_without_a_restart(
    server: Server, units: UnitsOfWork, other_version: int, database_url: str
) -> None:
    if not database_url.startswith("postgresql"):
        pytest.skip("this is about PostgreSQL")
    server.client.post(f"/v1/models/{other_version}:activate").raise_for_status()
    with psycopg.connect(database_url, autocommit=True) as operator:
        restarted = time.monotonic() + 3
        while time.monotonic() < restarted:
            operator.execute(CUT_OFF)
            time.sleep(0.01)
    assert not is_rescored(units)

    wait_until_rescored(units, seconds=60)

    found = server.client.get("/v1/segments").json()
    assert found["complete"]
    assert sum(segment["size"] for segment in found["segments"]) == 20_000


CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def interrupt(_done: int) -> None:
    raise InterruptedError


@pytest.mark.long
def test_only_the_newest_versions_the_active_one_and_its_predecessor_are_kept(
    bank_url: str, tmp_path: Path
) -> None:
    settings = {
        "CUSTOMER_SEGMENTATION_KEEP_VERSIONS": "1",
        "CUSTOMER_SEGMENTATION_REQUIRE_APPROVAL": "true",
    }
    with Server(bank_url, tmp_path, **settings) as server:
        client = server.client
        versions = []
        for _ in range(4):
            problem(client.post("/retrain_model_with_latest_data"), 409)
            newest = client.get("/v1/models").json()["models"]
            versions.append([version["version"] for version in newest])
            if len(versions) == 2:
                client.post("/v1/models/3:activate", json={"by": "Bo"}).raise_for_status()

    assert versions == [[2, 1], [3, 1], [4, 3, 1], [5, 3, 1]]


def test_a_second_person_must_approve_where_that_is_asked_for(
    bank_url: str, tmp_path: Path
) -> None:
    with Server(bank_url, tmp_path, CUSTOMER_SEGMENTATION_REQUIRE_APPROVAL="true") as server:
        client = server.client
        location = client.post("/v1/models", json={"by": "Ada"}).headers["location"]
        last = follow(client, location, ended)[-1]

        assert last["state"] == "held back"
        (reason,) = client.get("/v1/models/2").json()["held_back"]
        assert "waits for approval" in reason
        problem(client.post("/v1/models/2:activate", json={"by": "Ada"}), 409)
        problem(client.post("/v1/models/2:activate"), 409)
        approved = client.post(
            "/v1/models/2:activate", json={"by": "Bo", "reason": "looked at the impact"}
        ).json()
        assert approved["is_active"]
        assert approved["held_back"] == []
        record = client.get("/v1/models/2/record?format=json").json()
        assert record["stability"]["held_back"] == []
        assert approved["activations"][0]["reason"] == "looked at the impact"
        back = client.post("/v1/models/1:activate", json={"by": "Ada"}).json()
        assert [past["cause"] for past in back["activations"]] == ["rolled back", "added"]


def test_a_version_is_told_whole_and_in_users_units(shared_server: Server) -> None:
    client = shared_server.client

    version = client.get("/v1/models/1").json()

    assert version["fingerprint"]["customers"] == 20_000
    assert len(version["fingerprint"]["sha256"]) == 64
    assert set(version["fingerprint"]["attributes"]) == set(version["parameters"]["weights"])
    assert 18 < version["centroids"]["0"]["age"] < 90
    assert version["quality"]["stability"] > 0.9
    assert [segment["number"] for segment in version["segments"]] == [0, 1, 2, 3]
    assert version["trigger"] == "first start"
    assert "scikit-learn" in version["libraries"]
    problem(client.get("/v1/models/99"), 404)
    problem(client.post("/v1/models/99:activate"), 404)


def test_bad_training_requests_name_the_field(shared_server: Server) -> None:
    client = shared_server.client
    for body, field in [
        ({"k": 1}, "k"),
        ({"k": True}, "k"),
        ({"exclude": ["shoe_size"]}, "exclude"),
        ({"weights": {"age": -1}}, "weights"),
        ({"by": "A\0da"}, "by"),
        ({"reason": "\0"}, "reason"),
        ({"shoes": 1}, "shoes"),
    ]:
        answer = problem(client.post("/v1/models", json=body), 422)
        assert any(field in str(error) for error in answer["errors"]), answer
    problem(client.get("/v1/jobs/00000000000000000000000000000000"), 404)


@pytest.mark.long
def test_a_study_compares_numbers_of_segments_and_advises_one(server: Server) -> None:
    client = server.client
    started = client.post("/v1/studies", json={"ks": [2, 3, 4]})
    assert started.status_code == 202
    problem(client.post("/v1/studies"), 409)

    study = follow(client, started.headers["location"], ended)[-1]

    assert study["state"] == "succeeded"
    result = study["result"]
    trials = result["trials"]
    assert len(trials) == 9
    chosen = [trial for trial in trials if trial["weighting"] == "the weights of the settings"]
    assert [trial["k"] for trial in chosen] == [2, 3, 4]
    assert np.all(np.diff([trial["inertia"] for trial in chosen]) < 0)
    # Two segments cannot continue enough of the four that serve: a training of two is held back.
    assert [trial["passes"] for trial in chosen] == [False, True, True]
    assert result["recommended"] in (3, 4)
    assert result["reason"].startswith(f"{result['recommended']} segments: ")
    assert client.get("/health/ready").json()["model_version"] == 1
    training = client.post("/v1/models").json()["id"]
    problem(client.get(f"/v1/studies/{training}"), 404)


def test_a_model_activated_during_a_training_goes_on_serving(
    units: UnitsOfWork, other_version: int, shipped_model: Model
) -> None:
    class RolledBackMeanwhile(LocalEngine):
        def train(self, *_data: object, **_how: object) -> Model:
            activate_version(units, Settings(), 1, "Ada")
            return shipped_model

    activate_version(units, Settings(), other_version)
    job = start_job(units.database, JobKind.TRAINING, Origin(Trigger.REQUEST, ""))

    run_training(units, lambda: RolledBackMeanwhile(SHIPPED), Settings(), job.id)

    assert get_job(units, job.id).state is JobState.HELD_BACK
    with units.database.read() as connection:
        assert models.active_version(connection) == 1
        made = models.find(connection, other_version + 1)
    assert made is not None
    assert "Version 1 was activated meanwhile" in made.held_back[0]


def test_a_job_cancelled_at_the_last_moment_does_not_replace_the_model(
    units: UnitsOfWork, shipped_model: Model
) -> None:
    class CancelledOnceTrained(LocalEngine):
        def train(self, *_data: object, **_how: object) -> Model:
            cancel_job(units, job.id, "")
            return shipped_model

    job = start_job(units.database, JobKind.TRAINING, Origin(Trigger.REQUEST, ""))

    with pytest.raises(TrainingCancelledError):
        run_training(units, lambda: CancelledOnceTrained(SHIPPED), Settings(), job.id)

    assert get_job(units, job.id).state is JobState.CANCELLED
    with units.database.read() as connection:
        assert models.active_version(connection) == 1
        assert models.find(connection, 2) is None


def test_an_unexpected_error_is_told_by_its_kind_in_the_job(
    units: UnitsOfWork,
) -> None:
    class Broken(LocalEngine):
        def train(self, *_data: object, **_how: object) -> Model:
            raise ZeroDivisionError("of 31337")

    job = start_job(units.database, JobKind.TRAINING, Origin(Trigger.REQUEST, ""))

    with pytest.raises(ZeroDivisionError):
        run_training(units, lambda: Broken(SHIPPED), Settings(), job.id)

    failed = get_job(units, job.id)
    assert failed.state is JobState.FAILED
    assert failed.error == "an unexpected ZeroDivisionError; the service's log has its trace"


def test_an_unexpected_error_of_a_process_has_its_trace_in_the_log(database_url: str) -> None:
    told = json.dumps(
        [["a task that is none"], Settings(database_url=database_url).model_dump_json()]
    )

    ended = subprocess.run(
        [sys.executable, "-m", "customer_segmentation.services.process"],
        input=told,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "The task a task that is none met an unexpected error" in ended.stderr
    assert "Traceback" in ended.stderr


def has_begun(_job: Job) -> bool:
    return True


def has_read(job: Job) -> bool:
    return bool(job.done)


@pytest.mark.parametrize("moment", [has_begun, has_read])
def test_a_training_that_is_interrupted_tells_what_stands_without_a_trace(
    units: UnitsOfWork, database_url: str, moment: Callable[[Job], bool]
) -> None:
    command = [sys.executable, "-m", "customer_segmentation", "train", "--segments", "12"]
    given = {"DATABASE_URL": database_url, "CUSTOMER_SEGMENTATION_RESTARTS": "100"}
    # A shell that runs the tests in the background lets them ignore it, and what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command,
        env=os.environ | given,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not any(moment(job) for job in list_jobs(units)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == ExitCode.INTERRUPTED
    assert "Nothing is changed yet" in stderr
    assert "Traceback" not in stderr
