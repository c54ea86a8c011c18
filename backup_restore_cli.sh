#!/usr/bin/env bash
# The documented face of the command line: passes its commands on to ipam-rewind. Runs the program
# that is here; where there is none, but the service runs in Docker Compose, runs it in there.
#
#   backup_restore_cli.sh [--compose-file FILE] COMMAND …
#
#   --compose-file FILE   the Compose file; may be repeated (default: COMPOSE_FILE, else the file in
#                         this folder, else the one beside this script)
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

# The Compose file in this folder, or else beside this script, as docker compose would name it.
find_compose_file() {
    local folder name
    for folder in "$PWD" "$here"; do
        for name in compose.yaml compose.yml docker-compose.yaml docker-compose.yml; do
            if [ -f "$folder/$name" ]; then
                echo "$folder/$name"
                return
            fi
        done
    done
}

chosen=
while true; do
    case "${1:-}" in
        --compose-file)
            if [ "$#" -lt 2 ]; then
                echo "error: --compose-file needs a file" >&2
                exit 2
            fi
            chosen=${chosen:+$chosen:}$2
            shift 2
            ;;
        --compose-file=*)
            chosen=${chosen:+$chosen:}${1#*=}
            shift
            ;;
        *) break ;;
    esac
done

if [ "$#" -eq 0 ]; then set -- --help; fi

# Whoever names a Compose file means the service there.
if [ -z "$chosen" ] && program=$(find_program); then exec "$program" "$@"; fi

service=${IPAM_REWIND_SERVICE:-ipam-rewind}
compose_file=${chosen:-${COMPOSE_FILE:-$(find_compose_file)}}
if [ -n "$compose_file" ]; then export COMPOSE_FILE=$compose_file; fi
if command -v docker >/dev/null &&
    [ -n "$(docker compose ps --quiet --status running "$service" 2>/dev/null)" ]; then
    options=()
    if [ ! -t 0 ]; then options=(-T); fi
    echo "Using the service $service of ${compose_file:-the Compose project here}" >&2
    exec docker compose exec "${options[@]}" "$service" ipam-rewind "$@"
fi

echo "error: ipam-rewind is neither built here (make build) nor installed, and the service $service" \
    "does not run in Docker Compose (${compose_file:-no Compose file was found}); name its file with" \
    "--compose-file or COMPOSE_FILE" >&2
exit 1
