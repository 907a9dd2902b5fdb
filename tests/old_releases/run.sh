#!/usr/bin/env bash
# Lets old releases of pylance write datasets, and compares what is found in them (see record_answers.py). By name only:
# it installs the releases of releases.txt from PyPI, some 5 GB.
#   tests/old_releases/run.sh          writes and checks all of them; what `make old-releases` does
#   tests/old_releases/run.sh --keep   makes anew the small ones of kept.txt, in tests/data/old_releases
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/old_releases
root=$PWD/build/old_releases
export LANCE_LOG=error

$here/make_environments.sh "$root/environments"

# The releases panic where they fail, and say so at length.
write() {
  "$root/environments/$1/bin/python" $here/write_datasets.py "${@:2}" 2> "$root/$1.log" || {
    tail -5 "$root/$1.log"
    exit 1
  }
}

if [ "${1:-}" = --keep ]; then
  out=$PWD/tests/data/old_releases
  rm -rf "$out"
  grep -v '^#' $here/kept.txt | while read -r release kind bits metric type; do
    write "$release" "$out" "$kind" "$bits" "$metric" "$type"
  done
  .venv/bin/python $here/record_answers.py "$out" --small 2> "$root/record.log"
  rm -rf "$out"/*/own.json "$out"/*/dataset.lance/_transactions
  exit
fi

out=$root/datasets
rm -rf "$out"
for environment in "$root"/environments/*; do
  echo "pylance $(basename "$environment") writes"
  write "$(basename "$environment")" "$out"
done
.venv/bin/python $here/record_answers.py "$out" 2> "$root/record.log"
cases=$(find "$out" -name case.json | wc -l)
echo "$cases datasets"
[ "$cases" -ge 300 ]
FEWTER_OLD_RELEASES=$out FEWTER_FIXTURES=$PWD/build/fixtures build/release/tests/fewter_dataset_test \
  --gtest_brief=1 --gtest_filter='OldReleases/*'
