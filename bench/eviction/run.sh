#!/usr/bin/env bash
# Builds and runs the simulation of eviction policies on recorded look-ups.
#   bench/eviction/run.sh [DATA_FOLDER]      see bench/eviction/eviction.py
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset release -DFEWTER_BUILD_BENCHMARKS=ON > /dev/null
cmake --build --preset release -j "$(nproc)" --target record_trace cache_simulator
.venv/bin/python bench/eviction/eviction.py "$@"
