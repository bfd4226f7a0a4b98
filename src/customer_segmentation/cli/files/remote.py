"""Importing and exporting at a service: files are sent and fetched, and it does the rest."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from customer_segmentation.cli.console.output import errors, warn
from customer_segmentation.cli.files.outputs import STANDARD, open_output
from customer_segmentation.client import Client, Json
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.imports import Mode
from customer_segmentation.files.read.tables import Reading
from customer_segmentation.services.transfer.records import Outcome

_LOOK_SECONDS = 0.2


def import_at(
    service: Client,
    file: Path,
    how: tuple[Mode, bool, Path | None, Reading],
    rejects: Path,
    by: str,
) -> tuple[Outcome, Json]:
    """Send a file to a service, and wait until it is imported; return what came of it.

    Args:
        service: where to.
        file: of customers; - is standard input.
        how: the mode, whether it is a dry run, the file of the mapping, how the file is read.
        rejects: where the rows go that are not taken.
        by: who asks for it.

    Raises:
        DataFileError: the file cannot be imported; what came before is stored.
    """
    mode, dry_run, mapping, reading = how
    asked = {
        "mode": mode,
        "dry_run": dry_run,
        "mapping": None if mapping is None else mapping.read_text(encoding="utf-8"),
        "format": reading.format,
        "delimiter": reading.delimiter,
        "encoding": reading.encoding,
        "sheet": reading.sheet,
        "by": by,
    }
    name = "standard input" if file == STANDARD else file.name
    with _at_hand(file) as path, errors.status(f"sending {name}"):
        begun = service.begin_import(path, name, **asked)
    last = _follow(service.follow_import(begun["id"], _LOOK_SECONDS), name)
    if last["has_rejects"]:
        service.download_rejects(last["id"], rejects)
    if last["state"] != "succeeded":
        raise DataFileError(f"{name}: the import {last['state']}. {last['error'] or ''}")
    return Outcome.of(last["result"]), last


def export_at(service: Client, output: Path | None, **asked: object) -> Json:
    """Have a service export customers, and fetch the file; return what it has written.

    Raises:
        DataFileError: they cannot be exported.
    """
    begun = service.begin_export(**asked)
    last = _follow(service.follow_export(begun["id"], _LOOK_SECONDS), "exporting")
    if last["state"] != "succeeded":
        raise DataFileError(f"The export {last['state']}. {last['error'] or ''}")
    with tempfile.TemporaryDirectory(prefix="export-") as folder:
        fetched = Path(folder) / "customers"
        service.download_export(last["id"], fetched)
        with open_output(output) as target, fetched.open("rb") as source:
            shutil.copyfileobj(source, target)
    result: Json = last["result"]
    return result


@contextmanager
def _at_hand(file: Path) -> Iterator[Path]:
    """Return a file that can be sent twice: standard input is kept meanwhile."""
    if file != STANDARD:
        yield file
        return
    with tempfile.NamedTemporaryFile(prefix="import-") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.flush()
        yield Path(kept.name)


def _follow(job: Iterator[Json], what: str) -> Json:
    """Show how far a job is until it has ended; return how it ended."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    last: Json = {}
    try:
        with Progress(*columns, TimeElapsedColumn(), console=errors, transient=True) as bar:
            task = bar.add_task(what, total=None)
            for last in job:
                bar.update(task, completed=last["done"], total=last["total"] or None)
    except KeyboardInterrupt:
        if last:
            told = f"customer-segmentation jobs cancel {last['id']}"
            warn(f"The service goes on with it; to end it: {told}")
        raise
    return last
