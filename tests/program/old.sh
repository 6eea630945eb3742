#!/bin/sh
# old.sh: what older versions wrote is read: text is the same text again, plans
# hold and become programs with the same bits, a checkpoint goes on.
. "$(dirname "$0")/../program_lib.sh"

old=$root/tests/old
snug=$plain/snug
data=$digits/digits-train.npz
cd "$work" || exit 1
for file in step plan less; do
    check "$file: the same text again" sh -c \
        "'$sanitized/snug' opt '$old/$file.snug' -o - | cmp - '$old/$file.snug'"
done
check "plan: holds" "$sanitized/snug" plan check "$old/plan.snug"
check "less: holds" "$sanitized/snug" plan check "$old/less.snug"
check "the configuration is read" "$sanitized/snug" compile \
    "$old/step.snug" --config "$old/snug.toml" --emit plan -o plan.snug

# What 40 steps came to when the files were written.
want=b7d67489930b432c5aeb1bfa8f83b3658dfd1d04c619b3435e427f625354892f
for file in step plan less; do
    "$snug" compile "$old/$file.snug" --quiet -o train || bad "compile $file"
    ./train --data "$data" --steps 40 --seed 3 --quiet --save whole.safetensors
    [ "$(sha256sum <whole.safetensors | cut -c1-64)" = $want ] &&
        ok "$file: the bits of then" || bad "$file: other bits"
    rm -rf run
    mkdir run
    cp "$old/ckpt-000000022.safetensors" run
    ./train --data "$data" --steps 40 --seed 3 --quiet --checkpoint run \
        --resume --save parts.safetensors 2>told
    check "$file: goes on from the checkpoint" \
        cmp whole.safetensors parts.safetensors
done
