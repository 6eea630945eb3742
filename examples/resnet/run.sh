#!/bin/sh
# run.sh: a ResNet learns digits twice: in all the memory that it likes, and in
# a budget that makes the compiler run some layers again. The weights come out
# the same, bit for bit. Options are handed to the training programs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
snug=${SNUG:-$root/build/snug}
out=${OUT:-$root/build/examples/resnet}
digits=$root/examples/digits
mkdir -p "$out"

"$snug" compile "$here/resnet.onnx" --quiet -o "$out/all"
"$snug" compile "$here/resnet.onnx" --memory 22MiB --quiet -o "$out/less"
for program in all less; do
    "$out/$program" --data "$digits/digits28-train.npz" \
        --eval "$digits/digits28-test.npz" --epochs 4 --lr 5e-3 \
        --schedule cosine,warmup=20 --seed 1 \
        --save "$out/$program.trained.safetensors" "$@"
done
cmp "$out/all.trained.safetensors" "$out/less.trained.safetensors" &&
    echo "the same weights from both"
