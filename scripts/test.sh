#!/usr/bin/env bash
# Runs all tests and ends with one line that sums up cargo's, binary by binary.
set -euo pipefail
cd "$(dirname "$0")/.."

output=$(mktemp)
trap 'rm -f "$output"' EXIT

status=0
cargo test --locked --no-fail-fast 2>&1 | tee "$output" || status=$?
awk '/^test result: / { passed += $4; failed += $6 }
     END { printf "%d passed, %d failed\n", passed, failed }' "$output"
exit "$status"
