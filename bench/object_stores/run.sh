#!/usr/bin/env bash
# What queries on S3 cost, beside pylance: builds what is missing, and prints the tables of docs/benchmarks.md.
#   bench/object_stores/run.sh [WORK_FOLDER [--tables small,large] [--delays 0,20,100] [--indexes IVF_PQ,...]]
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-build/bench-object-stores}
cmake --preset release -DFEWTER_BUILD_BENCHMARKS=ON > /dev/null
cmake --build --preset release -j "$(nproc)" --target object_store_steps -- --quiet
LANCE_LOG=error .venv/bin/python bench/object_stores/measure.py build/release/bench/object_stores/object_store_steps "$work" "${@:2}"
