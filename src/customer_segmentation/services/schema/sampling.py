"""What a first look at a table keeps of it, in constant memory: some rows, and distinct values."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.arrays import FloatArray

_SEED = 20_261_128


class RowSample:
    """Rows drawn by chance, each as likely as any other, and the same ones each time.

    Each row gets a random number, and those with the smallest are kept: Efraimidis and Spirakis
    (2006), doi:10.1016/j.ipl.2005.11.003, with equal weights.

    Attributes:
        rows: how many were seen.
    """

    def __init__(self, size: int) -> None:
        self.rows = 0
        self._size = size
        self._random = np.random.default_rng(_SEED)
        self._keys: FloatArray = np.empty(0)
        self._kept: list[pa.Array] = []

    def add(self, columns: Sequence[pa.Array]) -> None:
        """Add rows, given as columns of texts."""
        fresh = self._random.random(len(columns[0]))
        # Only candidates are joined: of a late block hardly any row is one.
        bound = self._keys.max() if len(self._keys) == self._size else 1.0
        places = np.flatnonzero(fresh < bound)
        taken = [column.take(pa.array(places)) for column in columns]
        keys = np.concatenate([self._keys, fresh[places]])
        if self._kept:
            taken = [pa.concat_arrays(pair) for pair in zip(self._kept, taken, strict=True)]
        smallest = (
            np.sort(np.argpartition(keys, self._size)[: self._size])
            if (len(keys) > self._size)
            else np.arange(len(keys))
        )
        self._keys = keys[smallest]
        self._kept = [column.take(pa.array(smallest)) for column in taken]
        self.rows += len(fresh)

    def columns(self) -> list[pa.Array]:
        """Return the rows kept, in the order of the table, as columns of texts."""
        return self._kept


class DistinctValues:
    """How many distinct values there are, and how often some of them come.

    It keeps the values with the smallest hashes, and counts these exactly, so that what is kept is
    a fair sample of the distinct values: Gibbons (2001), "Distinct sampling for highly-accurate
    answers to distinct values queries and event reports", VLDB.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._counts: dict[int, int] = {}
        self._bound = 2**64

    def add(self, values: Iterable[str], counts: Iterable[int]) -> None:
        """Add distinct values of a block, with how often each comes there."""
        for value, count in zip(values, counts, strict=True):
            hashed = int.from_bytes(blake2b(value.encode(), digest_size=8).digest())
            if hashed < self._bound:
                self._counts[hashed] = self._counts.get(hashed, 0) + count
        if len(self._counts) > 2 * self._size:
            self._shrink()

    def _shrink(self) -> None:
        kept = sorted(self._counts)[: self._size]
        self._bound = kept[-1] + 1
        self._counts = {hashed: self._counts[hashed] for hashed in kept}

    @property
    def number(self) -> int:
        """How many distinct values there are: exactly while they are few, else estimated."""
        if self._bound == 2**64:
            return len(self._counts)
        return round(len(self._counts) * (2**64 / self._bound))

    @property
    def repeated(self) -> float:
        """The share of distinct values that come more than once."""
        return sum(count > 1 for count in self._counts.values()) / max(len(self._counts), 1)
