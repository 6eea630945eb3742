#!/bin/sh
# packages.sh: installs what the build needs and this system lacks (Debian).
# Prints nothing and needs no rights where everything is there.
set -eu

wanted="gcc cmake ninja-build pkg-config llvm-19-dev protobuf-c-compiler
libprotobuf-c-dev libglpk-dev libjansson-dev libxxhash-dev zlib1g-dev
libcriterion-dev clang-14 libclang-rt-14-dev"
# What programs for other architectures are linked and run with: tests say what
# they do not run without them.
useful="qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
gcc-riscv64-linux-gnu libc6-dev-riscv64-cross"

lacking() { # PACKAGE...
    for p in "$@"; do
        state=$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)
        [ "$state" = installed ] || printf ' %s' "$p"
    done
}
missing=$(lacking $wanted)
extra=""
[ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null ||
    extra=$(lacking $useful)
[ -n "$missing$extra" ] || exit 0

if [ -n "$missing" ] && ! command -v apt-get >/dev/null; then
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
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() { # PACKAGE...
    echo "installing $*" >&2
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q update >"$log" 2>&1 &&
        $sudo env DEBIAN_FRONTEND=noninteractive \
            apt-get -q install -y --no-install-recommends "$@" >"$log" 2>&1
}
if [ -n "$missing" ] && ! install $missing; then
    tail -n 20 "$log" >&2
    exit 1
fi
[ -z "$extra" ] || install $extra ||
    echo "not installed, so what needs it is not tested:$extra" >&2
