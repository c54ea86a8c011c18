# What a developer does here, one word each. Everything else is plain cargo.

.PHONY: setup demo test lint build advisories

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

# Known vulnerabilities; apart, since it downloads the list of them.
advisories:
	cargo deny check advisories

build:
	cargo build --locked --release
