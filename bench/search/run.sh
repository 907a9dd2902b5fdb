#!/usr/bin/env bash
# Compares searches with pylance, FAISS, hnswlib and usearch: builds what is missing, measures, prints tables, and draws
# the plots of docs/benchmarks.md.
#   bench/search/run.sh WORK_FOLDER [DATA_FOLDER] [--rows N] [--graph-rows N] [--dimension D] [--families flat,hnsw]
#                       [--rounds N]
# WORK_FOLDER keeps vectors, indexes and results.jsonl from run to run (each run adds to it; remove it to begin anew).
# Building all takes two hours on two cores, measuring ten minutes a round. DATA_FOLDER: base.f16.npy, queries.f16.npy,
# gt_ids.npy. `bench/search/report.py WORK_FOLDER --docs` puts the tables into README.md and docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(realpath -m "$1")
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r requirements-test.txt -r bench/search/requirements.txt
cmake --preset release -DFEWTER_BUILD_BENCHMARKS=ON > /dev/null
cmake --build --preset release -j "$(nproc)" --target fewter_cli query_latency distance_benchmark
# Some machines set these for the sake of older builds of OpenBLAS, and newer ones are slower for it.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
export PYTHONDONTWRITEBYTECODE=1
"$work/venv/bin/python" bench/search/build.py "$@"
"$work/venv/bin/python" bench/search/measure.py "$@"
"$work/venv/bin/python" bench/search/mapped.py "$@"
"$work/venv/bin/python" bench/search/batches.py "$@"
"$work/venv/bin/python" bench/search/kernels.py "$work"
"$work/venv/bin/python" bench/search/report.py "$work" --plots docs
