#!/usr/bin/env bash
# Tries the command line on the datasets of old releases that Lance's own tests read, beside pylance, and puts what comes of
# it into docs/upstream_test_data.md.
#   tests/upstream_data/run.sh [FOLDER]      Lance's test_data; fetched from its repository unless given
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-build/upstream/lance/test_data}
if [ $# = 0 ] && [ ! -d "$folder" ]; then
  mkdir -p build/upstream
  git clone --quiet --depth 1 --filter=blob:none --sparse https://github.com/lance-format/lance build/upstream/lance
  git -C build/upstream/lance sparse-checkout set test_data
fi
export LANCE_LOG=error
exec .venv/bin/python tests/upstream_data/compare.py build/release/fewter "$folder" docs/upstream_test_data.md
