"""An index in the form that FAISS's have, for code that was written for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fewter.vectors import as_queries

if TYPE_CHECKING:
    from fewter.table import Table


class FaissIndex:
    """`distances, ids = index.search(xq, k)`, as a FAISS index is searched; made by `Table.as_faiss`.

    Ids are row ids, for `Table.take`. Distances are those of `Table.search`, so smaller is always nearer: for l2 they are
    squared, as FAISS's, for dot they are 1 - the inner product that FAISS has. Where fewer than k rows are found, the
    id is -1 and the distance is infinite.
    """

    def __init__(self, table: Table, column: str, nprobe: int, options: dict[str, Any]) -> None:
        self.table = table
        self.column = column
        # How many partitions a search looks at, as `index.nprobe` of FAISS; may be set.
        self.nprobe = nprobe
        self._options = options
        self.d: int = table.schema.field(column).type.list_size

    @property
    def ntotal(self) -> int:
        return self.table.count_rows()

    def search(
        self, x: Any, k: int, *, nprobe: int | None = None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Distances and ids of the k rows nearest to each row of `x`, two arrays of shape (len(x), k)."""
        queries, is_batch = as_queries(x)
        if not is_batch:
            raise ValueError("x must have two dimensions, a query in each row")
        return self.table.search_arrays(queries, k, column=self.column, nprobes=nprobe or self.nprobe, **self._options)
