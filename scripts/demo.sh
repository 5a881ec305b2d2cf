#!/bin/sh
# The main job on a real photo and a real clip, and what came of it.
set -eu
cd "$(dirname "$0")/.."
fernseed=$1
out=demo-out
rm -rf $out
mkdir -p $out

echo "== What the sandbox holds here"
"$fernseed" doctor

echo
echo "== What the photo and the clip give away"
"$fernseed" inspect demo/media/astronaut.png demo/media/carphone.mp4

echo
echo "== Redacting both"
"$fernseed" redact demo/media/astronaut.png demo/media/carphone.mp4 -o $out --report $out/report.json

echo
echo "== Attacking the results once more"
"$fernseed" audit $out/astronaut.redacted.png $out/carphone.redacted.mp4

echo
echo "The results are in $out:"
ls -l $out
