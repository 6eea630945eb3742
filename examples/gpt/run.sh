#!/bin/sh
# run.sh: a byte-level GPT learns this project's own documentation: no data set
# to fetch, no Python. Options are handed to the training program; EPOCHS=N goes
# through the text N times instead of 6.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
snug=${SNUG:-$root/build/snug}
out=${OUT:-$root/build/examples/gpt}
mkdir -p "$out"

# A row: 64 bytes, then the byte behind each of them.
cat "$root"/*.md "$root"/docs/*.md | od -An -v -tu1 -w1 | awk '
    { byte[n++] = $1 + 0 }
    END {
        for (at = 0; at + 64 < n; at += 16) {
            row = byte[at]
            for (k = 1; k < 64; k++) row = row "," byte[at + k]
            for (k = 1; k <= 64; k++) row = row "," byte[at + k]
            print row
        }
    }' >"$out/text.csv"

"$snug" compile "$here/gpt.onnx" --set lr=3e-3 --quiet -o "$out/train"
exec "$out/train" --data "$out/text.csv" --epochs "${EPOCHS:-6}" \
    --schedule cosine,warmup=50 --seed 1 \
    --save "$out/trained.safetensors" --export-onnx "$out/trained.onnx" "$@"
