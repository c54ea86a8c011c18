#!/usr/bin/env bash
# Runs the tests that depend on the server on PostgreSQL 13 to 18, one version after another, and then the
# tests that go from each version to each other one. Ends with one line that sums them up.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t versions < <(scripts/postgres-versions.sh)
# What stands before `::` is a module of tests/it.
filters=(restore_cases:: coverage:: capture:: golden:: embedded::schema:: incremental::)
# These need pg_resetwal, which the packages of the other versions do not have.
skipped=(--skip incremental::clusters::counter::)
# This needs pg_surgery, which came with PostgreSQL 14.
skipped_13=(--skip incremental::checked::mismatch_keeps_the_full_read_and_stops_reading_changes)

cargo test --locked --no-run --test it
output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
for programs in "${versions[@]}"; do
    printf '\n== %s\n' "$("$programs/postgres" --version)"
    skip=("${skipped[@]}")
    [[ $("$programs/postgres" --version) != *" 13."* ]] || skip+=("${skipped_13[@]}")
    IPAM_REWIND_PG_BIN=$programs cargo test --locked --test it -- "${filters[@]}" "${skip[@]}" 2>&1 |
        tee -a "$output" || status=1
done
printf '\n== From each version to each other one\n'
IPAM_REWIND_PG_VERSIONS=$(IFS=:; echo "${versions[*]}") \
    cargo test --locked --test it -- versions:: --nocapture 2>&1 | tee -a "$output" || status=1
awk '/^test result: / { passed += $4; failed += $6 }
     END { printf "%d passed, %d failed\n", passed, failed }' "$output"
exit "$status"
