#!/usr/bin/env bash
# The second run must find what the first one left, and give the same answer.
#   file_backend_test.sh PROGRAM DATASET
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
first=$("$1" "$folder/cache" "$2")
second=$("$1" "$folder/cache" "$2")
grep -q '^row 0, ' <<< "$second"
! grep -q '^0 requests' <<< "$first"
grep -q '^0 requests' <<< "$second"
[ "$(grep '^row' <<< "$first")" = "$(grep '^row' <<< "$second")" ]
