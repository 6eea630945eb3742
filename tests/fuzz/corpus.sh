#!/bin/sh
# corpus.sh SEEDS FOLDER: a small corpus for every fuzz target, made of the
# repository's own files, and dictionaries of the words that they are made of.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
seeds=$1
to=$2
for target in model text rule rewrite data weights command pack config; do
    mkdir -p "$to/$target"
done
"$seeds" "$to" "$root"/tests/onnx/*.cases

number=0
for f in "$root"/tests/golden/*/*.snug; do
    number=$((number + 1))
    sed '/^---- /,$d' "$f" >"$to/text/in-$number"
    sed -n '/^---- out/,$p' "$f" | sed 1d >"$to/text/out-$number"
    [ -s "$to/text/out-$number" ] || rm "$to/text/out-$number"
done
cp "$root"/passes/train/rules/*.rule "$to/rule"
cp "$root"/passes/simplify/rules/*.rw "$to/rewrite"
printf 'memory = "64MiB"\n[compile]\nset = ["lr=0.1", '"'a=1'"']\n' \
    >"$to/config/lists"
printf '# c\nmodel = "a.onnx"\n[plan]\njson = true\n[compile.dim]\nbatch = 64\n' \
    >"$to/config/sections"
printf z | cat - "$root/examples/digits/digits-test.npz" >"$to/data/deflated"

words() { # of tables: the first word of every row, quoted for a dictionary
    sed -n 's/^[A-Z]*(\([A-Za-z_0-9]*\),.*/"\1"/p' "$@" | sort -u
}
{
    words "$root/ir/op.def" "$root/ir/dtype.def" "$root/ir/math.def"
    printf '"%s"\n' graph input output param state const space meta over from \
        file random stage= labels= axes= f32 f64 i64 i1 u8 -1 2147483648 \
        9223372036854775807 4294967296 nan inf 1e309 '@dev+'
} | sort -u >"$to/text.dict"
{
    words "$root/frontend/onnx/onnx.def"
    printf '"%s"\n' axis axes perm pads strides kernel_shape alpha \
        '\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01' '\xff\xff\xff\xff\x07'
} | sort -u >"$to/model.dict"
{
    words "$root/frontend/cli/option.def"
    printf '"%s"\n' true false '[compile.set]' '[plan]' '\x22' '\x5cn' 1_0 nan
} | sort -u >"$to/config.dict"
{
    words "$root/passes/pass.def" "$root/frontend/cli/option.def"
    words "$root/runtime/option.def" | sed 's/_/-/g'
    printf '"%s"\n' --set= --passes= --schedule= cosine warmup= lr= 64MiB '\x0a'
} | sort -u >"$to/command.dict"
