"""The vectors that engines are compared on: sentence embeddings, and a made set of a million clustered vectors."""

import dataclasses
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from datasets import KINDS, Kind  # noqa: E402

# Of each set; more would only make the slow settings slower to measure.
QUERIES = 200

# Vectors of the made set lie near planes of this dimension through their cluster, as real embeddings do.
LATENT_DIMENSION = 32
CLUSTERS = 1000


@dataclasses.dataclass(frozen=True)
class Corpus:
    name: str
    # Holds base.f16.npy, queries.f16.npy and gt_ids.npy.
    data: pathlib.Path
    # Where indexes are kept.
    work: pathlib.Path
    metric: str
    partitions: int
    # Sub-vectors of product quantisation with 8 bits; there are twice as many of 4 bits.
    pq_bytes: int
    kinds: dict[str, Kind]
    # What is measured on them; see families.py.
    families: list[str]
    # [partitions, dimension], for every index of whatever engine; None if each engine finds its own.
    centroids: np.ndarray | None = None

    def base(self) -> np.ndarray:
        """[rows, dimension], float32."""
        return self._read("base.f16.npy")

    def queries(self, count: int = QUERIES) -> np.ndarray:
        """[count, dimension], float32."""
        return self._read("queries.f16.npy")[:count]

    def queries_file(self, count: int = QUERIES) -> pathlib.Path:
        path = self.work / f"queries_{count}.npy"
        if not path.exists():
            np.save(path, self.queries(count))
        return path

    def _read(self, name: str) -> np.ndarray:
        vectors = np.load(self.data / name).astype(np.float32)
        if self.metric == "cosine":
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def truth(self):
        """[QUERIES, 100] rows, nearest first."""
        return np.load(self.data / "gt_ids.npy")[:QUERIES]


def embeddings(data: pathlib.Path, work: pathlib.Path, families: list[str]) -> Corpus:
    kinds = {name: KINDS[name] for name in ["ivf_flat", "ivf_pq8", "ivf_pq4", "ivf_sq", "ivf_rq1", "ivf_rq5"]}
    kinds["hnsw_flat"] = Kind("IVF_HNSW_FLAT", "cosine", 1)
    kinds["hnsw_sq"] = Kind("IVF_HNSW_SQ", "cosine", 1)
    return Corpus("embeddings", data, work, "cosine", partitions=256, pq_bytes=48, kinds=kinds, families=families)


def made(work: pathlib.Path, rows: int, dimension: int, families: list[str]) -> Corpus:
    """`rows` vectors; made if they are not there."""
    name = f"made_{rows}x{dimension}"
    folder = work / name
    partitions = 2 ** round(np.log2(rows) / 2)
    pq_bytes = dimension // 4
    if not (folder / "centroids.npy").exists():
        _write_made(folder, rows, dimension, partitions)
    centroids = np.load(folder / "centroids.npy")
    ivf = {"ivf_centroids": centroids}
    kinds = {
        "ivf_flat": Kind("IVF_FLAT", "l2", partitions, ivf),
        "ivf_pq8": Kind("IVF_PQ", "l2", partitions, ivf | {"num_sub_vectors": pq_bytes, "num_bits": 8}),
        "ivf_pq4": Kind("IVF_PQ", "l2", partitions, ivf | {"num_sub_vectors": 2 * pq_bytes, "num_bits": 4}),
        "ivf_sq": Kind("IVF_SQ", "l2", partitions, ivf),
        "ivf_rq1": Kind("IVF_RQ", "l2", partitions, ivf | {"num_bits": 1}),
        "ivf_rq5": Kind("IVF_RQ", "l2", partitions, ivf | {"num_bits": 5}),
        "hnsw_flat": Kind("IVF_HNSW_FLAT", "l2", 1),
        "hnsw_sq": Kind("IVF_HNSW_SQ", "l2", 1),
    }
    return Corpus(name, folder, folder, "l2", partitions, pq_bytes, kinds, families, centroids)


def _write_made(folder: pathlib.Path, rows: int, dimension: int, partitions: int) -> None:
    import faiss

    rng = np.random.default_rng(7)
    centres = rng.normal(size=(CLUSTERS, LATENT_DIMENSION)).astype(np.float32)
    plane = rng.normal(size=(LATENT_DIMENSION, dimension)).astype(np.float32) / np.sqrt(LATENT_DIMENSION)

    def points(count):
        latent = centres[rng.integers(0, CLUSTERS, count)]
        latent = latent + 0.6 * rng.normal(size=latent.shape).astype(np.float32)
        return (latent @ plane + 0.05 * rng.normal(size=(count, dimension)).astype(np.float32)).astype(np.float16)

    base, queries = points(rows), points(1000)
    exact = faiss.IndexFlatL2(dimension)
    exact.add(base.astype(np.float32))
    nearest = exact.search(queries.astype(np.float32), 100)[1]
    clusters = faiss.Kmeans(dimension, partitions, niter=10, seed=7)
    clusters.train(base[:: max(1, rows // (256 * partitions))].astype(np.float32))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "base.f16.npy", base)
    np.save(folder / "queries.f16.npy", queries)
    np.save(folder / "gt_ids.npy", nearest.astype(np.int32))
    np.save(folder / "centroids.npy", clusters.centroids)
