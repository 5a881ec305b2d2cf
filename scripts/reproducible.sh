#!/bin/sh
# Builds the release binary twice, in two folders of different names, and
# compares the hashes. Paths of the machine are mapped away, so that they are
# neither in the binary nor decide what it looks like. Takes two full release
# builds.
set -eu
cd "$(dirname "$0")/.."
root="$PWD"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
home="${CARGO_HOME:-$HOME/.cargo}"

build() { # name
    mkdir -p "$work/$1"
    git archive --format=tar HEAD | tar -x -C "$work/$1"
    # Weights are fetched, not committed.
    cp -R "$root/weights/." "$work/$1/weights/"
    flags="--remap-path-prefix=$work/$1=/fernseed --remap-path-prefix=$home=/cargo"
    (cd "$work/$1" && SOURCE_DATE_EPOCH=0 CARGO_TARGET_DIR="$work/$1/target" RUSTFLAGS="$flags" \
        CFLAGS="-ffile-prefix-map=$work/$1=/fernseed -ffile-prefix-map=$home=/cargo" \
        cargo build --release --locked --bin fernseed)
    sha256sum "$work/$1/target/release/fernseed" | cut -d' ' -f1
}

first="$(build a | tail -1)"
second="$(build another-name | tail -1)"
echo "$first"
echo "$second"
[ -n "$first" ] && [ "$first" = "$second" ]
