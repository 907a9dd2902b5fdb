"""Searches an IVF_PQ index of a single file (index.idx of releases up to 0.24) by the formulas, in float64.

For what no release answers rightly: PQ of 4 bits, of which the releases that wrote it and pylance 14 panic. Written
after docs/format/single_file_index.md, apart from the C++ reader.
"""

import pathlib
import struct

import lance
import numpy as np

ELEMENTS = {1: np.float16, 2: np.float32, 3: np.float64}


def varint(data: bytes, at: int) -> tuple:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


def fields(data: bytes) -> list:
    """(field number, value) of a protobuf message."""
    found, at = [], 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            size, at = {1: (8, at), 5: (4, at)}.get(tag & 7) or varint(data, at)
            value, at = data[at:at + size], at + size
        found.append((tag >> 3, value))
    return found


def numbers(data: bytes) -> list:
    found, at = [], 0
    while at < len(data):
        number, at = varint(data, at)
        found.append(number)
    return found


def tensor(data: bytes) -> np.ndarray:
    message = dict(fields(data))
    return np.frombuffer(message[3], ELEMENTS[message[1]]).reshape(numbers(message[2]))


class SingleFile:
    def __init__(self, path: pathlib.Path):
        data = path.read_bytes()
        position, = struct.unpack("<q", data[-16:-8])
        length, = struct.unpack_from("<I", data, position)
        vector_index = fields(dict(fields(data[position + 4:position + 4 + length]))[5])
        stages = dict(fields(value)[0] for field, value in vector_index if field == 3)
        ivf, pq = dict(fields(stages[2])), dict(fields(stages[3]))
        self.metric = dict(vector_index).get(4, 0)
        self.centroids = tensor(ivf[4]).astype(np.float64)
        bits, subs, dimension = pq[1], pq[2], pq[3]
        self.codebook = tensor(pq[5]).astype(np.float64).reshape(subs, 1 << bits, dimension // subs)
        offsets, lengths = numbers(ivf[2]), numbers(ivf[3])
        width = (position - min(offsets)) // sum(lengths) - 8
        self.partitions = []
        for offset, rows in zip(offsets, lengths):
            codes = np.frombuffer(data, np.uint8, rows * width, offset).reshape(rows, width)
            if width < subs:
                codes = np.stack([codes & 15, codes >> 4], axis=2).reshape(rows, subs)
            self.partitions.append((codes, np.frombuffer(data, "<u8", rows, offset + rows * width)))

    def search(self, query: np.ndarray, k: int, nprobes: int, live: set) -> list:
        """Under L2."""
        assert self.metric == 0
        distances = ((self.centroids - query) ** 2).sum(axis=1)
        found = []
        for partition in np.argsort(distances, kind="stable")[:nprobes]:
            codes, ids = self.partitions[partition]
            residual = (query - self.centroids[partition]).reshape(len(self.codebook), 1, -1)
            table = ((self.codebook - residual) ** 2).sum(axis=2)
            sums = table[np.arange(len(table)), codes].sum(axis=1)
            found += [(float(distance), int(row)) for distance, row in zip(sums, ids) if int(row) in live]
        return [[row, distance] for distance, row in sorted(found)[:k]]


def answers(uri: pathlib.Path, queries: np.ndarray, ks: list, nprobes: list) -> list:
    index = SingleFile(next(uri.glob("_indices/*/index.idx")))
    live = set(lance.dataset(uri).to_table(columns=[], with_row_id=True)["_rowid"].to_pylist())
    return [{"query": q, "k": k, "nprobes": n, "rows": index.search(queries[q].astype(np.float64), k, n, live)}
            for q in range(len(queries)) for k in ks for n in nprobes]
