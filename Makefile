# What a developer does here, one word each. Everything else is plain cargo.

.PHONY: setup demo test lint build bench advisories image-test

# Installs what is missing; does nothing where all is there.
setup:
	scripts/setup.sh

demo: setup
	cargo run --locked --release -- demo

test: setup lint
	scripts/test.sh

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
	cargo machete
	cargo deny --locked check bans licenses sources

# The whole cycle beside what one would take instead, with restic and borg if they are installed
# (Debian: restic, borgbackup). Writes benches/results and the figures in README.md. For the record:
# make bench PREFIXES=1000000 ROUNDS=3 HISTORY_BACKUPS=100
PREFIXES ?= 100000
ROUNDS ?= 3
HISTORY_BACKUPS ?= 20
bench: setup
	cargo bench --locked --bench cycle -- --prefixes $(PREFIXES) --rounds $(ROUNDS) \
	    --history-backups $(HISTORY_BACKUPS)

# Known vulnerabilities; apart, since it downloads the list of them.
advisories:
	cargo deny check advisories

build:
	cargo build --locked --release

# Builds the container image and tries it, with buildah and debootstrap; takes minutes, as root.
image-test:
	scripts/test-image.sh
