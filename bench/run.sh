#!/bin/sh
# Runs the benchmark: ours, a plain transcode and deface, alternately.
# Set-up goes into a virtual environment under bench/out.
set -eu
cd "$(dirname "$0")/.."
mkdir -p bench/out
if [ ! -x bench/out/venv/bin/deface ]; then
    python3 -m venv bench/out/venv
    bench/out/venv/bin/python -m pip install --quiet --disable-pip-version-check \
        -r bench/requirements.txt
fi
exec bench/out/venv/bin/python bench/bench.py --fernseed target/release/fernseed \
    --deface bench/out/venv/bin/deface --out bench/out "$@"
