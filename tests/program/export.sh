#!/bin/sh
# export.sh: a trained model as ONNX again: what both exporters write, with data
# inside and outside, is trained, exported, compiled again, and must begin with
# the very weights that were saved.
. "$(dirname "$0")/../program_lib.sh"

# The tensors' bytes of a safetensors file, without its header.
tensors() {
    length=$(od -An -N8 -tu8 "$1" | tr -d ' ')
    tail -c "+$((length + 9))" "$1"
}

export_again() { # path of the model, data
    (cd "$work" &&
        "$plain/snug" compile "$1" --optimizer sgd -o first --quiet &&
        ./first --data "$2" --steps 20 --quiet --save saved.safetensors \
            --export-onnx again.onnx &&
        "$plain/snug" compile again.onnx --optimizer sgd -o second --quiet &&
        tensors saved.safetensors >saved &&
        tensors second.safetensors >second.bytes &&
        tensors first.safetensors >first.bytes &&
        [ "$(wc -c <second.bytes)" -gt 200000 ] &&
        ! cmp -s first.bytes second.bytes &&
        head -c "$(wc -c <second.bytes)" saved | cmp - second.bytes)
}

for model in mlp lenet; do
    data=$digits/digits-train.npz
    [ $model = lenet ] && data=$digits/digits28-train.npz
    for path in "$digits/$model.legacy.onnx" "$digits/$model.dynamo.onnx" \
        "$root/tests/reference/$model.dynamo.external.onnx"; do
        check "$(basename "$path"): exported, imported, the same weights" \
            export_again "$path" "$data"
    done
done
