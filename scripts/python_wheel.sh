#!/usr/bin/env bash
# Builds the wheel of the Python package and puts the libraries that it needs into it, but for libarrow, which is in
# pyarrow's wheel. Prints where it is.
#   scripts/python_wheel.sh [ENVIRONMENT]      for the Python of an environment that has what builds it; of .venv, with the
#                                              objects of build/release, unless given
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${1:-.venv}
build=build/release
[ "$environment" = .venv ] || build=$environment/build
rm -rf build/wheel
mkdir -p build/wheel
"$environment/bin/python" -m pip wheel . --quiet --disable-pip-version-check --no-deps --no-build-isolation \
  --config-settings=build-dir="$build" --wheel-dir build/wheel/built >&2
PATH=$PWD/.venv/bin:$PATH auditwheel repair --exclude 'libarrow*' --wheel-dir build/wheel build/wheel/built/*.whl > build/wheel/repair.log 2>&1 ||
  { cat build/wheel/repair.log >&2; exit 1; }
echo build/wheel/*.whl
