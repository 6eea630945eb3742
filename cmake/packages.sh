#!/bin/sh
# packages.sh: installs what the build needs and this system lacks (Debian).
# Prints nothing and needs no rights where everything is there.
set -eu

wanted="gcc cmake ninja-build pkg-config llvm-19-dev protobuf-c-compiler
libprotobuf-c-dev libglpk-dev libjansson-dev libxxhash-dev zlib1g-dev
libcriterion-dev clang-14 libclang-rt-14-dev"
# What programs for other architectures are linked and run with: tests say what
# they do not run without them.
[ "$(id -u)" -ne 0 ] || wanted="$wanted qemu-user
gcc-aarch64-linux-gnu libc6-dev-arm64-cross
gcc-riscv64-linux-gnu libc6-dev-riscv64-cross"

missing=""
for p in $wanted; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "needed, and no apt-get here to install them:$missing" >&2
    exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "needed:$missing" >&2
        echo "run as root, or have sudo: apt-get install$missing" >&2
        exit 1
    fi
    sudo="sudo"
fi
echo "installing$missing" >&2
log=$(mktemp)
if ! { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
       $sudo env DEBIAN_FRONTEND=noninteractive \
           apt-get -q install -y --no-install-recommends $missing; } \
       >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
fi
rm -f "$log"
