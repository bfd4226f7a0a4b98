"""The service's folder of files that are on their way in or out."""

import os
import re
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from customer_segmentation.domain.errors import FolderError
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.store.database import Database

_IN_WORKING_DIRECTORY = Path("customer-segmentation-transfers")
_ABANDONED_SECONDS = 86_400.0
"""How long after its last byte a file may be there without a job."""

_NAME = re.compile(r"([0-9a-f]{32})\.(upload|everyone\.npy|rejects\.csv|export)")


@dataclass(frozen=True, slots=True)
class TransferFolder:
    """A folder that only the service's user may look into; it is made when a file arrives.

    Each file bears the id of its job.
    """

    path: Path

    @classmethod
    def of(cls, settings: Settings, database: Database) -> "TransferFolder":
        """Return the folder of a service."""
        if settings.transfer_folder is not None:
            return cls(settings.transfer_folder)
        if database.path is None:
            return cls(_IN_WORKING_DIRECTORY)
        return cls(database.path.with_name(f"{database.path.name}-transfers"))

    def upload(self, job_id: str) -> Path:
        """Return where the file of an import is."""
        return self.path / f"{job_id}.upload"

    def export(self, job_id: str) -> Path:
        """Return where the file of an export is."""
        return self.path / f"{job_id}.export"

    def everyone(self, job_id: str) -> Path:
        """Return where the ids are of those who were there when a replacement began."""
        return self.path / f"{job_id}.everyone.npy"

    def rejects(self, job_id: str) -> Path:
        """Return where the rows are that an import did not take."""
        return self.path / f"{job_id}.rejects.csv"

    def make(self) -> None:
        """Make the folder where it is not there yet.

        Raises:
            FolderError: it cannot be made.
        """
        with folder_errors(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def arriving(self) -> Iterator[tuple[Path, BinaryIO]]:
        """Open a file for what arrives; where nobody has renamed it by then, it goes in the end.

        Raises:
            FolderError: the folder cannot be used, or is full.
        """
        part = self.path / f"{uuid.uuid4().hex}.part"
        self.make()
        try:
            with folder_errors(self.path):
                file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            with file:
                yield part, file
        finally:
            part.unlink(missing_ok=True)

    def write(self, file: BinaryIO, piece: bytes) -> None:
        """Write what has arrived.

        Raises:
            FolderError: the folder is full.
        """
        with folder_errors(self.path):
            file.write(piece)

    def flush(self, file: BinaryIO) -> None:
        """Let others read what has arrived.

        Raises:
            FolderError: the folder is full.
        """
        with folder_errors(self.path):
            file.flush()

    def keep(self, part: Path, file: BinaryIO, target: Path) -> None:
        """Give what has arrived its name, once it is on disk.

        Raises:
            FolderError: the folder is full.
        """
        with folder_errors(self.path):
            file.flush()
            os.fsync(file.fileno())
            part.replace(target)

    def remove_inputs(self, job_id: str) -> None:
        """Remove what a job that has ended read."""
        for path in (self.upload(job_id), self.everyone(job_id)):
            path.unlink(missing_ok=True)

    def job_ids(self) -> set[str]:
        """Return the ids of the jobs of which there are files."""
        found = (_NAME.fullmatch(name) for name in self._names())
        return {match[1] for match in found if match}

    def sweep(self, at_work: Collection[str], kept: Mapping[str, bool]) -> None:
        """Remove what nobody needs any more.

        Args:
            at_work: the ids of the jobs that have not ended.
            kept: by the id of each job that has, whether what it made stays.
        """
        for name in self._names():
            match, path = _NAME.fullmatch(name), self.path / name
            job_id = "" if match is None else match[1]
            if match is None or job_id not in {*at_work, *kept}:
                # One that has just arrived has no job yet.
                is_ours = match is not None or name.endswith(".part")
                is_old = is_ours and _age(path) > _ABANDONED_SECONDS
            else:
                is_input = match[2] in {"upload", "everyone.npy"}
                is_old = job_id not in at_work and (is_input or not kept[job_id])
            if is_old:
                path.unlink(missing_ok=True)

    def _names(self) -> list[str]:
        try:
            return [path.name for path in self.path.iterdir()]
        except FileNotFoundError:
            return []


@contextmanager
def folder_errors(path: Path) -> Iterator[None]:
    """Tell what is wrong with the folder.

    Raises:
        FolderError: it cannot be used.
    """
    try:
        yield
    except OSError as error:
        raise FolderError(
            f"The folder of transfers, {path}, cannot be used: {error.strerror or error}"
        ) from error


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
