"""Files that are there whole or not at all, and never in the place of what was being read."""

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from customer_segmentation.domain.errors import DataFileError, FieldError, InvalidInputError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write that takes the place of `path` once the block is left without error.

    It is written under a name beside it and is on disk before it is renamed, so that nobody ever
    sees half of it, whatever stops the machine. A link stays one: what it names is replaced. A
    device or a pipe has no place to take, and is written to.

    Raises:
        DataFileError: it cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not (target.is_file() or target.is_dir()):
            with target.open("wb") as stream:
                yield stream
            return
        part = target.with_name(f".{uuid.uuid4().hex[:8]}.part")
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise DataFileError(f"{path} cannot be written: {error.strerror or error}") from error


def keep_apart(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """See that no output would take the place of an input or of another output.

    Raises:
        InvalidInputError: one would, by whatever name, link or path.
    """
    kept = list(inputs)
    for output in outputs:
        if any(_is_same(output, other) for other in kept):
            message = f"{output} would be overwritten, and this command needs it: name another file"
            raise InvalidInputError([FieldError("output", message)])
        kept.append(output)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # One of them is not there yet.
        return os.path.realpath(one) == os.path.realpath(other)
