"""Texts by which tables say that a value is missing."""

import pyarrow as pa

from customer_segmentation.files.map.mapping import code_key

_WORDS = frozenset(
    {"", "na", "n/a", "n.a.", "#n/a", "#na", "<na>", "null", "(null)", "nan", "nat", "\\n", "?"}
    | {"??", "-", "--", "unknown", "not available", "not known", "unspecified", "undefined"}
)
_COUNTRIES = 20
"""From so many codes of two letters on, NA is Namibia."""


def missing_words(texts: pa.Array) -> set[str]:
    """Return the texts of a column, as they are written there, that mean "missing".

    >>> sorted(missing_words(pa.array(["N/A", "Unknown", "blue", "?", None])))
    ['?', 'N/A', 'Unknown']
    """
    distinct = texts.drop_null().unique().to_pylist()
    found = {text for text in distinct if code_key(text) in _WORDS}
    codes = sum(len(text) == 2 and text.isupper() and text.isalpha() for text in distinct)
    return found - {"NA"} if codes > max(_COUNTRIES, len(distinct) / 2) else found
