"""Schemas made from tables, for tests."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.files.check.duplicates import SeenIds
from customer_segmentation.files.check.rows import Checker
from customer_segmentation.files.read.tables import Reading, open_table
from customer_segmentation.files.schema_file import parse_schema_file
from customer_segmentation.files.table_source import find_mapping
from customer_segmentation.services.schema.infer import Inference, guess, infer
from customer_segmentation.services.schema.looking import look
from customer_segmentation.services.schema.proposals import Use
from customer_segmentation.services.schema.report import write_inference
from tests.support.tables import FOLDER


def infer_file(*paths: Path) -> Inference:
    """Return what is found in a table whose guesses are all taken."""
    openings = [lambda path=path: open_table(path) for path in paths]
    table = look(openings)
    return infer(openings, table, guess(table), Reading())


def infer_text(folder: Path, text: str) -> Inference:
    """Return what is found in a text of CSV."""
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return infer_file(path)


def infer_column(folder: Path, header: str, texts: list[str]) -> Inference:
    """Return what is found in a table of an id, another column and this one."""
    rows = (f'{n},{n % 7 + n / 4},"{text}"' for n, text in enumerate(texts, 1))
    return infer_text(folder, "\n".join([f'customer_id,amount,"{header}"', *rows, ""]))


def taken_as(found: Inference) -> dict[str, str]:
    """Return what each column is taken for: a kind, the id, or that it is not used."""
    return {
        finding.column: f"unused {finding.kind}"
        if finding.use is Use.UNUSED
        else finding.use
        if finding.use is not Use.USED
        else finding.kind
        for finding in found.findings
    }


@dataclass(frozen=True)
class TableRead:
    """What is read of a table by a schema: customers, and how many rows are refused."""

    ids: list[int | str]
    values: FloatArray
    refused: int


def read_by_schema(found: Inference, path: Path) -> TableRead:
    """Return what is read of a table by the file that `init` writes."""
    schema, how = parse_schema_file(write_inference(found, [path.name]), "schema.toml")
    with open_table(path, how.reading) as source:
        mapping = find_mapping(schema, source.columns, how)
        assert mapping is not None
        checker = Checker(schema, source, mapping, seen=SeenIds())
        parts = [checker.check(block) for block in source.blocks(checker.wanted)]
    return TableRead(
        [key for part in parts for key in part.ids.tolist()],
        np.concatenate([part.values for part in parts]),
        sum(len(part.rejects) for part in parts),
    )


def public_table(name: str) -> Path:
    """Return the path of a public table; skip where there is none."""
    path = FOLDER / name
    if not path.exists():
        reason = f"no {name} in {FOLDER}; PUBLIC_TABLES names another folder"
        if os.environ.get("REQUIRE_TABLES"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path
