"""Datasets that pylance writes."""

import os
import pathlib

os.environ.setdefault("LANCE_LOG", "error")

import lance
import numpy as np
import pyarrow as pa
import pytest

import fewter

ROWS, DIMENSION = 2000, 16


def vectors_of(values: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).ravel()), values.shape[1])


def write_rows(uri: pathlib.Path, values: np.ndarray, first: int = 0, **options) -> lance.LanceDataset:
    """Vectors with a number, a text and a struct beside them."""
    numbers = np.arange(first, first + len(values))
    table = pa.table(
        {
            "id": pa.array(numbers),
            "vector": vectors_of(values),
            "text": pa.array([f"row {number}" if number % 7 else None for number in numbers]),
            "more": pa.array([{"half": number / 2, "odd": bool(number % 2)} for number in numbers]),
        }
    )
    return lance.write_dataset(table, uri, **options)


@pytest.fixture(scope="session")
def values() -> np.ndarray:
    return np.random.default_rng(7).normal(size=(ROWS, DIMENSION)).astype(np.float32)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory, values) -> lance.LanceDataset:
    """Three fragments under an index that keeps vectors as they are, and a fourth that it does not cover; some rows of
    each are deleted."""
    uri = tmp_path_factory.mktemp("datasets") / "rows.lance"
    written = write_rows(uri, values[:1800], max_rows_per_file=600)
    written.create_index("vector", "IVF_FLAT", num_partitions=8)
    written.delete("id % 50 = 3")
    return write_rows(uri, values[1800:], first=1800, mode="append")


@pytest.fixture
def table(dataset) -> fewter.Table:
    """With a cache of its own."""
    return fewter.open(dataset.uri, cache="memory://")


@pytest.fixture(scope="session")
def queries(values) -> np.ndarray:
    return values[:5] + np.float32(0.01)
