#!/usr/bin/env bash
# Runs all tests, cargo's and the page's. Repeats the messages of failed ones at the end; the last line is
# "N passed, N failed".
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
# The names and panic messages of failed tests again, without backtraces: the end of a long log says why.
awk '/^---- .* stdout ----$/ { inside = 1; shown = 0; print ""; print; next }
     /^failures:$/ || /^test result: / { inside = 0 }
     inside && /^thread .* panicked at / { shown = 1; lines = 0 }
     inside && (/^stack backtrace:/ || /^note: /) { shown = 0 }
     inside && /^Error: / { print }
     inside && shown && NF && lines++ < 40 { print }
     # Vitest: " FAIL  file > suite > test", and its message below.
     $1 == "FAIL" { print ""; print; message = 1; next }
     message && NF { print; message = 0 }' "$output"
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
