#!/usr/bin/env bash
# Installs the releases of releases.txt from PyPI, each in a virtual environment of its own under OUT.
#   tests/old_releases/make_environments.sh OUT
set -euo pipefail
out=$1
here=$(cd "$(dirname "$0")" && pwd)
grep -v '^#' "$here/releases.txt" | while read -r release requirements; do
  environment=$out/$release
  [ -f "$environment/.made" ] && continue
  echo "installing pylance $release"
  rm -rf "$environment"
  python3 -m venv "$environment"
  # shellcheck disable=SC2086  # a list of requirements
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "pylance==$release" $requirements
  touch "$environment/.made"
done
