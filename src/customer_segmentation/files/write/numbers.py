"""Numbers as the project writes them, many at once."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_segmentation.domain.numbers import LARGEST_INTEGER, plain_number


def number_texts(numbers: pa.Array) -> pa.Array:
    """Write numbers by `plain_number`, (n,) texts; what is null or not finite is null.

    >>> number_texts(pa.array([31789.0, 13472.29, None])).to_pylist()
    ['31789', '13472.29', None]
    """
    values = numbers.cast(pa.float64()).to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    size = np.abs(np.where(finite, values, 0))
    whole = finite & (size <= LARGEST_INTEGER) & (values == np.floor(values))
    integers = np.where(whole, values, 0).astype(np.int64)
    # Between these Arrow writes as Python does: the shortest decimal that reads back the same.
    alike = (size >= 1e-4) & (size < 1e9)
    texts = pc.if_else(
        pa.array(whole),
        pa.array(integers).cast(pa.string()),
        pc.if_else(pa.array(finite & alike), pa.array(values).cast(pa.string()), None),
    )
    others = np.flatnonzero(finite & ~whole & ~alike)
    if not len(others):
        return texts
    told = pa.array([str(plain_number(value)) for value in values[others].tolist()], pa.string())
    return pc.replace_with_mask(texts, pa.array(np.isin(np.arange(len(values)), others)), told)
