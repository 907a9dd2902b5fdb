#!/usr/bin/env bash
# Checks the format of every source, and runs clang-tidy over every source of the library and the command line.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/sources.sh | xargs clang-format-16 --dry-run --Werror
cmake --preset asan > /dev/null
# clang-tidy reads the precompiled headers and the generated ones.
cmake --build --preset asan -j "$(nproc)" --target fewter_precompiled fewter_lance -- --quiet
cmake --preset release -DFEWTER_BUILD_PYTHON=ON > /dev/null
find python/src -name '*.cc' | sort | xargs -P "$(nproc)" -n 4 clang-tidy-16 -p build/release --quiet
.venv/bin/ruff check --quiet python
scripts/sources.sh | grep '^src/' | grep -vE '(_test|_fuzz|_benchmark)\.cc$|\.h$' |
  xargs -P "$(nproc)" -n 4 clang-tidy-16 -p build/asan --quiet
