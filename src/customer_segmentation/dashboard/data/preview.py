"""Looking at a file before anything is sent: what its columns mean, which rows are customers."""

import io
from dataclasses import dataclass

import numpy as np
import streamlit as st

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURE_NAMES
from customer_segmentation.domain.numbers import Number, plain_number
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.check.duplicates import SeenIds
from customer_segmentation.files.check.rows import Checker
from customer_segmentation.files.map.inference import infer
from customer_segmentation.files.map.mapping_file import format_guesses, parse_mapping
from customer_segmentation.files.read.tables import open_table

Customer = dict[str, Number]


@dataclass(frozen=True, eq=False, slots=True)
class Looked:
    """What is in a file.

    Attributes:
        ids: (n,), of those rows that are customers.
        values: (n, d), attributes in the feature table's order, in users' units.
        rejects: the other rows.
    """

    ids: IntArray
    values: FloatArray
    rejects: list[Reject]

    def customers(self, start: int, count: int) -> list[Customer]:
        """Return some of the customers, as the service takes them."""
        ids, values = (part[start : start + count].tolist() for part in (self.ids, self.values))
        return [
            {
                CUSTOMER_ID.name: number,
                **dict(zip(FEATURE_NAMES, map(plain_number, row), strict=True)),
            }
            for number, row in zip(ids, values, strict=True)
        ]


@st.cache_data(max_entries=4, show_spinner="Looking at the file…")
def guess_mapping(content: bytes, name: str) -> str:
    """Return what the columns of a file seem to mean, as TOML.

    Raises:
        DataFileError: it holds no table.
    """
    with open_table(io.BytesIO(content)) as source:
        return format_guesses(infer(source.columns, source.sample()), name)


@st.cache_resource(max_entries=4, show_spinner="Checking each row…")
def look(content: bytes, mapping: str) -> Looked:
    """Return what is in a file under a mapping.

    Raises:
        DataFileError: it cannot be read, or lacks a column.
        MappingError: the mapping is not as it must be.
    """
    ids, values, rejects = [], [], []
    with open_table(io.BytesIO(content)) as source:
        checker = Checker(source, parse_mapping(mapping, "above"), seen=SeenIds())
        for block in source.blocks(checker.wanted):
            found = checker.check(block)
            ids.append(found.ids)
            values.append(found.values)
            rejects += found.rejects
    everybody = np.concatenate([np.empty(0, np.int64), *ids])
    return Looked(everybody, np.concatenate([np.empty((0, len(FEATURE_NAMES))), *values]), rejects)
