#!/usr/bin/env bash
# Runs a libFuzzer program for a while, and fails if it finds a crash, a leak, a hang or too much memory.
#
#   scripts/run_fuzzer.sh PROGRAM SECONDS [SEED_FOLDER]...
#
# The seeds are copied to a corpus of its own, so that the folder stays as it is; an input that fails is kept and named.
set -euo pipefail

if [[ $# -lt 2 ]]; then
  echo "usage: $0 PROGRAM SECONDS [SEED_FOLDER]..." >&2
  exit 2
fi
program=$1
seconds=$2
shift 2

max_input=1048576
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus" "$work/failures"

# Large files teach a fuzzer nothing that small ones do not, and slow it down.
for seeds in "$@"; do
  [[ -d $seeds ]] || continue
  find "$seeds" -type f -size -"$((max_input / 16))"c -exec cp -t "$work/corpus" -- {} +
done

if ! "$program" "$work/corpus" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -max_len="$max_input" \
    -artifact_prefix="$work/failures/" -print_final_stats=1; then
  kept=$(mktemp -d "${TMPDIR:-/tmp}/fuzz_failures.XXXXXX")
  cp "$work/failures/"* "$kept" 2>/dev/null || true
  echo "$(basename "$program") failed; the inputs are in $kept" >&2
  exit 1
fi
