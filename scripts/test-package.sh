#!/usr/bin/env bash
# Tests the Debian package of scripts/package.sh in a new Debian: installation, service, upgrade, removal,
# purge. Then runs the program of the archive there. Needs root and debootstrap; takes some minutes.
#
#   SUITE=trixie scripts/test-package.sh     another release of Debian; the default is bookworm
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" -eq 0 ] || { echo "error: run it as root, for chroot" >&2; exit 1; }
for tool in debootstrap dpkg-deb; do
    command -v "$tool" >/dev/null || { echo "error: $tool is missing" >&2; exit 1; }
done

suite=${SUITE:-bookworm}
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
package=$(echo target/package/ipam-rewind_*.deb)
archive=$(echo target/package/ipam-rewind-*.tar.gz)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

expect() {
    local what=$1 wanted=$2 found=$3
    if [ "$wanted" != "$found" ]; then
        echo "error: $what is \"$found\", not \"$wanted\"" >&2
        exit 1
    fi
    echo "ok: $what"
}

echo "== a new Debian ($suite)"
root=$work/debian
debootstrap --variant=minbase --include=adduser,ca-certificates,systemd "$suite" "$root" "$mirror" \
    >"$work/log" || { tail "$work/log"; exit 1; }
inside() { DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
config=/etc/ipam-rewind/service.env

echo "== installation"
cp "$package" "$root/tmp/first.deb"
inside dpkg --install /tmp/first.deb >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
expect 'the version' "ipam-rewind $version" "$(inside ipam-rewind --version)"
expect 'the account' /usr/sbin/nologin "$(inside getent passwd ipam-rewind | cut -d : -f 7)"
expect 'the state folder' ipam-rewind:ipam-rewind:700 "$(inside stat -c %U:%G:%a /var/lib/ipam-rewind)"
expect 'the settings' root:root:600 "$(inside stat -c %U:%G:%a "$config")"
expect 'the unit' disabled "$(inside systemctl is-enabled ipam-rewind || true)"
expect 'problems of the unit' '' \
    "$(inside systemd-analyze verify --man=no /usr/lib/systemd/system/ipam-rewind.service 2>&1 |
        grep -F ipam-rewind || true)"
expect 'the documents' 0 "$(inside sh -c 'cd /usr/share/doc/ipam-rewind &&
    test -s copyright -a -s README.md -a -s docs/install.md; echo $?')"

echo "== service"
# As the unit does it: its settings, its account.
inside setpriv --reuid ipam-rewind --regid ipam-rewind --clear-groups sh -c '
    set -e
    export BACKUP_STORE=/var/lib/ipam-rewind/store STATE_DIRECTORY=/var/lib/ipam-rewind
    eval "exec ipam-rewind serve $1 --listen 127.0.0.1:0" 2>/tmp/said & service=$!
    for _ in $(seq 100); do
        if grep -q Serving /tmp/said; then break; fi
        sleep 0.1
    done
    url=$(grep -o "http://[0-9.:]*" /tmp/said | head -n 1)
    ipam-rewind health --url "$url" || true
    kill -TERM "$service"
    wait "$service"
' sh "$(sed -n "s/^OPTIONS='--listen [^ ]* \(.*\)'/\1/p" "$root$config")" >"$work/health" ||
    { cat "$work/health" "$root/tmp/said"; exit 1; }
grep -q '^ok  store' "$work/health" || { cat "$work/health" >&2; exit 1; }
echo 'ok: it serves with the options of the settings'
echo 'kept' >"$root/var/lib/ipam-rewind/store/mine"

echo "== upgrade"
dpkg-deb --raw-extract "$package" "$work/next"
sed -i "s/^Version: .*/Version: $version-99/" "$work/next/DEBIAN/control"
echo '# a new default' >>"$work/next$config"
dpkg-deb --build "$work/next" "$root/tmp/next.deb" >/dev/null
echo '# a change on this host' >>"$root$config"
before=$(sha256sum <"$root$config")
inside dpkg --force-confdef --install /tmp/next.deb >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
expect 'the settings after an upgrade' "$before" "$(sha256sum <"$root$config")"
expect 'the new default beside them' '# a new default' "$(tail -n 1 "$root$config.dpkg-dist")"

echo "== removal"
inside dpkg --remove ipam-rewind >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
expect 'the program' gone "$(test -e "$root/usr/bin/ipam-rewind" || echo gone)"
expect 'the unit file' gone "$(test -e "$root/usr/lib/systemd/system/ipam-rewind.service" || echo gone)"
expect 'the settings after a removal' "$before" "$(sha256sum <"$root$config")"

echo "== purge"
inside dpkg --purge ipam-rewind >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
expect 'the settings' gone "$(test -e "$root/etc/ipam-rewind" || echo gone)"
expect 'the backups' kept "$(cat "$root/var/lib/ipam-rewind/store/mine")"
grep -q 'holds backups and stays' "$work/log" || { cat "$work/log" >&2; exit 1; }
echo "ok: the purge says that backups stay"

echo "== archive"
mkdir "$root/opt/ipam-rewind"
tar --extract --gzip --strip-components 1 --directory "$root/opt/ipam-rewind" --file "$archive"
expect 'the version' "ipam-rewind $version" "$(inside /opt/ipam-rewind/ipam-rewind --version)"
expect 'the licence' 0 "$(test -s "$root/opt/ipam-rewind/LICENSE-MIT"; echo $?)"
