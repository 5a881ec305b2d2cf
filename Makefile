# Two commands for newcomers, each doing all of its own set-up:
#   make demo   redacts a real photo and a real clip
#   make test   runs everything CI runs
# The others are parts of these, or take long.

SHELL := /bin/sh
.PHONY: demo test test-kernels test-release setup system system-test weights demo-media build check bench clean-demo hostile mutants fuzz deny supply reproducible

demo: system weights demo-media
	cargo build --release --locked --bin fernseed
	./scripts/demo.sh target/release/fernseed

test: system system-test weights demo-media check deny
	cargo test --workspace --locked --no-fail-fast
	$(MAKE) test-kernels
	$(MAKE) test-release

# The kernels once more with the checks that the test profile leaves out of them.
test-kernels:
	cargo test -p fernseed-detect --locked \
		--config profile.dev.package.fernseed-detect.debug-assertions=true

# What only link-time optimisation can break, on the binary that is shipped:
# what it exports, and every format through its decoders.
test-release: build
	FERNSEED_BIN=$(CURDIR)/target/release/fernseed cargo test -p fernseed --locked --test sandbox -- no_c_symbol_is_exported
	FERNSEED_BIN=$(CURDIR)/target/release/fernseed cargo test -p fernseed --locked --test strip_formats

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

# The whole of the hostile tests: every kill point, every fault, 60 power
# cuts, a batch of 10,000 files, the whole corpus. Hours with MUTANTS=10000.
MUTANTS ?= 200
hostile: system system-test weights demo-media
	FERNSEED_HOSTILE=all FERNSEED_MUTANTS=$(MUTANTS) cargo test -p fernseed --locked --test hostile

# Only mutants: `make mutants MUTANTS=10000`.
mutants: system system-test weights demo-media
	FERNSEED_MUTANTS=$(MUTANTS) cargo test -p fernseed --locked --test hostile -- mutants

# Every parser against mutants, TIME seconds of processor time for each format
# or target: `make fuzz TIME=600`. One line per test.
TIME ?= 20
fuzz: system system-test weights
	FERNSEED_FUZZ_SECONDS=$(TIME) cargo test -p fernseed-scrub --locked --test fuzz_still -- --nocapture
	FERNSEED_FUZZ_SECONDS=$(TIME) cargo test -p fernseed-scrub --locked --test fuzz_video -- --nocapture
	FERNSEED_FUZZ_SECONDS=$(TIME) cargo test -p fernseed-scrub --locked --test fuzz_sound -- --nocapture
	FERNSEED_FUZZ_SECONDS=$(TIME) cargo test -p fernseed --locked --test hostile -- fuzz_

# Licences, sources and bans of all dependencies, in seconds.
deny:
	./scripts/supply.sh deny

supply: weights
	./scripts/supply.sh

reproducible: weights
	./scripts/reproducible.sh

clean-demo:
	rm -rf demo-out
