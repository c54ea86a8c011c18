#!/usr/bin/env bash
# Builds the image of the Dockerfile and tries it, without Docker and without an image registry: buildah
# builds, and the base images are made here, under the names that the Dockerfile uses, by debootstrap
# and with the Node and the Rust of this machine. Takes minutes; as root.
#
#   PROFILE=dev scripts/test-image.sh     the quick one; the default is release
set -euo pipefail
cd "$(dirname "$0")/.."

export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for tool in buildah debootstrap node npm cargo; do
    command -v "$tool" >/dev/null || { echo "error: $tool is missing" >&2; exit 1; }
done
# Short names, as the Dockerfile has them, are those of the usual place.
printf 'unqualified-search-registries = ["docker.io"]\n' > "$work/registries.conf"
export CONTAINERS_REGISTRIES_CONF="$work/registries.conf"

suite=bookworm
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)

there() { buildah inspect --type image "$1" >/dev/null 2>&1; }

# The image that all others begin with.
debian() {
    if there "$1"; then return; fi
    echo "== base image $1"
    debootstrap --variant=minbase "$suite" "$work/root" "$mirror" >"$work/log" ||
        { tail "$work/log"; return 1; }
    local container
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$work/root" / >/dev/null
    buildah commit --quiet --rm "$container" "$1" >/dev/null
    rm -rf "$work/root"
}

# An image with these packages, which a function may add to.
with() {
    local name=$1 packages=$2 add=$3 container
    if there "$name"; then return; fi
    echo "== base image $name"
    container=$(buildah from --pull-never "$debian")
    buildah run "$container" -- sh -c "apt-get update -qq &&
        apt-get install -y -qq --no-install-recommends $packages" >"$work/log" 2>&1 ||
        { tail "$work/log"; return 1; }
    "$add" "$container"
    buildah commit --quiet --rm "$container" "$name" >/dev/null
}

node() {
    buildah copy --quiet "$1" "$(readlink -f "$(type -P node)")" /usr/bin/node
    buildah copy --quiet "$1" "$(npm root --global)/npm" /usr/lib/node_modules/npm
    buildah run "$1" -- ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/bin/npm
}

rust() {
    buildah copy --quiet "$1" "$(rustc --print sysroot)" /usr/local/cargo
    buildah config --env CARGO_HOME=/usr/local/cargo --env \
        PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$1"
}

# Those that are made here have other digests.
sed 's/@sha256:[0-9a-f]*//' Dockerfile > "$work/Dockerfile"
images=$(sed -n 's/^FROM \([^ ]*\).*/docker.io\/library\/\1/p' "$work/Dockerfile")
debian=$(grep '/debian:' <<<"$images")
debian "$debian"
with "$(grep '/node:' <<<"$images")" 'ca-certificates libstdc++6' node
with "$(grep '/rust:' <<<"$images")" 'ca-certificates gcc libc6-dev' rust

# What this machine needs to reach its package registries stays its own: it is lent to the build.
lent=()
lend() { if [ -e "$1" ]; then lent+=(--volume "$1:${2:-$1}:$3"); fi; }
# A copy, since the build adds to it; what it adds stays there, so it is lent to the container, too.
cp -rL /etc/ssl/certs "$work/certs"
lend "$work/certs" /etc/ssl/certs rw
lend /usr/etc/npmrc '' ro
lend "$HOME/.npmrc" /root/.npmrc ro
lend "${CARGO_HOME:-$HOME/.cargo}/registry" /usr/local/cargo/registry rw
lend "${CARGO_HOME:-$HOME/.cargo}/config.toml" /usr/local/cargo/config.toml ro

image=localhost/ipam-rewind-test
echo "== build"
buildah build --file "$work/Dockerfile" --pull-never --layers --format docker --build-arg "PROFILE=${PROFILE:-release}" \
    "${lent[@]}" --tag "$image" .

expect() {
    local what=$1 wanted=$2 found=$3
    if [ "$wanted" != "$found" ]; then
        echo "error: $what is $found, not $wanted" >&2
        exit 1
    fi
    echo "ok: $what"
}

setting() { buildah inspect --type image --format "{{$1}}" "$image"; }

echo "== what it says of itself"
expect user 10001 "$(setting .Docker.Config.User)"
expect command '[serve --listen 0.0.0.0:8000]' "$(setting .Docker.Config.Cmd)"
expect entrypoint '[ipam-rewind]' "$(setting .Docker.Config.Entrypoint)"
expect volume 'map[/app/backups:{}]' "$(setting .Docker.Config.Volumes)"
expect 'health check' '[CMD ipam-rewind health]' "$(setting .Docker.Config.Healthcheck.Test)"
for secret in "$HOME/.npmrc" /usr/etc/npmrc; do
    while IFS= read -r line; do
        if setting .Docker | grep -qF -- "$line"; then echo "error: the image holds $line" >&2; exit 1; fi
    done < <(grep -s '//' "$secret" || true)
done

echo "== how it runs"
container=$(buildah from --pull-never "$image")
trap 'buildah rm "$container" >/dev/null; rm -rf "$work"' EXIT
inside() {
    buildah run --user 10001 --volume "$work/certs:/etc/ssl/certs:ro" "$container" -- "$@"
}
expect 'the account' 10001 "$(inside id -u)"
expect 'the program' "ipam-rewind $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" \
    "$(inside ipam-rewind --version)"
expect 'a folder of its own' 10001:770 "$(inside stat -c %u:%a /app/backups)"
expect 'no program of root' '' "$(inside find /usr/local /app -user 10001 -type f)"
# The door stays shut until there is a token, then it serves the page that is built in.
inside sh -c '
    set -e
    if ipam-rewind serve --listen 0.0.0.0:0 2>/tmp/said; then exit 1; fi
    grep -q "there are no tokens" /tmp/said
    ipam-rewind token create first --role admin >/dev/null
    ipam-rewind serve --listen 127.0.0.1:18765 2>/tmp/said & service=$!
    for _ in $(seq 100); do
        if grep -q Serving /tmp/said; then break; fi
        sleep 0.1
    done
    ipam-rewind health --url http://127.0.0.1:18765 || true
    kill -TERM "$service"
    wait "$service"
' > "$work/health" || { cat "$work/health"; exit 1; }
grep -q '^ok  store' "$work/health" || { echo "error: the store is not well:" >&2; cat "$work/health"; exit 1; }
echo "ok: it serves, is asked for its health, and ends when told to"
size=$(du -sm "$(buildah mount "$container")" | cut -f 1)
buildah umount "$container" >/dev/null
echo "ok: the image takes $size MiB"
