#!/bin/sh
# What comes into the program, checked and written down:
#   deny        licences, sources, bans, and known vulnerabilities
#   auditable   a release build that carries its own list of dependencies
#   sbom        the bill of materials (CycloneDX, JSON)
# Without arguments: all three. Tools are installed once, at fixed versions,
# into target/supply-tools.
set -eu
cd "$(dirname "$0")/.."
tools="${CARGO_TARGET_DIR:-target}/supply-tools"

need() { # crate version
    if ! "$tools/bin/$1" --version >/dev/null 2>&1 && ! [ -e "$tools/$1-$2" ]; then
        cargo install --locked --root "$tools" --version "=$2" "$1"
        : >"$tools/$1-$2"
    fi
    PATH="$PWD/$tools/bin:$tools/bin:$PATH"
    export PATH
}

deny() {
    need cargo-deny 0.20.2
    cargo deny --locked check licenses sources bans
    # The list of known vulnerabilities is a git repository. Where it cannot
    # be reached nothing is known, and that is not the same as nothing found.
    if cargo deny --locked check advisories; then
        echo "supply: no known vulnerability"
    elif cargo deny --locked check --disable-fetch advisories 2>/dev/null; then
        echo "supply: no vulnerability in the copy of the list that is here; it may be old"
    else
        echo "supply: NOT CHECKED for known vulnerabilities, or some were found: see above" >&2
        return 1
    fi
}

auditable() {
    need cargo-auditable 0.7.7
    cargo auditable build --release --locked --bin fernseed
    binary="${CARGO_TARGET_DIR:-target}/release/fernseed"
    if readelf -S "$binary" | grep -q '\.dep-v0'; then
        echo "supply: $binary carries its list of dependencies"
    else
        echo "supply: $binary carries no list of dependencies" >&2
        return 1
    fi
}

sbom() {
    need cargo-cyclonedx 0.5.9
    cargo cyclonedx --format json --manifest-path crates/fernseed/Cargo.toml \
        --override-filename fernseed.cdx
    mv crates/fernseed/fernseed.cdx.json "${CARGO_TARGET_DIR:-target}/fernseed.cdx.json"
    find crates -name '*.cdx.json' -delete
    echo "supply: the bill of materials is ${CARGO_TARGET_DIR:-target}/fernseed.cdx.json"
}

failed=0
for step in ${@:-deny auditable sbom}; do
    "$step" || failed=1
done
exit "$failed"
