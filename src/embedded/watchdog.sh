# Runs the private server and outlives the program that started it, whatever ends that program:
# standard input is a pipe held by the program alone, and its end of file stops the server.
# Arguments: folder of the programs, data folder, temporary folder, initdb's way to sync or
# nothing, signal that stops the server, the server's options.
set -u
programs=$1 data=$2 folder=$3 sync=$4 signal=$5
shift 5
umask 077
log=$folder/server.log
trap 'rm -rf "$folder"' EXIT
exec 3<&0 </dev/null

if [ ! -e "$data/PG_VERSION" ]; then
    "$programs/initdb" --pgdata="$data" --username=postgres --auth=trust \
        --encoding=UTF8 --locale=C ${sync:+"$sync"} >"$log" 2>&1 3<&- || {
        tail -n 20 "$log" >&2
        exit 1
    }
fi

"$programs/postgres" -D "$data" -k "$folder" "$@" >"$log" 2>&1 3<&- &
server=$!
{
    while read -r _; do :; done
    kill -s "$signal" "$server"
} <&3 3<&- &
reader=$!
exec 3<&-

wait "$server"
status=$?
kill "$reader" 2>/dev/null
[ "$status" -eq 0 ] || tail -n 20 "$log" >&2
exit "$status"
