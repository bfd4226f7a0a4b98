"""Files that are there whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from customer_segmentation.domain.errors import DataFileError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write that takes the place of `path` once the block is left without error.

    It is written under a name beside it and is on disk before it is renamed, so that nobody ever
    sees half of it, whatever stops the machine.

    Raises:
        DataFileError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise DataFileError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
