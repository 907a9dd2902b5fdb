"""A program as a user writes it, for mypy; it is not run."""

import asyncio
from pathlib import Path

import numpy as np

import fewter


class Nowhere(fewter.CacheBackend):
    def get(self, name: str) -> bytes | None:
        return None

    def insert(self, name: str, value: bytes) -> None:
        pass

    def invalidate_prefix(self, prefix: str) -> None:
        pass


def nearest_names(path: Path, query: list[float]) -> list[int]:
    session = fewter.Session(cache=["memory://?capacity=64MiB", Nowhere()])
    table: fewter.Table = fewter.open(path, session=session)
    found = table.search(query, k=5, columns=["name"], nprobes=8, distance_range=(None, 0.5))
    report: fewter.PrewarmReport = table.prewarm(progress=lambda done, total, read: None)
    distances, ids = table.as_faiss("vector").search(np.zeros((1, 4), np.float32), 3)
    asyncio.run(table.search_async(query, 5))
    return [found.num_rows, report.loaded, int(ids[0, 0]), int(distances[0, 0]), table.version]
