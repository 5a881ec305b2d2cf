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

# A wrapper maps the paths, not RUSTFLAGS: those would differ between the two
# builds, cargo derives the names of output folders from them, and the paths of
# generated sources are in the line tables.
wrapper="$work/rustc-from-anywhere"
cat >"$wrapper" <<'EOF'
#!/bin/sh
exec "$@" "--remap-path-prefix=$BUILD_ROOT=/fernseed" "--remap-path-prefix=$BUILD_HOME=/cargo"
EOF
chmod +x "$wrapper"

build() { # name
    mkdir -p "$work/$1"
    git archive --format=tar HEAD | tar -x -C "$work/$1"
    # Weights are fetched, not committed.
    cp -R "$root/weights/." "$work/$1/weights/"
    (cd "$work/$1" && BUILD_ROOT="$work/$1" BUILD_HOME="$home" RUSTC_WRAPPER="$wrapper" \
        SOURCE_DATE_EPOCH=0 CARGO_TARGET_DIR="$work/$1/target" \
        CFLAGS="-ffile-prefix-map=$work/$1=/fernseed -ffile-prefix-map=$home=/cargo" \
        cargo build --release --locked --bin fernseed)
    sha256sum "$work/$1/target/release/fernseed" | cut -d' ' -f1
}

first="$(build a | tail -1)"
second="$(build another-name | tail -1)"
echo "$first"
echo "$second"
[ -n "$first" ] && [ "$first" = "$second" ]
