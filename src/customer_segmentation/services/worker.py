"""The process that trains, so that requests never wait for it.

`services/workers.py` starts it and tells task and settings, as JSON on standard input. Only this
process imports scikit-learn, beside its other work; one that serves never does.
"""

import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from customer_segmentation.domain.errors import SegmentationError, StoreUnavailableError
from customer_segmentation.domain.jobs import JobState
from customer_segmentation.engines.engine import Engine
from customer_segmentation.model.parts import use_while_others_rest
from customer_segmentation.services.comparison import compare
from customer_segmentation.services.jobs import HEARTBEAT_SECONDS, interrupt
from customer_segmentation.services.loading import load_first_data
from customer_segmentation.services.logs import configure_logs
from customer_segmentation.services.rescoring import rescore
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.tasks import note, run_study, run_training
from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.services.workers import READY, left_processors
from customer_segmentation.store import jobs
from customer_segmentation.store.database import Database

logger = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Run a task; return the process's exit status, 0 where it was done."""
    if arguments == [READY]:
        # Ctrl+C is meant for the server, which ends this process by closing its input.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _load_engine()
    told = sys.stdin.read()
    if not told:
        return 0
    signal.signal(signal.SIGINT, signal.default_int_handler)
    use_while_others_rest(left_processors())
    task, given = json.loads(told)
    settings = Settings.model_validate_json(given)
    configure_logs(settings.log_format)
    database = Database(settings.database_url)
    try:
        run(task, UnitsOfWork(database), settings)
    except SegmentationError as error:
        logger.error("%s", error)
        return 1
    finally:
        database.close()
    return 0


def run(task: list[str], units: UnitsOfWork, settings: Settings) -> None:
    """Do a task.

    Raises:
        SegmentationError: it could not be done.
    """
    with ThreadPoolExecutor(1) as beside:
        match task:
            case ["load"]:
                load_first_data(units, beside.submit(_load_engine).result, settings)
            case ["train", job_id]:
                with _heartbeat(units.database, job_id):
                    run_training(units, beside.submit(_load_engine).result, settings, job_id)
            case ["study", job_id]:
                with _heartbeat(units.database, job_id):
                    run_study(units, beside.submit(_load_engine).result, settings, job_id)
            case ["rescore"]:
                rescore(units)
            case ["compare", before, after]:
                json.dump(asdict(compare(units, int(before), int(after))), sys.stdout)
            case _:
                raise ValueError(f"no such task: {task}")


def _load_engine() -> Engine:
    """Import the engine, which takes longer than to read many customers."""
    from customer_segmentation.engines.local import LocalEngine

    return LocalEngine()


@contextlib.contextmanager
def _heartbeat(database: Database, job_id: str) -> Iterator[None]:
    """Show in the job's row that this process lives; end it when it is cancelled or orphaned."""
    parent = os.getppid()
    stopped = threading.Event()
    note(database, job_id, pid=os.getpid())

    def beat() -> None:
        while not stopped.wait(HEARTBEAT_SECONDS):
            # A database that is away for a moment costs a beat; away for long, it costs the lease.
            with contextlib.suppress(StoreUnavailableError):
                if os.getppid() != parent:
                    with database.write() as connection:
                        interrupt(connection, job_id)
                if not _is_running(database, job_id) and not stopped.is_set():
                    os._exit(1)
                note(database, job_id)
            if os.getppid() != parent:
                os._exit(1)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _is_running(database: Database, job_id: str) -> bool:
    with database.read() as connection:
        return jobs.get(connection, job_id).state is JobState.RUNNING


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stdout.flush()
    # Leaving at once: to take libraries and a million customers apart takes half a second.
    os._exit(ended)
