"""The libraries that ours is compared with. Each index is built once and kept in the corpus's folder.

`peers(corpus)` says how each is opened. An open peer offers `searcher(effort, k)`, two functions: one searches for the
query of a number and returns nothing, the other returns the rows that were found last. The calls are the cheapest that
each library's Python has, with memory for the answers handed in where it can be.
"""

import os
import pathlib

os.environ.setdefault("LANCE_LOG", "error")

import faiss  # noqa: E402
import hnswlib  # noqa: E402
import lance  # noqa: E402
import numpy as np  # noqa: E402
import usearch.index  # noqa: E402

from corpora import QUERIES, Corpus  # noqa: E402
from families import EF, NPROBES  # noqa: E402

# Of a row in a graph, twice as many in the lowest layer: as many as Lance gives it, and what usearch has by default.
LANCE_LINKS, USEARCH_LINKS = 20, 16


def kept(path: pathlib.Path, build, write) -> None:
    """Builds what is not at `path` yet; an interrupted build leaves nothing there."""
    if path.exists():
        return
    unfinished = path.with_name(f".{path.name}.unfinished")
    write(build(), str(unfinished))
    unfinished.rename(path)


class Faiss:
    def __init__(self, corpus: Corpus, factory: str, queries: int = QUERIES):
        self.effort = EF if factory.startswith("HNSW") else NPROBES
        path = corpus.work / f"{factory.replace(',', '_')}.faiss"
        metric = faiss.METRIC_INNER_PRODUCT if corpus.metric == "cosine" else faiss.METRIC_L2
        self.queries = corpus.queries(queries)

        def build():
            base = corpus.base()
            index = faiss.index_factory(base.shape[1], factory, metric)
            if self.effort == EF:
                index.hnsw.efConstruction = 150
            elif corpus.centroids is not None:
                index.quantizer.add(corpus.centroids)
            index.train(base)
            index.add(base)
            return index

        kept(path, build, faiss.write_index)
        self.index = faiss.read_index(str(path))
        faiss.omp_set_num_threads(1)

    def parameters(self, effort: int):
        if self.effort == EF:
            return faiss.SearchParametersHNSW(efSearch=effort)
        if isinstance(self.index, faiss.IndexIVFPQ):
            return faiss.IVFPQSearchParameters(nprobe=effort)
        return faiss.SearchParametersIVF(nprobe=effort)

    def searcher(self, effort: int, k: int):
        parameters, found = self.parameters(effort), (np.empty(k, np.float32), np.empty(k, np.int64))
        queries = [faiss.swig_ptr(query) for query in self.queries]
        search, out = self.index.search_c, [faiss.swig_ptr(array) for array in found]
        # The library knows no more than an address of `found`, which the first function keeps alive, too.
        return lambda query, found=found: search(1, queries[query], k, *out, parameters), lambda: found[1]

    def batch_searcher(self, effort: int, k: int):
        """As `searcher`, but the first function searches for all queries in one call."""
        parameters, count = self.parameters(effort), len(self.queries)
        found = np.empty((count, k), np.float32), np.empty((count, k), np.int64)
        queries, out = faiss.swig_ptr(self.queries), [faiss.swig_ptr(array) for array in found]
        return lambda found=found: self.index.search_c(count, queries, k, *out, parameters), lambda: found[1]


class Hnswlib:
    effort = EF

    def __init__(self, corpus: Corpus, links: int):
        self.queries = corpus.queries()
        space, path = ("ip" if corpus.metric == "cosine" else "l2"), corpus.work / f"hnswlib{links}.bin"

        def build():
            base = corpus.base()
            index = hnswlib.Index(space, base.shape[1])
            index.init_index(len(base), ef_construction=150, M=links)
            index.add_items(base, num_threads=os.cpu_count())
            return index

        kept(path, build, lambda index, name: index.save_index(name))
        self.index = hnswlib.Index(space, self.queries.shape[1])
        self.index.load_index(str(path))

    def searcher(self, effort: int, k: int):
        self.index.set_ef(effort)
        found = [None]

        def search(query):
            found[0] = self.index.knn_query(self.queries[query], k, 1)

        return search, lambda: found[0][0][0]


class Usearch:
    effort = EF

    def __init__(self, corpus: Corpus, links: int):
        self.queries = corpus.queries()[:, np.newaxis, :]
        path = corpus.work / f"usearch{links}.bin"

        def make():
            metric = "l2sq" if corpus.metric == "l2" else "ip"
            # The 16-bit form searches twice as fast as float32 where the processor has instructions for it.
            return usearch.index.Index(ndim=self.queries.shape[2], metric=metric, dtype="bf16", connectivity=links,
                                       expansion_add=150)

        def build():
            base, index = corpus.base(), make()
            index.add(np.arange(len(base)), base, threads=os.cpu_count())
            return index

        kept(path, build, lambda index, name: index.save(name))
        self.index = make()
        self.index.load(str(path))

    def searcher(self, effort: int, k: int):
        self.index.expansion_search = effort
        # Below Index.search, whose objects cost more than the search of a small index.
        search_many = self.index._compiled.search_many
        found = [None]

        def search(query):
            found[0] = search_many(self.queries[query], k, threads=1)

        return search, lambda: found[0][0][0]


class Pylance:
    """On the very files that ours reads."""

    def __init__(self, corpus: Corpus, kind: str):
        self.effort = EF if kind.startswith("hnsw") else NPROBES
        self.dataset = lance.dataset(corpus.work / f"{kind}.lance")
        self.dataset.prewarm_index("vector_idx")
        self.queries = corpus.queries()

    def searcher(self, effort: int, k: int):
        found = [None]

        def search(query):
            nearest = {"column": "vector", "q": self.queries[query], "k": k, self.effort: effort}
            found[0] = self.dataset.to_table(columns=["_distance"], nearest=nearest, with_row_id=True)

        return search, lambda: found[0]["_rowid"].to_numpy()


def peers(corpus: Corpus) -> dict:
    """What opens each peer, by name."""
    ivf, pq = f"IVF{corpus.partitions}", corpus.pq_bytes
    factories = {"flat": f"{ivf},Flat", "pq8": f"{ivf},PQ{pq}", "pq4": f"{ivf},PQ{2 * pq}x4fs",
                 "pq4 residual": f"{ivf},PQ{2 * pq}x4fsr", "sq": f"{ivf},SQ8",
                 "rq1": f"{ivf},RaBitQ", "rq1 fast scan": f"{ivf},RaBitQfs", "rq5": f"{ivf},RaBitQ5",
                 "rq5 fast scan": f"{ivf},RaBitQfs5", "hnsw16 sq": "HNSW16,SQ8", "hnsw32": "HNSW32"}
    opened = {f"faiss {name}": (Faiss, factory) for name, factory in factories.items()}
    opened |= {"hnswlib": (Hnswlib, LANCE_LINKS), "usearch": (Usearch, USEARCH_LINKS)}
    opened |= {f"pylance {kind}": (Pylance, kind) for kind in corpus.kinds}
    return opened
