#!/usr/bin/env bash
# Builds the program and packs it twice, into target/package: a Debian package, and an archive for other
# distributions.
#
#   PROFILE=demo scripts/package.sh     builds sooner; the default is release
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${PROFILE:-release}
program=target/$profile/ipam-rewind
out=target/package
# What docs/install.md says that it needs, and the loaders.
libraries="libc.so.6 libgcc_s.so.1 libm.so.6 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1"

cargo build --locked --profile "$profile"
needed=$(readelf --dynamic "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
for library in $needed; do
    case " $libraries " in
        *" $library "*) ;;
        *) echo "error: $program needs $library, too" >&2; exit 1 ;;
    esac
done

rm -rf "$out"
mkdir -p "$out"
target/tools/cargo-deb/bin/cargo-deb --locked --no-build --no-strip --profile "$profile" --output "$out/"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=ipam-rewind-$version-$(uname -m)-linux
mkdir -p "$out/$name/docs"
cp "$program" LICENSE-MIT LICENSE-APACHE README.md CHANGELOG.md store-format.md "$out/$name/"
cp docs/*.md "$out/$name/docs/"
tar --create --gzip --owner 0 --group 0 --directory "$out" --file "$out/$name.tar.gz" "$name"
rm -r "${out:?}/$name"
ls -l "$program" "$out"
