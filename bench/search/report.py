#!/usr/bin/env python3
"""Tables (Markdown) and plots (SVG) of what bench/search/measure.py has measured.

    bench/search/report.py WORK_FOLDER [--plots FOLDER] [--docs]

Of several rounds each figure is the median. With --docs the tables of README.md and docs/benchmarks.md that stand
between <!-- table: NAME --> and <!-- end --> are replaced, also by what batches.py, mapped.py and kernels.py have left
in WORK_FOLDER.
"""

import argparse
import collections
import json
import math
import pathlib
import re
import statistics

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import NullLocator  # noqa: E402

from families import FAMILIES, effort_of  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

KIND_NAMES = {"ivf_flat": "IVF_FLAT", "ivf_pq8": "IVF_PQ, 48 x 8 bits", "ivf_pq4": "IVF_PQ, 96 x 4 bits",
              "ivf_sq": "IVF_SQ", "ivf_rq1": "IVF_RQ, 1 bit", "ivf_rq5": "IVF_RQ, 5 bits",
              "hnsw_flat": "IVF_HNSW_FLAT", "hnsw_sq": "IVF_HNSW_SQ"}

# The setting of the table of latencies.
USUAL = {"nprobes": 20, "ef": 80}
# Where recalls are compared: these shares of the way from the lowest to the highest that both reach.
SHARES = [0.25, 0.5, 0.75]


def read(path: pathlib.Path) -> dict:
    """{corpus: {family: {engine: {(effort, threads): {figure: median}}}}}"""
    rounds = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in path.read_text().splitlines():
        result = json.loads(line)
        effort = result[effort_of(result["family"])]
        key = (result["corpus"], result["family"], result["engine"], effort, result["threads"])
        for figure in ("p50_us", "p99_us", "qps", "recall"):
            rounds[key][figure].append(result[figure])
    results = collections.defaultdict(lambda: collections.defaultdict(lambda: collections.defaultdict(dict)))
    for (corpus, family, engine, effort, threads), figures in rounds.items():
        medians = {figure: statistics.median(values) for figure, values in figures.items()}
        results[corpus][family][engine][effort, threads] = medians
    return results


def curve(points: dict, threads: int) -> list:
    """(recall, searches a second) by rising recall, without points that another one beats in both."""
    ordered = sorted(((figures["recall"], figures["qps"]) for (_, at), figures in points.items() if at == threads),
                     reverse=True)
    best = []
    for recall, rate in ordered:
        if not best or rate > best[-1][1]:
            best.append((recall, rate))
    return best[::-1]


def rate_at(points: dict, threads: int, recall: float) -> float | None:
    """Searches a second at a recall, geometrically between the two settings around it; none if it is never reached."""
    line = curve(points, threads)
    if not line or recall > line[-1][0]:
        return None
    for (low, fast), (high, slow) in zip(line, line[1:]):
        if low <= recall <= high:
            share = (recall - low) / (high - low)
            return math.exp((1 - share) * math.log(fast) + share * math.log(slow))
    # Below the least effort there is: that is what it takes.
    return line[0][1]


def latencies(families: dict) -> list[str]:
    lines = ["| index | engine | setting | recall@10 | p50 | p99 | queries/s, 1 thread | 2 threads | p50 by ours |",
             "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for family in FAMILIES:
        engines = families.get(family, {})
        ours = None
        for engine, points in engines.items():
            setting = USUAL[effort_of(family)]
            if (setting, 1) not in points:
                continue
            one, two = points[setting, 1], points[setting, 2]
            ours = ours or one["p50_us"]
            lines.append(f"| {family} | {engine} | {effort_of(family)} {setting} | {one['recall']:.3f} "
                         f"| {one['p50_us']:,.1f} µs | {one['p99_us']:,.1f} µs | {one['qps']:,.0f} | {two['qps']:,.0f} "
                         f"| {one['p50_us'] / ours:.2f} |")
    return lines


def beside_pylance(families: dict) -> list[str]:
    """Ours and pylance, one caller."""
    lines = ["| index | pylance p50 | fewter p50 | pylance p99 | fewter p99 | ratio of p50 |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for kind, name in KIND_NAMES.items():
        for family, engines in families.items():
            at = USUAL[effort_of(family)], 1
            theirs = engines.get(f"pylance {kind}", {}).get(at)
            ours = engines.get(f"fewter {kind}", {}).get(at)
            if theirs and ours:
                lines.append(f"| {name} | {theirs['p50_us']:,.0f} µs | {ours['p50_us']:,.0f} µs "
                             f"| {theirs['p99_us']:,.0f} µs | {ours['p99_us']:,.0f} µs "
                             f"| {theirs['p50_us'] / ours['p50_us']:.1f} |")
    return lines


def equal_recall(families: dict) -> list[str]:
    """Our fastest kind of index beside each peer, at recalls that both reach."""
    lines = ["| index | recall@10 | ours | peer | 1 thread: ours | peer | ratio | 2 threads: ours | peer | ratio |",
             "| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for family in FAMILIES:
        engines = families.get(family, {})
        ours = {engine: points for engine, points in engines.items() if engine.startswith("fewter")}
        for peer, points in engines.items():
            if peer.startswith(("fewter", "pylance")):
                continue
            lines += [f"| {family} | {compare(ours, peer, points, recall)}" for recall in common_recalls(ours, points)]
    return lines


def common_recalls(ours: dict, peer: dict) -> list[float]:
    """Some of the recalls that one of ours and the peer reach with more than the least effort."""
    def recalls(points):
        return [figures["recall"] for figures in points.values()]

    lowest = max(min(recalls(peer)), min(min(recalls(points)) for points in ours.values()))
    highest = min(max(recalls(peer)), max(max(recalls(points)) for points in ours.values()))
    return [lowest + share * (highest - lowest) for share in SHARES if highest > lowest]


def compare(ours: dict, peer: str, points: dict, recall: float) -> str:
    """The cells of a line."""
    mine = {name: rate for name, its in ours.items() if (rate := rate_at(its, 1, recall)) is not None}
    best = max(mine, key=mine.get)
    rates = [rate_at(its, threads, recall) for threads in (1, 2) for its in (ours[best], points)]
    cells = [f"{rates[i]:,.0f} | {rates[i + 1]:,.0f} | {rates[i] / rates[i + 1]:.2f}" for i in (0, 2)]
    return f"{recall:.3f} | {best} | {peer} | {' | '.join(cells)} |"


def plot(corpus: str, families: dict, path: pathlib.Path) -> None:
    """A picture for each family, of one thread."""
    shown = [family for family in FAMILIES if family in families]
    rows = math.ceil(len(shown) / 2)
    figure, axes = plt.subplots(rows, 2, figsize=(10, 3 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat[len(shown):]:
        axis.axis("off")
    for axis, family in zip(axes.flat, shown):
        for engine, points in families[family].items():
            line = curve(points, 1)
            axis.plot(*zip(*line), label=engine, marker="o", markersize=3, linewidth=2 if "fewter" in engine else 1)
        axis.set_yscale("log")
        axis.yaxis.set_minor_locator(NullLocator())
        axis.set_title(family, fontsize=9)
        axis.set_xlabel("recall@10", fontsize=8)
        axis.set_ylabel("queries/s, 1 thread", fontsize=8)
        axis.grid(True, linewidth=0.3)
        axis.legend(fontsize=6)
    figure.suptitle(corpus)
    figure.savefig(path, metadata={"Date": None})


def into_docs(tables: dict) -> None:
    """Puts the tables in the place of those that have their names."""
    for path in (ROOT / "README.md", ROOT / "docs" / "benchmarks.md"):
        def replaced(match):
            lines = tables.get(match["name"])
            return match[0] if lines is None else f"{match['head']}\n\n{chr(10).join(lines)}\n\n<!-- end -->"

        text = re.sub(r"(?P<head><!-- table: (?P<name>[^>]*) -->).*?<!-- end -->", replaced, path.read_text(),
                      flags=re.DOTALL)
        path.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--plots", type=pathlib.Path, help="where the plots go")
    parser.add_argument("--docs", action="store_true", help="replace the tables of the documents")
    options = parser.parse_args()
    # Text as text, and the same bytes from the same figures.
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fewter"})
    tables = {path.stem: path.read_text().strip().splitlines() for path in options.work.glob("*.md")}
    for corpus, families in sorted(read(options.work / "results.jsonl").items()):
        for of in (latencies, equal_recall, beside_pylance):
            tables[f"{of.__name__} {corpus}"] = of(families)
        if options.plots is not None:
            options.plots.mkdir(parents=True, exist_ok=True)
            plot(corpus, families, options.plots / f"search_{corpus}.svg")
    for name, lines in tables.items():
        print(f"\n### {name}\n\n" + "\n".join(lines))
    if options.docs:
        into_docs(tables)


if __name__ == "__main__":
    main()
