#!/usr/bin/env bash
# Lists the C++ sources of the project.
set -euo pipefail
cd "$(dirname "$0")/.."
find src python tests examples bench -name '*.h' -o -name '*.cc' | sort
