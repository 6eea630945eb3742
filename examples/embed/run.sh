#!/bin/sh
# run.sh [STEPS]: the GPT of examples/gpt as a library inside a program of one's
# own, which trains it and lets it write.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
snug=${SNUG:-$root/build/snug}
out=${OUT:-$root/build/examples/embed}
mkdir -p "$out"

"$snug" compile "$here/../gpt/gpt.onnx" --emit lib --quiet -o "$out/gpt.a"
${CC:-cc} -std=c99 -O2 -I"$out" "$here/write.c" "$out/gpt.a" -lm -pthread \
    -o "$out/write"
cat "$root"/*.md "$root"/docs/*.md |
    "$out/write" "$out/gpt.a.safetensors" "${1:-5000}" "The plan "
