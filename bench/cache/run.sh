#!/usr/bin/env bash
# Builds and runs the comparison of the index cache with its peers; prints Markdown tables, writes JSON.
#   bench/cache/run.sh [--quick] [--data DATA_FOLDER] [OUT.json]      see bench/cache/measure.py
#
# Installs what is missing: what a build needs, pylance, and RocksDB from Debian. The Rust peers need cargo, 1.91 or
# later; without it they are left out, and the output says so. FEWTER_BENCH_BUILD and CARGO_TARGET_DIR name other
# folders to build in than build/bench and build/peers.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${FEWTER_BENCH_BUILD:-build/bench}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/build/peers}
jobs=$(nproc)

scripts/setup.sh build
if ! .venv/bin/python -c 'import lance, numpy' 2> /dev/null; then
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
fi
if ! dpkg-query -W -f='${Status}' librocksdb-dev 2> /dev/null | grep -q 'install ok installed'; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends librocksdb-dev > /dev/null ||
    echo "bench/cache: cannot install librocksdb-dev; RocksDB is left out" >&2
fi

cmake --preset release -B "$build" -DFEWTER_BUILD_BENCHMARKS=ON -DFEWTER_BUILD_TESTS=OFF > /dev/null
cmake --build "$build" -j "$jobs" --target bench_cache

if ! command -v cargo > /dev/null; then
  echo "bench/cache: no cargo; moka, quick_cache and foyer are left out" >&2
elif ! cargo build --quiet --release --locked --jobs "$jobs" --manifest-path bench/peers/Cargo.toml; then
  echo "bench/cache: the Rust peers cannot be built; moka, quick_cache and foyer are left out" >&2
fi

exec .venv/bin/python bench/cache/measure.py --programs "$build/bench/cache" --peers "$CARGO_TARGET_DIR/release" "$@"
