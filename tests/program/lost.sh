#!/bin/sh
# lost.sh: what an exporter kept of a model for training and what it took away:
# parameters, buffers and running statistics are told apart, what is gone is
# named (tests/reference/lost.py made the files).
. "$(dirname "$0")/../program_lib.sh"

snug=$sanitized/snug
files=$root/tests/reference/lost

# holds FILE KIND NAME...: exactly these tensors are of this kind
holds() {
    file=$1 kind=$2
    shift 2
    "$snug" inspect "$files/$file.onnx" 2>/dev/null |
        sed -n "s/^  $kind  *%\"*\([^ \"]*\).*/\1/p" | sort >"$work/have"
    printf '%s\n' "$@" | sort >"$work/want"
    if cmp -s "$work/want" "$work/have"; then ok "$file: every $kind"; else
        bad "$file: every $kind"
        diff "$work/want" "$work/have"
    fi
}

# says FILE WORDS: a warning that matches them, and one hint that has the call
says() {
    if "$snug" inspect "$files/$1.onnx" 2>&1 >/dev/null |
        grep -A 1 "warning: .*$2" | grep -q '^hint: .*optimize=False\|TRAINING'
    then ok "$1: $2"; else bad "$1: does not say '$2'"; fi
}

# silent FILE: no warning
silent() {
    if "$snug" inspect "$files/$1.onnx" 2>&1 | grep -q warning; then
        bad "$1: warns"
    else ok "$1: nothing to warn of"; fi
}

statistics='bn1.running_mean bn1.running_var bn2.running_mean bn2.running_var'
layers='one.weight two.weight last.weight last.bias'
norms='bn1.weight bn1.bias bn2.weight bn2.bias'
for how in legacy kept; do
    holds convolutions.$how param $layers $norms
    holds convolutions.$how state $statistics
done
silent convolutions.legacy
says convolutions.kept "exported in inference form"
says convolutions.folded "2 convolutions hold what batch norm.* folded"
says convolutions.optimized \
    "lacks 4 of the 8 parameters .*: bn1.weight, bn1.bias, bn2.weight, bn2.bias\."
holds convolutions.optimized param $layers one.weight_bias two.weight_bias

words='kind.weight token norm1.weight norm1.bias norm2.weight norm2.bias
    mix.weight mix.bias'
silent words.legacy
holds words.legacy param word.weight $words sines
silent words.kept
holds words.kept param head.weight $words
holds words.kept state dropout.step
says words.optimized \
    "lacks 2 of the 10 parameters .*: token, kind.weight\."
says words.optimized "holds 1 transposed copies of weights"
says words.optimized "holds 1 parameters transposed"
says words.bare "'norm1.weight' is the scale of several norms"

# norms that the exporter's optimizer merged with their own statistics and with
# each other are told apart by the calls; a parameter may have no axes
merged='bn1.weight bn1.bias bn2.weight bn2.bias one.weight one.bias
    last.weight last.bias temperature'
for how in legacy optimized; do
    holds merged.$how param $merged
    holds merged.$how state $statistics
done
silent merged.legacy

# dropout inside attention is drawn although the file says nothing of training
for how in legacy kept; do
    if "$snug" inspect "$files/words.$how.onnx" 2>&1 |
        grep -q '^entry forward_train'; then ok "words.$how: draws"; else
        bad "words.$how: does not draw"
    fi
done

# and it trains
cd "$work" || exit 1
"$snug" compile "$files/words.kept.onnx" --quiet -o train &&
    perl -e 'print pack("a6 C C v a118", "\x93NUMPY", 1, 0, 118,
        sprintf("%-117s\n", "{\x27descr\x27: \x27<i8\x27, \x27fortran_order\x27: False, \x27shape\x27: (4, 6), }")),
        pack("q*", map { $_ % 11 } 1 .. 24)' >x.npy &&
    perl -e 'print pack("a6 C C v a118", "\x93NUMPY", 1, 0, 118,
        sprintf("%-117s\n", "{\x27descr\x27: \x27<i8\x27, \x27fortran_order\x27: False, \x27shape\x27: (4, 7), }")),
        pack("q*", map { $_ % 11 } 1 .. 28)' >labels.npy
check "words.kept: trains" ./train --data x.npy,labels.npy --steps 3 --quiet

# what was told apart is exported apart, and read again it is the same
picture() { # NAME SHAPE COUNT: zeros and ones
    perl -e 'print pack("a6 C C v a118", "\x93NUMPY", 1, 0, 118,
        sprintf("%-117s\n", "{\x27descr\x27: \x27$ARGV[0]\x27, \x27fortran_order\x27: False, \x27shape\x27: ($ARGV[1]), }")),
        $ARGV[0] eq "<f4" ? pack("f<*", map { $_ % 5 / 2 } 1 .. $ARGV[2]) :
        pack("q<*", map { $_ % 5 } 1 .. $ARGV[2])' "$1" "$2" "$3"
}
picture '<f4' '4, 3, 8, 8' 768 >x.npy
picture '<i8' '4,' 4 >labels.npy
"$snug" compile "$files/merged.optimized.onnx" --quiet -o merged 2>/dev/null
check "merged.optimized: trains" ./merged --data x.npy,labels.npy --steps 3 \
    --quiet --save first.safetensors --export-onnx first.onnx
"$snug" compile first.onnx --quiet -o again 2>/dev/null
tensors() { # FILE: the bytes after the head of a safetensors file
    head=$(od -An -N8 -tu8 "$1" | tr -d ' ')
    tail -c "+$((head + 9))" "$1" | sha256sum
}
if [ "$(tensors first.safetensors)" = "$(tensors again.safetensors)" ]; then
    ok "merged.optimized: exported with all its weights"
else bad "merged.optimized: exported with all its weights"; fi
