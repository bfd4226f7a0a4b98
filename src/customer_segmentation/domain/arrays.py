"""Names for the array types that the other rooms pass around."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

IdArray: TypeAlias = NDArray[Any]
"""Customers' ids: of int64 where the schema's ids are integers, of Python's texts otherwise."""
