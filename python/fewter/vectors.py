"""Query vectors in the forms that people have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Matrix = npt.NDArray[np.float32]


def _from_arrow(q: Any) -> Any:
    """The values of Arrow data as a NumPy array, without a copy where Arrow allows it; anything else as it is."""
    if isinstance(q, pa.ChunkedArray):
        q = q.combine_chunks()
    if isinstance(q, (pa.ListScalar, pa.FixedSizeListScalar)):
        q = q.values
    if not isinstance(q, pa.Array):
        return q
    if isinstance(q, pa.ExtensionArray):
        q = q.storage
    if q.null_count:
        raise ValueError("q has nulls")
    if pa.types.is_fixed_size_list(q.type):
        return q.flatten().to_numpy(zero_copy_only=False).reshape(len(q), q.type.list_size)
    return q.to_numpy(zero_copy_only=False)


def as_queries(q: Any) -> tuple[Matrix, bool]:
    """The queries as the rows of a matrix, and whether there may be several: whether `q` has two dimensions.

    Float32 in one run of memory is taken as it is, other numbers are converted.
    """
    if isinstance(q, np.ndarray) and q.dtype == np.float32 and q.ndim in (1, 2) and q.flags.c_contiguous:
        return q.reshape(-1, q.shape[-1]), q.ndim == 2
    try:
        array = np.asarray(_from_arrow(q))
    except ValueError as error:
        raise ValueError(f"q is not a vector, nor several of the same length: {error}") from None
    if array.dtype == object and array.ndim == 1 and len(array) and isinstance(array[0], np.ndarray):
        # What pandas makes of a column of vectors.
        array = np.stack(list(array))
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
        raise TypeError(
            f"q must be one vector of numbers or a matrix of them, not {array.dtype} of {array.ndim} dimensions"
        )
    is_batch = array.ndim == 2
    with np.errstate(over="ignore"):  # What is too large for a float32 is refused as infinite.
        matrix = np.ascontiguousarray(array if is_batch else array[np.newaxis], dtype=np.float32)
    return matrix, is_batch


def as_row_ids(ids: Any, what: str = "row id") -> npt.NDArray[np.uint64]:
    """Row ids, or other numbers of rows, from an Arrow array, a NumPy one or any sequence."""
    array = np.asarray(_from_arrow(ids))
    if array.size == 0:
        return np.empty(0, np.uint64)
    if array.ndim == 0:
        raise TypeError(f"expected a list of {what}s, not {ids!r} alone")
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"{what}s are a list of whole numbers, not {array.dtype} of {array.ndim} dimensions")
    if array.dtype.kind == "i" and array.min() < 0:
        raise ValueError(f"{array.min()} is not a {what}")
    return np.ascontiguousarray(array, dtype=np.uint64)
