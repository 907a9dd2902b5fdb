#!/usr/bin/env python3
"""Records what searches ask the index cache for, and replays it through eviction policies; prints a Markdown table of
hit ratios (of look-ups / of bytes, in percent).

    bench/eviction/run.sh [DATA_FOLDER]

DATA_FOLDER as for bench/latency.py. The workloads are made of real vectors:
    distinct   every query another one
    popular    2,000 queries, some asked far more often than others (Zipf, exponent 0.9)
    topics     twenty queries near one vector, then near another; some topics come back often
    mixed      popular queries over an IVF_FLAT and an IVF_PQ index in turn: parts of very different sizes
    scans      popular, interrupted by passes over vectors from everywhere
"""

import pathlib
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import latency  # noqa: E402

WORK = ROOT / "build" / "bench-data"
BINARIES = ROOT / "build" / "release" / "bench"
ROWS, PARTITIONS, NPROBES, QUERIES = 100_000, 256, 10, 10_000


def zipf(rng, things, draws, exponent=0.9):
    weights = 1.0 / np.arange(1, things + 1) ** exponent
    return rng.permutation(things)[rng.choice(things, draws, p=weights / weights.sum())]


def topics(rng, base):
    sample = base[rng.choice(len(base), 20_000, replace=False)]
    centers = sample[rng.choice(len(sample), 300, replace=False)]
    near = np.argsort(-(centers @ sample.T), axis=1)[:, :200]
    chosen = zipf(rng, len(centers), QUERIES // 20)
    return np.concatenate([sample[rng.choice(near[topic], 20)] for topic in chosen])


def workloads(base):
    rng = np.random.default_rng(3)
    popular = base[rng.choice(len(base), 2000, replace=False)][zipf(rng, 2000, QUERIES)]
    other = base[rng.choice(len(base), 2000, replace=False)][zipf(rng, 2000, QUERIES)]
    passes = base[rng.choice(len(base), 3 * 500, replace=False)]
    pieces = [part for i in range(3) for part in (popular[i * 3000:(i + 1) * 3000], passes[i * 500:(i + 1) * 500])]
    flat, pq = "ivf_flat", "ivf_pq"
    return {"distinct": {flat: base[rng.choice(len(base), QUERIES, replace=False)]}, "popular": {flat: popular},
            "topics": {flat: topics(rng, base)}, "mixed": {flat: popular, pq: other},
            "scans": {flat: np.concatenate(pieces)}}


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    WORK.mkdir(parents=True, exist_ok=True)
    base, _ = latency.load(folder)
    source = "data" if folder else "made"
    uris = {kind: latency.make_dataset(base, ROWS, kind.upper(), PARTITIONS, source).uri
            for kind in ("ivf_flat", "ivf_pq")}
    traces = []
    for name, queries_of in workloads(base).items():
        command = [BINARIES / "record_trace", WORK / f"{name}.trace"]
        for kind, queries in queries_of.items():
            file = WORK / f"{name}_{kind}_queries.npy"
            np.save(file, queries.astype(np.float32))
            command += [uris[kind], "vector", file, str(NPROBES)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        traces.append(command[1])
    subprocess.run([BINARIES / "cache_simulator", *traces], check=True)


if __name__ == "__main__":
    main()
