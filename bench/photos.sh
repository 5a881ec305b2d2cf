#!/bin/sh
# A folder of 12-megapixel JPEGs: `fernseed redact` beside the bare sum of
# decoding, looking, covering and encoding (crates/fernseed example
# photo_parts), in turns. Prints seconds of each run and the ratios.
#
#   bench/photos.sh FERNSEED PHOTO_PARTS [FILES [ROUNDS]]
#
# The photos are made on the spot from the demo photo: enlarged, with noise,
# each another cut, so that no two are alike. (Strong noise would make the
# detectors see faces in it, and the repairs would be measured.)
set -eu
fernseed=$(realpath "$1")
parts=$(realpath "$2")
files=${3:-12}
rounds=${4:-3}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cores=$(nproc)

mkdir "$work/in"
i=0
while [ "$i" -lt "$files" ]; do
    ffmpeg -v error -nostdin -i "$root/demo/media/astronaut.png" -vf \
        "crop=480:360:$((i % 4 * 8)):$((i * 5 % 120)),scale=4000:3000:flags=lanczos,noise=alls=2:allf=t:all_seed=$i" \
        -q:v 3 "$work/in/$i.jpg"
    i=$((i + 1))
done

# Wall and processor seconds of a command, in hundredths of a second.
seconds() {
    python3 - "$@" <<'PY'
import os, subprocess, sys, time
start, before = time.time(), os.times()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
after = os.times()
used = after.children_user + after.children_system - before.children_user - before.children_system
print(f"{time.time() - start:.2f} {used:.2f}")
PY
}

round=0
while [ "$round" -lt "$rounds" ]; do
    rm -rf "$work/out"
    ours=$(seconds "$fernseed" redact "$work/in" -o "$work/out")
    bare=$("$parts" "$cores" "$work"/in/*.jpg)
    echo "$ours $bare" >>"$work/times"
    echo "$ours $bare" | awk '{ printf "redact %6.2f s, processor %6.2f; parts %6.2f s, processor %6.2f\n", $1, $2, $3, $4 }'
    round=$((round + 1))
done
awk '{ print $1 / $3, $2 / $4 }' "$work/times" | sort -n | awk '{ w[NR] = $1; c[NR] = $2 }
    END { m = int((NR + 1) / 2); printf "median ratio: wall %.2f, processor %.2f\n", w[m], c[m] }'
