#!/usr/bin/env bash
# Builds the wheel of the Python package, with the objects of build/release, and puts the libraries that it needs into it,
# but for libarrow, which is in pyarrow's wheel. Prints where it is.
#   scripts/python_wheel.sh [PYTHON]      for a Python that has what builds it (.venv's unless given)
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
rm -rf build/wheel
mkdir -p build/wheel
"$python" -m pip wheel . --quiet --disable-pip-version-check --no-deps --no-build-isolation \
  --config-settings=build-dir=build/release --wheel-dir build/wheel/built >&2
PATH=$PWD/.venv/bin:$PATH auditwheel repair --exclude 'libarrow*' --wheel-dir build/wheel build/wheel/built/*.whl > build/wheel/repair.log 2>&1 ||
  { cat build/wheel/repair.log >&2; exit 1; }
echo build/wheel/*.whl
