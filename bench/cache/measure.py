#!/usr/bin/env python3
"""The index cache beside its peers, in one run: prints Markdown tables with ratios, writes JSON. run.sh builds it all.

    measure.py --programs DIR --peers DIR [--quick] [--data DATA_FOLDER] [OUT.json]

Every figure comes from a program that measures one thing in a process of its own and prints one line of JSON. Those
that are compared take turns, round after round, so that all see the machine in the same moods. Medians of the rounds;
for hits in memory the best round, too, which other work on the machine disturbs least. A ratio is the peer's median by
ours. The peers are built with link-time optimisation across all their crates, ours by the usual preset.

DATA_FOLDER is the one of ../latency.py; with it the restart has a dataset of 100,000 rows instead of the example.
--quick is for trying out that everything works; its figures mean nothing.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "bench-cache"
KIB, MIB = 1 << 10, 1 << 20
OURS = "fewter"


class Bench:
    """The programs, and how long to run them."""

    def __init__(self, arguments):
        self.programs = pathlib.Path(arguments.programs).resolve()
        self.peers = pathlib.Path(arguments.peers).resolve() / "fewter-peers"
        self.quick = arguments.quick
        self.data = arguments.data

    def stores(self):
        """What keeps entries on disk, by name: the command before its verb."""
        stores = {OURS: [self.programs / "disk_store"]}
        if self.peers.exists():
            stores["foyer"] = [self.peers, "foyer"]
        if (self.programs / "rocksdb_store").exists():
            stores["RocksDB, block cache"] = [self.programs / "rocksdb_store", "blocks"]
            stores["RocksDB, blob cache"] = [self.programs / "rocksdb_store", "blobs"]
        return stores


def run(*command):
    """What a program prints, as JSON, with the time from before its start to its line."""
    start = time.perf_counter()
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        elapsed = time.perf_counter() - start
    if process.returncode != 0:
        sys.exit(f"bench/cache: {' '.join(map(str, command))} failed")
    return {**json.loads(line), "process_ms": elapsed * 1e3}


def take_turns(commands, rounds):
    """Runs the commands, by name, in turns; for each name, and each number they print, the list of the rounds."""
    results = {name: {} for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            for field, value in run(*command).items():
                results[name].setdefault(field, []).append(value)
    return results


def median(results, name, field):
    return statistics.median(results[name][field])


def show_time(nanoseconds):
    for limit, unit, size in ((1e3, "ns", 1), (1e6, "µs", 1e3), (1e9, "ms", 1e6)):
        if nanoseconds < limit:
            value = nanoseconds / size
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{nanoseconds / 1e9:.3g} s"


def show_size(size):
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


def table(title, columns, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(columns) + " |")
    print("| --- |" + " ---: |" * (len(columns) - 1))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def directory(name):
    path = WORK / name
    shutil.rmtree(path, ignore_errors=True)
    return path


def measure_memory(bench):
    """A hit in memory: ns for one hit on one thread."""
    return {entries: measure_hits(bench, entries) for entries in (10_000, 500)}


def measure_hits(bench, entries):
    seconds, rounds = (0.05, 2) if bench.quick else (0.5, 9)
    results = {}
    for threads in (1, 2):
        how = [entries, threads, seconds]
        commands = {OURS: [bench.programs / "memory_hit", "get", *how],
                    f"{OURS}, 20 at a time": [bench.programs / "memory_hit", "many", *how]}
        if bench.peers.exists():
            for key in ("uuid", "number"):
                for cache in ("moka", "quick_cache", "foyer"):
                    commands[f"{cache}, key: {key}"] = [bench.peers, "memory", cache, key, *how]
        results[threads] = take_turns(commands, rounds)
    rows = []
    for name in results[1]:
        row = [name]
        for threads in (1, 2):
            middle = median(results[threads], name, "hit_ns")
            row += [show_time(middle), show_time(min(results[threads][name]["hit_ns"])),
                    f"{middle / median(results[threads], OURS, 'hit_ns'):.2f}"]
        rows.append(row)
    table(f"A hit in memory, {entries:,} entries of 4 KiB: time for each, per thread",
          ["cache", "1 thread, median", "best", "ratio", "2 threads, median", "best", "ratio"], rows)
    return results


def measure_disk(bench):
    """Hits of entries that are on disk, in the page cache and, where a store keeps such a thing, in its own."""
    sizes = {16 * KIB: 1000, MIB: 64, 10 * MIB: 12, 40 * MIB: 6}
    seconds, rounds = (0.1, 1) if bench.quick else (1, 5)
    results = {}
    for size, count in sizes.items():
        commands = {}
        for name, store in bench.stores().items():
            path = directory(f"{name.replace(', ', '-').replace(' ', '-')}-{size}")
            run(*store, "fill", path, size, count)
            commands[name] = [*store, "hit", path, size, count, seconds]
        results[size] = take_turns(commands, rounds)
        for command in commands.values():
            shutil.rmtree(command[-4])
    for field, title in (("hit_ns", "A hit on disk after the first: the pointer in hand"),
                         ("sum_ns", "The same, and a sum over all the bytes"),
                         ("first_ns", "The first hit of an entry after opening, in the page cache")):
        rows = [[show_size(size), *cells(results[size], field)] for size in sizes]
        table(title, ["entry", *bench.stores()], rows)
    return results


def cells(results, field, to_nanoseconds=1.0):
    """Ours, then each peer with its ratio."""
    ours = median(results, OURS, field)
    for name in results:
        value = median(results, name, field)
        shown = show_time(value * to_nanoseconds)
        yield shown if name == OURS else f"{shown} ({value / ours:,.2g})" if value < 10 * ours else \
            f"{shown} ({value / ours:,.0f})"


def measure_reopening(bench):
    """From nothing to a store that has answered."""
    shapes = [(64 * KIB, 1000), (2 * KIB, 5000)] if bench.quick else [(64 * KIB, 10_000), (2 * KIB, 100_000)]
    results = {}
    rows = []
    for size, count in shapes:
        commands = {}
        for name, store in bench.stores().items():
            path = directory(f"{name.replace(', ', '-').replace(' ', '-')}-reopen")
            run(*store, "fill", path, size, count)
            commands[name] = [*store, "reopen", path, size, count]
        shape = f"{count:,} of {show_size(size)}"
        results[shape] = take_turns(commands, 2 if bench.quick else 9)
        for command in commands.values():
            shutil.rmtree(command[-3])
        rows.append([shape, *cells(results[shape], "usable_ms", 1e6)])
    table("Reopening a directory, up to the first answer", ["entries", *bench.stores()], rows)
    return results


def measure_footers(bench):
    """Opening 100 GiB of segments."""
    segments = 160 if bench.quick else 1600
    path = directory("footers")
    run(bench.programs / "footers", "write", path, segments)
    results = take_turns({OURS: [bench.programs / "footers", "open", path, segments]}, 3 if bench.quick else 9)
    shutil.rmtree(path)
    opened = median(results, OURS, "open_ms")
    table("Opening a cache of many segments of 64 entries of 1 MiB", ["segments", "entries", "GiB", "open"],
          [[f"{segments:,}", f"{segments * 64:,}", segments // 16, show_time(opened * 1e6)]])
    return results


def measure_decoding(bench):
    """Partitions from verified bytes."""
    rounds = [run(bench.programs / "decode_cost", 0.02 if bench.quick else 0.2)["rows"]
              for _ in range(1 if bench.quick else 5)]
    rows = []
    for i, row in enumerate(rounds[0]):
        row["decode_ns"] = statistics.median(each[i]["decode_ns"] for each in rounds)
        rows.append([row["kind"], f"{row['entry_bytes']:,}", show_time(row["decode_ns"]),
                     f"{row['allocated_bytes']:,}"])
    table("Decoding a partition whose checksum was verified before",
          ["index", "entry bytes", "time", "bytes allocated"], rows)
    return rounds[0]


def restart_dataset(data):
    """URI, name, and a file of queries."""
    if data is None:
        return ROOT / "examples" / "packages.lance", "the example dataset", ROOT / "examples" / "packages_queries.npy"
    sys.path.insert(0, str(ROOT / "bench"))
    import latency
    import numpy
    latency.WORK.mkdir(parents=True, exist_ok=True)
    base, queries = latency.load(data)
    numpy.save(WORK / "queries.npy", queries)
    dataset = latency.make_dataset(base, 100_000, "IVF_PQ", 256, "data")
    return dataset.uri, "100,000 rows, IVF_PQ, 256 partitions", WORK / "queries.npy"


def has_pylance():
    return subprocess.run([sys.executable, "-c", "import lance, numpy"], stderr=subprocess.DEVNULL).returncode == 0


def measure_restart(bench):
    """From the start of a process to its first answer."""
    uri, name, queries = restart_dataset(bench.data)
    query = [uri, "vector", queries, 10, 20]
    cache = directory("restart")
    ours = [bench.programs / "first_answer", *query]
    run(*ours, f"memory://,disk://{cache}", "prewarm")
    commands = {OURS: [*ours, f"memory://,disk://{cache}"], f"{OURS}, nothing on disk": [*ours, "memory://"]}
    if has_pylance():
        commands["pylance"] = [sys.executable, ROOT / "bench" / "cache" / "first_answer.py", *query]
    else:
        print("bench/cache: no pylance in this Python; it is left out of the restart", file=sys.stderr)
    results = take_turns(commands, 3 if bench.quick else 15)
    shutil.rmtree(cache)
    if len({row for each in results.values() for row in each["row"]}) != 1:
        sys.exit("bench/cache: the answers after a restart differ")
    rows = []
    for each in results:
        row = [each]
        for field in ("answer_ms", "process_ms"):
            value = median(results, each, field)
            row += [show_time(value * 1e6), f"{value / median(results, OURS, field):.1f}"]
        rows.append(row + [results[each].get("requests", ["unknown"])[0]])
    table(f"Restart to the first answer ({name})",
          ["", "from opening", "ratio", "from the process's start", "ratio", "requests to the dataset"], rows)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data")
    parser.add_argument("out", nargs="?", default=str(WORK / "results.json"))
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    bench = Bench(arguments)
    if not bench.peers.exists():
        print("bench/cache: no Rust peers; moka, quick_cache and foyer are left out", file=sys.stderr)
    results = {"machine": f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}",
               "load_before": os.getloadavg(), "quick": bench.quick}
    for name, measure in (("memory", measure_memory), ("disk", measure_disk), ("reopening", measure_reopening),
                          ("footers", measure_footers), ("decoding", measure_decoding), ("restart", measure_restart)):
        results[name] = measure(bench)
    results["load_after"] = os.getloadavg()
    pathlib.Path(arguments.out).write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nWritten to {arguments.out}.", file=sys.stderr)


if __name__ == "__main__":
    main()
