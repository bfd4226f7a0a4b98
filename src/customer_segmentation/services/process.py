"""The process that trains, imports and exports, so that requests never wait for it.

`services/jobs/pool.py` starts it and tells task and settings, as JSON on standard input. Only this
process imports scikit-learn, beside its other work; one that serves never does.
"""

import contextlib
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from customer_segmentation.domain.errors import SegmentationError, StoreUnavailableError
from customer_segmentation.domain.interrupts import end_at_interrupts
from customer_segmentation.domain.jobs import JobState
from customer_segmentation.engines.engine import Engine
from customer_segmentation.model.threads import use_while_others_rest
from customer_segmentation.services.jobs.lifecycle import HEARTBEAT_SECONDS, interrupt
from customer_segmentation.services.jobs.pool import READY, left_processors
from customer_segmentation.services.models.comparison import compare
from customer_segmentation.services.models.rescoring import rescore
from customer_segmentation.services.monitoring.recount import recount
from customer_segmentation.services.runtime.current_schema import shipped_schema
from customer_segmentation.services.runtime.logs import configure_logs
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.training.engine import local_engine
from customer_segmentation.services.training.run import note, run_study, run_training
from customer_segmentation.services.transfer.export_run import run_export
from customer_segmentation.services.transfer.first_load import load_first_data
from customer_segmentation.services.transfer.import_run import run_import
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import jobs

logger = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Run a task; return the process's exit status, 0 where it was done."""
    if arguments == [READY]:
        local_engine(shipped_schema())
    told = sys.stdin.read()
    if not told:
        return 0
    # Whoever started it tells that it was interrupted.
    end_at_interrupts()
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
    except Exception:
        logger.exception("The task %s met an unexpected error", task[0])
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

        def engine() -> Callable[[], Engine]:
            """Begin to import the engine, and return what returns it."""
            return beside.submit(local_engine, units.schema).result

        match task:
            case ["load", kind]:
                beside.submit(local_engine, units.schema)
                load_first_data(units, local_engine, settings, is_demo=kind == "demo")
            case ["train", job_id]:
                with _heartbeat(units.database, job_id):
                    run_training(units, engine(), settings, job_id)
            case ["study", job_id]:
                with _heartbeat(units.database, job_id):
                    run_study(units, engine(), settings, job_id)
            case ["import", job_id]:
                with _heartbeat(units.database, job_id):
                    run_import(units, settings, job_id)
            case ["export", job_id]:
                with _heartbeat(units.database, job_id):
                    run_export(units, settings, job_id)
            case ["rescore"]:
                rescore(units)
            case ["recount"]:
                recount(units)
            case ["compare", before, after]:
                json.dump(asdict(compare(units, int(before), int(after))), sys.stdout)
            case _:
                raise ValueError(f"no such task: {task}")


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
