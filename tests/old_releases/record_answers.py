"""Writes what must be found in the datasets that write_datasets.py made, in the form of tests/parity_test.cc.

    record_answers.py OUT [--small]     run with the newest pylance; adds `case.json` to each case, a short one if asked

The answers are pylance's, asked in the same way as for datasets of its own. It does not read all of them; then they
come from elsewhere, as "answers_of" says:
    the writing release     HNSW_PQ up to 0.24, RaBitQ of several bits up to 7; a constant is added where the release
                            left it out of a distance
    all vectors             FLAT of half floats up to 4.0, and the exact answers are those of a search of all partitions
    the codes               PQ of 4 bits in a single file, decoded and searched by single_file.py
A case with "refused" is refused with a message that has this text; its answers are those of an exact search.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import lance  # noqa: E402
import numpy as np  # noqa: E402
from parity_recorder import ParityRecorder  # noqa: E402

import single_file  # noqa: E402

IS_SMALL = "--small" in sys.argv
KS = [10] if IS_SMALL else [1, 10]
PARTITIONS = 3
OPTIONS = [{}, {"filter": "id % 3 = 0"}, {"refine": 3}, {"upper": 60.0}]


def shorten(value):
    """Nine digits say all that a float32 holds."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: shorten(item) for key, item in value.items()}
    return [shorten(item) for item in value] if isinstance(value, (list, tuple)) else value


def vectors_of(dataset) -> np.ndarray:
    column = dataset.to_table(columns=["vector"])["vector"].combine_chunks()
    return np.stack(column.to_numpy(zero_copy_only=False))


class OldReleases(ParityRecorder):
    def add(self, folder: pathlib.Path) -> None:
        own = json.loads((folder / "own.json").read_text())
        name, kind, bits, metric = folder.name, own["kind"], own["bits"], own["metric"]
        release = tuple(int(part) for part in own["release"].split("."))
        dataset = lance.dataset(folder / "dataset.lance")
        vectors = vectors_of(dataset)
        queries = np.array(own["queries"]).astype(vectors.dtype)
        self.indexes[name] = (metric, vectors)
        graph = "HNSW" in kind
        if release < (0, 18) and graph:
            self.save(name, queries, self.exact(dataset, queries, metric), "all vectors", refused="HNSW")
        elif kind == "IVF_PQ" and bits == 4 and release < (0, 25):
            asked = single_file.answers(folder / "dataset.lance", queries, KS, [1, PARTITIONS])
            self.save(name, queries, asked, "the codes")
        elif kind == "IVF_FLAT" and vectors.dtype == np.float16 and release < (7,):
            asked = self.exact(dataset, queries, metric)
            for entry in asked:
                del entry["exact"], entry["metric"]
            self.save(name, queries, asked, "all vectors")
        elif kind == "IVF_HNSW_PQ" and release < (0, 25):
            left_out = 1 - own["sub_vectors"] if metric == "dot" else 0
            # Releases up to 10 walked in another way, which may happen to lead to a nearer row.
            self.save(name, queries, self.own_answers(dataset, own, queries, left_out), "the writing release", may_miss=2)
        elif kind == "IVF_RQ" and bits > 1 and release < (8,):
            left_out = 1 if metric == "cosine" else 0
            self.save(name, queries, self.own_answers(dataset, own, queries, left_out), "the writing release")
        else:
            self.check_index_is_used(dataset, queries[0], name)
            self.record(name, queries, KS, [1, PARTITIONS], OPTIONS, graph)

    def check_index_is_used(self, dataset, query, name: str) -> None:
        plan = dataset.scanner(nearest={"column": "vector", "q": query, "k": 5, "nprobes": 1}).explain_plan()
        if "ANN" not in plan:
            raise RuntimeError(f"{name}: pylance does not use the index:\n{plan}")

    def own_answers(self, dataset, own, queries, left_out: float) -> list:
        entries = []
        for answer in own["own"]:
            if "error" in answer:
                raise RuntimeError(f"the release failed: {answer['error']}")
            rows = [[row, distance + left_out] for row, distance in answer["rows"]]
            entry = {"query": answer["query"], "k": answer["k"], "nprobes": answer["nprobes"], "rows": rows}
            if "HNSW" in own["kind"]:
                nearest = {"column": "vector", "q": queries[answer["query"]], "k": answer["k"], "use_index": False,
                           "metric": own["metric"]}
                entry["nearest"] = dataset.to_table(columns=[], nearest=nearest, with_row_id=True)["_rowid"].to_pylist()
            entries.append(entry)
        return entries

    def save(self, name: str, queries, entries: list, answers_of: str, **more) -> None:
        case = {**more, "column": "vector", "rounding": self.rounding(name, queries), "walks_a_graph": "hnsw" in name,
                "relative": 5e-4 if "ivf_rq" in name else 2e-5, "answers_of": answers_of,
                "queries": [[float(x) for x in query] for query in queries], "expected": entries}
        (self.out / name / "case.json").write_text(json.dumps(case))

    def exact(self, dataset, queries, metric: str) -> list:
        return [self.ask(dataset, queries[q], q, k, PARTITIONS, {"exact": True, "metric": metric}, False)
                for q in range(len(queries)) for k in KS]


def main() -> None:
    out = pathlib.Path(sys.argv[1])
    cases = OldReleases(out)
    for folder in sorted(path.parent for path in out.glob("*/own.json")):
        cases.add(folder)
        if IS_SMALL:
            case = shorten(json.loads((folder / "case.json").read_text()))
            (folder / "case.json").write_text(json.dumps(case, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
