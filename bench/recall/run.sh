#!/usr/bin/env bash
# Builds the command line and compares recall with pylance's.
#   bench/recall/run.sh DATA_FOLDER [OUT_FOLDER] [KIND...]      see bench/recall/recall.py
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset release > /dev/null
cmake --build --preset release -j "$(nproc)" --target fewter_cli
.venv/bin/python bench/recall/recall.py "$@"
