# What a developer does here, one word each. Everything else is plain cargo.

.PHONY: setup setup-build setup-package demo test test-versions s3-garage lint build page page-test bench power-loss soak advisories image-test package \
    package-test

# Installs what is missing; does nothing where all is there.
setup:
	scripts/setup.sh test

setup-build:
	scripts/setup.sh build

setup-package:
	scripts/setup.sh package

# Everything at once on a private PostgreSQL with sample data, in the browser.
demo: setup-build page
	cargo run --locked -- demo

test: setup page lint
	scripts/test.sh

# The tests that depend on the server, on PostgreSQL 13 to 18 and from each version to each other one.
test-versions: setup page
	scripts/test-versions.sh

# The tests of S3 with Garage as the server, where it is installed.
s3-garage: setup
	@command -v garage >/dev/null || { echo "garage is not on PATH: take the program for this machine from \
	https://garagehq.deuxfleurs.fr/download/ (or: cargo install garage), then run this again"; exit 1; }
	IPAM_REWIND_GARAGE="$$(command -v garage)" cargo test --locked --test it -- s3 store::s3:: suspended \
	    silent without_removals idle_service

# The web page, which the program carries within it: built before the program.
PAGE = frontend/dist/index.html
PAGE_SOURCES = $(shell find frontend/src frontend/public frontend/docs -type f) frontend/index.html \
    frontend/vite.config.ts frontend/compress.ts
PAGE_LIBRARIES = frontend/node_modules/.package-lock.json

page: $(PAGE)

$(PAGE_LIBRARIES): frontend/package.json frontend/package-lock.json
	npm --prefix frontend ci

$(PAGE): $(PAGE_LIBRARIES) $(PAGE_SOURCES)
	npm --prefix frontend run build

# The page's own tests: its parts, then all of it in a browser, before the program that cargo built.
page-test: page
	cargo build --locked
	npm --prefix frontend run test
	npm --prefix frontend run e2e

lint: $(PAGE_LIBRARIES)
	npm --prefix frontend run lint
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
	cargo machete
	cargo deny --locked check bans licenses sources

# The whole cycle beside what one would take instead, with restic and borg if they are installed
# (Debian: restic, borgbackup). Writes benches/results and the tables in README.md and docs/performance.md.
# For the record:
# make bench PREFIXES=1000000 ROUNDS=3 HISTORY_BACKUPS=100
PREFIXES ?= 100000
ROUNDS ?= 3
HISTORY_BACKUPS ?= 20
bench: setup-build
	cargo bench --locked --bench cycle -- --prefixes $(PREFIXES) --rounds $(ROUNDS) \
	    --history-backups $(HISTORY_BACKUPS)

# Tries each of the thousands of states that a power loss may leave, not only some hundred; takes some minutes.
power-loss:
	POWER_LOSS_STATES=all cargo test --locked --test it power_loss -- --nocapture

# A random application, and incremental backups beside it, for an hour; with another seed each time.
SOAK_SECONDS ?= 3600
soak:
	SOAK_SECONDS=$(SOAK_SECONDS) SOAK_SEED=$$(date +%s) cargo test --locked --test it incremental::soak -- --nocapture

# Known vulnerabilities; apart, since it downloads the list of them.
advisories:
	cargo deny check advisories

build: setup-build page
	cargo build --locked --release

# Builds the container image and tries it, with buildah and debootstrap; takes minutes, as root.
image-test:
	scripts/test-image.sh

# A Debian package and an archive, in target/package.
package: setup-package page
	scripts/package.sh

# Installs, upgrades and removes the package in a new Debian; as root.
package-test: package
	scripts/test-package.sh
