#!/usr/bin/env bash
# What taking and scanning rows costs, beside pylance: builds what is missing, and prints the tables of docs/benchmarks.md.
#   bench/rows/run.sh [WORK_FOLDER [--rounds 7] [--versions 2.0,2.1,2.2] [--steps take] [--texts FILE]]
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-build/bench-rows}
cmake --preset release -DFEWTER_BUILD_BENCHMARKS=ON > /dev/null
cmake --build --preset release -j "$(nproc)" --target row_steps -- --quiet
export LANCE_LOG=error
.venv/bin/python bench/rows/measure.py build/release/bench/rows/row_steps "$work" "${@:2}"
.venv/bin/python bench/rows/count_requests.py build/release/bench/rows/row_steps "$work"
