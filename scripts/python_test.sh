#!/usr/bin/env bash
# The Python package as its users have it: builds the wheel, installs it into a fresh environment with nothing but what it
# asks for, and then beside pylance for all of its tests.
set -euo pipefail
cd "$(dirname "$0")/.."
wheel=$(scripts/python_wheel.sh)

fresh=build/wheel/venv
python3 -m venv --clear "$fresh"
"$fresh/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel"
"$fresh/bin/python" python/tests/fresh_install.py examples/packages.lance

.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$wheel"
.venv/bin/ruff check --quiet python
.venv/bin/ruff format --quiet --check python
# What others see of the types: the package as it is installed, and a program that uses it.
(cd build/wheel && ../../.venv/bin/python -m mypy --config-file ../../pyproject.toml -p fewter)
.venv/bin/python -m mypy --strict python/tests/typed_program.py
LANCE_LOG=error .venv/bin/python -m pytest -q -p no:cacheprovider python/tests
