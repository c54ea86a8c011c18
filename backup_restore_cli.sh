#!/usr/bin/env bash
# The documented face of the command line: passes its verbs on to ipam-rewind. Runs the program
# that is here; where there is none, but the service runs in Docker Compose, runs it in there.
#
#   IPAM_REWIND           the program to run, if it is not the one that is found
#   IPAM_REWIND_SERVICE   the Compose service's name (default: ipam-rewind)
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

find_program() {
    local program
    for program in "${IPAM_REWIND:-}" "$here/target/release/ipam-rewind" \
        "$here/target/debug/ipam-rewind"; do
        if [ -n "$program" ] && [ -x "$program" ]; then
            echo "$program"
            return
        fi
    done
    command -v ipam-rewind
}

if [ "$#" -eq 0 ]; then set -- --help; fi

if program=$(find_program); then exec "$program" "$@"; fi

service=${IPAM_REWIND_SERVICE:-ipam-rewind}
if command -v docker >/dev/null &&
    [ -n "$(docker compose ps --quiet --status running "$service" 2>/dev/null)" ]; then
    options=()
    if [ ! -t 0 ]; then options=(-T); fi
    exec docker compose exec "${options[@]}" "$service" ipam-rewind "$@"
fi

echo "error: ipam-rewind is neither built here (make build) nor running in Docker Compose" >&2
exit 1
