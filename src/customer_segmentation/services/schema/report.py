"""A schema as a file for a person to look at, with the reason for each column."""

from collections.abc import Iterator, Sequence

from customer_segmentation.files.schema_file import parse_schema_file, write_schema
from customer_segmentation.services.schema.infer import Inference
from customer_segmentation.services.schema.proposals import Use

_UNUSED = "to let the model use it, write used = true"


def write_inference(inference: Inference, sources: Sequence[str]) -> str:
    """Return the text of a schema file.

    Args:
        inference: what was found.
        sources: the names of the files.
    """
    comments = {
        attribute.name: "\n".join(_lines(inference.reasons[attribute.name], attribute.used))
        for attribute in inference.schema.attributes
    }
    head = "".join(f"# {_plain(line)}".rstrip() + "\n" for line in _head(inference, sources))
    text = f"{head}\n{write_schema(inference.schema, comments, inference.source)}"
    parse_schema_file(text, "made")  # Nothing is written that could not be read.
    return text


def _lines(reasons: Sequence[str], is_used: bool) -> Iterator[str]:
    yield from map(_plain, reasons)
    if not is_used:
        yield _UNUSED


def _head(inference: Inference, sources: Sequence[str]) -> Iterator[str]:
    yield f"Guessed from {', '.join(sources)}, which has {inference.rows:,} rows."
    yield "Look at every entry and change what is wrong; docs/reference/schema.md explains"
    yield "the keys, and the section source, which says how this table is read."
    told = next((f for f in inference.findings if f.use is Use.ID), None)
    yield ""
    if told is None:
        yield "Id: no column tells customers apart, so rows are numbered."
    else:
        yield f"Id: {told.column or 'the column without a header'}: {'; '.join(told.reasons)}."
    left = [finding for finding in inference.findings if finding.use is Use.LEFT_OUT]
    if left:
        yield ""
        yield "Left out:"
        yield from (f"  {f.column or '(no header)'}: {'; '.join(f.reasons)}" for f in left)
    if inference.remarks:
        yield ""
        yield "To consider:"
        yield from (f"  {remark}" for remark in inference.remarks)


def _plain(text: str) -> str:
    """Return a text without what would end a comment or confuse a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
