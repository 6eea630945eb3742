#!/bin/sh
# run.sh: a training step made by hand, pass by pass, each station a text file;
# stopped and restarted anywhere it comes to the same plan.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
snug=${SNUG:-$root/build/snug}
out=${OUT:-$root/build/examples/passes}
model=$root/examples/digits/mlp.legacy.onnx
mkdir -p "$out"
cd "$out"

"$snug" opt --passes=loss "$model" -o 1-loss.snug
"$snug" opt --passes=grad 1-loss.snug -o 2-grad.snug
"$snug" opt --passes=optimizer{rule=lion} 2-grad.snug -o 3-optimizer.snug
"$snug" opt --passes=fold,cse,rewrite,dce 3-optimizer.snug -o 4-simple.snug
"$snug" opt --passes=fuse,inplace,workspace,schedule,place 4-simple.snug \
    -o 5-placed.snug
"$snug" plan check 5-placed.snug

"$snug" opt --passes="loss,grad,optimizer{rule=lion},fold,cse,rewrite,dce,\
fuse,inplace,workspace,schedule,place" "$model" -o whole.snug
cmp 5-placed.snug whole.snug && echo "the same plan in one go"
"$snug" compile 5-placed.snug --quiet -o train
./train --data "$root/examples/digits/digits-train.npz" --epochs 5 --lr 1e-3 \
    "$@"
