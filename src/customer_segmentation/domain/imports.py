"""Words for imports of customers."""

from enum import StrEnum


class Mode(StrEnum):
    """What an import does with the customers who are there."""

    INSERT = "insert"
    UPSERT = "upsert"
    REPLACE = "replace"
