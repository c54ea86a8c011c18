#!/usr/bin/env bash
# Runs all tests and ends with one line that sums them up: cargo's, binary by binary, and the page's.
set -euo pipefail
cd "$(dirname "$0")/.."

output=$(mktemp)
trap 'rm -f "$output"' EXIT

status=0
cargo test --locked --no-fail-fast 2>&1 | tee "$output" || status=$?
# The page's parts, and then all of it in a browser, before the program that cargo has built now.
for suite in test e2e; do
    NO_COLOR=1 npm --prefix frontend run "$suite" 2>&1 | tee -a "$output" || status=$?
done
awk '/^test result: / { passed += $4; failed += $6 }
     # Vitest: "Tests  1 failed | 87 passed (88)"
     $1 == "Tests" {
         for (place = 3; place <= NF; place++) {
             if ($place == "passed") passed += $(place - 1)
             if ($place == "failed") failed += $(place - 1)
         }
     }
     END { printf "%d passed, %d failed\n", passed, failed }' "$output"
exit "$status"
