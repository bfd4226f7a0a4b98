"""Files of customers that requests bring as a stream.

How a file is to be read stands in the query, as its body is the file itself: `/docs` shows each
part of it and it is checked like any other parameter, and unlike a header it takes any letter, such
as those of a column's name in a mapping.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any, BinaryIO

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.http.fields import Line
from customer_segmentation.api.http.threads import briefly
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.files.formats import Format
from customer_segmentation.files.read.tables import Reading
from customer_segmentation.services.transfer.folder import TransferFolder

_PIECE_BYTES = 2**20
"""How much of a file is written at a time, as a thread takes as long to be handed little."""

NO_BODY = "body is missing: send the file"

FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file as it is: CSV, Parquet, Arrow, NDJSON or Excel, also packed by "
        "gzip or zstd.",
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary", "minLength": 1}
            }
        },
    }
}


class FileQuery(BaseModel):
    """Which file is sent, and what is known of it."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        Line,
        Field(
            min_length=1,
            max_length=200,
            description="What people call the file, for the record.",
            examples=["clients.csv"],
        ),
    ]
    format: Format | None = Field(default=None, description="Of the file; unless given, found out.")
    delimiter: Annotated[
        str | None,
        Field(
            pattern=r"^[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x7f]$",
            description="Between the fields of CSV; unless given, found out.",
        ),
    ] = None
    encoding: Annotated[
        Line | None,
        Field(max_length=40, description="Of text, such as `latin-1`; unless given, found out."),
    ] = None
    sheet: Annotated[
        Line | None, Field(max_length=200, description="Of an Excel file; unless given, the first.")
    ] = None

    @property
    def reading(self) -> Reading:
        """What is known of the file beforehand."""
        return Reading(self.format, self.delimiter, self.encoding, self.sheet)


async def receive_file(request: Request, folder: TransferFolder, file: BinaryIO) -> None:
    """Write a body to a file of the folder as it arrives.

    Raises:
        InvalidInputError: there is none.
        FolderError: the folder is full.
    """
    size = 0
    async for piece in _pieces(request):
        size += len(piece)
        await briefly(folder.write, file, piece)
    if size == 0:
        raise InvalidInputError([FieldError("body", NO_BODY)])


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield a body in pieces that are large enough to be written."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size >= _PIECE_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)
