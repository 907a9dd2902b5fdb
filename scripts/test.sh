#!/usr/bin/env bash
# All of the tests: the optimised build by g++; by clang with ASan and UBSan, with a short run of every fuzzer; what has
# threads under TSan. Format and clang-tidy are a stage of their own: make lint.
#   scripts/test.sh [release] [asan] [tsan] [lint]       all but lint if none is named
set -euo pipefail
cd "$(dirname "$0")/.."
stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=(release asan tsan)
jobs=$(nproc)

scripts/setup.sh test
scripts/make_fixtures.sh

run() {
  local preset=$1
  shift
  echo "== $preset"
  cmake --preset "$preset" > /dev/null
  cmake --build --preset "$preset" -j "$jobs" -- --quiet
  ctest --preset "$preset" -j "$jobs" --output-on-failure "$@"
}

for stage in "${stages[@]}"; do
  case $stage in
    release) run release ;;
    asan) run asan -LE release ;;
    # What has threads.
    tsan) run tsan -R '^(cache|util|dataset\.(Indexes/Restart|CacheFaults)|lance\.(ObjectStore|FileReaderTest\.Threads)|vector\.IvfIndex)' ;;
    lint) scripts/lint.sh ;;
    *) echo "unknown stage $stage" >&2; exit 2 ;;
  esac
done
