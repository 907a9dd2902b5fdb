#!/usr/bin/env python3
"""What kernels over rows read from memory, as a share of what memory allows: a table in Markdown, which is left in
WORK_FOLDER/kernels.md.

    bench/search/kernels.py WORK_FOLDER
"""

import json
import pathlib
import subprocess
import sys

BINARY = pathlib.Path(__file__).resolve().parent.parent.parent / "build/release/src/fewter/simd/distance_benchmark"
REPETITIONS = 3
# The last sizes of distance_benchmark, beyond the caches; name, elements, rows.
WANTED = r"^(L2|Dot|Cosine|Hamming|SketchProducts)(/[a-z0-9]+)?/384/300000$"


def main() -> None:
    command = [BINARY, f"--benchmark_filter={WANTED}", f"--benchmark_repetitions={REPETITIONS}",
               "--benchmark_min_time=0.1", "--benchmark_format=json"]
    results = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    lines = ["| kernel, 300,000 rows of 384 elements | GB/s | of what memory allows |", "| --- | ---: | ---: |"]
    for result in results["benchmarks"]:
        if result.get("aggregate_name") == "median":
            name = result["run_name"].removesuffix("/384/300000")
            lines.append(f"| {name} | {result['bytes_per_second'] / 1e9:.1f} | {100 * result['of_memory']:.0f} % |")
    print("\n".join(lines))
    (pathlib.Path(sys.argv[1]) / "kernels.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
