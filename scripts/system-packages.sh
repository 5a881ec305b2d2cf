#!/bin/sh
# Installs the Debian packages that building (build) or testing (test) needs.
# Does nothing if they are all there.
set -eu

build="clang libclang-dev pkg-config python3 python3-pip unzip
libavcodec-dev libavformat-dev libavutil-dev libswscale-dev libswresample-dev"
# Independent tools that check our outputs.
test="ffmpeg libimage-exiftool-perl imagemagick strace ntfs-3g"

case "${1:-build}" in
build) wanted=$build ;;
test) wanted=$test ;;
*) echo "usage: $0 build|test" >&2; exit 2 ;;
esac

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

run=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "these packages are missing, please install them:$missing" >&2
        exit 1
    }
    run=sudo
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$run apt-get update -qq
# shellcheck disable=SC2086
$run apt-get install -y -qq --no-install-recommends $missing >/dev/null
