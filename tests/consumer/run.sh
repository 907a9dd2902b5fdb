#!/usr/bin/env bash
# Installs a build into a new folder and builds and runs this project against it.
#   tests/consumer/run.sh BUILD_FOLDER
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build_dir=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build_dir" --prefix "$work/prefix" > /dev/null
cmake -S "$source_dir/tests/consumer" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_BUILD_TYPE=Release > /dev/null
cmake --build "$work/build"
"$work/build/consumer" "$source_dir/examples/packages.lance"
"$work/prefix/bin/fewter" --version
