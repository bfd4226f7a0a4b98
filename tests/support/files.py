"""Files of customers, written and read whole, and those of the guide."""

import datetime as dt
import io
import re
from collections.abc import Collection
from pathlib import Path

import xlsxwriter

from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.map.inference import infer
from customer_segmentation.files.map.mapping_file import format_guesses
from customer_segmentation.files.read.tables import Source, open_table
from tests.support.shipped import COLUMNS, FEATURE_NAMES, SHIPPED

Rows = tuple[list[int], list[list[str]], list[Reject]]


def all_rows(source: Source) -> Rows:
    lines: list[int] = []
    rows: list[list[str]] = []
    rejects: list[Reject] = []
    for block in source.blocks():
        assert block.table.num_rows == len(block.lines)
        lines += block.lines.tolist()
        rows += block.fields(range(len(block.lines)))
        rejects += block.rejects
    return lines, rows, rejects


EXAMPLE = {feature.record_name: feature.example for feature in COLUMNS}


def customers(*changed: dict[str, object]) -> bytes:
    sink = io.BytesIO()
    with xlsxwriter.Workbook(sink) as book:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, list(EXAMPLE))
        for row, change in enumerate(changed, 1):
            for column, value in enumerate({**EXAMPLE, "customer id": row, **change}.values()):
                if isinstance(value, dt.date):
                    sheet.write_datetime(row, column, value, day)
                else:
                    sheet.write(row, column, value)
    return sink.getvalue()


GUIDE = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
BANK, REJECTS, TRANSACTIONS = re.findall(r"```csv\n(.*?)```", GUIDE, re.DOTALL)
GUESSED, MENDED, RULES = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)


def guess() -> str:
    with open_table(io.BytesIO(BANK.encode())) as source:
        guesses = infer(SHIPPED, source.columns, source.sample())
        return format_guesses(SHIPPED, guesses, "bank.csv", source.columns)


def mend(names: Collection[str] = FEATURE_NAMES) -> str:
    """Put those entries of the guide that have these names in the place of the guessed ones."""
    text = guess()
    for entry in MENDED.split("\n\n"):
        name = entry[1 : entry.index("]")]
        if name in names:
            text = re.sub(rf"\[{name}\]\n(.+\n)*", f"{entry.strip()}\n", text)
    return text
