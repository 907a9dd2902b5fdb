#!/usr/bin/env bash
# All of the tests: the optimised build by g++; the Python package, of the same objects; the build by clang with ASan and
# UBSan, with a short run of every fuzzer; what has threads under TSan. Format and clang-tidy are a stage of their own: make
# lint.
#   scripts/test.sh [release] [python] [asan] [tsan] [lint]       all but lint if none is named
set -euo pipefail
cd "$(dirname "$0")/.."
stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=(release python asan tsan)
jobs=$(nproc)

scripts/setup.sh test
scripts/make_fixtures.sh

# The programs with tests of threads, and which these are in the programs that hold others too.
threaded=(fewter_util_test fewter_cache_test fewter_cache_disk_test fewter_cache_redis_test fewter_cache_registry_test
  fewter_lance_test fewter_vector_test fewter_dataset_test)
threaded_tests='ObjectStore*:FileReaderTest.Threads*:IvfIndex*:Indexes/Restart*:*CacheFaults*:*Concurrent*:*Threads*'

build() {
  echo "== $1 ($((SECONDS / 60)) min)"
  cmake --preset "$1" > /dev/null
  cmake --build --preset "$1" -j "$jobs" "${@:2}" -- --quiet
}

check() {
  ctest --preset "$1" -j "$jobs" --output-on-failure "${@:2}"
}

for stage in "${stages[@]}"; do
  case $stage in
    release)
      build release
      check release ;;
    python)
      build release
      scripts/python_test.sh ;;
    asan)
      build asan
      check asan -LE release ;;
    tsan)
      build tsan --target "${threaded[@]}"
      check tsan -R '^(util|cache)'
      GTEST_FILTER=$threaded_tests check tsan -R '^(lance|vector|dataset)[.]' ;;
    lint) scripts/lint.sh ;;
    *) echo "unknown stage $stage" >&2; exit 2 ;;
  esac
done
