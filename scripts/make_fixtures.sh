#!/usr/bin/env bash
# Makes what the tests read, with pylance, under build/fixtures; again whenever a generator, what it is made of
# (tests/NAME_*.py) or the requirements change.
set -euo pipefail
shopt -s nullglob
cd "$(dirname "$0")/.."
root=$PWD/build/fixtures
# Tiny indexes make pylance warn about every one.
export LANCE_LOG=error

for generator in tests/make_*_fixtures.py; do
  name=$(basename "$generator" _fixtures.py)
  name=${name#make_}
  out=$root/${name}
  [ "$name" = lance_file ] && out=$root/lance_files
  [ "$name" = manifest ] && out=$root/manifests
  stamp=$root/$name-$(cat "$generator" tests/"$name"_*.py requirements-*.txt | cksum | cut -d' ' -f1).made
  if [ ! -f "$stamp" ]; then
    echo "making the fixtures of $generator"
    rm -rf "$out" "$root/$name-"*.made
    mkdir -p "$root"
    .venv/bin/python "$generator" "$out"
    touch "$stamp"
  fi
done
