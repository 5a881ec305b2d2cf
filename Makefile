# Two commands for newcomers, each doing all of its own set-up:
#   make demo   redacts a real photo and a real clip
#   make test   runs everything CI runs
# The others are parts of these, or take long.

SHELL := /bin/sh
.PHONY: demo test setup system system-test weights demo-media build check bench clean-demo

demo: system weights demo-media
	cargo build --release --locked --bin fernseed
	./scripts/demo.sh target/release/fernseed

test: system system-test weights demo-media check
	cargo test --workspace --locked

# What needs no test run: format, lints, documentation.
check: weights
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

build: system weights
	cargo build --release --locked --bin fernseed

setup: system system-test weights demo-media

system:
	./scripts/system-packages.sh build

system-test:
	./scripts/system-packages.sh test

weights:
	./weights/fetch.sh

demo-media: system
	./scripts/demo-media.sh

# Options: make bench BENCH="--no-exposure --seconds 5" (bench/bench.py --help)
bench: build demo-media
	./scripts/composite-media.sh
	cargo build --release --locked -p fernseed-testkit --example composite --example exposure
	./bench/run.sh $(BENCH)

clean-demo:
	rm -rf demo-out
