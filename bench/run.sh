#!/usr/bin/env bash
# Builds the benchmarks and runs the comparison with pylance.
#   bench/run.sh [DATA_FOLDER]      see bench/latency.py
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release -DFEWTER_BUILD_BENCHMARKS=ON > /dev/null
cmake --build --preset release -j "$(nproc)" --target query_latency
.venv/bin/python bench/latency.py "$@"
