#!/usr/bin/env python3
"""Tables (Markdown) and plots (SVG) of what bench/search/measure.py has measured.

    bench/search/report.py WORK_FOLDER [--plots FOLDER]

Of several rounds each figure is the median.
"""

import argparse
import collections
import json
import math
import pathlib
import statistics

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import NullLocator  # noqa: E402

from families import FAMILIES, effort_of  # noqa: E402

# The setting of the table of latencies.
USUAL = {"nprobes": 20, "ef": 80}
RECALLS = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99]
SHOWN_RECALLS = 3


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


def latencies(families: dict) -> None:
    print("| index | engine | setting | recall@10 | p50 | p99 | queries/s, 1 thread | 2 threads | p50 by ours |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for family in FAMILIES:
        engines = families.get(family, {})
        ours = None
        for engine, points in engines.items():
            setting = USUAL[effort_of(family)]
            if (setting, 1) not in points:
                continue
            one, two = points[setting, 1], points[setting, 2]
            ours = ours or one["p50_us"]
            print(f"| {family} | {engine} | {effort_of(family)} {setting} | {one['recall']:.3f} "
                  f"| {one['p50_us']:,.1f} µs | {one['p99_us']:,.1f} µs | {one['qps']:,.0f} | {two['qps']:,.0f} "
                  f"| {one['p50_us'] / ours:.2f} |")


def equal_recall(families: dict) -> None:
    """Our fastest kind of index beside each peer, at the highest recalls that both reach."""
    print("| index | recall@10 | ours | peer | 1 thread: ours | peer | ratio | 2 threads: ours | peer | ratio |")
    print("| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for family in FAMILIES:
        engines = families.get(family, {})
        ours = {engine: points for engine, points in engines.items()
                if engine.startswith("fewter") and "mapped" not in engine}
        for peer, points in engines.items():
            if peer.startswith(("fewter", "pylance")):
                continue
            lines = [line for recall in RECALLS if (line := compare(ours, peer, points, recall)) is not None]
            for line in lines[-SHOWN_RECALLS:]:
                print(f"| {family} | {line}")


def compare(ours: dict, peer: str, points: dict, recall: float) -> str | None:
    """The cells of a line; None where one of the two does not reach the recall, or the peer passes it at once."""
    mine = {name: rate for name, its in ours.items() if (rate := rate_at(its, 1, recall)) is not None}
    theirs = rate_at(points, 1, recall)
    if not mine or theirs is None or recall < min(figures["recall"] for figures in points.values()):
        return None
    best = max(mine, key=mine.get)
    two, their_two = rate_at(ours[best], 2, recall), rate_at(points, 2, recall)
    return (f"{recall:.2f} | {best} | {peer} | {mine[best]:,.0f} | {theirs:,.0f} | {mine[best] / theirs:.2f} "
            f"| {two:,.0f} | {their_two:,.0f} | {two / their_two:.2f} |")


def plot(corpus: str, families: dict, path: pathlib.Path) -> None:
    shown = [family for family in FAMILIES if family in families]
    figure, axes = plt.subplots(len(shown), 2, figsize=(10, 3 * len(shown)), squeeze=False, layout="constrained")
    for row, family in zip(axes, shown):
        for axis, threads in zip(row, (1, 2)):
            for engine, points in families[family].items():
                if "mapped" in engine:
                    continue
                line = curve(points, threads)
                ours = engine.startswith("fewter")
                axis.plot(*zip(*line), label=engine, marker="o", markersize=3, linewidth=2 if ours else 1)
            axis.set_yscale("log")
            axis.set_title(f"{family}, {threads} thread{'s' if threads > 1 else ''}", fontsize=9)
            axis.set_xlabel("recall@10", fontsize=8)
            axis.set_ylabel("queries/s", fontsize=8)
            axis.yaxis.set_minor_locator(NullLocator())
            axis.grid(True, linewidth=0.3)
            axis.legend(fontsize=6)
    figure.suptitle(corpus)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--plots", type=pathlib.Path, help="where the plots go")
    options = parser.parse_args()
    # Text as text, and the same bytes from the same figures.
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fewter"})
    for corpus, families in read(options.work / "results.jsonl").items():
        print(f"\n### {corpus}\n")
        latencies(families)
        print()
        equal_recall(families)
        if options.plots is not None:
            options.plots.mkdir(parents=True, exist_ok=True)
            plot(corpus, families, options.plots / f"search_{corpus}.svg")


if __name__ == "__main__":
    main()
