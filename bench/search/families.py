"""What is compared with what, and by which settings."""

K = 10
THREADS = [1, 2]

# What a search costs is set by one of these: partitions to look into, or candidates to keep.
NPROBES, EF = "nprobes", "ef"
EFFORTS = {NPROBES: [1, 2, 5, 10, 20, 40, 80], EF: [10, 20, 40, 80, 160, 320]}
# pylance is slow, and its recall is that of ours at the same setting; so is that of ours with mapped entries.
FEW_EFFORTS = {NPROBES: [5, 20, 80], EF: [20, 80, 320]}

# Our kinds of index, which pylance searches too, and the peers.
FAMILIES = {
    "flat": (["ivf_flat"], ["faiss flat"]),
    "pq8": (["ivf_pq8"], ["faiss pq8"]),
    "pq4": (["ivf_pq4"], ["faiss pq4", "faiss pq4 residual"]),
    "sq": (["ivf_sq"], ["faiss sq"]),
    "rq1": (["ivf_rq1"], ["faiss rq1", "faiss rq1 fast scan"]),
    "rq5": (["ivf_rq5"], ["faiss rq5", "faiss rq5 fast scan"]),
    "hnsw": (["hnsw_flat", "hnsw_sq"],
             ["faiss hnsw32", "faiss hnsw16 sq", "hnswlib", "usearch"]),
}

# Those that are graphs.
GRAPHS = ["hnsw"]

# Of these mapped.py compares entries in mapped files of a disk cache with the same on the heap.
MAPPED = ["ivf_flat", "ivf_pq8", "ivf_sq", "hnsw_sq"]


def effort_of(family: str) -> str:
    return EF if family in GRAPHS else NPROBES
