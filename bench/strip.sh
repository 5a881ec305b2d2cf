#!/bin/sh
# Speed of stripping: fernseed, exiftool in its batch mode and mat2, on the
# same files, in alternating runs. Prints files per second of each run.
#
#   bench/strip.sh FERNSEED [FILES [ROUNDS]]
#
# The files are made on the spot from the demo photo with metadata put in;
# mat2 (Debian package of that name) is left out where it is not installed.
set -eu
fernseed=$(realpath "$1")
files=${2:-500}
rounds=${3:-3}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/in"
convert "$root/demo/media/astronaut.png" -resize 1024x -quality 90 "$work/one.jpg"
exiftool -q -overwrite_original -n -Make=Maker -Model=Model -SerialNumber=12345 \
    -GPSLatitude=52.5 -GPSLatitudeRef=N -GPSLongitude=13.4 -GPSLongitudeRef=E \
    -XMP-dc:Title=Title -Artist=Somebody "$work/one.jpg"
i=0
while [ "$i" -lt "$files" ]; do
    cp "$work/one.jpg" "$work/in/$i.jpg"
    i=$((i + 1))
done

# Runs a command and prints its name and how many files it does a second.
rate() {
    name=$1
    made=$2
    shift 2
    start=$(date +%s.%N)
    "$@" >/dev/null 2>"$work/log" || { echo "$name failed:"; head -3 "$work/log"; return; }
    end=$(date +%s.%N)
    done=$(find "$made" -type f -newer "$work/mark" -o -name '*.stripped.*' | wc -l)
    awk -v n="$name" -v f="$files" -v d="$done" -v a="$start" -v b="$end" \
        'BEGIN { printf "%-10s %8.1f files/s  (%d written)\n", n, f / (b - a), d }'
}

touch "$work/mark"
round=1
while [ "$round" -le "$rounds" ]; do
    rm -rf "$work/a" "$work/b"
    mkdir "$work/a" "$work/b"
    rate fernseed "$work/a" "$fernseed" strip -q "$work/in" -o "$work/a"
    rate exiftool "$work/b" exiftool -q -all= -o "$work/b/" "$work/in"
    if command -v mat2 >/dev/null; then
        find "$work/in" -name '*.cleaned.*' -delete
        rate mat2 "$work/in" mat2 "$work"/in/*.jpg
        find "$work/in" -name '*.cleaned.*' -delete
    fi
    round=$((round + 1))
done
