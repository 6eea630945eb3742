#!/bin/sh
# measure.sh [TORCH-PYTHON [ORT-PYTHON]]: the figures of docs/measurements.md,
# from the plain build: compile time, program size, memory, step time; with the
# Pythons of two environments (tests/bench/peers says what they need) also the
# peers, in turn with ours, written to docs/steps.md.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "compile seconds, 9 runs each (least, median, most)"
for model in mlp.legacy mlp.dynamo lenet.legacy lenet.dynamo; do
    for i in 1 2 3 4 5 6 7 8 9; do
        build/snug compile "examples/digits/$model.onnx" -o "$work/$model" 2>&1 |
            sed -n 's/^wrote.* in \([0-9.]*\) s$/\1/p'
    done | sort -n | awk -v m="$model" '{ t[NR] = $1 }
        END { print "  " m, t[1], t[int((NR + 1) / 2)], t[NR] }'
done
tests/program/memory.sh build build | sed 's/^/  /'

set -- "${1:-}" "${2:-}"
python3 tests/bench/steps.py --program mlp="$work/mlp.legacy" \
    --program lenet="$work/lenet.legacy" ${1:+--torch "$1"} ${2:+--ort "$2"} \
    --rounds 15 --steps 300 ${1:+--out docs/steps.md}
