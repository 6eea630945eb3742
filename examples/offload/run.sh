#!/bin/sh
# run.sh: the ResNet of ../resnet learns digits in 16 MiB: activations go to a
# file while the next layers run, and come back before the backward part reads
# them. The weights are those of the program that keeps all in 34 MiB, bit for
# bit. Options are handed to the training programs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
snug=${SNUG:-$root/build/snug}
out=${OUT:-$root/build/examples/offload}
digits=$root/examples/digits
model=$here/../resnet/resnet.onnx
mkdir -p "$out"

"$snug" compile "$model" --quiet -o "$out/all"
"$snug" compile "$model" --memory 16MiB --spill "$out" --quiet -o "$out/less"
for program in all less; do
    "$out/$program" --data "$digits/digits28-train.npz" \
        --eval "$digits/digits28-test.npz" --epochs 3 --lr 5e-3 \
        --schedule cosine,warmup=20 --seed 1 --spill "$out" \
        --log "$out/$program.jsonl" \
        --save "$out/$program.trained.safetensors" "$@"
done
sed -n 's/.*"disk_bytes":\([0-9]*\),"stalled_seconds":\([0-9.]*\).*/\1 bytes in the file, \2 s waited for it/p' \
    "$out/less.jsonl"
cmp "$out/all.trained.safetensors" "$out/less.trained.safetensors" &&
    echo "the same weights from both"
